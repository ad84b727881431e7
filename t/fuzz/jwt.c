/*
 * Fuzz: a token as it is; then header, line feed and payload, signed, so
 * that what lies behind the signature is reached.
 */

#include <stdlib.h>

#include "voice_code.h"
#include "voice_jwt.h"


#define SECRET  "0123456789abcdef0123456789abcdef"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void verify(voice_span_t token);
static void sign(voice_span_t header, voice_span_t payload);


static voice_jwt_keys_t  *keys;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char  *end, *text;

    if (keys == NULL) {
        keys = voice_jwt_keys_create();

        if (voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, VOICE_SPAN("k"),
                                      VOICE_SPAN(SECRET))
            != VOICE_OK)
        {
            abort();
        }
    }

    text = (const char *) data;
    verify(voice_span(text, size));

    end = size == 0 ? NULL : memchr(text, '\n', size);

    if (end != NULL && size < VOICE_JWT_MAX / 2) {
        sign(voice_span(text, (size_t) (end - text)),
             voice_span(end + 1, (size_t) (text + size - end - 1)));
    }

    return 0;
}


static void
verify(voice_span_t token)
{
    json_t             *claims;
    voice_jwt_e         rc;
    voice_jwt_rules_t   rules = { "us", "api", 1700000000, 10, 0, NULL };

    rc = voice_jwt_verify(keys, &rules, token, &claims);

    if ((rc == VOICE_JWT_OK) != (claims != NULL) || rc == VOICE_JWT_INTERNAL)
    {
        abort();
    }

    json_decref(claims);
}


static void
sign(voice_span_t header, voice_span_t payload)
{
    char           token[VOICE_JWT_MAX];
    size_t         n;
    unsigned char  digest[VOICE_SHA256_LEN];

    n = voice_base64url_encode(token, header);
    token[n++] = '.';
    n += voice_base64url_encode(token + n, payload);

    if (voice_hmac_sha256(digest, VOICE_SPAN(SECRET), voice_span(token, n))
        != VOICE_OK)
    {
        abort();
    }

    token[n++] = '.';
    n += voice_base64url_encode(token + n, voice_span((char *) digest,
                                                      sizeof(digest)));
    verify(voice_span(token, n));
}
