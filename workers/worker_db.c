
/*
 * The synchronous PostgreSQL client: libpq's nonblocking calls with poll(),
 * so that a server which stopped answering cannot hold a process.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "worker_clock.h"
#include "worker_db_private.h"
#include "worker_log.h"


#define DB_SLACK_MS      3000          /* client side, over the server's */
#define DB_MEMBER_MAX    128


const char  worker_sql_kinds[] =
    "select kind, queue, soft_seconds, hard_seconds from work.job_kinds()";
const char  worker_sql_take[] =
    "select job_id, tenant_id, kind, attempt, token, soft_seconds, "
    "hard_seconds, heavy, result_seconds, wait_ms, defer_left, trace_id, "
    "args, traceparent, behind from work.take($1, $2, $3, $4, $5)";
const char  worker_sql_give_back[] = "select work.give_back($1, $2)";
const char  worker_sql_finish[] =
    "select job_id, accepted, wake from work.finish($1, $2, $3)";
const char  worker_sql_progress[] =
    "select work.progress($1, $2, $3, $4) as held";
const char  worker_sql_fail[] =
    "select accepted, state, wake from work.fail($1, $2, $3, $4, $5)";
const char  worker_sql_defer[] =
    "select accepted, state, wake from work.defer($1, $2, $3, $4)";
const char  worker_sql_release[] =
    "select accepted, state, wake from work.release($1, $2, $3)";
const char  worker_sql_release_child[] =
    "select work.release_child($1, $2, $3)";
const char  worker_sql_ended[] = "select work.ended($1, $2) as ended";
const char  worker_sql_heartbeat[] =
    "select action, job_id, queue, target "
    "from work.heartbeat($1, $2, $3, $4, $5)";
const char  worker_sql_leave[] = "select work.leave($1)";
const char  worker_sql_rescue[] = "select work.rescue() as wake";
const char  worker_sql_sweep[] = "select work.sweep()";
const char  worker_sql_tally[] = "select work.tally()";
const char  worker_sql_due[] =
    "select queue, n, next_ms from work.due($1)";
const char  worker_sql_relay_take[] =
    "select tenant_id, seq, type, channels, body, flat_event, flat_channels, "
    "flat_body from work.relay_take($1)";
const char  worker_sql_relay_done[] = "select work.relay_done($1, $2)";
const char  worker_sql_locks[] = "select work.report_locks()";
const char  worker_sql_purge[] = "select work.purge()";
const char  worker_sql_abandon[] = "select work.abandon_calls($1)";
const char  worker_sql_days[] =
    "select made, dropped from work.packet_days($1)";
const char  worker_sql_objects[] = "select key from work.objects_to_erase($1)";
const char  worker_sql_object_erased[] = "select work.object_erased($1)";
/* A bigint literal a key: locks of the session, held by one process. */
const char  worker_sql_lock[] = "select pg_try_advisory_lock($1::bigint)";
const char  worker_sql_listen[] = "listen voice_event";
const char  worker_sql_listen_cancel[] = "listen voice_cancel";


static worker_db_e db_execute(worker_db_t *db, const char *sql,
    const char *const *params, int nparams, PGresult **result);
static worker_db_e db_prepare(worker_db_t *db, const char *sql, char name[16],
    PGresult **result);
static worker_db_e db_answer(worker_db_t *db, PGresult **result);
static worker_db_e db_failed(worker_db_t *db, const PGresult *result);
static int db_stale(const char *sqlstate);


worker_db_t *
worker_db_create(const worker_settings_t *settings)
{
    worker_db_t  *db;

    db = calloc(1, sizeof(worker_db_t));
    if (db != NULL) {
        db->settings = settings;
    }

    return db;
}


void
worker_db_destroy(worker_db_t *db)
{
    if (db == NULL) {
        return;
    }

    worker_db_close(db);
    free(db);
}


worker_db_e
worker_db_run(worker_db_t *db, const char *sql, const char *const *params,
    int nparams, PGresult **result)
{
    *result = NULL;

    if (db->conn == NULL && !worker_db_connect(db)) {
        return WORKER_DB_DOWN;
    }

    return db_execute(db, sql, params, nparams, result);
}


void
worker_db_close(worker_db_t *db)
{
    PQfinish(db->conn);
    db->conn = NULL;
    db->nprepared = 0;
}


unsigned
worker_db_generation(const worker_db_t *db)
{
    return db->generation;
}


int
worker_db_socket(const worker_db_t *db)
{
    return db->conn == NULL ? -1 : PQsocket(db->conn);
}


int
worker_db_notified(worker_db_t *db)
{
    int        any;
    PGnotify  *notify;

    if (db->conn == NULL) {
        return 0;
    }

    if (!PQconsumeInput(db->conn)) {
        worker_db_lost(db, PQerrorMessage(db->conn));
        return 0;
    }

    any = 0;

    for ( ;; ) {
        notify = PQnotifies(db->conn);
        if (notify == NULL) {
            return any;
        }

        PQfreemem(notify);
        any = 1;
    }
}


const char *
worker_db_problem(const worker_db_t *db)
{
    return db->problem;
}


const char *
worker_db_sqlstate(const PGresult *result)
{
    const char  *state;

    state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state == NULL ? "" : state;
}


