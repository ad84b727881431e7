
/*
 * How jobs end.  Until SQL has heard of it nothing is forgotten: a result is
 * offered until the claim is over, and the token makes offering it twice
 * harmless.
 */

#include <stdlib.h>

#include "worker_batch_private.h"
#include "worker_clock.h"
#include "worker_log.h"


#define END_RETURN_MS   2000           /* for giving back what is not begun */
#define END_RESULT_KEY  "voice:result:"


static worker_offer_e end_finish(worker_batch_t *batch, worker_run_t *run);
static worker_offer_e end_fail(worker_batch_t *batch, worker_run_t *run);
static void end_many(worker_batch_t *batch, worker_run_t **runs, unsigned n);
static int end_params(worker_batch_t *batch, worker_run_t **runs, unsigned n,
    const char *params[3]);
static void end_accepted(worker_batch_t *batch, worker_run_t **runs,
    unsigned n, const PGresult *rows);
static void end_taken(worker_batch_t *batch, worker_run_t *run,
    const char *wake);
static worker_offer_e end_stale(const worker_offer_t *offer,
    const worker_run_t *run);
static void end_say(worker_run_t *run, worker_offer_e offer);


static const char *const  outcome_names[] = {
    "done", "retry", "defer", "dead"
};


void
worker_end_job(worker_batch_t *batch, worker_run_t *run)
{
    worker_offer_e  offer;

    /* SQL knows, and has ended it */
    if (run->cancelled) {
        end_say(run, WORKER_OFFER_STALE);
        worker_log_flush();
        return;
    }

    if (run->result.outcome == JOB_DONE && run->kind->finish_sql == NULL) {
        worker_held_set(run->job.held, WORKER_HELD_ENDED);

        if (batch->nended == 0) {
            batch->ended_ms = worker_now_ms();
        }

        batch->ended[batch->nended++] = run;
        return;
    }

    worker_batch_report(batch, WORKER_SLOT_FINISHING, run);
    offer = WORKER_OFFER_REFUSED;

    if (run->result.outcome == JOB_DONE) {
        offer = end_finish(batch, run);
    }

    if (run->result.outcome != JOB_DONE) {
        offer = end_fail(batch, run);
    }

    end_say(run, offer);
    worker_log_flush();
}


void
worker_end_flush(worker_batch_t *batch)
{
    unsigned  n;

    n = batch->nended;
    batch->nended = 0;

    if (n > 0) {
        /* the first to end is the first whose claim is over */
        worker_batch_report(batch, WORKER_SLOT_FINISHING, batch->ended[0]);
        end_many(batch, batch->ended, n);
        worker_log_flush();
    }

    worker_redis_push(batch->redis);
}


void
worker_end_return(worker_batch_t *batch, unsigned from)
{
    unsigned         i, n;
    PGresult        *rows;
    worker_run_t    *runs[WORKER_HELD_MAX];
    worker_offer_t   offer;

    const char  *params[3];

    n = 0;

    for (i = from; i < batch->nruns; i++) {
        if (worker_held_withdraw(batch->runs[i].job.held)) {
            runs[n++] = &batch->runs[i];
        }
    }

    if (n == 0 || !end_params(batch, runs, n, params)) {
        return;
    }

    memset(&offer, 0, sizeof(worker_offer_t));
    offer.db = batch->db;
    offer.until_ms = worker_now_ms() + END_RETURN_MS;

    /* what SQL does not hear of comes back when its lease is over */
    if (worker_offer(&offer, worker_sql_give_back, params, 2, &rows)
        == WORKER_OFFER_TAKEN)
    {
        PQclear(rows);
    }
}


void
worker_end_failed(worker_run_t *run, job_outcome_e outcome,
    const char *error, int retry_after)
{
    run->result.outcome = outcome;
    run->result.retry_after = retry_after;
    snprintf(run->result.error, sizeof(run->result.error), "%s", error);
}


/* What SQL refuses for ever becomes a failure of the job. */
static worker_offer_e
end_finish(worker_batch_t *batch, worker_run_t *run)
{
    PGresult        *row;
    const char      *accepted;
    worker_offer_e   offer;

    const char *const  params[] = { run->job.id, run->token, run->text };

    offer = worker_offer(&run->offer, run->kind->finish_sql, params, 3, &row);

    if (offer == WORKER_OFFER_REFUSED) {
        worker_end_failed(run, JOB_RETRY, run->offer.error, 0);
    }

    if (offer != WORKER_OFFER_TAKEN) {
        return offer;
    }

    accepted = worker_db_value(row, 0, "accepted");

    if (accepted == NULL || accepted[0] != 't') {
        offer = end_stale(&run->offer, run);
    }

    if (offer == WORKER_OFFER_TAKEN) {
        end_taken(batch, run, worker_db_value(row, 0, "wake"));
    }

    PQclear(row);

    return offer;
}


static worker_offer_e
end_fail(worker_batch_t *batch, worker_run_t *run)
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
        offer = end_stale(&run->offer, run);
    }

    worker_redis_wake_all(batch->redis, worker_db_value(row, 0, "wake"));
    PQclear(row);

    return offer;
}


