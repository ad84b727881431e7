
/*
 * The heartbeat as a state machine on libpq's nonblocking calls.
 */

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker_beat_private.h"
#include "worker_clock.h"
#include "worker_log.h"


#define BEAT_ANSWER_MS    5000
#define BEAT_BACKOFF_MIN  200
#define BEAT_BACKOFF_MAX  3000


static void beat_connect(worker_beat_t *beat);
static void beat_connecting(worker_beat_t *beat);
static void beat_ready(worker_beat_t *beat);
static int beat_hear(worker_beat_t *beat);
static void beat_asking(worker_beat_t *beat);
static void beat_answered(worker_beat_t *beat, const PGresult *result);
static void beat_down(worker_beat_t *beat, const char *reason);
static void beat_close(worker_beat_t *beat);


worker_beat_t *
worker_beat_create(const worker_settings_t *settings,
    worker_beat_collect_pt collect, worker_beat_told_pt told, void *data)
{
    worker_beat_t  *beat;

    beat = calloc(1, sizeof(worker_beat_t));
    if (beat != NULL) {
        beat->settings = settings;
        beat->collect = collect;
        beat->tell = told;
        beat->data = data;
    }

    return beat;
}


void
worker_beat_destroy(worker_beat_t *beat)
{
    unsigned  i;

    if (beat == NULL) {
        return;
    }

    for (i = 0; i < BEAT_LISTS; i++) {
        worker_list_release(&beat->lists[i]);
    }

    beat_close(beat);
    free(beat);
}


void
worker_beat_leave(const worker_beat_t *beat)
{
    if (beat->conn != NULL && PQsocket(beat->conn) != -1) {
        close(PQsocket(beat->conn));
    }
}


void
worker_beat_settings(worker_beat_t *beat, const worker_settings_t *settings)
{
    beat_close(beat);
    beat->settings = settings;
    beat->state = BEAT_DOWN;
    beat->retry_at = 0;
    beat->next_beat = 0;
}


void
worker_beat_soon(worker_beat_t *beat)
{
    beat->next_beat = 0;
}


void
worker_beat_stop(worker_beat_t *beat)
{
    beat->stopping = 1;
}


int
worker_beat_pending(const worker_beat_t *beat)
{
    return beat->nends + beat->nreturns > 0 || beat->stopping
           || worker_beat_gone_due(beat) != -1;
}


int64_t
worker_beat_good(const worker_beat_t *beat)
{
    return beat->good_ms;
}


int
worker_beat_socket(const worker_beat_t *beat, short *events)
{
    *events = POLLIN;

    if (beat->conn == NULL) {
        return -1;
    }

    if (beat->state == BEAT_CONNECTING) {
        *events = beat->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    }

    return PQsocket(beat->conn);
}


void
worker_beat_step(worker_beat_t *beat)
{
    beat_state_e  before;

    /* until there is something to wait for */
    do {
        before = beat->state;

        switch (beat->state) {

        case BEAT_DOWN:
            beat_connect(beat);
            break;

        case BEAT_CONNECTING:
            beat_connecting(beat);
            break;

        case BEAT_READY:
            beat_ready(beat);
            break;

        case BEAT_ASKING:
            beat_asking(beat);
            break;
        }
    } while (beat->state != before);
}


static void
beat_connect(worker_beat_t *beat)
{
    int64_t             now;
    worker_db_params_t  params;

    now = worker_now_ms();

    if (now < beat->retry_at) {
        return;
    }

    worker_db_params(beat->settings, beat->at, &params);

    beat->conn = PQconnectStartParams(params.keywords, params.values, 0);

    if (beat->conn == NULL || PQstatus(beat->conn) == CONNECTION_BAD) {
        beat_down(beat, beat->conn == NULL ? "out of memory"
                                           : PQerrorMessage(beat->conn));
        return;
    }

    beat->polling = PGRES_POLLING_WRITING;
    beat->deadline = now + beat->settings->postgres_connect_seconds * 1000;
    beat->state = BEAT_CONNECTING;
}


static void
beat_connecting(worker_beat_t *beat)
{
    short          events;
    struct pollfd  fd;

    fd.fd = worker_beat_socket(beat, &events);
    fd.events = events;

    if (poll(&fd, 1, 0) == 1) {
        beat->polling = PQconnectPoll(beat->conn);
    }

    if (beat->polling == PGRES_POLLING_FAILED) {
        beat_down(beat, PQerrorMessage(beat->conn));
        return;
    }

    if (beat->polling == PGRES_POLLING_OK) {
        worker_db_notices(beat->conn);
        PQsetnonblocking(beat->conn, 1);
        beat->listens = 0;
        beat->backoff_ms = 0;
        beat->state = BEAT_READY;

        if (beat->told) {
            worker_log(WORKER_LOG_INFO, "heartbeat: postgres is back");
            beat->told = 0;
        }

        return;
    }

    if (worker_now_ms() >= beat->deadline) {
        beat_down(beat, "timed out while connecting");
    }
}


