/*
 * JSON Web Tokens, see voice_jwt.h.
 */

#include <stdlib.h>

#include "voice_code.h"
#include "voice_jwt_private.h"


/* The three parts of a compact token, still encoded. */
typedef struct {
    voice_span_t  header;
    voice_span_t  payload;
    voice_span_t  signature;
    voice_span_t  message;             /* what the signature covers */
} jwt_parts_t;


static voice_jwt_e token_check(const voice_jwt_keys_t *keys,
    const voice_jwt_rules_t *rules, voice_span_t token, jwt_parts_t *parts);
static voice_jwt_e token_split(jwt_parts_t *parts, voice_span_t token);
static json_t *part_parse(voice_span_t part);
static voice_jwt_e header_check(const voice_jwt_keys_t *keys,
    const voice_jwt_rules_t *rules, const json_t *header,
    const voice_jwt_key_t **key);
static int header_extended(const json_t *header);
static voice_jwt_e key_choose(const voice_jwt_keys_t *keys,
    const json_t *header, const voice_jwt_key_t **key);
static voice_jwt_e key_by_algorithm(const voice_jwt_keys_t *keys,
    voice_span_t alg, const voice_jwt_key_t **key);
static voice_jwt_e signature_check(const voice_jwt_key_t *key,
    const jwt_parts_t *parts);
static int peek_text(char *out, size_t *len, size_t max,
    const json_t *value);
static char *header_text(const voice_jwt_key_t *key);
static size_t part_append(char *out, const char *text);


/* Rows stand in the order of voice_jwt_e. */
static const char *const  jwt_reasons[] = {
    "the token is valid",
    "the token is malformed",
    "the token was signed by an unknown key",
    "the token's algorithm is not the key's",
    "the token's signature is wrong",
    "the token demands an extension that is not understood",
    "the token has expired",
    "the token is not valid yet",
    "the token is from another issuer",
    "the token is for another audience",
    "the token never expires",
    "the token is of another type",
    "the token is too old",
    "the token cannot be checked now",
};


voice_jwt_e
voice_jwt_verify(const voice_jwt_keys_t *keys, const voice_jwt_rules_t *rules,
    voice_span_t token, json_t **claims)
{
    json_t       *object;
    voice_jwt_e   rc;
    jwt_parts_t   parts;

    *claims = NULL;

    rc = token_check(keys, rules, token, &parts);

    if (rc != VOICE_JWT_OK) {
        return rc;
    }

    object = part_parse(parts.payload);
    rc = jwt_claims_check(rules, object);

    if (rc != VOICE_JWT_OK) {
        json_decref(object);
        return rc;
    }

    *claims = object;

    return VOICE_JWT_OK;
}


voice_jwt_e
voice_jws_verify(const voice_jwt_keys_t *keys, voice_span_t token,
    unsigned char **payload, size_t *len)
{
    voice_jwt_e   rc;
    jwt_parts_t   parts;

    *payload = NULL;
    *len = 0;

    rc = token_check(keys, NULL, token, &parts);

    if (rc != VOICE_JWT_OK) {
        return rc;
    }

    *payload = malloc(JWT_DECODED_MAX(parts.payload.len));

    if (*payload == NULL) {
        return VOICE_JWT_INTERNAL;
    }

    if (jwt_decode(*payload, len, parts.payload) != VOICE_OK) {
        free(*payload);
        *payload = NULL;
        return VOICE_JWT_MALFORMED;
    }

    return VOICE_JWT_OK;
}


voice_jwt_e
voice_jwt_peek(voice_span_t token, voice_jwt_peek_t *peek)
{
    int           good;
    json_t       *header, *payload;
    voice_jwt_e   rc;
    jwt_parts_t   parts;

    memset(peek, 0, sizeof(voice_jwt_peek_t));

    rc = token_split(&parts, token);

    if (rc != VOICE_JWT_OK) {
        return rc;
    }

    header = part_parse(parts.header);
    payload = json_is_object(header) ? part_parse(parts.payload) : NULL;

    good = json_is_object(payload)
           && peek_text(peek->issuer, &peek->issuer_len, VOICE_JWT_ISSUER_MAX,
                        json_object_get(payload, "iss"))
           && peek_text(peek->kid, &peek->kid_len, VOICE_JWK_KID_MAX,
                        json_object_get(header, "kid"));

    json_decref(header);
    json_decref(payload);

    return good ? VOICE_JWT_OK : VOICE_JWT_MALFORMED;
}


