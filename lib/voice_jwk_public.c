/*
 * Public keys of the members of a JWK: RFC 7518 section 6, RFC 8037 section
 * 2.  A number has one form: of exact length, or without a zero in front.
 */

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#include "voice_code.h"
#include "voice_jwt_private.h"


#define RSA_BITS_MIN    2048
#define RSA_BITS_MAX    8192          /* bounds what a token may cost */
#define EXPONENT_MIN    65537         /* FIPS 186-5 section A.1.1 */
#define EXPONENT_BITS   32
#define COORDINATE_MAX  66            /* bytes: P-521 */
#define POINT_MAX       (1 + 2 * COORDINATE_MAX)
#define NUMBER_MAX      (RSA_BITS_MAX / 8)


typedef struct {
    size_t         len;                /* 0: none, or not of its form */
    unsigned char  bytes[JWT_DECODED_MAX(VOICE_BASE64_LEN(NUMBER_MAX))];
} jwk_number_t;


typedef struct {
    const char       *type;            /* "kty" */
    const char       *name;            /* "crv" */
    const char       *group;           /* the library's name */
    size_t            size;            /* bytes of a coordinate or point */
    voice_jwt_alg_e   alg;             /* of keys without "alg" */
} jwk_curve_t;


/* A point that everybody can sign for. */
typedef struct {
    size_t       size;
    const char  *point;
} jwk_weak_point_t;


static EVP_PKEY *rsa_create(const json_t *jwk, voice_jwk_e *result);
static voice_jwk_e rsa_check(const BIGNUM *n, const BIGNUM *e);
static int modulus_weak(const BIGNUM *n);
static EVP_PKEY *rsa_import(const BIGNUM *n, const BIGNUM *e);
static EVP_PKEY *ec_create(const json_t *jwk, const jwk_curve_t *curve,
    voice_jwk_e *result);
static EVP_PKEY *okp_create(const json_t *jwk, const jwk_curve_t *curve,
    voice_jwk_e *result);
static voice_jwk_e okp_check(jwk_number_t point);
static EVP_PKEY *public_import(const char *type, OSSL_PARAM *params);
static const jwk_curve_t *curve_find(const json_t *jwk);
static void number_read(jwk_number_t *number, const json_t *jwk,
    const char *name);


static const jwk_curve_t  jwk_curves[] = {
    { "EC", "P-256", "prime256v1", 32, VOICE_JWT_ES256 },
    { "EC", "P-384", "secp384r1", 48, VOICE_JWT_ES384 },
    { "EC", "P-521", "secp521r1", 66, VOICE_JWT_ES512 },
    { "OKP", "Ed25519", "ED25519", 32, VOICE_JWT_EDDSA },
    { "OKP", "Ed448", "ED448", 57, VOICE_JWT_EDDSA },
};


/*
 * Points of small order but y = 0 and y = 1, of both signs: order 8, 8 and 2
 * of edwards25519, 2 of edwards448.
 */
static const jwk_weak_point_t  jwk_weak_points[] = {
    { 32, "\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0"
          "\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05" },
    { 32, "\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f"
          "\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a" },
    { 32, "\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f" },
    { 57, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
          "\xff\xff\xff\xff\xff\xff\xff\xff\x00" },
};


EVP_PKEY *
jwk_public(const json_t *jwk, voice_jwk_e *result)
{
    EVP_PKEY           *public;
    const jwk_curve_t  *curve;

    curve = curve_find(jwk);
    *result = VOICE_JWK_TYPE;

    ERR_set_mark();

    if (voice_span_eq(voice_json_text(jwk, "kty"), VOICE_SPAN("RSA"))) {
        public = rsa_create(jwk, result);

    } else if (curve == NULL) {
        public = NULL;

    } else if (strcmp(curve->type, "EC") == 0) {
        public = ec_create(jwk, curve, result);

    } else {
        public = okp_create(jwk, curve, result);
    }

    ERR_pop_to_mark();

    return public;
}


int
jwk_curve_algorithm(const json_t *jwk)
{
    const jwk_curve_t  *curve;

    curve = curve_find(jwk);

    return curve == NULL ? -1 : (int) curve->alg;
}


static EVP_PKEY *
rsa_create(const json_t *jwk, voice_jwk_e *result)
{
    BIGNUM        *n, *e;
    EVP_PKEY      *public;
    jwk_number_t   modulus, exponent;

    if (voice_json_text(jwk, "n").len > VOICE_BASE64_LEN(NUMBER_MAX)) {
        *result = VOICE_JWK_WEAK;
        return NULL;
    }

    number_read(&modulus, jwk, "n");
    number_read(&exponent, jwk, "e");

    if (modulus.len == 0 || modulus.bytes[0] == 0 || exponent.len == 0
        || exponent.bytes[0] == 0)
    {
        *result = VOICE_JWK_MALFORMED;
        return NULL;
    }

    public = NULL;
    *result = VOICE_JWK_INTERNAL;
    n = BN_bin2bn(modulus.bytes, (int) modulus.len, NULL);
    e = BN_bin2bn(exponent.bytes, (int) exponent.len, NULL);

    if (n != NULL && e != NULL) {
        *result = rsa_check(n, e);
    }

    if (*result == VOICE_JWK_OK) {
        public = rsa_import(n, e);
        *result = public == NULL ? VOICE_JWK_MALFORMED : VOICE_JWK_OK;
    }

    BN_free(n);
    BN_free(e);

    return public;
}


