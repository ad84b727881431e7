/*
 * Thumbprints of public keys: RFC 7638, RFC 8037 section 2.
 */

#include <stdio.h>

#include "voice_code.h"
#include "voice_jwt_private.h"


#define TEXT_MAX  2048                 /* bytes: a modulus and the names */


voice_jwk_e
voice_jwk_thumbprint(char out[VOICE_JWK_THUMBPRINT_LEN + 1],
    const json_t *jwk)
{
    EVP_PKEY     *public;
    voice_jwk_e   result;

    public = jwk_public(jwk, &result);

    if (public == NULL) {
        return result;
    }

    EVP_PKEY_free(public);

    return jwk_thumbprint(out, jwk) == VOICE_OK ? VOICE_JWK_OK
                                                : VOICE_JWK_INTERNAL;
}


/*
 * The members in the order of their names.  What became a key has members of
 * one form: nothing is to be escaped.
 */
voice_rc_t
jwk_thumbprint(char out[VOICE_JWK_THUMBPRINT_LEN + 1], const json_t *jwk)
{
    int            n;
    char           text[TEXT_MAX];
    const char    *type;
    unsigned char  digest[VOICE_SHA256_LEN];

    type = voice_json_text(jwk, "kty").ptr;

    if (strcmp(type, "RSA") == 0) {
        n = snprintf(text, sizeof(text),
                     "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}",
                     voice_json_text(jwk, "e").ptr,
                     voice_json_text(jwk, "n").ptr);

    } else if (strcmp(type, "EC") == 0) {
        n = snprintf(text, sizeof(text), "{\"crv\":\"%s\",\"kty\":\"EC\","
                     "\"x\":\"%s\",\"y\":\"%s\"}",
                     voice_json_text(jwk, "crv").ptr,
                     voice_json_text(jwk, "x").ptr,
                     voice_json_text(jwk, "y").ptr);

    } else {
        n = snprintf(text, sizeof(text), "{\"crv\":\"%s\",\"kty\":\"OKP\","
                     "\"x\":\"%s\"}", voice_json_text(jwk, "crv").ptr,
                     voice_json_text(jwk, "x").ptr);
    }

    if (n < 0 || (size_t) n >= sizeof(text)
        || voice_sha256(digest, voice_span(text, (size_t) n)) != VOICE_OK)
    {
        return VOICE_FAILED;
    }

    out[voice_base64url_encode(out, voice_span((char *) digest,
                                               sizeof(digest)))] = '\0';

    return VOICE_OK;
}
