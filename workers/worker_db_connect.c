
/*
 * How a connection is opened, and left: one server of the list after another,
 * until one takes writes.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "worker_clock.h"
#include "worker_db_private.h"
#include "worker_log.h"


#define DB_BACKOFF_MIN  100
#define DB_BACKOFF_MAX  3000

/*
 * How soon the server sees that we are gone, without a word where the host is:
 * until then it keeps locks of the session, and lets statements go on.
 */
#define DB_GONE                                                               \
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 "                 \
    "-c tcp_keepalives_count=3 -c tcp_user_timeout=25000 "                    \
    "-c client_connection_check_interval=1000"


static int db_connect_to(worker_db_t *db, int64_t deadline);
static int db_connect_wait(worker_db_t *db, int64_t deadline);
static void db_notice(void *data, const PGresult *result);


void
worker_db_params(const worker_settings_t *settings, unsigned at,
    worker_db_params_t *params)
{
    unsigned                 i, n;
    const voice_endpoint_t  *server;

    server = &settings->postgres.at[at % settings->postgres.n];

    const struct {
        const char  *keyword;
        const char  *value;
    } list[] = {
        { "host", server->host },
        { "port", params->port },
        { "dbname", settings->postgres_dbname },
        { "target_session_attrs", "read-write" },
        { "user", settings->postgres_user },
        { "password", settings->postgres_password },
        { "application_name", "voicegate-worker" },
        { "client_encoding", "UTF8" },
        { "keepalives_idle", "10" },
        { "keepalives_interval", "5" },
        { "keepalives_count", "3" },
        { "options", params->options }
    };

    snprintf(params->port, sizeof(params->port), "%d", server->port);
    snprintf(params->options, sizeof(params->options),
             "-c statement_timeout=%d " DB_GONE,
             settings->postgres_statement_ms);

    n = 0;

    for (i = 0; i < VOICE_ARRAY_SIZE(list); i++) {
        if (list[i].value[0] != '\0') {
            params->keywords[n] = list[i].keyword;
            params->values[n++] = list[i].value;
        }
    }

    params->keywords[n] = NULL;
    params->values[n] = NULL;
}


void
worker_db_notices(PGconn *conn)
{
    PQsetNoticeReceiver(conn, db_notice, NULL);
}


/* Each server once, from the last good one on, while there is time. */
int
worker_db_connect(worker_db_t *db)
{
    int64_t   now, end;
    unsigned  i;

    now = worker_now_ms();

    if (now < db->retry_at) {
        return 0;
    }

    end = now + db->settings->postgres_connect_seconds * 1000;

    for (i = 0; i < db->settings->postgres.n; i++) {
        if (db_connect_to(db, end)) {
            return 1;
        }

        db->at++;

        if (worker_now_ms() >= end) {
            break;
        }
    }

    worker_db_lost(db, NULL);

    return 0;
}


static int
db_connect_to(worker_db_t *db, int64_t deadline)
{
    worker_db_params_t  params;

    worker_db_params(db->settings, db->at, &params);

    db->conn = PQconnectStartParams(params.keywords, params.values, 0);

    if (db->conn == NULL) {
        worker_db_line(db->problem, sizeof(db->problem), "out of memory");
        return 0;
    }

    if (!db_connect_wait(db, deadline)) {
        worker_db_close(db);
        return 0;
    }

    worker_db_notices(db->conn);
    PQsetnonblocking(db->conn, 1);

    db->backoff_ms = 0;
    db->generation++;

    return 1;
}


static int
db_connect_wait(worker_db_t *db, int64_t deadline)
{
    short                      events;
    PostgresPollingStatusType  state;

    state = PGRES_POLLING_WRITING;

    while (state != PGRES_POLLING_OK) {
        if (PQstatus(db->conn) == CONNECTION_BAD) {
            state = PGRES_POLLING_FAILED;
        }

        if (state == PGRES_POLLING_FAILED) {
            worker_db_line(db->problem, sizeof(db->problem),
                     PQerrorMessage(db->conn));
            return 0;
        }

        events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;

        if (!worker_db_wait(db, events, deadline)) {
            worker_db_line(db->problem, sizeof(db->problem),
                     "timed out while connecting");
            return 0;
        }

        state = PQconnectPoll(db->conn);
    }

    return 1;
}


int
worker_db_wait(worker_db_t *db, short events, int64_t deadline)
{
    int            n;
    int64_t        left;
    struct pollfd  fd;

    fd.fd = PQsocket(db->conn);
    fd.events = events;

    do {
        left = deadline - worker_now_ms();
        if (left <= 0) {
            return 0;
        }

        n = poll(&fd, 1, (int) left);
    } while (n == -1 && errno == EINTR);

    return n == 1;
}


void
worker_db_lost(worker_db_t *db, const char *reason)
{
    int  jitter;

    if (reason != NULL) {
        worker_db_line(db->problem, sizeof(db->problem), reason);
    }

    worker_db_close(db);

    db->backoff_ms = db->backoff_ms == 0 ? DB_BACKOFF_MIN
                                         : db->backoff_ms * 2;
    if (db->backoff_ms > DB_BACKOFF_MAX) {
        db->backoff_ms = DB_BACKOFF_MAX;
    }

    jitter = (int) (random() % (db->backoff_ms / 2 + 1));
    db->retry_at = worker_now_ms() + db->backoff_ms / 2 + jitter;
}


void
worker_db_line(char *out, size_t size, const char *text)
{
    size_t  i;

    for (i = 0; i + 1 < size && text[i] != '\0' && text[i] != '\n'; i++) {
        out[i] = text[i];
    }

    out[i] = '\0';
}


static void
db_notice(void *data, const PGresult *result)
{
    char  line[256];

    (void) data;

    worker_db_line(line, sizeof(line), PQresultErrorMessage(result));
    worker_log(WORKER_LOG_DEBUG, "postgres: %s", line);
}
