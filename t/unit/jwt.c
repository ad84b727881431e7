/*
 * Tokens: the example of RFC 7515, headers, encodings, the table of
 * keys, peeking.
 */

#include <stdio.h>
#include <stdlib.h>

#include "jwt.h"
#include "tap.h"


static void rfc_example(void);
static void round_trip(void);
static void headers(void);
static void encodings(void);
static void peeks(void);
static void peek_bounds(void);
static void key_table(void);


int
main(void)
{
    rfc_example();
    round_trip();
    headers();
    encodings();
    peeks();
    peek_bounds();
    key_table();

    return done_testing();
}


/* RFC 7515 appendix A.1. */
static void
rfc_example(void)
{
    size_t              len;
    json_t             *object;
    unsigned char       secret[128];
    voice_jwt_keys_t   *keys;
    voice_jwt_rules_t   early = { .issuer = "joe", .now = 1300819379 };
    voice_jwt_rules_t   late = { .issuer = "joe", .now = 1300819380 };

    static const char  token[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    keys = voice_jwt_keys_create();

    ok(voice_base64url_decode(secret, &len,
           VOICE_SPAN("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
                      "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
       == VOICE_OK
       && voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, VOICE_SPAN("any"),
                                    voice_span((char *) secret, len))
          == VOICE_OK, "the key of the RFC is added");

    ok(voice_jwt_verify(keys, &early, VOICE_SPAN(token), &object)
       == VOICE_JWT_OK, "the token of the RFC is valid before its end");
    ok(json_is_true(json_object_get(object, "http://example.com/is_root")),
       "its claims are read");
    json_decref(object);

    ok(voice_jwt_verify(keys, &late, VOICE_SPAN(token), &object)
       == VOICE_JWT_EXPIRED && object == NULL, "and expired at its end");

    voice_jwt_keys_destroy(keys);
}


static void
round_trip(void)
{
    char               *token;
    size_t              i, len;
    json_t             *object, *back;
    voice_jwt_keys_t   *keys;
    voice_jwt_rules_t   rule;

    static const struct {
        voice_jwt_alg_e  alg;
        const char      *kid;
    } rows[] = {
        { VOICE_JWT_HS256, "a" }, { VOICE_JWT_HS384, "b" },
        { VOICE_JWT_HS512, "c\"\\" },
    };

    rule = rules_now();
    keys = voice_jwt_keys_create();
    object = json_pack("{s:s, s:I}", "sub", "u", "exp",
                       (json_int_t) NOW + 60);

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(voice_jwt_keys_add_secret(keys, rows[i].alg,
                                     voice_span_str(rows[i].kid),
                                     VOICE_SPAN(SECRET SECRET))
           == VOICE_OK, "a key is added");
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(voice_jwt_sign(keys, voice_span_str(rows[i].kid), object, &token,
                          &len)
           == VOICE_OK && strlen(token) == len, "claims are signed");
        ok(voice_jwt_verify(keys, &rule, voice_span(token, len), &back)
           == VOICE_JWT_OK && json_equal(object, back),
           "and come back through the key that the token names");
        json_decref(back);

        token[len - 1] = token[len - 1] == 'A' ? 'Q' : 'A';
        ok(voice_jwt_verify(keys, &rule, voice_span(token, len), &back)
           != VOICE_JWT_OK, "not with another signature");
        free(token);
    }

    ok(voice_jwt_sign(keys, VOICE_SPAN("d"), object, &token, &len)
       == VOICE_NOTFOUND && token == NULL, "an unknown key signs nothing");

    json_decref(object);
    voice_jwt_keys_destroy(keys);
}


static void
headers(void)
{
    size_t             i;
    voice_jwt_rules_t  rule;

    static const struct {
        const char   *header;
        voice_jwt_e   result;
        const char   *name;
    } rows[] = {
        { "{\"alg\":\"HS256\",\"kid\":\"k\"}", VOICE_JWT_OK, "a plain one" },
        { "{\"alg\":\"HS256\"}", VOICE_JWT_OK, "one without kid" },
        { "{\"alg\":\"none\",\"kid\":\"k\"}", VOICE_JWT_ALGORITHM, "none" },
        { "{\"alg\":\"None\"}", VOICE_JWT_ALGORITHM, "none with a capital" },
        { "{\"alg\":\"hs256\"}", VOICE_JWT_ALGORITHM, "a lower-case name" },
        { "{\"alg\":\"HS512\",\"kid\":\"k\"}", VOICE_JWT_ALGORITHM,
          "another hash than the key's" },
        { "{\"alg\":\"RS256\",\"kid\":\"k\"}", VOICE_JWT_ALGORITHM,
          "an asymmetric algorithm" },
        { "{\"alg\":\"HS256\",\"kid\":\"x\"}", VOICE_JWT_UNKNOWN_KEY,
          "an unknown key" },
        { "{\"alg\":\"HS256\",\"kid\":\"../k\"}", VOICE_JWT_UNKNOWN_KEY,
          "a path as a key" },
        { "{\"alg\":\"HS256\",\"kid\":7}", VOICE_JWT_MALFORMED,
          "a number as a key" },
        { "{\"alg\":\"HS256\",\"kid\":null}", VOICE_JWT_MALFORMED,
          "null as a key" },
        { "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}",
          VOICE_JWT_CRITICAL, "a critical extension" },
        { "{\"alg\":\"HS256\",\"crit\":[]}", VOICE_JWT_CRITICAL,
          "an empty list of critical extensions" },
        { "{\"alg\":\"HS256\",\"b64\":false}", VOICE_JWT_CRITICAL,
          "an unencoded payload" },
        { "{\"alg\":\"HS256\",\"b64\":\"false\"}", VOICE_JWT_CRITICAL,
          "a b64 of no sense" },
        { "{\"alg\":\"HS256\",\"b64\":true}", VOICE_JWT_OK,
          "an encoded payload that it speaks of" },
        { "{\"alg\":\"HS256\",\"zip\":\"DEF\"}", VOICE_JWT_CRITICAL,
          "compression" },
        { "{\"alg\":\"dir\",\"enc\":\"A256GCM\"}", VOICE_JWT_CRITICAL,
          "encryption" },
        { "{\"alg\":\"HS256\",\"typ\":1}", VOICE_JWT_MALFORMED,
          "a number as its type" },
        { "{\"alg\":\"none\",\"alg\":\"HS256\"}", VOICE_JWT_MALFORMED,
          "a name twice" },
        { "{\"alg\":[\"HS256\"]}", VOICE_JWT_MALFORMED,
          "a list of algorithms" },
        { "{\"kid\":\"k\"}", VOICE_JWT_MALFORMED, "no algorithm" },
        { "[]", VOICE_JWT_MALFORMED, "a list" },
        { "{\"alg\":\"HS256\"", VOICE_JWT_MALFORMED, "no JSON" },
        { "{\"alg\":\"HS256\"} x", VOICE_JWT_MALFORMED,
          "more behind the header" },
    };

    rule = rules_now();

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(verify_parts(rows[i].header, "{\"exp\":1700000060}", &rule)
           == rows[i].result, "a header with %s: %s", rows[i].name,
           voice_jwt_reason(rows[i].result));
    }
}


