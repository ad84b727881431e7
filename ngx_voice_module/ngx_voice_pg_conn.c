
/*
 * The life of one connection: open, ready, lost, open again.
 *
 * The descriptor is libpq's; an ngx_connection_t only stands for it and is
 * given back before libpq may close it.  Events are level-triggered: libpq
 * may leave bytes unread, and write interest exists only while it has bytes
 * to write.
 */

#include "ngx_voice_pg_conn.h"


#define NGX_VOICE_PG_AT_ONCE      20       /* ms */
#define NGX_VOICE_PG_BACKOFF_MIN  100
#define NGX_VOICE_PG_BACKOFF_MAX  5000
#define NGX_VOICE_PG_FIRM         1000     /* up so long: no backoff */


static void ngx_voice_pg_conn_next(ngx_voice_pg_conn_t *conn,
    const char *reason);
static ngx_msec_t ngx_voice_pg_backoff(ngx_uint_t attempts);
static ngx_int_t ngx_voice_pg_conn_attach(ngx_voice_pg_conn_t *conn,
    ngx_uint_t event);
static void ngx_voice_pg_conn_detach(ngx_voice_pg_conn_t *conn);
static void ngx_voice_pg_conn_connect_handler(ngx_event_t *ev);
static void ngx_voice_pg_conn_ready(ngx_voice_pg_conn_t *conn);
static void ngx_voice_pg_conn_read_handler(ngx_event_t *ev);
static void ngx_voice_pg_conn_write_handler(ngx_event_t *ev);
static void ngx_voice_pg_conn_timer_handler(ngx_event_t *ev);
static void ngx_voice_pg_conn_drop_queries(ngx_voice_pg_conn_t *conn);


void
ngx_voice_pg_conn_init(ngx_voice_pg_conn_t *conn, ngx_voice_pg_pool_t *pool)
{
    conn->pool = pool;
    conn->state = NGX_VOICE_PG_CLOSED;

    ngx_queue_init(&conn->sent);

    conn->timer.handler = ngx_voice_pg_conn_timer_handler;
    conn->timer.data = conn;
    conn->timer.log = pool->log;
    conn->timer.cancelable = 1;
}


