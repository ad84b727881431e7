
/*
 * Sending: a reply from pieces that are not copied, its headers, the one
 * error body, which has another head where errors are flat.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_TIMESTAMP_LEN   (sizeof("2000-01-01T00:00:00.000Z") - 1)


static ngx_int_t ngx_voice_header_times(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_asks_server(ngx_http_request_t *r);
static ngx_int_t ngx_voice_options_server(ngx_voice_ctx_t *ctx);
static void ngx_voice_method_restore(ngx_http_request_t *r);
static void ngx_voice_status_line(ngx_http_request_t *r);
static ngx_int_t ngx_voice_error_headers(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_error_body(ngx_voice_ctx_t *ctx,
    ngx_voice_pieces_t *pieces);
static ngx_int_t ngx_voice_error_head(ngx_voice_ctx_t *ctx,
    ngx_voice_pieces_t *pieces);


/* Statuses that nginx has no words for (RFC 9110). */
static const struct {
    ngx_uint_t  status;
    ngx_str_t   line;
} ngx_voice_status_lines[] = {
    { 422, ngx_string("422 Unprocessable Content") },
    { 423, ngx_string("423 Locked") },
    { 424, ngx_string("424 Failed Dependency") },
    { 428, ngx_string("428 Precondition Required") },
    { 501, ngx_string("501 Not Implemented") }
};


/* Methods that error_page turns into GET, HEAD being kept. */
static const struct {
    ngx_uint_t  method;
    ngx_str_t   name;
} ngx_voice_methods[] = {
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_PUT, ngx_string("PUT") },
    { NGX_HTTP_PATCH, ngx_string("PATCH") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") },
    { NGX_HTTP_OPTIONS, ngx_string("OPTIONS") },
    { NGX_HTTP_TRACE, ngx_string("TRACE") }
};


const ngx_str_t  ngx_voice_json_type = ngx_string("application/json");


