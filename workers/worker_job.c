
/*
 * One job from its begin to its end.
 */

#include <stdlib.h>

#include "worker_batch_private.h"
#include "worker_clock.h"
#include "worker_log.h"
#include "worker_trace.h"


#define JOB_UNKNOWN_SECONDS  60        /* a kind of a newer schema */
#define JOB_BUSY_MIN         5         /* seconds until the next look at a */
#define JOB_BUSY_MAX         15        /* machine that is busy */


static void job_begin(worker_batch_t *batch, worker_run_t *run,
    int64_t now_us);
static void job_do(worker_batch_t *batch, worker_run_t *run);
static int job_waits(const worker_batch_t *batch, worker_run_t *run);
static const char *job_busy(const worker_settings_t *settings);
static worker_offer_e job_start(worker_run_t *run);
static void job_result(worker_run_t *run);
static void job_measure_us(const worker_job_kind_t *kind, int64_t us);


/* How long jobs of this process took, by the rows of worker_job_kinds. */
static int64_t  job_usual[WORKER_KINDS_MAX];


void
worker_job_run(worker_batch_t *batch, worker_run_t *run)
{
    int64_t  begin_us;

    /* the supervisor has given it back */
    if (!worker_held_begin(run->job.held)) {
        return;
    }

    begin_us = worker_now_us();
    job_begin(batch, run, begin_us);

    if (!worker_job_cancelled(&run->job)) {
        job_do(batch, run);
        job_result(run);
    }

    run->run_us = worker_now_us() - begin_us;
    run->cancelled = worker_job_cancelled(&run->job);
    job_measure_us(run->kind, run->run_us);

    worker_child_job(NULL);
    worker_end_job(batch, run);
    worker_trace_job(NULL);
    worker_log_job(NULL);
    worker_job_clear(run);
}


int64_t
worker_job_usual_us(const worker_job_kind_t *kind)
{
    return kind == NULL || job_usual[kind - worker_job_kinds] == 0
           ? -1 : job_usual[kind - worker_job_kinds];
}


void
worker_job_clear(worker_run_t *run)
{
    json_decref(run->job.args);
    json_decref(run->job.input);
    json_decref(run->result.result);
    worker_arena_destroy(run->job.arena);

    run->job.args = NULL;
    run->job.input = NULL;
    run->result.result = NULL;
    run->job.arena = NULL;
}


static void
job_begin(worker_batch_t *batch, worker_run_t *run, int64_t now_us)
{
    int64_t        now;
    worker_job_t  *job;

    now = now_us / 1000;
    job = &run->job;

    batch->begun++;
    job->deadline_ms = now + (int64_t) job->soft_seconds * 1000;
    run->offer.until_ms = now + (int64_t) job->hard_seconds * 1000
                          + WORKER_LEASE_SLACK_MS;
    run->offer.progress_ms = now;      /* short jobs tell of none */

    if (run->wait_ms >= 0) {
        run->wait_ms += now - batch->report.taken_ms;
    }

    worker_log_job(job);
    worker_trace_job(job);
    worker_child_job(job);
    worker_batch_report(batch, WORKER_SLOT_BUSY, run);
}


static void
job_do(worker_batch_t *batch, worker_run_t *run)
{
    worker_offer_e  start;

    if (run->kind == NULL) {
        worker_end_failed(run, JOB_RETRY, "this pool does not know the kind",
                          JOB_UNKNOWN_SECONDS);
        return;
    }

    if (job_waits(batch, run)) {
        return;
    }

    start = job_start(run);

    if (start == WORKER_OFFER_STALE || start == WORKER_OFFER_LATE) {
        worker_end_failed(run, JOB_RETRY, "the job is not held any more", 0);
        return;
    }

    if (start == WORKER_OFFER_TAKEN) {
        run->kind->run(batch->settings, &run->job, &run->result);
        run->result.error[sizeof(run->result.error) - 1] = '\0';
    }
}


/* A heavy job waits for a machine that is busy, as long as it may. */
static int
job_waits(const worker_batch_t *batch, worker_run_t *run)
{
    int          after;
    const char  *reason;

    if (!run->heavy) {
        return 0;
    }

    reason = job_busy(batch->settings);
    after = JOB_BUSY_MIN + (int) (random() % (JOB_BUSY_MAX - JOB_BUSY_MIN
                                              + 1));

    if (reason == NULL || run->defer_left < after) {
        return 0;
    }

    worker_end_failed(run, JOB_DEFER, reason, after);

    return 1;
}


/* Why the machine is busy; NULL: it is not. */
static const char *
job_busy(const worker_settings_t *settings)
{
    int                   cpu;
    const worker_load_t  *load;

    /* what this child used for its last job is free now */
    load = worker_child_load();
    cpu = atomic_load(&load->cpu) - atomic_load(&worker_child_slot()->cpu);

    if (settings->guard_cpu != 0 && cpu > settings->guard_cpu) {
        return "the machine is busy: CPU";
    }

    if (settings->guard_memory_mb != 0
        && atomic_load(&load->memory_mb) > settings->guard_memory_mb)
    {
        return "the machine is busy: memory";
    }

    return NULL;
}


/* Fetches the input; after WORKER_OFFER_REFUSED the result says why. */
static worker_offer_e
job_start(worker_run_t *run)
{
    PGresult        *row;
    const char      *input;
    worker_offer_e   offer;

    const char *const  params[] = { run->job.id, run->token };

    if (run->kind->start_sql == NULL) {
        return WORKER_OFFER_TAKEN;
    }

    offer = worker_offer(&run->offer, run->kind->start_sql, params, 2, &row);

    if (offer == WORKER_OFFER_REFUSED) {
        worker_end_failed(run, JOB_RETRY, run->offer.error, 0);
    }

    if (offer != WORKER_OFFER_TAKEN) {
        return offer;
    }

    input = worker_db_value(row, 0, "input");
    run->job.input = input == NULL ? json_null()
                                   : json_loads(input, JSON_DECODE_ANY, NULL);
    PQclear(row);

    if (run->job.input == NULL) {
        worker_end_failed(run, JOB_RETRY, "the input of the job is no JSON",
                          0);
        return WORKER_OFFER_REFUSED;
    }

    return WORKER_OFFER_TAKEN;
}


/* Made while the job still counts as running: it may be what crashes. */
static void
job_result(worker_run_t *run)
{
    if (run->result.outcome != JOB_DONE || run->result.result == NULL) {
        return;
    }

    run->text = json_dumps(run->result.result, JSON_COMPACT | JSON_ENCODE_ANY
                           | JSON_REAL_PRECISION(15));
    if (run->text == NULL) {
        worker_end_failed(run, JOB_RETRY, "the result is no JSON", 0);
    }
}


/* The mean, recent ones count more. */
static void
job_measure_us(const worker_job_kind_t *kind, int64_t us)
{
    int64_t  *usual;

    if (kind == NULL) {
        return;
    }

    usual = &job_usual[kind - worker_job_kinds];
    *usual = *usual == 0 ? us : *usual + (us - *usual) / 4;
    *usual = *usual < 1 ? 1 : *usual;
}
