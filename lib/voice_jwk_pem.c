/*
 * Public keys of a PEM text: read by the library, then checked and made anew
 * like those of a JWK.
 */

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "voice_code.h"
#include "voice_jwt_private.h"


#define NUMBER_MAX  2048               /* bytes: over any key that we take */
#define GROUP_MAX   64                 /* bytes of the name of a curve */


static EVP_PKEY *pem_read(voice_span_t pem, voice_jwk_e *result);
static unsigned pem_words(voice_span_t pem, voice_span_t word);
static voice_jwk_e describe(json_t *jwk, const EVP_PKEY *key);
static voice_jwk_e rsa_describe(json_t *jwk, const EVP_PKEY *key);
static voice_jwk_e ec_describe(json_t *jwk, const EVP_PKEY *key);
static voice_jwk_e okp_describe(json_t *jwk, const EVP_PKEY *key);
static voice_jwk_e number_set(json_t *jwk, const char *name,
    const BIGNUM *number, size_t size);
static voice_jwk_e bytes_set(json_t *jwk, const char *name,
    voice_span_t bytes);
static voice_jwk_e text_set(json_t *jwk, const char *name, const char *text);


static const struct {
    const char   *type;                /* the library's name */
    voice_jwk_e (*describe)(json_t *jwk, const EVP_PKEY *key);
} pem_types[] = {
    { "RSA", rsa_describe },
    { "EC", ec_describe },
    { "ED25519", okp_describe },
    { "ED448", okp_describe },
};


static const struct {
    const char  *group;                /* the library's name */
    const char  *name;                 /* "crv" */
    size_t       size;                 /* bytes of a coordinate */
} pem_curves[] = {
    { "prime256v1", "P-256", 32 },
    { "secp384r1", "P-384", 48 },
    { "secp521r1", "P-521", 66 },
};


voice_jwk_e
voice_jwt_keys_add_pem(voice_jwt_keys_t *keys, voice_span_t kid,
    voice_span_t pem, voice_jwt_alg_e default_alg)
{
    json_t       *jwk;
    EVP_PKEY     *key;
    voice_jwk_e   result;

    key = pem_read(pem, &result);

    if (key == NULL) {
        return result;
    }

    jwk = json_object();
    result = describe(jwk, key);
    EVP_PKEY_free(key);

    if (result == VOICE_JWK_OK && kid.len > 0
        && json_object_set_new(jwk, "kid", json_stringn(kid.ptr, kid.len))
           != 0)
    {
        result = VOICE_JWK_NAME;
    }

    if (result == VOICE_JWK_OK) {
        result = voice_jwt_keys_add_jwk(keys, jwk, default_alg);
    }

    json_decref(jwk);

    return result;
}


static EVP_PKEY *
pem_read(voice_span_t pem, voice_jwk_e *result)
{
    BIO       *bio;
    EVP_PKEY  *key;

    *result = VOICE_JWK_MALFORMED;

    if (pem.len > VOICE_JWK_PEM_MAX
        || pem_words(pem, VOICE_SPAN("-----BEGIN ")) != 1)
    {
        return NULL;
    }

    if (pem_words(pem, VOICE_SPAN("PRIVATE KEY-----")) > 0) {
        *result = VOICE_JWK_PRIVATE;
        return NULL;
    }

    ERR_set_mark();

    bio = BIO_new_mem_buf(pem.ptr, (int) pem.len);
    key = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);

    ERR_pop_to_mark();

    return key;
}


static unsigned
pem_words(voice_span_t pem, voice_span_t word)
{
    size_t    i;
    unsigned  n;

    n = 0;

    for (i = 0; i + word.len <= pem.len; i++) {
        n += memcmp(pem.ptr + i, word.ptr, word.len) == 0;
    }

    return n;
}


static voice_jwk_e
describe(json_t *jwk, const EVP_PKEY *key)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(pem_types); i++) {
        if (EVP_PKEY_is_a(key, pem_types[i].type)) {
            return pem_types[i].describe(jwk, key);
        }
    }

    return VOICE_JWK_TYPE;
}


static voice_jwk_e
rsa_describe(json_t *jwk, const EVP_PKEY *key)
{
    BIGNUM       *n, *e;
    voice_jwk_e   result;

    n = NULL;
    e = NULL;
    result = VOICE_JWK_INTERNAL;

    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1
        && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1)
    {
        result = text_set(jwk, "kty", "RSA");
    }

    if (result == VOICE_JWK_OK) {
        result = number_set(jwk, "n", n, (size_t) BN_num_bytes(n));
    }

    if (result == VOICE_JWK_OK) {
        result = number_set(jwk, "e", e, (size_t) BN_num_bytes(e));
    }

    BN_free(n);
    BN_free(e);

    return result;
}


static voice_jwk_e
ec_describe(json_t *jwk, const EVP_PKEY *key)
{
    char          group[GROUP_MAX];
    size_t        i;
    BIGNUM       *x, *y;
    voice_jwk_e   result;

    x = NULL;
    y = NULL;
    result = VOICE_JWK_TYPE;

    if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME,
                                       group, sizeof(group), NULL)
        != 1
        || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1
        || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1)
    {
        goto done;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(pem_curves); i++) {
        if (strcmp(pem_curves[i].group, group) != 0) {
            continue;
        }

        result = text_set(jwk, "kty", "EC");

        if (result == VOICE_JWK_OK) {
            result = text_set(jwk, "crv", pem_curves[i].name);
        }

        if (result == VOICE_JWK_OK) {
            result = number_set(jwk, "x", x, pem_curves[i].size);
        }

        if (result == VOICE_JWK_OK) {
            result = number_set(jwk, "y", y, pem_curves[i].size);
        }
    }

done:

    BN_free(x);
    BN_free(y);

    return result;
}


static voice_jwk_e
okp_describe(json_t *jwk, const EVP_PKEY *key)
{
    size_t         len;
    const char    *curve;
    voice_jwk_e    result;
    unsigned char  point[64];

    len = sizeof(point);
    curve = EVP_PKEY_is_a(key, "ED448") ? "Ed448" : "Ed25519";
    result = VOICE_JWK_INTERNAL;

    if (EVP_PKEY_get_raw_public_key(key, point, &len) == 1) {
        result = text_set(jwk, "kty", "OKP");
    }

    if (result == VOICE_JWK_OK) {
        result = text_set(jwk, "crv", curve);
    }

    if (result == VOICE_JWK_OK) {
        result = bytes_set(jwk, "x", voice_span((char *) point, len));
    }

    return result;
}


static voice_jwk_e
number_set(json_t *jwk, const char *name, const BIGNUM *number, size_t size)
{
    unsigned char  bytes[NUMBER_MAX];

    if (size > sizeof(bytes)
        || BN_bn2binpad(number, bytes, (int) size) != (int) size)
    {
        return VOICE_JWK_WEAK;
    }

    return bytes_set(jwk, name, voice_span((char *) bytes, size));
}


static voice_jwk_e
bytes_set(json_t *jwk, const char *name, voice_span_t bytes)
{
    char  text[VOICE_BASE64_LEN(NUMBER_MAX) + 1];

    text[voice_base64url_encode(text, bytes)] = '\0';

    return text_set(jwk, name, text);
}


static voice_jwk_e
text_set(json_t *jwk, const char *name, const char *text)
{
    return json_object_set_new(jwk, name, json_string(text)) == 0
           ? VOICE_JWK_OK : VOICE_JWK_INTERNAL;
}
