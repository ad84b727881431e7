
/*
 * Tokens of foreign issuers: verified by the keys of the issuer that they
 * name, their claims made a tenant, a role and an actor of ours.
 */

#include "ngx_voice_ask.h"
#include "ngx_voice_known.h"
#include "ngx_voice_jwks.h"


#define NGX_VOICE_SUBJECT_MAX   255        /* bytes of "sub" */
#define NGX_VOICE_EXTERNAL_MAX  200        /* bytes of a tenant's name there */


static ngx_int_t ngx_voice_federate_wait(ngx_voice_ctx_t *ctx,
    ngx_voice_issuer_t *issuer, voice_span_t kid);
static void ngx_voice_federate_woken(void *data, ngx_int_t rc);
static ngx_int_t ngx_voice_federate_verify(ngx_voice_ctx_t *ctx,
    ngx_voice_issuer_t *issuer, const voice_jwt_keys_t *keys,
    json_t **claims);
static ngx_int_t ngx_voice_federate_claims(ngx_voice_ctx_t *ctx,
    const ngx_voice_issuer_t *issuer, const json_t *claims,
    ngx_voice_known_t *known);
static ngx_int_t ngx_voice_federate_actor(const ngx_voice_issuer_t *issuer,
    voice_span_t subject, u_char actor[VOICE_UUID_LEN]);
static voice_role_e ngx_voice_federate_role(const ngx_voice_issuer_t *issuer,
    const json_t *claim);
static ngx_uint_t ngx_voice_federate_fits(const ngx_str_t *theirs,
    const json_t *claim);
static ngx_int_t ngx_voice_federate_tenant(ngx_voice_ctx_t *ctx,
    const ngx_voice_issuer_t *issuer, const json_t *claims);
static ngx_int_t ngx_voice_federate_done(ngx_voice_ctx_t *ctx,
    voice_span_t tenant);
static ngx_int_t ngx_voice_external_take(ngx_voice_main_conf_t *mcf,
    const ngx_voice_ask_t *ask, const PGresult *result, void *record);
static void ngx_voice_external_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record);


static const ngx_voice_question_t  ngx_voice_external_question = {
    { ngx_string("edge_external"), ngx_string("select api.edge_external($1)"),
      1, NULL },
    VOICE_UUID_LEN, ngx_voice_external_take, ngx_voice_external_answered
};


ngx_int_t
ngx_voice_federate(ngx_voice_ctx_t *ctx, ngx_voice_issuer_t *issuer,
    voice_span_t kid)
{
    json_t                  *claims;
    uint64_t                 key;
    ngx_int_t                rc;
    ngx_voice_known_t       *known;
    const voice_jwt_keys_t  *keys;

    keys = ngx_voice_issuer_keys(issuer);
    key = keys == NULL ? 0 : ngx_voice_issuer_key_id(issuer, kid);

    if (key == 0) {
        return ngx_voice_federate_wait(ctx, issuer, kid);
    }

    known = ngx_voice_known_room(ctx);
    if (known == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    known->kind = NGX_VOICE_KIND_FEDERATED;
    known->key = key;
    known->since = ngx_voice_watch_now(&ctx->conf->shared->watch);
    ctx->federated = known;

    rc = ngx_voice_federate_verify(ctx, issuer, keys, &claims);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_voice_federate_claims(ctx, issuer, claims, known);

    if (rc == NGX_OK) {
        rc = ngx_voice_federate_tenant(ctx, issuer, claims);
    }

    json_decref(claims);

    return rc;
}


/* Once: whoever was woken and finds nothing is not told to wait again. */
static ngx_int_t
ngx_voice_federate_wait(ngx_voice_ctx_t *ctx, ngx_voice_issuer_t *issuer,
    voice_span_t kid)
{
    ngx_int_t  rc;

    rc = ctx->woken ? NGX_DECLINED
         : ngx_voice_jwks_wait(issuer, kid, ngx_voice_federate_woken, ctx,
                               &ctx->keys);

    if (rc == NGX_DECLINED) {
        return ngx_voice_unauthorized(ctx, voice_jwt_reason(
                                               VOICE_JWT_UNKNOWN_KEY));
    }

    return rc == NGX_AGAIN
           ? rc : ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE,
                                 "The keys of the token's issuer cannot be "
                                 "had now.");
}


