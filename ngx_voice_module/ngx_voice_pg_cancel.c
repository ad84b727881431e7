
/*
 * Deadlines of queries that the server works on.
 *
 * PQcancel() would block, and libpq 15 has no other; a backend of the same
 * role may be cancelled in SQL.  This goes over a connection of its own, in a
 * pool of one that is made when first needed.  Until the cancelled query is
 * answered and the cancel too, the connection is in quarantine: it gets no
 * new query, and after a second it is closed.
 */

#include "ngx_voice_pg_conn.h"


#define NGX_VOICE_PG_QUARANTINE_TIME  1000     /* ms */
#define NGX_VOICE_PG_LINGER           1000

#define NGX_VOICE_PG_CONTROL_DEPTH    16
#define NGX_VOICE_PG_CONTROL_QUEUE    64


static void ngx_voice_pg_kill(ngx_voice_pg_conn_t *conn);
static ngx_voice_pg_pool_t *ngx_voice_pg_control(ngx_voice_pg_conn_t *conn);
static void ngx_voice_pg_killed(void *data, ngx_voice_pg_e outcome,
    PGresult **result);


static const ngx_voice_pg_statement_t  ngx_voice_pg_kill_statement = {
    ngx_string("voice_cancel"),
    ngx_string("select pg_catalog.pg_cancel_backend($1::int4)"),
    1, NULL
};


void
ngx_voice_pg_conn_cancel(ngx_voice_pg_query_t *query)
{
    ngx_voice_pg_conn_t  *conn;

    conn = query->conn;

    if (conn->pool->is_control) {
        ngx_voice_pg_conn_lost(conn, "timed out");
        return;
    }

    if (ngx_voice_pg_expire(query) == NULL) {
        ngx_voice_pg_conn_lost(conn, "out of memory");
        return;
    }

    ngx_voice_pg_kill(conn);
}


void
ngx_voice_pg_conn_settle(ngx_voice_pg_conn_t *conn)
{
    ngx_voice_pg_kill(conn);

    if (conn->state == NGX_VOICE_PG_QUARANTINE) {

        if (conn->victim != NULL || conn->killer != NULL) {
            return;
        }

        ngx_del_timer(&conn->timer);
        conn->state = NGX_VOICE_PG_READY;
    }

    if (conn->in_flight != 0) {
        return;
    }

    conn->connection->idle = 1;

    if (ngx_exiting && !conn->timer.timer_set) {
        ngx_add_timer(&conn->timer, NGX_VOICE_PG_LINGER);
    }
}


/* The oldest in flight is the one that runs: only it can be cancelled. */
static void
ngx_voice_pg_kill(ngx_voice_pg_conn_t *conn)
{
    u_char                 number[NGX_INT_T_LEN];
    ngx_str_t              pid;
    ngx_queue_t           *q;
    ngx_voice_pg_pool_t   *pool, *control;
    ngx_voice_pg_query_t  *query;

    if (conn->victim != NULL || conn->killer != NULL || conn->in_flight == 0) {
        return;
    }

    pool = conn->pool;
    q = ngx_queue_head(&conn->sent);
    query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);

    if (!query->expired) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, pool->log, 0,
                  "voice pg \"%V\": statement \"%V\" cancelled: timed out",
                  &pool->conf->name, &query->statement->name);

    conn->state = NGX_VOICE_PG_QUARANTINE;
    conn->victim = query;
    conn->cancelled = 1;

    ngx_add_timer(&conn->timer, NGX_VOICE_PG_QUARANTINE_TIME);

    control = ngx_voice_pg_control(conn);
    if (control == NULL) {
        return;
    }

    pid.data = number;
    pid.len = ngx_snprintf(number, sizeof(number), "%i",
                           (ngx_int_t) PQbackendPID(conn->pg)) - number;

    conn->killer = ngx_voice_pg_send(control, &ngx_voice_pg_kill_statement,
                                     &pid, ngx_voice_pg_killed, conn);
}


/* A backend's number says nothing on another server. */
static ngx_voice_pg_pool_t *
ngx_voice_pg_control(ngx_voice_pg_conn_t *conn)
{
    ngx_voice_pg_pool_t     *pool;
    ngx_voice_pg_conf_t     *conf;
    const voice_endpoint_t  *server;

    pool = conn->pool;
    conf = &pool->control_conf;
    server = &pool->conf->servers.at[conn->server];

    if (pool->control != NULL) {

        if (ngx_memcmp(&conf->servers.at[0], server,
                       sizeof(voice_endpoint_t))
            != 0)
        {
            conf->servers.at[0] = *server;
            ngx_voice_pg_reset(pool->control);
        }

        return pool->control;
    }

    *conf = *pool->conf;
    conf->servers.at[0] = *server;
    conf->servers.n = 1;
    conf->size = 1;
    conf->depth = NGX_VOICE_PG_CONTROL_DEPTH;
    conf->queue = NGX_VOICE_PG_CONTROL_QUEUE;
    conf->query_timeout = NGX_VOICE_PG_QUARANTINE_TIME;

    pool->control = ngx_voice_pg_create(conf, pool->pool, pool->log);

    if (pool->control != NULL) {
        pool->control->is_control = 1;
    }

    return pool->control;
}


/* The cancel is through, or failed: then the quarantine's timer decides. */
static void
ngx_voice_pg_killed(void *data, ngx_voice_pg_e outcome, PGresult **result)
{
    ngx_voice_pg_conn_t  *conn;

    conn = data;
    conn->killer = NULL;

    if (outcome != NGX_VOICE_PG_RESULT) {
        ngx_log_error(NGX_LOG_WARN, conn->pool->log, 0,
                      "voice pg \"%V\": could not cancel a statement",
                      &conn->pool->conf->name);
    }

    ngx_voice_pg_conn_settle(conn);
    ngx_voice_pg_dispatch(conn->pool);
}