/* One statement; where it is refused, one for each to find out whose. */
static void
end_many(worker_batch_t *batch, worker_run_t **runs, unsigned n)
{
    unsigned         i;
    PGresult        *rows;
    worker_offer_e   offer;

    const char  *params[3];

    offer = WORKER_OFFER_REFUSED;

    if (end_params(batch, runs, n, params)) {
        offer = worker_offer(&runs[0]->offer, worker_sql_finish, params, 3,
                             &rows);
    }

    if (offer == WORKER_OFFER_TAKEN) {
        end_accepted(batch, runs, n, rows);
        PQclear(rows);
        return;
    }

    if (offer == WORKER_OFFER_REFUSED && n > 1) {
        for (i = 0; i < n; i++) {
            end_many(batch, &runs[i], 1);
        }

        return;
    }

    if (offer == WORKER_OFFER_REFUSED) {
        worker_end_failed(runs[0], JOB_RETRY, runs[0]->offer.error, 0);
        offer = end_fail(batch, runs[0]);
    }

    for (i = 0; i < n; i++) {
        end_say(runs[i], offer);
    }
}


/* Jobs, tokens, results as arrays; 0: out of memory. */
static int
end_params(worker_batch_t *batch, worker_run_t **runs, unsigned n,
    const char *params[3])
{
    unsigned  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(batch->lists); i++) {
        worker_list_begin(&batch->lists[i]);
    }

    for (i = 0; i < n; i++) {
        worker_list_add(&batch->lists[0], runs[i]->job.id);
        worker_list_add(&batch->lists[1], runs[i]->token);

        if (runs[i]->text == NULL) {
            worker_list_add(&batch->lists[2], NULL);

        } else {
            worker_list_quoted(&batch->lists[2], runs[i]->text);
        }
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(batch->lists); i++) {
        params[i] = worker_list_end(&batch->lists[i]);

        if (params[i] == NULL) {
            return 0;
        }
    }

    return 1;
}


/* Rows of work.finish() in whatever order. */
static void
end_accepted(worker_batch_t *batch, worker_run_t **runs, unsigned n,
    const PGresult *rows)
{
    int              id, accepted, wake, row, count;
    unsigned         i, found;
    worker_offer_e   offer;

    id = PQfnumber(rows, "job_id");
    accepted = PQfnumber(rows, "accepted");
    wake = PQfnumber(rows, "wake");
    count = PQntuples(rows);
    row = 0;

    for (i = 0; i < n; i++) {
        /* the usual place is the next one */
        for (found = 0; found < (unsigned) count; found++) {
            if (strcmp(PQgetvalue(rows, row, id), runs[i]->job.id) == 0) {
                break;
            }

            row = (row + 1) % count;
        }

        offer = WORKER_OFFER_TAKEN;

        if (found == (unsigned) count
            || PQgetvalue(rows, row, accepted)[0] != 't')
        {
            offer = end_stale(&runs[0]->offer, runs[i]);
        }

        if (offer == WORKER_OFFER_TAKEN) {
            end_taken(batch, runs[i], found == (unsigned) count ? NULL
                                      : PQgetvalue(rows, row, wake));
        }

        end_say(runs[i], offer);
    }
}


/* What was not accepted may have been, when the answer was lost. */
static worker_offer_e
end_stale(const worker_offer_t *offer, const worker_run_t *run)
{
    PGresult        *row;
    const char      *ended;
    worker_offer_t   question;
    worker_offer_e   answer;

    const char *const  params[] = { run->job.id, run->token };

    if (!offer->unsure) {
        return WORKER_OFFER_STALE;
    }

    question = *offer;

    if (worker_offer(&question, worker_sql_ended, params, 2, &row)
        != WORKER_OFFER_TAKEN)
    {
        return WORKER_OFFER_STALE;
    }

    ended = worker_db_value(row, 0, "ended");
    answer = ended != NULL && ended[0] == 't' ? WORKER_OFFER_TAKEN
                                              : WORKER_OFFER_STALE;
    PQclear(row);

    return answer;
}


/* After the commit: who is to be woken, who may read the result. */
static void
end_taken(worker_batch_t *batch, worker_run_t *run, const char *wake)
{
    char  key[64], seconds[16];

    const char *const  words[] = {
        "SET", key, run->text, "EX", seconds, NULL
    };

    worker_redis_wake_all(batch->redis, wake);

    if (run->result_seconds <= 0 || run->text == NULL) {
        return;
    }

    snprintf(key, sizeof(key), END_RESULT_KEY "%s", run->job.id);
    snprintf(seconds, sizeof(seconds), "%d", run->result_seconds);
    worker_redis_add(batch->redis, words);
}


/* The last that is heard of a job here. */
static void
end_say(worker_run_t *run, worker_offer_e offer)
{
    worker_attempt_t  attempt;

    if (offer == WORKER_OFFER_STALE) {
        run->cancelled = worker_job_cancelled(&run->job);
    }

    worker_held_set(run->job.held, WORKER_HELD_NONE);

    attempt.job = &run->job;
    attempt.outcome = run->cancelled ? "cancelled"
                      : outcome_names[run->result.outcome];
    attempt.told = run->cancelled ? "known" : worker_offer_name(offer);
    attempt.error = run->cancelled ? "" : run->result.error;
    attempt.wait_ms = run->wait_ms;
    attempt.run_ms = run->run_us / 1000;
    attempt.good = run->cancelled
                   || (run->result.outcome == JOB_DONE
                       && offer == WORKER_OFFER_TAKEN);
    worker_log_attempt(&attempt);

    free(run->text);
    run->text = NULL;
}
