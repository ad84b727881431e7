
/*
 * Live streams of our own: WebSocket and server-sent events of what is told
 * on live channels, beside those that nchan serves.
 *
 * A message is told once, by PUBLISH on one of some channels of Redis, with
 * the names of the live channels it belongs to; each nginx process hears it
 * and hands it to those of its streams that have one of the names, each once.
 * A durable message has an id: the event's number in its tenant.  A stream
 * that resumes gets what came after its last id from the database, while what
 * is told meanwhile waits: nothing is missed and nothing comes twice.
 *
 * All channels of a message begin with the same root, the part before the
 * first ".": the tenant.
 */

#ifndef NGX_VOICE_LIVE_H
#define NGX_VOICE_LIVE_H


#include "ngx_voice.h"
#include "ngx_voice_hear.h"


#define NGX_VOICE_LIVE_NAMES_MAX  8        /* channels of a message */
#define NGX_VOICE_LIVE_LINKS_MAX  64       /* channels of a stream */
#define NGX_VOICE_LIVE_NAME_MAX   128      /* bytes of a channel's name */
#define NGX_VOICE_LIVE_TEXT_MAX   (64 * 1024)  /* bytes of a message */


/* What is told.  Strings are the caller's. */
typedef struct {
    uint64_t     id;                       /* 0: not durable */
    ngx_str_t    event;
    ngx_str_t    channels[NGX_VOICE_LIVE_NAMES_MAX];
    ngx_uint_t   nchannels;
    ngx_str_t    body;                     /* JSON */
} ngx_voice_live_event_t;


/* ngx_voice_live.c */
/* Of this process; NULL: out of memory. */
ngx_voice_live_t *ngx_voice_live_create(ngx_voice_main_conf_t *mcf,
    ngx_cycle_t *cycle);
void ngx_voice_live_destroy(ngx_voice_live_t *live);

/* Streams that are open in this process. */
ngx_uint_t ngx_voice_live_listeners(const ngx_voice_live_t *live);
/* Messages on their way to Redis that are not durable. */
ngx_uint_t ngx_voice_live_backlog(const ngx_voice_live_t *live);

/*
 * Tells an event by a command of Redis, see ngx_voice_redis_send(): NULL, or
 * a reply that is no integer, and it was not told.
 */
ngx_voice_redis_command_t *ngx_voice_live_tell(ngx_voice_live_t *live,
    const ngx_voice_live_event_t *event, ngx_voice_redis_done_pt done,
    void *data);

/* ngx_voice_live_open.c */
/* Is the name of a channel one that we take? */
ngx_uint_t ngx_voice_live_name_valid(voice_span_t name);
/* Is the request's location one with "voice_live on"? */
ngx_uint_t ngx_voice_live_located(ngx_http_request_t *r);
/* Sets ctx->live up before the SQL function is called. */
ngx_int_t ngx_voice_live_begin(ngx_voice_ctx_t *ctx);
/* What the function is asked besides: where to go on. */
ngx_int_t ngx_voice_live_args(ngx_voice_ctx_t *ctx);
/* What the function granted: data of its reply. */
ngx_int_t ngx_voice_live_grant(ngx_voice_ctx_t *ctx, const json_t *data);
/* Content handler of "voice_live on". */
ngx_int_t ngx_voice_live_handler(ngx_http_request_t *r);
char *ngx_voice_conf_live(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_voice_live_socket.c: is it a handshake of RFC 6455? */
ngx_uint_t ngx_voice_live_socket_valid(ngx_http_request_t *r);

/* ngx_voice_live_http.c: content handler of "voice_publish on". */
char *ngx_voice_conf_publish(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* NGX_VOICE_LIVE_H */
