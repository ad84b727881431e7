
/*
 * From the body's bytes to the arguments of the SQL function: media type and
 * size before reading, JSON after, then the contract.
 */

#include "ngx_voice.h"


#define NGX_VOICE_BODY_VALUES  4096        /* a stall of 5 ms at most */


static ngx_int_t ngx_voice_body_acceptable(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_body_is_json(ngx_http_request_t *r);
static ngx_uint_t ngx_voice_body_is_empty_json(ngx_voice_ctx_t *ctx);
static void ngx_voice_body_ready(ngx_http_request_t *r);
static ngx_int_t ngx_voice_body_bytes(ngx_voice_ctx_t *ctx,
    ngx_str_t *bytes);
static ngx_int_t ngx_voice_body_parse(ngx_voice_ctx_t *ctx, json_t **body);
static ngx_int_t ngx_voice_body_refuse(ngx_voice_ctx_t *ctx,
    const voice_json_error_t *err);
static ngx_int_t ngx_voice_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_request_body_filter_pt  ngx_voice_next_body_filter;


ngx_int_t
ngx_voice_read_body(ngx_voice_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!ctx->operation->contract->has_body) {
        rc = ngx_http_discard_request_body(r);
        return rc == NGX_OK ? NGX_OK : ngx_voice_fail_status(ctx, rc);
    }

    rc = ngx_voice_body_acceptable(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    /* it may be here already: then the handler only says so */
    ctx->reading = 1;
    r->request_body_in_single_buf = 1;
    rc = ngx_http_read_client_request_body(r, ngx_voice_body_ready);
    ctx->reading = 0;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return ngx_voice_fail_status(ctx, rc);
    }

    /* the content handler has counted for us */
    r->main->count--;

    return ctx->body_ready ? NGX_OK : NGX_AGAIN;
}


void
ngx_voice_body_filters(void)
{
    ngx_voice_next_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_voice_body_filter;
}


ngx_int_t
ngx_voice_validate(ngx_voice_ctx_t *ctx)
{
    json_t              *body;
    ngx_int_t            rc;
    voice_span_t         query;
    voice_problems_t     problems;
    ngx_http_request_t  *r;

    r = ctx->request;
    body = NULL;

    rc = ngx_voice_body_parse(ctx, &body);
    if (rc != NGX_OK) {
        return rc;
    }

    problems.count = 0;
    query = voice_span((char *) r->args.data, r->args.len);

    ctx->args = voice_contract_args(ctx->operation->contract, &ctx->match,
                                    query, ngx_voice_request_header, r, body,
                                    &problems);
    json_decref(body);

    if (ctx->args != NULL) {
        /* credentials are no arguments */
        (void) json_object_del(ctx->args, "access_token");
        return NGX_OK;
    }

    if (problems.count == 0) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    return ngx_voice_fail_problems(ctx, &problems);
}


/* What can be refused before a byte is read. */
static ngx_int_t
ngx_voice_body_acceptable(ngx_voice_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (r->headers_in.content_length_n
        > (off_t) ctx->operation->contract->max_body)
    {
        return ngx_voice_fail(ctx, NGX_VOICE_PAYLOAD_TOO_LARGE, NULL);
    }

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
        return NGX_OK;
    }

    if (!ngx_voice_body_is_json(r)) {
        return ngx_voice_fail(ctx, NGX_VOICE_UNSUPPORTED_MEDIA_TYPE, NULL);
    }

    return NGX_OK;
}


/* application/json, perhaps with parameters. */
static ngx_uint_t
ngx_voice_body_is_json(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    static const ngx_str_t  json = ngx_string("application/json");

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;

    for (len = 0; len < type->len; len++) {
        if (type->data[len] == ';' || type->data[len] == ' ') {
            break;
        }
    }

    return len == json.len
           && ngx_strncasecmp(type->data, json.data, len) == 0;
}


/* A body of JSON was announced, must be there, and is of no length. */
static ngx_uint_t
ngx_voice_body_is_empty_json(ngx_voice_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    return ctx->operation->contract->body_required
           && (r->headers_in.content_length_n == 0 || r->headers_in.chunked)
           && ngx_voice_body_is_json(r);
}


