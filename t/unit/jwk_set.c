/*
 * Keys of tokens: JWK Sets, PEM, the table of keys.
 */

#include <stdlib.h>

#include "jwk.h"
#include "sign.h"
#include "tap.h"


static void sets(void);
static void set_bounds(void);
static int set_write(char *text, unsigned count);
static void set_names(void);
static void pems(void);
static void pem_faults(void);
static void listing(void);


int
main(void)
{
    sets();
    set_bounds();
    set_names();
    pems();
    pem_faults();
    listing();

    return done_testing();
}


static void
sets(void)
{
    size_t                i;
    voice_rc_t            rc;
    voice_jwt_keys_t     *keys;
    voice_jwks_report_t   report;

    static const struct {
        const char  *text;
        voice_rc_t   rc;
        unsigned     added, skipped;
    } rows[] = {
        { "{\"keys\":[{" JWK_RSA "},{" JWK_EC "},{" JWK_OKP "}]}",
          VOICE_OK, 3, 0 },
        { "{\"keys\":[]}", VOICE_OK, 0, 0 },
        { "{\"keys\":[],\"more\":{}}", VOICE_OK, 0, 0 },
        { "{\"keys\":[1,null,\"\",[],{}]}", VOICE_OK, 0, 5 },
        { "{\"keys\":[{" JWK_RSA ",\"alg\":\"RSA-OAEP-256\"},"
          "{\"kty\":\"AKP\"},{" JWK_EC "}]}", VOICE_OK, 1, 2 },
        { "{\"keys\":[{\"kty\":\"oct\",\"k\":\"" JWK_X "\"},{" JWK_EC "}]}",
          VOICE_OK, 1, 1 },
        { "{\"keys\":[{" JWK_EC ",\"d\":\"AQ\"},{" JWK_OKP "}]}",
          VOICE_OK, 1, 1 },
        { "{\"keys\":[{" JWK_EC "},{" JWK_EC "}]}", VOICE_OK, 1, 1 },
        { "{\"keys\":{}}", VOICE_INVALID, 0, 0 },
        { "{\"keys\":null}", VOICE_INVALID, 0, 0 },
        { "{" JWK_EC "}", VOICE_INVALID, 0, 0 },
        { "[{" JWK_EC "}]", VOICE_INVALID, 0, 0 },
        { "", VOICE_INVALID, 0, 0 },
        { "<html>", VOICE_INVALID, 0, 0 },
        { "{\"keys\":[{" JWK_EC "}]", VOICE_INVALID, 0, 0 },
        { "{\"keys\":[],\"keys\":[{" JWK_EC "}]}", VOICE_INVALID, 0, 0 },
        { "{\"keys\":[{" JWK_EC ",\"kty\":\"EC\"}]}", VOICE_INVALID, 0, 0 },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        keys = voice_jwt_keys_create();
        rc = voice_jwt_keys_add_jwks(keys, voice_span_str(rows[i].text),
                                     VOICE_JWT_RS256, &report);

        ok(rc == rows[i].rc && report.added == rows[i].added
           && report.skipped == rows[i].skipped
           && voice_jwt_keys_count(keys) == rows[i].added,
           "set %zu: %u keys are added, %u skipped", i, report.added,
           report.skipped);

        voice_jwt_keys_destroy(keys);
    }
}


static void
set_bounds(void)
{
    char                 *text;
    size_t                i, n;
    voice_jwt_keys_t     *keys;
    voice_jwks_report_t   report;

    text = malloc(VOICE_JWK_SET_MAX + 2);
    memset(text, ' ', VOICE_JWK_SET_MAX + 2);
    keys = voice_jwt_keys_create();

    n = (size_t) set_write(text, VOICE_JWK_KEYS_MAX + 6);
    text[n] = ' ';

    ok(voice_jwt_keys_add_jwks(keys, voice_span(text, VOICE_JWK_SET_MAX + 1),
                               VOICE_JWT_RS256, &report)
       == VOICE_LIMIT && voice_jwt_keys_count(keys) == 0,
       "a set over the bound is not read");
    ok(voice_jwt_keys_add_jwks(keys, voice_span(text, VOICE_JWK_SET_MAX),
                               VOICE_JWT_RS256, &report)
       == VOICE_OK && report.added == VOICE_JWK_KEYS_MAX
       && report.results[VOICE_JWK_FULL] == 6,
       "of a set with too many keys the first are taken");

    for (i = 0; i < VOICE_JWK_KEYS_MAX; i++) {
        (void) snprintf(text, 32, "k%zu", i);

        if (!voice_jwt_keys_has(keys, voice_span_str(text))) {
            ok(0, "key %zu is found", i);
        }
    }

    ok(key_add(keys, "{" JWK_OKP ",\"kid\":\"one more\"}") == VOICE_JWK_FULL,
       "a full table takes no public key");
    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, VOICE_SPAN("s"),
                                 VOICE_SPAN(JWK_X))
       == VOICE_LIMIT, "and no secret");

    voice_jwt_keys_destroy(keys);
    free(text);
}


