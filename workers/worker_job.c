
/*
 * One job from claim to end.  Until SQL has heard how it ended nothing is
 * forgotten: a result is offered until the lease of the claim is over, and
 * the token makes offering it twice harmless.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "worker_child.h"
#include "worker_clock.h"
#include "worker_jobs.h"
#include "worker_log.h"
#include "worker_loop.h"
#include "worker_offer.h"
#include "worker_trace.h"


#define JOB_UNKNOWN_SECONDS  60        /* a kind of a newer schema */


/* A job and what is needed to end it. */
typedef struct {
    worker_job_t              job;
    job_result_t              result;
    const worker_job_kind_t  *kind;
    worker_report_t           report;
    worker_offer_t            offer;
    worker_redis_t           *redis;
    int64_t                   begin_ms;
    char                      token[24];
} run_t;


static worker_claim_e run_claim(run_t *run, const char *worker,
    const char *queue);
static int run_read(run_t *run, const PGresult *row);
static int copy_column(char *out, size_t size, const PGresult *row,
    const char *column);
static int64_t number_column(const PGresult *row, const char *column);
static void run_job(run_t *run, const worker_settings_t *settings);
static worker_offer_e run_start(run_t *run);
static void run_end(run_t *run);
static worker_offer_e run_finish(run_t *run);
static worker_offer_e run_fail(run_t *run);
static void run_failed(run_t *run, job_outcome_e outcome, const char *error,
    int retry_after);
static void run_clear(run_t *run);
static void run_report(run_t *run, worker_slot_e state);


static const char *const  outcome_names[] = {
    "done", "retry", "defer", "dead"
};


worker_claim_e
worker_job_run_one(const worker_settings_t *settings, const char *queue,
    worker_db_t *db, worker_redis_t *redis)
{
    run_t           run;
    worker_claim_e  claim;

    memset(&run, 0, sizeof(run_t));
    run.offer.db = db;
    run.redis = redis;
    run.begin_ms = worker_now_ms();

    claim = run_claim(&run, settings->worker_name, queue);
    if (claim != WORKER_CLAIM_RAN) {
        run_clear(&run);
        return claim;
    }

    worker_log_job(&run.job);
    worker_trace_job(&run.job);
    run_report(&run, WORKER_SLOT_BUSY);

    run_job(&run, settings);
    run_end(&run);

    run_report(&run, WORKER_SLOT_IDLE);
    worker_log_job(NULL);
    worker_trace_job(NULL);
    run_clear(&run);

    return WORKER_CLAIM_RAN;
}


static worker_claim_e
run_claim(run_t *run, const char *worker, const char *queue)
{
    PGresult     *row;
    worker_db_e   rc;

    const char *const  params[] = { worker, queue, "1" };

    rc = worker_db_run(run->offer.db, worker_sql_claim, params, 3, &row);

    if (rc == WORKER_DB_DOWN) {
        return WORKER_CLAIM_DOWN;
    }

    if (rc == WORKER_DB_ERROR) {
        worker_log(WORKER_LOG_ERROR, "claim: %s",
                   worker_db_problem(run->offer.db));
        PQclear(row);
        return WORKER_CLAIM_DOWN;
    }

    if (PQntuples(row) == 0) {
        PQclear(row);
        return WORKER_CLAIM_NONE;
    }

    if (!run_read(run, row)) {
        worker_log(WORKER_LOG_ERROR, "claim gave a row that is no job");
        PQclear(row);
        return WORKER_CLAIM_DOWN;
    }

    PQclear(row);

    return WORKER_CLAIM_RAN;
}


