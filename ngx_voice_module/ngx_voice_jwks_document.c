
/*
 * The text that processes share of an issuer's keys: what a document brings,
 * merged with what it no longer has.
 */

#include "ngx_voice_jwks_private.h"


static json_t *ngx_voice_jwks_present(const ngx_voice_issuer_t *issuer,
    const json_t *document, const voice_jwt_keys_t *usable, ngx_log_t *log);
static json_t *ngx_voice_jwks_entry(const ngx_voice_issuer_t *issuer,
    const json_t *jwk, voice_jwk_e *result);
static json_t *ngx_voice_jwks_strip(const json_t *jwk);
static void ngx_voice_jwks_vanished(const ngx_voice_issuer_t *issuer,
    json_t *entries, json_t *old);
static const json_t *ngx_voice_jwks_find(const json_t *entries,
    const char *member, const json_t *like);


/* What makes a public key; a certificate chain would only take room. */
static const char *const  ngx_voice_jwks_members[] = {
    "kty", "use", "key_ops", "alg", "kid", "crv", "x", "y", "n", "e"
};


char *
ngx_voice_jwks_merge(const ngx_voice_issuer_t *issuer, voice_span_t document,
    voice_span_t old, ngx_log_t *log, const char **reason)
{
    char                 *text;
    json_t               *parsed, *entries, *before;
    voice_rc_t            rc;
    voice_jwt_keys_t     *usable;
    voice_json_error_t    err;
    voice_jwks_report_t   report;

    *reason = "it is no JSON";

    parsed = voice_json_parse(document, &err);
    if (parsed == NULL) {
        return NULL;
    }

    *reason = "out of memory";
    text = NULL;
    entries = NULL;
    before = old.len == 0 ? NULL : voice_json_parse(old, &err);

    usable = voice_jwt_keys_create();
    if (usable == NULL) {
        goto done;
    }

    rc = voice_jwt_keys_add_jwks(usable, document, issuer->alg, &report);

    if (rc != VOICE_OK) {
        *reason = rc == VOICE_INVALID ? "it is no key set"
                  : rc == VOICE_LIMIT ? "it is too large"
                  : *reason;
        goto done;
    }

    entries = ngx_voice_jwks_present(issuer, parsed, usable, log);

    if (json_array_size(entries) == 0) {
        *reason = entries == NULL ? *reason : "it has no usable key";
        goto done;
    }

    ngx_voice_jwks_vanished(issuer, entries, before);

    text = json_dumps(entries, JSON_COMPACT);

    /* the oldest come last */

    while (text != NULL && strlen(text) > NGX_VOICE_JWKS_TEXT_MAX) {
        free(text);
        (void) json_array_remove(entries, json_array_size(entries) - 1);
        text = json_dumps(entries, JSON_COMPACT);
    }

done:

    json_decref(parsed);
    json_decref(before);
    json_decref(entries);
    voice_jwt_keys_destroy(usable);

    return text;
}


uint64_t
ngx_voice_jwks_id(const ngx_voice_issuer_t *issuer,
    const voice_jwt_key_info_t *info, voice_span_t material)
{
    size_t         len;
    u_char        *text, *p;
    uint64_t       id;
    voice_rc_t     rc;
    unsigned char  digest[VOICE_SHA256_LEN];

    len = issuer->name.len + 1 + info->kid.len + 1 + ngx_strlen(info->alg) + 1
          + material.len;

    text = malloc(len);
    if (text == NULL) {
        return 0;
    }

    p = ngx_cpymem(text, issuer->name.data, issuer->name.len + 1);
    p = ngx_cpymem(p, info->kid.ptr, info->kid.len);
    *p++ = '\0';
    p = ngx_cpymem(p, info->alg, ngx_strlen(info->alg) + 1);
    ngx_memcpy(p, material.ptr, material.len);

    rc = voice_sha256(digest, voice_span((char *) text, len));
    free(text);

    ngx_memcpy(&id, digest, sizeof(uint64_t));

    return rc == VOICE_OK ? id : 0;
}


