
/*
 * A synchronous Redis client on hiredis: one connection, opened when needed,
 * every wait bounded.  It is the master's, whichever of the configured ones
 * that is; who is no master any more is left.  Redis only carries wake-ups,
 * so "down" is an answer that every caller lives with.
 */

#ifndef WORKER_REDIS_H
#define WORKER_REDIS_H


#include <hiredis/hiredis.h>

#include "worker_settings.h"


#define WORKER_STREAM_SIZE  160        /* bytes of a stream's name, with NUL */
#define WORKER_REDIS_WORDS  128        /* of a command, with the NULL */


typedef struct worker_redis_s  worker_redis_t;


/* Not connected yet; NULL: out of memory.  settings are borrowed. */
worker_redis_t *worker_redis_create(const worker_settings_t *settings);
void worker_redis_destroy(worker_redis_t *redis);

/*
 * Runs one command, given as words that end with NULL.  The reply, which may
 * be an error reply, is the caller's (freeReplyObject); NULL: Redis is down.
 */
redisReply *worker_redis_run(worker_redis_t *redis,
    const char *const *words) VOICE_MUST_CHECK;

/*
 * A command whose reply nobody needs: it goes along with the next one, or
 * with worker_redis_push().  While Redis is down it is dropped.
 */
void worker_redis_add(worker_redis_t *redis, const char *const *words);
/* Sends what was added; does not wait for replies. */
void worker_redis_push(worker_redis_t *redis);

/*
 * worker_redis_run() for a command that blocks for at most wait_ms on the
 * server; gives up early when the process is asked to end (NULL; the
 * connection is closed).
 */
redisReply *worker_redis_wait(worker_redis_t *redis,
    const char *const *words, int wait_ms) VOICE_MUST_CHECK;

/* Does it answer? */
int worker_redis_up(worker_redis_t *redis);

typedef enum {
    WORKER_REDIS_KEEPS = 0,            /* it evicts nothing */
    WORKER_REDIS_EVICTS,
    WORKER_REDIS_UNTOLD,               /* it does not say */
    WORKER_REDIS_DOWN
} worker_redis_verdict_e;

/*
 * May it evict what it holds?  problem has one line that says what to set, or
 * why it is not known; "": all is well.
 */
worker_redis_verdict_e worker_redis_judge(worker_redis_t *redis,
    char problem[WORKER_PROBLEM_MAX]);
/* The same for a process that goes on: another one, or now and then; logs. */
void worker_redis_watch(worker_redis_t *redis);

/* Adds n entries (at most 100) to the stream of a queue. */
void worker_redis_wake(worker_redis_t *redis, const char *queue, int n);
/* Sends one entry for each queue in a text[] of SQL; NULL: nothing. */
void worker_redis_wake_all(worker_redis_t *redis, const char *queues);

/*
 * The stream of a queue: "voice:queue:<name>", of a shard's pool
 * "voice:queue:<name>@<shard>", so that no pool takes another's wake-ups.
 */
void worker_redis_stream(const worker_redis_t *redis,
    char out[WORKER_STREAM_SIZE], const char *queue);
/* Makes the group "workers", and the stream, if they are not there. */
int worker_redis_group(worker_redis_t *redis, const char *stream);


#endif /* WORKER_REDIS_H */
