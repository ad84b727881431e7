/*
 * Fuzz: a token as it is; then the first byte chooses a key, and the rest is
 * header, line feed and payload, which that key signs, or for RSA, line feed
 * and signature, so that what lies behind the signature is reached.
 */

#include <stdlib.h>

#include "jwk.h"
#include "sign.h"


#define SECRET  "0123456789abcdef0123456789abcdef"
#define PARTS   (VOICE_JWT_MAX / 2)    /* bytes of header, payload, rest */


/* Methods whose keys are cheap to make and to sign with. */
static const size_t  fuzz_methods[] = { 6, 7, 8, 9, 10 };


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void init(void);
static void key_make(size_t index);
static void verify(voice_span_t token);
static void peek(voice_span_t token);
static void sign(uint8_t choice, voice_span_t header, voice_span_t payload);
static size_t signature_make(unsigned char *out, uint8_t choice,
    voice_span_t message, voice_span_t rest);


static voice_jwt_keys_t  *keys;
static EVP_PKEY          *private[VOICE_ARRAY_SIZE(fuzz_methods)];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char  *end, *text;

    if (keys == NULL) {
        init();
    }

    text = (const char *) data;
    verify(voice_span(text, size));
    peek(voice_span(text, size));

    if (size == 0 || size > PARTS) {
        return 0;
    }

    text++;
    size--;
    end = size == 0 ? NULL : memchr(text, '\n', size);

    if (end != NULL) {
        sign(data[0], voice_span(text, (size_t) (end - text)),
             voice_span(end + 1, (size_t) (text + size - end - 1)));
    }

    return 0;
}


static void
init(void)
{
    size_t  i;

    keys = voice_jwt_keys_create();

    if (voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, VOICE_SPAN("k"),
                                  VOICE_SPAN(SECRET))
        != VOICE_OK
        || key_add(keys, "{" JWK_RSA ",\"kid\":\"r\"}") != VOICE_JWK_OK
        || key_add(keys, "{" JWK_RSA ",\"kid\":\"p\",\"alg\":\"PS256\"}")
           != VOICE_JWK_OK)
    {
        abort();
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(fuzz_methods); i++) {
        key_make(i);
    }
}


/* Named "a", "b" and so on. */
static void
key_make(size_t index)
{
    char                  pem[1024], name;
    size_t                len;
    const sign_method_t  *method;

    method = &sign_methods[fuzz_methods[index]];
    name = (char) ('a' + index);

    private[index] = sign_key(method);
    len = sign_pem(pem, sizeof(pem), private[index]);

    if (voice_jwt_keys_add_pem(keys, voice_span(&name, 1),
                               voice_span(pem, len), VOICE_JWT_RS256)
        != VOICE_JWK_OK)
    {
        abort();
    }
}


static void
verify(voice_span_t token)
{
    json_t             *claims;
    voice_jwt_e         rc;
    voice_jwt_rules_t   rules = { "us", "api", 1700000000, 10, 1000, NULL };

    rc = voice_jwt_verify(keys, &rules, token, &claims);

    if ((rc == VOICE_JWT_OK) != (claims != NULL) || rc == VOICE_JWT_INTERNAL)
    {
        abort();
    }

    json_decref(claims);
}


/* What holds must say who it is from. */
static void
peek(voice_span_t token)
{
    voice_jwt_e       rc;
    voice_jwt_peek_t  unproved;

    rc = voice_jwt_peek(token, &unproved);

    if ((rc != VOICE_JWT_OK && rc != VOICE_JWT_MALFORMED)
        || strlen(unproved.issuer) != unproved.issuer_len
        || strlen(unproved.kid) != unproved.kid_len)
    {
        abort();
    }
}


static void
sign(uint8_t choice, voice_span_t header, voice_span_t payload)
{
    char           token[VOICE_JWT_MAX * 2];
    size_t         n, len;
    const char    *end;
    voice_span_t   rest;
    unsigned char  signature[PARTS];

    rest = voice_span(NULL, 0);
    end = payload.len == 0 ? NULL : memchr(payload.ptr, '\n', payload.len);

    if (end != NULL) {
        rest = voice_span(end + 1,
                          payload.len - (size_t) (end + 1 - payload.ptr));
        payload.len = (size_t) (end - payload.ptr);
    }

    n = sign_message(token, header, payload);
    len = signature_make(signature, choice, voice_span(token, n - 1), rest);
    n += voice_base64url_encode(token + n, voice_span((char *) signature,
                                                      len));
    verify(voice_span(token, n));
    peek(voice_span(token, n));
}


/* A signature that holds, or the rest of the input. */
static size_t
signature_make(unsigned char *out, uint8_t choice, voice_span_t message,
    voice_span_t rest)
{
    size_t  index;

    if (choice == 'k') {
        return voice_hmac_sha256(out, VOICE_SPAN(SECRET), message) == VOICE_OK
               ? VOICE_SHA256_LEN : 0;
    }

    index = (size_t) choice - 'a';

    if (index < VOICE_ARRAY_SIZE(fuzz_methods)) {
        return sign_bytes(out, private[index],
                          &sign_methods[fuzz_methods[index]], message);
    }

    if (rest.len > 0) {
        memcpy(out, rest.ptr, rest.len);
    }

    return rest.len;
}
