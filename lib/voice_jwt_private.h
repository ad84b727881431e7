/*
 * What the files voice_jwt*.c share: keys and the table of algorithms.
 */

#ifndef VOICE_JWT_PRIVATE_H
#define VOICE_JWT_PRIVATE_H


#include <openssl/evp.h>

#include "voice_jwt.h"


#define JWT_KID_MAX        64          /* bytes */
#define JWT_SIGNATURE_MAX  64          /* bytes: the HMAC of SHA-512 */


typedef struct jwt_algorithm_s  jwt_algorithm_t;


/* A signature to make: out has room for JWT_SIGNATURE_MAX bytes. */
typedef voice_rc_t (*jwt_sign_pt)(const voice_jwt_key_t *key,
    voice_span_t message, unsigned char *out, size_t *len);
typedef voice_jwt_e (*jwt_verify_pt)(const voice_jwt_key_t *key,
    voice_span_t message, voice_span_t signature);


/* A row of the table of algorithms (RFC 7518 section 3.1). */
struct jwt_algorithm_s {
    const char     *name;
    const char     *digest;
    size_t          secret_min;        /* bytes */
    jwt_sign_pt     sign;
    jwt_verify_pt   verify;
};


struct voice_jwt_key_s {
    const jwt_algorithm_t  *algorithm;
    EVP_MAC_CTX            *mac;       /* keyed; copied for each message */
    char                    kid[JWT_KID_MAX];
    size_t                  kid_len;
    voice_jwt_key_t        *next;
};


struct voice_jwt_keys_s {
    voice_jwt_key_t  *first;
};


/* The key of that name, NULL if there is none. */
const voice_jwt_key_t *jwt_key_find(const voice_jwt_keys_t *keys,
    voice_span_t kid);


#endif /* VOICE_JWT_PRIVATE_H */
