
/*
 * Answers of the server, in the order of conn->sent.  A query's own answer is
 * final only with the answer to its sync: until then its transaction has not
 * committed.
 */

#include "ngx_voice_pg_conn.h"


typedef struct {
    char         sqlstate[6];
    const char  *function;             /* of the server's source; NULL: any */
    unsigned     forget:1;             /* prepare the statement again */
    unsigned     cancelled:1;          /* only where a cancel was sent */
    unsigned     elsewhere:1;          /* by another server, however often */
} ngx_voice_pg_retry_t;


static ngx_int_t ngx_voice_pg_take(ngx_voice_pg_conn_t *conn,
    ngx_voice_pg_query_t *query, PGresult *result);
static ngx_int_t ngx_voice_pg_answered(ngx_voice_pg_conn_t *conn,
    ngx_voice_pg_query_t *query);
static ngx_int_t ngx_voice_pg_again(ngx_voice_pg_conn_t *conn,
    ngx_voice_pg_query_t *query);
static const ngx_voice_pg_retry_t *ngx_voice_pg_find_retry(
    const PGresult *result);


/* Errors that rolled the query back whole, and that a second try may avoid. */
static const ngx_voice_pg_retry_t  ngx_voice_pg_retries[] = {
    /* the statement is gone, or its result type has changed */
    { "26000", NULL, 1, 0, 0 },
    { "0A000", "RevalidateCachedQuery", 1, 0, 0 },
    /* a cancel that was meant for the query before */
    { "57014", NULL, 0, 1, 0 },
    /* serialization failure, deadlock */
    { "40001", NULL, 0, 0, 0 },
    { "40P01", NULL, 0, 0, 0 },
    /* read_only_sql_transaction: it was the primary */
    { "25006", NULL, 0, 0, 1 }
};


ngx_int_t
ngx_voice_pg_conn_results(ngx_voice_pg_conn_t *conn)
{
    PGresult              *result;
    ngx_queue_t           *q;
    ngx_voice_pg_query_t  *query;

    while (!PQisBusy(conn->pg) && !ngx_queue_empty(&conn->sent)) {

        result = PQgetResult(conn->pg);

        if (result == NULL) {

            /* NULL ends each step but the sync; twice is no progress */
            if (conn->silent) {
                return (PQstatus(conn->pg) == CONNECTION_BAD) ? NGX_OK
                                                              : NGX_ERROR;
            }

            conn->silent = 1;
            continue;
        }

        conn->silent = 0;

        q = ngx_queue_head(&conn->sent);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);

        if (ngx_voice_pg_take(conn, query, result) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Takes over the result. */
static ngx_int_t
ngx_voice_pg_take(ngx_voice_pg_conn_t *conn, ngx_voice_pg_query_t *query,
    PGresult *result)
{
    switch (PQresultStatus(result)) {

    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        return ngx_voice_pg_answered(conn, query);

    case PGRES_PIPELINE_ABORTED:
        PQclear(result);
        return NGX_OK;

    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:

        if (query->parsing) {
            query->parsing = 0;
            PQclear(result);
            return NGX_OK;
        }

        query->outcome = NGX_VOICE_PG_RESULT;
        break;

    case PGRES_FATAL_ERROR:

        /* also at the sync, by a deferred constraint */
        query->outcome = NGX_VOICE_PG_ERROR;
        break;

    default:
        PQclear(result);
        return NGX_ERROR;
    }

    PQclear(query->result);
    query->result = result;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_pg_answered(ngx_voice_pg_conn_t *conn, ngx_voice_pg_query_t *query)
{
    ngx_int_t  rc;

    if (query->result == NULL) {
        query->outcome = NGX_VOICE_PG_DOWN;
    }

    /* its parsing failed: those sent after it are refused with 26000 */
    if (query->parsing) {
        ngx_voice_pg_conn_forget(conn, query);
    }

    ngx_queue_remove(&query->queue);
    conn->in_flight--;

    if (conn->victim == query) {
        conn->victim = NULL;
    }

    rc = ngx_voice_pg_again(conn, query);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_voice_pg_finish(query, query->outcome);
    }

    ngx_voice_pg_conn_settle(conn);

    return NGX_OK;
}


/* NGX_OK: the query has its second try; NGX_ERROR: the connection must go. */
static ngx_int_t
ngx_voice_pg_again(ngx_voice_pg_conn_t *conn, ngx_voice_pg_query_t *query)
{
    const ngx_voice_pg_retry_t  *retry;

    if (query->outcome != NGX_VOICE_PG_ERROR) {
        return NGX_DECLINED;
    }

    retry = ngx_voice_pg_find_retry(query->result);

    if (retry == NULL || (retry->cancelled && !conn->cancelled)) {
        return NGX_DECLINED;
    }

    if (retry->forget) {
        ngx_voice_pg_conn_forget(conn, query);
    }

    if (retry->elsewhere) {

        if (conn->pool->conf->any) {
            return NGX_DECLINED;
        }

        conn->demoted = 1;
    }

    if ((query->retried && !retry->elsewhere) || query->abandoned) {
        return NGX_DECLINED;
    }

    query->retried = 1;

    PQclear(query->result);
    query->result = NULL;

    ngx_voice_pg_requeue(query);

    /* here, where the statement was forgotten: others may be as stale */
    if (retry->forget && conn->state == NGX_VOICE_PG_READY) {
        return ngx_voice_pg_conn_send(conn, query);
    }

    return NGX_OK;
}


static const ngx_voice_pg_retry_t *
ngx_voice_pg_find_retry(const PGresult *result)
{
    ngx_uint_t                   i;
    const char                  *sqlstate, *function;
    const ngx_voice_pg_retry_t  *retry;

    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    if (sqlstate == NULL) {
        return NULL;
    }

    for (i = 0;
         i < sizeof(ngx_voice_pg_retries) / sizeof(ngx_voice_pg_retries[0]);
         i++)
    {
        retry = &ngx_voice_pg_retries[i];

        if (ngx_strcmp(retry->sqlstate, sqlstate) != 0) {
            continue;
        }

        if (retry->function == NULL
            || (function != NULL
                && ngx_strcmp(retry->function, function) == 0))
        {
            return retry;
        }
    }

    return NULL;
}
