
/*
 * The heartbeat as a state machine on libpq's nonblocking calls.
 */

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker_beat.h"
#include "worker_clock.h"
#include "worker_db.h"
#include "worker_log.h"


#define BEAT_ANSWER_MS    5000
#define BEAT_BACKOFF_MIN  200
#define BEAT_BACKOFF_MAX  3000
#define BEAT_JOBS_MAX     1024         /* children of a pool */
#define BEAT_ENDS_MAX    1024
#define BEAT_LIST_SIZE    (BEAT_JOBS_MAX * 40 + 3)


typedef enum {
    BEAT_DOWN = 0,                     /* until retry_at */
    BEAT_CONNECTING,
    BEAT_READY,
    BEAT_ASKING                        /* an answer is awaited */
} beat_state_e;


typedef struct {
    char          job_id[40];
    int64_t       token;
    worker_end_e  end;
    char          error[128];
} beat_end_t;


struct worker_beat_s {
    const worker_settings_t    *settings;
    worker_beat_collect_pt      collect;
    worker_beat_lost_pt         lost;
    void                       *data;

    PGconn                     *conn;
    beat_state_e                state;
    PostgresPollingStatusType   polling;
    int64_t                     deadline;
    int64_t                     retry_at;
    int64_t                     next_beat;
    unsigned                    at;    /* server, see worker_db_params() */
    int                         backoff_ms;
    int                         ending;        /* bool: it is about ends[0] */
    int                         told;          /* bool: the log knows */

    char                        jobs[BEAT_LIST_SIZE];
    char                        tokens[BEAT_LIST_SIZE];
    size_t                      jobs_len;
    size_t                      tokens_len;

    beat_end_t                 ends[BEAT_ENDS_MAX];
    unsigned                    nends;
};


static void beat_connect(worker_beat_t *beat);
static void beat_connecting(worker_beat_t *beat);
static void beat_ready(worker_beat_t *beat);
static int beat_send_end(worker_beat_t *beat);
static int beat_send_beat(worker_beat_t *beat);
static void beat_queues(const worker_settings_t *settings, char *out,
    size_t size);
static void beat_asking(worker_beat_t *beat);
static void beat_answered(worker_beat_t *beat, const PGresult *result);
static void beat_down(worker_beat_t *beat, const char *reason);
static void beat_close(worker_beat_t *beat);


worker_beat_t *
worker_beat_create(const worker_settings_t *settings,
    worker_beat_collect_pt collect, worker_beat_lost_pt lost, void *data)
{
    worker_beat_t  *beat;

    beat = calloc(1, sizeof(worker_beat_t));
    if (beat != NULL) {
        beat->settings = settings;
        beat->collect = collect;
        beat->lost = lost;
        beat->data = data;
    }

    return beat;
}


void
worker_beat_destroy(worker_beat_t *beat)
{
    if (beat != NULL) {
        beat_close(beat);
        free(beat);
    }
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
worker_beat_add(worker_beat_t *beat, const char *job_id, int64_t token)
{
    int   jobs, tokens;
    char  *comma;

    /* the braces and the NUL are kept free */
    if (beat->jobs_len + 44 > BEAT_LIST_SIZE
        || beat->tokens_len + 44 > BEAT_LIST_SIZE)
    {
        return;
    }

    comma = beat->jobs_len == 1 ? "" : ",";
    jobs = snprintf(beat->jobs + beat->jobs_len, 42, "%s%.36s", comma,
                    job_id);
    tokens = snprintf(beat->tokens + beat->tokens_len, 42, "%s%" PRId64,
                      comma, token);

    beat->jobs_len += (size_t) jobs;
    beat->tokens_len += (size_t) tokens;
}


void
worker_beat_end(worker_beat_t *beat, const worker_report_t *report,
    worker_end_e end, const char *error)
{
    beat_end_t  *e;

    if (beat->nends == BEAT_ENDS_MAX) {
        return;                        /* their leases will run out */
    }

    e = &beat->ends[beat->nends++];
    e->end = end;
    e->token = report->token;
    snprintf(e->job_id, sizeof(e->job_id), "%s", report->job_id);
    snprintf(e->error, sizeof(e->error), "%s", error);
}


int
worker_beat_pending(const worker_beat_t *beat)
{
    return beat->nends > 0;
}


int
worker_beat_socket(const worker_beat_t *beat, short *events)
{
    *events = POLLIN;

    if (beat->conn == NULL || beat->state == BEAT_READY) {
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

    /* at most once through all states */
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
    } while (beat->state > before);
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
        PQsetnonblocking(beat->conn, 1);
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

    now = worker_now_ms();

    if (beat->nends > 0) {
        sent = beat_send_end(beat);

    } else if (now >= beat->next_beat) {
        sent = beat_send_beat(beat);

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


static int
beat_send_end(worker_beat_t *beat)
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
    beat->ending = 1;

    return PQsendQueryParams(beat->conn,
                             release ? worker_sql_release : worker_sql_fail,
                             release ? 3 : 5, NULL, params, NULL, NULL, 0);
}


static int
beat_send_beat(worker_beat_t *beat)
{
    char  queues[WORKER_QUEUES_MAX * 41 + 3];

    const char *const  params[] = {
        beat->settings->worker_name, queues, beat->jobs, beat->tokens
    };

    beat->jobs[0] = '{';
    beat->tokens[0] = '{';
    beat->jobs_len = 1;
    beat->tokens_len = 1;

    beat->collect(beat->data, beat);

    memcpy(beat->jobs + beat->jobs_len, "}", 2);
    memcpy(beat->tokens + beat->tokens_len, "}", 2);
    beat_queues(beat->settings, queues, sizeof(queues));

    beat->next_beat = worker_now_ms() + beat->settings->beat_ms;
    beat->ending = 0;

    return PQsendQueryParams(beat->conn, worker_sql_beat, 4, NULL, params,
                             NULL, NULL, 0);
}


static void
beat_queues(const worker_settings_t *settings, char *out, size_t size)
{
    size_t    len;
    unsigned  i;

    out[0] = '{';
    len = 1;

    for (i = 0; i < settings->nqueues && len + 43 < size; i++) {
        len += (size_t) snprintf(out + len, size - len, "%s%s",
                                 i == 0 ? "" : ",", settings->queues[i].name);
    }

    memcpy(out + len, "}", 2);
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
    }

    if (worker_now_ms() >= beat->deadline) {
        beat_down(beat, "timed out");
    }
}


static void
beat_answered(worker_beat_t *beat, const PGresult *result)
{
    int          row;
    const char  *state;

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        state = worker_db_sqlstate(result);
        worker_log(WORKER_LOG_ERROR, "heartbeat: SQLSTATE %s", state);

        /* a lost connection says nothing of the statement */
        if (state[0] == '\0' || strncmp(state, "57", 2) == 0) {
            return;
        }
    }

    if (beat->ending) {
        beat->ending = 0;
        beat->nends--;
        memmove(beat->ends, beat->ends + 1,
                beat->nends * sizeof(beat_end_t));
        return;
    }

    for (row = 0; row < PQntuples(result); row++) {
        worker_db_members(worker_db_value(result, row, "lost"), beat->lost,
                          beat->data);
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
    beat->ending = 0;
}
