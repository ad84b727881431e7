
/*
 * The loop of a queue child.  PostgreSQL chooses the jobs; an entry of the
 * stream only says that looking is worth while, and is acknowledged after the
 * jobs that it brought have ended.
 */

#include <stdlib.h>

#include "worker_child.h"
#include "worker_clock.h"
#include "worker_http.h"
#include "worker_log.h"
#include "worker_loop.h"


#define LOOP_DOWN_MS      250          /* between looks at a lost database */
#define LOOP_IDLE_MAX_MS  15000        /* takes without an entry, give or
                                          take a third: PostgreSQL may have
                                          what Redis never heard of */


#define LOOP_ENTRIES      100          /* read at once: one of them would
                                          have been enough */
#define LOOP_PASS_MAX     16           /* entries that are passed on */


typedef struct {
    const worker_settings_t  *settings;
    const char               *queue;
    worker_db_t              *db;
    worker_redis_t           *redis;
    worker_batch_t           *batch;
    char                      stream[WORKER_STREAM_SIZE];
    char                      consumer[200];
    char                      entries[LOOP_ENTRIES][48];       /* to be
                                          acknowledged */
    unsigned                  nentries;
    int64_t                   look_at;         /* next take without entry */
} loop_t;


static int loop_open(loop_t *loop, const worker_settings_t *settings);
static void loop_close(loop_t *loop);
static void loop_round(loop_t *loop);
static int loop_wait(loop_t *loop);
static redisReply *loop_read(loop_t *loop);
static void loop_entries(loop_t *loop, const redisReply *reply);
static const redisReply *element(const redisReply *reply, size_t index);
static void loop_pass_on(loop_t *loop);
static void loop_acknowledge(loop_t *loop);
static int jittered(int ms);


int
worker_queue_main(const worker_settings_t *settings)
{
    loop_t  loop;

    if (!loop_open(&loop, settings)) {
        worker_log(WORKER_LOG_ERROR, "out of memory");
        return 1;
    }

    while (!worker_stopping() && !worker_batch_spent(loop.batch)) {
        worker_child_alive();
        loop_round(&loop);
    }

    loop_close(&loop);

    return 0;
}


static int
loop_open(loop_t *loop, const worker_settings_t *settings)
{
    memset(loop, 0, sizeof(loop_t));

    loop->settings = settings;
    loop->queue = worker_child_queue();
    loop->db = worker_db_create(settings);
    loop->redis = worker_redis_create(settings);
    loop->batch = worker_batch_create(settings, loop->queue, loop->db,
                                      loop->redis);

    if (loop->redis != NULL) {
        worker_redis_stream(loop->redis, loop->stream, loop->queue);
    }

    snprintf(loop->consumer, sizeof(loop->consumer), "%s/%s",
             settings->worker_name, worker_child_name());

    return loop->db != NULL && loop->redis != NULL && loop->batch != NULL;
}


static void
loop_close(loop_t *loop)
{
    worker_http_cleanup();
    worker_batch_destroy(loop->batch);
    worker_redis_destroy(loop->redis);
    worker_db_destroy(loop->db);
}


/* One wait, then jobs until none is left; who adds some tells of them. */
static void
loop_round(loop_t *loop)
{
    worker_claim_e  claim;

    if (!loop_wait(loop)) {
        return;
    }

    do {
        claim = worker_batch_take(loop->batch);

        if (claim == WORKER_CLAIM_TAKEN) {
            loop_pass_on(loop);
            worker_batch_run(loop->batch);
        }

        if (claim != WORKER_CLAIM_DOWN) {
            loop_acknowledge(loop);
        }
    } while (claim == WORKER_CLAIM_TAKEN
             && worker_batch_behind(loop->batch) != 0
             && !worker_stopping() && !worker_batch_spent(loop->batch));

    loop->look_at = worker_now_ms() + jittered(LOOP_IDLE_MAX_MS);

    if (claim == WORKER_CLAIM_DOWN) {
        loop->look_at = 0;
        worker_child_sleep(LOOP_DOWN_MS);
    }
}


