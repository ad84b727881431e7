/*
 * JSON Web Tokens (RFC 7519, RFC 7515, RFC 8725) on OpenSSL EVP.  The
 * algorithm belongs to the key, never to the token; clocks are parameters.
 */

#ifndef VOICE_JWT_H
#define VOICE_JWT_H


#include "voice_jwk.h"


#define VOICE_JWT_MAX         8192     /* bytes of a token that we read */
#define VOICE_JWT_ISSUER_MAX  512      /* bytes of an "iss" that is peeked */


/* All zero but now: "exp" is demanded, and what "typ" says by default. */
typedef struct {
    const char         *issuer;        /* demanded "iss", NULL: any */
    const char         *audience;      /* demanded in "aud", NULL: any */
    int64_t             now;           /* unix seconds */
    int64_t             leeway;        /* seconds, for all times */
    int64_t             max_age;       /* seconds since "iat", 0: any */
    const char *const  *types;         /* accepted "typ", see below */
} voice_jwt_rules_t;

/*
 * types ends with NULL; "" accepts a token without "typ", "*" any.  Compared
 * without regard to case, with or without "application/" (RFC 7515 section
 * 4.1.9).  NULL is { "JWT", "", NULL }: at+jwt (RFC 9068) must be asked for.
 */


typedef enum {
    VOICE_JWT_OK = 0,
    VOICE_JWT_MALFORMED,
    VOICE_JWT_UNKNOWN_KEY,             /* "kid" is of no key of the table */
    VOICE_JWT_ALGORITHM,               /* not the one of the key */
    VOICE_JWT_SIGNATURE,
    VOICE_JWT_CRITICAL,                /* an extension: none is known */
    VOICE_JWT_EXPIRED,
    VOICE_JWT_NOT_YET,
    VOICE_JWT_ISSUER,
    VOICE_JWT_AUDIENCE,
    VOICE_JWT_NO_EXPIRY,
    VOICE_JWT_TYPE,
    VOICE_JWT_TOO_OLD,                 /* or without "iat" */
    VOICE_JWT_INTERNAL
} voice_jwt_e;


/* What an unverified token says of itself; "" where it does not. */
typedef struct {
    char    issuer[VOICE_JWT_ISSUER_MAX + 1];
    size_t  issuer_len;
    char    kid[VOICE_JWK_KID_MAX + 1];
    size_t  kid_len;
} voice_jwt_peek_t;


/*
 * Verifies a compact JWS with the key that its "kid" names; without a kid,
 * with the only key of the token's algorithm (none: VOICE_JWT_ALGORITHM,
 * several or an empty table: VOICE_JWT_UNKNOWN_KEY).  One signature is
 * checked at most.  On VOICE_JWT_OK *claims is an object that the caller
 * owns; otherwise it is NULL.
 */
voice_jwt_e voice_jwt_verify(const voice_jwt_keys_t *keys,
    const voice_jwt_rules_t *rules, voice_span_t token, json_t **claims)
    VOICE_MUST_CHECK;

/*
 * The same for a compact JWS (RFC 7515) whose payload may be any bytes: the
 * header but its "typ", the key and the signature are checked, the payload
 * is not read.  On VOICE_JWT_OK the caller frees *payload (free); otherwise
 * it is NULL.
 */
voice_jwt_e voice_jws_verify(const voice_jwt_keys_t *keys,
    voice_span_t token, unsigned char **payload, size_t *len)
    VOICE_MUST_CHECK;

/*
 * The issuer and key that a token names, to choose the table that may verify
 * it and for nothing else: nothing of it is proved.  The issuer that rules
 * demand has to be the chosen table's, not what was peeked.
 * VOICE_JWT_MALFORMED: it is no token, or a name is no string or too long.
 */
voice_jwt_e voice_jwt_peek(voice_span_t token, voice_jwt_peek_t *peek)
    VOICE_MUST_CHECK;

/*
 * Signs claims with the secret named by kid; a public key signs nothing
 * (VOICE_INVALID).  The caller frees *token (free).
 */
voice_rc_t voice_jwt_sign(const voice_jwt_keys_t *keys, voice_span_t kid,
    const json_t *claims, char **token, size_t *len) VOICE_MUST_CHECK;

/* A result as a sentence for the error body and the log. */
const char *voice_jwt_reason(voice_jwt_e result);


#endif /* VOICE_JWT_H */
