/*
 * JSON Web Keys and sets of them, see voice_jwk.h.
 */

#include <stdlib.h>

#include <openssl/err.h>

#include "voice_jwt_private.h"


static voice_jwk_e key_create(voice_jwt_key_t **key, const json_t *jwk,
    voice_jwt_alg_e default_alg);
static voice_jwk_e key_name(voice_jwt_key_t **key, const json_t *jwk,
    const jwt_algorithm_t *algorithm);
static voice_jwk_e type_check(const json_t *jwk);
static voice_jwk_e use_check(const json_t *jwk);
static voice_jwk_e operations_check(const json_t *operations);
static const jwt_algorithm_t *algorithm_choose(const json_t *jwk,
    voice_jwt_alg_e default_alg);
static voice_jwk_e set_add(voice_jwt_keys_t *keys, unsigned first,
    const json_t *jwk, voice_jwt_alg_e default_alg);
static voice_jwk_e set_collision(voice_jwt_keys_t *keys, unsigned first,
    const voice_jwt_key_t *key);
static void set_disambiguate(voice_jwt_keys_t *keys, unsigned first,
    voice_jwks_report_t *report);


/* Rows stand in the order of voice_jwk_e. */
static const char *const  jwk_reasons[] = {
    "can be used",
    "is malformed",
    "is of an unknown type or curve",
    "has an unknown algorithm or another key's",
    "is not for verifying signatures",
    "is private",
    "is a secret",
    "is too short, too long or known to be weak",
    "has a name that is empty or too long",
    "is there already",
    "shares its name with another key",
    "is over the number of keys",
    "could not be added now",
};


/* Of any type: RFC 7518 sections 6.2.2, 6.3.2 and 6.4, RFC 8037. */
static const char *const  jwk_private[] = {
    "d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv",
};


voice_jwk_e
voice_jwt_keys_add_jwk(voice_jwt_keys_t *keys, const json_t *jwk,
    voice_jwt_alg_e default_alg)
{
    voice_jwk_e       result;
    voice_jwt_key_t  *key;

    result = key_create(&key, jwk, default_alg);

    if (result != VOICE_JWK_OK) {
        return result;
    }

    if (jwt_key_find(keys, voice_span(key->kid, key->kid_len)) != NULL) {
        result = VOICE_JWK_DUPLICATE;

    } else if (jwt_key_add(keys, key) != VOICE_OK) {
        result = VOICE_JWK_FULL;
    }

    if (result != VOICE_JWK_OK) {
        jwt_key_destroy(key);
    }

    return result;
}


voice_rc_t
voice_jwt_keys_add_jwks(voice_jwt_keys_t *keys, voice_span_t text,
    voice_jwt_alg_e default_alg, voice_jwks_report_t *report)
{
    json_t              *set, *list, *jwk;
    size_t               i;
    unsigned             first;
    voice_jwk_e          result;
    voice_json_error_t   err;

    memset(report, 0, sizeof(voice_jwks_report_t));

    if (text.len > VOICE_JWK_SET_MAX) {
        return VOICE_LIMIT;
    }

    set = voice_json_parse(text, &err);
    list = json_object_get(set, "keys");

    if (!json_is_array(list)) {
        json_decref(set);
        return VOICE_INVALID;
    }

    first = keys->count;

    json_array_foreach(list, i, jwk) {
        result = i < VOICE_JWK_KEYS_MAX
                 ? set_add(keys, first, jwk, default_alg) : VOICE_JWK_FULL;
        report->results[result]++;
    }

    json_decref(set);
    set_disambiguate(keys, first, report);

    report->added = report->results[VOICE_JWK_OK];

    for (i = VOICE_JWK_OK + 1; i < VOICE_JWK_RESULTS; i++) {
        report->skipped += report->results[i];
    }

    return report->results[VOICE_JWK_INTERNAL] == 0 ? VOICE_OK : VOICE_FAILED;
}


