
/*
 * Limits: private to the files ngx_voice_limit*.c.  The arithmetic stands in
 * lib/voice_lease.h.
 */

#ifndef NGX_VOICE_LIMIT_H
#define NGX_VOICE_LIMIT_H


#include "ngx_voice.h"
#include "voice_lease.h"


#define NGX_VOICE_LIMIT_KEY_MAX   144      /* bytes of a bucket's name */
#define NGX_VOICE_LIMIT_NAME_MAX  32       /* bytes of a class */
#define NGX_VOICE_LIMIT_BUCKETS   4        /* that one request takes from */
#define NGX_VOICE_LIMIT_ID_LEN    32       /* hex digits */


typedef enum {
    NGX_VOICE_LIMIT_OFF = 0,               /* not judged */
    NGX_VOICE_LIMIT_JUDGING,
    NGX_VOICE_LIMIT_ADMITTED,
    NGX_VOICE_LIMIT_REFUSED,
    NGX_VOICE_LIMIT_DRY_RUN                /* would have been refused */
} ngx_voice_limit_e;


/* A bucket of this node, in the zone. */
typedef struct {
    ngx_rbtree_node_t  node;               /* node.key: hash of the name */
    ngx_queue_t        queue;
    int64_t            used;               /* last time */
    voice_bucket_t     bucket;
    size_t             len;
    u_char             key[NGX_VOICE_LIMIT_KEY_MAX];
} ngx_voice_limit_row_t;


/* What the processes of a node share; under the mutex of the zone. */
struct ngx_voice_limits_s {
    voice_node_t       node;
    u_char             id[NGX_VOICE_LIMIT_ID_LEN];
    int64_t            refreshed;          /* a registration was sent */
    int64_t            crowded;            /* it is refused since; 0: not */
    int64_t            warned;             /* the log was told so */
    int64_t            complained;         /* of an answer of Redis */
    ngx_rbtree_t       rows;
    ngx_rbtree_node_t  sentinel;
    ngx_queue_t        recent;             /* rows, newest first */
};


/* A bucket that a request takes from. */
typedef struct {
    const char        *class;              /* its name, "" of a key's ... */
    const char        *suffix;             /* ... and this, for the client */
    ngx_voice_rate_t   rate;
    voice_ask_t        ask;                /* what it wants of Redis ... */
    voice_limit_t      limit;              /* ... and, if so, its figures */
    int64_t            good;               /* the token it gave may be spent
                                              until then */
    size_t             len;
    u_char             key[NGX_VOICE_LIMIT_KEY_MAX];
} ngx_voice_limit_bucket_t;


typedef struct ngx_voice_limit_ask_s  ngx_voice_limit_ask_t;

/* The limits of one request; in its pool. */
struct ngx_voice_limit_s {
    ngx_voice_limit_e          status;
    ngx_uint_t                 nbuckets;
    ngx_uint_t                 at;         /* that is to be taken from now */
    ngx_uint_t                 tries;      /* of asking for it */
    ngx_uint_t                 rounds;     /* begun anew, over all buckets */
    ngx_voice_limit_ask_t     *ask;        /* under way, or NULL */
    ngx_uint_t                 tightest;   /* bucket, to be reported */
    int64_t                    left;       /* in that */
    int64_t                    reset;      /* seconds until it is full, or
                                              until the next try */
    unsigned                   asked:1;    /* Redis gave a token */
    unsigned                   alone:1;    /* ... could not be asked */
    ngx_voice_limit_bucket_t   buckets[NGX_VOICE_LIMIT_BUCKETS];
};


/* A command under way; of no pool: it outlives requests. */
struct ngx_voice_limit_ask_s {
    ngx_voice_main_conf_t     *conf;
    ngx_voice_ctx_t           *ctx;        /* NULL: nobody waits */
    voice_ask_t                ask;
    voice_limit_t              limit;
    ngx_uint_t                 whole;      /* sent as EVAL */
    size_t                     len;        /* of key; 0: only registers */
    u_char                     key[NGX_VOICE_LIMIT_KEY_MAX];
};


/* What of a process talks to Redis. */
struct ngx_voice_limiter_s {
    ngx_voice_main_conf_t     *conf;
    ngx_event_t                timer;
    ngx_uint_t                 connects;   /* the connection that was greeted
                                              with the whole script */
    u_char                     sha[VOICE_LEASE_SHA1_LEN];
};


/* CLOCK_MONOTONIC in microseconds. */
int64_t ngx_voice_limit_now(void);

/* ngx_voice_limit_bucket.c */
/* Fills in which buckets a request takes from. */
void ngx_voice_limit_buckets(ngx_voice_ctx_t *ctx,
    ngx_voice_limit_t *limit);
/* The bucket of failures of the client's address. */
void ngx_voice_limit_failures(ngx_voice_ctx_t *ctx,
    ngx_voice_limit_bucket_t *bucket);

/* ngx_voice_limit_row.c: under the mutex. */
/* NULL: there is none. */
ngx_voice_limit_row_t *ngx_voice_limit_row_find(ngx_voice_limits_t *limits,
    const u_char *key, size_t len);
/*
 * Makes it if need be, maybe in the place of another one; NULL: the zone is
 * full.
 */
ngx_voice_limit_row_t *ngx_voice_limit_row(ngx_voice_main_conf_t *mcf,
    const ngx_voice_limit_bucket_t *bucket, int64_t now);

/* ngx_voice_limit_hold.c: what a request holds of the buckets before at. */
/*
 * Under the mutex, before more is taken: tokens that waited too long for
 * other buckets are replaced by ones of this node, else all begins anew.
 * NGX_DECLINED: too often.
 */
ngx_int_t ngx_voice_limit_renew(ngx_voice_main_conf_t *mcf,
    ngx_voice_limit_t *limit, int64_t now);
/* Gives back what is still good. */
void ngx_voice_limit_give_back(ngx_voice_main_conf_t *mcf,
    ngx_voice_limit_t *limit);

/* ngx_voice_limit_lease.c */
/*
 * Sends what a bucket wants; a request that waits for it (ctx, or NULL) will
 * be told.  NGX_DECLINED: it cannot be sent.
 */
ngx_int_t ngx_voice_limit_ask(ngx_voice_main_conf_t *mcf,
    ngx_voice_ctx_t *ctx, const ngx_voice_limit_bucket_t *bucket);
/* Has there been no connection to Redis yet, nor a failure? */
ngx_uint_t ngx_voice_limit_connecting(ngx_voice_main_conf_t *mcf);

/* ngx_voice_limit.c: what became of a request's question. */
/* rc: 1 taken, 0 refused for wait, -1 to be asked again. */
void ngx_voice_limit_told(ngx_voice_ctx_t *ctx, int rc, int64_t wait);
/* The bucket with the least left is told to the client; under the mutex. */
void ngx_voice_limit_report(ngx_voice_limit_t *limit,
    const voice_bucket_t *bucket, int64_t now);
/* It got no answer. */
void ngx_voice_limit_untold(ngx_voice_ctx_t *ctx);


#endif /* NGX_VOICE_LIMIT_H */