voice_rc_t
voice_jwt_sign(const voice_jwt_keys_t *keys, voice_span_t kid,
    const json_t *claims, char **token, size_t *len)
{
    char                   *header, *payload, *out;
    size_t                  n, mac_len;
    voice_rc_t              rc;
    unsigned char           mac[JWT_MAC_MAX];
    const voice_jwt_key_t  *key;

    *token = NULL;
    *len = 0;

    key = jwt_key_find(keys, kid);

    if (key == NULL || key->mac == NULL || !json_is_object(claims)) {
        return key == NULL ? VOICE_NOTFOUND : VOICE_INVALID;
    }

    rc = VOICE_NOMEM;
    out = NULL;
    header = header_text(key);
    payload = json_dumps(claims, JSON_COMPACT);

    if (header == NULL || payload == NULL) {
        goto done;
    }

    n = VOICE_BASE64_LEN(strlen(header)) + VOICE_BASE64_LEN(strlen(payload))
        + VOICE_BASE64_LEN(JWT_MAC_MAX) + sizeof("..");
    out = malloc(n);

    if (out == NULL) {
        goto done;
    }

    n = part_append(out, header);
    out[n++] = '.';
    n += part_append(out + n, payload);

    rc = jwt_hmac(key, voice_span(out, n), mac, &mac_len);

    if (rc != VOICE_OK) {
        free(out);
        goto done;
    }

    out[n++] = '.';
    n += voice_base64url_encode(out + n, voice_span((char *) mac, mac_len));
    out[n] = '\0';

    *token = out;
    *len = n;

done:

    free(header);
    free(payload);

    return rc;
}


const char *
voice_jwt_reason(voice_jwt_e result)
{
    if ((size_t) result >= VOICE_ARRAY_SIZE(jwt_reasons)) {
        result = VOICE_JWT_INTERNAL;
    }

    return jwt_reasons[result];
}


/* RFC 7515 section 2: base64url with all padding left out. */
voice_rc_t
jwt_decode(unsigned char *out, size_t *len, voice_span_t in)
{
    if (in.len > 0 && in.ptr[in.len - 1] == '=') {
        return VOICE_INVALID;
    }

    return voice_base64url_decode(out, len, in);
}


/* All but the claims; rules is NULL where any "typ" will do. */
static voice_jwt_e
token_check(const voice_jwt_keys_t *keys, const voice_jwt_rules_t *rules,
    voice_span_t token, jwt_parts_t *parts)
{
    json_t                 *header;
    voice_jwt_e             rc;
    const voice_jwt_key_t  *key;

    rc = token_split(parts, token);

    if (rc != VOICE_JWT_OK) {
        return rc;
    }

    header = part_parse(parts->header);
    rc = header_check(keys, rules, header, &key);
    json_decref(header);

    return rc == VOICE_JWT_OK ? signature_check(key, parts) : rc;
}


static voice_jwt_e
token_split(jwt_parts_t *parts, voice_span_t token)
{
    size_t       left;
    const char  *first, *second;

    if (token.len == 0 || token.len > VOICE_JWT_MAX) {
        return VOICE_JWT_MALFORMED;
    }

    first = memchr(token.ptr, '.', token.len);

    if (first == NULL) {
        return VOICE_JWT_MALFORMED;
    }

    left = token.len - (size_t) (first + 1 - token.ptr);
    second = memchr(first + 1, '.', left);

    if (second == NULL) {
        return VOICE_JWT_MALFORMED;
    }

    left = token.len - (size_t) (second + 1 - token.ptr);

    parts->header = voice_span(token.ptr, (size_t) (first - token.ptr));
    parts->payload = voice_span(first + 1, (size_t) (second - first - 1));
    parts->signature = voice_span(second + 1, left);
    parts->message = voice_span(token.ptr, (size_t) (second - token.ptr));

    /* five parts are an encrypted token (RFC 7516): not for us */

    return memchr(second + 1, '.', left) == NULL ? VOICE_JWT_OK
                                                 : VOICE_JWT_MALFORMED;
}


/* The JSON of a part that is no longer than a token; NULL: there is none. */
static json_t *
part_parse(voice_span_t part)
{
    size_t               len;
    unsigned char        text[JWT_DECODED_MAX(VOICE_JWT_MAX)];
    voice_json_error_t   err;

    if (jwt_decode(text, &len, part) != VOICE_OK) {
        return NULL;
    }

    return voice_json_parse(voice_span((char *) text, len), &err);
}


