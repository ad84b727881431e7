
/*
 * The PostgreSQL client's inside: what the pool (ngx_voice_pg.c) and its
 * connections (ngx_voice_pg_conn.c) know of each other.  For no one else.
 */

#ifndef NGX_VOICE_PG_CONN_H
#define NGX_VOICE_PG_CONN_H


#include "ngx_voice_pg.h"


typedef struct ngx_voice_pg_conn_s  ngx_voice_pg_conn_t;


typedef enum {
    NGX_VOICE_PG_CLOSED = 0,           /* opened on demand */
    NGX_VOICE_PG_BACKOFF,              /* timer: the next attempt */
    NGX_VOICE_PG_CONNECTING,           /* timer: connect_timeout */
    NGX_VOICE_PG_READY,                /* timer: idle in an exiting process */
    NGX_VOICE_PG_QUARANTINE            /* timer: the cancelled query's end */
} ngx_voice_pg_conn_e;


typedef enum {
    NGX_VOICE_PG_WAITING = 0,          /* in pool->waiting */
    NGX_VOICE_PG_SENT,                 /* in conn->sent */
    NGX_VOICE_PG_FINISHED              /* in pool->finished */
} ngx_voice_pg_query_e;


/* A server process answers queries in the order of conn->sent. */
struct ngx_voice_pg_conn_s {
    ngx_voice_pg_pool_t   *pool;
    ngx_voice_pg_conn_e    state;
    PGconn                *pg;
    ngx_connection_t      *connection; /* stands for libpq's descriptor */
    ngx_event_t            timer;
    ngx_queue_t            sent;
    ngx_uint_t             in_flight;  /* length of sent */
    ngx_uint_t             attempts;   /* rounds through all servers that
                                          failed since it stood firm */
    ngx_uint_t             tried;      /* servers in this round */
    ngx_uint_t             server;     /* the one of this connection */
    ngx_msec_t             opened;     /* when it became ready */

    ngx_pool_t            *session;    /* lives from open to close */
    ngx_rbtree_t           prepared;   /* by address of the statement */
    ngx_rbtree_node_t      sentinel;
    ngx_uint_t             serial;     /* of statement names prepared anew */

    ngx_voice_pg_query_t  *victim;     /* being cancelled; in sent */
    ngx_voice_pg_query_t  *killer;     /* its cancel, in pool->control */
    unsigned               cancelled:1;   /* a cancel was sent in it */
    unsigned               silent:1;      /* last step gave no result */
    unsigned               demoted:1;     /* takes no writes: no new query */
};


struct ngx_voice_pg_query_s {
    ngx_queue_t                      queue;
    ngx_voice_pg_pool_t             *pool;
    ngx_voice_pg_conn_t             *conn;
    const ngx_voice_pg_statement_t  *statement;
    ngx_voice_pg_query_e             state;
    ngx_voice_pg_e                   outcome;
    PGresult                        *result;
    ngx_event_t                      timer;
    ngx_voice_pg_done_pt             done;
    void                            *data;
    ngx_uint_t                       serial;   /* of the prepared statement */
    const char                      *values[NGX_VOICE_PG_PARAMS_MAX];
    int                              lengths[NGX_VOICE_PG_PARAMS_MAX];
    unsigned                         parsing:1;    /* prepared before it */
    unsigned                         retried:1;
    unsigned                         abandoned:1;  /* nobody waits */
    unsigned                         expired:1;    /* to be cancelled */
};


struct ngx_voice_pg_pool_s {
    ngx_voice_pg_conf_t     *conf;
    ngx_log_t               *log;
    ngx_pool_t              *pool;
    ngx_voice_pg_conn_t     *conns;    /* conf->size of them */
    ngx_uint_t               good;     /* server that last was */
    ngx_queue_t              waiting;
    ngx_queue_t              finished;
    ngx_event_t              deliver;  /* posted while finished is not empty */
    ngx_voice_pg_figures_t   figures;  /* counters, and waiting */

