/*
 * Algorithms of tokens: RFC 7518 section 3, RFC 8037, RFC 9864.
 */

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "voice_code.h"
#include "voice_jwt_private.h"


#define COORDINATE_MAX  66             /* bytes: P-521 */
/* A sequence of two integers, each with a sign byte at most. */
#define DER_MAX         (3 + 2 * (3 + COORDINATE_MAX))


static voice_rc_t rsa_prepare(voice_jwt_key_t *key);
static voice_rc_t ecdsa_prepare(voice_jwt_key_t *key);
static voice_rc_t eddsa_prepare(voice_jwt_key_t *key);
static voice_rc_t verifier_prepare(voice_jwt_key_t *key);
static voice_jwt_e hmac_verify(const voice_jwt_key_t *key,
    voice_span_t message, voice_span_t signature);
static voice_jwt_e rsa_verify(const voice_jwt_key_t *key,
    voice_span_t message, voice_span_t signature);
static voice_jwt_e ecdsa_verify(const voice_jwt_key_t *key,
    voice_span_t message, voice_span_t signature);
static voice_jwt_e eddsa_verify(const voice_jwt_key_t *key,
    voice_span_t message, voice_span_t signature);
static voice_jwt_e digest_verify(const voice_jwt_key_t *key,
    voice_span_t message, voice_span_t signature);
static size_t der_signature(unsigned char *out, voice_span_t signature);
static size_t der_integer(unsigned char *out, const char *in, size_t len);


/* Rows stand in the order of voice_jwt_alg_e. */
static const jwt_algorithm_t  jwt_algorithms[] = {
    { "HS256", "oct", NULL, "SHA256", 32, 0, NULL, hmac_verify },
    { "HS384", "oct", NULL, "SHA384", 48, 0, NULL, hmac_verify },
    { "HS512", "oct", NULL, "SHA512", 64, 0, NULL, hmac_verify },
    { "RS256", "RSA", NULL, "SHA256", 0, RSA_PKCS1_PADDING,
      rsa_prepare, rsa_verify },
    { "RS384", "RSA", NULL, "SHA384", 0, RSA_PKCS1_PADDING,
      rsa_prepare, rsa_verify },
    { "RS512", "RSA", NULL, "SHA512", 0, RSA_PKCS1_PADDING,
      rsa_prepare, rsa_verify },
    { "PS256", "RSA", NULL, "SHA256", 0, RSA_PKCS1_PSS_PADDING,
      rsa_prepare, rsa_verify },
    { "PS384", "RSA", NULL, "SHA384", 0, RSA_PKCS1_PSS_PADDING,
      rsa_prepare, rsa_verify },
    { "PS512", "RSA", NULL, "SHA512", 0, RSA_PKCS1_PSS_PADDING,
      rsa_prepare, rsa_verify },
    { "ES256", "EC", "P-256", "SHA256", 32, 0, ecdsa_prepare, ecdsa_verify },
    { "ES384", "EC", "P-384", "SHA384", 48, 0, ecdsa_prepare, ecdsa_verify },
    { "ES512", "EC", "P-521", "SHA512", 66, 0, ecdsa_prepare, ecdsa_verify },
    { "EdDSA", "OKP", NULL, NULL, 0, 0, eddsa_prepare, eddsa_verify },
    { "Ed25519", "OKP", "Ed25519", NULL, 0, 0, eddsa_prepare, eddsa_verify },
    { "Ed448", "OKP", "Ed448", NULL, 0, 0, eddsa_prepare, eddsa_verify },
};


voice_rc_t
voice_jwt_alg_find(voice_jwt_alg_e *alg, voice_span_t name)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(jwt_algorithms); i++) {
        if (voice_span_eq(name, voice_span_str(jwt_algorithms[i].name))) {
            *alg = (voice_jwt_alg_e) i;
            return VOICE_OK;
        }
    }

    return VOICE_NOTFOUND;
}


