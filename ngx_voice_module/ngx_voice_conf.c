
/*
 * Handlers of directives that have no file of their own.
 */

#include "ngx_voice.h"
#include "ngx_voice_field.h"


#define NGX_VOICE_DOCS_MAX    (16 * 1024 * 1024)


typedef struct {
    ngx_str_t   kid;
    ngx_str_t   alg;
    ngx_str_t   secret;
} ngx_voice_jwt_key_conf_t;


static ngx_int_t ngx_voice_conf_keys(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf);
static void ngx_voice_conf_keys_free(void *data);


static const ngx_voice_field_t  ngx_voice_jwt_key_fields[] = {
    { ngx_string("kid"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_jwt_key_conf_t, kid), 0, 0 },
    { ngx_string("alg"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_jwt_key_conf_t, alg), 0, 0 },
    { ngx_string("file"), NGX_VOICE_FIELD_SECRET,
      offsetof(ngx_voice_jwt_key_conf_t, secret), 0, 0 },
    { ngx_null_string, 0, 0, 0, 0 }
};


static const struct {
    ngx_str_t        name;
    voice_jwt_alg_e  alg;
} ngx_voice_jwt_algs[] = {
    { ngx_string("HS256"), VOICE_JWT_HS256 },
    { ngx_string("HS384"), VOICE_JWT_HS384 },
    { ngx_string("HS512"), VOICE_JWT_HS512 }
};


char *
ngx_voice_conf_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_uint_t                 i;
    voice_span_t               kid, secret;
    ngx_voice_jwt_key_conf_t   key;
    ngx_voice_main_conf_t     *mcf = conf;

    (void) cmd;

    ngx_memzero(&key, sizeof(ngx_voice_jwt_key_conf_t));

    if (ngx_voice_conf_fields(cf, ngx_voice_jwt_key_fields, &key) != NGX_OK
        || ngx_voice_conf_keys(cf, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_jwt_algs); i++) {
        if (key.alg.len == ngx_voice_jwt_algs[i].name.len
            && ngx_memcmp(key.alg.data, ngx_voice_jwt_algs[i].name.data,
                          key.alg.len) == 0)
        {
            break;
        }
    }

    if (i == VOICE_ARRAY_SIZE(ngx_voice_jwt_algs)) {
        return ngx_voice_conf_refuse(cf, "\"alg\" must be HS256, HS384 or "
                                     "HS512");
    }

    kid = voice_span((char *) key.kid.data, key.kid.len);
    secret = voice_span((char *) key.secret.data, key.secret.len);

    ngx_voice_generation_add(mcf, kid.ptr, kid.len);
    ngx_voice_generation_add(mcf, secret.ptr, secret.len);

    if (voice_jwt_keys_add_secret(mcf->keys, ngx_voice_jwt_algs[i].alg, kid,
                                  secret)
        != VOICE_OK)
    {
        return ngx_voice_conf_refuse(cf, "\"kid\" must be new, 1 to 256 bytes "
                                     "long, and the secret as long as the "
                                     "hash");
    }

    if (mcf->signing_kid.len == 0) {
        mcf->signing_kid = key.kid;
    }

    return NGX_CONF_OK;
}


char *
ngx_voice_conf_docs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t             *value;
    ngx_file_info_t        fi;
    ngx_voice_loc_conf_t  *lcf = conf;

    (void) cmd;

    if (lcf->docs.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_file_info(value[1].data, &fi) == NGX_FILE_ERROR) {
        return NGX_CONF_OK;
    }

    if (ngx_voice_conf_read(cf, &value[1], NGX_VOICE_DOCS_MAX, &lcf->docs)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_voice_conf_keys(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf)
{
    ngx_pool_cleanup_t  *cln;

    if (mcf->keys != NULL) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    mcf->keys = voice_jwt_keys_create();
    if (mcf->keys == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_voice_conf_keys_free;
    cln->data = mcf->keys;

    return NGX_OK;
}


static void
ngx_voice_conf_keys_free(void *data)
{
    voice_jwt_keys_destroy(data);
}
