
/*
 * Cross-origin requests (Fetch standard, "CORS protocol"): a page of an
 * origin that the tenant lists may read the replies.  Credentials are bearer
 * tokens that the page itself holds, never cookies, so that
 * Access-Control-Allow-Credentials is not sent.  What the database said of an
 * origin is good for some seconds; the questions have a bound.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"
#include "voice_text.h"


#define NGX_VOICE_CORS_SETS     256
#define NGX_VOICE_CORS_WAYS     4          /* answers in a set */
#define NGX_VOICE_CORS_GOOD     5000       /* ms that an answer is good for */
#define NGX_VOICE_CORS_RATE     100        /* questions in a second */
#define NGX_VOICE_CORS_MAX_AGE  "600"      /* seconds a browser keeps it */


typedef enum {
    NGX_VOICE_CORS_UNKNOWN = 0,
    NGX_VOICE_CORS_ALLOWED,
    NGX_VOICE_CORS_REFUSED
} ngx_voice_cors_e;


typedef struct {
    u_char       digest[VOICE_SHA256_LEN]; /* of host and origin */
    ngx_msec_t   until;
    unsigned     known:1;
    unsigned     allowed:1;
} ngx_voice_cors_answer_t;


static void ngx_voice_cors_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static ngx_int_t ngx_voice_cors_digest(ngx_voice_ctx_t *ctx,
    u_char digest[VOICE_SHA256_LEN]);
static ngx_uint_t ngx_voice_cors_find(
    const u_char digest[VOICE_SHA256_LEN]);
static void ngx_voice_cors_store(const u_char digest[VOICE_SHA256_LEN],
    ngx_uint_t allowed);