    ngx_voice_pg_pool_t     *control;  /* made at the first cancel */
    ngx_voice_pg_conf_t      control_conf;
    unsigned                 is_control:1;
    unsigned                 destroyed:1;
};


/* ngx_voice_pg.c */

/* Sends what waits to connections that have room. */
void ngx_voice_pg_dispatch(ngx_voice_pg_pool_t *pool);

/*
 * The outcome is known: done is called by a posted event.  The query waits,
 * or has been taken out of conn->sent.
 */
void ngx_voice_pg_finish(ngx_voice_pg_query_t *query, ngx_voice_pg_e outcome);

/* A query that left conn->sent unanswered waits again, before all others. */
void ngx_voice_pg_requeue(ngx_voice_pg_query_t *query);

/* Closes all connections; all queries get NGX_VOICE_PG_DOWN. */
void ngx_voice_pg_reset(ngx_voice_pg_pool_t *pool);

/* If no connection can be hoped for, those who wait are told. */
void ngx_voice_pg_give_up(ngx_voice_pg_pool_t *pool);


/*
 * The deadline of a sent query has passed.  If somebody waits, he is told, and
 * a stand-in takes the query's place in conn->sent.  NULL: out of memory.
 */
ngx_voice_pg_query_t *ngx_voice_pg_expire(ngx_voice_pg_query_t *query);


/* ngx_voice_pg_conn.c: its life */

void ngx_voice_pg_conn_init(ngx_voice_pg_conn_t *conn,
    ngx_voice_pg_pool_t *pool);

/* From NGX_VOICE_PG_CLOSED; failures end in NGX_VOICE_PG_BACKOFF. */
void ngx_voice_pg_conn_open(ngx_voice_pg_conn_t *conn);

/*
 * Ends in NGX_VOICE_PG_CLOSED; queries under way get NGX_VOICE_PG_DOWN.  The
 * connection is not opened again by itself.
 */
void ngx_voice_pg_conn_close(ngx_voice_pg_conn_t *conn);

/* As above, logs the reason and opens it again after a while. */
void ngx_voice_pg_conn_lost(ngx_voice_pg_conn_t *conn, const char *reason);


/* ngx_voice_pg_connect.c */

/* Makes conn->pg, not yet connected.  NGX_ERROR: out of memory. */
ngx_int_t ngx_voice_pg_connect(ngx_voice_pg_conn_t *conn);


/* ngx_voice_pg_statement.c */

/*
 * Moves the query from pool->waiting to conn->sent.  NGX_ERROR: the caller
 * must report the connection lost; a query that was not sent still waits.
 */
ngx_int_t ngx_voice_pg_conn_send(ngx_voice_pg_conn_t *conn,
    ngx_voice_pg_query_t *query);

/* The query's statement does not stand on the server as it should. */
void ngx_voice_pg_conn_forget(ngx_voice_pg_conn_t *conn,
    const ngx_voice_pg_query_t *query);

/* Write interest while libpq could not write all.  NGX_ERROR: it is lost. */
ngx_int_t ngx_voice_pg_conn_flush(ngx_voice_pg_conn_t *conn);


/* ngx_voice_pg_result.c */

/*
 * Takes what the server has answered so far, up to the next wait.  NGX_ERROR:
 * the answers make no sense, the connection must go.
 */
ngx_int_t ngx_voice_pg_conn_results(ngx_voice_pg_conn_t *conn);


/* ngx_voice_pg_cancel.c */

/* The deadline of a sent query has passed: cancel it on the server. */
void ngx_voice_pg_conn_cancel(ngx_voice_pg_query_t *query);

/* After each answer: what may the connection do now? */
void ngx_voice_pg_conn_settle(ngx_voice_pg_conn_t *conn);


#endif /* NGX_VOICE_PG_CONN_H */
