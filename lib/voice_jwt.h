
/*
 * JSON Web Tokens (RFC 7519, RFC 7515, RFC 8725) on OpenSSL EVP.  The
 * algorithm belongs to the key, never to the token; clocks are parameters.
 */

#ifndef VOICE_JWT_H
#define VOICE_JWT_H


#include "voice_json.h"


#define VOICE_JWT_MAX  8192            /* bytes of a token that we read */


typedef enum {
    VOICE_JWT_HS256 = 0,
    VOICE_JWT_HS384,
    VOICE_JWT_HS512
    /* RS, PS, ES and EdDSA are rows to come in the table of algorithms */
} voice_jwt_alg_e;


typedef struct voice_jwt_key_s   voice_jwt_key_t;
typedef struct voice_jwt_keys_s  voice_jwt_keys_t;


typedef struct {
    const char  *issuer;               /* demanded "iss", NULL: any */
    const char  *audience;             /* demanded in "aud", NULL: any */
    int64_t      now;                  /* unix seconds */
    int64_t      leeway;               /* seconds, for exp, nbf and iat */
} voice_jwt_rules_t;


typedef enum {
    VOICE_JWT_OK = 0,
    VOICE_JWT_MALFORMED,
    VOICE_JWT_UNKNOWN_KEY,
    VOICE_JWT_ALGORITHM,               /* not the one of the key */
    VOICE_JWT_SIGNATURE,
    VOICE_JWT_CRITICAL,                /* a "crit" header: none is known */
    VOICE_JWT_EXPIRED,
    VOICE_JWT_NOT_YET,
    VOICE_JWT_ISSUER,
    VOICE_JWT_AUDIENCE,
    VOICE_JWT_NO_EXPIRY,
    VOICE_JWT_INTERNAL
} voice_jwt_e;


/* An empty key table; NULL: out of memory. */
voice_jwt_keys_t *voice_jwt_keys_create(void);
void voice_jwt_keys_destroy(voice_jwt_keys_t *keys);

/*
 * Adds a symmetric key: secret of at least the hash's size (RFC 7518 3.2),
 * kid of 1 to 64 bytes, unique in the table.  VOICE_INVALID otherwise.
 */
voice_rc_t voice_jwt_keys_add_secret(voice_jwt_keys_t *keys,
    voice_jwt_alg_e alg, voice_span_t kid, voice_span_t secret)
    VOICE_MUST_CHECK;

/*
 * Verifies a compact JWS with the key that its "kid" names (without a kid:
 * the only key of the table, else VOICE_JWT_UNKNOWN_KEY).  On VOICE_JWT_OK
 * *claims is an object that the caller owns; otherwise it is NULL.
 */
voice_jwt_e voice_jwt_verify(const voice_jwt_keys_t *keys,
    const voice_jwt_rules_t *rules, voice_span_t token, json_t **claims)
    VOICE_MUST_CHECK;

/*
 * The same for a compact JWS (RFC 7515) whose payload may be any bytes: the
 * header, the key and the signature are checked, the payload is not read.
 * On VOICE_JWT_OK the caller frees *payload (free); otherwise it is NULL.
 */
voice_jwt_e voice_jws_verify(const voice_jwt_keys_t *keys,
    voice_span_t token, unsigned char **payload, size_t *len)
    VOICE_MUST_CHECK;

/*
 * Signs claims with the key named by kid.  The caller frees *token (free).
 */
voice_rc_t voice_jwt_sign(const voice_jwt_keys_t *keys, voice_span_t kid,
    const json_t *claims, char **token, size_t *len) VOICE_MUST_CHECK;

/* A result as a sentence for the error body and the log. */
const char *voice_jwt_reason(voice_jwt_e result);


#endif /* VOICE_JWT_H */
