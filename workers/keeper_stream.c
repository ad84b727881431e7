
/*
 * A queue's stream: entries and readers that are left over go.
 */

#include <stdlib.h>

#include "keeper_stream.h"
#include "worker_child.h"


#define KEEPER_ENTRY_IDLE  "60000"     /* ms: its reader is gone or busy */
#define KEEPER_ENTRIES     "100"       /* taken over at once */
#define KEEPER_READER_MS   3600000     /* idle readers are removed after */
#define KEEPER_STREAM_MAX  "10000"
#define KEEPER_ROUNDS      100


static int stream_take_over(worker_redis_t *redis, const char *stream,
    char *cursor, size_t size);
static void stream_remove(worker_redis_t *redis, const char *stream,
    const char *id);
static void stream_readers(worker_redis_t *redis, const char *stream);
static void stream_reader(worker_redis_t *redis, const char *stream,
    const redisReply *reader);
static void keeper_command(worker_redis_t *redis, const char *const *words);


void
keeper_stream_tidy(worker_redis_t *redis, const char *stream)
{
    int   round;
    char  cursor[64];

    const char *const  trim[] = {
        "XTRIM", stream, "MAXLEN", "~", KEEPER_STREAM_MAX, NULL
    };

    if (!worker_redis_group(redis, stream)) {
        return;
    }

    snprintf(cursor, sizeof(cursor), "0-0");

    for (round = 0; round < KEEPER_ROUNDS; round++) {
        worker_child_alive();

        if (!stream_take_over(redis, stream, cursor, sizeof(cursor))) {
            break;
        }
    }

    stream_readers(redis, stream);
    keeper_command(redis, trim);
}


/*
 * Removes entries that nobody acknowledged: their reader died, or is busy
 * for long.  The job that they stood for is PostgreSQL's, so nothing is lost
 * with them.  0: there are no more.
 */
static int
stream_take_over(worker_redis_t *redis, const char *stream, char *cursor,
    size_t size)
{
    int          more;
    size_t       i;
    redisReply  *reply, *ids;

    const char *const  words[] = {
        "XAUTOCLAIM", stream, "workers", "keeper", KEEPER_ENTRY_IDLE, cursor,
        "COUNT", KEEPER_ENTRIES, "JUSTID", NULL
    };

    reply = worker_redis_run(redis, words);
    if (reply == NULL) {
        return 0;
    }

    more = 0;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2
        && reply->element[0]->type == REDIS_REPLY_STRING
        && reply->element[1]->type == REDIS_REPLY_ARRAY)
    {
        snprintf(cursor, size, "%s", reply->element[0]->str);
        ids = reply->element[1];

        for (i = 0; i < ids->elements; i++) {
            if (ids->element[i]->type == REDIS_REPLY_STRING) {
                stream_remove(redis, stream, ids->element[i]->str);
            }
        }

        more = strcmp(cursor, "0-0") != 0;
    }

    freeReplyObject(reply);

    return more;
}


static void
stream_remove(worker_redis_t *redis, const char *stream, const char *id)
{
    const char *const  ack[] = { "XACK", stream, "workers", id, NULL };
    const char *const  del[] = { "XDEL", stream, id, NULL };

    keeper_command(redis, ack);
    keeper_command(redis, del);
}


/* Every process that ever read is a consumer until it is removed. */
static void
stream_readers(worker_redis_t *redis, const char *stream)
{
    size_t       i;
    redisReply  *reply;

    const char *const  words[] = {
        "XINFO", "CONSUMERS", stream, "workers", NULL
    };

    reply = worker_redis_run(redis, words);
    if (reply == NULL) {
        return;
    }

    if (reply->type == REDIS_REPLY_ARRAY) {
        for (i = 0; i < reply->elements; i++) {
            stream_reader(redis, stream, reply->element[i]);
        }
    }

    freeReplyObject(reply);
}


static void
stream_reader(worker_redis_t *redis, const char *stream,
    const redisReply *reader)
{
    size_t             i;
    long long          pending, idle;
    const char        *name, *field;
    const redisReply  *value;

    name = NULL;
    pending = 1;
    idle = 0;

    if (reader->type != REDIS_REPLY_ARRAY) {
        return;
    }

    for (i = 0; i + 1 < reader->elements; i += 2) {
        field = reader->element[i]->str;
        value = reader->element[i + 1];

        if (field == NULL) {
            continue;
        }

        if (strcmp(field, "name") == 0) {
            name = value->str;
        }

        if (strcmp(field, "pending") == 0) {
            pending = value->integer;
        }

        if (strcmp(field, "idle") == 0) {
            idle = value->integer;
        }
    }

    if (name != NULL && pending == 0 && idle >= KEEPER_READER_MS) {
        const char *const  words[] = {
            "XGROUP", "DELCONSUMER", stream, "workers", name, NULL
        };

        keeper_command(redis, words);
    }
}


static void
keeper_command(worker_redis_t *redis, const char *const *words)
{
    redisReply  *reply;

    reply = worker_redis_run(redis, words);
    if (reply != NULL) {
        freeReplyObject(reply);
    }
}
