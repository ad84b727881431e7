
/*
 * The loop of a queue child: wait for an entry, claim, run, finish,
 * acknowledge.  Its main function is worker_queue_main (worker_supervisor.h).
 */

#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H


#include "worker_db.h"
#include "worker_redis.h"


/* The lease outlives the hard limit by this much (docs/design.md "Jobs"). */
#define WORKER_LEASE_SLACK_MS  15000


typedef enum {
    WORKER_CLAIM_NONE = 0,             /* nothing to do */
    WORKER_CLAIM_RAN,                  /* one job was run to its end */
    WORKER_CLAIM_DOWN                  /* PostgreSQL is down */
} worker_claim_e;


/*
 * Claims one job of the queue, runs it and tells SQL how it ended; the
 * queues of new jobs are woken through redis.
 */
worker_claim_e worker_job_run_one(const worker_settings_t *settings,
    const char *queue, worker_db_t *db, worker_redis_t *redis);


#endif /* WORKER_LOOP_H */
