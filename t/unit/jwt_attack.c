/*
 * Tokens: round trips through each algorithm, and the attacks on signatures,
 * algorithms and encodings that others fell to (RFC 8725 section 2).
 */

#include <stdlib.h>

#include "sign.h"
#include "tap.h"


#define NOW      1700000000
#define PAYLOAD  "{\"exp\":1700000060,\"sub\":\"u\"}"
#define TOKEN    (VOICE_JWT_MAX * 2)


/* A key of each method, and the table that has only its public half. */
typedef struct {
    const sign_method_t  *method;
    EVP_PKEY             *key;
    voice_jwt_keys_t     *keys;
    char                  pem[2048];
    size_t                pem_len;
} party_t;


static int party_create(party_t *party, const sign_method_t *method);
static void party_destroy(party_t *party);
static size_t party_token(const party_t *party, char *token,
    const char *header);
static void method_run(const sign_method_t *method);
static void round_trip(const party_t *party);
static void confusion(const party_t *party);
static void signatures(const party_t *party);
static void truncations(const party_t *party);
static void fixed_halves(const party_t *party);
static void half_set(unsigned char *half, size_t len, size_t kind,
    voice_jwt_alg_e alg);
static void der_signature(const party_t *party);
static void injections(void);
static void key_choice(void);
static void encodings(void);
static voice_jwt_e verify(const voice_jwt_keys_t *keys, const char *token,
    size_t len);
static const char *alg_name(const party_t *party);


int
main(void)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(sign_methods); i++) {
        method_run(&sign_methods[i]);
    }

    injections();
    key_choice();
    encodings();

    return done_testing();
}


static void
method_run(const sign_method_t *method)
{
    party_t  party;

    if (ok(party_create(&party, method), "%s %s: a key is made",
           voice_jwt_alg_name(method->alg), method->type))
    {
        round_trip(&party);
        confusion(&party);
        signatures(&party);
        truncations(&party);

        if (method->half > 0) {
            fixed_halves(&party);
            der_signature(&party);
        }
    }

    party_destroy(&party);
}


static int
party_create(party_t *party, const sign_method_t *method)
{
    party->method = method;
    party->key = sign_key(method);
    party->keys = voice_jwt_keys_create();
    party->pem_len = sign_pem(party->pem, sizeof(party->pem), party->key);

    return voice_jwt_keys_add_pem(party->keys, VOICE_SPAN("k"),
                                  voice_span(party->pem, party->pem_len),
                                  method->padding == 0 ? VOICE_JWT_RS256
                                                       : method->alg)
           == VOICE_JWK_OK;
}


static void
party_destroy(party_t *party)
{
    EVP_PKEY_free(party->key);
    voice_jwt_keys_destroy(party->keys);
}


/* Signed by the party, with "%s" of the header as its algorithm. */
static size_t
party_token(const party_t *party, char *token, const char *header)
{
    char  text[256];

    (void) snprintf(text, sizeof(text), header, alg_name(party));

    return sign_token(token, party->key, party->method,
                      voice_span_str(text), VOICE_SPAN(PAYLOAD));
}


static void
round_trip(const party_t *party)
{
    char      token[TOKEN];
    size_t    len;
    unsigned  i;

    for (i = 0; i < 3; i++) {
        len = party_token(party, token, "{\"alg\":\"%s\",\"kid\":\"k\"}");
        ok(verify(party->keys, token, len) == VOICE_JWT_OK,
           "%s: a token holds, time %u", alg_name(party), i + 1);

        token[len - 8] = token[len - 8] == 'A' ? 'B' : 'A';
        ok(verify(party->keys, token, len) == VOICE_JWT_SIGNATURE,
           "%s: with another signature it does not", alg_name(party));
    }

    len = party_token(party, token, "{\"alg\":\"%s\"}");
    ok(verify(party->keys, token, len) == VOICE_JWT_OK,
       "%s: without a kid the only key serves", alg_name(party));

    len = party_token(party, token, "{\"alg\":\"%s\",\"kid\":\"K\"}");
    ok(verify(party->keys, token, len) == VOICE_JWT_UNKNOWN_KEY,
       "%s: another kid does not", alg_name(party));

    len = party_token(party, token, "{\"alg\":\"%s\",\"kid\":\"k\"}");
    token[len - 90] ^= 1;
    ok(verify(party->keys, token, len) != VOICE_JWT_OK,
       "%s: nor does a changed payload or signature", alg_name(party));
}