const char *
voice_jwt_alg_name(voice_jwt_alg_e alg)
{
    const jwt_algorithm_t  *algorithm;

    algorithm = jwt_algorithm(alg);

    return algorithm == NULL ? "" : algorithm->name;
}


const jwt_algorithm_t *
jwt_algorithm(voice_jwt_alg_e alg)
{
    return (size_t) alg < VOICE_ARRAY_SIZE(jwt_algorithms)
           ? &jwt_algorithms[alg] : NULL;
}


voice_rc_t
jwt_algorithm_prepare(voice_jwt_key_t *key)
{
    voice_rc_t  rc;

    ERR_set_mark();
    rc = key->algorithm->prepare(key);
    ERR_pop_to_mark();

    return rc;
}


EVP_MAC_CTX *
jwt_hmac_create(const jwt_algorithm_t *algorithm, voice_span_t secret)
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


/* Without a key the context begins anew with the one that it has. */
voice_rc_t
jwt_hmac(const voice_jwt_key_t *key, voice_span_t message,
    unsigned char *out, size_t *len)
{
    if (EVP_MAC_init(key->mac, NULL, 0, NULL) != 1
        || EVP_MAC_update(key->mac, (const unsigned char *) message.ptr,
                          message.len)
           != 1
        || EVP_MAC_final(key->mac, out, len, JWT_MAC_MAX) != 1)
    {
        return VOICE_FAILED;
    }

    return VOICE_OK;
}


static voice_jwt_e
hmac_verify(const voice_jwt_key_t *key, voice_span_t message,
    voice_span_t signature)
{
    int            same;
    size_t         len;
    unsigned char  expected[JWT_MAC_MAX];

    if (jwt_hmac(key, message, expected, &len) != VOICE_OK) {
        return VOICE_JWT_INTERNAL;
    }

    same = voice_equal(signature, voice_span((char *) expected, len));
    OPENSSL_cleanse(expected, sizeof(expected));

    return same ? VOICE_JWT_OK : VOICE_JWT_SIGNATURE;
}


/* RFC 7518 section 3.5: MGF1 of the same hash, a salt of its length. */
static voice_rc_t
rsa_prepare(voice_jwt_key_t *key)
{
    EVP_PKEY_CTX  *ctx;

    if (verifier_prepare(key) != VOICE_OK) {
        return VOICE_FAILED;
    }

    ctx = key->verifier;
    key->size = (size_t) EVP_PKEY_get_size(key->public);

    if (EVP_PKEY_CTX_set_rsa_padding(ctx, key->algorithm->padding) != 1) {
        return VOICE_FAILED;
    }

    if (key->algorithm->padding == RSA_PKCS1_PSS_PADDING
        && (EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) != 1
            || EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, key->algorithm->digest,
                                                 NULL)
               != 1))
    {
        return VOICE_FAILED;
    }

    return VOICE_OK;
}


static voice_rc_t
ecdsa_prepare(voice_jwt_key_t *key)
{
    key->size = key->algorithm->size * 2;

    return verifier_prepare(key);
}


static voice_rc_t
eddsa_prepare(voice_jwt_key_t *key)
{
    key->size = (size_t) EVP_PKEY_get_size(key->public);
    key->digest = EVP_MD_CTX_new();

    return key->digest == NULL ? VOICE_NOMEM : VOICE_OK;
}


/* A context of the key and one of the digest, both to be used again. */
static voice_rc_t
verifier_prepare(voice_jwt_key_t *key)
{
    int      good;
    EVP_MD  *md;

    md = EVP_MD_fetch(NULL, key->algorithm->digest, NULL);
    key->digest = EVP_MD_CTX_new();
    key->verifier = EVP_PKEY_CTX_new_from_pkey(NULL, key->public, NULL);

    good = md != NULL && key->digest != NULL && key->verifier != NULL
           && EVP_DigestInit_ex(key->digest, md, NULL) == 1
           && EVP_PKEY_verify_init(key->verifier) == 1
           && EVP_PKEY_CTX_set_signature_md(key->verifier, md) == 1;

    EVP_MD_free(md);

    return good ? VOICE_OK : VOICE_FAILED;
}