const char *
voice_jwk_reason(voice_jwk_e result)
{
    if ((size_t) result >= VOICE_ARRAY_SIZE(jwk_reasons)) {
        result = VOICE_JWK_INTERNAL;
    }

    return jwk_reasons[result];
}


static voice_jwk_e
key_create(voice_jwt_key_t **key, const json_t *jwk,
    voice_jwt_alg_e default_alg)
{
    EVP_PKEY               *public;
    voice_jwk_e             result;
    const jwt_algorithm_t  *algorithm;

    *key = NULL;
    result = type_check(jwk);

    if (result == VOICE_JWK_OK) {
        result = use_check(jwk);
    }

    if (result != VOICE_JWK_OK) {
        return result;
    }

    algorithm = algorithm_choose(jwk, default_alg);

    if (algorithm == NULL) {
        return VOICE_JWK_ALGORITHM;
    }

    public = jwk_public(jwk, &result);

    if (public == NULL) {
        return result;
    }

    result = key_name(key, jwk, algorithm);

    if (result != VOICE_JWK_OK) {
        EVP_PKEY_free(public);
        return result;
    }

    (*key)->public = public;
    (*key)->bits = (unsigned) EVP_PKEY_get_bits(public);

    if (jwt_algorithm_prepare(*key) != VOICE_OK) {
        jwt_key_destroy(*key);
        *key = NULL;
        return VOICE_JWK_INTERNAL;
    }

    return VOICE_JWK_OK;
}


/* Without "kid" the thumbprint is the name. */
static voice_jwk_e
key_name(voice_jwt_key_t **key, const json_t *jwk,
    const jwt_algorithm_t *algorithm)
{
    char           thumbprint[VOICE_JWK_THUMBPRINT_LEN + 1];
    json_t        *kid;
    voice_span_t   name;

    if (jwk_thumbprint(thumbprint, jwk) != VOICE_OK) {
        return VOICE_JWK_INTERNAL;
    }

    kid = json_object_get(jwk, "kid");

    if (kid != NULL && !json_is_string(kid)) {
        return VOICE_JWK_MALFORMED;
    }

    name = kid == NULL ? voice_span(thumbprint, VOICE_JWK_THUMBPRINT_LEN)
                       : voice_json_text(jwk, "kid");

    if (name.len == 0 || name.len > VOICE_JWK_KID_MAX) {
        return VOICE_JWK_NAME;
    }

    *key = jwt_key_create(algorithm, name);

    if (*key == NULL) {
        return VOICE_JWK_INTERNAL;
    }

    memcpy((*key)->thumbprint, thumbprint, sizeof(thumbprint));

    return VOICE_JWK_OK;
}


static voice_jwk_e
type_check(const json_t *jwk)
{
    size_t        i;
    voice_span_t  type;

    type = voice_json_text(jwk, "kty");

    if (type.len == 0) {
        return VOICE_JWK_MALFORMED;
    }

    if (voice_span_eq(type, VOICE_SPAN("oct"))) {
        return VOICE_JWK_SECRET;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(jwk_private); i++) {
        if (json_object_get(jwk, jwk_private[i]) != NULL) {
            return VOICE_JWK_PRIVATE;
        }
    }

    if (voice_span_eq(type, VOICE_SPAN("RSA"))
        || jwk_curve_algorithm(jwk) >= 0)
    {
        return VOICE_JWK_OK;
    }

    return VOICE_JWK_TYPE;
}


/* RFC 7517 sections 4.2 and 4.3. */
static voice_jwk_e
use_check(const json_t *jwk)
{
    json_t  *use, *operations;

    use = json_object_get(jwk, "use");
    operations = json_object_get(jwk, "key_ops");

    if (use != NULL && !json_is_string(use)) {
        return VOICE_JWK_MALFORMED;
    }

    if (use != NULL && strcmp(json_string_value(use), "sig") != 0) {
        return VOICE_JWK_USE;
    }

    return operations == NULL ? VOICE_JWK_OK : operations_check(operations);
}


