
/*
 * Jobs that are taken together, from the claim until SQL has heard of all.
 */

#include <stdlib.h>

#include "worker_batch_private.h"
#include "worker_clock.h"
#include "worker_log.h"


#define BATCH_HOLD_MS   10000          /* what was not begun then is given
                                          back: its lease is not for ever */
#define BATCH_MOMENT_US 5000           /* jobs that one child does so soon
                                          are not shared among children */
#define BATCH_RESULT_MS 5              /* a result waits for a job that is
                                          not known to take less */


static unsigned batch_least(const worker_batch_t *batch);
static int batch_flushes(const worker_batch_t *batch,
    const worker_run_t *next);


worker_batch_t *
worker_batch_create(const worker_settings_t *settings, const char *queue,
    worker_db_t *db, worker_redis_t *redis)
{
    worker_batch_t  *batch;

    batch = calloc(1, sizeof(worker_batch_t));
    if (batch != NULL) {
        batch->settings = settings;
        batch->queue = queue;
        batch->db = db;
        batch->redis = redis;
        batch->least = 1;
    }

    return batch;
}


void
worker_batch_destroy(worker_batch_t *batch)
{
    unsigned  i;

    if (batch != NULL) {
        for (i = 0; i < VOICE_ARRAY_SIZE(batch->lists); i++) {
            worker_list_release(&batch->lists[i]);
        }

        free(batch);
    }
}


worker_claim_e
worker_batch_take(worker_batch_t *batch)
{
    int              left;
    char             max[16], least[16], child[16];
    PGresult        *rows;
    worker_db_e      rc;
    worker_claim_e   claim;

    const char *const  params[] = {
        batch->settings->worker_name, batch->queue, max, least, child
    };

    batch->nruns = 0;
    batch->behind = 0;
    batch->report.taken_ms = worker_now_ms();

    left = batch->settings->child_jobs - batch->begun;
    snprintf(max, sizeof(max), "%d",
             left < WORKER_HELD_MAX ? left : WORKER_HELD_MAX);
    snprintf(least, sizeof(least), "%u", batch->least);
    snprintf(child, sizeof(child), "%d", worker_child_number());

    rc = worker_db_run(batch->db, worker_sql_take, params, 5, &rows);

    if (rc == WORKER_DB_ERROR) {
        worker_log(WORKER_LOG_ERROR, "take: %s",
                   worker_db_problem(batch->db));
    }

    if (rc != WORKER_DB_OK) {
        PQclear(rows);
        return WORKER_CLAIM_DOWN;
    }

    worker_take_read(batch, rows);
    claim = PQntuples(rows) == 0 ? WORKER_CLAIM_NONE : WORKER_CLAIM_TAKEN;
    PQclear(rows);

    return claim;
}


unsigned
worker_batch_count(const worker_batch_t *batch)
{
    return batch->nruns;
}


int
worker_batch_behind(const worker_batch_t *batch)
{
    return batch->behind;
}


void
worker_batch_run(worker_batch_t *batch)
{
    unsigned       i;
    worker_run_t  *run;

    for (i = 0; i < batch->nruns; i++) {
        run = &batch->runs[i];

        if (worker_stopping()
            || (i > 0
                && worker_now_ms() - batch->report.taken_ms >= BATCH_HOLD_MS))
        {
            worker_end_return(batch, i);
            break;
        }

        if (batch_flushes(batch, run)) {
            worker_end_flush(batch);
        }

        worker_job_run(batch, run);
    }

    worker_end_flush(batch);
    worker_batch_report(batch, WORKER_SLOT_IDLE, NULL);

    for (i = 0; i < batch->nruns; i++) {
        worker_job_clear(&batch->runs[i]);
    }

    batch->least = batch_least(batch);
}


int
worker_batch_spent(const worker_batch_t *batch)
{
    return batch->begun >= batch->settings->child_jobs;
}


void
worker_batch_report(worker_batch_t *batch, worker_slot_e state,
    const worker_run_t *run)
{
    worker_report_t  *report;

    report = &batch->report;
    report->state = (int) state;
    report->since_ms = worker_now_ms();

    if (state == WORKER_SLOT_BUSY) {
        report->place = (unsigned) (run - batch->runs);
        report->limit_ms = report->since_ms
                           + (int64_t) run->job.hard_seconds * 1000;
    }

    if (state == WORKER_SLOT_FINISHING) {
        report->limit_ms = run->offer.until_ms;
    }

    worker_child_report(report);
}


/* How many jobs take a moment, where they are as those of the batch. */
static unsigned
batch_least(const worker_batch_t *batch)
{
    int64_t   usual_us, most_us;
    unsigned  i;

    most_us = BATCH_MOMENT_US / WORKER_HELD_MAX;

    for (i = 0; i < batch->nruns; i++) {
        usual_us = worker_job_usual_us(batch->runs[i].kind);

        if (usual_us < 0 || usual_us > BATCH_MOMENT_US) {
            return 1;
        }

        if (usual_us > most_us) {
            most_us = usual_us;
        }
    }

    return (unsigned) (BATCH_MOMENT_US / most_us);
}


/* May the next job keep results waiting? */
static int
batch_flushes(const worker_batch_t *batch, const worker_run_t *next)
{
    int64_t  usual_us;

    if (batch->nended == 0) {
        return 0;
    }

    usual_us = worker_job_usual_us(next->kind);

    return usual_us < 0 || usual_us > BATCH_RESULT_MS * 1000
           || next->kind->start_sql != NULL
           || worker_now_ms() - batch->ended_ms >= BATCH_RESULT_MS;
}
