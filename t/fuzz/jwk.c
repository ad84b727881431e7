/*
 * Fuzz: a JWK Set; then PEM.  A key that is taken must be listed, found,
 * named by its thumbprint where it has no name, and taken again from its
 * own set to the same end.
 */

#include <stdlib.h>

#include "voice_jwt.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void set_add(voice_span_t text);
static void report_check(const voice_jwt_keys_t *keys,
    const voice_jwks_report_t *report);
static void keys_check(const voice_jwt_keys_t *keys);
static void again(voice_span_t text, unsigned count);
static void pem_add(voice_span_t text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    voice_span_t  text;

    text = voice_span((const char *) data, size);

    set_add(text);
    pem_add(text);

    return 0;
}


static void
set_add(voice_span_t text)
{
    voice_rc_t            rc;
    voice_jwt_keys_t     *keys;
    voice_jwks_report_t   report;

    keys = voice_jwt_keys_create();
    rc = voice_jwt_keys_add_jwks(keys, text, VOICE_JWT_PS256, &report);

    if (rc == VOICE_OK) {
        report_check(keys, &report);
        keys_check(keys);
        again(text, report.added);

    } else if (voice_jwt_keys_count(keys) != 0 || rc == VOICE_FAILED) {
        abort();
    }

    voice_jwt_keys_destroy(keys);
}


static void
report_check(const voice_jwt_keys_t *keys, const voice_jwks_report_t *report)
{
    size_t    i;
    unsigned  skipped;

    skipped = 0;

    for (i = VOICE_JWK_OK + 1; i < VOICE_JWK_RESULTS; i++) {
        skipped += report->results[i];
    }

    if (report->added != voice_jwt_keys_count(keys)
        || report->added != report->results[VOICE_JWK_OK]
        || report->skipped != skipped
        || report->added > VOICE_JWK_KEYS_MAX)
    {
        abort();
    }
}


static void
keys_check(const voice_jwt_keys_t *keys)
{
    size_t                 i;
    voice_jwt_alg_e        alg;
    voice_jwt_key_info_t   info;

    for (i = 0; voice_jwt_keys_at(keys, i, &info) == VOICE_OK; i++) {
        if (!voice_jwt_keys_has(keys, info.kid)
            || info.kid.len == 0 || info.kid.len > VOICE_JWK_KID_MAX
            || strlen(info.thumbprint) != VOICE_JWK_THUMBPRINT_LEN
            || strcmp(info.type, "oct") == 0
            || voice_jwt_alg_find(&alg, voice_span_str(info.alg)) != VOICE_OK
            || alg <= VOICE_JWT_HS512
            || (strcmp(info.type, "RSA") == 0
                && (info.bits < 2048 || info.bits > 8192)))
        {
            abort();
        }
    }
}


/* The same set in a table that has it, and is not full: nothing is new. */
static void
again(voice_span_t text, unsigned count)
{
    voice_jwt_keys_t     *keys;
    voice_jwks_report_t   report;

    keys = voice_jwt_keys_create();

    if (voice_jwt_keys_add_jwks(keys, text, VOICE_JWT_PS256, &report)
        != VOICE_OK
        || (report.results[VOICE_JWK_FULL] == 0
            && (voice_jwt_keys_add_jwks(keys, text, VOICE_JWT_PS256, &report)
                != VOICE_OK
                || (report.results[VOICE_JWK_FULL] == 0
                    && (report.added != 0
                        || voice_jwt_keys_count(keys) != count)))))
    {
        abort();
    }

    voice_jwt_keys_destroy(keys);
}


static void
pem_add(voice_span_t text)
{
    voice_jwk_e        result;
    voice_jwt_keys_t  *keys;

    keys = voice_jwt_keys_create();
    result = voice_jwt_keys_add_pem(keys, voice_span(NULL, 0), text,
                                    VOICE_JWT_RS256);

    if (result == VOICE_JWK_INTERNAL
        || voice_jwt_keys_count(keys) != (result == VOICE_JWK_OK))
    {
        abort();
    }

    keys_check(keys);
    voice_jwt_keys_destroy(keys);
}
