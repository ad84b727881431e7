
/*
 * The synchronous Redis client.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "worker_child.h"
#include "worker_clock.h"
#include "worker_db.h"
#include "worker_log.h"
#include "voice_redis.h"
#include "worker_redis_private.h"


#define REDIS_ADDED_MAX    1000        /* replies that are not read yet */
#define REDIS_BACKOFF_MIN  200
#define REDIS_BACKOFF_MAX  5000
#define REDIS_SLICE_MS     200         /* how soon a wait sees a signal */
#define REDIS_WAKES_MAX    100
#define REDIS_REFUSED_MS   60000       /* between two lines of the log */


static int redis_connect(worker_redis_t *redis);
static int redis_send(worker_redis_t *redis, const char *const *words);
static int redis_settle(worker_redis_t *redis);
static void redis_refused(worker_redis_t *redis, const redisReply *reply);
static redisReply *redis_answer(worker_redis_t *redis);
static redisReply *redis_judge(worker_redis_t *redis, redisReply *answer);
static void redis_lost(worker_redis_t *redis, const char *reason);
static void redis_away(worker_redis_t *redis);
static void wake_member(void *data, const char *queue);


worker_redis_t *
worker_redis_create(const worker_settings_t *settings)
{
    worker_redis_t  *redis;

    redis = calloc(1, sizeof(worker_redis_t));
    if (redis != NULL) {
        redis->settings = settings;
    }

    return redis;
}


void
worker_redis_destroy(worker_redis_t *redis)
{
    if (redis == NULL) {
        return;
    }

    if (redis->context != NULL) {
        redisFree(redis->context);
    }

    free(redis);
}


redisReply *
worker_redis_run(worker_redis_t *redis, const char *const *words)
{
    if (!redis_connect(redis) || !redis_send(redis, words)
        || !redis_settle(redis))
    {
        return NULL;
    }

    return redis_answer(redis);
}


void
worker_redis_add(worker_redis_t *redis, const char *const *words)
{
    if (!redis_connect(redis)
        || (redis->added >= REDIS_ADDED_MAX && !redis_settle(redis))
        || !redis_send(redis, words))
    {
        return;
    }

    redis->added++;
}


void
worker_redis_push(worker_redis_t *redis)
{
    int  done;

    if (redis->context == NULL || redis->added == 0) {
        return;
    }

    do {
        if (redisBufferWrite(redis->context, &done) == REDIS_ERR) {
            redis_lost(redis, redis->context->errstr);
            return;
        }
    } while (!done);
}


redisReply *
worker_redis_wait(worker_redis_t *redis, const char *const *words,
    int wait_ms)
{
    int            done, n;
    void          *reply;
    int64_t        now, end;
    struct pollfd  fd;

    if (!redis_connect(redis) || !redis_send(redis, words)) {
        return NULL;
    }

    do {
        if (redisBufferWrite(redis->context, &done) == REDIS_ERR) {
            redis_lost(redis, redis->context->errstr);
            return NULL;
        }
    } while (!done);

    if (!redis_settle(redis)) {
        return NULL;
    }

    /* it may have come with the replies before it */
    if (redisGetReplyFromReader(redis->context, &reply) == REDIS_OK
        && reply != NULL)
    {
        return redis_judge(redis, reply);
    }

    fd.fd = redis->context->fd;
    fd.events = POLLIN;
    end = worker_now_ms() + wait_ms + redis->settings->redis_timeout_ms;

    for ( ;; ) {
        n = poll(&fd, 1, REDIS_SLICE_MS);

        if (n == 1) {
            return redis_answer(redis);
        }

        if (worker_stopping()) {
            /* the server may still hand us an entry: nobody will read it */
            redisFree(redis->context);
            redis->context = NULL;
            redis->added = 0;
            return NULL;
        }

        now = worker_now_ms();

        if (now >= end) {
            redis_lost(redis, "timed out");
            return NULL;
        }

        worker_child_alive();
    }
}


int
worker_redis_up(worker_redis_t *redis)
{
    redisReply  *reply;

    const char *const  words[] = { "PING", NULL };

    reply = worker_redis_run(redis, words);
    if (reply == NULL) {
        return 0;
    }

    freeReplyObject(reply);

    return 1;
}


void
worker_redis_wake(worker_redis_t *redis, const char *queue, int n)
{
    char  stream[WORKER_STREAM_SIZE];

    const char *const  words[] = {
        "XADD", stream, "MAXLEN", "~", "10000", "*", "wake", "1", NULL
    };

    worker_redis_stream(redis, stream, queue);

    for (n = n > REDIS_WAKES_MAX ? REDIS_WAKES_MAX : n; n > 0; n--) {
        worker_redis_add(redis, words);
    }

    worker_redis_push(redis);
}


void
worker_redis_wake_all(worker_redis_t *redis, const char *queues)
{
    worker_db_members(queues, wake_member, redis);
}