static voice_jwt_e
header_check(const voice_jwt_keys_t *keys, const voice_jwt_rules_t *rules,
    const json_t *header, const voice_jwt_key_t **key)
{
    size_t   i;
    json_t  *member;

    static const char *const  texts[] = { "alg", "kid", "typ" };

    if (!json_is_object(header)) {
        return VOICE_JWT_MALFORMED;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(texts); i++) {
        member = json_object_get(header, texts[i]);

        if (member == NULL ? i == 0 : !json_is_string(member)) {
            return VOICE_JWT_MALFORMED;
        }
    }

    if (header_extended(header)) {
        return VOICE_JWT_CRITICAL;
    }

    if (rules != NULL && !jwt_type_holds(rules, header)) {
        return VOICE_JWT_TYPE;
    }

    return key_choose(keys, header, key);
}


/*
 * "crit" lists what must be understood (RFC 7515 section 4.1.11), and we
 * understand none; an unencoded payload (RFC 7797), compression and
 * encryption (RFC 7516) change what was signed, whether listed or not.
 * Where a key may be had ("jku", "jwk", "x5u", "x5c") is not looked at.
 */
static int
header_extended(const json_t *header)
{
    json_t  *b64;

    b64 = json_object_get(header, "b64");

    return json_object_get(header, "crit") != NULL
           || (b64 != NULL && !json_is_true(b64))
           || json_object_get(header, "zip") != NULL
           || json_object_get(header, "enc") != NULL;
}


static voice_jwt_e
key_choose(const voice_jwt_keys_t *keys, const json_t *header,
    const voice_jwt_key_t **key)
{
    voice_span_t  alg;

    alg = voice_json_text(header, "alg");

    if (json_object_get(header, "kid") == NULL) {
        return key_by_algorithm(keys, alg, key);
    }

    *key = jwt_key_find(keys, voice_json_text(header, "kid"));

    if (*key == NULL) {
        return VOICE_JWT_UNKNOWN_KEY;
    }

    return voice_span_eq(alg, voice_span_str((*key)->algorithm->name))
           ? VOICE_JWT_OK : VOICE_JWT_ALGORITHM;
}


static voice_jwt_e
key_by_algorithm(const voice_jwt_keys_t *keys, voice_span_t alg,
    const voice_jwt_key_t **key)
{
    unsigned  i, found;

    found = 0;

    for (i = 0; i < keys->count; i++) {
        if (voice_span_eq(alg,
                          voice_span_str(keys->key[i]->algorithm->name)))
        {
            *key = keys->key[i];
            found++;
        }
    }

    if (found == 0 && keys->count > 0) {
        return VOICE_JWT_ALGORITHM;
    }

    return found == 1 ? VOICE_JWT_OK : VOICE_JWT_UNKNOWN_KEY;
}


static voice_jwt_e
signature_check(const voice_jwt_key_t *key, const jwt_parts_t *parts)
{
    size_t         len;
    unsigned char  signature[JWT_DECODED_MAX(
                                 VOICE_BASE64_LEN(JWT_SIGNATURE_MAX))];

    if (parts->signature.len > VOICE_BASE64_LEN(JWT_SIGNATURE_MAX)) {
        return VOICE_JWT_SIGNATURE;
    }

    if (jwt_decode(signature, &len, parts->signature) != VOICE_OK) {
        return VOICE_JWT_MALFORMED;
    }

    return key->algorithm->verify(key, parts->message,
                                  voice_span((char *) signature, len));
}


/* A NUL cannot be in a string: the parser refuses it. */
static int
peek_text(char *out, size_t *len, size_t max, const json_t *value)
{
    if (value == NULL) {
        return 1;
    }

    if (!json_is_string(value) || json_string_length(value) > max) {
        return 0;
    }

    *len = json_string_length(value);
    memcpy(out, json_string_value(value), *len);

    return 1;
}


static char *
header_text(const voice_jwt_key_t *key)
{
    char    *text;
    json_t  *header;

    header = json_pack("{s:s, s:s, s:s%}", "alg", key->algorithm->name,
                       "typ", "JWT", "kid", key->kid, key->kid_len);

    if (header == NULL) {
        return NULL;
    }

    text = json_dumps(header, JSON_COMPACT);
    json_decref(header);

    return text;
}


static size_t
part_append(char *out, const char *text)
{
    return voice_base64url_encode(out, voice_span_str(text));
}