/*
 * Every other algorithm over the same key, and the public key, as it stands
 * in its file, as an HMAC's secret.
 */
static void
confusion(const party_t *party)
{
    char                token[TOKEN], text[128];
    size_t              i, len;
    const char         *name;
    voice_jwt_keys_t   *secrets;
    char               *forged;
    json_t             *claims;

    for (i = 0; *voice_jwt_alg_name((voice_jwt_alg_e) i) != '\0'; i++) {
        name = voice_jwt_alg_name((voice_jwt_alg_e) i);

        if (strcmp(name, alg_name(party)) == 0) {
            continue;
        }

        (void) snprintf(text, sizeof(text), "{\"alg\":\"%s\",\"kid\":\"k\"}",
                        name);
        len = party_token(party, token, text);
        ok(verify(party->keys, token, len) == VOICE_JWT_ALGORITHM,
           "%s: a header of %s is refused", alg_name(party), name);
    }

    claims = json_pack("{s:i}", "exp", NOW + 60);

    for (i = VOICE_JWT_HS256; i <= VOICE_JWT_HS512; i++) {
        secrets = voice_jwt_keys_create();
        ok(voice_jwt_keys_add_secret(secrets, (voice_jwt_alg_e) i,
                                     VOICE_SPAN("k"),
                                     voice_span(party->pem, party->pem_len))
           == VOICE_OK
           && voice_jwt_sign(secrets, VOICE_SPAN("k"), claims, &forged, &len)
              == VOICE_OK
           && verify(party->keys, forged, len) == VOICE_JWT_ALGORITHM,
           "%s: an HMAC of its public key is refused", alg_name(party));
        free(forged);
        voice_jwt_keys_destroy(secrets);
    }

    json_decref(claims);
}


/* Signatures of all lengths around the right one, and of nothing. */
static void
signatures(const party_t *party)
{
    char           token[TOKEN];
    size_t         i, n, len;
    unsigned       held;
    unsigned char  signature[SIGN_MAX + 8];

    held = 0;
    memset(signature, 0, sizeof(signature));
    (void) party_token(party, token, "{\"alg\":\"%s\",\"kid\":\"k\"}");
    n = (size_t) (strrchr(token, '.') - token) + 1;
    len = sign_bytes(signature, party->key, party->method,
                     voice_span(token, n - 1));

    for (i = 0; i < len + 8; i++) {
        held += verify(party->keys, token,
                       n + voice_base64url_encode(token + n,
                               voice_span((char *) signature, i)))
                == VOICE_JWT_OK;
    }

    ok(held == 1, "%s: of all lengths only one holds", alg_name(party));

    memmove(signature + 1, signature, len);
    signature[0] = 0;
    ok(verify(party->keys, token,
              n + voice_base64url_encode(token + n,
                                         voice_span((char *) signature,
                                                    len + 1)))
       == VOICE_JWT_SIGNATURE, "%s: a zero in front is refused",
       alg_name(party));

    memset(signature, 0, len);
    ok(verify(party->keys, token,
              n + voice_base64url_encode(token + n,
                                         voice_span((char *) signature, len)))
       == VOICE_JWT_SIGNATURE, "%s: zeros are refused", alg_name(party));

    memset(signature, 0xff, len);
    ok(verify(party->keys, token,
              n + voice_base64url_encode(token + n,
                                         voice_span((char *) signature, len)))
       == VOICE_JWT_SIGNATURE, "%s: ones are refused", alg_name(party));
}


static void
truncations(const party_t *party)
{
    char      token[TOKEN], *exact;
    size_t    i, len;
    unsigned  held;

    held = 0;
    len = party_token(party, token, "{\"alg\":\"%s\",\"kid\":\"k\"}");

    /* on the heap, so that a sanitizer sees a byte read behind the end */

    for (i = 0; i < len; i++) {
        exact = malloc(i + 1);
        memcpy(exact, token, i);
        exact = realloc(exact, i == 0 ? 1 : i);
        held += verify(party->keys, exact, i) == VOICE_JWT_OK;
        free(exact);
    }

    ok(held == 0, "%s: no beginning of a token holds", alg_name(party));
}


