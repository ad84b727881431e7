
/*
 * Whether Redis may throw away what it holds: an entry that wakes a worker,
 * a live message, a limit.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_redis.h"
#include "worker_clock.h"
#include "worker_log.h"
#include "worker_redis_private.h"


#define WATCH_MS  10000                /* between two looks at the same one */


static void watch_told(worker_redis_t *redis, worker_redis_verdict_e verdict,
    const char *problem);


worker_redis_verdict_e
worker_redis_judge(worker_redis_t *redis, char problem[WORKER_PROBLEM_MAX])
{
    redisReply              *reply;
    voice_redis_memory_t     memory;
    worker_redis_verdict_e   verdict;

    const char *const  words[] = { "INFO", "memory", NULL };

    problem[0] = '\0';

    reply = worker_redis_run(redis, words);
    if (reply == NULL) {
        snprintf(problem, WORKER_PROBLEM_MAX, "redis %s", redis->problem);
        return WORKER_REDIS_DOWN;
    }

    memory = voice_redis_memory(reply->type == REDIS_REPLY_STRING
                                ? voice_span(reply->str, reply->len)
                                : voice_span(NULL, 0));

    switch (memory.verdict) {

    case VOICE_REDIS_KEEPS:
        verdict = WORKER_REDIS_KEEPS;
        break;

    case VOICE_REDIS_EVICTS:
        verdict = WORKER_REDIS_EVICTS;
        snprintf(problem, WORKER_PROBLEM_MAX, "redis %s may evict what it "
                 "holds: maxmemory is %.*s and maxmemory-policy is %.*s; set "
                 "\"maxmemory-policy noeviction\" in its configuration, or "
                 "\"maxmemory 0\"", redis->at,
                 (int) memory.max.len, memory.max.ptr,
                 (int) memory.policy.len, memory.policy.ptr);
        break;

    default:
        verdict = WORKER_REDIS_UNTOLD;
        snprintf(problem, WORKER_PROBLEM_MAX, "redis %s does not tell by INFO "
                 "memory whether it may evict what it holds; "
                 "maxmemory-policy must be noeviction%s%.80s", redis->at,
                 reply->type == REDIS_REPLY_ERROR ? ": " : "",
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "");
        break;
    }

    freeReplyObject(reply);

    return verdict;
}


void
worker_redis_watch(worker_redis_t *redis)
{
    char                    problem[WORKER_PROBLEM_MAX];
    int64_t                 now;
    worker_redis_verdict_e  verdict;

    now = worker_now_ms();

    if (now < redis->watch_at && redis->watched == redis->generation) {
        return;
    }

    verdict = worker_redis_judge(redis, problem);

    if (verdict != WORKER_REDIS_DOWN) {
        redis->watched = redis->generation;
        redis->watch_at = now + WATCH_MS;
        watch_told(redis, verdict, problem);
    }
}


/* Only what is new. */
static void
watch_told(worker_redis_t *redis, worker_redis_verdict_e verdict,
    const char *problem)
{
    if (verdict == redis->verdict) {
        return;
    }

    if (verdict == WORKER_REDIS_KEEPS) {
        worker_log(WORKER_LOG_INFO, "redis %s evicts nothing", redis->at);

    } else {
        worker_log(WORKER_LOG_WARN, "%s", problem);
    }

    redis->verdict = verdict;
}
