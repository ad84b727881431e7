
/*
 * Who is it, and may it: a bearer token (JWT) or an API key becomes an
 * identity; role, scope and limit are checked against the operation.
 */

#include "ngx_voice.h"


#define NGX_VOICE_KEY_MAX      256         /* bytes of an API key */
#define NGX_VOICE_JWT_LEEWAY   5           /* seconds between two clocks */


/* A member of the claims and where it goes. */
typedef struct {
    const char  *name;
    ngx_str_t   *to;
    unsigned     uuid;
} ngx_voice_claim_t;


static ngx_int_t ngx_voice_credentials(ngx_voice_ctx_t *ctx,
    voice_span_t *token, voice_span_t *key);
static ngx_int_t ngx_voice_query_credentials(ngx_voice_ctx_t *ctx,
    voice_span_t *token, voice_span_t *key);
static void ngx_voice_hide(ngx_http_request_t *r, voice_span_t name);
static ngx_int_t ngx_voice_unauthorized(ngx_voice_ctx_t *ctx,
    const char *message);
static ngx_int_t ngx_voice_identify_token(ngx_voice_ctx_t *ctx,
    voice_span_t token);
static ngx_int_t ngx_voice_identify_claims(ngx_voice_ctx_t *ctx,
    const json_t *claims);
static ngx_int_t ngx_voice_identify_key(ngx_voice_ctx_t *ctx,
    voice_span_t key);
static void ngx_voice_key_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static ngx_int_t ngx_voice_key_accept(ngx_voice_ctx_t *ctx,
    const PGresult *result);
static ngx_int_t ngx_voice_identity_read(ngx_voice_ctx_t *ctx,
    const json_t *object, const ngx_voice_claim_t *row);
static void ngx_voice_scopes_read(ngx_voice_ctx_t *ctx,
    const json_t *scopes);
static ngx_uint_t ngx_voice_scope_held(const ngx_voice_scopes_t *scopes,
    ngx_uint_t scope);


