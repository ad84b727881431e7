
/*
 * What the files of the Redis client share and nobody else sees.
 */

#ifndef NGX_VOICE_REDIS_PRIVATE_H
#define NGX_VOICE_REDIS_PRIVATE_H


#include "ngx_voice_redis.h"


typedef enum {
    NGX_VOICE_REDIS_BACKOFF = 0,       /* timer: the next attempt */
    NGX_VOICE_REDIS_CONNECTING,        /* timer: connect_timeout */
    NGX_VOICE_REDIS_GREETING,          /* AUTH is under way */
    NGX_VOICE_REDIS_READY,
    NGX_VOICE_REDIS_CLOSING            /* answers are being refused */
} ngx_voice_redis_e;


struct ngx_voice_redis_s {
    ngx_voice_redis_conf_t     *conf;
    ngx_log_t                  *log;
    ngx_voice_redis_e           state;
    redisAsyncContext          *context;
    ngx_connection_t           *connection;
    ngx_event_t                 timer;
    ngx_uint_t                  attempts;  /* failed since it stood firm */
    ngx_msec_t                  opened;    /* when it became ready */
    const char                 *reason;    /* of our closing, or NULL */
    ngx_voice_redis_figures_t   figures;
    const ngx_voice_redis_listener_t  *listener;   /* NULL: none */
    void                       *listener_data;
    unsigned                    destroyed:1;
};


/* ngx_voice_redis.c */
/* All commands under way get no reply; then the cleanup hook runs. */
void ngx_voice_redis_close(ngx_voice_redis_t *redis, const char *reason);
/* Logs why there is no connection and tries again after a while. */
void ngx_voice_redis_retry(ngx_voice_redis_t *redis, const char *reason);

/* ngx_voice_redis_event.c */
/* Puts the context into nginx's loop; NGX_ERROR: no connection slot. */
ngx_int_t ngx_voice_redis_attach(ngx_voice_redis_t *redis);


#endif /* NGX_VOICE_REDIS_PRIVATE_H */