/* Entries of the keys that can be used; NULL: out of memory. */
static json_t *
ngx_voice_jwks_present(const ngx_voice_issuer_t *issuer,
    const json_t *document, const voice_jwt_keys_t *usable, ngx_log_t *log)
{
    size_t        i;
    json_t       *entries, *entry, *jwk;
    voice_jwk_e   result;

    entries = json_array();

    json_array_foreach(json_object_get(document, "keys"), i, jwk) {

        entry = ngx_voice_jwks_entry(issuer, jwk, &result);

        if (entry != NULL
            && !voice_jwt_keys_has(usable, voice_json_text(entry, "kid")))
        {
            result = VOICE_JWK_AMBIGUOUS;
            json_decref(entry);
            entry = NULL;
        }

        if (entry == NULL) {
            ngx_log_error(NGX_LOG_INFO, log, 0,
                          "voice issuer \"%V\": a key that %s is not used",
                          &issuer->name, voice_jwk_reason(result));
            continue;
        }

        if (json_array_size(entries) == VOICE_JWK_KEYS_MAX
            || ngx_voice_jwks_find(entries, "id", entry) != NULL)
        {
            json_decref(entry);
            continue;
        }

        if (json_array_append_new(entries, entry) != 0) {
            json_decref(entries);
            return NULL;
        }
    }

    return entries;
}


static json_t *
ngx_voice_jwks_entry(const ngx_voice_issuer_t *issuer, const json_t *jwk,
    voice_jwk_e *result)
{
    char                   hex[VOICE_HEX_LEN(sizeof(uint64_t)) + 1];
    char                   thumbprint[VOICE_JWK_THUMBPRINT_LEN + 1];
    json_t                *entry;
    uint64_t               id;
    voice_jwt_keys_t      *alone;
    voice_jwt_key_info_t   info;

    *result = VOICE_JWK_INTERNAL;
    entry = NULL;

    alone = voice_jwt_keys_create();
    if (alone == NULL) {
        return NULL;
    }

    *result = voice_jwt_keys_add_jwk(alone, jwk, issuer->alg);

    if (*result == VOICE_JWK_OK) {
        *result = voice_jwk_thumbprint(thumbprint, jwk);
    }

    if (*result == VOICE_JWK_OK
        && voice_jwt_keys_at(alone, 0, &info) == VOICE_OK)
    {
        id = ngx_voice_jwks_id(issuer, &info, voice_span_str(thumbprint));
        hex[voice_hex_encode(hex, voice_span((char *) &id, sizeof(id)))]
            = '\0';

        entry = json_pack("{s:s, s:s%, s:s, s:I, s:I, s:o}", "id", hex,
                          "kid", info.kid.ptr, info.kid.len, "alg", info.alg,
                          "seen", (json_int_t) ngx_current_msec,
                          "gone", (json_int_t) -1,
                          "jwk", ngx_voice_jwks_strip(jwk));
    }

    voice_jwt_keys_destroy(alone);

    return entry;
}


static json_t *
ngx_voice_jwks_strip(const json_t *jwk)
{
    json_t      *copy, *value;
    ngx_uint_t   i;

    copy = json_object();

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_jwks_members); i++) {
        value = json_object_get(jwk, ngx_voice_jwks_members[i]);

        if (value != NULL) {
            (void) json_object_set(copy, ngx_voice_jwks_members[i], value);
        }
    }

    return copy;
}


/*
 * A key that stays keeps its age.  One that is gone is good for overlap, but
 * not beside another of its name: a token names one key.
 */
static void
ngx_voice_jwks_vanished(const ngx_voice_issuer_t *issuer, json_t *entries,
    json_t *old)
{
    size_t       i;
    json_t      *entry;
    json_int_t   gone, now;

    now = (json_int_t) ngx_current_msec;

    json_array_foreach(old, i, entry) {

        json_t  *same;

        same = (json_t *) ngx_voice_jwks_find(entries, "id", entry);

        if (same != NULL) {
            (void) json_object_set(same, "seen",
                                   json_object_get(entry, "seen"));
            continue;
        }

        gone = json_integer_value(json_object_get(entry, "gone"));
        gone = gone == -1 ? now : gone;

        if (ngx_voice_jwks_find(entries, "kid", entry) != NULL
            || now - gone >= (json_int_t) issuer->overlap
            || json_array_size(entries) == VOICE_JWK_KEYS_MAX)
        {
            continue;
        }

        (void) json_object_set_new(entry, "gone", json_integer(gone));
        (void) json_array_append(entries, entry);
    }
}


static const json_t *
ngx_voice_jwks_find(const json_t *entries, const char *member,
    const json_t *like)
{
    size_t         i;
    const json_t  *entry, *wanted;

    wanted = json_object_get(like, member);

    json_array_foreach(entries, i, entry) {
        if (json_equal(json_object_get(entry, member), wanted)) {
            return entry;
        }
    }

    return NULL;
}