static void
encodings(void)
{
    char               token[VOICE_JWT_MAX + 64], *dot;
    size_t             len;
    json_t            *object;
    voice_jwt_keys_t  *keys;
    voice_jwt_rules_t  rule;

    rule = rules_now();
    keys = keys_create();

    len = token_make(token, "{\"alg\":\"HS256\"}", "{\"exp\":1700000060}");
    ok(voice_jwt_verify(keys, &rule, voice_span(token, len), &object)
       == VOICE_JWT_OK, "the token is good");
    json_decref(object);

    token[len] = '=';
    ok(voice_jwt_verify(keys, &rule, voice_span(token, len + 1), &object)
       == VOICE_JWT_MALFORMED, "padding is refused");

    token[len] = '.';
    ok(voice_jwt_verify(keys, &rule, voice_span(token, len + 1), &object)
       == VOICE_JWT_MALFORMED, "a fourth part is refused");

    token[len - 1]++;
    ok(voice_jwt_verify(keys, &rule, voice_span(token, len), &object)
       == VOICE_JWT_MALFORMED,
       "a digit whose last bits belong to no byte is refused");

    dot = memchr(token, '.', len);
    ok(voice_jwt_verify(keys, &rule,
                        voice_span(token, (size_t) (dot - token)), &object)
       == VOICE_JWT_MALFORMED, "one part is refused");
    ok(voice_jwt_verify(keys, &rule, voice_span("..", 2), &object)
       == VOICE_JWT_MALFORMED, "three empty parts are refused");
    ok(voice_jwt_verify(keys, &rule, voice_span(NULL, 0), &object)
       == VOICE_JWT_MALFORMED, "nothing is refused");

    memset(token, 'A', sizeof(token));
    ok(voice_jwt_verify(keys, &rule, voice_span(token, VOICE_JWT_MAX + 1),
                        &object)
       == VOICE_JWT_MALFORMED, "a token over the bound is refused");

    voice_jwt_keys_destroy(keys);
}


