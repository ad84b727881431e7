/*
 * Encodings and ids, see voice_code.h.
 */

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "voice_code.h"


#define CODE_INVALID  0xff             /* no digit of the alphabet */


static size_t encode64(char *out, voice_span_t in, const char *digits);
static size_t encode64_tail(char *out, const unsigned char *in, size_t left,
    const char *digits);
static voice_rc_t decode64(unsigned char *out, size_t *len, voice_span_t in,
    const char *digits);
static unsigned char digit64(char c, const char *digits);
static size_t padding64(voice_span_t in);
static void uuid_write(char *out, const unsigned char bytes[16],
    unsigned char version);


static const char  code_hex[] = "0123456789abcdef";
static const char  code_base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char  code_base64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


size_t
voice_hex_encode(char *out, voice_span_t in)
{
    size_t  i;

    for (i = 0; i < in.len; i++) {
        *out++ = code_hex[(unsigned char) in.ptr[i] >> 4];
        *out++ = code_hex[(unsigned char) in.ptr[i] & 0xf];
    }

    return in.len * 2;
}


size_t
voice_base64_encode(char *out, voice_span_t in)
{
    size_t  n;

    n = encode64(out, in, code_base64);

    while (n % 4 != 0) {
        out[n++] = '=';
    }

    return n;
}


size_t
voice_base64url_encode(char *out, voice_span_t in)
{
    return encode64(out, in, code_base64url);
}


voice_rc_t
voice_base64_decode(unsigned char *out, size_t *len, voice_span_t in)
{
    if (in.len % 4 != 0) {
        return VOICE_INVALID;
    }

    in.len -= padding64(in);

    return decode64(out, len, in, code_base64);
}


voice_rc_t
voice_base64url_decode(unsigned char *out, size_t *len, voice_span_t in)
{
    size_t  padding;

    padding = padding64(in);

    if (padding != 0 && in.len % 4 != 0) {
        return VOICE_INVALID;
    }

    in.len -= padding;

    return decode64(out, len, in, code_base64url);
}


voice_rc_t
voice_sha256(unsigned char out[VOICE_SHA256_LEN], voice_span_t in)
{
    /* EVP wants a pointer even where there is nothing to read */
    if (EVP_Digest(in.len == 0 ? "" : in.ptr, in.len, out, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        return VOICE_FAILED;
    }

    return VOICE_OK;
}


voice_rc_t
voice_sha256_hex(char out[VOICE_SHA256_LEN * 2 + 1], voice_span_t in)
{
    size_t         n;
    unsigned char  digest[VOICE_SHA256_LEN];

    if (voice_sha256(digest, in) != VOICE_OK) {
        return VOICE_FAILED;
    }

    n = voice_hex_encode(out, voice_span((char *) digest, sizeof(digest)));
    out[n] = '\0';

    return VOICE_OK;
}


voice_rc_t
voice_hmac_sha256(unsigned char out[VOICE_SHA256_LEN], voice_span_t key,
    voice_span_t message)
{
    unsigned  len;

    len = VOICE_SHA256_LEN;

    if (key.len > INT32_MAX) {
        return VOICE_LIMIT;
    }

    if (HMAC(EVP_sha256(), key.len == 0 ? "" : key.ptr, (int) key.len,
             (const unsigned char *) message.ptr, message.len, out, &len)
        == NULL)
    {
        return VOICE_FAILED;
    }

    return VOICE_OK;
}


void
voice_uuid_v7(char out[VOICE_UUID_LEN + 1], uint64_t ms,
    const unsigned char random[10])
{
    size_t         i;
    unsigned char  id[16];

    for (i = 0; i < 6; i++) {
        id[i] = (unsigned char) (ms >> (40 - 8 * i));
    }

    memcpy(id + 6, random, 10);
    uuid_write(out, id, 0x70);
}


void
voice_uuid_v8(char out[VOICE_UUID_LEN + 1], const unsigned char bytes[16])
{
    uuid_write(out, bytes, 0x80);
}


int
voice_uuid_valid(voice_span_t text)
{
    char    c;
    size_t  i;

    if (text.len != VOICE_UUID_LEN) {
        return 0;
    }

    for (i = 0; i < text.len; i++) {
        c = text.ptr[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return 0;
            }

            continue;
        }

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')
              || (c >= 'A' && c <= 'F')))
        {
            return 0;
        }
    }

    return 1;
}


