
/*
 * What the files of the Redis client share and nobody else sees.
 */

#ifndef WORKER_REDIS_PRIVATE_H
#define WORKER_REDIS_PRIVATE_H


#include "worker_redis.h"


#define WORKER_REDIS_PROBLEM  256


struct worker_redis_s {
    const worker_settings_t  *settings;
    redisContext             *context; /* NULL: not connected */
    int                       added;   /* replies that nobody needs */
    int                       backoff_ms;
    int64_t                   retry_at;
    int                       told;    /* bool: the log knows it is down */
    int64_t                   refused_at;      /* the log was told; 0: not */

    unsigned                  next;    /* address or Sentinel to begin with */
    char                      at[VOICE_ENDPOINT_TEXT]; /* the one connected
                                          to, or the last that was tried */
    char                      problem[WORKER_REDIS_PROBLEM];
    unsigned                  generation;      /* connections so far */
    unsigned                  watched; /* the one that was judged last */
    int64_t                   watch_at;
    worker_redis_verdict_e    verdict; /* that the log knows */
};


/*
 * A connection to the master, logged in: asks each Sentinel or tries each
 * address once, from redis->next on, for redis_timeout_ms and as long as the
 * last one takes.  NULL: redis->problem says of the last one why not.
 */
redisContext *worker_redis_find(worker_redis_t *redis);

/* One line. */
void worker_redis_problem(worker_redis_t *redis, const char *reason);


#endif /* WORKER_REDIS_PRIVATE_H */
