
/*
 * The pool: submission, the wait queue, deadlines, delivery of outcomes.
 *
 * Every outcome goes through pool->finished and a posted event, so that no
 * callback runs while libpq or a list of this client is in use.
 */

#include "ngx_voice_pg_conn.h"


static ngx_voice_pg_query_t *ngx_voice_pg_query_create(
    ngx_voice_pg_pool_t *pool, const ngx_voice_pg_statement_t *statement,
    const ngx_str_t *params);
static ngx_int_t ngx_voice_pg_hopeless(const ngx_voice_pg_pool_t *pool);
static ngx_voice_pg_conn_t *ngx_voice_pg_pick(ngx_voice_pg_pool_t *pool);
static void ngx_voice_pg_open_one(ngx_voice_pg_pool_t *pool);
static void ngx_voice_pg_deadline_handler(ngx_event_t *ev);
static ngx_uint_t ngx_voice_pg_stands(const ngx_voice_pg_pool_t *pool);
static void ngx_voice_pg_deliver_handler(ngx_event_t *ev);
static void ngx_voice_pg_deliver(ngx_voice_pg_pool_t *pool);


ngx_voice_pg_pool_t *
ngx_voice_pg_create(ngx_voice_pg_conf_t *conf, ngx_pool_t *pool,
    ngx_log_t *log)
{
    ngx_uint_t            i;
    ngx_voice_pg_pool_t  *pg;

    pg = ngx_pcalloc(pool, sizeof(ngx_voice_pg_pool_t));
    if (pg == NULL) {
        return NULL;
    }

    pg->conns = ngx_pcalloc(pool, conf->size * sizeof(ngx_voice_pg_conn_t));
    if (pg->conns == NULL) {
        return NULL;
    }

    pg->conf = conf;
    pg->pool = pool;
    pg->log = log;

    ngx_queue_init(&pg->waiting);
    ngx_queue_init(&pg->finished);

    pg->deliver.handler = ngx_voice_pg_deliver_handler;
    pg->deliver.data = pg;
    pg->deliver.log = log;

    for (i = 0; i < conf->size; i++) {
        ngx_voice_pg_conn_init(&pg->conns[i], pg);
    }

    for (i = 0; i < conf->size; i++) {
        ngx_voice_pg_conn_open(&pg->conns[i]);
    }

    return pg;
}


void
ngx_voice_pg_destroy(ngx_voice_pg_pool_t *pool)
{
    if (pool->destroyed) {
        return;
    }

    pool->destroyed = 1;

    ngx_voice_pg_reset(pool);

    if (pool->control != NULL) {
        ngx_voice_pg_destroy(pool->control);
    }

    ngx_voice_pg_deliver(pool);

    if (pool->deliver.posted) {
        ngx_delete_posted_event(&pool->deliver);
    }
}


void
ngx_voice_pg_reset(ngx_voice_pg_pool_t *pool)
{
    ngx_uint_t             i;
    ngx_queue_t           *q;
    ngx_voice_pg_query_t  *query;

    for (i = 0; i < pool->conf->size; i++) {
        ngx_voice_pg_conn_close(&pool->conns[i]);
    }

    while (!ngx_queue_empty(&pool->waiting)) {
        q = ngx_queue_head(&pool->waiting);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);
        ngx_voice_pg_finish(query, NGX_VOICE_PG_DOWN);
    }
}


ngx_voice_pg_query_t *
ngx_voice_pg_send(ngx_voice_pg_pool_t *pool,
    const ngx_voice_pg_statement_t *statement, const ngx_str_t *params,
    ngx_voice_pg_done_pt done, void *data)
{
    ngx_voice_pg_query_t  *query;

    if (pool->destroyed) {
        return NULL;
    }

    query = ngx_voice_pg_query_create(pool, statement, params);
    if (query == NULL) {
        return NULL;
    }

    query->done = done;
    query->data = data;

    ngx_queue_insert_tail(&pool->waiting, &query->queue);
    pool->figures.waiting++;

    if (ngx_voice_pg_hopeless(pool) == NGX_OK) {
        ngx_voice_pg_finish(query, NGX_VOICE_PG_DOWN);
        return query;
    }

    /* not cancelable: a process that exits finishes what it was asked */
    ngx_add_timer(&query->timer, pool->conf->query_timeout);

    ngx_voice_pg_dispatch(pool);

    if (query->state == NGX_VOICE_PG_WAITING
        && pool->figures.waiting > pool->conf->queue)
    {
        pool->figures.rejected++;
        ngx_voice_pg_finish(query, NGX_VOICE_PG_FULL);
    }

    return query;
}