static voice_jwk_e
rsa_check(const BIGNUM *n, const BIGNUM *e)
{
    if (BN_num_bits(n) < RSA_BITS_MIN || BN_num_bits(n) > RSA_BITS_MAX
        || BN_num_bits(e) > EXPONENT_BITS || BN_get_word(e) < EXPONENT_MIN)
    {
        return VOICE_JWK_WEAK;
    }

    if (!BN_is_odd(n) || !BN_is_odd(e) || modulus_weak(n)) {
        return VOICE_JWK_WEAK;
    }

    return VOICE_JWK_OK;
}


/*
 * A small factor, or the mark of ROCA (CVE-2017-15361): modulo each small
 * prime the modulus is a power of 65537.  Of good keys one in 2^27 bears it.
 */
static int
modulus_weak(const BIGNUM *n)
{
    int       power, marked;
    size_t    i;
    BN_ULONG  left, x;

    static const unsigned char  primes[] = {
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67,
        71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
        149, 151, 157, 163, 167,
    };

    marked = 1;

    for (i = 0; i < VOICE_ARRAY_SIZE(primes); i++) {
        left = BN_mod_word(n, primes[i]);

        if (left == 0) {
            return 1;
        }

        power = 0;
        x = 1;

        do {
            power |= x == left;
            x = x * 65537 % primes[i];
        } while (x != 1);

        marked &= power;
    }

    return marked;
}


static EVP_PKEY *
rsa_import(const BIGNUM *n, const BIGNUM *e)
{
    EVP_PKEY        *public;
    OSSL_PARAM      *params;
    OSSL_PARAM_BLD  *builder;

    public = NULL;
    builder = OSSL_PARAM_BLD_new();

    if (builder == NULL
        || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1
        || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1)
    {
        goto done;
    }

    params = OSSL_PARAM_BLD_to_param(builder);

    if (params != NULL) {
        public = public_import("RSA", params);
        OSSL_PARAM_free(params);
    }

done:

    OSSL_PARAM_BLD_free(builder);

    return public;
}


/* The library refuses a point that is not on the curve. */
static EVP_PKEY *
ec_create(const json_t *jwk, const jwk_curve_t *curve, voice_jwk_e *result)
{
    EVP_PKEY       *public;
    OSSL_PARAM      params[3];
    jwk_number_t    x, y;
    unsigned char   point[POINT_MAX];

    *result = VOICE_JWK_MALFORMED;

    number_read(&x, jwk, "x");
    number_read(&y, jwk, "y");

    if (x.len != curve->size || y.len != curve->size) {
        return NULL;
    }

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, x.bytes, x.len);
    memcpy(point + 1 + x.len, y.bytes, y.len);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 (char *) curve->group, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  point, 1 + x.len + y.len);
    params[2] = OSSL_PARAM_construct_end();

    public = public_import("EC", params);

    if (public != NULL) {
        *result = VOICE_JWK_OK;
    }

    return public;
}


static EVP_PKEY *
okp_create(const json_t *jwk, const jwk_curve_t *curve, voice_jwk_e *result)
{
    EVP_PKEY      *public;
    jwk_number_t   point;

    number_read(&point, jwk, "x");

    *result = point.len == curve->size ? okp_check(point)
                                       : VOICE_JWK_MALFORMED;

    if (*result != VOICE_JWK_OK) {
        return NULL;
    }

    public = EVP_PKEY_new_raw_public_key_ex(NULL, curve->group, NULL,
                                            point.bytes, point.len);
    if (public == NULL) {
        *result = VOICE_JWK_MALFORMED;
    }

    return public;
}


/*
 * Little-endian y, the sign of x in the last bit.  The library would take a y
 * of edwards25519 that is not below the prime, a second name of a point.
 */
static voice_jwk_e
okp_check(jwk_number_t point)
{
    size_t                   i, high;
    const jwk_weak_point_t  *weak;

    point.bytes[point.len - 1] &= 0x7f;

    for (high = point.len - 1; high > 0; high--) {
        if (point.bytes[high] != 0) {
            break;
        }
    }

    if (high == 0 && point.bytes[0] <= 1) {
        return VOICE_JWK_WEAK;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(jwk_weak_points); i++) {
        weak = &jwk_weak_points[i];

        if (weak->size == point.len
            && memcmp(weak->point, point.bytes, point.len) == 0)
        {
            return VOICE_JWK_WEAK;
        }
    }

    weak = &jwk_weak_points[2];

    if (weak->size == point.len && point.bytes[0] > 0xec
        && memcmp(weak->point + 1, point.bytes + 1, point.len - 1) == 0)
    {
        return VOICE_JWK_MALFORMED;
    }

    return VOICE_JWK_OK;
}


static EVP_PKEY *
public_import(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY      *public;
    EVP_PKEY_CTX  *ctx;

    public = NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &public, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        EVP_PKEY_free(public);
        public = NULL;
    }

    EVP_PKEY_CTX_free(ctx);

    return public;
}


static const jwk_curve_t *
curve_find(const json_t *jwk)
{
    size_t              i;
    const jwk_curve_t  *curve;

    for (i = 0; i < VOICE_ARRAY_SIZE(jwk_curves); i++) {
        curve = &jwk_curves[i];

        if (voice_span_eq(voice_json_text(jwk, "kty"),
                          voice_span_str(curve->type))
            && voice_span_eq(voice_json_text(jwk, "crv"),
                             voice_span_str(curve->name)))
        {
            return curve;
        }
    }

    return NULL;
}


static void
number_read(jwk_number_t *number, const json_t *jwk, const char *name)
{
    voice_span_t  text;

    number->len = 0;
    text = voice_json_text(jwk, name);

    if (text.len > VOICE_BASE64_LEN(NUMBER_MAX)
        || jwt_decode(number->bytes, &number->len, text) != VOICE_OK)
    {
        number->len = 0;
    }
}
