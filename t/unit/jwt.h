/*
 * Tokens of ours for tests, of any header and payload.
 */

#ifndef JWT_H
#define JWT_H


#include "tap.h"
#include "voice_code.h"
#include "voice_jwt.h"


#define NOW     1700000000
#define SECRET  "0123456789abcdef0123456789abcdef"


/* One HS256 key named "k". */
static inline voice_jwt_keys_t *
keys_create(void)
{
    voice_jwt_keys_t  *keys;

    keys = voice_jwt_keys_create();

    if (voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, VOICE_SPAN("k"),
                                  VOICE_SPAN(SECRET))
        != VOICE_OK)
    {
        ok(0, "the key is added");
    }

    return keys;
}


/* A token of these parts with an HS256 signature that holds. */
static inline size_t
token_make(char *out, const char *header, const char *payload)
{
    size_t         n;
    unsigned char  digest[VOICE_SHA256_LEN];

    n = voice_base64url_encode(out, voice_span_str(header));
    out[n++] = '.';
    n += voice_base64url_encode(out + n, voice_span_str(payload));

    if (voice_hmac_sha256(digest, VOICE_SPAN(SECRET), voice_span(out, n))
        != VOICE_OK)
    {
        ok(0, "the token is signed");
    }

    out[n++] = '.';

    return n + voice_base64url_encode(out + n, voice_span((char *) digest,
                                                          sizeof(digest)));
}


static inline voice_jwt_e
verify_parts(const char *header, const char *payload,
    const voice_jwt_rules_t *rules)
{
    char               token[1024];
    size_t             len;
    json_t            *object;
    voice_jwt_e        rc;
    voice_jwt_keys_t  *keys;

    keys = keys_create();
    len = token_make(token, header, payload);
    rc = voice_jwt_verify(keys, rules, voice_span(token, len), &object);

    if ((rc == VOICE_JWT_OK) != (object != NULL)) {
        ok(0, "claims are given if and only if the token is good");
    }

    json_decref(object);
    voice_jwt_keys_destroy(keys);

    return rc;
}


static inline voice_jwt_rules_t
rules_now(void)
{
    return (voice_jwt_rules_t) { .now = NOW };
}


#endif /* JWT_H */
