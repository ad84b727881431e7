/*
 * Verifies or signs a token for each line of standard input, a JSON object,
 * and prints an object for it.
 *
 *   {"jwks": {}, "token": "..."}           a JWK Set; or
 *   {"pem": "...", "token": "..."}         a public key; or
 *   {"secret": "base64url", "alg": "HS256", "kid": "k", "token": "..."}
 *       -> {"result": "the token is valid", "claims": {}, "keys": []}
 *
 *   {"secret": "...", "alg": "HS256", "kid": "k", "claims": {}}
 *       -> {"token": "..."}
 *
 * "default_alg" (RS256), "issuer", "audience" and "now" may be there.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_code.h"
#include "voice_jwt.h"


#define SECRET_MAX  512                /* bytes */


static voice_jwt_alg_e
alg_member(const json_t *line, const char *name, voice_jwt_alg_e otherwise)
{
    voice_jwt_alg_e  alg;

    return voice_jwt_alg_find(&alg, voice_json_text(line, name)) == VOICE_OK
           ? alg : otherwise;
}


static int
secret_add(voice_jwt_keys_t *keys, const json_t *line)
{
    size_t         len;
    voice_span_t   text;
    unsigned char  secret[SECRET_MAX];

    text = voice_json_text(line, "secret");

    return text.len < SECRET_MAX
           && voice_base64url_decode(secret, &len, text) == VOICE_OK
           && voice_jwt_keys_add_secret(keys,
                                        alg_member(line, "alg",
                                                   VOICE_JWT_HS256),
                                        voice_json_text(line, "kid"),
                                        voice_span((char *) secret, len))
              == VOICE_OK;
}


static int
keys_add(voice_jwt_keys_t *keys, const json_t *line)
{
    int                   good;
    char                 *text;
    voice_jwt_alg_e       alg;
    voice_jwks_report_t   report;

    alg = alg_member(line, "default_alg", VOICE_JWT_RS256);

    if (json_object_get(line, "secret") != NULL) {
        return secret_add(keys, line);
    }

    if (json_object_get(line, "pem") != NULL) {
        return voice_jwt_keys_add_pem(keys, voice_json_text(line, "kid"),
                                      voice_json_text(line, "pem"), alg)
               == VOICE_JWK_OK;
    }

    text = json_dumps(json_object_get(line, "jwks"), 0);
    good = voice_jwt_keys_add_jwks(keys, voice_span_str(text), alg, &report)
           == VOICE_OK;
    free(text);

    return good;
}


static json_t *
sign(const voice_jwt_keys_t *keys, const json_t *line)
{
    char    *token;
    size_t   len;
    json_t  *answer;

    if (voice_jwt_sign(keys, voice_json_text(line, "kid"),
                       json_object_get(line, "claims"), &token, &len)
        != VOICE_OK)
    {
        return json_pack("{s:s}", "result", "not signed");
    }

    answer = json_pack("{s:s}", "token", token);
    free(token);

    return answer;
}


static json_t *
verify(const voice_jwt_keys_t *keys, const json_t *line)
{
    json_t             *claims, *now;
    voice_jwt_e         rc;
    voice_jwt_rules_t   rules;

    memset(&rules, 0, sizeof(rules));
    now = json_object_get(line, "now");
    rules.now = now == NULL ? 1700000001 : json_integer_value(now);
    rules.issuer = voice_json_text(line, "issuer").ptr;
    rules.audience = voice_json_text(line, "audience").ptr;

    rc = voice_jwt_verify(keys, &rules, voice_json_text(line, "token"),
                          &claims);

    return json_pack("{s:s, s:o*}", "result", voice_jwt_reason(rc), "claims",
                     claims);
}


static json_t *
keys_list(const voice_jwt_keys_t *keys)
{
    size_t                 i;
    json_t                *list;
    voice_jwt_key_info_t   info;

    list = json_array();

    for (i = 0; voice_jwt_keys_at(keys, i, &info) == VOICE_OK; i++) {
        if (json_array_append_new(list,
                json_pack("{s:s%, s:s, s:s, s:s}", "kid", info.kid.ptr,
                          info.kid.len, "alg", info.alg, "type", info.type,
                          "thumbprint", info.thumbprint))
            != 0)
        {
            break;
        }
    }

    return list;
}


static int
line_run(const char *text, size_t len)
{
    json_t              *line, *answer;
    voice_jwt_keys_t    *keys;
    voice_json_error_t   err;

    line = voice_json_parse(voice_span(text, len), &err);
    keys = voice_jwt_keys_create();

    if (!keys_add(keys, line)) {
        answer = json_pack("{s:s}", "result", "no keys");

    } else {
        answer = json_object_get(line, "claims") != NULL ? sign(keys, line)
                                                         : verify(keys, line);
    }

    (void) (json_object_set_new(answer, "keys", keys_list(keys)) == 0
            && json_dumpf(answer, stdout, JSON_COMPACT) == 0
            && putchar('\n'));

    json_decref(answer);
    json_decref(line);
    voice_jwt_keys_destroy(keys);

    return ferror(stdout) == 0;
}


int
main(void)
{
    int       good;
    char     *line;
    size_t    size;
    ssize_t   len;

    good = 1;
    line = NULL;
    size = 0;

    for (len = getline(&line, &size, stdin); len > 0 && good;
         len = getline(&line, &size, stdin))
    {
        good = line_run(line, (size_t) len);
    }

    free(line);

    return good ? 0 : 1;
}
