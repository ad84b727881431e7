
/*
 * What a job sees: the job itself, the context it runs in, and how it ends.
 */

#ifndef WORKER_H
#define WORKER_H


#include <jansson.h>
#include <stdint.h>

#include "../lib/voice_base.h"
#include "worker_arena.h"
#include "worker_held.h"


typedef struct worker_settings_s  worker_settings_t;   /* worker_settings.h */
typedef struct worker_offer_s     worker_offer_t;      /* worker_offer.h */


/* One claimed job. */
typedef struct {
    char      id[40];
    char      tenant_id[40];
    char      kind[40];
    char      trace_id[64];
    char      traceparent[56];         /* of its cause; "": none */
    int       attempt;                 /* from 1 */
    int64_t   token;                   /* fencing token of this claim */
    int       soft_seconds;            /* the job should end by itself */
    int       hard_seconds;            /* the supervisor kills the child */
    int64_t   deadline_ms;             /* soft limit on worker_now_ms() */
    json_t   *args;                    /* the job row's args; the loop's */
    json_t   *input;                   /* what work.start_<kind> gave, NULL
                                          without one; the loop's */
    worker_arena_t  *arena;            /* released after the job's end */
    worker_offer_t  *offer;            /* for statements of the kind */
    worker_held_t   *held;             /* for the functions below; may be
                                          NULL */
} worker_job_t;


typedef enum {
    JOB_DONE = 0,                      /* result goes to work.finish_<kind>
                                          or work.finish */
    JOB_RETRY,                         /* passing fault: try again later */
    JOB_DEFER,                         /* nothing was tried: again after
                                          retry_after, not an attempt */
    JOB_DEAD                           /* will never work: no more attempts */
} job_outcome_e;


/* How a job ended; result and error are the loop's to release. */
typedef struct {
    job_outcome_e  outcome;
    json_t        *result;             /* for JOB_DONE */
    char           error[256];         /* for the others: a sentence, no
                                          secret, no transcript */
    int            retry_after;        /* seconds, 0: the kind's backoff */
} job_result_t;


/*
 * Runs a job to its end inside a child.  May block, never past
 * job->deadline_ms.  Ends soon, no matter how, after worker_job_cancelled().
 */
typedef void (*job_run_pt)(const worker_settings_t *settings,
    const worker_job_t *job, job_result_t *result);


/*
 * A row of the table in worker_jobs.c; compared with work.job_kinds() at
 * start.
 */
typedef struct {
    const char  *kind;
    job_run_pt   run;
    const char  *start_sql;            /* "select work.start_<kind>($1,$2)",
                                          NULL: none */
    const char  *finish_sql;           /* "select * from
                                          work.finish_<kind>($1,$2,$3)";
                                          NULL: work.finish, many at once */
} worker_job_kind_t;


/* Was the job cancelled, or taken away?  Cheap: ask as often as it helps. */
int worker_job_cancelled(const worker_job_t *job);

/*
 * How far the job is, 0 .. 1, and a few words on it (NULL: none; no secret,
 * no transcript).  Told to SQL twice a second at most, so that a loop may
 * call it at each turn; may block as one statement does.
 */
void worker_job_progress(const worker_job_t *job, double fraction,
    const char *text);


#endif /* WORKER_H */
