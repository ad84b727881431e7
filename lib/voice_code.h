
/*
 * Encodings and ids: hex, base64 and base64url (RFC 4648), SHA-256, HMAC,
 * UUIDv7 (RFC 9562), constant-time comparison.
 */

#ifndef VOICE_CODE_H
#define VOICE_CODE_H


#include "voice_base.h"


#define VOICE_UUID_LEN    36
#define VOICE_SHA256_LEN  32


/* Bytes that the encodings need, without a NUL. */
#define VOICE_HEX_LEN(n)     ((n) * 2)
#define VOICE_BASE64_LEN(n)  (((n) + 2) / 3 * 4)


/* Each returns the number of bytes written; nothing is NUL terminated. */
size_t voice_hex_encode(char *out, voice_span_t in);
size_t voice_base64_encode(char *out, voice_span_t in);       /* padded */
size_t voice_base64url_encode(char *out, voice_span_t in);    /* bare */

/*
 * Strict decoding; out needs in.len / 4 * 3 + 3 bytes.  The url form takes
 * input with and without padding.  VOICE_INVALID for anything else.
 */
voice_rc_t voice_base64_decode(unsigned char *out, size_t *len,
    voice_span_t in) VOICE_MUST_CHECK;
voice_rc_t voice_base64url_decode(unsigned char *out, size_t *len,
    voice_span_t in) VOICE_MUST_CHECK;

voice_rc_t voice_sha256(unsigned char out[VOICE_SHA256_LEN], voice_span_t in)
    VOICE_MUST_CHECK;
/* The digest as 64 lower-case hex digits and a NUL. */
voice_rc_t voice_sha256_hex(char out[VOICE_SHA256_LEN * 2 + 1],
    voice_span_t in) VOICE_MUST_CHECK;
voice_rc_t voice_hmac_sha256(unsigned char out[VOICE_SHA256_LEN],
    voice_span_t key, voice_span_t message) VOICE_MUST_CHECK;

/*
 * A UUIDv7 from unix milliseconds and 10 random bytes; writes 36 characters
 * and a NUL.
 */
void voice_uuid_v7(char out[VOICE_UUID_LEN + 1], uint64_t ms,
    const unsigned char random[10]);
/* A UUIDv8 of 16 bytes, but for its version and variant; writes as much. */
void voice_uuid_v8(char out[VOICE_UUID_LEN + 1],
    const unsigned char bytes[16]);
/* Is this the text form of a UUID (any version, either case)? */
int voice_uuid_valid(voice_span_t text);

/* Equal, in time that depends on the lengths only? */
int voice_equal(voice_span_t a, voice_span_t b);


#endif /* VOICE_CODE_H */