static voice_jwt_e
rsa_verify(const voice_jwt_key_t *key, voice_span_t message,
    voice_span_t signature)
{
    if (signature.len != key->size) {
        return VOICE_JWT_SIGNATURE;
    }

    return digest_verify(key, message, signature);
}


/* RFC 7518 section 3.4: r and s side by side, each of the curve's size. */
static voice_jwt_e
ecdsa_verify(const voice_jwt_key_t *key, voice_span_t message,
    voice_span_t signature)
{
    size_t         len;
    unsigned char  der[DER_MAX];

    if (signature.len != key->size) {
        return VOICE_JWT_SIGNATURE;
    }

    len = der_signature(der, signature);

    if (len == 0) {
        return VOICE_JWT_SIGNATURE;
    }

    return digest_verify(key, message, voice_span((char *) der, len));
}


static voice_jwt_e
eddsa_verify(const voice_jwt_key_t *key, voice_span_t message,
    voice_span_t signature)
{
    int  good;

    if (signature.len != key->size) {
        return VOICE_JWT_SIGNATURE;
    }

    ERR_set_mark();

    if (EVP_DigestVerifyInit(key->digest, NULL, NULL, NULL, key->public) != 1)
    {
        ERR_pop_to_mark();
        return VOICE_JWT_INTERNAL;
    }

    good = EVP_DigestVerify(key->digest,
                            (const unsigned char *) signature.ptr,
                            signature.len,
                            (const unsigned char *) message.ptr, message.len)
           == 1;
    ERR_pop_to_mark();

    return good ? VOICE_JWT_OK : VOICE_JWT_SIGNATURE;
}


static voice_jwt_e
digest_verify(const voice_jwt_key_t *key, voice_span_t message,
    voice_span_t signature)
{
    int            good;
    unsigned       len;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    if (EVP_DigestInit_ex(key->digest, NULL, NULL) != 1
        || EVP_DigestUpdate(key->digest, message.ptr, message.len) != 1
        || EVP_DigestFinal_ex(key->digest, digest, &len) != 1)
    {
        return VOICE_JWT_INTERNAL;
    }

    ERR_set_mark();
    good = EVP_PKEY_verify(key->verifier,
                           (const unsigned char *) signature.ptr,
                           signature.len, digest, len)
           == 1;
    ERR_pop_to_mark();

    return good ? VOICE_JWT_OK : VOICE_JWT_SIGNATURE;
}


/*
 * The DER that the library reads of r and s (RFC 3279 section 2.2.3); 0 if
 * one of them is 0, which no signer makes (CVE-2022-21449).
 */
static size_t
der_signature(unsigned char *out, voice_span_t signature)
{
    size_t         half, r, s, n;
    unsigned char  body[DER_MAX];

    half = signature.len / 2;
    r = der_integer(body, signature.ptr, half);
    s = der_integer(body + r, signature.ptr + half, half);

    if (r == 0 || s == 0) {
        return 0;
    }

    n = 0;
    out[n++] = 0x30;

    if (r + s >= 0x80) {
        out[n++] = 0x81;
    }

    out[n++] = (unsigned char) (r + s);
    memcpy(out + n, body, r + s);

    return n + r + s;
}


/* A positive integer of its shortest form; returns 0 for 0. */
static size_t
der_integer(unsigned char *out, const char *in, size_t len)
{
    size_t  n, sign;

    while (len > 0 && *in == '\0') {
        in++;
        len--;
    }

    if (len == 0) {
        return 0;
    }

    n = 0;
    sign = (unsigned char) *in >= 0x80;
    out[n++] = 0x02;
    out[n++] = (unsigned char) (len + sign);

    if (sign) {
        out[n++] = 0;
    }

    memcpy(out + n, in, len);

    return n + len;
}
