/*
 * Tokens of foreign issuers for tests: private keys, made anew by each
 * program, and what they sign.
 */

#ifndef SIGN_H
#define SIGN_H


#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "voice_code.h"
#include "voice_jwt.h"


#define SIGN_MAX  1024                 /* bytes of a signature */


/* How an algorithm signs; of RSA keys made here, 2048 bits. */
typedef struct {
    voice_jwt_alg_e  alg;
    const char      *type;             /* of the library's key generation */
    const char      *curve;
    const char      *digest;
    int              padding;
    size_t           half;             /* bytes of r and of s */
} sign_method_t;


static const sign_method_t  sign_methods[] = {
    { VOICE_JWT_RS256, "RSA", NULL, "SHA256", RSA_PKCS1_PADDING, 0 },
    { VOICE_JWT_RS384, "RSA", NULL, "SHA384", RSA_PKCS1_PADDING, 0 },
    { VOICE_JWT_RS512, "RSA", NULL, "SHA512", RSA_PKCS1_PADDING, 0 },
    { VOICE_JWT_PS256, "RSA", NULL, "SHA256", RSA_PKCS1_PSS_PADDING, 0 },
    { VOICE_JWT_PS384, "RSA", NULL, "SHA384", RSA_PKCS1_PSS_PADDING, 0 },
    { VOICE_JWT_PS512, "RSA", NULL, "SHA512", RSA_PKCS1_PSS_PADDING, 0 },
    { VOICE_JWT_ES256, "EC", "P-256", "SHA256", 0, 32 },
    { VOICE_JWT_ES384, "EC", "P-384", "SHA384", 0, 48 },
    { VOICE_JWT_ES512, "EC", "P-521", "SHA512", 0, 66 },
    { VOICE_JWT_EDDSA, "ED25519", NULL, NULL, 0, 0 },
    { VOICE_JWT_EDDSA, "ED448", NULL, NULL, 0, 0 },
};


static inline EVP_PKEY *
sign_key(const sign_method_t *method)
{
    if (strcmp(method->type, "RSA") == 0) {
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2048);
    }

    return method->curve == NULL
           ? EVP_PKEY_Q_keygen(NULL, NULL, method->type)
           : EVP_PKEY_Q_keygen(NULL, NULL, "EC", method->curve);
}


/* The public key as PEM with a NUL; out has room for size bytes. */
static inline size_t
sign_pem(char *out, size_t size, EVP_PKEY *key)
{
    int   n;
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());
    n = PEM_write_bio_PUBKEY(bio, key) == 1 ? BIO_read(bio, out,
                                                       (int) size - 1) : 0;
    BIO_free(bio);
    n = n < 0 ? 0 : n;
    out[n] = '\0';

    return (size_t) n;
}


/* DER to r and s side by side; 0: it is none. */
static inline size_t
sign_flatten(unsigned char *out, const unsigned char *der, size_t len,
    size_t half)
{
    int         good;
    ECDSA_SIG  *sig;

    sig = d2i_ECDSA_SIG(NULL, &der, (long) len);

    good = sig != NULL
           && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int) half) >= 0
           && BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, (int) half)
              >= 0;
    ECDSA_SIG_free(sig);

    return good ? half * 2 : 0;
}


/* The signature of a message, raw; 0: the library failed. */
static inline size_t
sign_bytes(unsigned char out[SIGN_MAX], EVP_PKEY *key,
    const sign_method_t *method, voice_span_t message)
{
    int             good;
    size_t          len;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *pctx;
    unsigned char   der[SIGN_MAX];

    len = SIGN_MAX;
    ctx = EVP_MD_CTX_new();

    good = EVP_DigestSignInit_ex(ctx, &pctx, method->digest, NULL, NULL, key,
                                 NULL)
           == 1
           && (method->padding == 0
               || EVP_PKEY_CTX_set_rsa_padding(pctx, method->padding) == 1)
           && (method->padding != RSA_PKCS1_PSS_PADDING
               || EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
                                                   RSA_PSS_SALTLEN_DIGEST)
                  == 1)
           && EVP_DigestSign(ctx, der, &len,
                             (const unsigned char *) message.ptr, message.len)
              == 1;

    EVP_MD_CTX_free(ctx);

    if (!good) {
        return 0;
    }

    if (method->half > 0) {
        return sign_flatten(out, der, len, method->half);
    }

    memcpy(out, der, len);

    return len;
}


/* Header and payload as a token still without a signature, with its dot. */
static inline size_t
sign_message(char *out, voice_span_t header, voice_span_t payload)
{
    size_t  n;

    n = voice_base64url_encode(out, header);
    out[n++] = '.';
    n += voice_base64url_encode(out + n, payload);
    out[n++] = '.';

    return n;
}


/* A token; 0: the library failed.  out has room for all of it. */
static inline size_t
sign_token(char *out, EVP_PKEY *key, const sign_method_t *method,
    voice_span_t header, voice_span_t payload)
{
    size_t         n, len;
    unsigned char  signature[SIGN_MAX];

    n = sign_message(out, header, payload);
    len = sign_bytes(signature, key, method, voice_span(out, n - 1));

    if (len == 0) {
        return 0;
    }

    return n + voice_base64url_encode(out + n, voice_span((char *) signature,
                                                          len));
}


#endif /* SIGN_H */
