/*
 * What the files voice_jwt*.c and voice_jwk*.c share: keys and the table of
 * algorithms.
 */

#ifndef VOICE_JWT_PRIVATE_H
#define VOICE_JWT_PRIVATE_H


#include <openssl/evp.h>

#include "voice_jwt.h"


#define JWT_MAC_MAX        64          /* bytes: the HMAC of SHA-512 */
#define JWT_SIGNATURE_MAX  1024        /* bytes: RSA of 8192 bits */

/* Bytes that decoding so many digits of base64url may need. */
#define JWT_DECODED_MAX(n)  ((n) / 4 * 3 + 3)


typedef struct jwt_algorithm_s  jwt_algorithm_t;


typedef voice_rc_t (*jwt_prepare_pt)(voice_jwt_key_t *key);
typedef voice_jwt_e (*jwt_verify_pt)(const voice_jwt_key_t *key,
    voice_span_t message, voice_span_t signature);


/* A row of the table of algorithms (RFC 7518 section 3.1, RFC 8037). */
struct jwt_algorithm_s {
    const char      *name;
    const char      *type;             /* "kty" of its keys */
    const char      *curve;            /* "crv" of its keys, NULL: any */
    const char      *digest;
    size_t           size;             /* bytes of a secret at least, or of */
                                       /* a coordinate */
    int              padding;          /* of RSA */
    jwt_prepare_pt   prepare;          /* of a public key */
    jwt_verify_pt    verify;
};


/* The contexts are reused: a key serves one thread at a time. */
struct voice_jwt_key_s {
    const jwt_algorithm_t  *algorithm;
    EVP_MAC_CTX            *mac;       /* keyed */
    EVP_PKEY               *public;
    EVP_PKEY_CTX           *verifier;
    EVP_MD_CTX             *digest;    /* of the message */
    size_t                  size;      /* bytes of a signature */
    unsigned                bits;
    int                     ambiguous; /* another key of the set has its */
                                       /* name */
    uint32_t                hash;      /* of the name */
    char                    thumbprint[VOICE_JWK_THUMBPRINT_LEN + 1];
    size_t                  kid_len;
    char                    kid[];     /* kid_len bytes */
};


struct voice_jwt_keys_s {
    unsigned          count;
    voice_jwt_key_t  *key[VOICE_JWK_KEYS_MAX];
};


/* A key without contexts, of that name; NULL: out of memory. */
voice_jwt_key_t *jwt_key_create(const jwt_algorithm_t *algorithm,
    voice_span_t kid);
void jwt_key_destroy(voice_jwt_key_t *key);
/* Adds a key, which the table then owns; VOICE_LIMIT: it is full. */
voice_rc_t jwt_key_add(voice_jwt_keys_t *keys, voice_jwt_key_t *key);
/* The key of that name, NULL if there is none. */
voice_jwt_key_t *jwt_key_find(const voice_jwt_keys_t *keys, voice_span_t kid);

const jwt_algorithm_t *jwt_algorithm(voice_jwt_alg_e alg);
/* Makes what the algorithm needs of key->public. */
voice_rc_t jwt_algorithm_prepare(voice_jwt_key_t *key);
/* A keyed context; NULL: our fault. */
EVP_MAC_CTX *jwt_hmac_create(const jwt_algorithm_t *algorithm,
    voice_span_t secret);
/* The MAC of a message: out has room for JWT_MAC_MAX bytes. */
voice_rc_t jwt_hmac(const voice_jwt_key_t *key, voice_span_t message,
    unsigned char *out, size_t *len);

/* Base64url without padding; out needs JWT_DECODED_MAX(in.len) bytes. */
voice_rc_t jwt_decode(unsigned char *out, size_t *len, voice_span_t in);

/* The rules of RFC 7519 section 4.1; claims is NULL where not JSON. */
voice_jwt_e jwt_claims_check(const voice_jwt_rules_t *rules,
    const json_t *claims);
/* Is the header's "typ" one of the accepted? */
int jwt_type_holds(const voice_jwt_rules_t *rules, const json_t *header);

/* A public key of the members of a JWK; *result says why not. */
EVP_PKEY *jwk_public(const json_t *jwk, voice_jwk_e *result);
/* The thumbprint of what has become a public key. */
voice_rc_t jwk_thumbprint(char out[VOICE_JWK_THUMBPRINT_LEN + 1],
    const json_t *jwk);
/* The algorithm of a JWK without "alg", -1: it has no usual one. */
int jwk_curve_algorithm(const json_t *jwk);


#endif /* VOICE_JWT_PRIVATE_H */
