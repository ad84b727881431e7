
/*
 * Steps that keep secrets from SQL: members of the body become digests,
 * bcrypt hashes, or the answer whether they match a stored hash.
 */

#include "ngx_voice.h"


static void ngx_voice_looked_up(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static ngx_int_t ngx_voice_lookup_take(ngx_voice_ctx_t *ctx,
    const PGresult *result);
static json_t *ngx_voice_lookup_args(ngx_voice_ctx_t *ctx);
static void ngx_voice_verified(void *data, ngx_voice_password_e outcome,
    const ngx_str_t *hash);
static void ngx_voice_hashed(void *data, ngx_voice_password_e outcome,
    const ngx_str_t *hash);
static ngx_str_t ngx_voice_secret_text(ngx_voice_ctx_t *ctx,
    const char *member);
static void ngx_voice_secret_drop(ngx_voice_ctx_t *ctx, const char *member);
static ngx_int_t ngx_voice_secret_replace(ngx_voice_ctx_t *ctx,
    const char *member, const char *suffix, json_t *value);
static void ngx_voice_secret_forged(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_secret_too_long(ngx_voice_ctx_t *ctx,
    const char *member);
static ngx_int_t ngx_voice_secret_busy(ngx_voice_ctx_t *ctx);


ngx_int_t
ngx_voice_digest(ngx_voice_ctx_t *ctx)
{
    char                hex[VOICE_SHA256_LEN * 2 + 1];
    ngx_str_t           text;
    voice_span_t        span;
    const char *const  *member;

    ngx_voice_secret_forged(ctx);

    member = ctx->operation->contract->digest;

    for ( /* void */ ; *member != NULL; member++) {
        text = ngx_voice_secret_text(ctx, *member);
        if (text.data == NULL) {
            continue;
        }

        span = voice_span((char *) text.data, text.len);

        if (voice_sha256_hex(hex, span) != VOICE_OK
            || ngx_voice_secret_replace(ctx, *member, "", json_string(hex))
               != NGX_OK)
        {
            return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_lookup(ngx_voice_ctx_t *ctx)
{
    json_t      *args;
    ngx_int_t    rc;
    const char  *member;

    member = ctx->operation->contract->verify_member;

    if (member == NULL || ngx_voice_secret_text(ctx, member).data == NULL) {
        ctx->next = NGX_VOICE_HASH;
        return NGX_OK;
    }

    args = ngx_voice_lookup_args(ctx);
    if (args == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    rc = ngx_voice_query(ctx, &ctx->operation->lookup, args,
                         ngx_voice_looked_up);
    json_decref(args);

    return rc;
}


ngx_int_t
ngx_voice_verify(ngx_voice_ctx_t *ctx)
{
    ngx_str_t   password;
    ngx_str_t  *hash;

    password = ngx_voice_secret_text(ctx,
                                     ctx->operation->contract->verify_member);

    /* without a hash it takes as long: nobody learns who has an account */
    hash = ctx->secret.len == 0 ? NULL : &ctx->secret;

    ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_passwords_compared, 1);

    ctx->task = ngx_voice_password_verify(ctx->conf->hasher, &password, hash,
                                          ngx_voice_verified, ctx);

    return ctx->task == NULL ? ngx_voice_secret_busy(ctx) : NGX_AGAIN;
}


ngx_int_t
ngx_voice_hash(ngx_voice_ctx_t *ctx)
{
    ngx_str_t    password;
    const char  *member;

    for ( ;; ) {
        member = ctx->operation->contract->hash[ctx->hashed];
        if (member == NULL) {
            return NGX_OK;
        }

        password = ngx_voice_secret_text(ctx, member);
        if (password.data != NULL) {
            break;
        }

        ctx->hashed++;
    }

    if (password.len == 0 || password.len > NGX_VOICE_PASSWORD_MAX) {
        return ngx_voice_secret_too_long(ctx, member);
    }

    ctx->task = ngx_voice_password_hash(ctx->conf->hasher, &password,
                                        ngx_voice_hashed, ctx);

    return ctx->task == NULL ? ngx_voice_secret_busy(ctx) : NGX_AGAIN;
}


static void
ngx_voice_looked_up(void *data, ngx_voice_pg_e outcome, PGresult **result)
{
    ngx_int_t         rc;
    ngx_voice_ctx_t  *ctx = data;

    ctx->query = NULL;

    rc = outcome == NGX_VOICE_PG_RESULT
         ? ngx_voice_lookup_take(ctx, *result)
         : ngx_voice_fail_pg(ctx, outcome, *result);

    if (rc != NGX_OK) {
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_resume(ctx, NGX_VOICE_VERIFY);
}


/* The hash for the comparison, the rest for the function; or a refusal. */
static ngx_int_t
ngx_voice_lookup_take(ngx_voice_ctx_t *ctx, const PGresult *result)
{
    json_t              *data;
    ngx_int_t            rc;
    ngx_str_t            hash;
    voice_span_t         text;
    voice_json_error_t   err;

    text = ngx_voice_column(result, NGX_VOICE_COLUMN_STATUS);
    rc = ngx_atoi((u_char *) text.ptr, text.len);

    if (rc >= NGX_HTTP_BAD_REQUEST && rc <= 599) {
        hash = ngx_voice_column_str(result, NGX_VOICE_COLUMN_DATA);
        return ngx_voice_fail_reply(ctx, rc, &hash);
    }

    text = ngx_voice_column(result, NGX_VOICE_COLUMN_DATA);
    if (text.len == 0) {
        return NGX_OK;
    }

    data = voice_json_parse(text, &err);
    if (data == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    text = voice_json_text(data, "hash");
    hash.data = (u_char *) text.ptr;
    hash.len = text.len;
    rc = NGX_OK;

    if (hash.len != 0) {
        ctx->secret.data = ngx_pstrdup(ctx->request->pool, &hash);
        ctx->secret.len = hash.len;
    }

    (void) json_object_del(data, "hash");

    if ((hash.len != 0 && ctx->secret.data == NULL)
        || (json_is_object(data) && json_object_update(ctx->args, data) != 0))
    {
        rc = ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    json_decref(data);

    return rc;
}


/* The lookup sees no secret. */
static json_t *
ngx_voice_lookup_args(ngx_voice_ctx_t *ctx)
{
    json_t                   *args;
    const char *const        *member;
    const voice_operation_t  *contract;

    contract = ctx->operation->contract;

    args = json_copy(ctx->args);
    if (args == NULL) {
        return NULL;
    }

    (void) json_object_del(args, contract->verify_member);

    for (member = contract->hash; *member != NULL; member++) {
        (void) json_object_del(args, *member);
    }

    return args;
}


static void
ngx_voice_verified(void *data, ngx_voice_password_e outcome,
    const ngx_str_t *hash)
{
    const char       *member;
    ngx_voice_ctx_t  *ctx = data;

    (void) hash;

    ctx->task = NULL;
    member = ctx->operation->contract->verify_member;

    if (outcome == NGX_VOICE_PASSWORD_FAILED) {
        (void) ngx_voice_secret_busy(ctx);
        ngx_voice_refuse(ctx);
        return;
    }

    if (ngx_voice_secret_replace(ctx, member, "_ok",
                                 json_boolean(outcome
                                              == NGX_VOICE_PASSWORD_OK))
        != NGX_OK)
    {
        (void) ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_resume(ctx, NGX_VOICE_HASH);
}


static void
ngx_voice_hashed(void *data, ngx_voice_password_e outcome,
    const ngx_str_t *hash)
{
    const char       *member;
    ngx_voice_ctx_t  *ctx = data;

    ctx->task = NULL;
    member = ctx->operation->contract->hash[ctx->hashed];
    ctx->hashed++;

    if (outcome != NGX_VOICE_PASSWORD_OK) {
        (void) ngx_voice_secret_busy(ctx);
        ngx_voice_refuse(ctx);
        return;
    }

    if (ngx_voice_secret_replace(ctx, member, "_hash",
                                 json_stringn((char *) hash->data, hash->len))
        != NGX_OK)
    {
        (void) ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_resume(ctx, NGX_VOICE_HASH);
}


/* A string among the arguments; data NULL: there is none. */
static ngx_str_t
ngx_voice_secret_text(ngx_voice_ctx_t *ctx, const char *member)
{
    json_t     *value;
    ngx_str_t   text;

    value = json_object_get(ctx->args, member);

    text.data = (u_char *) json_string_value(value);
    text.len = json_string_length(value);

    return text;
}


/* Wipes and removes it. */
static void
ngx_voice_secret_drop(ngx_voice_ctx_t *ctx, const char *member)
{
    ngx_str_t  text;

    text = ngx_voice_secret_text(ctx, member);

    if (text.data != NULL) {
        ngx_explicit_memzero(text.data, text.len);
    }

    (void) json_object_del(ctx->args, member);
}


/* Takes over the reference of value, which may be NULL (a failure). */
static ngx_int_t
ngx_voice_secret_replace(ngx_voice_ctx_t *ctx, const char *member,
    const char *suffix, json_t *value)
{
    u_char  name[128], *p;

    ngx_voice_secret_drop(ctx, member);

    p = ngx_slprintf(name, name + sizeof(name) - 1, "%s%s", member, suffix);
    *p = '\0';

    return json_object_set_new(ctx->args, (char *) name, value) == 0
           ? NGX_OK : NGX_ERROR;
}


/* A client must not answer for us, whatever its body's schema lets pass. */
static void
ngx_voice_secret_forged(ngx_voice_ctx_t *ctx)
{
    u_char                    name[128], *last;
    const char *const        *member;
    const voice_operation_t  *contract;

    contract = ctx->operation->contract;
    last = name + sizeof(name) - 1;

    if (contract->verify_member != NULL) {
        *ngx_slprintf(name, last, "%s_ok", contract->verify_member) = '\0';
        (void) json_object_del(ctx->args, (char *) name);
    }

    for (member = contract->hash; *member != NULL; member++) {
        *ngx_slprintf(name, last, "%s_hash", *member) = '\0';
        (void) json_object_del(ctx->args, (char *) name);
    }
}


static ngx_int_t
ngx_voice_secret_too_long(ngx_voice_ctx_t *ctx, const char *member)
{
    u_char             path[128], *p;
    voice_problems_t   problems;

    p = ngx_slprintf(path, path + sizeof(path) - 1, "/body/%s", member);
    *p = '\0';

    problems.count = 0;
    voice_problem_add(&problems, (char *) path, "must be 1 to %d bytes long",
                      NGX_VOICE_PASSWORD_MAX);

    return ngx_voice_fail_problems(ctx, &problems);
}


/* The bounded queue of hashing is full, or a hash took too long. */
static ngx_int_t
ngx_voice_secret_busy(ngx_voice_ctx_t *ctx)
{
    (void) ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);
    ctx->error.retry_after = 1;

    return NGX_ERROR;
}
