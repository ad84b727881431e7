
/*
 * Rows of work.take() as jobs.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "worker_batch_private.h"
#include "worker_log.h"


typedef enum {
    TAKE_JOB_ID = 0,
    TAKE_TENANT_ID,
    TAKE_KIND,
    TAKE_ATTEMPT,
    TAKE_TOKEN,
    TAKE_SOFT,
    TAKE_HARD,
    TAKE_HEAVY,
    TAKE_RESULT_SECONDS,
    TAKE_WAIT_MS,
    TAKE_DEFER_LEFT,
    TAKE_TRACE_ID,
    TAKE_ARGS,
    TAKE_TRACEPARENT,
    TAKE_BEHIND,
    TAKE_COUNT
} take_column_e;


/* One row, and where its columns are. */
typedef struct {
    const PGresult  *rows;
    int              row;
    int              columns[TAKE_COUNT];
} take_row_t;


static int take_job(worker_batch_t *batch, const take_row_t *row);
static int take_limits(worker_run_t *run, const take_row_t *row);
static int take_args(worker_run_t *run, const take_row_t *row);
static const char *take_value(const take_row_t *row, take_column_e column);
static int take_text(char *out, size_t size, const take_row_t *row,
    take_column_e column);
static int64_t take_number(const take_row_t *row, take_column_e column);


static const char *const  take_columns[TAKE_COUNT] = {
    "job_id", "tenant_id", "kind", "attempt", "token", "soft_seconds",
    "hard_seconds", "heavy", "result_seconds", "wait_ms", "defer_left",
    "trace_id", "args", "traceparent", "behind"
};


void
worker_take_read(worker_batch_t *batch, const PGresult *rows)
{
    unsigned       i;
    take_row_t     row;
    worker_run_t  *run;

    row.rows = rows;

    for (i = 0; i < TAKE_COUNT; i++) {
        row.columns[i] = PQfnumber(rows, take_columns[i]);
    }

    for (row.row = 0; row.row < PQntuples(rows); row.row++) {
        if (batch->nruns == WORKER_HELD_MAX || !take_job(batch, &row)) {
            worker_log(WORKER_LOG_ERROR, "take gave a row that is no job");
            continue;                  /* its lease will run out */
        }

        batch->behind = (int) take_number(&row, TAKE_BEHIND);
        run = &batch->runs[batch->nruns++];
        worker_held_fill(run->job.held, run->job.id, run->job.token);
    }
}


static int
take_job(worker_batch_t *batch, const take_row_t *row)
{
    worker_run_t  *run;
    worker_job_t  *job;

    run = &batch->runs[batch->nruns];
    job = &run->job;
    memset(run, 0, sizeof(worker_run_t));

    if (!take_text(job->id, sizeof(job->id), row, TAKE_JOB_ID)
        || !take_text(job->tenant_id, sizeof(job->tenant_id), row,
                      TAKE_TENANT_ID)
        || !take_text(job->kind, sizeof(job->kind), row, TAKE_KIND)
        || !take_limits(run, row))
    {
        return 0;
    }

    take_text(job->trace_id, sizeof(job->trace_id), row, TAKE_TRACE_ID);
    take_text(job->traceparent, sizeof(job->traceparent), row,
              TAKE_TRACEPARENT);

    run->kind = worker_job_find(job->kind);
    run->offer.db = batch->db;
    job->offer = &run->offer;
    job->held = &worker_child_slot()->held[batch->nruns];

    return take_args(run, row);
}


static int
take_limits(worker_run_t *run, const take_row_t *row)
{
    int64_t        soft, hard, attempt;
    const char    *heavy;
    worker_job_t  *job;

    job = &run->job;
    attempt = take_number(row, TAKE_ATTEMPT);
    soft = take_number(row, TAKE_SOFT);
    hard = take_number(row, TAKE_HARD);
    job->token = take_number(row, TAKE_TOKEN);

    if (attempt < 1 || job->token < 1 || soft < 1 || hard < soft
        || hard > INT32_MAX / 1000)
    {
        return 0;
    }

    job->attempt = (int) attempt;
    job->soft_seconds = (int) soft;
    job->hard_seconds = (int) hard;
    snprintf(run->token, sizeof(run->token), "%" PRId64, job->token);

    heavy = take_value(row, TAKE_HEAVY);
    run->heavy = heavy != NULL && heavy[0] == 't';
    run->result_seconds = (int) take_number(row, TAKE_RESULT_SECONDS);
    run->wait_ms = take_number(row, TAKE_WAIT_MS);
    run->defer_left = (int) take_number(row, TAKE_DEFER_LEFT);

    return 1;
}


/* Also the memory that the job has. */
static int
take_args(worker_run_t *run, const take_row_t *row)
{
    const char    *args;
    worker_job_t  *job;

    job = &run->job;
    args = take_value(row, TAKE_ARGS);

    job->args = args == NULL ? json_object()
                             : json_loads(args, JSON_DECODE_ANY, NULL);
    if (job->args == NULL) {
        return 0;
    }

    job->arena = worker_arena_create();
    if (job->arena == NULL) {
        json_decref(job->args);
        return 0;
    }

    return 1;
}


static const char *
take_value(const take_row_t *row, take_column_e column)
{
    int  number;

    number = row->columns[column];

    return number == -1 || PQgetisnull(row->rows, row->row, number)
           ? NULL : PQgetvalue(row->rows, row->row, number);
}


static int
take_text(char *out, size_t size, const take_row_t *row,
    take_column_e column)
{
    size_t       len;
    const char  *value;

    value = take_value(row, column);
    if (value == NULL) {
        return 0;
    }

    len = strlen(value);
    if (len >= size) {
        return 0;
    }

    memcpy(out, value, len + 1);

    return 1;
}


/* -1 where there is none. */
static int64_t
take_number(const take_row_t *row, take_column_e column)
{
    char        *end;
    int64_t      number;
    const char  *value;

    value = take_value(row, column);
    if (value == NULL) {
        return -1;
    }

    number = strtoll(value, &end, 10);

    return *end == '\0' ? number : -1;
}