ngx_int_t
ngx_voice_header(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_voice_header_id(ngx_voice_ctx_t *ctx)
{
    if (ctx->identified) {
        return NGX_OK;
    }

    ctx->identified = 1;

    if (ngx_voice_trace_reply(ctx) != NGX_OK
        || ngx_voice_header_times(ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_voice_header(ctx->request, "X-Request-Id", &ctx->request_id);
}


ngx_int_t
ngx_voice_send(ngx_voice_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *type, ngx_chain_t *chain)
{
    off_t                size;
    ngx_int_t            rc;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = ctx->request;

    /* what was not read of the body must not become the next request */
    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    size = 0;

    for (cl = chain; cl != NULL; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = size;
    ngx_voice_status_line(r);

    /* If-Match was SQL's to judge, before the change; nginx would compare
     * it with the version after it */
    r->disable_not_modified = 1;

    if (type != NULL && r->headers_out.content_type.len == 0) {
        r->headers_out.content_type = *type;
        r->headers_out.content_type_len = type->len;
        r->headers_out.content_type_lowcase = NULL;
    }

    if (status == NGX_HTTP_NO_CONTENT || status == NGX_HTTP_NOT_MODIFIED) {
        r->header_only = 1;
        r->headers_out.content_length_n = -1;
    }

    if (ngx_voice_header_id(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only || chain == NULL) {
        return rc;
    }

    return ngx_http_output_filter(r, chain);
}


ngx_int_t
ngx_voice_send_text(ngx_voice_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *type, const ngx_str_t *text)
{
    ngx_chain_t         *chain;
    ngx_voice_pieces_t   pieces;

    pieces.count = 0;
    ngx_voice_piece_str(&pieces, text);

    chain = ngx_voice_pieces_chain(ctx, &pieces);
    if (chain == NULL) {
        return NGX_ERROR;
    }

    return ngx_voice_send(ctx, status, type, chain);
}


ngx_int_t
ngx_voice_send_error(ngx_voice_ctx_t *ctx)
{
    ngx_chain_t         *chain;
    ngx_voice_pieces_t   pieces;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (r->header_sent) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "reply broken off: %ui \"%V\": %V", ctx->error.status,
                      &ctx->error.code, &ctx->error.message);
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "request refused: %ui \"%V\"", ctx->error.status,
                  &ctx->error.code);

    ngx_voice_fault_count(ctx->conf->shared, ctx->conf->slab,
                          &ctx->error.code, &ctx->error.service);

    /* headers of a reply that did not come about */
    ngx_str_null(&r->headers_out.content_type);

    pieces.count = 0;

    if (ngx_voice_error_headers(ctx) != NGX_OK
        || ngx_voice_error_body(ctx, &pieces) != NGX_OK)
    {
        return NGX_ERROR;
    }

    chain = ngx_voice_pieces_chain(ctx, &pieces);
    if (chain == NULL) {
        return NGX_ERROR;
    }

    return ngx_voice_send(ctx, ctx->error.status, &ngx_voice_json_type,
                          chain);
}


ngx_int_t
ngx_voice_error_handler(ngx_http_request_t *r)
{
    ngx_uint_t        status;
    ngx_voice_ctx_t  *ctx;

    ctx = ngx_voice_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_voice_ctx_create(r);
    }

    if (ctx == NULL || ctx->conf->contract == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, ctx, ngx_voice_module);

    if (ngx_voice_asks_server(r)) {
        r->err_status = 0;
        return ngx_voice_options_server(ctx);
    }

    ngx_voice_method_restore(r);
    status = r->err_status == 0 ? NGX_HTTP_NOT_FOUND : r->err_status;

    /* the refusal of a location has a code of its own */

    if (ctx->error.status != status) {
        (void) ngx_voice_fail_status(ctx, status);
    }

    r->err_status = ctx->error.status;

    return ngx_voice_send_error(ctx);
}


void
ngx_voice_piece(ngx_voice_pieces_t *pieces, const char *text)
{
    pieces->items[pieces->count].data = (u_char *) text;
    pieces->items[pieces->count].len = ngx_strlen(text);
    pieces->count++;
}


void
ngx_voice_piece_str(ngx_voice_pieces_t *pieces, const ngx_str_t *text)
{
    pieces->items[pieces->count] = *text;
    pieces->count++;
}


/* The inside of a JSON string. */
ngx_int_t
ngx_voice_piece_json(ngx_voice_ctx_t *ctx, ngx_voice_pieces_t *pieces,
    const ngx_str_t *text)
{
    size_t     extra;
    u_char    *p;
    ngx_str_t  escaped;

    extra = ngx_escape_json(NULL, text->data, text->len);

    p = ngx_pnalloc(ctx->request->pool, text->len + extra + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    escaped.data = p;
    escaped.len = (u_char *) ngx_escape_json(p, text->data, text->len) - p;
    ngx_voice_piece_str(pieces, &escaped);

    return NGX_OK;
}


/* NULL: out of memory. */
ngx_chain_t *
ngx_voice_pieces_chain(ngx_voice_ctx_t *ctx, const ngx_voice_pieces_t *pieces)
{
    ngx_buf_t     *b;
    ngx_uint_t     i;
    ngx_chain_t   *chain, **last;

    chain = NULL;
    last = &chain;
    b = NULL;

    for (i = 0; i < pieces->count; i++) {

        if (pieces->items[i].len == 0) {
            continue;
        }

        b = ngx_calloc_buf(ctx->request->pool);
        *last = ngx_alloc_chain_link(ctx->request->pool);

        if (b == NULL || *last == NULL) {
            return NULL;
        }

        b->pos = pieces->items[i].data;
        b->last = b->pos + pieces->items[i].len;
        b->memory = 1;

        (*last)->buf = b;
        (*last)->next = NULL;
        last = &(*last)->next;
    }

    if (b != NULL) {
        b->last_buf = 1;
        b->last_in_chain = 1;
    }

    return chain;
}


/* Deprecation (RFC 9745) and Sunset (RFC 8594) of the operation. */
static ngx_int_t
ngx_voice_header_times(ngx_voice_ctx_t *ctx)
{
    ngx_str_t                 value;
    const voice_operation_t  *contract;

    contract = ctx->operation == NULL ? NULL : ctx->operation->contract;

    if (contract != NULL && contract->deprecation != NULL) {
        value.data = (u_char *) contract->deprecation;
        value.len = ngx_strlen(value.data);

        if (ngx_voice_header(ctx->request, "Deprecation", &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (contract == NULL || contract->sunset == NULL) {
        return NGX_OK;
    }

    value.data = (u_char *) contract->sunset;
    value.len = ngx_strlen(value.data);

    return ngx_voice_header(ctx->request, "Sunset", &value);
}


/* "OPTIONS *" (RFC 9110 9.3.7) is no request to nginx: it came to an error. */
static ngx_uint_t
ngx_voice_asks_server(ngx_http_request_t *r)
{
    static const ngx_str_t  line = ngx_string("OPTIONS * HTTP/1.");

    return r->err_status == NGX_HTTP_BAD_REQUEST && r->request_line.len == 0
           && r->header_in != NULL && r->request_start != NULL
           && r->header_in->last - r->request_start > (ssize_t) line.len
           && ngx_memcmp(r->request_start, line.data, line.len) == 0;
}


static ngx_int_t
ngx_voice_options_server(ngx_voice_ctx_t *ctx)
{
    static const ngx_str_t  allow =
        ngx_string("GET, POST, PUT, DELETE, HEAD, OPTIONS");

    ctx->request->keepalive = 0;

    if (ngx_voice_header(ctx->request, "Allow", &allow) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_voice_send(ctx, NGX_HTTP_NO_CONTENT, NULL, NULL);
}


/*
 * error_page has made it a GET; logs and figures tell what the client sent.
 * A named location would keep the method, but takes no request whose target
 * could not be read.
 */
static void
ngx_voice_method_restore(ngx_http_request_t *r)
{
    u_char      *end;
    ngx_str_t    line;
    ngx_uint_t   i;

    line = r->request_line;
    end = line.len == 0 ? NULL
                        : ngx_strlchr(line.data, line.data + line.len, ' ');

    if (end == NULL) {
        return;
    }

    line.len = end - line.data;

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_methods); i++) {
        if (ngx_voice_methods[i].name.len == line.len
            && ngx_memcmp(ngx_voice_methods[i].name.data, line.data, line.len)
               == 0)
        {
            r->method = ngx_voice_methods[i].method;
            r->method_name = ngx_voice_methods[i].name;
        }
    }
}


static void
ngx_voice_status_line(ngx_http_request_t *r)
{
    ngx_uint_t  i;

    ngx_str_null(&r->headers_out.status_line);

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_status_lines); i++) {
        if (ngx_voice_status_lines[i].status == r->headers_out.status) {
            r->headers_out.status_line = ngx_voice_status_lines[i].line;
        }
    }
}


static ngx_int_t
ngx_voice_error_headers(ngx_voice_ctx_t *ctx)
{
    u_char              *p;
    ngx_str_t            value;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->error.status == NGX_HTTP_UNAUTHORIZED) {
        ngx_str_set(&value, "Bearer");

        if (ngx_voice_header(r, "WWW-Authenticate", &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ctx->error.retry_after == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%ui", ctx->error.retry_after) - p;

    return ngx_voice_header(r, "Retry-After", &value);
}


static ngx_int_t
ngx_voice_error_body(ngx_voice_ctx_t *ctx, ngx_voice_pieces_t *pieces)
{
    u_char     *p;
    ngx_tm_t    tm;
    ngx_str_t   rest;
    ngx_time_t *now;

    now = ngx_timeofday();
    ngx_gmtime(now->sec, &tm);

    p = ngx_pnalloc(ctx->request->pool,
                    2 * ctx->request_id.len + NGX_VOICE_TIMESTAMP_LEN + 128);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rest.data = p;
    rest.len = ngx_sprintf(p, "},\"request_id\":\"%V\",\"timestamp\":\""
                           "%04d-%02d-%02dT%02d:%02d:%02d.%03MZ\"},"
                           "\"request_id\":\"%V\"}",
                           &ctx->request_id, tm.ngx_tm_year, tm.ngx_tm_mon,
                           tm.ngx_tm_mday, tm.ngx_tm_hour, tm.ngx_tm_min,
                           tm.ngx_tm_sec, now->msec, &ctx->request_id) - p;

    if (ngx_voice_error_head(ctx, pieces) != NGX_OK
        || ngx_voice_piece_json(ctx, pieces, &ctx->error.code) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_voice_piece(pieces, "\",\"message\":\"");

    if (ngx_voice_piece_json(ctx, pieces, &ctx->error.message) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_voice_piece(pieces, "\",\"details\":{");

    if (ctx->error.problems.len != 0) {
        ngx_voice_piece(pieces, "\"errors\":");
        ngx_voice_piece_str(pieces, &ctx->error.problems);
    }

    ngx_voice_piece_str(pieces, &rest);

    return NGX_OK;
}


/* Up to the code. */
static ngx_int_t
ngx_voice_error_head(ngx_voice_ctx_t *ctx, ngx_voice_pieces_t *pieces)
{
    ngx_str_t  detail;

    if (!ngx_voice_flat(ctx)) {
        ngx_voice_piece(pieces,
                        "{\"success\":false,\"error\":{\"code\":\"");
        return NGX_OK;
    }

    if (ngx_voice_flat_detail(ctx, &detail) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_voice_piece(pieces, "{\"detail\":");
    ngx_voice_piece_str(pieces, &detail);
    ngx_voice_piece(pieces, ",\"error\":{\"code\":\"");

    return NGX_OK;
}
