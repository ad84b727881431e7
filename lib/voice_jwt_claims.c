/*
 * The rules that claims and the type of a token have to meet: RFC 7519
 * section 4.1, RFC 8725 section 3.
 */

#include <strings.h>

#include "voice_jwt_private.h"


static voice_jwt_e strings_check(const json_t *claims);
static voice_jwt_e times_check(const voice_jwt_rules_t *rules,
    const json_t *claims);
static int audience_holds(const json_t *aud, voice_span_t audience);
static voice_span_t type_name(voice_span_t type);


static const char *const  jwt_default_types[] = { "JWT", "", NULL };


voice_jwt_e
jwt_claims_check(const voice_jwt_rules_t *rules, const json_t *claims)
{
    voice_jwt_e   rc;
    voice_span_t  issuer;

    if (!json_is_object(claims)) {
        return VOICE_JWT_MALFORMED;
    }

    rc = strings_check(claims);

    if (rc == VOICE_JWT_OK) {
        rc = times_check(rules, claims);
    }

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


int
jwt_type_holds(const voice_jwt_rules_t *rules, const json_t *header)
{
    voice_span_t        type, name;
    const char *const  *row;

    type = type_name(voice_json_text(header, "typ"));
    row = rules->types == NULL ? jwt_default_types : rules->types;

    for (; *row != NULL; row++) {
        name = type_name(voice_span_str(*row));

        if (voice_span_eq(name, VOICE_SPAN("*"))) {
            return 1;
        }

        if (name.len == type.len
            && (name.len == 0
                || strncasecmp(name.ptr, type.ptr, name.len) == 0))
        {
            return 1;
        }
    }

    return 0;
}


/* RFC 7519 sections 4.1.2 and 4.1.7. */
static voice_jwt_e
strings_check(const json_t *claims)
{
    size_t   i;
    json_t  *claim;

    static const char *const  names[] = { "sub", "jti" };

    for (i = 0; i < VOICE_ARRAY_SIZE(names); i++) {
        claim = json_object_get(claims, names[i]);

        if (claim != NULL && !json_is_string(claim)) {
            return VOICE_JWT_MALFORMED;
        }
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

    if (rules->max_age > 0
        && (claim[2] == NULL
            || now - json_number_value(claim[2])
               > (double) rules->max_age + leeway))
    {
        return VOICE_JWT_TOO_OLD;
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


/* RFC 7515 section 4.1.9: "application/" may be left out. */
static voice_span_t
type_name(voice_span_t type)
{
    size_t  len;

    static const char  prefix[] = "application/";

    len = sizeof(prefix) - 1;

    if (type.len > len && strncasecmp(type.ptr, prefix, len) == 0
        && memchr(type.ptr + len, '/', type.len - len) == NULL)
    {
        return voice_span(type.ptr + len, type.len - len);
    }

    return type;
}