static voice_jwk_e
operations_check(const json_t *operations)
{
    int      verify;
    size_t   i;
    json_t  *item;

    if (!json_is_array(operations)) {
        return VOICE_JWK_MALFORMED;
    }

    verify = 0;

    json_array_foreach(operations, i, item) {
        if (!json_is_string(item)) {
            return VOICE_JWK_MALFORMED;
        }

        verify += strcmp(json_string_value(item), "verify") == 0;
    }

    if (verify > 1) {
        return VOICE_JWK_MALFORMED;
    }

    return verify ? VOICE_JWK_OK : VOICE_JWK_USE;
}


/* NULL: not of such a key. */
static const jwt_algorithm_t *
algorithm_choose(const json_t *jwk, voice_jwt_alg_e default_alg)
{
    json_t                 *name;
    voice_span_t            type, curve;
    voice_jwt_alg_e         alg;
    const jwt_algorithm_t  *algorithm;

    name = json_object_get(jwk, "alg");
    type = voice_json_text(jwk, "kty");
    curve = voice_json_text(jwk, "crv");

    if (name != NULL) {
        if (voice_jwt_alg_find(&alg, voice_json_text(jwk, "alg")) != VOICE_OK)
        {
            return NULL;
        }

    } else if (voice_span_eq(type, VOICE_SPAN("RSA"))) {
        alg = default_alg;

    } else {
        alg = (voice_jwt_alg_e) jwk_curve_algorithm(jwk);
    }

    algorithm = jwt_algorithm(alg);

    if (algorithm == NULL
        || !voice_span_eq(type, voice_span_str(algorithm->type))
        || (algorithm->curve != NULL
            && !voice_span_eq(curve, voice_span_str(algorithm->curve))))
    {
        return NULL;
    }

    return algorithm;
}


/* A key of a set whose first key stands, or would, at that index. */
static voice_jwk_e
set_add(voice_jwt_keys_t *keys, unsigned first, const json_t *jwk,
    voice_jwt_alg_e default_alg)
{
    voice_jwk_e       result;
    voice_jwt_key_t  *key;

    if (keys->count == VOICE_JWK_KEYS_MAX) {
        return VOICE_JWK_FULL;
    }

    result = key_create(&key, jwk, default_alg);

    if (result != VOICE_JWK_OK) {
        return result;
    }

    result = set_collision(keys, first, key);

    if (result != VOICE_JWK_OK) {
        jwt_key_destroy(key);
        return result;
    }

    return jwt_key_add(keys, key) == VOICE_OK ? VOICE_JWK_OK
                                              : VOICE_JWK_FULL;
}


static voice_jwk_e
set_collision(voice_jwt_keys_t *keys, unsigned first,
    const voice_jwt_key_t *key)
{
    unsigned          i;
    voice_jwt_key_t  *other;

    other = jwt_key_find(keys, voice_span(key->kid, key->kid_len));

    if (other == NULL) {
        return VOICE_JWK_OK;
    }

    for (i = 0; i < first; i++) {
        if (keys->key[i] == other) {
            return VOICE_JWK_DUPLICATE;
        }
    }

    if (key->algorithm == other->algorithm
        && EVP_PKEY_eq(key->public, other->public) == 1)
    {
        return VOICE_JWK_DUPLICATE;
    }

    other->ambiguous = 1;

    return VOICE_JWK_AMBIGUOUS;
}


/* Takes out keys of the set that others of it share their name with. */
static void
set_disambiguate(voice_jwt_keys_t *keys, unsigned first,
    voice_jwks_report_t *report)
{
    unsigned          i, n;
    voice_jwt_key_t  *key;

    n = first;

    for (i = first; i < keys->count; i++) {
        key = keys->key[i];

        if (!key->ambiguous) {
            keys->key[n++] = key;
            continue;
        }

        jwt_key_destroy(key);
        report->results[VOICE_JWK_OK]--;
        report->results[VOICE_JWK_AMBIGUOUS]++;
    }

    keys->count = n;
}