static int
run_read(run_t *run, const PGresult *row)
{
    int64_t        soft, hard, attempt, token;
    const char    *args;
    worker_job_t  *job;

    job = &run->job;

    if (!copy_column(job->id, sizeof(job->id), row, "job_id")
        || !copy_column(job->tenant_id, sizeof(job->tenant_id), row,
                        "tenant_id")
        || !copy_column(job->kind, sizeof(job->kind), row, "kind"))
    {
        return 0;
    }

    copy_column(job->trace_id, sizeof(job->trace_id), row, "trace_id");
    copy_column(job->traceparent, sizeof(job->traceparent), row,
                "traceparent");

    attempt = number_column(row, "attempt");
    token = number_column(row, "token");
    soft = number_column(row, "soft_seconds");
    hard = number_column(row, "hard_seconds");

    if (attempt < 1 || token < 1 || soft < 1 || hard < soft
        || hard > INT32_MAX / 1000)
    {
        return 0;
    }

    job->attempt = (int) attempt;
    job->token = token;
    job->soft_seconds = (int) soft;
    job->hard_seconds = (int) hard;
    job->deadline_ms = run->begin_ms + soft * 1000;
    job->arena = worker_arena_create();

    args = worker_db_value(row, 0, "args");
    job->args = args == NULL ? json_object()
                             : json_loads(args, JSON_DECODE_ANY, NULL);

    snprintf(run->token, sizeof(run->token), "%" PRId64, token);
    snprintf(run->report.job_id, sizeof(run->report.job_id), "%s", job->id);
    run->report.token = token;
    run->report.hard_ms = run->begin_ms + hard * 1000;
    run->report.lease_ms = run->report.hard_ms + WORKER_LEASE_SLACK_MS;
    run->offer.until_ms = run->report.lease_ms;
    job->offer = &run->offer;

    return job->args != NULL && job->arena != NULL;
}


static int
copy_column(char *out, size_t size, const PGresult *row, const char *column)
{
    int          n;
    const char  *value;

    value = worker_db_value(row, 0, column);
    if (value == NULL) {
        return 0;
    }

    n = snprintf(out, size, "%s", value);

    return n >= 0 && (size_t) n < size;
}


/* -1 where there is none. */
static int64_t
number_column(const PGresult *row, const char *column)
{
    char        *end;
    int64_t      number;
    const char  *value;

    value = worker_db_value(row, 0, column);
    if (value == NULL) {
        return -1;
    }

    number = strtoll(value, &end, 10);

    return *end == '\0' ? number : -1;
}


static void
run_job(run_t *run, const worker_settings_t *settings)
{
    worker_offer_e  start;

    run->kind = worker_job_find(run->job.kind);

    if (run->kind == NULL) {
        run_failed(run, JOB_RETRY, "this pool does not know the kind",
                 JOB_UNKNOWN_SECONDS);
        return;
    }

    start = run_start(run);

    if (start == WORKER_OFFER_STALE || start == WORKER_OFFER_LATE) {
        run_failed(run, JOB_RETRY, "the job is not held any more", 0);
        return;
    }

    if (start == WORKER_OFFER_REFUSED) {
        return;
    }

    run->kind->run(settings, &run->job, &run->result);
    run->result.error[sizeof(run->result.error) - 1] = '\0';
}


/* Fetches the input; after WORKER_OFFER_REFUSED the result says why. */
static worker_offer_e
run_start(run_t *run)
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
        run_failed(run, JOB_RETRY, run->offer.error, 0);
    }

    if (offer != WORKER_OFFER_TAKEN) {
        return offer;
    }

    input = worker_db_value(row, 0, "input");
    run->job.input = input == NULL ? json_null()
                                   : json_loads(input, JSON_DECODE_ANY, NULL);
    PQclear(row);

    if (run->job.input == NULL) {
        run_failed(run, JOB_RETRY, "the input of the job is no JSON", 0);
        return WORKER_OFFER_REFUSED;
    }

    return WORKER_OFFER_TAKEN;
}


