
/*
 * The loop of a queue child.  PostgreSQL chooses the job; an entry of the
 * stream only says that looking is worth while, and is acknowledged after the
 * job that it brought has ended.
 */

#include <stdlib.h>

#include "worker_child.h"
#include "worker_clock.h"
#include "worker_http.h"
#include "worker_log.h"
#include "worker_loop.h"


#define LOOP_DOWN_MS      250          /* between looks at a lost database */
#define LOOP_IDLE_MAX_MS  15000        /* claims without an entry, give or
                                          take a third: PostgreSQL may have
                                          what Redis never heard of */


typedef struct {
    const worker_settings_t  *settings;
    const char               *queue;
    worker_db_t              *db;
    worker_redis_t           *redis;
    char                      stream[WORKER_STREAM_SIZE];
    char                      consumer[200];
    char                      entry[64];       /* to acknowledge; "" none */
    int64_t                   look_at;         /* next claim without entry */
} loop_t;


static int loop_open(loop_t *loop, const worker_settings_t *settings);
static void loop_round(loop_t *loop);
static int loop_wait(loop_t *loop);
static redisReply *loop_read(loop_t *loop);
static void loop_take(loop_t *loop, const redisReply *reply);
static const redisReply *element(const redisReply *reply, size_t index);
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

    while (!worker_stopping()) {
        worker_child_alive();
        loop_round(&loop);
    }

    worker_http_cleanup();
    worker_redis_destroy(loop.redis);
    worker_db_destroy(loop.db);

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

    if (loop->redis != NULL) {
        worker_redis_stream(loop->redis, loop->stream, loop->queue);
    }

    snprintf(loop->consumer, sizeof(loop->consumer), "%s/%s",
             settings->worker_name, worker_child_name());

    return loop->db != NULL && loop->redis != NULL;
}


/* One wait, then claims until there is nothing left. */
static void
loop_round(loop_t *loop)
{
    worker_claim_e  claim;

    if (!loop_wait(loop)) {
        return;
    }

    do {
        claim = worker_job_run_one(loop->settings, loop->queue, loop->db,
                                   loop->redis);
        if (claim != WORKER_CLAIM_DOWN) {
            loop_acknowledge(loop);
        }
    } while (claim == WORKER_CLAIM_RAN && !worker_stopping());

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

    loop_take(loop, reply);
    freeReplyObject(reply);

    return loop->entry[0] != '\0' || worker_now_ms() >= loop->look_at;
}


static redisReply *
loop_read(loop_t *loop)
{
    char  block[16];

    const char *const  words[] = {
        "XREADGROUP", "GROUP", "workers", loop->consumer, "COUNT", "1",
        "BLOCK", block, "STREAMS", loop->stream, ">", NULL
    };

    snprintf(block, sizeof(block), "%d", loop->settings->block_ms);

    return worker_redis_wait(loop->redis, words, loop->settings->block_ms);
}


/* Keeps the id of the entry that a reply brought. */
static void
loop_take(loop_t *loop, const redisReply *reply)
{
    const redisReply  *r;

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

    /* [[stream, [[id, fields]]]]; nil: nothing came */
    r = element(element(element(element(reply, 0), 1), 0), 0);

    if (r != NULL && r->type == REDIS_REPLY_STRING) {
        snprintf(loop->entry, sizeof(loop->entry), "%s", r->str);
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


static void
loop_acknowledge(loop_t *loop)
{
    redisReply  *reply;

    const char *const  ack[] = {
        "XACK", loop->stream, "workers", loop->entry, NULL
    };
    const char *const  del[] = { "XDEL", loop->stream, loop->entry, NULL };

    if (loop->entry[0] == '\0') {
        return;
    }

    reply = worker_redis_run(loop->redis, ack);
    if (reply != NULL) {
        freeReplyObject(reply);

        reply = worker_redis_run(loop->redis, del);
        if (reply != NULL) {
            freeReplyObject(reply);
        }
    }

    /* what could not be acknowledged is the keeper's */
    loop->entry[0] = '\0';
}


/* Two thirds to four thirds of it. */
static int
jittered(int ms)
{
    return ms - ms / 3 + (int) (random() % (2 * ms / 3 + 1));
}
