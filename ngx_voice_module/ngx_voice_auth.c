
/*
 * Who is it, and may it: a credential becomes an identity, from the table of
 * known ones or by verifying it; role and scope are compared with the policy.
 */

#include "ngx_voice_ask.h"
#include "ngx_voice_known.h"


#define NGX_VOICE_KEY_MAX     256          /* bytes of an API key */
#define NGX_VOICE_JWT_LEEWAY  5            /* seconds between two clocks */


static ngx_int_t ngx_voice_identify_nobody(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_identify_token(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_identify_claims(ngx_voice_ctx_t *ctx,
    const json_t *claims);
static ngx_int_t ngx_voice_identify_key(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_lacks_scope(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_admit_dropin(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_key_take(ngx_voice_main_conf_t *mcf,
    const ngx_voice_ask_t *ask, const PGresult *result, void *record);
static void ngx_voice_key_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record);
static ngx_int_t ngx_voice_key_read(ngx_voice_main_conf_t *mcf,
    const json_t *data, ngx_voice_known_t *known);
static ngx_int_t ngx_voice_proof_take(ngx_voice_main_conf_t *mcf,
    const ngx_voice_ask_t *ask, const PGresult *result, void *record);
static void ngx_voice_proof_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record);
static ngx_int_t ngx_voice_fresh(ngx_voice_ctx_t *ctx,
    const ngx_voice_database_t *database);
static ngx_voice_database_t *ngx_voice_database_of(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_scope_held(const ngx_voice_scopes_t *scopes,
    ngx_uint_t scope);


static const ngx_voice_question_t  ngx_voice_key_question = {
    { ngx_string("authenticate_key"),
      ngx_string("select status, data, message, pagination, claims, wake, "
                 "headers from api.authenticate_key($1)"),
      1, NULL },
    sizeof(ngx_voice_known_t), ngx_voice_key_take, ngx_voice_key_answered
};

static const ngx_voice_question_t  ngx_voice_proof_question = {
    { ngx_string("edge_session"),
      ngx_string("select api.edge_session($1,$2,$3,$4,$5)"), 5, NULL },
    sizeof(ngx_atomic_uint_t), ngx_voice_proof_take, ngx_voice_proof_answered
};


ngx_int_t
ngx_voice_identify(ngx_voice_ctx_t *ctx)
{
    ngx_int_t           rc;
    ngx_voice_known_t  *known;

    if (ctx->policy->public || (ctx->known != NULL && !ctx->again)) {
        return NGX_OK;
    }

    if (ctx->credential.text.len == 0) {
        rc = ngx_voice_credential(ctx);

        if (rc == NGX_DECLINED) {
            return ngx_voice_identify_nobody(ctx);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    known = ngx_voice_known_room(ctx);

    if (known == NULL
        || ngx_voice_known_key(ctx->credential.key, ctx->credential.text)
           != NGX_OK)
    {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (!ctx->credential.ticket
        && ngx_voice_known_get(ctx->conf, ctx->credential.key, known) == NGX_OK
        && (known->kind == NGX_VOICE_KIND_API_KEY) == !ctx->credential.token)
    {
        ngx_voice_known_take(ctx, known);
        return NGX_OK;
    }

    if (ngx_voice_limit_failure_allowed(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ctx->credential.token ? ngx_voice_identify_token(ctx)
           : ctx->credential.ticket ? ngx_voice_ticket(ctx)
                                    : ngx_voice_identify_key(ctx);
}


/*
 * Behind locations, and while a stream is open, nothing else proves that a
 * session or key still lives.
 */
ngx_int_t
ngx_voice_prove(ngx_voice_ctx_t *ctx)
{
    ngx_str_t              params[5];
    ngx_voice_database_t  *database;

    if ((!ctx->location && !ctx->again) || ctx->tenant == NULL) {
        return NGX_OK;
    }

    database = ngx_voice_database_of(ctx);
    if (database == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);
    }

    if (ngx_voice_fresh(ctx, database) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->known == NULL || (ctx->known->proved && !ctx->again)) {
        return NGX_OK;
    }

    params[0] = ctx->identity.tenant;
    params[1] = ctx->identity.actor;
    params[2] = ctx->identity.kind;
    params[3] = ctx->identity.role;
    params[4] = ctx->identity.session;

    return ngx_voice_ask(ctx, database->pg, &ngx_voice_proof_question,
                         ctx->credential.key, params);
}


ngx_int_t
ngx_voice_admit(ngx_voice_ctx_t *ctx)
{
    const ngx_voice_policy_t  *policy;

    policy = ctx->policy;

    if (policy->public || ctx->known == NULL) {
        return NGX_OK;
    }

    if (ctx->known->kind == NGX_VOICE_KIND_DROPIN) {
        return ngx_voice_admit_dropin(ctx);
    }

    if (ctx->known->role >= VOICE_ROLE_COUNT
        || !(policy->roles & (1u << ctx->known->role)))
    {
        return ngx_voice_fail(ctx, NGX_VOICE_AUTH_INSUFFICIENT_PERMISSIONS,
                              "The role does not allow this.");
    }

    if (policy->scope != NGX_VOICE_NO_SCOPE
        && !ngx_voice_scope_held(&ctx->identity.scopes, policy->scope))
    {
        return ngx_voice_lacks_scope(ctx);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_lacks_scope(ngx_voice_ctx_t *ctx)
{
    u_char             *message;
    static const char   said[] = "The API key lacks the scope ";
    const char *const  *names;

    names = ctx->conf->scopes->elts;
    message = ngx_pnalloc(ctx->request->pool, sizeof(said)
                          + ngx_strlen(names[ctx->policy->scope]) + 1);
    if (message != NULL) {
        ngx_sprintf(message, "%s%s.%Z", said, names[ctx->policy->scope]);
    }

    return ngx_voice_fail(ctx, NGX_VOICE_AUTH_INSUFFICIENT_PERMISSIONS,
                          (const char *) message);
}


/*
 * The operation's mark has let it in, whatever its roles are.  A page that
 * somebody here happens to look at is not the PBX.
 */
static ngx_int_t
ngx_voice_admit_dropin(ngx_voice_ctx_t *ctx)
{
    if (ngx_voice_cors_foreign(ctx)) {
        return ngx_voice_fail(ctx, NGX_VOICE_AUTH_INSUFFICIENT_PERMISSIONS,
                              "Pages of this origin need credentials.");
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_unauthorized(ngx_voice_ctx_t *ctx, const char *message)
{
    ngx_voice_limit_failed(ctx);

    return ngx_voice_fail(ctx, NGX_VOICE_AUTH_INVALID_TOKEN, message);
}


/* No credential was sent. */
static ngx_int_t
ngx_voice_identify_nobody(ngx_voice_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_voice_dropin(ctx);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    return ctx->policy->optional ? NGX_OK : ngx_voice_unauthorized(ctx, NULL);
}


static ngx_int_t
ngx_voice_identify_token(ngx_voice_ctx_t *ctx)
{
    json_t              *claims;
    ngx_int_t            rc;
    voice_jwt_e          result;
    voice_jwt_peek_t     peek;
    voice_jwt_rules_t    rules;
    ngx_voice_issuer_t  *issuer;

    result = voice_jwt_peek(ctx->credential.text, &peek);

    if (result != VOICE_JWT_OK) {
        return ngx_voice_unauthorized(ctx, voice_jwt_reason(result));
    }

    issuer = ngx_voice_issuer_find(ctx->conf->issuers,
                                   voice_span(peek.issuer, peek.issuer_len));
    if (issuer != NULL) {
        return ngx_voice_federate(ctx, issuer,
                                  voice_span(peek.kid, peek.kid_len));
    }

    ngx_memzero(&rules, sizeof(voice_jwt_rules_t));
    rules.issuer = (char *) ctx->conf->issuer.data;
    rules.now = ngx_time();
    rules.leeway = NGX_VOICE_JWT_LEEWAY;

    result = voice_jwt_verify(ctx->conf->keys, &rules, ctx->credential.text,
                              &claims);

    if (result == VOICE_JWT_INTERNAL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (result != VOICE_JWT_OK) {
        return ngx_voice_unauthorized(ctx, voice_jwt_reason(result));
    }

    rc = ngx_voice_identify_claims(ctx, claims);
    json_decref(claims);

    return rc;
}


/* A token of our own; whether its session lives is asked elsewhere. */
static ngx_int_t
ngx_voice_identify_claims(ngx_voice_ctx_t *ctx, const json_t *claims)
{
    ngx_voice_known_t  *known;

    known = ngx_voice_known_room(ctx);
    if (known == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (ngx_voice_known_uuid(claims, "sub", known->actor) != NGX_OK
        || ngx_voice_known_uuid(claims, "tenant_id", known->tenant) != NGX_OK
        || ngx_voice_known_uuid(claims, "sid", known->session) != NGX_OK
        || voice_json_text(claims, "role").len == 0)
    {
        return ngx_voice_unauthorized(ctx, "The token lacks a claim.");
    }

    known->kind = NGX_VOICE_KIND_USER;
    known->role = voice_role_parse(voice_json_text(claims, "role"));
    known->since = ngx_voice_watch_now(&ctx->conf->shared->watch);
    known->expires = ngx_voice_known_expires(claims, NGX_VOICE_JWT_LEEWAY);
    ngx_voice_scopes_read(ctx->conf, NULL, &known->scopes);

    ngx_voice_known_put(ctx->conf, ctx->credential.key, known);
    ngx_voice_known_take(ctx, known);

    return NGX_OK;
}


/* Nobody knows yet in which database the key's tenant is: the main one is
 * asked first, then the others, one after the other. */
static ngx_int_t
ngx_voice_identify_key(ngx_voice_ctx_t *ctx)
{
    char                   hex[VOICE_HEX_LEN(VOICE_SHA256_LEN)];
    ngx_str_t              param;
    ngx_voice_database_t  *database;

    if (ctx->credential.text.len > NGX_VOICE_KEY_MAX) {
        return ngx_voice_unauthorized(ctx, NULL);
    }

    database = ctx->conf->databases->elts;
    database += ctx->databases;

    param.data = (u_char *) hex;
    param.len = voice_hex_encode(hex, voice_span((char *) ctx->credential.key,
                                                 VOICE_SHA256_LEN));

    return ngx_voice_ask(ctx, database->pg, &ngx_voice_key_question,
                         ctx->credential.key, &param);
}


static ngx_int_t
ngx_voice_key_take(ngx_voice_main_conf_t *mcf, const ngx_voice_ask_t *ask,
    const PGresult *result, void *record)
{
    json_t              *data;
    ngx_int_t            rc;
    ngx_voice_known_t   *known = record;
    voice_json_error_t   err;

    if (!voice_span_eq(ngx_voice_column(result, NGX_VOICE_COLUMN_STATUS),
                       VOICE_SPAN("200")))
    {
        return NGX_DECLINED;
    }

    data = voice_json_parse(ngx_voice_column(result, NGX_VOICE_COLUMN_DATA),
                            &err);
    rc = ngx_voice_key_read(mcf, data, known);
    json_decref(data);

    if (rc == NGX_OK) {
        known->since = ask->since;
        ngx_voice_known_put(mcf, ask->key, known);
    }

    return rc;
}


static void
ngx_voice_key_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record)
{
    ngx_voice_known_answered(ctx, rc, record, "The API key is not valid.");
}


static ngx_int_t
ngx_voice_key_read(ngx_voice_main_conf_t *mcf, const json_t *data,
    ngx_voice_known_t *known)
{
    known->kind = NGX_VOICE_KIND_API_KEY;
    known->role = voice_role_parse(voice_json_text(data, "role"));
    known->expires = json_integer_value(json_object_get(data, "expires"));
    known->rate.rate = json_integer_value(json_object_get(data, "rate"));
    known->rate.burst = json_integer_value(json_object_get(data, "burst"));

    ngx_voice_scopes_read(mcf, json_object_get(data, "scopes"),
                          &known->scopes);

    return ngx_voice_known_uuid(data, "key_id", known->actor) == NGX_OK
           && ngx_voice_known_uuid(data, "tenant_id", known->tenant)
              == NGX_OK
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_voice_proof_take(ngx_voice_main_conf_t *mcf, const ngx_voice_ask_t *ask,
    const PGresult *result, void *record)
{
    ngx_atomic_uint_t  *since = record;

    *since = ask->since;

    return NGX_OK;
}


static void
ngx_voice_proof_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record)
{
    ngx_voice_known_t         known;
    const ngx_atomic_uint_t  *since = record;

    if (rc != NGX_OK) {
        if (ctx->error.status == NGX_HTTP_UNAUTHORIZED) {
            ngx_voice_limit_failed(ctx);
        }

        ngx_voice_refuse(ctx);
        return;
    }

    if (!ctx->again) {
        known = *ctx->known;
        known.proved = 1;
        known.since = ngx_min(known.since, *since);
        ngx_voice_known_put(ctx->conf, ctx->credential.key, &known);
    }

    ngx_voice_resume(ctx, NGX_VOICE_ADMIT);
}


/* A copy that nobody could have revoked for a while is good for some time. */
static ngx_int_t
ngx_voice_fresh(ngx_voice_ctx_t *ctx, const ngx_voice_database_t *database)
{
    ngx_msec_t                    lag, main;
    const ngx_voice_watch_t      *watch;
    const ngx_voice_database_t   *first;

    watch = &ctx->conf->shared->watch;
    first = ctx->conf->databases->elts;
    lag = ngx_voice_watch_lag(watch, database - first);
    main = ngx_voice_watch_lag(watch, 0);
    lag = ngx_max(lag, main);

    if (lag <= NGX_VOICE_WATCH_FRESH) {
        return NGX_OK;
    }

    if (lag > ctx->conf->stale) {
        return ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);
    }

    ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_stale_uses, 1);

    return NGX_OK;
}


/* Where the tenant's data are; NULL: no such shard. */
static ngx_voice_database_t *
ngx_voice_database_of(ngx_voice_ctx_t *ctx)
{
    return ngx_voice_database_find(ctx->conf->databases,
                                   ctx->tenant == NULL ? ""
                                   : (char *) ctx->tenant->shard);
}


void
ngx_voice_scopes_read(ngx_voice_main_conf_t *mcf, const json_t *scopes,
    ngx_voice_scopes_t *held)
{
    size_t         i;
    ngx_uint_t     n;
    const char   **names;
    const json_t  *item;

    if (scopes == NULL) {
        ngx_memset(held, 0xff, sizeof(ngx_voice_scopes_t));
        return;
    }

    names = mcf->scopes->elts;

    json_array_foreach(scopes, i, item) {
        if (!json_is_string(item)) {
            continue;
        }

        if (ngx_strcmp(json_string_value(item), "*") == 0) {
            ngx_memset(held, 0xff, sizeof(ngx_voice_scopes_t));
            return;
        }

        for (n = 0; n < mcf->scopes->nelts; n++) {
            if (ngx_strcmp(json_string_value(item), names[n]) == 0) {
                held->bits[n / 64] |= (uint64_t) 1 << n % 64;
            }
        }
    }
}


static ngx_uint_t
ngx_voice_scope_held(const ngx_voice_scopes_t *scopes, ngx_uint_t scope)
{
    return (scopes->bits[scope / 64] >> scope % 64) & 1;
}
