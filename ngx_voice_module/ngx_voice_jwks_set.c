
/*
 * The key set of an issuer in this process, made of the text in shared
 * memory whenever that changes or a key's overlap ends.
 */

#include "ngx_voice_jwks_private.h"


static void ngx_voice_jwks_set_add(ngx_voice_jwks_set_t *set,
    const ngx_voice_issuer_t *issuer, const json_t *entry);
static ngx_voice_jwks_note_t *ngx_voice_jwks_set_note(
    ngx_voice_jwks_set_t *set, voice_span_t kid, const char *alg);
static uint64_t ngx_voice_jwks_set_id(const json_t *entry);
static void ngx_voice_jwks_set_seal(ngx_voice_jwks_set_t *set);


ngx_voice_jwks_set_t *
ngx_voice_jwks_set_create(const ngx_voice_issuer_t *issuer, voice_span_t text)
{
    size_t                 i;
    json_t                *entries, *entry;
    voice_json_error_t     err;
    ngx_voice_jwks_set_t  *set;

    entries = voice_json_parse(text, &err);
    set = calloc(1, sizeof(ngx_voice_jwks_set_t));

    if (set != NULL) {
        set->keys = voice_jwt_keys_create();
    }

    if (entries == NULL || set == NULL || set->keys == NULL) {
        json_decref(entries);
        ngx_voice_jwks_set_destroy(set);
        return NULL;
    }

    json_array_foreach(entries, i, entry) {
        ngx_voice_jwks_set_add(set, issuer, entry);
    }

    json_decref(entries);
    ngx_voice_jwks_set_seal(set);

    return set;
}


ngx_voice_jwks_set_t *
ngx_voice_jwks_set_pem(const ngx_voice_issuer_t *issuer, voice_span_t pem,
    const char **reason)
{
    voice_jwk_e             result;
    ngx_voice_jwks_set_t   *set;
    voice_jwt_key_info_t    info;
    ngx_voice_jwks_note_t  *note;

    *reason = "out of memory";

    set = calloc(1, sizeof(ngx_voice_jwks_set_t));
    if (set == NULL) {
        return NULL;
    }

    set->keys = voice_jwt_keys_create();
    if (set->keys == NULL) {
        ngx_voice_jwks_set_destroy(set);
        return NULL;
    }

    result = voice_jwt_keys_add_pem(set->keys,
                                    voice_span((char *) issuer->kid.data,
                                               issuer->kid.len),
                                    pem, issuer->alg);

    if (result != VOICE_JWK_OK
        || voice_jwt_keys_at(set->keys, 0, &info) != VOICE_OK)
    {
        *reason = voice_jwk_reason(result);
        ngx_voice_jwks_set_destroy(set);
        return NULL;
    }

    note = ngx_voice_jwks_set_note(set, info.kid, info.alg);
    note->id = ngx_voice_jwks_id(issuer, &info, pem);
    note->seen = ngx_current_msec;
    ngx_voice_jwks_set_seal(set);

    return set;
}


void
ngx_voice_jwks_set_destroy(ngx_voice_jwks_set_t *set)
{
    if (set != NULL) {
        voice_jwt_keys_destroy(set->keys);
        free(set);
    }
}


const ngx_voice_jwks_note_t *
ngx_voice_jwks_note(const ngx_voice_jwks_set_t *set, voice_span_t kid)
{
    ngx_uint_t                    i;
    const ngx_voice_jwks_note_t  *note;

    for (i = 0; i < set->nnotes; i++) {
        note = &set->notes[i];

        if (voice_span_eq(voice_span(note->kid, note->kid_len), kid)) {
            return note;
        }
    }

    return NULL;
}


void
ngx_voice_jwks_set_refresh(ngx_voice_issuer_t *issuer)
{
    size_t                 len;
    u_char                *text;
    ngx_atomic_uint_t      version;
    ngx_voice_jwks_set_t  *set;

    set = issuer->set;

    if (issuer->row == NULL
        || (set == NULL ? issuer->row->version == 0
            : set->version == issuer->row->version
              && (!set->ends
                  || (ngx_msec_int_t) (set->until - ngx_current_msec) > 0)))
    {
        return;
    }

    text = ngx_voice_jwks_copy(issuer, &len, &version);
    if (text == NULL) {
        return;
    }

    set = ngx_voice_jwks_set_create(issuer, voice_span((char *) text, len));
    ngx_free(text);

    /* otherwise the keys stay as they are: memory is short */

    if (set != NULL) {
        set->version = version;
        ngx_voice_jwks_set_destroy(issuer->set);
        issuer->set = set;
    }
}


const voice_jwt_keys_t *
ngx_voice_issuer_keys(ngx_voice_issuer_t *issuer)
{
    ngx_voice_jwks_set_refresh(issuer);

    return issuer->set == NULL ? NULL : issuer->set->keys;
}


uint64_t
ngx_voice_issuer_key_id(ngx_voice_issuer_t *issuer, voice_span_t kid)
{
    const ngx_voice_jwks_note_t  *note;

    if (issuer->set == NULL) {
        return 0;
    }

    if (kid.len == 0) {
        return issuer->set->whole;
    }

    note = ngx_voice_jwks_note(issuer->set, kid);

    return note == NULL ? 0 : note->id;
}


