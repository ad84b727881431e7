
/*
 * What a job asks and tells while it runs.
 */

#include <stdio.h>

#include "worker_child.h"
#include "worker_clock.h"
#include "worker_log.h"
#include "worker_offer.h"


#define PROGRESS_MS  500               /* between two that are told */


int
worker_job_cancelled(const worker_job_t *job)
{
    return job->held != NULL && worker_held_cancelled(job->held);
}


/* Told once: a lost word is made up for by the next one. */
void
worker_job_progress(const worker_job_t *job, double fraction,
    const char *text)
{
    char             token[24], number[16];
    int64_t          now;
    PGresult        *row;
    const char      *held;
    worker_offer_t  *offer;

    const char *const  params[] = { job->id, token, number, text };

    offer = job->offer;
    now = worker_now_ms();

    if (offer == NULL || job->held == NULL
        || now - offer->progress_ms < PROGRESS_MS)
    {
        return;
    }

    offer->progress_ms = now;
    fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    snprintf(token, sizeof(token), "%lld", (long long) job->token);
    snprintf(number, sizeof(number), "%.4f", fraction);

    if (worker_db_run(offer->db, worker_sql_progress, params, 4, &row)
        == WORKER_DB_OK)
    {
        held = worker_db_value(row, 0, "held");

        if (held != NULL && held[0] == 'f') {
            worker_held_cancel_own(job->held);
        }
    }

    PQclear(row);
}
