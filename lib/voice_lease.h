
/*
 * Limits that are exact over several nodes: how a bucket of rate r and burst
 * B is split between Redis and N nodes, and what one node does with its
 * share.  docs/limits.md says why no window of w seconds admits more than
 * B + rw; the script that runs in Redis is voice_lease_script.
 *
 * Times are microseconds.  "now" is of a monotonic clock that the processes
 * of a node share; what is called Redis's time is the time of day there.
 * Nothing here locks: the caller holds the lock of the node.
 */

#ifndef VOICE_LEASE_H
#define VOICE_LEASE_H


#include "voice_base.h"


#define VOICE_LEASE_SHA1_LEN   40          /* hex digits */
#define VOICE_LEASE_NODES_MAX  1000
#define VOICE_LEASE_TERM       2000000     /* of a registration */
#define VOICE_LEASE_REFRESH    500000      /* between two */
#define VOICE_LEASE_AHEAD      100         /* tokens a second from which a
                                              node leases ahead */


/* The figures of a bucket and what follows from them. */
typedef struct {
    int64_t   rate;                        /* tokens a second, from 1 */
    int64_t   burst;                       /* tokens at once, from 1 */
    int64_t   nodes;                       /* declared, from 1 */
    int64_t   share;                       /* a node holds so many, at most */
    int64_t   batch;                       /* a lease is worth so many; 0:
                                              each request asks Redis, what
                                              is held is for when it has
                                              nothing or is away */
    int64_t   patience;                    /* a token that Redis gave to one
                                              request is good so long */
    int64_t   alone;                       /* a node by itself earns a token
                                              in this time */
    double    capacity;                    /* tokens in Redis, at most */
    double    interval;                    /* one is added in this time */
} voice_limit_t;


/* What a node knows of its registration; zero but for started: nothing. */
typedef struct {
    int64_t   started;                     /* the node's first moment */
    int64_t   heard;                       /* when Redis answered last */
    int64_t   redis;                       /* its time in that answer; 0:
                                              never */
    int64_t   deadline;                    /* the latest that was ever sent,
                                              Redis's time; 0: none */
} voice_node_t;


/* One bucket on one node. */
typedef struct {
    voice_limit_t  limit;
    int64_t        tokens;                 /* held, up to limit.share */
    int64_t        earned;                 /* all time before is paid */
    int64_t        quiet;                  /* Redis is not asked before */
    int64_t        leased;                 /* tokens on their way; 0: none */
    int64_t        overdue;                /* ... and lost from then on */
    uint64_t       lease;                  /* number of the latest lease */
    int64_t        rest;                   /* left in Redis at its last
                                              answer ... */
    int64_t        asked;                  /* ... which was then */
    int64_t        pace;                   /* time of a token in Redis, by
                                              that answer */
    unsigned       empty:1;                /* it left nothing */
    unsigned       short_of:1;             /* quiet is longer than it said:
                                              more is wanted than there is */
} voice_bucket_t;


typedef enum {
    VOICE_TAKE_LOCAL = 0,                  /* admitted by a token held */
    VOICE_TAKE_ASK,                        /* Redis decides */
    VOICE_TAKE_REFUSED                     /* not before ask.wait is over */
} voice_take_e;


/* What is to be asked of Redis; want 0: nothing. */
typedef struct {
    int64_t   want;                        /* tokens, at most */
    int64_t   least;                       /* fewer are not given */
    int64_t   batch;                       /* a refusal names the time when
                                              there are so many */
    uint64_t  lease;                       /* its number; 0: no lease */
    int64_t   sent;                        /* when it was asked for */
    int64_t   wait;                        /* of VOICE_TAKE_REFUSED */
    unsigned  own:1;                       /* a request waits for it; cleared
                                              when that has gone away */
} voice_ask_t;


typedef enum {
    VOICE_ANSWER_OK = 0,
    VOICE_ANSWER_UNKNOWN,                  /* register first: no deadline, or
                                              one that is past */
    VOICE_ANSWER_CROWDED                   /* N + 1 others are registered */
} voice_answer_e;


/* The reply of the script, in its order. */
typedef struct {
    int64_t   status;                      /* voice_answer_e */
    int64_t   redis;                       /* its time */
    int64_t   granted;                     /* tokens */
    int64_t   wait;                        /* until there are some again; 0:
                                              there are */
    int64_t   rest;                        /* tokens left */
    int64_t   pace;                        /* time of a token now */
    int64_t   born;                        /* 1: data were lost, an epoch
                                              began with empty buckets */
} voice_answer_t;


/*
 * The script.  KEYS: clock, buckets, nodes.  ARGV: 1 to look whether this is
 * another Redis (else 0), N, id of the node, deadline, name of a bucket or
 * "" to register only, its interval, its capacity, want, least, batch.
 * What it calls by EVALSHA must have been called by EVAL with a 1 before, on
 * the same connection.
 */
extern const char  voice_lease_script[];


/* All from 1; nodes up to VOICE_LEASE_NODES_MAX. */
void voice_limit_set(voice_limit_t *limit, int64_t rate, int64_t burst,
    int64_t nodes);

/* Until when a token that was got at a time may be spent. */
int64_t voice_limit_good(const voice_limit_t *limit, int64_t got);

/* Redis answered. */
void voice_node_heard(voice_node_t *node, int64_t redis, int64_t now);
/*
 * The deadline to send; 0: Redis's time is not known, or no more.  Before the
 * bytes leave, node->deadline must be raised to it by voice_node_claim().
 */
int64_t voice_node_deadline(const voice_node_t *node, int64_t now);
void voice_node_claim(voice_node_t *node, int64_t deadline);
/*
 * Since when Redis surely counts the node no more; in the future while it
 * may.
 */
int64_t voice_node_alone(const voice_node_t *node);

/* A new one holds nothing. */
void voice_bucket_init(voice_bucket_t *bucket, const voice_limit_t *limit,
    int64_t now);
/* The same bucket with other figures. */
void voice_bucket_set(voice_bucket_t *bucket, const voice_limit_t *limit);
/*
 * Takes a token for one request.  Where ask->want is not 0 it is to be sent,
 * also behind the back of a request that has its token or is refused; what
 * becomes of it must be told by voice_bucket_unsent() or _answered().
 */
voice_take_e voice_bucket_take(voice_bucket_t *bucket,
    const voice_node_t *node, int64_t now, voice_ask_t *ask);
/* The time until it may have a token again; 0: it may have one now. */
int64_t voice_bucket_refusing(voice_bucket_t *bucket,
    const voice_node_t *node, int64_t now);
/* It could not be sent, or the connection was lost. */
void voice_bucket_unsent(voice_bucket_t *bucket, const voice_ask_t *ask);
/*
 * The answer, with status OK.  1: here is the token of the request that
 * asked; 0: there is none; -1: it came too late, the request may ask again.
 */
int voice_bucket_answered(voice_bucket_t *bucket, const voice_ask_t *ask,
    const voice_answer_t *answer, int64_t now);
/* A token, still good, was not needed after all. */
void voice_bucket_give_back(voice_bucket_t *bucket);
/*
 * Takes a token without Redis.  0: taken; else the time until there is one;
 * -1: there will be none.
 */
int64_t voice_bucket_take_alone(voice_bucket_t *bucket,
    const voice_node_t *node, int64_t now);
/* About how many are left for this node to spend. */
int64_t voice_bucket_left(const voice_bucket_t *bucket, int64_t now);


#endif /* VOICE_LEASE_H */