static void
ngx_voice_federate_woken(void *data, ngx_int_t rc)
{
    ngx_voice_ctx_t  *ctx = data;

    ctx->keys = NULL;
    ctx->woken = 1;

    if (rc == NGX_OK) {
        ngx_voice_resume(ctx, NGX_VOICE_IDENTIFY);
        return;
    }

    if (rc == NGX_DECLINED) {
        (void) ngx_voice_unauthorized(ctx, voice_jwt_reason(
                                               VOICE_JWT_UNKNOWN_KEY));
    } else {
        (void) ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE,
                              "The keys of the token's issuer cannot be had "
                              "now.");
    }

    ngx_voice_refuse(ctx);
}


static ngx_int_t
ngx_voice_federate_verify(ngx_voice_ctx_t *ctx, ngx_voice_issuer_t *issuer,
    const voice_jwt_keys_t *keys, json_t **claims)
{
    voice_jwt_e        result;
    voice_jwt_rules_t  rules;

    ngx_memzero(&rules, sizeof(voice_jwt_rules_t));
    rules.issuer = (char *) issuer->name.data;
    rules.audience = (char *) issuer->audience.data;
    rules.types = issuer->types;
    rules.now = ngx_time();
    rules.leeway = issuer->leeway;

    result = voice_jwt_verify(keys, &rules, ctx->credential.text, claims);

    if (result == VOICE_JWT_INTERNAL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    return result == VOICE_JWT_OK
           ? NGX_OK : ngx_voice_unauthorized(ctx, voice_jwt_reason(result));
}


/* All but the tenant. */
static ngx_int_t
ngx_voice_federate_claims(ngx_voice_ctx_t *ctx,
    const ngx_voice_issuer_t *issuer, const json_t *claims,
    ngx_voice_known_t *known)
{
    voice_span_t   subject;
    voice_role_e   role;
    const json_t  *claim;

    subject = voice_json_text(claims, "sub");

    if (subject.len == 0 || subject.len > NGX_VOICE_SUBJECT_MAX) {
        return ngx_voice_unauthorized(ctx, "The token's \"sub\" must be 1 to "
                                      "255 bytes long.");
    }

    claim = issuer->role_claim.len == 0
            ? NULL : voice_json_at(claims, (char *) issuer->role_claim.data);
    role = ngx_voice_federate_role(issuer, claim);

    if (role == VOICE_ROLE_COUNT || role == VOICE_ROLE_PLATFORM_ADMIN) {
        return ngx_voice_fail(ctx, NGX_VOICE_AUTH_INSUFFICIENT_PERMISSIONS,
                              "The token gives no role here.");
    }

    if (ngx_voice_federate_actor(issuer, subject, known->actor) != NGX_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    known->role = role;
    known->expires = ngx_voice_known_expires(claims, issuer->leeway);
    ngx_memset(&known->scopes, 0xff, sizeof(ngx_voice_scopes_t));

    return NGX_OK;
}


/* The same person has the same id, at every node: UUIDv8 of the names. */
static ngx_int_t
ngx_voice_federate_actor(const ngx_voice_issuer_t *issuer,
    voice_span_t subject, u_char actor[VOICE_UUID_LEN])
{
    char           uuid[VOICE_UUID_LEN + 1];
    u_char         names[VOICE_JWT_ISSUER_MAX + 1 + NGX_VOICE_SUBJECT_MAX];
    u_char        *p;
    unsigned char  digest[VOICE_SHA256_LEN];

    p = ngx_cpymem(names, issuer->name.data, issuer->name.len);
    *p++ = '\0';
    p = ngx_cpymem(p, subject.ptr, subject.len);

    if (voice_sha256(digest, voice_span((char *) names, p - names))
        != VOICE_OK)
    {
        return NGX_ERROR;
    }

    voice_uuid_v8(uuid, digest);
    ngx_memcpy(actor, uuid, VOICE_UUID_LEN);

    return NGX_OK;
}


/* Of the first row that fits; VOICE_ROLE_COUNT: none does. */
static voice_role_e
ngx_voice_federate_role(const ngx_voice_issuer_t *issuer, const json_t *claim)
{
    ngx_uint_t                      i;
    const ngx_voice_issuer_role_t  *row;

    row = issuer->roles.elts;

    for (i = 0; i < issuer->roles.nelts; i++) {
        if (ngx_voice_federate_fits(&row[i].theirs, claim)) {
            return row[i].ours;
        }
    }

    return VOICE_ROLE_COUNT;
}


/* "*" fits everything, a claim that is not there as well. */
static ngx_uint_t
ngx_voice_federate_fits(const ngx_str_t *theirs, const json_t *claim)
{
    size_t         i;
    const json_t  *item;

    if (theirs->len == 1 && theirs->data[0] == '*') {
        return 1;
    }

    if (json_is_string(claim)) {
        return voice_span_eq(voice_span(json_string_value(claim),
                                        json_string_length(claim)),
                             voice_span((char *) theirs->data, theirs->len));
    }

    json_array_foreach(claim, i, item) {
        if (json_is_string(item) && ngx_voice_federate_fits(theirs, item)) {
            return 1;
        }
    }

    return 0;
}


/* A UUID, or the name that the issuer has for the tenant. */
static ngx_int_t
ngx_voice_federate_tenant(ngx_voice_ctx_t *ctx,
    const ngx_voice_issuer_t *issuer, const json_t *claims)
{
    u_char         key[NGX_VOICE_TABLE_KEY];
    ngx_str_t      name;
    voice_span_t   text;
    const json_t  *claim;

    text = voice_span((char *) issuer->tenant.data, issuer->tenant.len);

    if (text.len == 0) {
        claim = voice_json_at(claims, (char *) issuer->tenant_claim.data);
        text = voice_span(json_string_value(claim),
                          json_string_length(claim));
    }

    if (voice_uuid_valid(text)) {
        return ngx_voice_federate_done(ctx, text);
    }

    if (text.len == 0 || text.len > NGX_VOICE_EXTERNAL_MAX) {
        return ngx_voice_unauthorized(ctx, "The token names no tenant.");
    }

    if (voice_sha256(key, text) != VOICE_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    name.data = (u_char *) text.ptr;
    name.len = text.len;

    return ngx_voice_ask(ctx, ctx->conf->pg, &ngx_voice_external_question,
                         key, &name);
}


static ngx_int_t
ngx_voice_federate_done(ngx_voice_ctx_t *ctx, voice_span_t tenant)
{
    ngx_voice_known_t  *known;

    known = ctx->federated;
    ngx_strlow(known->tenant, (u_char *) tenant.ptr, VOICE_UUID_LEN);

    ngx_voice_known_put(ctx->conf, ctx->credential.key, known);
    ngx_voice_known_take(ctx, known);

    return NGX_OK;
}


static ngx_int_t
ngx_voice_external_take(ngx_voice_main_conf_t *mcf,
    const ngx_voice_ask_t *ask, const PGresult *result, void *record)
{
    voice_span_t  id;

    id = ngx_voice_column(result, 0);

    if (id.len != VOICE_UUID_LEN) {
        return NGX_DECLINED;
    }

    ngx_memcpy(record, id.ptr, VOICE_UUID_LEN);

    return NGX_OK;
}


static void
ngx_voice_external_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record)
{
    if (rc == NGX_DECLINED) {
        rc = ngx_voice_unauthorized(ctx, "The token's tenant does not "
                                    "exist.");

    } else if (rc == NGX_OK) {
        rc = ngx_voice_federate_done(ctx, voice_span(record,
                                                     VOICE_UUID_LEN));
    }

    if (rc != NGX_OK) {
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_resume(ctx, NGX_VOICE_TENANT);
}
