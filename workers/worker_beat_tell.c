
/*
 * What the heartbeat says to SQL and hears from it.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "worker_beat_private.h"
#include "worker_clock.h"


#define BEAT_AGAIN_MS  3000            /* until a child is told of again */


static int beat_lists(worker_beat_t *beat, const char *params[BEAT_LISTS]);
static void beat_member(worker_beat_t *beat, const char *job_id,
    int64_t token);


/* By worker_told_e. */
static const char *const  beat_actions[WORKER_TOLD_COUNT] = {
    "cancel", "lost", "scale"
};


void
worker_beat_job(worker_beat_t *beat, const worker_held_copy_t *job)
{
    beat_member(beat, job->job_id, job->token);
}


void
worker_beat_queue(worker_beat_t *beat, const char *name, int children)
{
    char  number[16];

    snprintf(number, sizeof(number), "%d", children);
    worker_list_add(&beat->lists[BEAT_QUEUES], name);
    worker_list_add(&beat->lists[BEAT_CHILDREN], number);
}


void
worker_beat_end(worker_beat_t *beat, const worker_held_copy_t *job,
    worker_end_e end, const char *error)
{
    beat_end_t  *e;

    if (beat->nends == BEAT_ENDS_MAX) {
        return;                        /* their leases will run out */
    }

    e = &beat->ends[beat->nends++];
    e->end = end;
    e->token = job->token;
    snprintf(e->job_id, sizeof(e->job_id), "%s", job->job_id);
    snprintf(e->error, sizeof(e->error), "%s", error);
}


void
worker_beat_return(worker_beat_t *beat, const worker_held_copy_t *job)
{
    beat_return_t  *r;

    if (beat->nreturns == BEAT_RETURNS_MAX) {
        return;                        /* their leases will run out */
    }

    r = &beat->returns[beat->nreturns++];
    r->token = job->token;
    snprintf(r->job_id, sizeof(r->job_id), "%s", job->job_id);
}


void
worker_beat_gone(worker_beat_t *beat, int number)
{
    int64_t  now;

    if (beat->ngone + 2 > BEAT_GONE_MAX) {
        return;                        /* their leases will run out */
    }

    now = worker_now_ms();
    beat->gone[beat->ngone++] = (beat_gone_t) { number, now };

    /* what it asked for last may not be over yet */
    beat->gone[beat->ngone++] = (beat_gone_t) { number, now + BEAT_AGAIN_MS };
}


int
worker_beat_gone_due(const worker_beat_t *beat)
{
    int64_t   now;
    unsigned  i;

    now = worker_now_ms();

    for (i = 0; i < beat->ngone; i++) {
        if (now >= beat->gone[i].at_ms) {
            return (int) i;
        }
    }

    return -1;
}


int
worker_beat_send(worker_beat_t *beat)
{
    unsigned     i;
    const char  *lists[BEAT_LISTS], *params[BEAT_LISTS + 1];

    for (i = 0; i < BEAT_LISTS; i++) {
        worker_list_begin(&beat->lists[i]);
    }

    beat->collect(beat->data, beat);
    beat->sent_ms = worker_now_ms();
    beat->next_beat = beat->sent_ms + beat->settings->beat_ms;
    beat->asks = BEAT_ASKS_BEAT;

    if (!beat_lists(beat, lists)) {
        return 0;
    }

    params[0] = beat->settings->worker_name;
    params[1] = lists[BEAT_QUEUES];
    params[2] = lists[BEAT_CHILDREN];
    params[3] = lists[BEAT_JOBS];
    params[4] = lists[BEAT_TOKENS];

    return PQsendQueryParams(beat->conn, worker_sql_heartbeat, 5, NULL,
                             params, NULL, NULL, 0);
}


int
worker_beat_send_end(worker_beat_t *beat)
{
    int          release;
    char         token[24];
    beat_end_t  *e;

    const char  *params[] = { NULL, token, NULL, "true", "0" };

    e = &beat->ends[0];
    release = e->end == WORKER_END_RELEASE;
    params[0] = e->job_id;
    params[2] = e->error;
    snprintf(token, sizeof(token), "%" PRId64, e->token);
    beat->asks = BEAT_ASKS_END;

    return PQsendQueryParams(beat->conn,
                             release ? worker_sql_release : worker_sql_fail,
                             release ? 3 : 5, NULL, params, NULL, NULL, 0);
}


