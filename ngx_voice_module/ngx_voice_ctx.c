
/*
 * The context of a request: made in the access phase, found again after an
 * internal redirect, undone when the request ends.
 */

#include "ngx_voice_ask.h"

#include <openssl/rand.h>


#define NGX_VOICE_REQUEST_ID_MAX  128
#define NGX_VOICE_RANDOM_SIZE     8192


static void ngx_voice_ctx_free(void *data);
static ngx_int_t ngx_voice_request_id(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_request_id_valid(voice_span_t id);


ngx_voice_ctx_t *
ngx_voice_ctx(ngx_http_request_t *r)
{
    ngx_voice_ctx_t     *ctx;
    ngx_pool_cleanup_t  *cln;

    ctx = ngx_http_get_module_ctx(r->main, ngx_voice_module);

    if (ctx != NULL || (!r->main->internal && !r->main->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect has cleared the contexts */

    for (cln = r->pool->cleanup; cln != NULL; cln = cln->next) {
        if (cln->handler == ngx_voice_ctx_free) {
            return cln->data;
        }
    }

    return NULL;
}


ngx_voice_ctx_t *
ngx_voice_ctx_create(ngx_http_request_t *r)
{
    ngx_voice_ctx_t     *ctx;
    ngx_pool_cleanup_t  *cln;
    ngx_http_cleanup_t  *hcln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_voice_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_voice_ctx_t));

    r->log_handler = ngx_voice_log_handler;

    ctx->request = r;
    ctx->conf = ngx_http_get_module_main_conf(r, ngx_voice_module);
    ngx_str_set(&ctx->identity.kind, "anonymous");

    hcln = ngx_http_cleanup_add(r, 0);
    if (hcln == NULL || ngx_voice_request_id(ctx) != NGX_OK
        || ngx_voice_trace(ctx) != NGX_OK)
    {
        return NULL;
    }

    hcln->handler = ngx_voice_ctx_cancel;
    hcln->data = ctx;
    cln->handler = ngx_voice_ctx_free;
    ngx_http_set_ctx(r, ctx, ngx_voice_module);

    return ctx;
}


/* OpenSSL asks for its lock and state each time: it fills a store. */
ngx_int_t
ngx_voice_random(u_char *out, size_t len)
{
    static u_char  store[NGX_VOICE_RANDOM_SIZE];
    static size_t  left;

    if (left < len) {
        if (RAND_bytes(store, sizeof(store)) != 1) {
            return NGX_ERROR;
        }

        left = sizeof(store);
    }

    ngx_memcpy(out, store + left - len, len);
    left -= len;

    return NGX_OK;
}


/* Only memory: runs when the last byte has been sent and logged. */
static void
ngx_voice_ctx_free(void *data)
{
    ngx_voice_ctx_t  *ctx = data;

    json_decref(ctx->args);
    json_decref(ctx->page);
    PQclear(ctx->result);
}


void
ngx_voice_ctx_cancel(void *data)
{
    ngx_voice_ctx_t  *ctx = data;

    if (ctx->query != NULL) {
        ngx_voice_pg_cancel(ctx->query);
        ctx->query = NULL;
    }

    if (ctx->packet != NULL) {
        ngx_voice_ingest_leave(ctx->packet);
        ctx->packet = NULL;
    }

    ngx_voice_ask_cancel(ctx);

    if (ctx->keys != NULL) {
        ngx_voice_jwks_cancel(ctx->keys);
        ctx->keys = NULL;
    }

    if (ctx->command != NULL) {
        ngx_voice_redis_cancel(ctx->command);
        ctx->command = NULL;
    }

    if (ctx->limit != NULL) {
        ngx_voice_limit_cancel(ctx->limit);
    }

    if (ctx->task != NULL) {
        ngx_voice_password_cancel(ctx->task);
        ctx->task = NULL;
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


/* The client's id where it is harmless, otherwise a new one. */
static ngx_int_t
ngx_voice_request_id(ngx_voice_ctx_t *ctx)
{
    u_char        *p;
    uint64_t       ms;
    ngx_time_t    *now;
    voice_span_t   id;
    unsigned char  random[10];

    id = ngx_voice_request_header(ctx->request, "x-request-id");

    if (ngx_voice_request_id_valid(id)) {
        ctx->request_id.data = (u_char *) id.ptr;
        ctx->request_id.len = id.len;
        return NGX_OK;
    }

    p = ngx_pnalloc(ctx->request->pool, VOICE_UUID_LEN + 1);

    if (p == NULL || ngx_voice_random(random, sizeof(random)) != NGX_OK) {
        return NGX_ERROR;
    }

    now = ngx_timeofday();
    ms = (uint64_t) now->sec * 1000 + now->msec;
    voice_uuid_v7((char *) p, ms, random);

    ctx->request_id.data = p;
    ctx->request_id.len = VOICE_UUID_LEN;

    return NGX_OK;
}


static ngx_uint_t
ngx_voice_request_id_valid(voice_span_t id)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < id.len; i++) {
        c = id.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')
            && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
        {
            return 0;
        }
    }

    return id.len > 0 && id.len <= NGX_VOICE_REQUEST_ID_MAX;
}