/* What is said of an unproved token. */
static void
peeks(void)
{
    char              token[1024];
    size_t            i, len;
    voice_jwt_e       rc;
    voice_jwt_peek_t  peek;

    static const struct {
        const char  *header;
        const char  *payload;
        const char  *issuer;           /* NULL: refused */
        const char  *kid;
    } rows[] = {
        { "{\"alg\":\"RS256\",\"kid\":\"k\"}", "{\"iss\":\"https://i/\"}",
          "https://i/", "k" },
        { "{\"alg\":\"RS256\"}", "{\"iss\":\"i\",\"exp\":1}", "i", "" },
        { "{\"kid\":\"Ã¤\"}", "{}", "", "Ã¤" },
        { "{}", "{\"iss\":\"\"}", "", "" },
        { "{}", "{\"iss\":7}", NULL, NULL },
        { "{}", "{\"iss\":null}", NULL, NULL },
        { "{\"kid\":[]}", "{}", NULL, NULL },
        { "{}", "{\"iss\":\"a\",\"iss\":\"b\"}", NULL, NULL },
        { "{}", "{\"iss\":\"a\\u0000b\"}", NULL, NULL },
        { "{}", "[]", NULL, NULL },
        { "[]", "{}", NULL, NULL },
        { "{}", "", NULL, NULL },
        { "x", "{}", NULL, NULL },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        len = token_make(token, rows[i].header, rows[i].payload);
        rc = voice_jwt_peek(voice_span(token, len), &peek);

        if (rows[i].issuer == NULL) {
            ok(rc == VOICE_JWT_MALFORMED, "%s of %s cannot be peeked at",
               rows[i].payload, rows[i].header);
            continue;
        }

        ok(rc == VOICE_JWT_OK && strcmp(peek.issuer, rows[i].issuer) == 0
           && strcmp(peek.kid, rows[i].kid) == 0
           && peek.issuer_len == strlen(rows[i].issuer)
           && peek.kid_len == strlen(rows[i].kid),
           "%s of %s says who it is from", rows[i].payload, rows[i].header);
    }
}