static int
set_write(char *text, unsigned count)
{
    int       n;
    unsigned  i;

    n = snprintf(text, 16, "{\"keys\":[");

    for (i = 0; i < count; i++) {
        n += snprintf(text + n, 256, "%s{" JWK_OKP ",\"kid\":\"k%u\"}",
                      i == 0 ? "" : ",", i);
    }

    return n + snprintf(text + n, 16, "]}");
}


/* What becomes of keys of one name. */
static void
set_names(void)
{
    voice_jwt_keys_t      *keys;
    voice_jwks_report_t    report;
    voice_jwt_key_info_t   info;

    keys = voice_jwt_keys_create();

    ok(voice_jwt_keys_add_jwks(keys,
           VOICE_SPAN("{\"keys\":[{" JWK_EC ",\"kid\":\"a\"},"
                      "{" JWK_OKP ",\"kid\":\"b\"},"
                      "{" JWK_RSA ",\"kid\":\"a\"},"
                      "{" JWK_EC ",\"kid\":\"a\"},"
                      "{" JWK_OKP ",\"kid\":\"b\"}]}"),
           VOICE_JWT_RS256, &report)
       == VOICE_OK && report.added == 1 && report.skipped == 4,
       "of different keys of one name none is taken");
    ok(report.results[VOICE_JWK_AMBIGUOUS] == 2
       && report.results[VOICE_JWK_DUPLICATE] == 2
       && !voice_jwt_keys_has(keys, VOICE_SPAN("a")),
       "which is told apart from the same key twice");

    ok(voice_jwt_keys_add_jwks(keys,
           VOICE_SPAN("{\"keys\":[{" JWK_EC ",\"kid\":\"b\"},"
                      "{" JWK_RSA ",\"kid\":\"c\",\"use\":\"sig\"},"
                      "{" JWK_EC ",\"kid\":\"c\",\"use\":\"enc\"}]}"),
           VOICE_JWT_PS384, &report)
       == VOICE_OK && report.added == 1
       && report.results[VOICE_JWK_DUPLICATE] == 1
       && report.results[VOICE_JWK_USE] == 1,
       "a key for encryption may have the name of one for signatures");
    ok(voice_jwt_keys_at(keys, 0, &info) == VOICE_OK
       && strcmp(info.alg, "EdDSA") == 0,
       "a key that the table had stays");
    ok(voice_jwt_keys_at(keys, 1, &info) == VOICE_OK
       && strcmp(info.alg, "PS384") == 0,
       "an RSA key without \"alg\" gets the one that the caller gives");

    voice_jwt_keys_destroy(keys);
}


static void
pems(void)
{
    char               text[VOICE_JWK_PEM_MAX + 64];
    size_t             i, len;
    EVP_PKEY          *key;
    voice_jwk_e        result;
    voice_jwt_keys_t  *keys;

    static const struct {
        const char   *type;
        const char   *curve;
        voice_jwk_e   result;
    } rows[] = {
        { "RSA", NULL, VOICE_JWK_OK },
        { "EC", "P-256", VOICE_JWK_OK },
        { "EC", "P-384", VOICE_JWK_OK },
        { "EC", "P-521", VOICE_JWK_OK },
        { "ED25519", NULL, VOICE_JWK_OK },
        { "ED448", NULL, VOICE_JWK_OK },
        { "EC", "secp256k1", VOICE_JWK_TYPE },
        { "X25519", NULL, VOICE_JWK_TYPE },
    };

    keys = voice_jwt_keys_create();

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        key = sign_key(&(sign_method_t) { .type = rows[i].type,
                                          .curve = rows[i].curve });
        len = sign_pem(text, sizeof(text), key);
        EVP_PKEY_free(key);

        result = voice_jwt_keys_add_pem(keys, voice_span(NULL, 0),
                                        voice_span(text, len),
                                        VOICE_JWT_RS256);
        ok(result == rows[i].result, "PEM of %s %s: %s", rows[i].type,
           rows[i].curve == NULL ? "" : rows[i].curve,
           voice_jwk_reason(result));
    }

    voice_jwt_keys_destroy(keys);
}


