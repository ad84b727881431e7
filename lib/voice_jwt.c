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


static voice_jwt_e token_split(jwt_parts_t *parts, voice_span_t token);
static voice_jwt_e part_decode(voice_span_t part, unsigned char **out,
    size_t *len);
static voice_jwt_e header_check(const voice_jwt_keys_t *keys,
    voice_span_t part, const voice_jwt_key_t **key);
static voice_jwt_e header_key(const voice_jwt_keys_t *keys,
    const json_t *header, const voice_jwt_key_t **key);
static voice_jwt_e signature_check(const voice_jwt_key_t *key,
    const jwt_parts_t *parts);
static voice_jwt_e claims_check(const voice_jwt_rules_t *rules,
    const json_t *claims);
static voice_jwt_e times_check(const voice_jwt_rules_t *rules,
    const json_t *claims);
static int audience_holds(const json_t *aud, voice_span_t audience);
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
    "the token cannot be checked now",
};


voice_jwt_e
voice_jwt_verify(const voice_jwt_keys_t *keys, const voice_jwt_rules_t *rules,
    voice_span_t token, json_t **claims)
{
    json_t              *object;
    size_t               len;
    voice_jwt_e          rc;
    unsigned char       *payload;
    voice_json_error_t   err;

    *claims = NULL;

    rc = voice_jws_verify(keys, token, &payload, &len);

    if (rc != VOICE_JWT_OK) {
        return rc;
    }

    object = voice_json_parse(voice_span((char *) payload, len), &err);
    free(payload);

    rc = claims_check(rules, object);

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
    voice_jwt_e             rc;
    jwt_parts_t             parts;
    const voice_jwt_key_t  *key;

    *payload = NULL;
    *len = 0;

    rc = token_split(&parts, token);

    if (rc == VOICE_JWT_OK) {
        rc = header_check(keys, parts.header, &key);
    }

    if (rc == VOICE_JWT_OK) {
        rc = signature_check(key, &parts);
    }

    if (rc == VOICE_JWT_OK) {
        rc = part_decode(parts.payload, payload, len);
    }

    return rc;
}


