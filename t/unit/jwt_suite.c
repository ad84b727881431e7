/*
 * Tokens and keys: the published forgeries (Wycheproof).  What we decide
 * otherwise is listed with its reason, docs/jwt.md says the same.
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_code.h"
#include "voice_jwt.h"


#define SUITE  "../shared/vectors/wycheproof/"


typedef struct {
    json_int_t   id;
    const char  *reason;
} exception_t;


typedef struct {
    const char         *file;
    const exception_t  *exceptions;
    size_t              exceptions_len;
    unsigned            accepted;      /* valid ones */
    unsigned            refused;       /* invalid ones */
    unsigned            deviations;
} suite_t;


static void suite_run(suite_t *suite);
static void suite_group(suite_t *suite, const json_t *group);
static void suite_test(suite_t *suite, const voice_jwt_keys_t *keys,
    const json_t *test);
static int keys_add(voice_jwt_keys_t *keys, const json_t *group);
static int key_add(voice_jwt_keys_t *keys, const json_t *jwk, int only);
static int secret_add(voice_jwt_keys_t *keys, const json_t *jwk);
static const char *exception(const suite_t *suite, json_int_t id);


static const exception_t  jws_exceptions[] = {
    { 346, "a PS384 token of a PS256 key: the algorithm is the key's" },
    { 347, "the key's \"alg\" is ES521, which does not exist" },
    { 350, "a PS384 token of a PS256 key: the algorithm is the key's" },
    { 351, "the key's \"alg\" is ES521, which does not exist" },
    { 367, "its text is that of the valid token 357" },
    { 370, "its text is that of the valid token 357" },
    { 372, "\"?\" is no digit of base64url" },
    { 373, "\"?\" is no digit of base64url" },
};


int
main(void)
{
    size_t  i;

    suite_t  suites[] = {
        { "json_web_signature_test.json", jws_exceptions,
          VOICE_ARRAY_SIZE(jws_exceptions), 0, 0, 0 },
        { "json_web_key_test.json", NULL, 0, 0, 0, 0 },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(suites); i++) {
        suite_run(&suites[i]);
    }

    printf("# %-30s %8s %8s %10s\n", "", "accepted", "refused",
           "deviations");

    for (i = 0; i < VOICE_ARRAY_SIZE(suites); i++) {
        printf("# %-30s %8u %8u %10u\n", suites[i].file, suites[i].accepted,
               suites[i].refused, suites[i].deviations);
    }

    return done_testing();
}


static void
suite_run(suite_t *suite)
{
    char           path[256];
    size_t         i;
    json_t        *document, *group;
    json_error_t   err;

    (void) snprintf(path, sizeof(path), SUITE "%s", suite->file);
    document = json_load_file(path, 0, &err);

    if (document == NULL) {
        ok(1, "the published forgeries # SKIP %s is absent", path);
        return;
    }

    json_array_foreach(json_object_get(document, "testGroups"), i, group) {
        suite_group(suite, group);
    }

    ok(suite->accepted + suite->refused + suite->deviations
       == json_integer_value(json_object_get(document, "numberOfTests")),
       "%s: every test is run", suite->file);
    ok(suite->deviations == suite->exceptions_len,
       "%s: every listed deviation is one", suite->file);

    json_decref(document);
}


static void
suite_group(suite_t *suite, const json_t *group)
{
    size_t             i;
    json_t            *test;
    voice_jwt_keys_t  *keys;

    keys = voice_jwt_keys_create();

    if (!keys_add(keys, group)) {
        voice_jwt_keys_destroy(keys);
        keys = voice_jwt_keys_create();
    }

    json_array_foreach(json_object_get(group, "tests"), i, test) {
        suite_test(suite, keys, test);
    }

    voice_jwt_keys_destroy(keys);
}


static void
suite_test(suite_t *suite, const voice_jwt_keys_t *keys, const json_t *test)
{
    int             valid, taken;
    size_t          len;
    json_int_t      id;
    const char     *reason;
    voice_jwt_e     rc, again;
    unsigned char  *payload;

    id = json_integer_value(json_object_get(test, "tcId"));
    reason = exception(suite, id);
    rc = voice_jws_verify(keys, voice_json_text(test, "jws"), &payload, &len);
    free(payload);

    /* a key's contexts are used for each of its tokens */

    again = voice_jws_verify(keys, voice_json_text(test, "jws"), &payload,
                             &len);
    free(payload);

    valid = voice_span_eq(voice_json_text(test, "result"),
                          VOICE_SPAN("valid"));
    taken = rc == VOICE_JWT_OK;

    if (reason != NULL) {
        suite->deviations += taken != valid;
        printf("# deviation: %s %d: %s\n", suite->file, (int) id, reason);
        return;
    }

    suite->accepted += valid;
    suite->refused += !valid;

    ok(taken == valid && again == rc, "%s %d: %s is %s: %s", suite->file,
       (int) id, voice_json_text(test, "comment").ptr,
       valid ? "valid" : "refused",
       voice_jwt_reason(rc));
}


/*
 * Public keys are added as a JWK Set.  Secrets are in none of ours, they are
 * added one by one as an operator would; where one cannot be added, or a
 * public key stands beside it, there is no table.
 */
static int
keys_add(voice_jwt_keys_t *keys, const json_t *group)
{
    int            good;
    size_t         i;
    json_t        *jwk, *set, *list;

    set = json_object_get(group, "public");
    set = set == NULL ? json_object_get(group, "private") : set;
    list = json_object_get(set, "keys");

    if (list == NULL) {
        return key_add(keys, set, 1);
    }

    good = 1;

    json_array_foreach(list, i, jwk) {
        good = good && key_add(keys, jwk, json_array_size(list) == 1);
    }

    return good;
}


static int
key_add(voice_jwt_keys_t *keys, const json_t *jwk, int only)
{
    int                    good;
    char                  *text;
    json_t                *set;
    voice_jwks_report_t    report;

    if (voice_span_eq(voice_json_text(jwk, "kty"), VOICE_SPAN("oct"))) {
        return secret_add(keys, jwk);
    }

    set = json_pack("{s:[O]}", "keys", jwk);
    text = json_dumps(set, 0);
    json_decref(set);

    good = only
           && voice_jwt_keys_add_jwks(keys, voice_span_str(text),
                                      VOICE_JWT_RS256, &report)
              == VOICE_OK
           && report.added == 1;
    free(text);

    return good;
}


static int
secret_add(voice_jwt_keys_t *keys, const json_t *jwk)
{
    size_t           len;
    voice_jwt_alg_e  alg;
    unsigned char    secret[512];

    return voice_json_text(jwk, "k").len < 512
           && voice_base64url_decode(secret, &len, voice_json_text(jwk, "k"))
              == VOICE_OK
           && voice_jwt_alg_find(&alg, voice_json_text(jwk, "alg"))
              == VOICE_OK
           && voice_jwt_keys_add_secret(keys, alg,
                                        voice_json_text(jwk, "kid"),
                                        voice_span((char *) secret, len))
              == VOICE_OK;
}


static const char *
exception(const suite_t *suite, json_int_t id)
{
    size_t  i;

    for (i = 0; i < suite->exceptions_len; i++) {
        if (suite->exceptions[i].id == id) {
            return suite->exceptions[i].reason;
        }
    }

    return NULL;
}
