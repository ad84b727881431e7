/*
 * Tokens and keys: the examples of the RFCs.
 */

#include <stdlib.h>

#include "jwk.h"
#include "tap.h"
#include "voice_code.h"
#include "voice_jwt.h"


static void publics(void);
static void secrets(void);
static void thumbprints(void);


static const struct {
    const char  *name;
    const char  *alg;
    const char  *key;
    const char  *token;
    const char  *payload;
} rfc_publics[] = {
    { "RFC 7515 A.2", "RS256",
      "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTb"
      "ji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-p"
      "CgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS"
      "5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3q"
      "Co5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs9"
      "1kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
      "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo"
      "gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF"
      "80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W"
      "2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO7"
      "5vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
      "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgG"
      "Y9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
      "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n"
      " \"http://example.com/is_root\":true}" },
    { "RFC 7515 A.3", "ES256",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMz"
      "V76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI"
      "5a0\"}",
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo"
      "gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfU"
      "AqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
      "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n"
      " \"http://example.com/is_root\":true}" },
    { "RFC 7515 A.4", "ES512",
      "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSr"
      "DCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y"
      "\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4"
      "Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
      "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_"
      "UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgo"
      "XD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLze"
      "O_Jn",
      "Payload" },
    { "RFC 8037 A.4", "EdDSA",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7"
      "hcvPapiMlrwIaaPcHURo\"}",
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGC"
      "jP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
      "MuM0KAg",
      "Example of Ed25519 signing" },
};


/* Of the key of RFC 7515 appendix A.1. */
static const struct {
    const char   *name;
    const char   *token;
    voice_jwt_e   result;
} rfc_secrets[] = {
    { "RFC 7515 A.1, RFC 7519 3.1",
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHA"
      "iOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
      VOICE_JWT_OK },
    { "RFC 7515 A.5, RFC 7519 6.1: unsecured",
      "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
      "Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
      VOICE_JWT_ALGORITHM },
    { "RFC 7797 4.1: encoded",
      "eyJhbGciOiJIUzI1NiJ9.JC4wMg.5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvo"
      "EoQ",
      VOICE_JWT_OK },
    { "RFC 7797 4.2: unencoded, detached",
      "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_"
      "n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
      VOICE_JWT_CRITICAL },
    { "RFC 7797 4.2: unencoded, encoded after all",
      "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19.JC4wMg.A5dx"
      "f2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
      VOICE_JWT_CRITICAL },
    { "RFC 7797 4.2: unencoded, with its dot",
      "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19.$.02.A5dxf2"
      "s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
      VOICE_JWT_MALFORMED },
    { "RFC 7516 A.1: encrypted",
      "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7LF"
      "pZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe.48V1_ALb6US04U3b.5eym8TW"
      "_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZod"
      "etZdvTiFvSkQ",
      VOICE_JWT_MALFORMED },
};


static const struct {
    const char  *name;
    const char  *key;
    const char  *thumbprint;
} rfc_thumbprints[] = {
    { "RFC 7638 3.1",
      "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbW"
      "hM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn"
      "jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2"
      "QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08"
      "qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF4"
      "4-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid"
      "\":\"2011-04-29\"}",
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" },
    { "RFC 8037 A.3",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7"
      "hcvPapiMlrwIaaPcHURo\"}",
      "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" },
    { "RFC 8037 A.3 with its private member",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"nWGxne_9WmC6hEr0kuwsxER"
      "JxWl7MmkZcDusAxyuf2A\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaa"
      "PcHURo\"}",
      "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" },
};


int
main(void)
{
    publics();
    secrets();
    thumbprints();

    return done_testing();
}


/* The key has neither name nor algorithm, the token no kid. */
static void
publics(void)
{
    char                  *token;
    size_t                 i, len;
    unsigned char         *payload;
    voice_jwt_keys_t      *keys;
    voice_jwt_key_info_t   info;

    for (i = 0; i < VOICE_ARRAY_SIZE(rfc_publics); i++) {
        keys = voice_jwt_keys_create();

        ok(key_add(keys, rfc_publics[i].key) == VOICE_JWK_OK
           && voice_jwt_keys_at(keys, 0, &info) == VOICE_OK,
           "%s: the key is added", rfc_publics[i].name);
        is(info.alg, rfc_publics[i].alg, "with the algorithm of its type");

        token = strdup(rfc_publics[i].token);

        ok(voice_jws_verify(keys, voice_span_str(token), &payload, &len)
           == VOICE_JWT_OK
           && voice_span_eq(voice_span((char *) payload, len),
                            voice_span_str(rfc_publics[i].payload)),
           "%s: the token holds", rfc_publics[i].name);
        free(payload);

        token[strlen(token) - 3] = token[strlen(token) - 3] == 'A' ? 'B'
                                                                   : 'A';
        ok(voice_jws_verify(keys, voice_span_str(token), &payload, &len)
           == VOICE_JWT_SIGNATURE && payload == NULL,
           "%s: with another signature it does not", rfc_publics[i].name);
        free(token);

        voice_jwt_keys_destroy(keys);
    }
}


static void
secrets(void)
{
    size_t             i, len;
    unsigned char      secret[128], *payload;
    voice_jwt_keys_t  *keys;

    keys = voice_jwt_keys_create();

    ok(voice_base64url_decode(secret, &len,
           VOICE_SPAN("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
                      "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
       == VOICE_OK
       && voice_jwt_keys_add_secret(keys, VOICE_JWT_HS256, VOICE_SPAN("any"),
                                    voice_span((char *) secret, len))
          == VOICE_OK, "the secret of RFC 7515 A.1 is added");

    for (i = 0; i < VOICE_ARRAY_SIZE(rfc_secrets); i++) {
        ok(voice_jws_verify(keys, voice_span_str(rfc_secrets[i].token),
                            &payload, &len)
           == rfc_secrets[i].result, "%s: %s", rfc_secrets[i].name,
           voice_jwt_reason(rfc_secrets[i].result));
        free(payload);
    }

    voice_jwt_keys_destroy(keys);
}


static void
thumbprints(void)
{
    char                 out[VOICE_JWK_THUMBPRINT_LEN + 1];
    size_t               i;
    json_t              *jwk;
    voice_json_error_t   err;

    for (i = 0; i < VOICE_ARRAY_SIZE(rfc_thumbprints); i++) {
        jwk = voice_json_parse(voice_span_str(rfc_thumbprints[i].key), &err);

        ok(voice_jwk_thumbprint(out, jwk) == VOICE_JWK_OK
           && strcmp(out, rfc_thumbprints[i].thumbprint) == 0, "%s: %s",
           rfc_thumbprints[i].name, out);
        json_decref(jwk);
    }
}
