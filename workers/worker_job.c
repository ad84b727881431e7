
/*
 * One job from claim to end.  Until SQL has heard how it ended nothing is
 * forgotten: a result is offered until the lease of the claim is over, and
 * the token makes offering it twice harmless.
 */

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "worker_child.h"
#include "worker_clock.h"
#include "worker_jobs.h"
#include "worker_log.h"
#include "worker_loop.h"
#include "worker_trace.h"


#define JOB_PAUSE_MS         250
#define JOB_UNKNOWN_SECONDS  60        /* a kind of a newer schema */


/* A job and what is needed to end it. */
typedef struct {
    worker_job_t              job;
    job_result_t              result;
    const worker_job_kind_t  *kind;
    worker_report_t           report;
    worker_db_t              *db;
    worker_redis_t           *redis;
    int64_t                   begin_ms;
    char                      token[24];
} run_t;


typedef enum {
    OFFER_TAKEN = 0,
    OFFER_STALE,                       /* the job is no longer ours */
    OFFER_REFUSED,                     /* SQL will never take it */
    OFFER_LATE                         /* the lease ran out before */
} offer_e;


static worker_claim_e run_claim(run_t *run, const char *worker,
    const char *queue);
static int run_read(run_t *run, const PGresult *row);
static int copy_column(char *out, size_t size, const PGresult *row,
    const char *column);
static int64_t number_column(const PGresult *row, const char *column);
static void run_job(run_t *run, const worker_settings_t *settings);
static offer_e run_start(run_t *run);
static void run_end(run_t *run);
static offer_e run_finish(run_t *run);
static offer_e run_fail(run_t *run);
static offer_e run_offer(run_t *run, const char *sql,
    const char *const *params, int nparams, PGresult **row);
static offer_e offer_error(run_t *run, const PGresult *row);
static int error_passes(const char *sqlstate);
static void run_failed(run_t *run, job_outcome_e outcome, const char *error,
    int retry_after);
static void run_clear(run_t *run);
static void run_report(run_t *run, worker_slot_e state);


static const char *const  outcome_names[] = { "done", "retry", "dead" };

static const char *const  offer_names[] = {
    "taken", "stale", "refused", "late"
};

/* SQL errors that pass by themselves, by the start of their SQLSTATE. */
static const char *const  passing_errors[] = {
    "08", "0A000", "26000", "40", "53", "55P03", "57", "58", NULL
};


