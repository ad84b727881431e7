/*
 * Tokens: claims, types and ages by the rules of RFC 7519 and RFC 8725.
 */

#include "jwt.h"
#include "tap.h"


static void claims(void);
static void rules(void);
static void types(void);
static void ages(void);


int
main(void)
{
    claims();
    rules();
    types();
    ages();

    return done_testing();
}


static void
claims(void)
{
    size_t             i;
    voice_jwt_rules_t  rule;

    static const struct {
        const char   *payload;
        voice_jwt_e   result;
    } rows[] = {
        { "{\"exp\":1700000001}", VOICE_JWT_OK },
        { "{\"exp\":1700000000.5}", VOICE_JWT_OK },
        { "{\"exp\":1700000000}", VOICE_JWT_OK },
        { "{\"exp\":1699999991}", VOICE_JWT_OK },
        { "{\"exp\":1699999990}", VOICE_JWT_EXPIRED },
        { "{\"exp\":0}", VOICE_JWT_EXPIRED },
        { "{\"exp\":-9223372036854775808}", VOICE_JWT_EXPIRED },
        { "{\"exp\":9223372036854775807}", VOICE_JWT_OK },
        { "{\"exp\":1e300}", VOICE_JWT_OK },
        { "{\"exp\":\"1800000000\"}", VOICE_JWT_MALFORMED },
        { "{\"exp\":null}", VOICE_JWT_MALFORMED },
        { "{\"exp\":true}", VOICE_JWT_MALFORMED },
        { "{}", VOICE_JWT_NO_EXPIRY },
        { "{\"iat\":1}", VOICE_JWT_NO_EXPIRY },
        { "{\"exp\":1800000000,\"nbf\":1700000010}", VOICE_JWT_OK },
        { "{\"exp\":1800000000,\"nbf\":1700000011}", VOICE_JWT_NOT_YET },
        { "{\"exp\":1800000000,\"nbf\":\"1\"}", VOICE_JWT_MALFORMED },
        { "{\"exp\":1800000000,\"iat\":1700000010}", VOICE_JWT_OK },
        { "{\"exp\":1800000000,\"iat\":1700000011}", VOICE_JWT_NOT_YET },
        { "{\"exp\":1800000000,\"iat\":{}}", VOICE_JWT_MALFORMED },
        { "{\"exp\":1,\"exp\":1800000000}", VOICE_JWT_MALFORMED },
        { "{\"exp\":1800000000,\"x\":{\"a\":1,\"a\":2}}",
          VOICE_JWT_MALFORMED },
        { "{\"exp\":1800000000,\"sub\":7}", VOICE_JWT_MALFORMED },
        { "{\"exp\":1800000000,\"jti\":null}", VOICE_JWT_MALFORMED },
        { "{\"exp\":1800000000,\"sub\":\"\",\"jti\":\"x\"}", VOICE_JWT_OK },
        { "[1800000000]", VOICE_JWT_MALFORMED },
        { "foo", VOICE_JWT_MALFORMED },
        { "", VOICE_JWT_MALFORMED },
    };

    rule = rules_now();
    rule.leeway = 10;

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(verify_parts("{\"alg\":\"HS256\"}", rows[i].payload, &rule)
           == rows[i].result, "%s: %s", rows[i].payload,
           voice_jwt_reason(rows[i].result));
    }
}


static void
rules(void)
{
    size_t             i;
    voice_jwt_rules_t  rule;

    static const struct {
        const char   *payload;
        voice_jwt_e   result;
    } rows[] = {
        { "{\"exp\":1800000000,\"iss\":\"us\",\"aud\":\"api\"}",
          VOICE_JWT_OK },
        { "{\"exp\":1800000000,\"iss\":\"us\",\"aud\":[\"x\",\"api\"]}",
          VOICE_JWT_OK },
        { "{\"exp\":1800000000,\"iss\":\"them\",\"aud\":\"api\"}",
          VOICE_JWT_ISSUER },
        { "{\"exp\":1800000000,\"iss\":[\"us\"],\"aud\":\"api\"}",
          VOICE_JWT_ISSUER },
        { "{\"exp\":1800000000,\"aud\":\"api\"}", VOICE_JWT_ISSUER },
        { "{\"exp\":1800000000,\"iss\":\"us\"}", VOICE_JWT_AUDIENCE },
        { "{\"exp\":1800000000,\"iss\":\"us\",\"aud\":\"ap\"}",
          VOICE_JWT_AUDIENCE },
        { "{\"exp\":1800000000,\"iss\":\"us\",\"aud\":[[\"api\"]]}",
          VOICE_JWT_AUDIENCE },
        { "{\"exp\":1800000000,\"iss\":\"us\",\"aud\":{\"api\":1}}",
          VOICE_JWT_AUDIENCE },
        { "{\"exp\":1,\"iss\":\"them\"}", VOICE_JWT_EXPIRED },
    };

    rule = rules_now();
    rule.issuer = "us";
    rule.audience = "api";

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(verify_parts("{\"alg\":\"HS256\"}", rows[i].payload, &rule)
           == rows[i].result, "%s: %s", rows[i].payload,
           voice_jwt_reason(rows[i].result));
    }
}


