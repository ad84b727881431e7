
/*
 * From method and path to the operation; which methods a path takes.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"


static ngx_uint_t ngx_voice_is_uri(ngx_http_request_t *r, voice_span_t path);
static ngx_int_t ngx_voice_allow(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_options(ngx_voice_ctx_t *ctx,
    const ngx_str_t *allow);


static const struct {
    ngx_uint_t      method;
    voice_method_e  lookup;
} ngx_voice_methods[] = {
    { NGX_HTTP_GET, VOICE_METHOD_GET },
    { NGX_HTTP_HEAD, VOICE_METHOD_GET },
    { NGX_HTTP_POST, VOICE_METHOD_POST },
    { NGX_HTTP_PUT, VOICE_METHOD_PUT },
    { NGX_HTTP_PATCH, VOICE_METHOD_PATCH },
    { NGX_HTTP_DELETE, VOICE_METHOD_DELETE }
};


ngx_int_t
ngx_voice_find(ngx_voice_ctx_t *ctx)
{
    ngx_uint_t             i, level;
    voice_span_t           path;
    voice_route_e          found;
    voice_method_e         method;
    ngx_http_request_t    *r;
    ngx_voice_loc_conf_t  *lcf;

    r = ctx->request;
    lcf = ngx_http_get_module_loc_conf(r, ngx_voice_module);
    path = ngx_voice_path(r);

    method = VOICE_METHOD_COUNT;

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_methods); i++) {
        if (ngx_voice_methods[i].method == r->method) {
            method = ngx_voice_methods[i].lookup;
        }
    }

    found = voice_contract_match(ctx->conf->contract, method, path,
                                 &ctx->match);

    if (found == VOICE_ROUTE_NO_PATH) {
        return ngx_voice_fail(ctx, NGX_VOICE_RESOURCE_NOT_FOUND, NULL);
    }

    if (found == VOICE_ROUTE_NO_METHOD) {
        return ngx_voice_allow(ctx);
    }

    i = ctx->match.operation->index;

    if (ctx->match.operation->stream != (lcf->stream != NGX_VOICE_STREAM_OFF))
    {
        /* "/events/stream/.." leads nginx elsewhere: the client's fault */
        level = ngx_voice_is_uri(r, path) ? NGX_LOG_ALERT : NGX_LOG_INFO;
        ngx_log_error(level, r->connection->log, 0,
                      "\"%s\" is no operation for this location, \"voice_%s\""
                      " should serve it", ctx->match.operation->path,
                      ctx->match.operation->stream ? "stream" : "api");
        return ngx_voice_fail(ctx, NGX_VOICE_RESOURCE_NOT_FOUND, NULL);
    }

    ctx->operation = &ctx->conf->operations[i];
    ctx->policy = &ctx->operation->policy;

    return NGX_OK;
}


/* An encoded slash is no slash. */
voice_span_t
ngx_voice_path(ngx_http_request_t *r)
{
    voice_span_t  path;

    path = voice_span((char *) r->unparsed_uri.data, 0);

    while (path.len < r->unparsed_uri.len
           && memchr("?# ", path.ptr[path.len], 3) == NULL)
    {
        path.len++;
    }

    return path;
}


/* nginx has chosen the location by what the client sent, letter by letter. */
static ngx_uint_t
ngx_voice_is_uri(ngx_http_request_t *r, voice_span_t path)
{
    return path.len == r->uri.len
           && ngx_memcmp(path.ptr, r->uri.data, path.len) == 0;
}


/* There is the path, but not with this method. */
static ngx_int_t
ngx_voice_allow(ngx_voice_ctx_t *ctx)
{
    u_char     *p;
    uint32_t    i;
    ngx_str_t   allow;

    /* every name, HEAD, OPTIONS and the commas fit */
    p = ngx_pnalloc(ctx->request->pool, 64);
    if (p == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    allow.data = p;

    for (i = 0; i < VOICE_METHOD_COUNT; i++) {
        if (ctx->match.allow & (1u << i)) {
            p = ngx_sprintf(p, "%s, ", voice_method_name(i));
        }
    }

    if (ctx->match.allow & (1u << VOICE_METHOD_GET)) {
        p = ngx_sprintf(p, "HEAD, ");
    }

    p = ngx_sprintf(p, "OPTIONS");
    allow.len = p - allow.data;

    if (ngx_voice_header(ctx->request, "Allow", &allow) != NGX_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (ctx->request->method == NGX_HTTP_OPTIONS) {
        return ngx_voice_options(ctx, &allow);
    }

    return ngx_voice_fail(ctx, NGX_VOICE_METHOD_NOT_ALLOWED, NULL);
}


/* What the path takes, and what a browser may send to it from elsewhere. */
static ngx_int_t
ngx_voice_options(ngx_voice_ctx_t *ctx, const ngx_str_t *allow)
{
    ngx_int_t  rc;

    if (ngx_voice_cors_preflight(ctx, allow) != NGX_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    rc = ngx_voice_send(ctx, NGX_HTTP_NO_CONTENT, NULL, NULL);

    ctx->state = NGX_VOICE_DONE;
    ngx_http_finalize_request(ctx->request, rc);

    return NGX_DONE;
}