static void
run_end(run_t *run)
{
    worker_log_e        level;
    worker_offer_e      offer;
    worker_log_field_t  duration;

    run_report(run, WORKER_SLOT_FINISHING);

    offer = WORKER_OFFER_REFUSED;

    if (run->result.outcome == JOB_DONE) {
        offer = run_finish(run);
    }

    if (run->result.outcome != JOB_DONE) {
        offer = run_fail(run);
    }

    duration.name = "duration_ms";
    duration.value = worker_now_ms() - run->begin_ms;

    level = run->result.outcome == JOB_DONE && offer == WORKER_OFFER_TAKEN
            ? WORKER_LOG_INFO : WORKER_LOG_WARN;

    worker_log_number(level, duration, "job.finished: %s, %s%s%s",
                      outcome_names[run->result.outcome],
                      worker_offer_name(offer),
                      run->result.error[0] == '\0' ? "" : ": ",
                      run->result.error);
}


/* What SQL refuses for ever becomes a failure of the job. */
static worker_offer_e
run_finish(run_t *run)
{
    char            *text;
    PGresult        *row;
    const char      *accepted;
    const char      *params[3];
    worker_offer_e   offer;

    text = NULL;

    if (run->result.result != NULL) {
        text = json_dumps(run->result.result, JSON_COMPACT | JSON_ENCODE_ANY
                          | JSON_REAL_PRECISION(15));
        if (text == NULL) {
            run_failed(run, JOB_RETRY, "the result is no JSON", 0);
            return WORKER_OFFER_REFUSED;
        }
    }

    params[0] = run->job.id;
    params[1] = run->token;
    params[2] = text;

    offer = worker_offer(&run->offer, run->kind->finish_sql, params, 3, &row);
    free(text);

    if (offer == WORKER_OFFER_REFUSED) {
        run_failed(run, JOB_RETRY, run->offer.error, 0);
    }

    if (offer != WORKER_OFFER_TAKEN) {
        return offer;
    }

    accepted = worker_db_value(row, 0, "accepted");

    if (accepted == NULL || accepted[0] != 't') {
        offer = WORKER_OFFER_STALE;

    } else {
        worker_redis_wake_all(run->redis, worker_db_value(row, 0, "wake"));
    }

    PQclear(row);

    return offer;
}


static worker_offer_e
run_fail(run_t *run)
{
    int              deferred;
    char             after[16];
    PGresult        *row;
    const char      *accepted;
    worker_offer_e   offer;

    const char *const  failed[] = {
        run->job.id, run->token, run->result.error,
        run->result.outcome == JOB_RETRY ? "true" : "false", after
    };
    const char *const  waits[] = {
        run->job.id, run->token, run->result.error, after
    };

    snprintf(after, sizeof(after), "%d", run->result.retry_after);
    deferred = run->result.outcome == JOB_DEFER;

    offer = worker_offer(&run->offer,
                         deferred ? worker_sql_defer : worker_sql_fail,
                         deferred ? waits : failed, deferred ? 4 : 5, &row);
    if (offer != WORKER_OFFER_TAKEN) {
        return offer;
    }

    accepted = worker_db_value(row, 0, "accepted");

    if (accepted == NULL || accepted[0] != 't') {
        offer = WORKER_OFFER_STALE;
    }

    worker_redis_wake_all(run->redis, worker_db_value(row, 0, "wake"));
    PQclear(row);

    return offer;
}


/* Makes the job end without a result. */
static void
run_failed(run_t *run, job_outcome_e outcome, const char *error,
    int retry_after)
{
    run->result.outcome = outcome;
    run->result.retry_after = retry_after;
    snprintf(run->result.error, sizeof(run->result.error), "%s", error);
}


static void
run_clear(run_t *run)
{
    json_decref(run->job.args);
    json_decref(run->job.input);
    json_decref(run->result.result);
    worker_arena_destroy(run->job.arena);
}


static void
run_report(run_t *run, worker_slot_e state)
{
    static const worker_report_t  nothing;

    run->report.state = (int) state;
    worker_child_report(state == WORKER_SLOT_IDLE ? &nothing : &run->report);
}
