
/*
 * Open streams and their credentials: a stream is judged again, as if it came
 * anew, after changes of the database that concern it and now and then; when
 * it would be refused, or its credential has run out, it ends.
 */

#ifndef NGX_VOICE_LAPSE_H
#define NGX_VOICE_LAPSE_H


#include "ngx_voice.h"


/* How a stream ends, by either protocol. */
typedef struct {
    ngx_uint_t   code;                     /* of WebSocket's close */
    ngx_str_t    reason;                   /* the same, 100 bytes at most */
    ngx_str_t    event;                    /* JSON, of the event "end" */
} ngx_voice_farewell_t;


/* ngx_voice_lapse.c */
/* Of this process; NULL: out of memory. */
ngx_voice_lapses_t *ngx_voice_lapses_create(ngx_voice_main_conf_t *mcf,
    ngx_cycle_t *cycle);
/* A stream opens. */
ngx_int_t ngx_voice_lapse_join(ngx_voice_ctx_t *ctx);
/* Its judging goes on in a state, or has come to ctx->error. */
void ngx_voice_lapse_resume(ngx_voice_ctx_t *ctx, ngx_voice_state_e state);
void ngx_voice_lapse_refuse(ngx_voice_ctx_t *ctx);

/*
 * ngx_voice_leave.c: ends a stream of nchan's.  The request may be gone
 * afterwards.
 */
void ngx_voice_leave_end(ngx_http_request_t *r,
    const ngx_voice_farewell_t *farewell);

/* ngx_voice_live_stream.c: ends one of our own, later. */
void ngx_voice_live_dismiss(ngx_voice_ctx_t *ctx,
    const ngx_voice_farewell_t *farewell);


#endif /* NGX_VOICE_LAPSE_H */
