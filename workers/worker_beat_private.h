
/*
 * The heartbeat as its two files see it: worker_beat.c keeps the connection,
 * worker_beat_tell.c knows what is said over it.
 */

#ifndef WORKER_BEAT_PRIVATE_H
#define WORKER_BEAT_PRIVATE_H


#include "worker_beat.h"
#include "worker_db.h"
#include "worker_list.h"


#define BEAT_ENDS_MAX     1024
#define BEAT_RETURNS_MAX  4096
#define BEAT_GONE_MAX     1024


typedef enum {
    BEAT_DOWN = 0,                     /* until retry_at */
    BEAT_CONNECTING,
    BEAT_READY,
    BEAT_ASKING                        /* an answer is awaited */
} beat_state_e;


typedef enum {
    BEAT_ASKS_BEAT = 0,
    BEAT_ASKS_LISTEN,
    BEAT_ASKS_END,                     /* about ends[0] */
    BEAT_ASKS_RETURN,                  /* about the first of the returns */
    BEAT_ASKS_GONE,                    /* about gone[telling] */
    BEAT_ASKS_STOP
} beat_asks_e;


typedef enum {
    BEAT_JOBS = 0,
    BEAT_TOKENS,
    BEAT_QUEUES,
    BEAT_CHILDREN,
    BEAT_LISTS
} beat_list_e;


typedef struct {
    char          job_id[40];
    int64_t       token;
    worker_end_e  end;
    char          error[128];
} beat_end_t;


typedef struct {
    char     job_id[40];
    int64_t  token;
} beat_return_t;


/* A child that is gone, and when SQL is told of it. */
typedef struct {
    int      number;
    int64_t  at_ms;
} beat_gone_t;


struct worker_beat_s {
    const worker_settings_t    *settings;
    worker_beat_collect_pt      collect;
    worker_beat_told_pt         tell;
    void                       *data;

    PGconn                     *conn;
    beat_state_e                state;
    PostgresPollingStatusType   polling;
    int64_t                     deadline;
    int64_t                     retry_at;
    int64_t                     next_beat;
    unsigned                    at;    /* server, see worker_db_params() */
    int                         backoff_ms;
    beat_asks_e                 asks;
    int64_t                     sent_ms;       /* the last beat */
    int64_t                     good_ms;       /* the last answered one */
    int                         told;          /* bool: the log knows */

    worker_list_t               lists[BEAT_LISTS];

    beat_end_t                  ends[BEAT_ENDS_MAX];
    unsigned                    nends;
    beat_return_t               returns[BEAT_RETURNS_MAX];
    unsigned                    nreturns;
    unsigned                    nreturning;    /* in the statement */
    beat_gone_t                 gone[BEAT_GONE_MAX];
    unsigned                    ngone;
    unsigned                    telling;       /* of gone: in the statement */
    int                         listens;       /* bool: this connection */
    int                         stopping;      /* bool: to be told */
};


/*
 * Send a statement: the beat, about ends[0], about all returns, about the
 * first of gone that is due, the last word; to hear of cancelled jobs.  0: the
 * connection is lost, or out of memory.
 */
int worker_beat_send(worker_beat_t *beat);
int worker_beat_send_end(worker_beat_t *beat);
int worker_beat_send_returns(worker_beat_t *beat);
int worker_beat_send_gone(worker_beat_t *beat);
int worker_beat_send_stop(worker_beat_t *beat);
int worker_beat_send_listen(worker_beat_t *beat);

/* The first of gone that is due; -1: none is. */
int worker_beat_gone_due(const worker_beat_t *beat);
/* What was sent of ends, returns, children and the stop is forgotten. */
void worker_beat_told(worker_beat_t *beat);
/* Passes on a row that answers a beat. */
void worker_beat_row(worker_beat_t *beat, const PGresult *result, int row);


#endif /* WORKER_BEAT_PRIVATE_H */