void
worker_redis_stream(const worker_redis_t *redis,
    char out[WORKER_STREAM_SIZE], const char *queue)
{
    const char  *shard;

    shard = redis->settings->shard;

    snprintf(out, WORKER_STREAM_SIZE, "voice:queue:%s%s%s", queue,
             shard[0] == '\0' ? "" : "@", shard);
}


int
worker_redis_group(worker_redis_t *redis, const char *stream)
{
    int          ok;
    redisReply  *reply;

    /* from the start: what was sent before there was a group is not lost */
    const char *const  words[] = {
        "XGROUP", "CREATE", stream, "workers", "0", "MKSTREAM", NULL
    };

    reply = worker_redis_run(redis, words);
    if (reply == NULL) {
        return 0;
    }

    ok = reply->type != REDIS_REPLY_ERROR
         || strncmp(reply->str, "BUSYGROUP", 9) == 0;

    if (!ok) {
        worker_log(WORKER_LOG_ERROR, "redis group of \"%s\": %s", stream,
                   reply->str);
    }

    freeReplyObject(reply);

    return ok;
}


static int
redis_connect(worker_redis_t *redis)
{
    if (redis->context != NULL) {
        return 1;
    }

    if (worker_now_ms() < redis->retry_at) {
        return 0;
    }

    redis->context = worker_redis_find(redis);
    if (redis->context == NULL) {
        redis_away(redis);
        return 0;
    }

    if (redis->told) {
        worker_log(WORKER_LOG_INFO, "redis is back at %s", redis->at);
        redis->told = 0;
    }

    redis->backoff_ms = 0;
    redis->generation++;

    return 1;
}


static int
redis_send(worker_redis_t *redis, const char *const *words)
{
    int          n;
    const char  *argv[WORKER_REDIS_WORDS];

    for (n = 0; n < WORKER_REDIS_WORDS && words[n] != NULL; n++) {
        argv[n] = words[n];
    }

    if (redisAppendCommandArgv(redis->context, n, argv, NULL) != REDIS_OK) {
        redis_lost(redis, redis->context->errstr);
        return 0;
    }

    return 1;
}


/* Reads the replies that nobody needs; 0: the connection was lost. */
static int
redis_settle(worker_redis_t *redis)
{
    redisReply  *reply;

    while (redis->added > 0) {
        redis->added--;

        reply = redis_answer(redis);
        if (reply == NULL) {
            return 0;
        }

        redis_refused(redis, reply);
        freeReplyObject(reply);
    }

    return 1;
}


/* It is full, say: wake-ups are lost, which nobody would see elsewhere. */
static void
redis_refused(worker_redis_t *redis, const redisReply *reply)
{
    int64_t  now;

    if (reply->type != REDIS_REPLY_ERROR) {
        return;
    }

    now = worker_now_ms();

    if (redis->refused_at == 0 || now >= redis->refused_at + REDIS_REFUSED_MS)
    {
        worker_log(WORKER_LOG_WARN, "redis %s refuses what it is sent: %s",
                   redis->at, reply->str);
        redis->refused_at = now;
    }
}


static redisReply *
redis_answer(worker_redis_t *redis)
{
    void  *reply;

    if (redisGetReply(redis->context, &reply) != REDIS_OK) {
        redis_lost(redis, redis->context->errstr);
        return NULL;
    }

    return redis_judge(redis, reply);
}


/* NULL: the server is not who it should be. */
static redisReply *
redis_judge(worker_redis_t *redis, redisReply *answer)
{
    if (answer->type == REDIS_REPLY_ERROR
        && voice_redis_elsewhere(voice_span(answer->str, answer->len)))
    {
        redis_lost(redis, answer->str);
        freeReplyObject(answer);
        return NULL;
    }

    return answer;
}


static void
redis_lost(worker_redis_t *redis, const char *reason)
{
    worker_redis_problem(redis, reason);
    redis_away(redis);
}


/* The next attempt waits longer than this one did. */
static void
redis_away(worker_redis_t *redis)
{
    if (!redis->told) {
        worker_log(WORKER_LOG_WARN, "redis is down: %s", redis->problem);
        redis->told = 1;
    }

    if (redis->context != NULL) {
        redisFree(redis->context);
        redis->context = NULL;
    }

    redis->added = 0;
    redis->backoff_ms = redis->backoff_ms == 0 ? REDIS_BACKOFF_MIN
                                               : redis->backoff_ms * 2;
    if (redis->backoff_ms > REDIS_BACKOFF_MAX) {
        redis->backoff_ms = REDIS_BACKOFF_MAX;
    }

    redis->retry_at = worker_now_ms() + redis->backoff_ms / 2
                      + random() % (redis->backoff_ms / 2 + 1);
}


static void
wake_member(void *data, const char *queue)
{
    worker_redis_wake(data, queue, 1);
}
