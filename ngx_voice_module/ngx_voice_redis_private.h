
/*
 * What the files of the Redis client share and nobody else sees.
 */

#ifndef NGX_VOICE_REDIS_PRIVATE_H
#define NGX_VOICE_REDIS_PRIVATE_H


#include "ngx_voice_redis.h"


typedef enum {
    NGX_VOICE_REDIS_BACKOFF = 0,       /* timer: the next attempt */
    NGX_VOICE_REDIS_CONNECTING,        /* timer: connect_timeout */
    NGX_VOICE_REDIS_GREETING,          /* who it is is being asked; the
                                          timer goes on */
    NGX_VOICE_REDIS_READY,             /* timer: is it still good? */
    NGX_VOICE_REDIS_CLOSING            /* answers are being refused */
} ngx_voice_redis_e;


struct ngx_voice_redis_s {
    ngx_voice_redis_conf_t     *conf;
    ngx_log_t                  *log;
    ngx_voice_redis_e           state;
    redisAsyncContext          *context;
    ngx_connection_t           *connection;
    ngx_event_t                 timer;
    ngx_uint_t                  attempts;  /* rounds that failed since it
                                              stood firm */
    ngx_uint_t                  next;      /* of the servers or Sentinels */
    ngx_uint_t                  tried;     /* ... in this round */
    voice_endpoint_t            target;    /* of the connection */
    char                        at[VOICE_ENDPOINT_TEXT];   /* as text */
    ngx_msec_t                  opened;    /* when it became ready */
    const char                 *reason;    /* of our closing, or NULL */
    ngx_voice_redis_figures_t   figures;
    const ngx_voice_redis_listener_t  *listener;   /* NULL: none */
    void                       *listener_data;
    unsigned                    asking:1;      /* the target is a Sentinel */
    unsigned                    found:1;       /* ... who named the next */
    unsigned                    elsewhere:1;   /* this one is no master */
    unsigned                    destroyed:1;
};


/* ngx_voice_redis.c */
/* All commands under way get no reply; then the cleanup hook runs. */
void ngx_voice_redis_close(ngx_voice_redis_t *redis, const char *reason);
/* Logs why there is no connection and tries again after a while. */
void ngx_voice_redis_retry(ngx_voice_redis_t *redis, const char *reason);

/* Sends a command also where the connection is not ready; NULL: cannot. */
ngx_voice_redis_command_t *ngx_voice_redis_ask(ngx_voice_redis_t *redis,
    ngx_uint_t argc, const ngx_str_t *argv, ngx_voice_redis_done_pt done);
/* The connection is the master's. */
void ngx_voice_redis_ready(ngx_voice_redis_t *redis);

/* ngx_voice_redis_find.c */
/* Where the next attempt goes: redis->target, redis->at, redis->asking. */
void ngx_voice_redis_aim(ngx_voice_redis_t *redis);
/* The target did not do: NGX_AGAIN while this round has another one. */
ngx_int_t ngx_voice_redis_miss(ngx_voice_redis_t *redis);
/* The connection stands: logs in and asks who it is. */
void ngx_voice_redis_greet(ngx_voice_redis_t *redis);

/* ngx_voice_redis_judge.c */
/* Asks whether it may evict; of one client in a process. */
void ngx_voice_redis_judge(ngx_voice_redis_t *redis);

/* ngx_voice_redis_event.c */
/* Puts the context into nginx's loop; NGX_ERROR: no connection slot. */
ngx_int_t ngx_voice_redis_attach(ngx_voice_redis_t *redis);


#endif /* NGX_VOICE_REDIS_PRIVATE_H */
