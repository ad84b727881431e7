/*
 * Public keys for tests.
 */

#ifndef JWK_H
#define JWK_H


#include "voice_jwt.h"


/* The modulus of RFC 7638, the points of RFC 7515 A.3 and RFC 8037. */
#define JWK_N \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu" \
    "1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4H" \
    "c5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqz" \
    "s8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4" \
    "vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8a" \
    "wapJzKnqDKgw"
#define JWK_X  "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define JWK_Y  "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define JWK_P  "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

#define JWK_RSA  "\"kty\":\"RSA\",\"n\":\"" JWK_N "\",\"e\":\"AQAB\""
#define JWK_EC   "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" JWK_X \
                 "\",\"y\":\"" JWK_Y "\""
#define JWK_OKP  "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" JWK_P "\""


static inline voice_jwk_e
key_add(voice_jwt_keys_t *keys, const char *text)
{
    json_t              *jwk;
    voice_jwk_e          result;
    voice_json_error_t   err;

    jwk = voice_json_parse(voice_span_str(text), &err);
    result = voice_jwt_keys_add_jwk(keys, jwk, VOICE_JWT_RS256);
    json_decref(jwk);

    return result;
}


#endif /* JWK_H */