/* What is wrong with a PEM text. */
static void
pem_faults(void)
{
    char               text[VOICE_JWK_PEM_MAX + 64];
    size_t             len;
    EVP_PKEY          *key;
    voice_jwt_keys_t  *keys;

    keys = voice_jwt_keys_create();

    key = sign_key(&(sign_method_t) { .type = "ED25519" });
    len = sign_pem(text, sizeof(text), key);
    EVP_PKEY_free(key);

    ok(voice_jwt_keys_add_pem(keys, VOICE_SPAN("name"), voice_span(text, len),
                              VOICE_JWT_RS256)
       == VOICE_JWK_OK && voice_jwt_keys_has(keys, VOICE_SPAN("name")),
       "PEM with a name");
    ok(voice_jwt_keys_add_pem(keys, VOICE_SPAN("name"), voice_span(text, len),
                              VOICE_JWT_RS256)
       == VOICE_JWK_DUPLICATE, "PEM with the name once more");
    ok(voice_jwt_keys_add_pem(keys, VOICE_SPAN("\xff"), voice_span(text, len),
                              VOICE_JWT_RS256)
       == VOICE_JWK_NAME, "PEM with a name that is not UTF-8");
    ok(voice_jwt_keys_add_pem(keys, VOICE_SPAN("x"), voice_span(text, len / 2),
                              VOICE_JWT_RS256)
       == VOICE_JWK_MALFORMED, "half a PEM");
    ok(voice_jwt_keys_add_pem(keys, VOICE_SPAN("x"), voice_span(NULL, 0),
                              VOICE_JWT_RS256)
       == VOICE_JWK_MALFORMED, "nothing as PEM");

    memcpy(text + len, text, len);
    ok(voice_jwt_keys_add_pem(keys, VOICE_SPAN("x"), voice_span(text, len * 2),
                              VOICE_JWT_RS256)
       == VOICE_JWK_MALFORMED, "two keys in one PEM");
    ok(voice_jwt_keys_add_pem(keys, VOICE_SPAN("x"),
                              voice_span(text, VOICE_JWK_PEM_MAX + 1),
                              VOICE_JWT_RS256)
       == VOICE_JWK_MALFORMED, "a PEM over the bound");
    ok(voice_jwt_keys_add_pem(keys, VOICE_SPAN("x"),
           VOICE_SPAN("-----BEGIN PRIVATE KEY-----\n"
                      "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJp"
                      "GXA7rAMcrn9g\n-----END PRIVATE KEY-----\n"),
           VOICE_JWT_RS256)
       == VOICE_JWK_PRIVATE, "a private key as PEM");

    voice_jwt_keys_destroy(keys);
}


static void
listing(void)
{
    size_t                 i;
    voice_rc_t             rc;
    voice_jwt_keys_t      *keys;
    voice_jwt_key_info_t   info;

    static const struct {
        const char  *kid;
        const char  *alg;
        const char  *type;
        unsigned     bits;
    } rows[] = {
        { "s", "HS256", "oct", 344 }, { "r", "RS256", "RSA", 2048 },
        { "e", "ES256", "EC", 256 }, { "o", "EdDSA", "OKP", 256 },
    };

    keys = voice_jwt_keys_create();

    ok(voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, VOICE_SPAN("s"),
                                 VOICE_SPAN(JWK_X))
       == VOICE_OK
       && key_add(keys, "{" JWK_RSA ",\"kid\":\"r\"}") == VOICE_JWK_OK
       && key_add(keys, "{" JWK_EC ",\"kid\":\"e\"}") == VOICE_JWK_OK
       && key_add(keys, "{" JWK_OKP ",\"kid\":\"o\"}") == VOICE_JWK_OK,
       "a key of each type is added");

    ok(voice_jwt_keys_count(keys) == VOICE_ARRAY_SIZE(rows), "all count");

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        memset(&info, 0, sizeof(info));
        rc = voice_jwt_keys_at(keys, i, &info);

        ok(rc == VOICE_OK
           && voice_span_eq(info.kid, voice_span_str(rows[i].kid))
           && strcmp(info.alg, rows[i].alg) == 0
           && strcmp(info.type, rows[i].type) == 0
           && info.bits == rows[i].bits
           && strlen(info.thumbprint)
              == (i == 0 ? 0 : VOICE_JWK_THUMBPRINT_LEN),
           "%s is listed as %s %s of %u bits, %s", rows[i].kid, info.type,
           info.alg, info.bits, info.thumbprint);
    }

    ok(voice_jwt_keys_at(keys, i, &info) == VOICE_NOTFOUND,
       "there is an end");
    is(voice_jwk_reason((voice_jwk_e) 99),
       voice_jwk_reason(VOICE_JWK_INTERNAL), "each result has a reason");

    voice_jwt_keys_destroy(keys);
}