void
ngx_voice_pg_cancel(ngx_voice_pg_query_t *query)
{
    query->abandoned = 1;
    query->done = NULL;

    switch (query->state) {

    case NGX_VOICE_PG_WAITING:
        ngx_voice_pg_finish(query, NGX_VOICE_PG_DOWN);
        break;

    case NGX_VOICE_PG_SENT:
        /* it keeps its deadline, but no process alive */
        query->timer.cancelable = 1;
        break;

    case NGX_VOICE_PG_FINISHED:
        break;
    }
}


void
ngx_voice_pg_figures(const ngx_voice_pg_pool_t *pool,
    ngx_voice_pg_figures_t *figures)
{
    ngx_uint_t            i;
    ngx_voice_pg_conn_t  *conn;

    *figures = pool->figures;

    for (i = 0; i < pool->conf->size; i++) {
        conn = &pool->conns[i];

        if (conn->state == NGX_VOICE_PG_READY) {
            figures->connections++;
        }

        figures->in_flight += conn->in_flight;
    }
}


void
ngx_voice_pg_dispatch(ngx_voice_pg_pool_t *pool)
{
    ngx_queue_t           *q;
    ngx_voice_pg_conn_t   *conn;
    ngx_voice_pg_query_t  *query;

    while (!ngx_queue_empty(&pool->waiting)) {

        conn = ngx_voice_pg_pick(pool);

        if (conn == NULL) {
            ngx_voice_pg_open_one(pool);
            return;
        }

        q = ngx_queue_head(&pool->waiting);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);

        if (ngx_voice_pg_conn_send(conn, query) == NGX_OK) {
            continue;
        }

        /* nothing of it can have run: another connection may take it once */
        if (query->state == NGX_VOICE_PG_WAITING && query->retried) {
            ngx_voice_pg_finish(query, NGX_VOICE_PG_DOWN);
        }

        query->retried = 1;

        ngx_voice_pg_conn_lost(conn, PQerrorMessage(conn->pg));
    }
}


void
ngx_voice_pg_finish(ngx_voice_pg_query_t *query, ngx_voice_pg_e outcome)
{
    ngx_voice_pg_pool_t  *pool;

    pool = query->pool;

    if (query->state == NGX_VOICE_PG_WAITING) {
        ngx_queue_remove(&query->queue);
        pool->figures.waiting--;
    }

    if (query->timer.timer_set) {
        ngx_del_timer(&query->timer);
    }

    query->conn = NULL;
    query->state = NGX_VOICE_PG_FINISHED;
    query->outcome = outcome;

    ngx_queue_insert_tail(&pool->finished, &query->queue);

    if (!pool->deliver.posted) {
        ngx_post_event(&pool->deliver, &ngx_posted_events);
    }
}


void
ngx_voice_pg_requeue(ngx_voice_pg_query_t *query)
{
    query->conn = NULL;
    query->state = NGX_VOICE_PG_WAITING;
    query->parsing = 0;

    ngx_queue_insert_head(&query->pool->waiting, &query->queue);
    query->pool->figures.waiting++;
}


void
ngx_voice_pg_give_up(ngx_voice_pg_pool_t *pool)
{
    ngx_queue_t           *q;
    ngx_voice_pg_query_t  *query;

    if (pool->destroyed || ngx_voice_pg_hopeless(pool) != NGX_OK) {
        return;
    }

    while (!ngx_queue_empty(&pool->waiting)) {
        q = ngx_queue_head(&pool->waiting);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);
        ngx_voice_pg_finish(query, NGX_VOICE_PG_DOWN);
    }
}


ngx_voice_pg_query_t *
ngx_voice_pg_expire(ngx_voice_pg_query_t *query)
{
    ngx_voice_pg_query_t  *ghost;

    if (query->abandoned) {
        query->expired = 1;
        return query;
    }

    ghost = ngx_alloc(sizeof(ngx_voice_pg_query_t), query->pool->log);
    if (ghost == NULL) {
        return NULL;
    }

    *ghost = *query;

    ngx_memzero(&ghost->timer, sizeof(ngx_event_t));
    ghost->abandoned = 1;
    ghost->expired = 1;

    query->result = NULL;

    ngx_queue_insert_after(&query->queue, &ghost->queue);
    ngx_queue_remove(&query->queue);

    ngx_voice_pg_finish(query, NGX_VOICE_PG_TIMEOUT);

    return ghost;
}


