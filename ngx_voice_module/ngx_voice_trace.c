
/*
 * The trace that a request belongs to (W3C Trace Context): the client's
 * where it sends a good one, otherwise a new one.  The span is ours.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"


static ngx_int_t ngx_voice_trace_client(ngx_voice_ctx_t *ctx);
static voice_span_t ngx_voice_trace_header(ngx_http_request_t *r,
    const char *name);


ngx_int_t
ngx_voice_trace(ngx_voice_ctx_t *ctx)
{
    u_char  *p;

    p = ngx_pnalloc(ctx->request->pool, VOICE_TRACEPARENT_LEN + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->traced = ngx_voice_trace_client(ctx) == NGX_OK;

    if (!ctx->traced) {
        /* whoever wants it recorded begins the trace */
        ctx->trace.flags = 0;

        if (ngx_voice_random(ctx->trace.trace_id, 16) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_voice_random(ctx->trace.span_id, 8) != NGX_OK) {
        return NGX_ERROR;
    }

    /* all zeros would be none */
    ctx->trace.trace_id[15] |= ctx->traced ? 0 : 1;
    ctx->trace.span_id[7] |= 1;

    voice_trace_write(&ctx->trace, (char *) p);

    ctx->traceparent.data = p;
    ctx->traceparent.len = VOICE_TRACEPARENT_LEN;
    ctx->trace_id.data = p + sizeof("00-") - 1;
    ctx->trace_id.len = VOICE_TRACE_ID_LEN;

    return NGX_OK;
}


ngx_int_t
ngx_voice_trace_reply(ngx_voice_ctx_t *ctx)
{
    if (!ctx->traced) {
        return NGX_OK;
    }

    return ngx_voice_header(ctx->request, "traceparent", &ctx->traceparent);
}


/* The client's trace; a tracestate counts only beside a traceparent. */
static ngx_int_t
ngx_voice_trace_client(ngx_voice_ctx_t *ctx)
{
    voice_span_t  parent, state;

    parent = ngx_voice_trace_header(ctx->request, "traceparent");

    if (voice_trace_parse(parent, &ctx->trace) != VOICE_OK) {
        return NGX_DECLINED;
    }

    state = ngx_voice_trace_header(ctx->request, "tracestate");

    if (voice_tracestate_valid(state)) {
        ctx->tracestate.data = (u_char *) state.ptr;
        ctx->tracestate.len = state.len;
    }

    return NGX_OK;
}


/* One that comes twice is as good as none. */
static voice_span_t
ngx_voice_trace_header(ngx_http_request_t *r, const char *name)
{
    voice_span_t  value;

    return ngx_voice_header_count(r, name, &value) == 1 ? value
                                                        : voice_span(NULL, 0);
}
