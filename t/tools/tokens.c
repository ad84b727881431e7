
/*
 * Signs many access tokens for a benchmark, one a line; each has a "jti" of
 * its own.  For HS256 the key is the content of a file, otherwise a private
 * key in PEM.
 */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "voice_code.h"
#include "voice_json.h"


#define KEY_MAX        4096
#define SIGNATURE_MAX  1024
#define TEXT_MAX       4096
#define P256_LEN       32              /* bytes of a coordinate */


static EVP_PKEY *read_key(const char *alg, const char *file);
static int put_token(EVP_PKEY *key, voice_span_t header,
    const json_t *claims);
static size_t sign(EVP_PKEY *key, voice_span_t text, unsigned char *out);
static size_t raw_ecdsa(unsigned char *signature, size_t len);


int
main(int argc, char **argv)
{
    int                 len;
    long                i, count;
    char                header[256], jti[32];
    json_t             *claims;
    EVP_PKEY           *key;
    voice_json_error_t  err;

    if (argc != 6) {
        fprintf(stderr, "usage: tokens HS256|RS256|ES256 KEYFILE KID COUNT "
                "CLAIMS\n");
        return 2;
    }

    key = read_key(argv[1], argv[2]);
    count = strtol(argv[4], NULL, 10);
    claims = voice_json_parse(voice_span_str(argv[5]), &err);
    len = snprintf(header, sizeof(header),
                   "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                   argv[1], argv[3]);

    if (key == NULL || claims == NULL || len >= (int) sizeof(header)) {
        fprintf(stderr, "tokens: a key, a kid or claims are not usable\n");
        return 1;
    }

    for (i = 0; i < count; i++) {
        snprintf(jti, sizeof(jti), "%ld", i);

        if (json_object_set_new(claims, "jti", json_string(jti)) != 0
            || !put_token(key, voice_span(header, len), claims))
        {
            fprintf(stderr, "tokens: no signature\n");
            return 1;
        }
    }

    json_decref(claims);
    EVP_PKEY_free(key);

    return 0;
}


/* NULL: no such file, or no key. */
static EVP_PKEY *
read_key(const char *alg, const char *file)
{
    FILE           *in;
    size_t          len;
    EVP_PKEY       *key;
    unsigned char   secret[KEY_MAX];

    in = fopen(file, "r");
    if (in == NULL) {
        return NULL;
    }

    if (strcmp(alg, "HS256") == 0) {
        len = fread(secret, 1, sizeof(secret), in);
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, secret, len);

    } else {
        key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
    }

    fclose(in);

    return key;
}


/* 0 on failure. */
static int
put_token(EVP_PKEY *key, voice_span_t header, const json_t *claims)
{
    char           *text, token[2 * TEXT_MAX];
    size_t          len, n;
    unsigned char   signature[SIGNATURE_MAX];

    text = json_dumps(claims, JSON_COMPACT);
    if (text == NULL || strlen(text) > TEXT_MAX / 2) {
        free(text);
        return 0;
    }

    len = voice_base64url_encode(token, header);
    token[len++] = '.';
    len += voice_base64url_encode(token + len, voice_span_str(text));
    free(text);

    n = sign(key, voice_span(token, len), signature);
    if (n == 0) {
        return 0;
    }

    token[len++] = '.';
    len += voice_base64url_encode(token + len,
                                  voice_span((char *) signature, n));
    token[len++] = '\n';

    return fwrite(token, 1, len, stdout) == len;
}


/* Bytes of the signature, 0 on failure. */
static size_t
sign(EVP_PKEY *key, voice_span_t text, unsigned char *out)
{
    int          ok;
    size_t       len;
    EVP_MD_CTX  *ctx;

    len = SIGNATURE_MAX;
    ctx = EVP_MD_CTX_new();

    ok = ctx != NULL
         && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1
         && EVP_DigestSign(ctx, out, &len, (const unsigned char *) text.ptr,
                           text.len) == 1;

    EVP_MD_CTX_free(ctx);

    if (!ok) {
        return 0;
    }

    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? raw_ecdsa(out, len)
                                                    : len;
}


/* ASN.1 becomes R and S, as JWS has them (RFC 7518 3.4). */
static size_t
raw_ecdsa(unsigned char *signature, size_t len)
{
    ECDSA_SIG            *sig;
    const unsigned char  *p;

    p = signature;

    sig = d2i_ECDSA_SIG(NULL, &p, (long) len);
    if (sig == NULL) {
        return 0;
    }

    (void) BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, P256_LEN);
    (void) BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + P256_LEN,
                        P256_LEN);
    ECDSA_SIG_free(sig);

    return 2 * P256_LEN;
}