static void
beat_ready(worker_beat_t *beat)
{
    int      sent;
    int64_t  now;

    if (!beat_hear(beat)) {
        beat_down(beat, PQerrorMessage(beat->conn));
        return;
    }

    now = worker_now_ms();

    if (now >= beat->next_beat && !beat->stopping) {
        sent = worker_beat_send(beat);

    } else if (!beat->listens) {
        sent = worker_beat_send_listen(beat);

    } else if (beat->nends > 0) {
        sent = worker_beat_send_end(beat);

    } else if (beat->nreturns > 0) {
        sent = worker_beat_send_returns(beat);

    } else if (worker_beat_gone_due(beat) != -1) {
        sent = worker_beat_send_gone(beat);

    } else if (beat->stopping) {
        sent = worker_beat_send_stop(beat);

    } else {
        return;
    }

    if (!sent || PQflush(beat->conn) == -1) {
        beat_down(beat, PQerrorMessage(beat->conn));
        return;
    }

    beat->deadline = now + BEAT_ANSWER_MS;
    beat->state = BEAT_ASKING;
}


/* A job of ours was cancelled: the next beat tells which.  0: lost. */
static int
beat_hear(worker_beat_t *beat)
{
    PGnotify  *notify;

    if (!PQconsumeInput(beat->conn)) {
        return 0;
    }

    for ( ;; ) {
        notify = PQnotifies(beat->conn);
        if (notify == NULL) {
            return 1;
        }

        if (strcmp(notify->extra, beat->settings->worker_name) == 0) {
            worker_beat_soon(beat);
        }

        PQfreemem(notify);
    }
}


static void
beat_asking(worker_beat_t *beat)
{
    PGresult  *result;

    if (PQflush(beat->conn) == -1 || !PQconsumeInput(beat->conn)) {
        beat_down(beat, PQerrorMessage(beat->conn));
        return;
    }

    while (!PQisBusy(beat->conn)) {
        result = PQgetResult(beat->conn);

        if (result == NULL) {
            if (PQstatus(beat->conn) == CONNECTION_BAD) {
                beat_down(beat, "the connection was lost");
                return;
            }

            beat->state = BEAT_READY;
            return;
        }

        if (worker_db_demoted(result)) {
            PQclear(result);
            beat->at++;
            beat_down(beat, "the server takes no writes");
            return;
        }

        beat_answered(beat, result);
        PQclear(result);

        if (beat->state == BEAT_DOWN) {
            return;
        }
    }

    if (worker_now_ms() >= beat->deadline) {
        beat_down(beat, "timed out");
    }
}


static void
beat_answered(worker_beat_t *beat, const PGresult *result)
{
    int   row;
    char  problem[40];

    if (PQresultStatus(result) != PGRES_TUPLES_OK
        && PQresultStatus(result) != PGRES_COMMAND_OK)
    {
        snprintf(problem, sizeof(problem), "SQLSTATE %.5s",
                 worker_db_sqlstate(result));

        /* says nothing of the statement: again, but not at once */
        if (worker_db_passes(result)) {
            beat_down(beat, problem);
            return;
        }

        worker_log(WORKER_LOG_ERROR, "heartbeat: %s", problem);
    }

    /* an error is an answer, too: it would be the same again */
    if (beat->asks != BEAT_ASKS_BEAT) {
        worker_beat_told(beat);
        return;
    }

    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        beat->good_ms = beat->sent_ms;

        for (row = 0; row < PQntuples(result); row++) {
            worker_beat_row(beat, result, row);
        }
    }
}


static void
beat_down(worker_beat_t *beat, const char *reason)
{
    if (!beat->told) {
        worker_log(WORKER_LOG_WARN, "heartbeat: postgres: %.*s",
                   (int) strcspn(reason, "\n"), reason);
        beat->told = 1;
    }

    beat->at += beat->state == BEAT_DOWN || beat->state == BEAT_CONNECTING;
    beat_close(beat);

    beat->backoff_ms = beat->backoff_ms == 0 ? BEAT_BACKOFF_MIN
                                             : beat->backoff_ms * 2;
    if (beat->backoff_ms > BEAT_BACKOFF_MAX) {
        beat->backoff_ms = BEAT_BACKOFF_MAX;
    }

    beat->retry_at = worker_now_ms() + beat->backoff_ms / 2
                     + random() % (beat->backoff_ms / 2 + 1);
    beat->next_beat = 0;
    beat->state = BEAT_DOWN;
}


static void
beat_close(worker_beat_t *beat)
{
    PQfinish(beat->conn);
    beat->conn = NULL;
}