/* "typ" by default, and where rules demand one. */
static void
types(void)
{
    size_t             i;
    voice_jwt_rules_t  rule;

    static const char *const  at[] = { "at+jwt", NULL };
    static const char *const  full[] = { "application/AT+JWT", "", NULL };
    static const char *const  any[] = { "*", NULL };

    static const struct {
        const char         *header;
        const char *const  *types;
        int                 good;
    } rows[] = {
        { "{\"alg\":\"HS256\"}", NULL, 1 },
        { "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", NULL, 1 },
        { "{\"alg\":\"HS256\",\"typ\":\"jwt\"}", NULL, 1 },
        { "{\"alg\":\"HS256\",\"typ\":\"Application/Jwt\"}", NULL, 1 },
        { "{\"alg\":\"HS256\",\"typ\":\"application/x/jwt\"}", NULL, 0 },
        { "{\"alg\":\"HS256\",\"typ\":\"text/jwt\"}", NULL, 0 },
        { "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", NULL, 0 },
        { "{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}", NULL, 0 },
        { "{\"alg\":\"HS256\",\"typ\":\"JW\"}", NULL, 0 },
        { "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", at, 1 },
        { "{\"alg\":\"HS256\",\"typ\":\"application/at+JWT\"}", at, 1 },
        { "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", at, 0 },
        { "{\"alg\":\"HS256\"}", at, 0 },
        { "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", full, 1 },
        { "{\"alg\":\"HS256\"}", full, 1 },
        { "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", full, 0 },
        { "{\"alg\":\"HS256\",\"typ\":\"secevent+jwt\"}", any, 1 },
        { "{\"alg\":\"HS256\"}", any, 1 },
    };

    rule = rules_now();

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        rule.types = rows[i].types;
        ok(verify_parts(rows[i].header, "{\"exp\":1800000000}", &rule)
           == (rows[i].good ? VOICE_JWT_OK : VOICE_JWT_TYPE),
           "%s is %s where %s is accepted", rows[i].header,
           rows[i].good ? "taken" : "refused",
           rows[i].types == NULL ? "what is usual" : rows[i].types[0]);
    }
}


static void
ages(void)
{
    size_t             i;
    voice_jwt_rules_t  rule;

    static const struct {
        const char   *payload;
        voice_jwt_e   result;
    } rows[] = {
        { "{\"exp\":1800000000,\"iat\":1700000000}", VOICE_JWT_OK },
        { "{\"exp\":1800000000,\"iat\":1699999890}", VOICE_JWT_OK },
        { "{\"exp\":1800000000,\"iat\":1699999889.9}", VOICE_JWT_TOO_OLD },
        { "{\"exp\":1800000000,\"iat\":-1e300}", VOICE_JWT_TOO_OLD },
        { "{\"exp\":1800000000}", VOICE_JWT_TOO_OLD },
        { "{\"exp\":1800000000,\"iat\":1e300}", VOICE_JWT_NOT_YET },
        { "{\"exp\":1,\"iat\":1}", VOICE_JWT_EXPIRED },
    };

    rule = rules_now();
    rule.leeway = 10;
    rule.max_age = 100;

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(verify_parts("{\"alg\":\"HS256\"}", rows[i].payload, &rule)
           == rows[i].result, "of 100 seconds at most: %s: %s",
           rows[i].payload, voice_jwt_reason(rows[i].result));
    }
}