static ngx_uint_t ngx_voice_cors_budget(void);
static ngx_uint_t ngx_voice_cors_origin(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_cors_allowed(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_cors_same(ngx_http_request_t *r,
    voice_span_t origin);
static ngx_int_t ngx_voice_cors_headers(ngx_http_request_t *r,
    const char *const *headers);
static ngx_int_t ngx_voice_cors_filter(ngx_http_request_t *r);
static void ngx_voice_cors_drop(ngx_http_request_t *r);


/* Name and value in turn. */
static const char *const  ngx_voice_cors_exposed[] = {
    "Access-Control-Expose-Headers",
    "X-Request-Id, ETag, Location, Allow, Retry-After, RateLimit, "
    "RateLimit-Policy, Idempotent-Replayed, Deprecation, Sunset, traceparent",
    NULL
};

static const char *const  ngx_voice_cors_preflight_headers[] = {
    "Access-Control-Allow-Headers",
    "Authorization, X-API-Key, Content-Type, If-Match, If-None-Match, "
    "Idempotency-Key, Last-Event-ID, X-Request-Id, traceparent, tracestate",
    "Access-Control-Max-Age", NGX_VOICE_CORS_MAX_AGE,
    "Vary", "Access-Control-Request-Method, Access-Control-Request-Headers",
    NULL
};


static ngx_voice_pg_statement_t  ngx_voice_cors_statement = {
    ngx_string("edge_origin"),
    ngx_string("select api.edge_origin($1, $2)"),
    2, NULL
};


static ngx_http_output_header_filter_pt  ngx_voice_next_header_filter;

/* What this process knows. */
static ngx_voice_cors_answer_t
    ngx_voice_cors_answers[NGX_VOICE_CORS_SETS][NGX_VOICE_CORS_WAYS];


void
ngx_voice_cors_filters(void)
{
    ngx_voice_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_voice_cors_filter;
}


ngx_int_t
ngx_voice_cors(ngx_voice_ctx_t *ctx)
{
    u_char                digest[VOICE_SHA256_LEN];
    ngx_str_t             params[2];
    ngx_http_request_t   *r;

    r = ctx->request;
    ctx->cors = NGX_VOICE_CORS_REFUSED;

    if (!ngx_voice_cors_origin(ctx)
        || ngx_voice_cors_digest(ctx, digest) != NGX_OK)
    {
        return NGX_OK;
    }

    ctx->cors = ngx_voice_cors_find(digest);

    if (ctx->cors != NGX_VOICE_CORS_UNKNOWN) {
        return NGX_OK;
    }

    ctx->cors = NGX_VOICE_CORS_REFUSED;

    if (!ngx_voice_cors_budget()) {
        return NGX_OK;
    }

    params[0] = ctx->origin;
    params[1] = r->headers_in.server;
    ctx->query = ngx_voice_pg_send(ctx->conf->pg, &ngx_voice_cors_statement,
                                   params, ngx_voice_cors_answered, ctx);

    return ctx->query == NULL ? NGX_OK : NGX_AGAIN;
}


ngx_uint_t
ngx_voice_cors_foreign(ngx_voice_ctx_t *ctx)
{
    ngx_uint_t    n;
    voice_span_t  origin;

    n = ngx_voice_header_count(ctx->request, "origin", &origin);

    return n != 0 && !ngx_voice_cors_allowed(ctx)
           && (n > 1 || !ngx_voice_cors_same(ctx->request, origin));
}


ngx_int_t
ngx_voice_cors_preflight(ngx_voice_ctx_t *ctx, const ngx_str_t *methods)
{
    voice_span_t  method;

    if (!ngx_voice_cors_allowed(ctx)
        || ngx_voice_header_count(ctx->request,
                                  "access-control-request-method", &method)
           == 0)
    {
        return NGX_OK;
    }

    if (ngx_voice_header(ctx->request, "Access-Control-Allow-Methods",
                         methods)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_voice_cors_headers(ctx->request,
                                  ngx_voice_cors_preflight_headers);
}


/* Without an answer the request goes on, as one that may not be read. */
static void
ngx_voice_cors_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result)
{
    u_char            digest[VOICE_SHA256_LEN];
    ngx_uint_t        allowed;
    voice_span_t      answer;
    ngx_voice_ctx_t  *ctx = data;

    ctx->query = NULL;

    if (outcome == NGX_VOICE_PG_RESULT
        && ngx_voice_cors_digest(ctx, digest) == NGX_OK)
    {
        answer = ngx_voice_column(*result, 0);
        allowed = answer.len == 1 && answer.ptr[0] == 't';
        ctx->cors = allowed ? NGX_VOICE_CORS_ALLOWED : NGX_VOICE_CORS_REFUSED;
        ngx_voice_cors_store(digest, allowed);
    }

    ngx_voice_resume(ctx, NGX_VOICE_FIND);
}


/* Of host and origin. */
static ngx_int_t
ngx_voice_cors_digest(ngx_voice_ctx_t *ctx, u_char digest[VOICE_SHA256_LEN])
{
    u_char     *p;
    ngx_str_t   text, *host;

    host = &ctx->request->headers_in.server;

    p = ngx_pnalloc(ctx->request->pool, host->len + ctx->origin.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text.data = p;
    text.len = ngx_sprintf(p, "%V %V", host, &ctx->origin) - p;

    return voice_sha256(digest, voice_span((char *) text.data, text.len))
           == VOICE_OK ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_voice_cors_find(const u_char digest[VOICE_SHA256_LEN])
{
    ngx_uint_t                i;
    ngx_voice_cors_answer_t  *answer;

    for (i = 0; i < NGX_VOICE_CORS_WAYS; i++) {
        answer = &ngx_voice_cors_answers[digest[0]][i];

        if (answer->known
            && (ngx_msec_int_t) (answer->until - ngx_current_msec) > 0
            && ngx_memcmp(answer->digest, digest, VOICE_SHA256_LEN) == 0)
        {
            return answer->allowed ? NGX_VOICE_CORS_ALLOWED
                                   : NGX_VOICE_CORS_REFUSED;
        }
    }

    return NGX_VOICE_CORS_UNKNOWN;
}


/* In the place of the same one, of none, or of the oldest. */
static void
ngx_voice_cors_store(const u_char digest[VOICE_SHA256_LEN],
    ngx_uint_t allowed)
{
    ngx_uint_t                i;
    ngx_voice_cors_answer_t  *answer, *place;

    place = &ngx_voice_cors_answers[digest[0]][0];

    for (i = 0; i < NGX_VOICE_CORS_WAYS; i++) {
        answer = &ngx_voice_cors_answers[digest[0]][i];

        if (!answer->known
            || ngx_memcmp(answer->digest, digest, VOICE_SHA256_LEN) == 0)
        {
            place = answer;
            break;
        }

        if ((ngx_msec_int_t) (answer->until - place->until) < 0) {
            place = answer;
        }
    }

    ngx_memcpy(place->digest, digest, VOICE_SHA256_LEN);
    place->until = ngx_current_msec + NGX_VOICE_CORS_GOOD;
    place->known = 1;
    place->allowed = allowed;
}


/* Strangers must not keep the database busy with origins. */
static ngx_uint_t
ngx_voice_cors_budget(void)
{
    static time_t      second;
    static ngx_uint_t  asked;

    if (second != ngx_time()) {
        second = ngx_time();
        asked = 0;
    }

    return ++asked <= NGX_VOICE_CORS_RATE;
}


/* Sets ctx->origin; 0: there is none that matters. */
static ngx_uint_t
ngx_voice_cors_origin(ngx_voice_ctx_t *ctx)
{
    ngx_uint_t    n;
    voice_span_t  origin;

    n = ngx_voice_header_count(ctx->request, "origin", &origin);

    if (n != 1 || origin.len == 0 || origin.len >= NGX_VOICE_ORIGIN_MAX
        || memchr(origin.ptr, ' ', origin.len) != NULL
        || !voice_text_valid(origin)
        || ngx_voice_cors_same(ctx->request, origin))
    {
        return 0;
    }

    ctx->origin.data = (u_char *) origin.ptr;
    ctx->origin.len = origin.len;

    return 1;
}


/* The tenant's list decides; where none is known, what was asked. */
static ngx_uint_t
ngx_voice_cors_allowed(ngx_voice_ctx_t *ctx)
{
    ngx_uint_t                 i;
    const ngx_voice_tenant_t  *tenant;

    tenant = ctx->tenant;

    if (ctx->origin.len == 0) {
        return 0;
    }

    if (tenant == NULL) {
        return ctx->cors == NGX_VOICE_CORS_ALLOWED;
    }

    for (i = 0; i < tenant->norigins; i++) {
        if (ngx_strlen(tenant->origins[i]) == ctx->origin.len
            && ngx_memcmp(tenant->origins[i], ctx->origin.data,
                          ctx->origin.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* A page of the edge itself sends its origin, too, with what is no GET. */
static ngx_uint_t
ngx_voice_cors_same(ngx_http_request_t *r, voice_span_t origin)
{
    size_t      n;
    ngx_str_t   host;

    if (r->headers_in.host == NULL) {
        return 0;
    }

    host = r->headers_in.host->value;
    n = origin.len > 8 && ngx_memcmp(origin.ptr, "https://", 8) == 0 ? 8 : 7;

    return origin.len == n + host.len
           && ngx_memcmp(origin.ptr, "http", 4) == 0
           && ngx_strncasecmp((u_char *) origin.ptr + n, host.data, host.len)
              == 0;
}


static ngx_int_t
ngx_voice_cors_headers(ngx_http_request_t *r, const char *const *headers)
{
    ngx_str_t  value;

    for ( /* void */ ; *headers != NULL; headers += 2) {
        value.data = (u_char *) headers[1];
        value.len = ngx_strlen(headers[1]);

        if (ngx_voice_header(r, headers[0], &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Every reply of ours, errors and streams included. */
static ngx_int_t
ngx_voice_cors_filter(ngx_http_request_t *r)
{
    u_char            digest[VOICE_SHA256_LEN];
    ngx_str_t         vary;
    ngx_voice_ctx_t  *ctx;

    ctx = r == r->main ? ngx_voice_ctx(r) : NULL;

    /* a location's own matter, or that of the server behind it */
    if (ctx == NULL || ctx->location) {
        return ngx_voice_next_header_filter(r);
    }

    /* refused by nginx itself, before our phases */
    if (ctx->cors == NGX_VOICE_CORS_UNKNOWN && ngx_voice_cors_origin(ctx)
        && ngx_voice_cors_digest(ctx, digest) == NGX_OK)
    {
        ctx->cors = ngx_voice_cors_find(digest);
    }

    if (ctx->channel.len != 0) {
        ngx_voice_cors_drop(r);
    }

    ngx_str_set(&vary, "Origin");

    if (ngx_voice_header(r, "Vary", &vary) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_voice_cors_allowed(ctx)
        && (ngx_voice_header(r, "Access-Control-Allow-Origin", &ctx->origin)
            != NGX_OK
            || ngx_voice_cors_headers(r, ngx_voice_cors_exposed) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_voice_next_header_filter(r);
}


/* nchan lets every origin read its streams: the tenant decides instead. */
static void
ngx_voice_cors_drop(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static const ngx_str_t  prefix = ngx_string("Access-Control-");

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len > prefix.len
                && ngx_strncasecmp(h[i].key.data, prefix.data, prefix.len)
                   == 0)
            {
                h[i].hash = 0;
            }
        }
    }
}
