/*
 * Encodings and ids against the examples of their RFCs.
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_code.h"


static void base64(void);
static void base64_refusals(void);
static void base64_round(void);
static void hex(void);
static void digests(void);
static void hmacs(void);
static void uuids(void);
static void equality(void);


int
main(void)
{
    base64();
    base64_refusals();
    base64_round();
    hex();
    digests();
    hmacs();
    uuids();
    equality();

    return done_testing();
}


/* RFC 4648 section 10, and two that need both special digits. */
static void
base64(void)
{
    char           text[32];
    size_t         i, len;
    unsigned char  bytes[32];

    static const struct {
        const char  *plain;
        const char  *padded;
        const char  *bare;
    } rows[] = {
        { "", "", "" },
        { "f", "Zg==", "Zg" },
        { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg==", "Zm9vYg" },
        { "fooba", "Zm9vYmE=", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
        { "\xfb\xef\xbe", "++++", "----" },
        { "\xff\xff\xfe", "///+", "___-" },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        len = voice_base64_encode(text, voice_span_str(rows[i].plain));
        text[len] = '\0';
        is(text, rows[i].padded, "base64 is as the RFC shows");

        len = voice_base64url_encode(text, voice_span_str(rows[i].plain));
        text[len] = '\0';
        is(text, rows[i].bare, "base64url is without padding");

        ok(voice_base64_decode(bytes, &len, voice_span_str(rows[i].padded))
           == VOICE_OK
           && voice_span_eq(voice_span((char *) bytes, len),
                            voice_span_str(rows[i].plain)),
           "\"%s\" is decoded", rows[i].padded);

        ok(voice_base64url_decode(bytes, &len, voice_span_str(rows[i].bare))
           == VOICE_OK
           && voice_span_eq(voice_span((char *) bytes, len),
                            voice_span_str(rows[i].plain)),
           "\"%s\" is decoded", rows[i].bare);
    }

    ok(voice_base64url_decode(bytes, &len, VOICE_SPAN("Zg==")) == VOICE_OK
       && len == 1, "base64url takes padding");
}


static void
base64_refusals(void)
{
    size_t         i, len;
    unsigned char  bytes[64];

    static const struct {
        const char  *text;
        int          plain;            /* good as base64 */
        int          url;              /* good as base64url */
    } rows[] = {
        { "Zg", 0, 1 }, { "Zg=", 0, 0 }, { "Zg===", 0, 0 }, { "=", 0, 0 },
        { "====", 0, 0 }, { "Z===", 0, 0 }, { "Z", 0, 0 },
        { "Zh==", 0, 0 }, { "Zm9=", 0, 0 }, { "Zh", 0, 0 },
        { "Zm9v\n", 0, 0 }, { " Zm9v", 0, 0 }, { "Zm=v", 0, 0 },
        { "Zg==Zg==", 0, 0 }, { "----", 0, 1 }, { "++++", 1, 0 },
        { "Zm9v=", 0, 0 }, { "Zm9v====", 0, 0 }, { "\xc3\xa9==", 0, 0 },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok((voice_base64_decode(bytes, &len, voice_span_str(rows[i].text))
            == VOICE_OK)
           == rows[i].plain, "row %zu is %s as base64", i,
           rows[i].plain ? "good" : "refused");
        ok((voice_base64url_decode(bytes, &len, voice_span_str(rows[i].text))
            == VOICE_OK)
           == rows[i].url, "row %zu is %s as base64url", i,
           rows[i].url ? "good" : "refused");
    }
}


static void
base64_round(void)
{
    char           text[VOICE_BASE64_LEN(256)];
    char           plain[256];
    int            good;
    size_t         i, n, len;
    unsigned char  bytes[256 / 3 * 4 + 8];

    good = 1;

    for (i = 0; i < sizeof(plain); i++) {
        plain[i] = (char) (i * 167 + 13);
    }

    for (i = 0; i <= sizeof(plain); i++) {
        n = voice_base64_encode(text, voice_span(plain, i));
        good &= n == VOICE_BASE64_LEN(i)
                && voice_base64_decode(bytes, &len, voice_span(text, n))
                   == VOICE_OK
                && voice_span_eq(voice_span((char *) bytes, len),
                                 voice_span(plain, i));
    }

    ok(good, "bytes of each length come back");
}


static void
hex(void)
{
    char    text[16];
    size_t  len;

    len = voice_hex_encode(text, voice_span("\x00\x9f\xff", 3));
    text[len] = '\0';
    is(text, "009fff", "hex is in lower case");
}


/* FIPS 180-4 examples. */
static void
digests(void)
{
    char  text[VOICE_SHA256_LEN * 2 + 1];

    ok(voice_sha256_hex(text, VOICE_SPAN("abc")) == VOICE_OK,
       "a digest is made");
    is(text, "ba7816bf8f01cfea414140de5dae2223"
             "b00361a396177a9cb410ff61f20015ad", "as the standard shows");

    ok(voice_sha256_hex(text, voice_span(NULL, 0)) == VOICE_OK,
       "a digest of nothing is made");
    is(text, "e3b0c44298fc1c149afbf4c8996fb924"
             "27ae41e4649b934ca495991b7852b855", "as everybody knows it");
}


/* RFC 4231 section 4: keys shorter, as long as and longer than a block. */
static void
hmacs(void)
{
    size_t         i, len;
    unsigned char  out[VOICE_SHA256_LEN];

    char  text[65];
    char  key[131] = "";
    char  message[50] = "";

    struct {
        voice_span_t   key;
        voice_span_t   message;
        const char    *expected;
    } rows[] = {
        { voice_span(key, 20), VOICE_SPAN("Hi There"),
          "b0344c61d8db38535ca8afceaf0bf12b"
          "881dc200c9833da726e9376c2e32cff7" },
        { VOICE_SPAN("Jefe"), VOICE_SPAN("what do ya want for nothing?"),
          "5bdcc146bf60754e6a042426089575c7"
          "5a003f089d2739839dec58b964ec3843" },
        { voice_span(key, 20), voice_span(message, 50),
          "773ea91e36800e46854db8ebd09181a7"
          "2959098b3ef8c122d9635514ced565fe" },
        { voice_span(key, 131),
          VOICE_SPAN("Test Using Larger Than Block-Size Key - Hash Key "
                     "First"),
          "60e431591ee0b67f0d8a26aacbf5b77f"
          "8e0bc6213728c5140546040f0ee37f54" },
        { voice_span(key, 131),
          VOICE_SPAN("This is a test using a larger than block-size key and "
                     "a larger than block-size data. The key needs to be "
                     "hashed before being used by the HMAC algorithm."),
          "9b09ffa71b942fcb27635fbcd5b0e944"
          "bfdc63644f0713938a7f51535c3a35e2" },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        memset(key, i == 0 ? 0x0b : 0xaa, sizeof(key));
        memset(message, 0xdd, sizeof(message));

        ok(voice_hmac_sha256(out, rows[i].key, rows[i].message) == VOICE_OK,
           "an HMAC is made");
        len = voice_hex_encode(text, voice_span((char *) out, sizeof(out)));
        text[len] = '\0';
        is(text, rows[i].expected, "as the RFC shows");
    }
}


static void
uuids(void)
{
    char           text[VOICE_UUID_LEN + 1];
    size_t         i;

    /* RFC 9562 appendix A.6 */

    static const unsigned char  random[10] = {
        0xfc, 0xc3, 0x58, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f
    };

    static const char *const  broken[] = {
        "", "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e279b07cc398c4dc0c0c07398f0000",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
        "017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
    };

    voice_uuid_v7(text, 0x017f22e279b0, random);
    is(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
       "a UUIDv7 is as the RFC shows");

    voice_uuid_v7(text, 0, (const unsigned char *) "\0\0\0\0\0\0\0\0\0\0");
    is(text, "00000000-0000-7000-8000-000000000000",
       "version and variant are set");

    voice_uuid_v8(text, (const unsigned char *)
                  "\x24\x89\xe9\xad\x2e\xe2\x3e\x00\x0e\xc9\x32\xd5\xf6"
                  "\x91\x81\xc0");
    is(text, "2489e9ad-2ee2-8e00-8ec9-32d5f69181c0",
       "a UUIDv8 is as the RFC shows");

    ok(voice_uuid_valid(VOICE_SPAN("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")),
       "upper case is valid");

    for (i = 0; i < VOICE_ARRAY_SIZE(broken); i++) {
        ok(!voice_uuid_valid(voice_span_str(broken[i])),
           "\"%s\" is no UUID", broken[i]);
    }
}


static void
equality(void)
{
    ok(voice_equal(VOICE_SPAN("secret"), VOICE_SPAN("secret")),
       "the same bytes are equal");
    ok(!voice_equal(VOICE_SPAN("secret"), VOICE_SPAN("secreT")),
       "other bytes are not");
    ok(!voice_equal(VOICE_SPAN("secret"), VOICE_SPAN("secre")),
       "a prefix is not");
    ok(voice_equal(voice_span(NULL, 0), voice_span("", 0)),
       "nothing equals nothing");
}
