
/*
 * The loop of a queue child: wait for an entry, take jobs, run them, end
 * them, acknowledge.  Its main function is worker_queue_main
 * (worker_supervisor.h).
 */

#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H


#include "worker_db.h"
#include "worker_redis.h"


/* A result is offered so long after the hard limit (docs/design.md "Jobs"). */
#define WORKER_LEASE_SLACK_MS  15000


typedef struct worker_batch_s  worker_batch_t;


typedef enum {
    WORKER_CLAIM_NONE = 0,             /* nothing to do */
    WORKER_CLAIM_TAKEN,                /* jobs are held */
    WORKER_CLAIM_DOWN                  /* PostgreSQL is down */
} worker_claim_e;


/* Jobs that are taken together; all is borrowed.  NULL: out of memory. */
worker_batch_t *worker_batch_create(const worker_settings_t *settings,
    const char *queue, worker_db_t *db, worker_redis_t *redis);
void worker_batch_destroy(worker_batch_t *batch);

/* Takes jobs of the queue, as many as SQL gives. */
worker_claim_e worker_batch_take(worker_batch_t *batch);
/* How many the last one took. */
unsigned worker_batch_count(const worker_batch_t *batch);
/* How many more it saw that are due; -1: not known. */
int worker_batch_behind(const worker_batch_t *batch);

/*
 * Runs them one after another and tells SQL how they ended; queues of new
 * jobs are woken through redis.  Those that it does not come to are given
 * back.
 */
void worker_batch_run(worker_batch_t *batch);

/* Has this child run as many jobs as it may? */
int worker_batch_spent(const worker_batch_t *batch);


#endif /* WORKER_LOOP_H */