ngx_uint_t
ngx_voice_issuers_trust(ngx_array_t *issuers, uint64_t id)
{
    ngx_uint_t             i, k;
    ngx_voice_issuer_t    *issuer;
    ngx_voice_jwks_set_t  *set;

    if (issuers == NULL || id == 0) {
        return 0;
    }

    issuer = issuers->elts;

    for (i = 0; i < issuers->nelts; i++) {
        ngx_voice_jwks_set_refresh(&issuer[i]);

        set = issuer[i].set;

        for (k = 0; set != NULL && k < set->nnotes; k++) {
            if (set->notes[k].id == id) {
                return 1;
            }
        }

        if (set != NULL && set->whole == id) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_voice_jwks_keys(ngx_voice_issuer_t *issuer, ngx_voice_jwks_key_t *keys,
    ngx_uint_t max)
{
    ngx_uint_t                    i, n;
    const ngx_voice_jwks_note_t  *note;

    ngx_voice_jwks_set_refresh(issuer);

    n = issuer->set == NULL ? 0 : ngx_min(issuer->set->nnotes, max);

    for (i = 0; i < n; i++) {
        note = &issuer->set->notes[i];

        ngx_memcpy(keys[i].kid, note->kid, note->kid_len);
        keys[i].kid[note->kid_len] = '\0';
        ngx_memcpy(keys[i].alg, note->alg, sizeof(keys[i].alg));
        keys[i].id = note->id;
        keys[i].age = (ngx_msec_int_t) (ngx_current_msec - note->seen) / 1000;
        keys[i].left = -1;

        if (note->vanished) {
            keys[i].left = (ngx_msec_int_t) (note->until - ngx_current_msec);
            keys[i].left = ngx_max(keys[i].left, 0) / 1000;
        }
    }

    return n;
}


/* Present keys come before vanished ones: theirs is a name of both. */
static void
ngx_voice_jwks_set_add(ngx_voice_jwks_set_t *set,
    const ngx_voice_issuer_t *issuer, const json_t *entry)
{
    json_int_t              gone;
    ngx_msec_t              until;
    ngx_voice_jwks_note_t  *note;

    gone = json_integer_value(json_object_get(entry, "gone"));
    until = (ngx_msec_t) gone + issuer->overlap;

    if (gone != -1 && (ngx_msec_int_t) (until - ngx_current_msec) <= 0) {
        return;
    }

    if (set->nnotes == VOICE_JWK_KEYS_MAX
        || voice_jwt_keys_add_jwk(set->keys, json_object_get(entry, "jwk"),
                                  issuer->alg)
           != VOICE_JWK_OK)
    {
        return;
    }

    note = ngx_voice_jwks_set_note(set, voice_json_text(entry, "kid"),
               json_string_value(json_object_get(entry, "alg")));
    note->id = ngx_voice_jwks_set_id(entry);
    note->seen = json_integer_value(json_object_get(entry, "seen"));

    if (gone == -1) {
        return;
    }

    note->vanished = 1;
    note->until = until;

    if (!set->ends || (ngx_msec_int_t) (until - set->until) < 0) {
        set->until = until;
        set->ends = 1;
    }
}


static ngx_voice_jwks_note_t *
ngx_voice_jwks_set_note(ngx_voice_jwks_set_t *set, voice_span_t kid,
    const char *alg)
{
    ngx_voice_jwks_note_t  *note;

    note = &set->notes[set->nnotes++];

    note->kid_len = ngx_min(kid.len, sizeof(note->kid));
    ngx_memcpy(note->kid, kid.ptr, note->kid_len);
    (void) ngx_cpystrn((u_char *) note->alg, (u_char *) alg,
                       sizeof(note->alg));

    return note;
}


static uint64_t
ngx_voice_jwks_set_id(const json_t *entry)
{
    size_t        i;
    u_char        bytes[sizeof(uint64_t)];
    uint64_t      id;
    ngx_int_t     byte;
    voice_span_t  hex;

    hex = voice_json_text(entry, "id");

    if (hex.len != VOICE_HEX_LEN(sizeof(uint64_t))) {
        return 0;
    }

    for (i = 0; i < sizeof(uint64_t); i++) {
        byte = ngx_hextoi((u_char *) hex.ptr + i * 2, 2);
        bytes[i] = (u_char) byte;
    }

    ngx_memcpy(&id, bytes, sizeof(uint64_t));

    return id;
}


static void
ngx_voice_jwks_set_seal(ngx_voice_jwks_set_t *set)
{
    uint64_t       ids[VOICE_JWK_KEYS_MAX];
    ngx_uint_t     i;
    unsigned char  digest[VOICE_SHA256_LEN];

    for (i = 0; i < set->nnotes; i++) {
        ids[i] = set->notes[i].id;
    }

    /* none without a digest: then nothing rests on the whole set */

    if (voice_sha256(digest, voice_span((char *) ids,
                                        set->nnotes * sizeof(uint64_t)))
        == VOICE_OK)
    {
        ngx_memcpy(&set->whole, digest, sizeof(uint64_t));
    }
}