voice_rc_t
voice_jwt_sign(const voice_jwt_keys_t *keys, voice_span_t kid,
    const json_t *claims, char **token, size_t *len)
{
    char                   *header, *payload, *out;
    size_t                  n, signature_len;
    voice_rc_t              rc;
    const voice_jwt_key_t  *key;
    unsigned char           signature[JWT_SIGNATURE_MAX];

    *token = NULL;
    *len = 0;

    key = jwt_key_find(keys, kid);

    if (key == NULL || !json_is_object(claims)) {
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
        + VOICE_BASE64_LEN(JWT_SIGNATURE_MAX) + sizeof("..");
    out = malloc(n);

    if (out == NULL) {
        goto done;
    }

    n = part_append(out, header);
    out[n++] = '.';
    n += part_append(out + n, payload);

    rc = key->algorithm->sign(key, voice_span(out, n), signature,
                              &signature_len);

    if (rc != VOICE_OK) {
        free(out);
        goto done;
    }

    out[n++] = '.';
    n += voice_base64url_encode(out + n, voice_span((char *) signature,
                                                    signature_len));
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

    /* a third dot is no digit: the signature's decoding refuses it */

    return VOICE_JWT_OK;
}


/* RFC 7515 section 2: base64url with all padding left out. */
static voice_jwt_e
part_decode(voice_span_t part, unsigned char **out, size_t *len)
{
    if (part.len > 0 && part.ptr[part.len - 1] == '=') {
        return VOICE_JWT_MALFORMED;
    }

    *out = malloc(part.len / 4 * 3 + 3);

    if (*out == NULL) {
        return VOICE_JWT_INTERNAL;
    }

    if (voice_base64url_decode(*out, len, part) != VOICE_OK) {
        free(*out);
        *out = NULL;
        return VOICE_JWT_MALFORMED;
    }

    return VOICE_JWT_OK;
}


static voice_jwt_e
header_check(const voice_jwt_keys_t *keys, voice_span_t part,
    const voice_jwt_key_t **key)
{
    json_t              *header;
    size_t               len;
    voice_jwt_e          rc;
    unsigned char       *text;
    voice_json_error_t   err;

    rc = part_decode(part, &text, &len);

    if (rc != VOICE_JWT_OK) {
        return rc;
    }

    header = voice_json_parse(voice_span((char *) text, len), &err);
    free(text);

    rc = json_is_object(header) ? header_key(keys, header, key)
                                : VOICE_JWT_MALFORMED;
    json_decref(header);

    return rc;
}


static voice_jwt_e
header_key(const voice_jwt_keys_t *keys, const json_t *header,
    const voice_jwt_key_t **key)
{
    json_t        *kid;
    voice_span_t   alg;

    alg = voice_json_text(header, "alg");
    kid = json_object_get(header, "kid");

    if (alg.len == 0 || (kid != NULL && !json_is_string(kid))) {
        return VOICE_JWT_MALFORMED;
    }

    if (json_object_get(header, "crit") != NULL) {
        return VOICE_JWT_CRITICAL;
    }

    *key = keys->first;

    if (kid != NULL) {
        *key = jwt_key_find(keys, voice_json_text(header, "kid"));

    } else if (*key != NULL && (*key)->next != NULL) {
        *key = NULL;
    }

    if (*key == NULL) {
        return VOICE_JWT_UNKNOWN_KEY;
    }

    return voice_span_eq(alg, voice_span_str((*key)->algorithm->name))
           ? VOICE_JWT_OK : VOICE_JWT_ALGORITHM;
}


static voice_jwt_e
signature_check(const voice_jwt_key_t *key, const jwt_parts_t *parts)
{
    size_t          len;
    voice_jwt_e     rc;
    unsigned char  *signature;

    rc = part_decode(parts->signature, &signature, &len);

    if (rc != VOICE_JWT_OK) {
        return rc;
    }

    rc = key->algorithm->verify(key, parts->message,
                                voice_span((char *) signature, len));
    free(signature);

    return rc;
}


/* RFC 7519 section 4.1; object is NULL where the payload is not JSON. */
static voice_jwt_e
claims_check(const voice_jwt_rules_t *rules, const json_t *claims)
{
    voice_jwt_e   rc;
    voice_span_t  issuer;

    if (!json_is_object(claims)) {
        return VOICE_JWT_MALFORMED;
    }

    rc = times_check(rules, claims);

    if (rc != VOICE_JWT_OK) {
        return rc;
    }

    if (rules->issuer != NULL) {
        issuer = voice_json_text(claims, "iss");

        if (issuer.ptr == NULL
            || !voice_span_eq(issuer, voice_span_str(rules->issuer)))
        {
            return VOICE_JWT_ISSUER;
        }
    }

    if (rules->audience != NULL
        && !audience_holds(json_object_get(claims, "aud"),
                           voice_span_str(rules->audience)))
    {
        return VOICE_JWT_AUDIENCE;
    }

    return VOICE_JWT_OK;
}


/* Times are NumericDate: seconds, maybe with a fraction. */
static voice_jwt_e
times_check(const voice_jwt_rules_t *rules, const json_t *claims)
{
    size_t   i;
    double   now, leeway;
    json_t  *claim[3];

    static const char *const  names[] = { "exp", "nbf", "iat" };

    for (i = 0; i < VOICE_ARRAY_SIZE(names); i++) {
        claim[i] = json_object_get(claims, names[i]);

        if (claim[i] != NULL && !json_is_number(claim[i])) {
            return VOICE_JWT_MALFORMED;
        }
    }

    if (claim[0] == NULL) {
        return VOICE_JWT_NO_EXPIRY;
    }

    now = (double) rules->now;
    leeway = (double) rules->leeway;

    if (now - leeway >= json_number_value(claim[0])) {
        return VOICE_JWT_EXPIRED;
    }

    for (i = 1; i < VOICE_ARRAY_SIZE(names); i++) {
        if (claim[i] != NULL && json_number_value(claim[i]) > now + leeway) {
            return VOICE_JWT_NOT_YET;
        }
    }

    return VOICE_JWT_OK;
}


static int
audience_holds(const json_t *aud, voice_span_t audience)
{
    size_t   i;
    json_t  *item;

    if (json_is_string(aud)) {
        return voice_span_eq(audience, voice_span(json_string_value(aud),
                                                  json_string_length(aud)));
    }

    json_array_foreach(aud, i, item) {
        if (json_is_string(item) && audience_holds(item, audience)) {
            return 1;
        }
    }

    return 0;
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
