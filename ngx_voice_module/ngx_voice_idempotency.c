
/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a request
 * that comes again under its key gets the stored reply.  SQL keeps replies
 * in the transaction of their effect; what it gets of the key is its digest
 * and what is derived from it, never the key.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_ONCE_HEX     (VOICE_SHA256_LEN * 2)
/* What api.enter_once() raises where a reply is stored. */
#define NGX_VOICE_ONCE_STORED  "V9200"


static ngx_int_t ngx_voice_once_key(ngx_voice_ctx_t *ctx,
    u_char out[VOICE_KEY_MAX], size_t *len);
static ngx_int_t ngx_voice_once_refuse(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_once_derive(ngx_voice_ctx_t *ctx,
    voice_span_t key);
static ngx_int_t ngx_voice_once_query(ngx_voice_ctx_t *ctx,
    const ngx_voice_pg_statement_t *statement, ngx_voice_pg_done_pt done);
static void ngx_voice_once_recalled(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static ngx_int_t ngx_voice_once_mac(u_char *out, voice_span_t key,
    const char *purpose, const char *text);


ngx_int_t
ngx_voice_once(ngx_voice_ctx_t *ctx)
{
    size_t                    len;
    u_char                    key[VOICE_KEY_MAX];
    ngx_int_t                 rc;
    const voice_operation_t  *contract;

    contract = ctx->operation->contract;

    if (!contract->once) {
        return NGX_OK;
    }

    rc = ngx_voice_once_key(ctx, key, &len);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc == NGX_OK) {
        rc = ngx_voice_once_derive(ctx, voice_span((char *) key, len));
    }

    ngx_explicit_memzero(key, sizeof(key));

    if (rc != NGX_OK
        || (contract->verify_member == NULL && contract->hash[0] == NULL))
    {
        return rc;
    }

    /* a password that was right may be wrong by now, because it was done */
    return ngx_voice_once_query(ctx, &ctx->conf->recall,
                                ngx_voice_once_recalled);
}


ngx_uint_t
ngx_voice_once_stored(ngx_voice_ctx_t *ctx, ngx_voice_pg_e outcome,
    const PGresult *result)
{
    const char  *sqlstate;

    if (ctx->once == NULL || ctx->once->replayed
        || outcome != NGX_VOICE_PG_ERROR)
    {
        return 0;
    }

    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (sqlstate == NULL
        || ngx_strcmp(sqlstate, NGX_VOICE_ONCE_STORED) != 0)
    {
        return 0;
    }

    ctx->once->replayed = 1;

    return 1;
}


ngx_int_t
ngx_voice_once_call(ngx_voice_ctx_t *ctx, ngx_voice_pg_done_pt done)
{
    return ctx->once->replayed
           ? ngx_voice_once_query(ctx, &ctx->conf->replay, done)
           : ngx_voice_query(ctx, &ctx->operation->once, ctx->args, done);
}


ngx_int_t
ngx_voice_once_reply(ngx_voice_ctx_t *ctx)
{
    static const ngx_str_t  value = ngx_string("true");

    if (ctx->once == NULL || !ctx->once->replayed) {
        return NGX_OK;
    }

    return ngx_voice_header(ctx->request, "Idempotent-Replayed", &value);
}


/* NGX_DECLINED: the client sends none. */
static ngx_int_t
ngx_voice_once_key(ngx_voice_ctx_t *ctx, u_char out[VOICE_KEY_MAX],
    size_t *len)
{
    ngx_uint_t    n;
    voice_span_t  value;

    n = ngx_voice_header_count(ctx->request, "idempotency-key", &value);

    if (n == 0) {
        return NGX_DECLINED;
    }

    if (n > 1 || voice_header_key(value, (char *) out, len) != VOICE_OK) {
        return ngx_voice_once_refuse(ctx);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_once_refuse(ngx_voice_ctx_t *ctx)
{
    voice_problems_t  problems;

    problems.count = 0;
    voice_problem_add(&problems, "/header/idempotency_key",
                      "must be one string of 1 to %d visible ASCII "
                      "characters", VOICE_KEY_MAX);

    return ngx_voice_fail_problems(ctx, &problems);
}


/* A MAC, not a digest: passwords of a body cannot be guessed from it. */
static ngx_int_t
ngx_voice_once_derive(ngx_voice_ctx_t *ctx, voice_span_t key)
{
    char              hash[NGX_VOICE_ONCE_HEX + 1];
    char             *args;
    u_char           *p;
    ngx_int_t         rc;
    ngx_voice_once_t *once;

    once = ngx_pcalloc(ctx->request->pool, sizeof(ngx_voice_once_t));
    p = ngx_pnalloc(ctx->request->pool, 3 * NGX_VOICE_ONCE_HEX);
    args = json_dumps(ctx->args, JSON_COMPACT|JSON_SORT_KEYS);
    rc = NGX_ERROR;

    if (once != NULL && p != NULL && args != NULL
        && voice_sha256_hex(hash, key) == VOICE_OK)
    {
        ngx_memcpy(p, hash, NGX_VOICE_ONCE_HEX);
        rc = ngx_voice_once_mac(p + NGX_VOICE_ONCE_HEX, key,
                                ctx->operation->contract->function, args);
    }

    if (rc == NGX_OK) {
        /* no operation is called "reply key" */
        rc = ngx_voice_once_mac(p + 2 * NGX_VOICE_ONCE_HEX, key, "reply key",
                                "");
    }

    if (args != NULL) {
        ngx_explicit_memzero(args, ngx_strlen(args));
        free(args);
    }

    if (rc != NGX_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    once->key.data = p;
    once->fingerprint.data = p + NGX_VOICE_ONCE_HEX;
    once->secret.data = p + 2 * NGX_VOICE_ONCE_HEX;
    once->key.len = NGX_VOICE_ONCE_HEX;
    once->fingerprint.len = NGX_VOICE_ONCE_HEX;
    once->secret.len = NGX_VOICE_ONCE_HEX;
    ctx->once = once;

    return NGX_OK;
}


/* Without arguments: they may hold what is not hashed yet. */
static ngx_int_t
ngx_voice_once_query(ngx_voice_ctx_t *ctx,
    const ngx_voice_pg_statement_t *statement, ngx_voice_pg_done_pt done)
{
    json_t     *none;
    ngx_int_t   rc;

    none = json_object();
    if (none == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    rc = ngx_voice_query(ctx, statement, none, done);
    json_decref(none);

    return rc;
}


static void
ngx_voice_once_recalled(void *data, ngx_voice_pg_e outcome,
    PGresult **result)
{
    ngx_voice_ctx_t  *ctx = data;

    ctx->query = NULL;

    if (ngx_voice_once_stored(ctx, outcome, *result)) {
        ngx_voice_resume(ctx, NGX_VOICE_CALL);
        return;
    }

    if (outcome == NGX_VOICE_PG_RESULT) {
        ngx_voice_resume(ctx, NGX_VOICE_DIGEST);
        return;
    }

    (void) ngx_voice_fail_pg(ctx, outcome, *result);
    ngx_voice_refuse(ctx);
}


/* HMAC-SHA256 under the key over the purpose and the digest of the text. */
static ngx_int_t
ngx_voice_once_mac(u_char *out, voice_span_t key, const char *purpose,
    const char *text)
{
    char           message[NGX_VOICE_NAME_MAX + 1 + NGX_VOICE_ONCE_HEX + 1];
    u_char        *p;
    unsigned char  mac[VOICE_SHA256_LEN];

    p = ngx_slprintf((u_char *) message,
                     (u_char *) message + NGX_VOICE_NAME_MAX + 1, "%s ",
                     purpose);

    if (voice_sha256_hex((char *) p, voice_span_str(text)) != VOICE_OK
        || voice_hmac_sha256(mac, key, voice_span_str(message)) != VOICE_OK)
    {
        return NGX_ERROR;
    }

    (void) voice_hex_encode((char *) out, voice_span((char *) mac,
                                                     sizeof(mac)));

    return NGX_OK;
}
