
/*
 * Replies of x-shape "pages": the function is called again for each page,
 * when the client has taken the one before.  A process holds one page for
 * each such request, however slow its client is.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"


static ngx_int_t ngx_voice_pages_take(ngx_voice_ctx_t *ctx,
    const ngx_str_t *data);
static ngx_int_t ngx_voice_pages_begin(ngx_voice_ctx_t *ctx,
    ngx_uint_t status);
static ngx_int_t ngx_voice_pages_send(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_pages_next(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_pages_taken(ngx_http_request_t *r);
static ngx_int_t ngx_voice_pages_wait(ngx_http_request_t *r);
static void ngx_voice_pages_writer(ngx_http_request_t *r);


static const ngx_str_t  ngx_voice_pages_type =
    ngx_string("application/x-ndjson");


ngx_int_t
ngx_voice_pages(ngx_voice_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *data)
{
    ngx_int_t  rc;

    if (ngx_voice_pages_take(ctx, data) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ctx->request->header_sent) {
        rc = ngx_voice_pages_begin(ctx, status);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_voice_pages_send(ctx);
}


/* The page instead of the row that it came in. */
static ngx_int_t
ngx_voice_pages_take(ngx_voice_ctx_t *ctx, const ngx_str_t *data)
{
    voice_json_error_t  err;

    json_decref(ctx->page);
    ctx->page = voice_json_parse(voice_span((char *) data->data, data->len),
                                 &err);

    PQclear(ctx->result);
    ctx->result = NULL;

    if (!json_is_string(json_object_get(ctx->page, "lines"))) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "function \"api.%s\" gave no page",
                      ctx->operation->contract->function);
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_pages_begin(ngx_voice_ctx_t *ctx, ngx_uint_t status)
{
    ngx_int_t            rc;
    ngx_str_t            cache;
    ngx_http_request_t  *r;

    r = ctx->request;
    ngx_str_set(&cache, "no-store");

    ctx->pages = ngx_pcalloc(r->pool, 2 * sizeof(ngx_buf_t));

    if (ctx->pages == NULL
        || ngx_voice_header(r, "Cache-Control", &cache) != NGX_OK
        || ngx_voice_header_id(ctx) != NGX_OK)
    {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = -1;

    if (r->headers_out.content_type.len == 0) {
        r->headers_out.content_type = ngx_voice_pages_type;
        r->headers_out.content_type_len = ngx_voice_pages_type.len;
        r->headers_out.content_type_lowcase = NULL;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ctx->state = NGX_VOICE_DONE;
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    return NGX_OK;
}


/*
 * A filter may hold the buffer of the page before, empty as it is, until it
 * gets the next one: two take turns.
 */
static ngx_int_t
ngx_voice_pages_send(ngx_voice_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_uint_t           last;
    ngx_chain_t          out;
    voice_span_t         lines;
    const json_t        *next;
    ngx_http_request_t  *r;

    r = ctx->request;
    lines = voice_json_text(ctx->page, "lines");
    next = json_object_get(ctx->page, "next");
    last = next == NULL || json_is_null(next);

    if (lines.len == 0 && !last) {
        return ngx_voice_pages_next(ctx);
    }

    b = &ctx->pages[ctx->pages_turn];
    ctx->pages_turn = !ctx->pages_turn;

    ngx_memzero(b, sizeof(ngx_buf_t));
    b->pos = (u_char *) lines.ptr;
    b->last = b->pos + lines.len;
    b->memory = lines.len != 0;
    b->flush = !last;
    b->last_buf = last;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    if (last || rc == NGX_ERROR) {
        ctx->state = NGX_VOICE_DONE;
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    if (ngx_voice_pages_taken(r)) {
        return ngx_voice_pages_next(ctx);
    }

    r->write_event_handler = ngx_voice_pages_writer;

    if (ngx_voice_pages_wait(r) != NGX_OK) {
        ctx->state = NGX_VOICE_DONE;
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_DONE;
    }

    return NGX_AGAIN;
}


/* On to the call for the next page. */
static ngx_int_t
ngx_voice_pages_next(ngx_voice_ctx_t *ctx)
{
    if (json_object_set(ctx->args, "cursor",
                        json_object_get(ctx->page, "next"))
        != 0)
    {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    json_decref(ctx->page);
    ctx->page = NULL;
    ctx->attempts = 0;
    ctx->next = NGX_VOICE_CALL;

    return NGX_OK;
}


static ngx_uint_t
ngx_voice_pages_taken(ngx_http_request_t *r)
{
    return !r->buffered && r->postponed == NULL && !r->connection->buffered;
}


static ngx_int_t
ngx_voice_pages_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


static void
ngx_voice_pages_writer(ngx_http_request_t *r)
{
    ngx_event_t      *wev;
    ngx_voice_ctx_t  *ctx;

    wev = r->connection->write;
    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client takes no more of the pages");
        r->connection->timedout = 1;
        ngx_voice_finish(ctx, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (!wev->delayed && ngx_http_output_filter(r, NULL) == NGX_ERROR) {
        ngx_voice_finish(ctx, NGX_ERROR);
        return;
    }

    if (wev->delayed || !ngx_voice_pages_taken(r)) {
        if (ngx_voice_pages_wait(r) != NGX_OK) {
            ngx_voice_finish(ctx, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    if (ngx_voice_pages_next(ctx) != NGX_OK) {
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_resume(ctx, NGX_VOICE_CALL);
}
