
/*
 * The jobs that a child holds as the files see them that take, run and end
 * them.
 */

#ifndef WORKER_BATCH_PRIVATE_H
#define WORKER_BATCH_PRIVATE_H


#include "worker_child.h"
#include "worker_jobs.h"
#include "worker_list.h"
#include "worker_loop.h"
#include "worker_offer.h"


/* A job and what is needed to end it. */
typedef struct {
    worker_job_t              job;
    job_result_t              result;
    const worker_job_kind_t  *kind;    /* NULL: not known here */
    worker_offer_t            offer;
    char                     *text;    /* the result as JSON; NULL: none */
    char                      token[24];
    int64_t                   wait_ms; /* due to begun */
    int64_t                   run_us;
    int                       result_seconds;  /* in Redis; 0: not */
    int                       defer_left;      /* seconds that it may still
                                          be put off */
    int                       heavy;   /* bool */
    int                       cancelled;       /* bool */
} worker_run_t;


struct worker_batch_s {
    const worker_settings_t  *settings;
    const char               *queue;
    worker_db_t              *db;
    worker_redis_t           *redis;
    worker_report_t           report;
    worker_run_t              runs[WORKER_HELD_MAX];
    unsigned                  nruns;
    worker_run_t             *ended[WORKER_HELD_MAX];  /* for work.finish */
    unsigned                  nended;
    int64_t                   ended_ms;        /* the first of them */
    int                       begun;   /* jobs in the life of this child */
    int                       behind;  /* as worker_batch_behind() tells */
    unsigned                  least;   /* jobs that it does in a moment */
    worker_list_t             lists[3];        /* parameters */
};


/* worker_take.c: reads rows of work.take() into runs; those that are held. */
void worker_take_read(worker_batch_t *batch, const PGresult *rows);

/* worker_job.c: runs one that nobody has given back, and ends it. */
void worker_job_run(worker_batch_t *batch, worker_run_t *run);
/* Releases what a job has in memory; may be called again. */
void worker_job_clear(worker_run_t *run);
/* Microseconds that jobs of a kind took lately; -1: none has run. */
int64_t worker_job_usual_us(const worker_job_kind_t *kind);

/* worker_end.c: tells SQL, or leaves it to the next flush. */
void worker_end_job(worker_batch_t *batch, worker_run_t *run);
/* Tells SQL of all that have ended and not been told of. */
void worker_end_flush(worker_batch_t *batch);
/* Gives back those that wait, from this one on. */
void worker_end_return(worker_batch_t *batch, unsigned from);
/* Makes a job end without a result. */
void worker_end_failed(worker_run_t *run, job_outcome_e outcome,
    const char *error, int retry_after);

/* worker_batch.c: tells the supervisor. */
void worker_batch_report(worker_batch_t *batch, worker_slot_e state,
    const worker_run_t *run);


#endif /* WORKER_BATCH_PRIVATE_H */
