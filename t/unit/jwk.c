/*
 * Keys of tokens, one by one: which JWK is taken, and as what.
 */

#include <stdlib.h>

#include <openssl/bn.h>

#include "jwk.h"
#include "tap.h"
#include "voice_code.h"


#define ED(point)  "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" point "\"}"
#define ZEROS      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ONES       "__________________________________________"


static void keys_one_by_one(void);
static void algorithms(void);
static void names(void);
static void moduli(void);
static BIGNUM *modulus_create(int bits);
static BIGNUM *modulus_roca(void);
static voice_jwk_e modulus_add(const BIGNUM *n);
static voice_jwk_e add_alone(const char *text);


static const struct {
    const char   *name;
    const char   *key;
    voice_jwk_e   result;
} jwk_rows[] = {
    { "an RSA key", "{" JWK_RSA "}", VOICE_JWK_OK },
    { "an EC key", "{" JWK_EC "}", VOICE_JWK_OK },
    { "an Ed25519 key", "{" JWK_OKP "}", VOICE_JWK_OK },
    { "with unknown members", "{" JWK_EC ",\"x5c\":[1],\"jku\":{}}",
      VOICE_JWK_OK },
    { "for signatures", "{" JWK_EC ",\"use\":\"sig\"}", VOICE_JWK_OK },
    { "for encryption", "{" JWK_EC ",\"use\":\"enc\"}", VOICE_JWK_USE },
    { "for something else", "{" JWK_EC ",\"use\":\"SIG\"}", VOICE_JWK_USE },
    { "for a list of uses", "{" JWK_EC ",\"use\":[\"sig\"]}",
      VOICE_JWK_MALFORMED },
    { "to verify", "{" JWK_EC ",\"key_ops\":[\"sign\",\"verify\"]}",
      VOICE_JWK_OK },
    { "to encrypt", "{" JWK_EC ",\"key_ops\":[\"encrypt\"]}", VOICE_JWK_USE },
    { "for no operation", "{" JWK_EC ",\"key_ops\":[]}", VOICE_JWK_USE },
    { "to verify twice", "{" JWK_EC ",\"key_ops\":[\"verify\",\"verify\"]}",
      VOICE_JWK_MALFORMED },
    { "operations of no list", "{" JWK_EC ",\"key_ops\":\"verify\"}",
      VOICE_JWK_MALFORMED },
    { "operations that are numbers", "{" JWK_EC ",\"key_ops\":[1]}",
      VOICE_JWK_MALFORMED },
    { "a secret", "{\"kty\":\"oct\",\"k\":\"" JWK_X "\"}", VOICE_JWK_SECRET },
    { "a private RSA key", "{" JWK_RSA ",\"d\":\"AQAB\"}",
      VOICE_JWK_PRIVATE },
    { "a factor", "{" JWK_RSA ",\"p\":\"AQAB\"}", VOICE_JWK_PRIVATE },
    { "further factors", "{" JWK_RSA ",\"oth\":[]}", VOICE_JWK_PRIVATE },
    { "a private EC key", "{" JWK_EC ",\"d\":\"" JWK_X "\"}",
      VOICE_JWK_PRIVATE },
    { "a private Ed25519 key", "{" JWK_OKP ",\"d\":null}",
      VOICE_JWK_PRIVATE },
    { "a secret in a public key", "{" JWK_EC ",\"k\":\"" JWK_X "\"}",
      VOICE_JWK_PRIVATE },
    { "an unknown type", "{\"kty\":\"AKP\",\"pub\":\"AA\"}",
      VOICE_JWK_TYPE },
    { "a type in small letters", "{\"kty\":\"ec\",\"crv\":\"P-256\"}",
      VOICE_JWK_TYPE },
    { "another curve", "{\"kty\":\"EC\",\"crv\":\"secp256k1\","
      "\"x\":\"" JWK_X "\",\"y\":\"" JWK_Y "\"}", VOICE_JWK_TYPE },
    { "a curve of key agreement",
      "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" JWK_P "\"}",
      VOICE_JWK_TYPE },
    { "a curve of another type",
      "{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" JWK_P "\"}",
      VOICE_JWK_TYPE },
    { "no type", "{\"crv\":\"Ed25519\",\"x\":\"" JWK_P "\"}",
      VOICE_JWK_MALFORMED },
    { "a list", "[" "1]", VOICE_JWK_MALFORMED },
    { "no modulus", "{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
      VOICE_JWK_MALFORMED },
    { "a modulus as a number", "{\"kty\":\"RSA\",\"n\":1,\"e\":\"AQAB\"}",
      VOICE_JWK_MALFORMED },
    { "a zero before the exponent",
      "{\"kty\":\"RSA\",\"n\":\"" JWK_N "\",\"e\":\"AAEAAQ\"}",
      VOICE_JWK_MALFORMED },
    { "padding", "{\"kty\":\"RSA\",\"n\":\"" JWK_N "==\",\"e\":\"AQAB\"}",
      VOICE_JWK_MALFORMED },
    { "the exponent 1", "{\"kty\":\"RSA\",\"n\":\"" JWK_N "\",\"e\":\"AQ\"}",
      VOICE_JWK_WEAK },
    { "the exponent 3", "{\"kty\":\"RSA\",\"n\":\"" JWK_N "\",\"e\":\"Aw\"}",
      VOICE_JWK_WEAK },
    { "an even exponent",
      "{\"kty\":\"RSA\",\"n\":\"" JWK_N "\",\"e\":\"AQAC\"}",
      VOICE_JWK_WEAK },
    { "an exponent of 33 bits",
      "{\"kty\":\"RSA\",\"n\":\"" JWK_N "\",\"e\":\"AQAAAAE\"}",
      VOICE_JWK_WEAK },
    { "a point off the curve", "{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"" JWK_X "\",\"y\":\"" JWK_X "\"}", VOICE_JWK_MALFORMED },
    { "the point 0, 0", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\""
      ZEROS "A\",\"y\":\"" ZEROS "A\"}", VOICE_JWK_MALFORMED },
    { "a coordinate over the prime", "{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"" ONES "8\",\"y\":\"" JWK_Y "\"}", VOICE_JWK_MALFORMED },
    { "a coordinate too short", "{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"AQAB\",\"y\":\"" JWK_Y "\"}", VOICE_JWK_MALFORMED },
    { "a coordinate missing", "{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"" JWK_X "\"}", VOICE_JWK_MALFORMED },
    { "a point of another curve", "{\"kty\":\"EC\",\"crv\":\"P-384\","
      "\"x\":\"" JWK_X "\",\"y\":\"" JWK_Y "\"}", VOICE_JWK_MALFORMED },
    { "an Ed25519 point too short", ED("AQAB"), VOICE_JWK_MALFORMED },
    { "a point of y = 0",
      ED("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
      VOICE_JWK_WEAK },
    { "with a sign",
      ED("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA"),
      VOICE_JWK_WEAK },
    { "a point of y = 1",
      ED("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
      VOICE_JWK_WEAK },
    { "a point of order 8",
      ED("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU"),
      VOICE_JWK_WEAK },
    { "its negative",
      ED("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_IU"),
      VOICE_JWK_WEAK },
    { "another of order 8",
      ED("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"),
      VOICE_JWK_WEAK },
    { "a point of order 2",
      ED("7P_______________________________________38"),
      VOICE_JWK_WEAK },
    { "a second name of y = 0",
      ED("7f_______________________________________38"),
      VOICE_JWK_MALFORMED },
    { "a second name of y = 1",
      ED("7v_______________________________________38"),
      VOICE_JWK_MALFORMED },
    { "the highest y but one",
      ED("6________________________________________38"),
      VOICE_JWK_OK },
    { "an Ed448 point of order 2",
      "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"_v__________________"
      "__________________7___________________________________8A\"}",
      VOICE_JWK_WEAK },
};


int
main(void)
{
    keys_one_by_one();
    algorithms();
    names();
    moduli();

    return done_testing();
}


static void
keys_one_by_one(void)
{
    size_t       i;
    voice_jwk_e  result;

    for (i = 0; i < VOICE_ARRAY_SIZE(jwk_rows); i++) {
        result = add_alone(jwk_rows[i].key);
        ok(result == jwk_rows[i].result, "%s %s", jwk_rows[i].name,
           voice_jwk_reason(result));
    }
}


/* What a key without "alg" gets, and which "alg" fits it. */
static void
algorithms(void)
{
    size_t                 i;
    voice_jwk_e            result;
    voice_jwt_keys_t      *keys;
    voice_jwt_key_info_t   info;

    static const struct {
        const char   *key;
        const char   *alg;
    } rows[] = {
        { "{" JWK_RSA "}", "RS256" },
        { "{" JWK_RSA ",\"alg\":\"RS512\"}", "RS512" },
        { "{" JWK_RSA ",\"alg\":\"PS256\"}", "PS256" },
        { "{" JWK_RSA ",\"alg\":\"RSA-OAEP\"}", NULL },
        { "{" JWK_RSA ",\"alg\":\"HS256\"}", NULL },
        { "{" JWK_RSA ",\"alg\":\"ES256\"}", NULL },
        { "{" JWK_RSA ",\"alg\":\"none\"}", NULL },
        { "{" JWK_RSA ",\"alg\":\"rs256\"}", NULL },
        { "{" JWK_RSA ",\"alg\":\"\"}", NULL },
        { "{" JWK_RSA ",\"alg\":null}", NULL },
        { "{" JWK_RSA ",\"alg\":[\"RS256\"]}", NULL },
        { "{" JWK_EC "}", "ES256" },
        { "{" JWK_EC ",\"alg\":\"ES256\"}", "ES256" },
        { "{" JWK_EC ",\"alg\":\"ES384\"}", NULL },
        { "{" JWK_EC ",\"alg\":\"ES256K\"}", NULL },
        { "{" JWK_EC ",\"alg\":\"ECDH-ES\"}", NULL },
        { "{" JWK_EC ",\"alg\":\"RS256\"}", NULL },
        { "{" JWK_OKP "}", "EdDSA" },
        { "{" JWK_OKP ",\"alg\":\"Ed25519\"}", "Ed25519" },
        { "{" JWK_OKP ",\"alg\":\"Ed448\"}", NULL },
        { "{" JWK_OKP ",\"alg\":\"HS256\"}", NULL },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        keys = voice_jwt_keys_create();
        result = key_add(keys, rows[i].key);

        if (rows[i].alg == NULL) {
            ok(result == VOICE_JWK_ALGORITHM, "row %zu: %s", i,
               voice_jwk_reason(result));

        } else {
            ok(result == VOICE_JWK_OK
               && voice_jwt_keys_at(keys, 0, &info) == VOICE_OK
               && strcmp(info.alg, rows[i].alg) == 0, "row %zu: is of %s", i,
               rows[i].alg);
        }

        voice_jwt_keys_destroy(keys);
    }
}


static void
names(void)
{
    char                   text[1024], kid[VOICE_JWK_KID_MAX + 2];
    voice_jwt_keys_t      *keys;
    voice_jwt_key_info_t   info;

    keys = voice_jwt_keys_create();

    ok(key_add(keys, "{" JWK_OKP "}") == VOICE_JWK_OK
       && voice_jwt_keys_has(keys, VOICE_SPAN("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7T"
                                              "xHCTwXBygrS4k")),
       "a key without a name is named by its thumbprint");
    ok(key_add(keys, "{" JWK_OKP "}") == VOICE_JWK_DUPLICATE, "so only once");
    ok(key_add(keys, "{" JWK_OKP ",\"kid\":\"a\"}") == VOICE_JWK_OK,
       "by another name it is another");
    ok(key_add(keys, "{" JWK_EC ",\"kid\":\"a\"}") == VOICE_JWK_DUPLICATE,
       "a name is there once");
    ok(key_add(keys, "{" JWK_EC ",\"kid\":\"\"}") == VOICE_JWK_NAME,
       "an empty name is refused");
    ok(key_add(keys, "{" JWK_EC ",\"kid\":7}") == VOICE_JWK_MALFORMED,
       "a number is no name");

    memset(kid, 'k', sizeof(kid));
    kid[sizeof(kid) - 1] = '\0';
    (void) snprintf(text, sizeof(text), "{" JWK_EC ",\"kid\":\"%s\"}", kid);
    ok(key_add(keys, text) == VOICE_JWK_NAME, "a name too long is refused");

    kid[VOICE_JWK_KID_MAX] = '\0';
    (void) snprintf(text, sizeof(text), "{" JWK_EC ",\"kid\":\"%s\"}", kid);
    ok(key_add(keys, text) == VOICE_JWK_OK
       && voice_jwt_keys_at(keys, 2, &info) == VOICE_OK
       && info.kid.len == VOICE_JWK_KID_MAX,
       "one of just the length is taken");

    voice_jwt_keys_destroy(keys);
}


static void
moduli(void)
{
    size_t   i;
    BIGNUM  *n;

    static const struct {
        int           bits;
        voice_jwk_e   result;
    } rows[] = {
        { 1024, VOICE_JWK_WEAK }, { 2047, VOICE_JWK_WEAK },
        { 2048, VOICE_JWK_OK }, { 8192, VOICE_JWK_OK },
        { 8193, VOICE_JWK_WEAK }, { 16384, VOICE_JWK_WEAK },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        n = modulus_create(rows[i].bits);
        ok(modulus_add(n) == rows[i].result, "a modulus of %d bits: %s",
           rows[i].bits, voice_jwk_reason(rows[i].result));

        ok(BN_sub_word(n, 1) == 1 && modulus_add(n) == VOICE_JWK_WEAK,
           "an even one is weak");
        BN_free(n);
    }

    n = modulus_create(2048);
    ok(BN_mul_word(n, 167) == 1 && modulus_add(n) == VOICE_JWK_WEAK,
       "a modulus with a small factor is weak");
    BN_free(n);

    n = modulus_roca();
    ok(modulus_add(n) == VOICE_JWK_WEAK,
       "a modulus with the mark of ROCA is weak");
    BN_free(n);
}


/* A number that no small prime divides: more is not looked at. */
static BIGNUM *
modulus_create(int bits)
{
    BIGNUM    *n;
    BN_ULONG   i;

    n = BN_new();
    (void) (BN_one(n) && BN_lshift(n, n, bits - 1) && BN_add_word(n, 1));

    for (i = 3; i < 168; i += 2) {
        if (BN_mod_word(n, i) == 0) {
            (void) BN_add_word(n, 2);
            i = 1;
        }
    }

    return n;
}


/* 65537 to some power modulo the product of the primes up to 167. */
static BIGNUM *
modulus_roca(void)
{
    BIGNUM    *n, *product, *generator, *power;
    BN_CTX    *ctx;
    BN_ULONG   i, j;

    ctx = BN_CTX_new();
    n = BN_new();
    product = BN_new();
    generator = BN_new();
    power = BN_new();

    (void) (BN_one(product) && BN_set_word(generator, 65537)
            && BN_set_word(power, 123456789));

    for (i = 3; i < 168; i += 2) {
        for (j = 3; j < i && i % j != 0; j += 2) {
            continue;
        }

        if (j == i) {
            (void) BN_mul_word(product, i);
        }
    }

    (void) (BN_mod_exp(n, generator, power, product, ctx)
            && BN_lshift(power, product, 2048 - BN_num_bits(product))
            && BN_add(n, n, power));

    if (!BN_is_odd(n)) {
        (void) BN_add(n, n, product);
    }

    BN_free(product);
    BN_free(generator);
    BN_free(power);
    BN_CTX_free(ctx);

    return n;
}


static voice_jwk_e
modulus_add(const BIGNUM *n)
{
    char           text[4096], digits[VOICE_BASE64_LEN(2049) + 1];
    unsigned char  bytes[2049];

    digits[voice_base64url_encode(digits,
               voice_span((char *) bytes, (size_t) BN_bn2bin(n, bytes)))]
        = '\0';
    (void) snprintf(text, sizeof(text),
                    "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}", digits);

    return add_alone(text);
}


static voice_jwk_e
add_alone(const char *text)
{
    voice_jwk_e        result;
    voice_jwt_keys_t  *keys;

    keys = voice_jwt_keys_create();
    result = key_add(keys, text);

    if (voice_jwt_keys_count(keys) != (result == VOICE_JWK_OK)) {
        ok(0, "a key is there if and only if it was taken");
    }

    voice_jwt_keys_destroy(keys);

    return result;
}
