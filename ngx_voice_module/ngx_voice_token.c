
/*
 * The access token that a function asks for by its claims: signed here, put
 * where x-token says.
 */

#include "ngx_voice.h"

#include <openssl/rand.h>


static ngx_int_t ngx_voice_token_sign(ngx_voice_ctx_t *ctx, json_t *claims,
    char **token, size_t *len);
static ngx_int_t ngx_voice_token_put(ngx_voice_ctx_t *ctx, json_t *data,
    const char *token, size_t len);


ngx_int_t
ngx_voice_token(ngx_voice_ctx_t *ctx, ngx_str_t *data)
{
    char                *token, *text;
    json_t              *claims, *json;
    size_t               len;
    ngx_int_t            rc;
    voice_span_t         span;
    voice_json_error_t   err;

    span = ngx_voice_column(ctx->result, NGX_VOICE_COLUMN_CLAIMS);

    if (ctx->operation->contract->token == NULL || span.len == 0) {
        return NGX_OK;
    }

    token = NULL;
    text = NULL;
    rc = NGX_ERROR;

    claims = voice_json_parse(span, &err);
    json = voice_json_parse(voice_span((char *) data->data, data->len), &err);

    if (claims != NULL && json != NULL) {
        rc = ngx_voice_token_sign(ctx, claims, &token, &len);
    }

    if (rc == NGX_OK) {
        rc = ngx_voice_token_put(ctx, json, token, len);
    }

    if (rc == NGX_OK) {
        text = json_dumps(json, JSON_COMPACT);
    }

    if (text != NULL) {
        data->len = ngx_strlen(text);
        data->data = ngx_pnalloc(ctx->request->pool, data->len);
    }

    if (text != NULL && data->data != NULL) {
        ngx_memcpy(data->data, text, data->len);

    } else {
        rc = ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    free(text);
    free(token);
    json_decref(claims);
    json_decref(json);

    return rc;
}


static ngx_int_t
ngx_voice_token_sign(ngx_voice_ctx_t *ctx, json_t *claims, char **token,
    size_t *len)
{
    u_char                  random[10];
    char                    jti[VOICE_UUID_LEN + 1];
    ngx_str_t              *kid;
    ngx_voice_main_conf_t  *mcf;

    mcf = ctx->conf;
    kid = &mcf->signing_kid;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    voice_uuid_v7(jti, (uint64_t) ngx_time() * 1000, random);

    if (json_object_set_new(claims, "iss",
                            json_stringn((char *) mcf->issuer.data,
                                         mcf->issuer.len))
        != 0
        || json_object_set_new(claims, "iat", json_integer(ngx_time())) != 0
        || json_object_set_new(claims, "exp",
                               json_integer(ngx_time()
                                            + mcf->token_lifetime))
           != 0
        || json_object_set_new(claims, "jti", json_string(jti)) != 0)
    {
        return NGX_ERROR;
    }

    return voice_jwt_sign(mcf->keys, voice_span((char *) kid->data, kid->len),
                          claims, token, len)
           == VOICE_OK ? NGX_OK : NGX_ERROR;
}


/* The token at x-token, its lifetime beside it as "expires_in". */
static ngx_int_t
ngx_voice_token_put(ngx_voice_ctx_t *ctx, json_t *data, const char *token,
    size_t len)
{
    u_char       pointer[256], *p;
    const char  *at, *slash;

    at = ctx->operation->contract->token;
    slash = strrchr(at, '/');

    if (slash == NULL
        || voice_json_set(data, at, json_stringn(token, len)) != VOICE_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_slprintf(pointer, pointer + sizeof(pointer) - 1, "%*s/expires_in",
                     (size_t) (slash - at), at);
    *p = '\0';

    return voice_json_set(data, (char *) pointer,
                          json_integer(ctx->conf->token_lifetime))
           == VOICE_OK ? NGX_OK : NGX_ERROR;
}