static ngx_voice_pg_query_t *
ngx_voice_pg_query_create(ngx_voice_pg_pool_t *pool,
    const ngx_voice_pg_statement_t *statement, const ngx_str_t *params)
{
    u_char                *p;
    size_t                 size;
    ngx_uint_t             i;
    ngx_voice_pg_query_t  *query;

    if (statement->nparams > NGX_VOICE_PG_PARAMS_MAX) {
        return NULL;
    }

    size = sizeof(ngx_voice_pg_query_t);

    for (i = 0; i < statement->nparams; i++) {
        size += params[i].len + 1;
    }

    /* a request may end before its query: not of any pool */
    query = ngx_alloc(size, pool->log);
    if (query == NULL) {
        return NULL;
    }

    ngx_memzero(query, sizeof(ngx_voice_pg_query_t));
    p = (u_char *) query + sizeof(ngx_voice_pg_query_t);

    for (i = 0; i < statement->nparams; i++) {

        if (params[i].data == NULL) {
            continue;
        }

        query->values[i] = (char *) p;
        query->lengths[i] = (int) params[i].len;
        p = ngx_cpymem(p, params[i].data, params[i].len);
        *p++ = '\0';
    }

    query->pool = pool;
    query->statement = statement;
    query->timer.handler = ngx_voice_pg_deadline_handler;
    query->timer.data = query;
    query->timer.log = pool->log;

    return query;
}


/*
 * NGX_OK: no connection stands, and each was refused since it last did, so
 * waiting is of no use.
 */
static ngx_int_t
ngx_voice_pg_hopeless(const ngx_voice_pg_pool_t *pool)
{
    ngx_uint_t                  i;
    const ngx_voice_pg_conn_t  *conn;

    for (i = 0; i < pool->conf->size; i++) {
        conn = &pool->conns[i];

        switch (conn->state) {

        case NGX_VOICE_PG_BACKOFF:
        case NGX_VOICE_PG_CONNECTING:
            if (conn->attempts != 0) {
                continue;
            }
            break;

        case NGX_VOICE_PG_CLOSED:
        case NGX_VOICE_PG_READY:
        case NGX_VOICE_PG_QUARANTINE:
            break;
        }

        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* The one with the fewest queries in flight, if any has room. */
static ngx_voice_pg_conn_t *
ngx_voice_pg_pick(ngx_voice_pg_pool_t *pool)
{
    ngx_uint_t            i;
    ngx_voice_pg_conn_t  *conn, *best;

    best = NULL;

    for (i = 0; i < pool->conf->size; i++) {
        conn = &pool->conns[i];

        if (conn->state != NGX_VOICE_PG_READY || conn->demoted
            || conn->in_flight >= pool->conf->depth)
        {
            continue;
        }

        if (best == NULL || conn->in_flight < best->in_flight) {
            best = conn;
        }
    }

    return best;
}


/* A process that exits has closed idle ones: one at a time comes back. */
static void
ngx_voice_pg_open_one(ngx_voice_pg_pool_t *pool)
{
    ngx_uint_t            i;
    ngx_voice_pg_conn_t  *closed;

    closed = NULL;

    for (i = 0; i < pool->conf->size; i++) {

        if (pool->conns[i].state == NGX_VOICE_PG_CONNECTING) {
            return;
        }

        if (pool->conns[i].state == NGX_VOICE_PG_CLOSED) {
            closed = &pool->conns[i];
        }
    }

    if (closed != NULL) {
        ngx_voice_pg_conn_open(closed);
    }
}


static void
ngx_voice_pg_deadline_handler(ngx_event_t *ev)
{
    ngx_voice_pg_query_t  *query;

    query = ev->data;

    query->pool->figures.timeouts++;

    if (query->state == NGX_VOICE_PG_SENT) {
        ngx_voice_pg_conn_cancel(query);
        return;
    }

    ngx_voice_pg_finish(query, ngx_voice_pg_stands(query->pool)
                               ? NGX_VOICE_PG_TIMEOUT : NGX_VOICE_PG_DOWN);
}


/* True: at least one connection is open, busy as it may be. */
static ngx_uint_t
ngx_voice_pg_stands(const ngx_voice_pg_pool_t *pool)
{
    ngx_uint_t  i;

    for (i = 0; i < pool->conf->size; i++) {

        if (pool->conns[i].state == NGX_VOICE_PG_READY
            || pool->conns[i].state == NGX_VOICE_PG_QUARANTINE)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_voice_pg_deliver_handler(ngx_event_t *ev)
{
    ngx_voice_pg_deliver(ev->data);
}


static void
ngx_voice_pg_deliver(ngx_voice_pg_pool_t *pool)
{
    PGresult              *result;
    ngx_queue_t           *q;
    ngx_voice_pg_query_t  *query;

    while (!ngx_queue_empty(&pool->finished)) {

        q = ngx_queue_head(&pool->finished);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);
        ngx_queue_remove(q);

        result = query->result;

        if (!query->abandoned) {
            query->done(query->data, query->outcome, &result);
        }

        PQclear(result);
        ngx_free(query);
    }
}
