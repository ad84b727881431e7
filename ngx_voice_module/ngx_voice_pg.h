
/*
 * Asynchronous PostgreSQL client on libpq in nginx's event loop: a bounded
 * pool of pipelined connections.  Knows no HTTP.
 */

#ifndef NGX_VOICE_PG_H
#define NGX_VOICE_PG_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <libpq-fe.h>

#include "voice_endpoint.h"


#define NGX_VOICE_PG_PARAMS_MAX  14


typedef struct ngx_voice_pg_pool_s   ngx_voice_pg_pool_t;
typedef struct ngx_voice_pg_query_s  ngx_voice_pg_query_t;


/* Set at configuration time; addresses and paths only, no host names. */
typedef struct {
    ngx_str_t   name;                  /* "main", "slow": logs, metrics */
    voice_endpoints_t  servers;        /* the primary and its standbys; a
                                          path is the socket's directory */
    ngx_uint_t  port;                  /* of servers that have none */
    ngx_uint_t  any;                   /* also one that takes no writes */
    ngx_str_t   dbname;
    ngx_str_t   user;
    ngx_str_t   password;              /* empty: none */
    ngx_uint_t  size;                  /* connections of this process */
    ngx_uint_t  depth;                 /* queries in flight on one of them */
    ngx_uint_t  queue;                 /* waiting queries, at most */
    ngx_msec_t  connect_timeout;
    ngx_msec_t  query_timeout;         /* from submission to answer */
} ngx_voice_pg_conf_t;


/* A statement, prepared on each connection at first use. */
typedef struct {
    ngx_str_t   name;                  /* unique in the pool; NUL after */
    ngx_str_t   text;                  /* NUL after */
    ngx_uint_t  nparams;
    const int  *formats;               /* of each parameter: 0 is text, 1 is
                                          binary; NULL: all are texts */
} ngx_voice_pg_statement_t;


typedef enum {
    NGX_VOICE_PG_RESULT = 0,           /* result holds rows */
    NGX_VOICE_PG_ERROR,                /* result holds the SQL error */
    NGX_VOICE_PG_FULL,                 /* the wait queue is full */
    NGX_VOICE_PG_TIMEOUT,              /* deadline; server side cancelled */
    NGX_VOICE_PG_DOWN                  /* no connection, or it was lost: the
                                          statement may have committed */
} ngx_voice_pg_e;


/*
 * Called exactly once for a query that was not cancelled.  The result is
 * cleared after the return unless the callback takes it (sets *result to
 * NULL): then the taker calls PQclear().  May free what it owns and submit
 * or cancel queries; the query handle is gone.
 */
typedef void (*ngx_voice_pg_done_pt)(void *data, ngx_voice_pg_e outcome,
    PGresult **result);


typedef struct {
    ngx_uint_t  connections;           /* open and usable */
    ngx_uint_t  in_flight;
    ngx_uint_t  waiting;
    ngx_uint_t  connects;              /* counters since process start */
    ngx_uint_t  failures;
    ngx_uint_t  timeouts;
    ngx_uint_t  rejected;
} ngx_voice_pg_figures_t;


/*
 * A pool for this process; conf and statements live as long.  Connections go
 * to whichever of the servers takes writes, are opened at once and reopened
 * with jittered exponential backoff.  The first query that must be cancelled
 * opens one more, for cancels.  A process that exits closes idle connections,
 * and opens one again when needed.  NULL: out of memory.
 */
ngx_voice_pg_pool_t *ngx_voice_pg_create(ngx_voice_pg_conf_t *conf,
    ngx_pool_t *pool, ngx_log_t *log);

/*
 * At the end of the process: closes all connections; every query under way
 * gets NGX_VOICE_PG_DOWN, before this returns.
 */
void ngx_voice_pg_destroy(ngx_voice_pg_pool_t *pool);

/*
 * Runs a statement with its parameters (ptr NULL is SQL NULL; the bytes are
 * copied; a text may not hold NUL).  Each query is its own implicit
 * transaction (one sync).  One that was rolled back by a serialization
 * failure, a deadlock, a stale statement or another query's cancel is run
 * once more; one that met a server which takes no writes any more, until
 * there is one that does, within its time.
 * Returns a handle, valid until done is called; NULL if out of memory.  The
 * callback never runs inside this call.
 */
ngx_voice_pg_query_t *ngx_voice_pg_send(ngx_voice_pg_pool_t *pool,
    const ngx_voice_pg_statement_t *statement, const ngx_str_t *params,
    ngx_voice_pg_done_pt done, void *data);

/*
 * The caller does not want the answer any more: done will not be called.  A
 * query that waits is dropped; one that was sent runs to its end (it may
 * commit) and its result is thrown away.
 */
void ngx_voice_pg_cancel(ngx_voice_pg_query_t *query);

void ngx_voice_pg_figures(const ngx_voice_pg_pool_t *pool,
    ngx_voice_pg_figures_t *figures);


#endif /* NGX_VOICE_PG_H */