static void
ngx_voice_body_ready(ngx_http_request_t *r)
{
    ngx_voice_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);
    ctx->body_ready = 1;

    if (!ctx->reading) {
        ngx_voice_resume(ctx, NGX_VOICE_VALIDATE);
    }
}


/* *body NULL: there is none. */
static ngx_int_t
ngx_voice_body_parse(ngx_voice_ctx_t *ctx, json_t **body)
{
    ngx_int_t            rc;
    ngx_str_t            bytes;
    voice_json_error_t   err;

    rc = ngx_voice_body_bytes(ctx, &bytes);
    if (rc != NGX_OK) {
        return rc;
    }

    if (bytes.len == 0 && !ngx_voice_body_is_empty_json(ctx)) {
        return NGX_OK;
    }

    *body = voice_json_parse_bounded(voice_span((char *) bytes.data,
                                                bytes.len),
                                     NGX_VOICE_BODY_VALUES, &err);
    ngx_explicit_memzero(bytes.data, bytes.len);

    return *body != NULL ? NGX_OK : ngx_voice_body_refuse(ctx, &err);
}


/* 400 for what is no JSON, 422 for JSON that we do not take. */
static ngx_int_t
ngx_voice_body_refuse(ngx_voice_ctx_t *ctx, const voice_json_error_t *err)
{
    u_char            *p;
    ngx_str_t          reason;
    voice_problems_t   problems;

    if (err->well_formed) {
        problems.count = 0;
        voice_problem_add(&problems, "/body", "%s, at line %zu, column %zu",
                          err->reason, err->line, err->column);
        return ngx_voice_fail_problems(ctx, &problems);
    }

    (void) ngx_voice_fail(ctx, NGX_VOICE_BAD_REQUEST, NULL);

    p = ngx_pnalloc(ctx->request->pool, 256);
    if (p == NULL) {
        return NGX_ERROR;
    }

    reason.data = p;
    reason.len = ngx_slprintf(p, p + 256,
                              "The body is not JSON at line %uz, column %uz: "
                              "%s.", err->line, err->column, err->reason) - p;
    ctx->error.message = reason;

    return NGX_ERROR;
}


/* The body in one piece; bytes.len 0: there is none. */
static ngx_int_t
ngx_voice_body_bytes(ngx_voice_ctx_t *ctx, ngx_str_t *bytes)
{
    off_t                    size;
    u_char                  *p;
    ngx_uint_t               in_file;
    ngx_chain_t             *cl;
    ngx_http_request_t      *r;
    ngx_http_request_body_t *rb;

    r = ctx->request;
    rb = r->request_body;
    size = 0;
    in_file = 0;

    ngx_str_null(bytes);

    if (!ctx->operation->contract->has_body || rb == NULL) {
        return NGX_OK;
    }

    for (cl = rb->bufs; cl != NULL; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
        in_file |= cl->buf->in_file;
    }

    if (in_file || size > (off_t) ctx->operation->contract->max_body) {
        return ngx_voice_fail(ctx, NGX_VOICE_PAYLOAD_TOO_LARGE, NULL);
    }

    cl = rb->bufs;

    if (cl != NULL && cl->next == NULL) {
        bytes->data = cl->buf->pos;
        bytes->len = size;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    bytes->data = p;
    bytes->len = size;

    for ( /* void */ ; cl != NULL; cl = cl->next) {
        size = ngx_buf_size(cl->buf);

        /* the last one may be empty and point nowhere */
        if (size != 0) {
            p = ngx_cpymem(p, cl->buf->pos, size);
        }
    }

    return NGX_OK;
}


/*
 * nginx would write a body that outgrows its buffer to a file, which blocks.
 * client_body_buffer_size holds the largest that an operation takes: only
 * one in very small chunks can still outgrow it.
 */
static ngx_int_t
ngx_voice_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_voice_ctx_t          *ctx;
    ngx_http_request_body_t  *rb;

    rb = r->request_body;
    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);

    if (ctx != NULL && ctx->state == NGX_VOICE_READ_BODY && rb->rest > 0
        && rb->buf != NULL && rb->buf->last == rb->buf->end)
    {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    return ngx_voice_next_body_filter(r, in);
}
