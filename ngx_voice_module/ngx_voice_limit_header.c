
/*
 * What the client is told of its limit: RateLimit-Policy and RateLimit
 * (draft-ietf-httpapi-ratelimit-headers) on every reply that was limited,
 * whoever makes it.
 */

#include "ngx_voice_limit.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_LIMIT_FIELDS  (2 * (NGX_VOICE_LIMIT_NAME_MAX               \
                                      + sizeof("\"-user\";q=;w=")            \
                                      + 2 * NGX_INT64_LEN))


static ngx_int_t ngx_voice_limit_header_filter(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_voice_next_header_filter;


void
ngx_voice_limit_filters(void)
{
    ngx_voice_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_voice_limit_header_filter;
}


ngx_str_t
ngx_voice_limit_status(const ngx_voice_ctx_t *ctx)
{
    static const ngx_str_t  names[] = {
        ngx_string("off"),                 /* NGX_VOICE_LIMIT_OFF */
        ngx_string("off"),                 /* NGX_VOICE_LIMIT_JUDGING */
        ngx_string("admitted"),            /* NGX_VOICE_LIMIT_ADMITTED */
        ngx_string("refused"),             /* NGX_VOICE_LIMIT_REFUSED */
        ngx_string("dry_run")              /* NGX_VOICE_LIMIT_DRY_RUN */
    };

    return names[ctx == NULL || ctx->limit == NULL ? NGX_VOICE_LIMIT_OFF
                                                   : ctx->limit->status];
}


/* A bucket of rate r and burst B is told as r * w requests in w = B/r. */
static ngx_int_t
ngx_voice_limit_header_filter(ngx_http_request_t *r)
{
    u_char                          *p;
    ngx_str_t                        policy, state;
    ngx_uint_t                       window;
    ngx_voice_ctx_t                 *ctx;
    const ngx_voice_limit_t         *limit;
    const ngx_voice_limit_bucket_t  *bucket;

    ctx = r == r->main ? ngx_voice_ctx(r) : NULL;

    if (ctx == NULL || ctx->limit == NULL
        || ctx->limit->status <= NGX_VOICE_LIMIT_JUDGING)
    {
        return ngx_voice_next_header_filter(r);
    }

    limit = ctx->limit;
    bucket = &limit->buckets[limit->tightest];
    window = (bucket->rate.burst + bucket->rate.rate - 1) / bucket->rate.rate;

    p = ngx_pnalloc(r->pool, NGX_VOICE_LIMIT_FIELDS);
    if (p == NULL) {
        return NGX_ERROR;
    }

    policy.data = p;
    p = ngx_sprintf(p, "\"%s%s\";q=%uL;w=%ui", bucket->class, bucket->suffix,
                    (uint64_t) bucket->rate.rate * window, window);
    policy.len = p - policy.data;

    state.data = p;
    p = ngx_sprintf(p, "\"%s%s\";r=%L;t=%L", bucket->class, bucket->suffix,
                    limit->left, limit->reset);
    state.len = p - state.data;

    if (ngx_voice_header(r, "RateLimit-Policy", &policy) != NGX_OK
        || ngx_voice_header(r, "RateLimit", &state) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_voice_next_header_filter(r);
}
