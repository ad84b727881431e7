/*
 * Keys of tokens: each carries its only algorithm.
 */

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "voice_code.h"
#include "voice_jwt_private.h"


static EVP_MAC_CTX *hmac_create(const jwt_algorithm_t *algorithm,
    voice_span_t secret);
static voice_rc_t hmac_sign(const voice_jwt_key_t *key, voice_span_t message,
    unsigned char *out, size_t *len);
static voice_jwt_e hmac_verify(const voice_jwt_key_t *key,
    voice_span_t message, voice_span_t signature);


/* Rows stand in the order of voice_jwt_alg_e. */
static const jwt_algorithm_t  jwt_algorithms[] = {
    { "HS256", "SHA256", 32, hmac_sign, hmac_verify },
    { "HS384", "SHA384", 48, hmac_sign, hmac_verify },
    { "HS512", "SHA512", 64, hmac_sign, hmac_verify },
};


voice_jwt_keys_t *
voice_jwt_keys_create(void)
{
    return calloc(1, sizeof(voice_jwt_keys_t));
}


void
voice_jwt_keys_destroy(voice_jwt_keys_t *keys)
{
    voice_jwt_key_t  *key, *next;

    if (keys == NULL) {
        return;
    }

    for (key = keys->first; key != NULL; key = next) {
        next = key->next;
        EVP_MAC_CTX_free(key->mac);
        free(key);
    }

    free(keys);
}


voice_rc_t
voice_jwt_keys_add_secret(voice_jwt_keys_t *keys, voice_jwt_alg_e alg,
    voice_span_t kid, voice_span_t secret)
{
    voice_jwt_key_t        *key;
    const jwt_algorithm_t  *algorithm;

    if ((size_t) alg >= VOICE_ARRAY_SIZE(jwt_algorithms)) {
        return VOICE_INVALID;
    }

    algorithm = &jwt_algorithms[alg];

    if (kid.len == 0 || kid.len > JWT_KID_MAX
        || secret.len < algorithm->secret_min
        || jwt_key_find(keys, kid) != NULL)
    {
        return VOICE_INVALID;
    }

    key = calloc(1, sizeof(voice_jwt_key_t));

    if (key == NULL) {
        return VOICE_NOMEM;
    }

    key->mac = hmac_create(algorithm, secret);

    if (key->mac == NULL) {
        free(key);
        return VOICE_FAILED;
    }

    key->algorithm = algorithm;
    key->kid_len = kid.len;
    memcpy(key->kid, kid.ptr, kid.len);

    key->next = keys->first;
    keys->first = key;

    return VOICE_OK;
}


const voice_jwt_key_t *
jwt_key_find(const voice_jwt_keys_t *keys, voice_span_t kid)
{
    const voice_jwt_key_t  *key;

    for (key = keys->first; key != NULL; key = key->next) {
        if (voice_span_eq(kid, voice_span(key->kid, key->kid_len))) {
            return key;
        }
    }

    return NULL;
}


static EVP_MAC_CTX *
hmac_create(const jwt_algorithm_t *algorithm, voice_span_t secret)
{
    EVP_MAC      *mac;
    OSSL_PARAM    params[2];
    EVP_MAC_CTX  *ctx;

    mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);

    if (mac == NULL) {
        return NULL;
    }

    ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                        (char *) algorithm->digest, 0);
    params[1] = OSSL_PARAM_construct_end();

    if (ctx == NULL
        || EVP_MAC_init(ctx, (const unsigned char *) secret.ptr, secret.len,
                        params)
           != 1)
    {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


static voice_rc_t
hmac_sign(const voice_jwt_key_t *key, voice_span_t message,
    unsigned char *out, size_t *len)
{
    int           good;
    EVP_MAC_CTX  *ctx;

    ctx = EVP_MAC_CTX_dup(key->mac);

    if (ctx == NULL) {
        return VOICE_NOMEM;
    }

    good = EVP_MAC_update(ctx, (const unsigned char *) message.ptr,
                          message.len)
           && EVP_MAC_final(ctx, out, len, JWT_SIGNATURE_MAX);

    EVP_MAC_CTX_free(ctx);

    return good ? VOICE_OK : VOICE_FAILED;
}


static voice_jwt_e
hmac_verify(const voice_jwt_key_t *key, voice_span_t message,
    voice_span_t signature)
{
    int            same;
    size_t         len;
    unsigned char  expected[JWT_SIGNATURE_MAX];

    if (hmac_sign(key, message, expected, &len) != VOICE_OK) {
        return VOICE_JWT_INTERNAL;
    }

    same = voice_equal(signature, voice_span((char *) expected, len));
    OPENSSL_cleanse(expected, sizeof(expected));

    return same ? VOICE_JWT_OK : VOICE_JWT_SIGNATURE;
}