/* Is it time to claim? */
static int
loop_wait(loop_t *loop)
{
    redisReply  *reply;

    if (worker_now_ms() >= loop->look_at) {
        return 1;
    }

    reply = loop_read(loop);

    if (reply == NULL) {
        if (worker_stopping()) {
            return 0;
        }

        worker_child_sleep(jittered(loop->settings->poll_ms));
        return 1;
    }

    loop_entries(loop, reply);
    freeReplyObject(reply);

    return loop->nentries > 0 || worker_now_ms() >= loop->look_at;
}


static redisReply *
loop_read(loop_t *loop)
{
    char  block[16], count[16];

    const char *const  words[] = {
        "XREADGROUP", "GROUP", "workers", loop->consumer, "COUNT", count,
        "BLOCK", block, "STREAMS", loop->stream, ">", NULL
    };

    snprintf(count, sizeof(count), "%d", LOOP_ENTRIES);
    snprintf(block, sizeof(block), "%d", loop->settings->block_ms);

    return worker_redis_wait(loop->redis, words, loop->settings->block_ms);
}


/* Keeps the ids of the entries that a reply brought. */
static void
loop_entries(loop_t *loop, const redisReply *reply)
{
    const redisReply  *list, *id;

    if (reply->type == REDIS_REPLY_ERROR) {

        /* the group is missing: a fresh Redis, or one that lost its data */
        if (strncmp(reply->str, "NOGROUP", 7) != 0
            || !worker_redis_group(loop->redis, loop->stream))
        {
            worker_log(WORKER_LOG_ERROR, "redis: %s", reply->str);
            worker_child_sleep(jittered(loop->settings->poll_ms));
        }

        loop->look_at = 0;
        return;
    }

    /* [[stream, [[id, fields], ...]]]; nil: nothing came */
    list = element(element(reply, 0), 1);

    for (loop->nentries = 0; loop->nentries < LOOP_ENTRIES;
         loop->nentries++)
    {
        id = element(element(list, loop->nentries), 0);

        if (id == NULL || id->type != REDIS_REPLY_STRING) {
            return;
        }

        snprintf(loop->entries[loop->nentries], sizeof(loop->entries[0]),
                 "%s", id->str);
    }
}


/* A member of an array; NULL if it is none or too short. */
static const redisReply *
element(const redisReply *reply, size_t index)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || index >= reply->elements)
    {
        return NULL;
    }

    return reply->element[index];
}


/*
 * What this child did not take is for others.  Where it is not known, entries
 * tell; and where it took several jobs there may be more than entries.
 */
static void
loop_pass_on(loop_t *loop)
{
    int  more;

    more = worker_batch_behind(loop->batch);

    if (more < 0) {
        more = (int) loop->nentries - (int) worker_batch_count(loop->batch);

        if (more <= 0) {
            more = worker_batch_count(loop->batch) > 1;
        }
    }

    worker_redis_wake(loop->redis, loop->queue,
                      more < LOOP_PASS_MAX ? more : LOOP_PASS_MAX);
}


/* What does not get there is the keeper's. */
static void
loop_acknowledge(loop_t *loop)
{
    unsigned     i;
    const char  *ack[LOOP_ENTRIES + 4], *del[LOOP_ENTRIES + 3];

    if (loop->nentries == 0) {
        return;
    }

    ack[0] = "XACK";
    ack[1] = loop->stream;
    ack[2] = "workers";
    del[0] = "XDEL";
    del[1] = loop->stream;

    for (i = 0; i < loop->nentries; i++) {
        ack[i + 3] = loop->entries[i];
        del[i + 2] = loop->entries[i];
    }

    ack[i + 3] = NULL;
    del[i + 2] = NULL;

    worker_redis_add(loop->redis, ack);
    worker_redis_add(loop->redis, del);
    worker_redis_push(loop->redis);
    loop->nentries = 0;
}


/* Two thirds to four thirds of it. */
static int
jittered(int ms)
{
    return ms - ms / 3 + (int) (random() % (2 * ms / 3 + 1));
}