int
voice_equal(voice_span_t a, voice_span_t b)
{
    return a.len == b.len
           && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}


static size_t
encode64(char *out, voice_span_t in, const char *digits)
{
    size_t                i, n;
    const unsigned char  *p;

    n = 0;
    p = (const unsigned char *) in.ptr;

    for (i = 0; i + 2 < in.len; i += 3) {
        out[n++] = digits[p[i] >> 2];
        out[n++] = digits[(p[i] & 0x03) << 4 | p[i + 1] >> 4];
        out[n++] = digits[(p[i + 1] & 0x0f) << 2 | p[i + 2] >> 6];
        out[n++] = digits[p[i + 2] & 0x3f];
    }

    if (i < in.len) {
        n += encode64_tail(out + n, p + i, in.len - i, digits);
    }

    return n;
}


static size_t
encode64_tail(char *out, const unsigned char *in, size_t left,
    const char *digits)
{
    out[0] = digits[in[0] >> 2];

    if (left == 1) {
        out[1] = digits[(in[0] & 0x03) << 4];
        return 2;
    }

    out[1] = digits[(in[0] & 0x03) << 4 | in[1] >> 4];
    out[2] = digits[(in[1] & 0x0f) << 2];

    return 3;
}


/*
 * Decodes digits without padding.  Bits of the last digit that belong to no
 * byte must be zero, so that each byte string has one text only (RFC 4648
 * section 3.5).
 */
static voice_rc_t
decode64(unsigned char *out, size_t *len, voice_span_t in, const char *digits)
{
    size_t         i, n;
    uint32_t       bits;
    unsigned       nbits;
    unsigned char  digit;

    n = 0;
    bits = 0;
    nbits = 0;

    if (in.len % 4 == 1) {
        return VOICE_INVALID;
    }

    for (i = 0; i < in.len; i++) {
        digit = digit64(in.ptr[i], digits);

        if (digit == CODE_INVALID) {
            return VOICE_INVALID;
        }

        bits = (bits << 6 | digit) & 0xffff;
        nbits += 6;

        if (nbits >= 8) {
            nbits -= 8;
            out[n++] = (unsigned char) (bits >> nbits);
        }
    }

    if ((bits & ((1u << nbits) - 1)) != 0) {
        return VOICE_INVALID;
    }

    *len = n;

    return VOICE_OK;
}


static unsigned char
digit64(char c, const char *digits)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned char) (c - 'A');
    }

    if (c >= 'a' && c <= 'z') {
        return (unsigned char) (c - 'a' + 26);
    }

    if (c >= '0' && c <= '9') {
        return (unsigned char) (c - '0' + 52);
    }

    if (c == digits[62]) {
        return 62;
    }

    return c == digits[63] ? 63 : CODE_INVALID;
}


static size_t
padding64(voice_span_t in)
{
    size_t  n;

    for (n = 0; n < 2 && n < in.len; n++) {
        if (in.ptr[in.len - 1 - n] != '=') {
            break;
        }
    }

    return n;
}


/* The version in its upper four bits; the variant is the RFC's. */
static void
uuid_write(char *out, const unsigned char bytes[16], unsigned char version)
{
    size_t         i;
    unsigned char  byte;

    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }

        byte = i == 6 ? (bytes[i] & 0x0f) | version
               : i == 8 ? (bytes[i] & 0x3f) | 0x80 : bytes[i];

        *out++ = code_hex[byte >> 4];
        *out++ = code_hex[byte & 0xf];
    }

    *out = '\0';
}
