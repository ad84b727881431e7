/*
 * Times the verification of a token in each algorithm: prints, a line each,
 * its name, the microseconds of CPU of a whole token, and those of its
 * signature alone by the library, used as its manual shows.  The line "peek"
 * has those of a look at an unproved token, twice.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sign.h"


#define NOW      1700000000
#define SECRET   "0123456789abcdef0123456789abcdef" \
                 "0123456789abcdef0123456789abcdef"
#define ROUND    50                    /* tokens between looks at the clock */
#define ENOUGH   300000.0              /* microseconds of one measurement */
#define CLAIMS   "{\"iss\":\"https://issuer.example/\",\"aud\":\"api\"," \
                 "\"sub\":\"0190d3c2-7b5e-7c4a-9d43-0d5a1c1f7a11\"," \
                 "\"tenant_id\":\"0190d3c2-7b5e-7c4a-9d43-0d5a1c1f7a12\"," \
                 "\"role\":\"operator\",\"scopes\":[],\"iat\":1700000000," \
                 "\"exp\":1700001800}"


typedef struct {
    voice_jwt_keys_t     *keys;
    EVP_PKEY             *key;
    const sign_method_t  *method;
    unsigned char         signature[SIGN_MAX];     /* as the library has it */
    size_t                signature_len;
    size_t                message_len;
    char                  token[VOICE_JWT_MAX];
    size_t                len;
} subject_t;


typedef int (*step_pt)(subject_t *subject);


static double
now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e6 + (double) ts.tv_nsec / 1e3;
}


/* Microseconds of one step; below 0: it failed. */
static double
measure(step_pt step, subject_t *subject)
{
    double    start, spent;
    unsigned  i, n;

    n = 0;
    start = now_us();

    do {
        for (i = 0; i < ROUND; i++) {
            if (!step(subject)) {
                return -1;
            }
        }

        n += ROUND;
        spent = now_us() - start;
    } while (spent < ENOUGH);

    return spent / n;
}


static int
token_step(subject_t *subject)
{
    json_t             *claims;
    voice_jwt_e         rc;
    voice_jwt_rules_t   rules = { .now = NOW, .audience = "api",
                                  .issuer = "https://issuer.example/" };

    rc = voice_jwt_verify(subject->keys, &rules,
                          voice_span(subject->token, subject->len), &claims);
    json_decref(claims);

    return rc == VOICE_JWT_OK;
}


static int
peek_step(subject_t *subject)
{
    voice_jwt_peek_t  peek;

    return voice_jwt_peek(voice_span(subject->token, subject->len), &peek)
           == VOICE_JWT_OK;
}


/* A context for each signature, as EVP_DigestVerifyInit(3) has it. */
static int
library_step(subject_t *subject)
{
    int            good;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();

    good = EVP_DigestVerifyInit_ex(ctx, &pctx, subject->method->digest, NULL,
                                   NULL, subject->key, NULL)
           == 1
           && (subject->method->padding == 0
               || EVP_PKEY_CTX_set_rsa_padding(pctx,
                                               subject->method->padding)
                  == 1)
           && EVP_DigestVerify(ctx, subject->signature,
                               subject->signature_len,
                               (unsigned char *) subject->token,
                               subject->message_len)
              == 1;

    EVP_MD_CTX_free(ctx);

    return good;
}


static int
hmac_step(subject_t *subject)
{
    unsigned char  mac[VOICE_SHA256_LEN];

    return voice_hmac_sha256(mac, VOICE_SPAN(SECRET),
                             voice_span(subject->token, subject->message_len))
           == VOICE_OK;
}


static int
report(const char *name, subject_t *subject, step_pt ours, step_pt theirs)
{
    double  a, b;

    a = measure(ours, subject);
    b = measure(theirs, subject);
    printf("%s %.3f %.3f\n", name, a, b);

    return a >= 0 && b >= 0;
}


/* Keys without a name: the token has no kid. */
static int
public_run(const sign_method_t *method)
{
    int             good;
    char            pem[2048], header[64];
    size_t          len;
    subject_t       subject;
    sign_method_t   raw;

    raw = *method;
    raw.half = 0;
    subject.method = method;
    subject.key = sign_key(method);
    subject.keys = voice_jwt_keys_create();
    len = sign_pem(pem, sizeof(pem), subject.key);

    (void) snprintf(header, sizeof(header), "{\"alg\":\"%s\"}",
                    voice_jwt_alg_name(method->alg));
    subject.len = sign_token(subject.token, subject.key, method,
                             voice_span_str(header), VOICE_SPAN(CLAIMS));
    subject.token[subject.len] = '\0';
    subject.message_len = (size_t) (strrchr(subject.token, '.')
                                    - subject.token);
    subject.signature_len = sign_bytes(subject.signature, subject.key, &raw,
                                       voice_span(subject.token,
                                                  subject.message_len));

    good = voice_jwt_keys_add_pem(subject.keys, voice_span(NULL, 0),
                                  voice_span(pem, len),
                                  method->padding == 0 ? VOICE_JWT_RS256
                                                       : method->alg)
           == VOICE_JWK_OK
           && report(method->padding == 0 && method->half == 0
                     ? method->type : voice_jwt_alg_name(method->alg),
                     &subject, token_step, library_step);

    EVP_PKEY_free(subject.key);
    voice_jwt_keys_destroy(subject.keys);

    return good;
}


static int
secret_run(void)
{
    int         good;
    char       *token;
    json_t     *claims;
    subject_t   subject;

    token = NULL;
    subject.keys = voice_jwt_keys_create();
    claims = json_loads(CLAIMS, 0, NULL);

    good = voice_jwt_keys_add_secret(subject.keys, VOICE_JWT_HS256,
                                     VOICE_SPAN("k"), VOICE_SPAN(SECRET))
           == VOICE_OK
           && voice_jwt_sign(subject.keys, VOICE_SPAN("k"), claims, &token,
                             &subject.len)
              == VOICE_OK
           && subject.len < sizeof(subject.token);

    if (good) {
        memcpy(subject.token, token, subject.len + 1);
        subject.message_len = (size_t) (strrchr(token, '.') - token);
        good = report("HS256", &subject, token_step, hmac_step)
               && report("peek", &subject, peek_step, peek_step);
    }

    free(token);
    json_decref(claims);
    voice_jwt_keys_destroy(subject.keys);

    return good;
}


int
main(void)
{
    int     good;
    size_t  i;

    good = secret_run();

    for (i = 0; i < VOICE_ARRAY_SIZE(sign_methods) && good; i++) {
        good = public_run(&sign_methods[i]);
    }

    return good ? 0 : 1;
}
