/*
 * The table of keys of tokens, see voice_jwk.h.
 */

#include <stdlib.h>

#include "voice_code.h"
#include "voice_jwt_private.h"


static uint32_t name_hash(voice_span_t name);


voice_jwt_keys_t *
voice_jwt_keys_create(void)
{
    return calloc(1, sizeof(voice_jwt_keys_t));
}


void
voice_jwt_keys_destroy(voice_jwt_keys_t *keys)
{
    unsigned  i;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->count; i++) {
        jwt_key_destroy(keys->key[i]);
    }

    free(keys);
}


voice_rc_t
voice_jwt_keys_add_secret(voice_jwt_keys_t *keys, voice_jwt_alg_e alg,
    voice_span_t kid, voice_span_t secret)
{
    voice_rc_t              rc;
    voice_jwt_key_t        *key;
    const jwt_algorithm_t  *algorithm;

    algorithm = jwt_algorithm(alg);

    if (algorithm == NULL || strcmp(algorithm->type, "oct") != 0
        || kid.len == 0 || kid.len > VOICE_JWK_KID_MAX
        || secret.len < algorithm->size || jwt_key_find(keys, kid) != NULL)
    {
        return VOICE_INVALID;
    }

    key = jwt_key_create(algorithm, kid);

    if (key == NULL) {
        return VOICE_NOMEM;
    }

    key->bits = (unsigned) secret.len * 8;
    key->mac = jwt_hmac_create(algorithm, secret);
    rc = key->mac == NULL ? VOICE_FAILED : jwt_key_add(keys, key);

    if (rc != VOICE_OK) {
        jwt_key_destroy(key);
    }

    return rc;
}


unsigned
voice_jwt_keys_count(const voice_jwt_keys_t *keys)
{
    return keys->count;
}


voice_rc_t
voice_jwt_keys_at(const voice_jwt_keys_t *keys, size_t index,
    voice_jwt_key_info_t *info)
{
    const voice_jwt_key_t  *key;

    if (index >= keys->count) {
        return VOICE_NOTFOUND;
    }

    key = keys->key[index];

    info->kid = voice_span(key->kid, key->kid_len);
    info->alg = key->algorithm->name;
    info->type = key->algorithm->type;
    info->bits = key->bits;
    info->thumbprint = key->thumbprint;

    return VOICE_OK;
}


int
voice_jwt_keys_has(const voice_jwt_keys_t *keys, voice_span_t kid)
{
    return jwt_key_find(keys, kid) != NULL;
}


voice_jwt_key_t *
jwt_key_create(const jwt_algorithm_t *algorithm, voice_span_t kid)
{
    voice_jwt_key_t  *key;

    key = calloc(1, sizeof(voice_jwt_key_t) + kid.len);

    if (key == NULL) {
        return NULL;
    }

    key->algorithm = algorithm;
    key->hash = name_hash(kid);
    key->kid_len = kid.len;
    memcpy(key->kid, kid.ptr, kid.len);

    return key;
}


void
jwt_key_destroy(voice_jwt_key_t *key)
{
    if (key == NULL) {
        return;
    }

    EVP_MAC_CTX_free(key->mac);
    EVP_MD_CTX_free(key->digest);
    EVP_PKEY_CTX_free(key->verifier);
    EVP_PKEY_free(key->public);
    free(key);
}


voice_rc_t
jwt_key_add(voice_jwt_keys_t *keys, voice_jwt_key_t *key)
{
    if (keys->count == VOICE_JWK_KEYS_MAX) {
        return VOICE_LIMIT;
    }

    keys->key[keys->count++] = key;

    return VOICE_OK;
}


voice_jwt_key_t *
jwt_key_find(const voice_jwt_keys_t *keys, voice_span_t kid)
{
    unsigned          i;
    uint32_t          hash;
    voice_jwt_key_t  *key;

    hash = name_hash(kid);

    for (i = 0; i < keys->count; i++) {
        key = keys->key[i];

        if (key->hash == hash
            && voice_span_eq(kid, voice_span(key->kid, key->kid_len)))
        {
            return key;
        }
    }

    return NULL;
}


/* FNV-1a; a table holds so few keys that nobody gains by collisions. */
static uint32_t
name_hash(voice_span_t name)
{
    size_t    i;
    uint32_t  hash;

    hash = 2166136261u;

    for (i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char) name.ptr[i]) * 16777619u;
    }

    return hash;
}
