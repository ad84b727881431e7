
/*
 * Prepared statements: each is parsed on a connection at its first use, in
 * the same flight as the query that needs it.
 */

#include "ngx_voice_pg_conn.h"


#define NGX_VOICE_PG_NAME_LEN  64


/* A statement on this connection. */
typedef struct {
    ngx_rbtree_node_t  node;           /* key: address of the statement */
    ngx_uint_t         serial;
    ngx_uint_t         sent;           /* prepared, or about to be */
    char               name[NGX_VOICE_PG_NAME_LEN];
} ngx_voice_pg_prepared_t;


static ngx_voice_pg_prepared_t *ngx_voice_pg_conn_prepared(
    ngx_voice_pg_conn_t *conn, const ngx_voice_pg_statement_t *statement);


ngx_int_t
ngx_voice_pg_conn_send(ngx_voice_pg_conn_t *conn, ngx_voice_pg_query_t *query)
{
    const ngx_voice_pg_statement_t  *statement;
    ngx_voice_pg_prepared_t         *prepared;

    statement = query->statement;

    prepared = ngx_voice_pg_conn_prepared(conn, statement);
    if (prepared == NULL) {
        return NGX_ERROR;
    }

    query->parsing = !prepared->sent;

    if (!prepared->sent
        && !PQsendPrepare(conn->pg, prepared->name,
                          (char *) statement->text.data,
                          (int) statement->nparams, NULL))
    {
        return NGX_ERROR;
    }

    if (!PQsendQueryPrepared(conn->pg, prepared->name,
                             (int) statement->nparams, query->values,
                             query->lengths, statement->formats, 0)
        || !PQpipelineSync(conn->pg))
    {
        return NGX_ERROR;
    }

    prepared->sent = 1;

    ngx_queue_remove(&query->queue);
    query->pool->figures.waiting--;

    query->serial = prepared->serial;
    query->conn = conn;
    query->state = NGX_VOICE_PG_SENT;

    ngx_queue_insert_tail(&conn->sent, &query->queue);
    conn->in_flight++;
    conn->connection->idle = 0;

    if (conn->state == NGX_VOICE_PG_READY && conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    return ngx_voice_pg_conn_flush(conn);
}


void
ngx_voice_pg_conn_forget(ngx_voice_pg_conn_t *conn,
    const ngx_voice_pg_query_t *query)
{
    ngx_voice_pg_prepared_t  *prepared;

    prepared = ngx_voice_pg_conn_prepared(conn, query->statement);

    if (prepared == NULL || prepared->serial != query->serial) {
        return;
    }

    /* under a new name: the old one may still stand on the server */
    prepared->sent = 0;
    prepared->serial = ++conn->serial;

    (void) ngx_snprintf((u_char *) prepared->name, NGX_VOICE_PG_NAME_LEN,
                        "%*s.%ui%Z",
                        ngx_min(query->statement->name.len, 40),
                        query->statement->name.data, prepared->serial);
}


/* Write interest while libpq could not write all. */
ngx_int_t
ngx_voice_pg_conn_flush(ngx_voice_pg_conn_t *conn)
{
    int           left;
    ngx_event_t  *wev;

    wev = conn->connection->write;
    left = PQflush(conn->pg);

    if (left < 0 || PQstatus(conn->pg) == CONNECTION_BAD) {
        return NGX_ERROR;
    }

    if (left == 0) {
        return wev->active ? ngx_del_event(wev, NGX_WRITE_EVENT, 0) : NGX_OK;
    }

    return wev->active ? NGX_OK
                       : ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
}


/* Finds or makes the connection's record of a statement. */
static ngx_voice_pg_prepared_t *
ngx_voice_pg_conn_prepared(ngx_voice_pg_conn_t *conn,
    const ngx_voice_pg_statement_t *statement)
{
    ngx_rbtree_key_t          key;
    ngx_rbtree_node_t        *node;
    ngx_voice_pg_prepared_t  *prepared;

    key = (ngx_rbtree_key_t) statement;
    node = conn->prepared.root;

    while (node != &conn->sentinel) {

        if (key == node->key) {
            return (ngx_voice_pg_prepared_t *) node;
        }

        node = (key < node->key) ? node->left : node->right;
    }

    prepared = ngx_pcalloc(conn->session, sizeof(ngx_voice_pg_prepared_t));
    if (prepared == NULL) {
        return NULL;
    }

    prepared->node.key = key;
    (void) ngx_cpystrn((u_char *) prepared->name, statement->name.data,
                       NGX_VOICE_PG_NAME_LEN);

    ngx_rbtree_insert(&conn->prepared, &prepared->node);

    return prepared;
}
