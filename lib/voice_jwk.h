/*
 * Keys of tokens: secrets, and public keys by JWK or JWK Set (RFC 7517, RFC
 * 7518 section 6, RFC 8037) or PEM.  Each key has one algorithm, which no
 * token chooses.  docs/jwt.md says what is taken and why.
 *
 * A table of keys belongs to one thread at a time, also to verify.
 */

#ifndef VOICE_JWK_H
#define VOICE_JWK_H


#include "voice_json.h"


#define VOICE_JWK_KID_MAX         256      /* bytes of a key's name */
#define VOICE_JWK_KEYS_MAX        64       /* keys of a table; of a set so */
                                           /* many are looked at */
#define VOICE_JWK_SET_MAX         65536    /* bytes of a JWK Set */
#define VOICE_JWK_PEM_MAX         8192     /* bytes of a PEM text */
#define VOICE_JWK_THUMBPRINT_LEN  43       /* base64url of SHA-256 */


typedef enum {
    VOICE_JWT_HS256 = 0,
    VOICE_JWT_HS384,
    VOICE_JWT_HS512,
    VOICE_JWT_RS256,
    VOICE_JWT_RS384,
    VOICE_JWT_RS512,
    VOICE_JWT_PS256,
    VOICE_JWT_PS384,
    VOICE_JWT_PS512,
    VOICE_JWT_ES256,
    VOICE_JWT_ES384,
    VOICE_JWT_ES512,
    VOICE_JWT_EDDSA,                   /* of Ed25519 or Ed448 */
    VOICE_JWT_ED25519,                 /* RFC 9864 names, for keys that */
    VOICE_JWT_ED448                    /* bear them */
} voice_jwt_alg_e;


/* Why a key is not taken. */
typedef enum {
    VOICE_JWK_OK = 0,
    VOICE_JWK_MALFORMED,               /* no key by its RFC */
    VOICE_JWK_TYPE,                    /* unknown "kty" or "crv" */
    VOICE_JWK_ALGORITHM,               /* unknown, or not of such a key */
    VOICE_JWK_USE,                     /* "use" or "key_ops": no "verify" */
    VOICE_JWK_PRIVATE,                 /* a private key got out */
    VOICE_JWK_SECRET,                  /* "oct" in a public place */
    VOICE_JWK_WEAK,
    VOICE_JWK_NAME,                    /* "kid" is empty or too long */
    VOICE_JWK_DUPLICATE,               /* the table has that "kid" */
    VOICE_JWK_AMBIGUOUS,               /* two keys of a set, one "kid" */
    VOICE_JWK_FULL,
    VOICE_JWK_INTERNAL,                /* our fault */
    VOICE_JWK_RESULTS                  /* how many results there are */
} voice_jwk_e;


typedef struct voice_jwt_key_s   voice_jwt_key_t;
typedef struct voice_jwt_keys_s  voice_jwt_keys_t;


/* What became of a JWK Set; skipped is the sum of the results but OK. */
typedef struct {
    unsigned  added;
    unsigned  skipped;
    unsigned  results[VOICE_JWK_RESULTS];
} voice_jwks_report_t;


/* A key for people to look at: no key material; borrowed from the table. */
typedef struct {
    voice_span_t  kid;
    const char   *alg;                 /* "RS256" */
    const char   *type;                /* "oct", "RSA", "EC" or "OKP" */
    unsigned      bits;                /* of the secret, modulus or curve */
    const char   *thumbprint;          /* RFC 7638; of a secret "" */
} voice_jwt_key_info_t;


/* An empty key table; NULL: out of memory.  Keys are added, never changed. */
voice_jwt_keys_t *voice_jwt_keys_create(void);
void voice_jwt_keys_destroy(voice_jwt_keys_t *keys);

/*
 * Adds a symmetric key, alg one of HS*: secret of at least the hash's size
 * (RFC 7518 section 3.2), kid of 1 to VOICE_JWK_KID_MAX bytes, unique in the
 * table.  VOICE_INVALID otherwise, VOICE_LIMIT where the table is full.
 */
voice_rc_t voice_jwt_keys_add_secret(voice_jwt_keys_t *keys,
    voice_jwt_alg_e alg, voice_span_t kid, voice_span_t secret)
    VOICE_MUST_CHECK;

/*
 * Adds a public key.  Its algorithm is its "alg"; without one that of its
 * curve, for RSA default_alg (RS* or PS*).  Its name is its "kid"; without
 * one its thumbprint.  Secrets and private keys are refused.
 */
voice_jwk_e voice_jwt_keys_add_jwk(voice_jwt_keys_t *keys, const json_t *jwk,
    voice_jwt_alg_e default_alg) VOICE_MUST_CHECK;

/*
 * Adds what can be used of a JWK Set (RFC 7517 section 5); a key that cannot
 * be used is skipped and counted in *report.  A kid twice: the same key
 * counts once, of different keys none is taken; keys that the table had stay.
 * VOICE_OK also if nothing was added; VOICE_INVALID: no JWK Set;
 * VOICE_LIMIT: over VOICE_JWK_SET_MAX; VOICE_FAILED: our fault, the table may
 * have some of the keys.
 */
voice_rc_t voice_jwt_keys_add_jwks(voice_jwt_keys_t *keys, voice_span_t text,
    voice_jwt_alg_e default_alg, voice_jwks_report_t *report)
    VOICE_MUST_CHECK;

/*
 * Adds the one public key of a PEM text ("BEGIN PUBLIC KEY", RFC 7468
 * section 13); algorithm and name as of a JWK without "alg", an empty kid
 * is none.
 */
voice_jwk_e voice_jwt_keys_add_pem(voice_jwt_keys_t *keys, voice_span_t kid,
    voice_span_t pem, voice_jwt_alg_e default_alg) VOICE_MUST_CHECK;

unsigned voice_jwt_keys_count(const voice_jwt_keys_t *keys);
/* The key at index, from 0; VOICE_NOTFOUND behind the last. */
voice_rc_t voice_jwt_keys_at(const voice_jwt_keys_t *keys, size_t index,
    voice_jwt_key_info_t *info) VOICE_MUST_CHECK;
/* Has the table a key of that name? */
int voice_jwt_keys_has(const voice_jwt_keys_t *keys, voice_span_t kid);

/*
 * The thumbprint of a public key (RFC 7638, SHA-256) as base64url and a NUL.
 * Looks at the required members only, private ones may be there.
 */
voice_jwk_e voice_jwk_thumbprint(char out[VOICE_JWK_THUMBPRINT_LEN + 1],
    const json_t *jwk) VOICE_MUST_CHECK;

/* The algorithm of a name as in "alg"; VOICE_NOTFOUND if we know none. */
voice_rc_t voice_jwt_alg_find(voice_jwt_alg_e *alg, voice_span_t name)
    VOICE_MUST_CHECK;
const char *voice_jwt_alg_name(voice_jwt_alg_e alg);

/* A result as the end of a sentence: "a key that <reason>". */
const char *voice_jwk_reason(voice_jwk_e result);


#endif /* VOICE_JWK_H */
