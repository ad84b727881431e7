
/*
 * Asynchronous Redis client on hiredis in nginx's event loop: one connection
 * to the master, whichever of several servers that is, reopened with jittered
 * backoff, a timer for each step and each command.  Knows no HTTP.
 */

#ifndef NGX_VOICE_REDIS_H
#define NGX_VOICE_REDIS_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <hiredis/async.h>

#include "voice_endpoint.h"
#include "voice_redis.h"


typedef struct ngx_voice_redis_s          ngx_voice_redis_t;
typedef struct ngx_voice_redis_command_s  ngx_voice_redis_command_t;


typedef struct {
    voice_endpoints_t      servers;    /* n 0: Sentinels are asked */
    in_port_t              port;       /* of servers that have none */
    voice_endpoints_t      sentinels;  /* n 0: none */
    ngx_str_t              master;     /* its name at the Sentinels */
    ngx_str_t              sentinel_password;  /* empty: none */
    ngx_str_t              password;   /* empty: none */
    ngx_msec_t             connect_timeout;    /* of each step */
    ngx_msec_t             command_timeout;
    ngx_uint_t             queue;      /* commands in flight, at most */

    /* of this process */
    ngx_voice_redis_t     *judge;      /* of its clients the one that looks
                                          whether Redis may evict */
    ngx_uint_t             judged;     /* verdict is known */
    voice_redis_memory_e   verdict;
    voice_endpoint_t       last;       /* its last master; host "": none */
    void                 (*moved)(const voice_endpoint_t *now);
} ngx_voice_redis_conf_t;


/*
 * Called exactly once for a command that was not cancelled; reply is NULL
 * when the connection is down, was lost or the timer fired (a timeout closes
 * the connection, so that a late reply never meets another command).  The
 * reply is hiredis's and ends with the return.
 */
typedef void (*ngx_voice_redis_done_pt)(void *data, const redisReply *reply);


typedef struct {
    ngx_uint_t  connected;
    ngx_uint_t  in_flight;
    ngx_uint_t  connects;              /* counters since process start */
    ngx_uint_t  failures;
    ngx_uint_t  timeouts;
    ngx_uint_t  rejected;
    ngx_uint_t  evicts;                /* it may evict what it holds */
    const char *memory;                /* "keeps", "evicts", "untold"; NULL:
                                          not known yet */
    const char *server;                /* the one of the connection, or last
                                          tried */
} ngx_voice_redis_figures_t;


/* NULL: out of memory.  conf lives as long. */
ngx_voice_redis_t *ngx_voice_redis_create(ngx_voice_redis_conf_t *conf,
    ngx_pool_t *pool, ngx_log_t *log);
void ngx_voice_redis_destroy(ngx_voice_redis_t *redis);

/*
 * Sends a command of argc binary-safe arguments.  done may be NULL: nobody
 * waits.  Returns a handle, valid until done is called; NULL if there is no
 * connection, too much is in flight or memory is out (done is not called).
 * The callback never runs inside this call.
 */
ngx_voice_redis_command_t *ngx_voice_redis_send(ngx_voice_redis_t *redis,
    ngx_uint_t argc, const ngx_str_t *argv, ngx_voice_redis_done_pt done,
    void *data);

/* The caller does not want the reply any more: done will not be called. */
void ngx_voice_redis_cancel(ngx_voice_redis_command_t *command);

void ngx_voice_redis_figures(const ngx_voice_redis_t *redis,
    ngx_voice_redis_figures_t *figures);

/*
 * A connection that listens, see ngx_voice_redis_subscribe().  ready: it is
 * open and has no channels; lost: it was open and is not any more, what was
 * published since may be lost; it opens again by itself.  Strings end with
 * the return.
 */
typedef struct {
    void (*ready)(void *data);
    void (*lost)(void *data);
    void (*subscribed)(void *data, const ngx_str_t *channel);
    void (*message)(void *data, const ngx_str_t *channel,
        const ngx_str_t *text);
} ngx_voice_redis_listener_t;

/* Right after ngx_voice_redis_create(); nothing is sent on such a one. */
void ngx_voice_redis_listen(ngx_voice_redis_t *redis,
    const ngx_voice_redis_listener_t *listener, void *data);
/* NGX_ERROR: it is not open.  There is no way back. */
ngx_int_t ngx_voice_redis_subscribe(ngx_voice_redis_t *redis,
    const ngx_str_t *channel);
/* Ends the connection, which then opens again. */
void ngx_voice_redis_drop(ngx_voice_redis_t *redis, const char *reason);


#endif /* NGX_VOICE_REDIS_H */