/* r and s of 0, 1, the order and all ones, in every pair (CVE-2022-21449). */
static void
fixed_halves(const party_t *party)
{
    char           token[TOKEN];
    size_t         r, s, n, half;
    unsigned       held;
    unsigned char  signature[SIGN_MAX];

    held = 0;
    half = party->method->half;
    (void) party_token(party, token, "{\"alg\":\"%s\",\"kid\":\"k\"}");
    n = (size_t) (strrchr(token, '.') - token) + 1;

    for (r = 0; r < 4; r++) {
        for (s = 0; s < 4; s++) {
            half_set(signature, half, r, party->method->alg);
            half_set(signature + half, half, s, party->method->alg);
            held += verify(party->keys, token,
                           n + voice_base64url_encode(token + n,
                                   voice_span((char *) signature, half * 2)))
                    != VOICE_JWT_SIGNATURE;
        }
    }

    ok(held == 0, "%s: no r and s that nobody computed hold",
       alg_name(party));
}


/* Of kind 0: 0; 1: 1; 2: the order of the curve; 3: all ones. */
static void
half_set(unsigned char *half, size_t len, size_t kind, voice_jwt_alg_e alg)
{
    int        nid;
    EC_GROUP  *group;

    memset(half, kind == 3 ? 0xff : 0, len);
    half[len - 1] = kind == 1 ? 1 : half[len - 1];

    if (kind == 2) {
        nid = alg == VOICE_JWT_ES256 ? NID_X9_62_prime256v1
              : alg == VOICE_JWT_ES384 ? NID_secp384r1 : NID_secp521r1;
        group = EC_GROUP_new_by_curve_name(nid);
        (void) BN_bn2binpad(EC_GROUP_get0_order(group), half, (int) len);
        EC_GROUP_free(group);
    }
}


/* The form that certificates have, instead of that of RFC 7518. */
static void
der_signature(const party_t *party)
{
    char            token[TOKEN];
    size_t          n, len;
    sign_method_t   method;
    unsigned char   der[SIGN_MAX];

    method = *party->method;
    method.half = 0;

    (void) party_token(party, token, "{\"alg\":\"%s\",\"kid\":\"k\"}");
    n = (size_t) (strrchr(token, '.') - token) + 1;
    len = sign_bytes(der, party->key, &method, voice_span(token, n - 1));

    ok(len > 0
       && verify(party->keys, token,
                 n + voice_base64url_encode(token + n,
                                            voice_span((char *) der, len)))
          == VOICE_JWT_SIGNATURE, "%s: a signature as DER is refused",
       alg_name(party));
}


/* Keys that a token brings or names by itself are never looked at. */
static void
injections(void)
{
    char      token[TOKEN];
    size_t    i, len;
    party_t   ours, theirs;

    static const char *const  headers[] = {
        "{\"alg\":\"%s\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}}",
        "{\"alg\":\"%s\",\"jku\":\"https://attacker.example/jwks.json\"}",
        "{\"alg\":\"%s\",\"x5u\":\"https://attacker.example/chain.pem\"}",
        "{\"alg\":\"%s\",\"x5c\":[\"MIIB\"]}",
        "{\"alg\":\"%s\",\"kid\":\"k\",\"jwk\":{}}",
        "{\"alg\":\"%s\",\"kid\":\"../../../dev/null\"}",
        "{\"alg\":\"%s\",\"kid\":\"k' or '1'='1\"}",
        "{\"alg\":\"%s\",\"kid\":\"\"}",
        "{\"alg\":\"%s\",\"kid\":\"k\\u0000x\"}",
        "{\"alg\":\"%s\",\"kid\":\"k \"}",
        "{\"alg\":\"%s\",\"kid\":\"\xc5\xbf\"}",
    };

    ok(party_create(&ours, &sign_methods[9])
       && party_create(&theirs, &sign_methods[9]), "two keys are made");

    for (i = 0; i < VOICE_ARRAY_SIZE(headers); i++) {
        len = party_token(&theirs, token, headers[i]);
        ok(verify(ours.keys, token, len) != VOICE_JWT_OK,
           "%s does not hold", headers[i]);
    }

    len = party_token(&ours, token,
                      "{\"alg\":\"%s\",\"kid\":\"k\",\"jku\":\"x\"}");
    ok(verify(ours.keys, token, len) == VOICE_JWT_OK,
       "nor do such headers harm");

    party_destroy(&ours);
    party_destroy(&theirs);
}