static void
peek_bounds(void)
{
    char              token[2048], payload[VOICE_JWT_ISSUER_MAX + 64];
    size_t            len;
    voice_jwt_peek_t  peek;

    (void) snprintf(payload, sizeof(payload), "{\"iss\":\"%0*d\"}",
                    VOICE_JWT_ISSUER_MAX, 7);
    len = token_make(token, "{}", payload);
    ok(voice_jwt_peek(voice_span(token, len), &peek) == VOICE_JWT_OK
       && peek.issuer_len == VOICE_JWT_ISSUER_MAX,
       "an issuer of just the length is told");

    (void) snprintf(payload, sizeof(payload), "{\"iss\":\"%0*d\"}",
                    VOICE_JWT_ISSUER_MAX + 1, 7);
    len = token_make(token, "{}", payload);
    ok(voice_jwt_peek(voice_span(token, len), &peek) == VOICE_JWT_MALFORMED,
       "one too long is refused");

    ok(voice_jwt_peek(VOICE_SPAN("e30.e30"), &peek) == VOICE_JWT_MALFORMED
       && voice_jwt_peek(VOICE_SPAN("e30.e30.."), &peek)
          == VOICE_JWT_MALFORMED
       && voice_jwt_peek(VOICE_SPAN("e30.e30.e30.e30.e30"), &peek)
          == VOICE_JWT_MALFORMED
       && voice_jwt_peek(voice_span(NULL, 0), &peek) == VOICE_JWT_MALFORMED,
       "a token has three parts");
    ok(voice_jwt_peek(VOICE_SPAN("e30.e30."), &peek) == VOICE_JWT_OK,
       "the signature is not looked at");
}


static void
key_table(void)
{
    char               token[512], kid[VOICE_JWK_KID_MAX + 1];
    size_t             len;
    json_t            *object;
    voice_jwt_keys_t  *keys;
    voice_jwt_rules_t  rule;

    rule = rules_now();
    keys = voice_jwt_keys_create();
    memset(kid, 'k', sizeof(kid));
    len = token_make(token, "{\"alg\":\"HS256\"}", "{\"exp\":1800000000}");

    ok(voice_jwt_verify(keys, &rule, voice_span(token, len), &object)
       == VOICE_JWT_UNKNOWN_KEY, "an empty table knows no key");
    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, VOICE_SPAN("a"),
                                 voice_span(SECRET, 31))
       == VOICE_INVALID, "a secret shorter than the hash is refused");
    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_HS512, VOICE_SPAN("a"),
                                 VOICE_SPAN(SECRET))
       == VOICE_INVALID, "for each hash");
    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, voice_span("", 0),
                                 VOICE_SPAN(SECRET))
       == VOICE_INVALID, "a key without a name is refused");
    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256,
                                 voice_span(kid, sizeof(kid)),
                                 VOICE_SPAN(SECRET))
       == VOICE_INVALID, "a name too long is refused");
    ok(voice_jwt_keys_add_secret(keys, (voice_jwt_alg_e) 99, VOICE_SPAN("a"),
                                 VOICE_SPAN(SECRET))
       == VOICE_INVALID, "an unknown algorithm is refused");
    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256,
                                 voice_span(kid, VOICE_JWK_KID_MAX),
                                 VOICE_SPAN(SECRET))
       == VOICE_OK, "a good key is taken");
    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_HS512,
                                 voice_span(kid, VOICE_JWK_KID_MAX),
                                 VOICE_SPAN(SECRET SECRET))
       == VOICE_INVALID, "a name twice is refused");
    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, VOICE_SPAN("b"),
                                 VOICE_SPAN(SECRET))
       == VOICE_OK, "another key is taken");
    ok(voice_jwt_verify(keys, &rule, voice_span(token, len), &object)
       == VOICE_JWT_UNKNOWN_KEY,
       "a token without kid cannot choose between two");
    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_RS256, VOICE_SPAN("r"),
                                 VOICE_SPAN(SECRET))
       == VOICE_INVALID, "a secret is of no other algorithm than an HMAC's");
    is(voice_jwt_reason((voice_jwt_e) 99),
       voice_jwt_reason(VOICE_JWT_INTERNAL), "each result has a sentence");

    voice_jwt_keys_destroy(keys);
}