worker_claim_e
worker_job_run_one(const worker_settings_t *settings, const char *queue,
    worker_db_t *db, worker_redis_t *redis)
{
    run_t           run;
    worker_claim_e  claim;

    memset(&run, 0, sizeof(run_t));
    run.db = db;
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

    rc = worker_db_run(run->db, worker_sql_claim, params, 3, &row);

    if (rc == WORKER_DB_DOWN) {
        return WORKER_CLAIM_DOWN;
    }

    if (rc == WORKER_DB_ERROR) {
        worker_log(WORKER_LOG_ERROR, "claim: %s", worker_db_problem(run->db));
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
    offer_e  start;

    run->kind = worker_job_find(run->job.kind);

    if (run->kind == NULL) {
        run_failed(run, JOB_RETRY, "this pool does not know the kind",
                 JOB_UNKNOWN_SECONDS);
        return;
    }

    start = run_start(run);

    if (start == OFFER_STALE || start == OFFER_LATE) {
        run_failed(run, JOB_RETRY, "the job is not held any more", 0);
        return;
    }

    if (start == OFFER_REFUSED) {
        return;
    }

    run->kind->run(settings, &run->job, &run->result);
    run->result.error[sizeof(run->result.error) - 1] = '\0';
}


/* Fetches the input; after OFFER_REFUSED the result says why. */
static offer_e
run_start(run_t *run)
{
    offer_e      offer;
    PGresult    *row;
    const char  *input;

    const char *const  params[] = { run->job.id, run->token };

    if (run->kind->start_sql == NULL) {
        return OFFER_TAKEN;
    }

    offer = run_offer(run, run->kind->start_sql, params, 2, &row);
    if (offer != OFFER_TAKEN) {
        return offer;
    }

    input = worker_db_value(row, 0, "input");
    run->job.input = input == NULL ? json_null()
                                   : json_loads(input, JSON_DECODE_ANY, NULL);
    PQclear(row);

    if (run->job.input == NULL) {
        run_failed(run, JOB_RETRY, "the input of the job is no JSON", 0);
        return OFFER_REFUSED;
    }

    return OFFER_TAKEN;
}


static void
run_end(run_t *run)
{
    offer_e             offer;
    worker_log_e        level;
    worker_log_field_t  duration;

    run_report(run, WORKER_SLOT_FINISHING);

    offer = OFFER_REFUSED;

    if (run->result.outcome == JOB_DONE) {
        offer = run_finish(run);
    }

    if (run->result.outcome != JOB_DONE) {
        offer = run_fail(run);
    }

    duration.name = "duration_ms";
    duration.value = worker_now_ms() - run->begin_ms;

    level = run->result.outcome == JOB_DONE && offer == OFFER_TAKEN
            ? WORKER_LOG_INFO : WORKER_LOG_WARN;

    worker_log_number(level, duration, "job.finished: %s, %s%s%s",
                      outcome_names[run->result.outcome], offer_names[offer],
                      run->result.error[0] == '\0' ? "" : ": ",
                      run->result.error);
}


/* What SQL refuses for ever becomes a failure of the job. */
static offer_e
run_finish(run_t *run)
{
    char        *text;
    offer_e      offer;
    PGresult    *row;
    const char  *accepted;
    const char  *params[3];

    text = NULL;

    if (run->result.result != NULL) {
        text = json_dumps(run->result.result, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text == NULL) {
            run_failed(run, JOB_RETRY, "the result is no JSON", 0);
            return OFFER_REFUSED;
        }
    }

    params[0] = run->job.id;
    params[1] = run->token;
    params[2] = text;

    offer = run_offer(run, run->kind->finish_sql, params, 3, &row);
    free(text);

    if (offer != OFFER_TAKEN) {
        return offer;
    }

    accepted = worker_db_value(row, 0, "accepted");

    if (accepted == NULL || accepted[0] != 't') {
        offer = OFFER_STALE;

    } else {
        worker_redis_wake_all(run->redis, worker_db_value(row, 0, "wake"));
    }

    PQclear(row);

    return offer;
}


static offer_e
run_fail(run_t *run)
{
    char        after[16];
    offer_e     offer;
    PGresult   *row;
    const char *accepted;

    const char *const  params[] = {
        run->job.id, run->token, run->result.error,
        run->result.outcome == JOB_RETRY ? "true" : "false", after
    };

    snprintf(after, sizeof(after), "%d", run->result.retry_after);

    offer = run_offer(run, worker_sql_fail, params, 5, &row);
    if (offer != OFFER_TAKEN) {
        return offer;
    }

    accepted = worker_db_value(row, 0, "accepted");

    if (accepted == NULL || accepted[0] != 't') {
        offer = OFFER_STALE;
    }

    worker_redis_wake_all(run->redis, worker_db_value(row, 0, "wake"));
    PQclear(row);

    return offer;
}


/*
 * Runs a statement until SQL has answered or the lease is over.  The row is
 * the caller's after OFFER_TAKEN, else there is none.
 */
static offer_e
run_offer(run_t *run, const char *sql, const char *const *params,
    int nparams, PGresult **row)
{
    int          told;
    offer_e      offer;
    worker_db_e  rc;

    told = 0;

    for ( ;; ) {
        rc = worker_db_run(run->db, sql, params, nparams, row);

        if (rc == WORKER_DB_OK) {
            return OFFER_TAKEN;
        }

        offer = OFFER_LATE;

        if (rc == WORKER_DB_ERROR) {
            offer = offer_error(run, *row);
            PQclear(*row);
            *row = NULL;
        }

        if (offer != OFFER_LATE || worker_now_ms() >= run->report.lease_ms) {
            return offer;
        }

        if (!told) {
            worker_log(WORKER_LOG_WARN, "postgres: %s; trying again",
                       worker_db_problem(run->db));
            told = 1;
        }

        /* also while stopping: the supervisor sets the limit then */
        poll(NULL, 0, JOB_PAUSE_MS);
    }
}


/* OFFER_LATE: worth another attempt. */
static offer_e
offer_error(run_t *run, const PGresult *row)
{
    char         error[sizeof(run->result.error)];
    const char  *state, *message;

    state = worker_db_sqlstate(row);

    if (error_passes(state)) {
        return OFFER_LATE;
    }

    if (state[0] == 'V' && strlen(state) == 5
        && strcmp(state + 2, "409") == 0)
    {
        return OFFER_STALE;
    }

    /* data exceptions quote data, which may be what somebody said */
    message = PQresultErrorField(row, PG_DIAG_MESSAGE_PRIMARY);

    if (message == NULL || strncmp(state, "22", 2) == 0) {
        message = "refused by the database";
    }

    snprintf(error, sizeof(error), "SQLSTATE %s: %s", state, message);
    worker_log(WORKER_LOG_ERROR, "%s", error);
    run_failed(run, JOB_RETRY, error, 0);

    return OFFER_REFUSED;
}


static int
error_passes(const char *sqlstate)
{
    unsigned  i;

    for (i = 0; passing_errors[i] != NULL; i++) {
        if (strncmp(sqlstate, passing_errors[i], strlen(passing_errors[i]))
            == 0)
        {
            return 1;
        }
    }

    return 0;
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