int
worker_db_passes(const PGresult *result)
{
    unsigned     i;
    const char  *state;

    /* the start of a SQLSTATE; a lost connection has none */
    static const char *const  passing[] = {
        "08", "0A000", "26000", "40", "53", "55P03", "57", "58"
    };

    state = worker_db_sqlstate(result);

    for (i = 0; i < VOICE_ARRAY_SIZE(passing); i++) {
        if (strncmp(state, passing[i], strlen(passing[i])) == 0) {
            return 1;
        }
    }

    return state[0] == '\0';
}


/* read_only_sql_transaction */
int
worker_db_demoted(const PGresult *result)
{
    return strcmp(worker_db_sqlstate(result), "25006") == 0;
}


const char *
worker_db_value(const PGresult *result, int row, const char *column)
{
    int  number;

    number = PQfnumber(result, column);

    if (number == -1 || row >= PQntuples(result)
        || PQgetisnull(result, row, number))
    {
        return NULL;
    }

    return PQgetvalue(result, row, number);
}


void
worker_db_members(const char *text, worker_db_member_pt each, void *data)
{
    char    member[DB_MEMBER_MAX];
    size_t  len;

    while (text != NULL && *text != '\0') {
        text += strspn(text, "{},\"");
        len = strcspn(text, "{},\"");

        if (len > 0 && len < sizeof(member)) {
            memcpy(member, text, len);
            member[len] = '\0';
            each(data, member);
        }

        text += len;
    }
}


static worker_db_e
db_execute(worker_db_t *db, const char *sql, const char *const *params,
    int nparams, PGresult **result)
{
    char         name[16];
    worker_db_e  rc;

    rc = db_prepare(db, sql, name, result);
    if (rc != WORKER_DB_OK) {
        return rc;
    }

    if (!PQsendQueryPrepared(db->conn, name, nparams, params, NULL, NULL, 0))
    {
        worker_db_lost(db, PQerrorMessage(db->conn));
        return WORKER_DB_DOWN;
    }

    return db_answer(db, result);
}


/* Once for each connection and statement. */
static worker_db_e
db_prepare(worker_db_t *db, const char *sql, char name[16],
    PGresult **result)
{
    unsigned     i;
    worker_db_e  rc;

    for (i = 0; i < db->nprepared; i++) {
        if (db->prepared[i] == sql) {
            break;
        }
    }

    snprintf(name, 16, "s%u", i);

    if (i < db->nprepared) {
        return WORKER_DB_OK;
    }

    if (i == WORKER_DB_PREPARED_MAX) {
        worker_db_lost(db, "too many statements");
        return WORKER_DB_DOWN;
    }

    if (!PQsendPrepare(db->conn, name, sql, 0, NULL)) {
        worker_db_lost(db, PQerrorMessage(db->conn));
        return WORKER_DB_DOWN;
    }

    rc = db_answer(db, result);

    if (rc == WORKER_DB_OK) {
        PQclear(*result);
        *result = NULL;
        db->prepared[db->nprepared++] = sql;
    }

    return rc;
}


/* Sends what is left and collects the one result. */
static worker_db_e
db_answer(worker_db_t *db, PGresult **result)
{
    int         flush;
    int64_t     deadline;
    PGresult   *next;

    deadline = worker_now_ms() + db->settings->postgres_statement_ms
               + DB_SLACK_MS;

    for ( ;; ) {
        flush = PQflush(db->conn);

        if (flush == -1 || !PQconsumeInput(db->conn)) {
            worker_db_lost(db, PQerrorMessage(db->conn));
            goto down;
        }

        if (flush == 1 || PQisBusy(db->conn)) {
            if (!worker_db_wait(db, flush == 1 ? POLLIN | POLLOUT : POLLIN,
                         deadline))
            {
                worker_db_lost(db, "timed out");
                goto down;
            }

            continue;
        }

        next = PQgetResult(db->conn);
        if (next == NULL) {
            break;
        }

        PQclear(*result);
        *result = next;
    }

    if (PQstatus(db->conn) == CONNECTION_BAD || *result == NULL) {
        worker_db_lost(db, PQerrorMessage(db->conn));
        goto down;
    }

    if (PQresultStatus(*result) == PGRES_TUPLES_OK
        || PQresultStatus(*result) == PGRES_COMMAND_OK)
    {
        return WORKER_DB_OK;
    }

    if (db_failed(db, *result) == WORKER_DB_ERROR) {
        return WORKER_DB_ERROR;
    }

down:

    PQclear(*result);
    *result = NULL;

    return WORKER_DB_DOWN;
}


static worker_db_e
db_failed(worker_db_t *db, const PGresult *result)
{
    if (worker_db_demoted(result)) {
        db->at++;
        worker_db_lost(db, PQresultErrorMessage(result));
        return WORKER_DB_DOWN;
    }

    worker_db_line(db->problem, sizeof(db->problem),
                   PQresultErrorMessage(result));

    if (db_stale(worker_db_sqlstate(result))) {
        worker_db_close(db);
    }

    return WORKER_DB_ERROR;
}


/* Is what we prepared older than the schema?  Then all is prepared anew. */
static int
db_stale(const char *sqlstate)
{
    unsigned  i;

    static const char *const  states[] = { "0A000", "26000", "42883" };

    for (i = 0; i < VOICE_ARRAY_SIZE(states); i++) {
        if (strcmp(sqlstate, states[i]) == 0) {
            return 1;
        }
    }

    return 0;
}