int
worker_beat_send_returns(worker_beat_t *beat)
{
    unsigned     i;
    const char  *lists[BEAT_LISTS];

    for (i = 0; i < BEAT_LISTS; i++) {
        worker_list_begin(&beat->lists[i]);
    }

    for (i = 0; i < beat->nreturns; i++) {
        beat_member(beat, beat->returns[i].job_id, beat->returns[i].token);
    }

    beat->nreturning = beat->nreturns;
    beat->asks = BEAT_ASKS_RETURN;

    return beat_lists(beat, lists)
           && PQsendQueryParams(beat->conn, worker_sql_give_back, 2, NULL,
                                &lists[BEAT_JOBS], NULL, NULL, 0);
}


int
worker_beat_send_gone(worker_beat_t *beat)
{
    char  number[16];

    const char *const  params[] = {
        beat->settings->worker_name, number, "the process of the job died"
    };

    beat->telling = (unsigned) worker_beat_gone_due(beat);
    snprintf(number, sizeof(number), "%d",
             beat->gone[beat->telling].number);
    beat->asks = BEAT_ASKS_GONE;

    return PQsendQueryParams(beat->conn, worker_sql_release_child, 3, NULL,
                             params, NULL, NULL, 0);
}


int
worker_beat_send_listen(worker_beat_t *beat)
{
    beat->asks = BEAT_ASKS_LISTEN;

    return PQsendQuery(beat->conn, worker_sql_listen_cancel);
}


int
worker_beat_send_stop(worker_beat_t *beat)
{
    const char  *params[] = { beat->settings->worker_name };

    beat->asks = BEAT_ASKS_STOP;

    return PQsendQueryParams(beat->conn, worker_sql_leave, 1, NULL, params,
                             NULL, NULL, 0);
}


void
worker_beat_told(worker_beat_t *beat)
{
    unsigned  n;

    switch (beat->asks) {

    case BEAT_ASKS_STOP:
        beat->stopping = 0;
        break;

    case BEAT_ASKS_END:
        beat->nends--;
        memmove(beat->ends, beat->ends + 1,
                beat->nends * sizeof(beat_end_t));
        break;

    case BEAT_ASKS_RETURN:
        n = beat->nreturning;
        beat->nreturns -= n;
        memmove(beat->returns, beat->returns + n,
                beat->nreturns * sizeof(beat_return_t));
        break;

    case BEAT_ASKS_GONE:
        beat->ngone--;
        memmove(beat->gone + beat->telling, beat->gone + beat->telling + 1,
                (beat->ngone - beat->telling) * sizeof(beat_gone_t));
        break;

    default:
        beat->listens = 1;
        break;
    }

    beat->asks = BEAT_ASKS_BEAT;
}


void
worker_beat_row(worker_beat_t *beat, const PGresult *result, int row)
{
    unsigned        i;
    const char     *action, *target;
    worker_told_t   told;

    action = worker_db_value(result, row, "action");
    told.job_id = worker_db_value(result, row, "job_id");
    told.queue = worker_db_value(result, row, "queue");
    target = worker_db_value(result, row, "target");

    told.job_id = told.job_id == NULL ? "" : told.job_id;
    told.queue = told.queue == NULL ? "" : told.queue;
    told.asked_ms = beat->sent_ms;
    told.target = target == NULL ? 0 : (int) strtol(target, NULL, 10);

    for (i = 0; action != NULL && i < WORKER_TOLD_COUNT; i++) {
        if (strcmp(action, beat_actions[i]) == 0) {
            told.what = (worker_told_e) i;
            beat->tell(beat->data, &told);
        }
    }
}


/* 0: out of memory. */
static int
beat_lists(worker_beat_t *beat, const char *params[BEAT_LISTS])
{
    unsigned  i;

    for (i = 0; i < BEAT_LISTS; i++) {
        params[i] = worker_list_end(&beat->lists[i]);

        if (params[i] == NULL) {
            return 0;
        }
    }

    return 1;
}


static void
beat_member(worker_beat_t *beat, const char *job_id, int64_t token)
{
    char  number[24];

    snprintf(number, sizeof(number), "%" PRId64, token);
    worker_list_add(&beat->lists[BEAT_JOBS], job_id);
    worker_list_add(&beat->lists[BEAT_TOKENS], number);
}