ngx_int_t
ngx_voice_identify(ngx_voice_ctx_t *ctx)
{
    ngx_int_t     rc;
    voice_span_t  token, key;

    if (ctx->policy->public) {
        return NGX_OK;
    }

    token = voice_span(NULL, 0);
    key = voice_span(NULL, 0);

    rc = ngx_voice_credentials(ctx, &token, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    return token.len != 0 ? ngx_voice_identify_token(ctx, token)
                          : ngx_voice_identify_key(ctx, key);
}


ngx_int_t
ngx_voice_admit(ngx_voice_ctx_t *ctx)
{
    voice_role_e               role;
    const ngx_voice_policy_t  *policy;

    policy = ctx->policy;

    if (policy->public) {
        return NGX_OK;
    }

    role = voice_role_parse(voice_span((char *) ctx->identity.role.data,
                                       ctx->identity.role.len));

    if (role == VOICE_ROLE_COUNT || !(policy->roles & (1u << role))) {
        return ngx_voice_fail(ctx, NGX_VOICE_AUTH_INSUFFICIENT_PERMISSIONS,
                              "The role does not allow this.");
    }

    if (policy->scope != NGX_VOICE_NO_SCOPE
        && !ngx_voice_scope_held(&ctx->identity.scopes, policy->scope))
    {
        return ngx_voice_fail(ctx, NGX_VOICE_AUTH_INSUFFICIENT_PERMISSIONS,
                              "The API key lacks the scope.");
    }

    return NGX_OK;
}


voice_span_t
ngx_voice_request_header(void *data, const char *name)
{
    ngx_table_elt_t  *h;

    h = ngx_voice_header_find(data, name);

    return h == NULL ? voice_span(NULL, 0)
                     : voice_span((char *) h->value.data, h->value.len);
}


ngx_table_elt_t *
ngx_voice_header_find(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_memcmp(h[i].lowcase_key, name, len) == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


/* One of token and key is set, or ctx->error. */
static ngx_int_t
ngx_voice_credentials(ngx_voice_ctx_t *ctx, voice_span_t *token,
    voice_span_t *key)
{
    voice_span_t         header;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (r->headers_in.authorization != NULL) {
        header = voice_span(
                     (char *) r->headers_in.authorization->value.data,
                     r->headers_in.authorization->value.len);

        if (header.len <= 7
            || ngx_strncasecmp((u_char *) header.ptr, (u_char *) "Bearer ", 7)
               != 0)
        {
            return ngx_voice_unauthorized(ctx, "The header Authorization "
                                          "must be \"Bearer\" and a token.");
        }

        *token = voice_span(header.ptr + 7, header.len - 7);
        return NGX_OK;
    }

    *key = ngx_voice_request_header(r, "x-api-key");
    if (key->len != 0) {
        return NGX_OK;
    }

    if (ctx->operation->contract->stream) {
        return ngx_voice_query_credentials(ctx, token, key);
    }

    return ngx_voice_unauthorized(ctx, NULL);
}


/*
 * A browser's EventSource and WebSocket cannot set headers: streams take
 * "access_token", a token or an API key, in the query.
 */
static ngx_int_t
ngx_voice_query_credentials(ngx_voice_ctx_t *ctx, voice_span_t *token,
    voice_span_t *key)
{
    char                *buf;
    size_t               len;
    voice_rc_t           rc;
    voice_span_t         query;
    ngx_http_request_t  *r;

    r = ctx->request;
    query = voice_span((char *) r->args.data, r->args.len);

    buf = ngx_pnalloc(r->pool, VOICE_JWT_MAX);
    if (buf == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    rc = voice_query_find(query, "access_token", buf, VOICE_JWT_MAX, &len);
    if (rc != VOICE_OK || len == 0) {
        return ngx_voice_unauthorized(ctx, NULL);
    }

    if (memchr(buf, '.', len) != NULL) {
        *token = voice_span(buf, len);
    } else {
        *key = voice_span(buf, len);
    }

    ngx_voice_hide(r, voice_span("access_token=", 13));

    return NGX_OK;
}


/*
 * Overwrites the token where nginx keeps the request line: whatever writes
 * it to a log later finds no secret.  The query and the URIs share these
 * bytes.
 */
static void
ngx_voice_hide(ngx_http_request_t *r, voice_span_t name)
{
    u_char     *p, *last;
    ngx_str_t  *where;
    ngx_uint_t  i;

    ngx_str_t  *all[] = { &r->args, &r->request_line, &r->unparsed_uri };

    for (i = 0; i < VOICE_ARRAY_SIZE(all); i++) {
        where = all[i];
        last = where->data + where->len;
        p = where->data;

        while (p != NULL && (size_t) (last - p) > name.len) {
            if (ngx_memcmp(p, name.ptr, name.len) != 0) {
                p++;
                continue;
            }

            for (p += name.len; p < last && *p != '&' && *p != ' '; p++) {
                *p = 'x';
            }
        }
    }
}


static ngx_int_t
ngx_voice_unauthorized(ngx_voice_ctx_t *ctx, const char *message)
{
    return ngx_voice_fail(ctx, NGX_VOICE_AUTH_INVALID_TOKEN, message);
}


static ngx_int_t
ngx_voice_identify_token(ngx_voice_ctx_t *ctx, voice_span_t token)
{
    json_t             *claims;
    ngx_int_t           rc;
    voice_jwt_e         result;
    voice_jwt_rules_t   rules;

    ngx_memzero(&rules, sizeof(voice_jwt_rules_t));
    rules.issuer = (char *) ctx->conf->issuer.data;
    rules.now = ngx_time();
    rules.leeway = NGX_VOICE_JWT_LEEWAY;

    result = voice_jwt_verify(ctx->conf->keys, &rules, token, &claims);

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


static ngx_int_t
ngx_voice_identify_claims(ngx_voice_ctx_t *ctx, const json_t *claims)
{
    const ngx_voice_claim_t  rows[] = {
        { "sub", &ctx->identity.actor, 1 },
        { "tenant_id", &ctx->identity.tenant, 1 },
        { "sid", &ctx->identity.session, 1 },
        { "role", &ctx->identity.role, 0 },
        { NULL, NULL, 0 }
    };

    ngx_str_set(&ctx->identity.kind, "user");
    ngx_voice_scopes_read(ctx, NULL);

    return ngx_voice_identity_read(ctx, claims, rows);
}


static ngx_int_t
ngx_voice_identify_key(ngx_voice_ctx_t *ctx, voice_span_t key)
{
    char       hex[VOICE_SHA256_LEN * 2 + 1];
    ngx_str_t  param;

    if (key.len > NGX_VOICE_KEY_MAX) {
        return ngx_voice_unauthorized(ctx, NULL);
    }

    if (voice_sha256_hex(hex, key) != VOICE_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    param.data = (u_char *) hex;
    param.len = VOICE_SHA256_LEN * 2;

    ctx->query = ngx_voice_pg_send(ctx->conf->pg, &ctx->conf->authenticate_key,
                                   &param, ngx_voice_key_answered, ctx);
    if (ctx->query == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    return NGX_AGAIN;
}


static void
ngx_voice_key_answered(void *data, ngx_voice_pg_e outcome, PGresult **result)
{
    ngx_int_t         rc;
    ngx_voice_ctx_t  *ctx = data;

    ctx->query = NULL;

    rc = outcome == NGX_VOICE_PG_RESULT
         ? ngx_voice_key_accept(ctx, *result)
         : ngx_voice_fail_pg(ctx, outcome, *result);

    if (rc != NGX_OK) {
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_resume(ctx, NGX_VOICE_ADMIT);
}


static ngx_int_t
ngx_voice_key_accept(ngx_voice_ctx_t *ctx, const PGresult *result)
{
    json_t             *data;
    ngx_int_t           rc;
    voice_span_t        text;
    voice_json_error_t  err;

    const ngx_voice_claim_t  rows[] = {
        { "key_id", &ctx->identity.actor, 1 },
        { "tenant_id", &ctx->identity.tenant, 1 },
        { "role", &ctx->identity.role, 0 },
        { NULL, NULL, 0 }
    };

    text = ngx_voice_column(result, NGX_VOICE_COLUMN_STATUS);
    if (!voice_span_eq(text, VOICE_SPAN("200"))) {
        return ngx_voice_unauthorized(ctx, "The API key is not valid.");
    }

    text = ngx_voice_column(result, NGX_VOICE_COLUMN_DATA);

    data = voice_json_parse(text, &err);
    if (data == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    ngx_str_set(&ctx->identity.kind, "api_key");

    ngx_voice_scopes_read(ctx, json_object_get(data, "scopes"));
    rc = ngx_voice_identity_read(ctx, data, rows);
    json_decref(data);

    return rc;
}


static ngx_int_t
ngx_voice_identity_read(ngx_voice_ctx_t *ctx, const json_t *object,
    const ngx_voice_claim_t *row)
{
    ngx_str_t     copy;
    voice_span_t  value;

    for ( /* void */ ; row->name != NULL; row++) {
        value = voice_json_text(object, row->name);

        if (value.len == 0 || (row->uuid && !voice_uuid_valid(value))) {
            return ngx_voice_unauthorized(ctx, "The token lacks a claim.");
        }

        copy.data = (u_char *) value.ptr;
        copy.len = value.len;

        row->to->data = ngx_pstrdup(ctx->request->pool, &copy);
        if (row->to->data == NULL) {
            return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        }

        row->to->len = copy.len;
    }

    return NGX_OK;
}


/* No list, or "*" in it: all scopes.  Unknown ones give nothing. */
static void
ngx_voice_scopes_read(ngx_voice_ctx_t *ctx, const json_t *scopes)
{
    size_t               i;
    ngx_uint_t           n;
    const char         **names;
    const json_t        *item;
    ngx_voice_scopes_t  *held;

    held = &ctx->identity.scopes;

    if (scopes == NULL) {
        ngx_memset(held, 0xff, sizeof(ngx_voice_scopes_t));
        return;
    }

    names = ctx->conf->scopes->elts;

    json_array_foreach(scopes, i, item) {
        if (!json_is_string(item)) {
            continue;
        }

        if (ngx_strcmp(json_string_value(item), "*") == 0) {
            ngx_memset(held, 0xff, sizeof(ngx_voice_scopes_t));
            return;
        }

        for (n = 0; n < ctx->conf->scopes->nelts; n++) {
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