void
ngx_voice_pg_conn_open(ngx_voice_pg_conn_t *conn)
{
    conn->state = NGX_VOICE_PG_CONNECTING;
    conn->serial = 0;
    conn->silent = 0;
    conn->cancelled = 0;
    conn->demoted = 0;

    conn->session = ngx_create_pool(4096, conn->pool->log);
    if (conn->session == NULL) {
        ngx_voice_pg_conn_lost(conn, "out of memory");
        return;
    }

    ngx_rbtree_init(&conn->prepared, &conn->sentinel, ngx_rbtree_insert_value);

    if (ngx_voice_pg_connect(conn) != NGX_OK) {
        ngx_voice_pg_conn_lost(conn, "out of memory");
        return;
    }

    if (PQstatus(conn->pg) == CONNECTION_BAD) {
        ngx_voice_pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    if (ngx_voice_pg_conn_attach(conn, NGX_WRITE_EVENT) != NGX_OK) {
        ngx_voice_pg_conn_lost(conn, "no connection slot");
        return;
    }

    ngx_add_timer(&conn->timer, conn->pool->conf->connect_timeout);
}


void
ngx_voice_pg_conn_close(ngx_voice_pg_conn_t *conn)
{
    conn->state = NGX_VOICE_PG_CLOSED;

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (conn->killer != NULL) {
        ngx_voice_pg_cancel(conn->killer);
        conn->killer = NULL;
    }

    conn->victim = NULL;

    ngx_voice_pg_conn_detach(conn);

    if (conn->pg != NULL) {
        PQfinish(conn->pg);
        conn->pg = NULL;
    }

    if (conn->session != NULL) {
        ngx_destroy_pool(conn->session);
        conn->session = NULL;
    }

    ngx_voice_pg_conn_drop_queries(conn);
}


void
ngx_voice_pg_conn_lost(ngx_voice_pg_conn_t *conn, const char *reason)
{
    ngx_uint_t            level;
    ngx_voice_pg_pool_t  *pool;

    pool = conn->pool;

    if (conn->state == NGX_VOICE_PG_CONNECTING
        && ++conn->tried < pool->conf->servers.n)
    {
        ngx_voice_pg_conn_next(conn, reason);
        return;
    }

    conn->tried = 0;

    level = (conn->attempts == 0) ? NGX_LOG_ERR : NGX_LOG_INFO;

    /* libpq's text may have several lines: the first says it */
    ngx_log_error(level, pool->log, 0,
                  "voice pg \"%V\": connection lost or refused: %*s",
                  &pool->conf->name, strcspn(reason, "\n"), reason);

    pool->figures.failures++;

    if (conn->opened != 0
        && ngx_current_msec - conn->opened >= NGX_VOICE_PG_FIRM)
    {
        conn->attempts = 0;

    } else {
        conn->attempts++;
    }

    conn->opened = 0;

    ngx_voice_pg_conn_close(conn);

    conn->state = NGX_VOICE_PG_BACKOFF;
    ngx_add_timer(&conn->timer, ngx_voice_pg_backoff(conn->attempts));

    ngx_voice_pg_give_up(pool);
}


/* This server does not do, and there are others: no attempt has failed yet. */
static void
ngx_voice_pg_conn_next(ngx_voice_pg_conn_t *conn, const char *reason)
{
    ngx_log_error(NGX_LOG_INFO, conn->pool->log, 0,
                  "voice pg \"%V\": server left for the next: %*s",
                  &conn->pool->conf->name, strcspn(reason, "\n"), reason);

    ngx_voice_pg_conn_close(conn);

    conn->state = NGX_VOICE_PG_BACKOFF;
    ngx_add_timer(&conn->timer, ngx_voice_pg_backoff(0));
}


/* Exponential, half of it by chance; at once after a loss. */
static ngx_msec_t
ngx_voice_pg_backoff(ngx_uint_t attempts)
{
    ngx_msec_t  delay;

    if (attempts == 0) {
        return (ngx_msec_t) ngx_random() % NGX_VOICE_PG_AT_ONCE;
    }

    delay = NGX_VOICE_PG_BACKOFF_MIN << ngx_min(attempts - 1, 6);
    delay = ngx_min(delay, NGX_VOICE_PG_BACKOFF_MAX);

    return delay / 2 + (ngx_msec_t) ngx_random() % (delay / 2 + 1);
}


static ngx_int_t
ngx_voice_pg_conn_attach(ngx_voice_pg_conn_t *conn, ngx_uint_t event)
{
    ngx_event_t       *ev;
    ngx_connection_t  *c;

    c = ngx_get_connection(PQsocket(conn->pg), conn->pool->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = conn;
    c->log = conn->pool->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->read->handler = ngx_voice_pg_conn_connect_handler;
    c->write->handler = ngx_voice_pg_conn_connect_handler;

    conn->connection = c;

    ev = (event == NGX_READ_EVENT) ? c->read : c->write;

    return ngx_add_event(ev, (ngx_int_t) event, NGX_LEVEL_EVENT);
}


static void
ngx_voice_pg_conn_detach(ngx_voice_pg_conn_t *conn)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    c = conn->connection;
    if (c == NULL) {
        return;
    }

    conn->connection = NULL;

    /* libpq closes a descriptor as soon as it finds the other side gone */
    flags = (PQsocket(conn->pg) == c->fd) ? 0 : NGX_CLOSE_EVENT;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


static void
ngx_voice_pg_conn_connect_handler(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_voice_pg_conn_t        *conn;
    PostgresPollingStatusType   status;

    c = ev->data;
    conn = c->data;

    /* libpq may go on with another descriptor, even of the same number */
    ngx_voice_pg_conn_detach(conn);

    status = PQconnectPoll(conn->pg);

    if (status == PGRES_POLLING_FAILED) {
        ngx_voice_pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    if (ngx_voice_pg_conn_attach(conn, status == PGRES_POLLING_WRITING
                                       ? NGX_WRITE_EVENT : NGX_READ_EVENT)
        != NGX_OK)
    {
        ngx_voice_pg_conn_lost(conn, "no connection slot");
        return;
    }

    if (status == PGRES_POLLING_OK) {
        ngx_voice_pg_conn_ready(conn);
    }
}


static void
ngx_voice_pg_conn_ready(ngx_voice_pg_conn_t *conn)
{
    ngx_uint_t            i;
    ngx_connection_t     *c;
    ngx_voice_pg_pool_t  *pool;
    ngx_voice_pg_conn_t  *other;

    pool = conn->pool;
    c = conn->connection;

    ngx_del_timer(&conn->timer);

    if (PQsetnonblocking(conn->pg, 1) != 0 || !PQenterPipelineMode(conn->pg)) {
        ngx_voice_pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    c->read->handler = ngx_voice_pg_conn_read_handler;
    c->write->handler = ngx_voice_pg_conn_write_handler;

    conn->state = NGX_VOICE_PG_READY;
    conn->opened = ngx_current_msec;
    conn->tried = 0;
    pool->good = conn->server;
    pool->figures.connects++;

    ngx_log_error(NGX_LOG_INFO, pool->log, 0,
                  "voice pg \"%V\": connected", &pool->conf->name);

    /* the server is there: the others need not wait out their time */
    for (i = 0; i < pool->conf->size; i++) {
        other = &pool->conns[i];

        if (other->state == NGX_VOICE_PG_BACKOFF) {
            ngx_add_timer(&other->timer, (ngx_msec_t) ngx_random()
                                         % NGX_VOICE_PG_BACKOFF_MIN);
        }
    }

    ngx_voice_pg_conn_settle(conn);
    ngx_voice_pg_dispatch(pool);
}


static void
ngx_voice_pg_conn_read_handler(ngx_event_t *ev)
{
    int                   open;
    ngx_connection_t     *c;
    ngx_voice_pg_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    /* asked by nginx, when this process begins to exit */
    if (c->close && conn->in_flight == 0) {
        ngx_voice_pg_conn_close(conn);
        return;
    }

    open = PQconsumeInput(conn->pg);

    /* what came before the end of the connection counts */
    if (ngx_voice_pg_conn_results(conn) != NGX_OK) {
        ngx_voice_pg_conn_lost(conn, "unexpected answer");
        return;
    }

    if (!open || PQstatus(conn->pg) == CONNECTION_BAD) {
        ngx_voice_pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    if (conn->demoted && conn->in_flight == 0) {
        ngx_voice_pg_conn_lost(conn, "the server takes no writes");
        ngx_voice_pg_dispatch(conn->pool);
        return;
    }

    if (ngx_voice_pg_conn_flush(conn) != NGX_OK) {
        ngx_voice_pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    ngx_voice_pg_dispatch(conn->pool);
}


static void
ngx_voice_pg_conn_write_handler(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_voice_pg_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    if (ngx_voice_pg_conn_flush(conn) != NGX_OK) {
        ngx_voice_pg_conn_lost(conn, PQerrorMessage(conn->pg));
    }
}


static void
ngx_voice_pg_conn_timer_handler(ngx_event_t *ev)
{
    ngx_voice_pg_conn_t  *conn;

    conn = ev->data;

    switch (conn->state) {

    case NGX_VOICE_PG_BACKOFF:
        conn->state = NGX_VOICE_PG_CLOSED;

        if (!ngx_exiting || !ngx_queue_empty(&conn->pool->waiting)) {
            ngx_voice_pg_conn_open(conn);
        }
        break;

    case NGX_VOICE_PG_CONNECTING:
        ngx_voice_pg_conn_lost(conn, "connecting timed out");
        break;

    case NGX_VOICE_PG_QUARANTINE:
        ngx_voice_pg_conn_lost(conn, "a cancelled statement did not end");
        break;

    case NGX_VOICE_PG_READY:
        if (conn->in_flight == 0) {
            ngx_voice_pg_conn_close(conn);
        }
        break;

    case NGX_VOICE_PG_CLOSED:
        break;
    }
}


/* What was sent and not answered may have been done, or not. */
static void
ngx_voice_pg_conn_drop_queries(ngx_voice_pg_conn_t *conn)
{
    ngx_queue_t           *q;
    ngx_voice_pg_query_t  *query;

    while (!ngx_queue_empty(&conn->sent)) {

        q = ngx_queue_head(&conn->sent);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);
        ngx_queue_remove(q);

        PQclear(query->result);
        query->result = NULL;

        ngx_voice_pg_finish(query, NGX_VOICE_PG_DOWN);
    }

    conn->in_flight = 0;
}