/* Without a kid: one key of the algorithm serves, of several none. */
static void
key_choice(void)
{
    char      token[TOKEN];
    size_t    len;
    party_t   ed, es, other;

    ok(party_create(&ed, &sign_methods[9])
       && party_create(&es, &sign_methods[6])
       && party_create(&other, &sign_methods[9])
       && voice_jwt_keys_add_pem(ed.keys, VOICE_SPAN("es"),
                                 voice_span(es.pem, es.pem_len),
                                 VOICE_JWT_RS256)
          == VOICE_JWK_OK, "a table has two algorithms");

    len = party_token(&es, token, "{\"alg\":\"%s\"}");
    ok(verify(ed.keys, token, len) == VOICE_JWT_OK,
       "without a kid the only key of the algorithm serves");
    len = party_token(&es, token, "{\"alg\":\"%s\",\"kid\":\"k\"}");
    ok(verify(ed.keys, token, len) == VOICE_JWT_ALGORITHM,
       "a kid is a kid, whatever the algorithm");

    ok(voice_jwt_keys_add_pem(ed.keys, VOICE_SPAN("other"),
                              voice_span(other.pem, other.pem_len),
                              VOICE_JWT_RS256)
       == VOICE_JWK_OK, "the table has a second key of an algorithm");

    len = party_token(&ed, token, "{\"alg\":\"%s\"}");
    ok(verify(ed.keys, token, len) == VOICE_JWT_UNKNOWN_KEY,
       "without a kid none of two is tried");
    len = party_token(&other, token, "{\"alg\":\"%s\",\"kid\":\"other\"}");
    ok(verify(ed.keys, token, len) == VOICE_JWT_OK, "by its name each is");

    party_destroy(&ed);
    party_destroy(&es);
    party_destroy(&other);
}


/* Each other text of a token that holds is refused. */
static void
encodings(void)
{
    char       token[TOKEN], other[TOKEN];
    size_t     i, n, len;
    party_t    party;
    unsigned   held;

    static const char *const  extra[] = {
        "=", "==", " ", "\n", "\t", "+", "/", "?", "%3D", "\xe2\x80\x8b",
        "\xc3\xa9", ".",
    };

    ok(party_create(&party, &sign_methods[9]), "a key is made");
    len = party_token(&party, token, "{\"alg\":\"%s\",\"kid\":\"k\"}");

    for (i = 0; i < VOICE_ARRAY_SIZE(extra); i++) {
        held = 0;

        for (n = 0; n <= len; n++) {
            memcpy(other, token, n);
            memcpy(other + n, extra[i], strlen(extra[i]));
            memcpy(other + n + strlen(extra[i]), token + n, len - n);
            held += verify(party.keys, other, len + strlen(extra[i]))
                    == VOICE_JWT_OK;
        }

        ok(held == 0, "a token with \"%s\" anywhere does not hold",
           extra[i][0] == '\n' ? "\\n" : extra[i]);
    }

    held = 0;

    for (n = 0; n < len; n++) {
        for (i = 1; i < 256; i++) {
            memcpy(other, token, len);
            other[n] = (char) (other[n] ^ (int) i);
            held += verify(party.keys, other, len) == VOICE_JWT_OK;
        }
    }

    ok(held == 0, "nor with any other byte anywhere");

    memset(other, 'A', sizeof(other));
    memcpy(other, token, len);
    ok(verify(party.keys, other, VOICE_JWT_MAX) != VOICE_JWT_OK
       && verify(party.keys, other, sizeof(other)) == VOICE_JWT_MALFORMED,
       "a huge token is refused");

    party_destroy(&party);
}


static voice_jwt_e
verify(const voice_jwt_keys_t *keys, const char *token, size_t len)
{
    json_t             *claims;
    voice_jwt_e         rc;
    voice_jwt_rules_t   rules = { .now = NOW };

    rc = voice_jwt_verify(keys, &rules, voice_span(token, len), &claims);

    if ((rc == VOICE_JWT_OK) != (claims != NULL) || rc == VOICE_JWT_INTERNAL)
    {
        ok(0, "claims are given if and only if the token is good");
    }

    json_decref(claims);

    return rc;
}


static const char *
alg_name(const party_t *party)
{
    return voice_jwt_alg_name(party->method->alg);
}
