
/*
 * Houndify's protocol: signatures and requests.
 */

#include <stdio.h>

#include "voice_code.h"
#include "voice_houndify.h"


#define TIME_MAX      20               /* digits of a timestamp */
#define MESSAGE_MAX   (2 * VOICE_HOUNDIFY_ID_MAX + TIME_MAX + 4)
#define PARTS_MAX     3                /* of a header, between ";" */


typedef struct {
    char    bytes[MESSAGE_MAX];
    size_t  len;
} message_t;


/* A signature that somebody sent, and how to make it. */
typedef struct {
    const voice_houndify_stamp_t  *stamp;
    voice_span_t                   signature;
    voice_rc_t                   (*sign)(
                                       const voice_houndify_client_t *client,
                                       const voice_houndify_stamp_t *stamp,
                                       char *out);
} claim_t;


static int id_valid(voice_span_t id);
static void add(message_t *message, voice_span_t text);
static void add_time(message_t *message, int64_t timestamp);
static voice_rc_t decode_key(voice_span_t text, unsigned char *key,
    size_t *len);
static voice_houndify_auth_e verify_r(const voice_houndify_client_t *client,
    const voice_houndify_headers_t *headers, int64_t now,
    voice_houndify_stamp_t *stamp);
static voice_houndify_auth_e verify_s(const voice_houndify_client_t *client,
    const voice_houndify_headers_t *headers, int64_t now,
    voice_houndify_stamp_t *stamp);
static voice_houndify_auth_e verify(const voice_houndify_client_t *client,
    const claim_t *claim, int64_t now);
static size_t split(voice_span_t header, voice_span_t *parts);
static int parse_time(voice_span_t text, int64_t *timestamp);
static int put_text(json_t *object, const char *name, voice_span_t text);
static int put_copy(json_t *object, const char *name, const json_t *value);


static const struct {
    unsigned     status;
    const char  *reason;
} results[] = {
    { 200, "the request is signed" },
    { 401, "the request carries no credentials" },
    { 400, "the credentials are malformed" },
    { 401, "the client is unknown" },
    { 403, "the timestamp is stale" },
    { 403, "the signature is wrong" }
};


voice_rc_t
voice_houndify_sign_r(const voice_houndify_client_t *client,
    const voice_houndify_stamp_t *stamp,
    char out[VOICE_HOUNDIFY_SIGNATURE + 1])
{
    size_t         len;
    message_t      message;
    voice_rc_t     rc;
    unsigned char  key[VOICE_HOUNDIFY_KEY_MAX + 3];
    unsigned char  mac[VOICE_SHA256_LEN];

    out[0] = '\0';

    if (!id_valid(client->client_id) || !id_valid(stamp->user_id)
        || !id_valid(stamp->request_id))
    {
        return VOICE_INVALID;
    }

    rc = decode_key(client->client_key, key, &len);
    if (rc != VOICE_OK) {
        return rc;
    }

    /* nothing parts the request id from the timestamp */
    message.len = 0;
    add(&message, stamp->user_id);
    add(&message, VOICE_SPAN(";"));
    add(&message, stamp->request_id);
    add_time(&message, stamp->timestamp);

    rc = voice_hmac_sha256(mac, voice_span((const char *) key, len),
                           voice_span(message.bytes, message.len));
    if (rc != VOICE_OK) {
        return rc;
    }

    len = voice_base64url_encode(out, voice_span((const char *) mac,
                                                 sizeof(mac)));
    while (len < VOICE_HOUNDIFY_SIGNATURE) {
        out[len++] = '=';
    }

    out[len] = '\0';

    return VOICE_OK;
}


voice_rc_t
voice_houndify_sign_s(const voice_houndify_client_t *client,
    const voice_houndify_stamp_t *stamp,
    char out[VOICE_HOUNDIFY_SIGNATURE + 1])
{
    message_t      message;
    voice_rc_t     rc;
    unsigned char  mac[VOICE_SHA256_LEN];

    out[0] = '\0';

    if (!id_valid(client->client_id) || !id_valid(stamp->request_id)
        || client->client_key.len == 0
        || client->client_key.len > VOICE_HOUNDIFY_KEY_MAX)
    {
        return VOICE_INVALID;
    }

    message.len = 0;
    add(&message, client->client_id);
    add(&message, VOICE_SPAN(";"));
    add(&message, stamp->request_id);
    add(&message, VOICE_SPAN(";"));
    add_time(&message, stamp->timestamp);

    rc = voice_hmac_sha256(mac, client->client_key,
                           voice_span(message.bytes, message.len));
    if (rc != VOICE_OK) {
        return rc;
    }

    out[voice_base64_encode(out, voice_span((const char *) mac,
                                            sizeof(mac)))] = '\0';

    return VOICE_OK;
}


voice_houndify_auth_e
voice_houndify_verify(const voice_houndify_client_t *client,
    const voice_houndify_headers_t *headers, int64_t now,
    voice_houndify_stamp_t *stamp)
{
    int                     r, s;
    voice_houndify_auth_e   result;
    voice_houndify_stamp_t  found;

    memset(&found, 0, sizeof(voice_houndify_stamp_t));

    r = headers->request_authentication.len > 0
        || headers->client_authentication.len > 0;
    s = headers->signature.len > 0 || headers->timestamp.len > 0;

    if (!r && !s) {
        return VOICE_HOUNDIFY_MISSING;
    }

    result = VOICE_HOUNDIFY_VALID;

    if (s) {
        result = verify_s(client, headers, now, &found);
    }

    /* R last: it knows the user */
    if (r && result == VOICE_HOUNDIFY_VALID) {
        result = verify_r(client, headers, now, &found);
    }

    if (result == VOICE_HOUNDIFY_VALID && stamp != NULL) {
        *stamp = found;
    }

    return result;
}


const char *
voice_houndify_reason(voice_houndify_auth_e result)
{
    return results[result].reason;
}


unsigned
voice_houndify_status(voice_houndify_auth_e result)
{
    return results[result].status;
}


json_t *
voice_houndify_request_info(const voice_houndify_info_t *info)
{
    int      failed;
    json_t  *object;

    object = json_object();

    failed = put_text(object, "ClientID", info->client_id)
             || put_text(object, "UserID", info->user_id)
             || put_text(object, "RequestID", info->request_id)
             || put_text(object, "InputLanguageIETFTag", info->language_tag)
             || put_text(object, "InputLanguageEnglishName",
                         info->language_name)
             || put_text(object, "TimeZone", info->time_zone)
             || put_text(object, "SDK", VOICE_SPAN("Voicegate"))
             || put_text(object, "SDKVersion", VOICE_SPAN("1.0"))
             || put_copy(object, "ConversationState",
                         info->conversation_state)
             || put_copy(object, "ConversationStateTime",
                         info->conversation_time)
             || json_object_set_new(object, "PartialTranscriptsDesired",
                                    json_boolean(info->partials)) != 0;

    if (!failed && info->timestamp > 0) {
        failed = json_object_set_new(object, "TimeStamp",
                                     json_integer(info->timestamp)) != 0;
    }

    if (!failed && info->response_audio) {
        failed = put_text(object, "ResponseAudioShortOrLong",
                          VOICE_SPAN("Short"))
                 || put_text(object, "ResponseAudioAcceptedEncodings",
                             VOICE_SPAN("WAV"));
    }

    if (failed) {
        json_decref(object);
        return NULL;
    }

    return object;
}


/* What may stand in a header and in the signed message. */
static int
id_valid(voice_span_t id)
{
    size_t         i;
    unsigned char  c;

    if (id.len == 0 || id.len > VOICE_HOUNDIFY_ID_MAX) {
        return 0;
    }

    for (i = 0; i < id.len; i++) {
        c = (unsigned char) id.ptr[i];

        if (c <= 0x20 || c >= 0x7f || c == ';') {
            return 0;
        }
    }

    return 1;
}


/* There is room for two ids, a timestamp and what parts them. */
static void
add(message_t *message, voice_span_t text)
{
    memcpy(message->bytes + message->len, text.ptr, text.len);
    message->len += text.len;
}


static void
add_time(message_t *message, int64_t timestamp)
{
    int   len;
    char  digits[TIME_MAX + 2];

    len = snprintf(digits, sizeof(digits), "%lld", (long long) timestamp);
    add(message, voice_span(digits, (size_t) len));
}


static voice_rc_t
decode_key(voice_span_t text, unsigned char *key, size_t *len)
{
    voice_rc_t  rc;

    if (text.len == 0 || text.len > VOICE_HOUNDIFY_KEY_MAX) {
        return VOICE_INVALID;
    }

    rc = voice_base64url_decode(key, len, text);

    return rc == VOICE_OK && *len == 0 ? VOICE_INVALID : rc;
}


static voice_houndify_auth_e
verify_r(const voice_houndify_client_t *client,
    const voice_houndify_headers_t *headers, int64_t now,
    voice_houndify_stamp_t *stamp)
{
    claim_t       claim;
    voice_span_t  request[PARTS_MAX], signature[PARTS_MAX];

    if (split(headers->request_authentication, request) != 2
        || split(headers->client_authentication, signature) != 3
        || !parse_time(signature[1], &stamp->timestamp))
    {
        return VOICE_HOUNDIFY_MALFORMED;
    }

    if (!voice_equal(signature[0], client->client_id)) {
        return VOICE_HOUNDIFY_UNKNOWN;
    }

    stamp->user_id = request[0];
    stamp->request_id = request[1];
    claim = (claim_t) { stamp, signature[2], voice_houndify_sign_r };

    return verify(client, &claim, now);
}


static voice_houndify_auth_e
verify_s(const voice_houndify_client_t *client,
    const voice_houndify_headers_t *headers, int64_t now,
    voice_houndify_stamp_t *stamp)
{
    claim_t  claim;

    if (!parse_time(headers->timestamp, &stamp->timestamp)) {
        return VOICE_HOUNDIFY_MALFORMED;
    }

    if (!voice_equal(headers->client_id, client->client_id)) {
        return VOICE_HOUNDIFY_UNKNOWN;
    }

    stamp->request_id = headers->request_id;
    claim = (claim_t) { stamp, headers->signature, voice_houndify_sign_s };

    return verify(client, &claim, now);
}


static voice_houndify_auth_e
verify(const voice_houndify_client_t *client, const claim_t *claim,
    int64_t now)
{
    char     expected[VOICE_HOUNDIFY_SIGNATURE + 1];
    int64_t  timestamp;

    if (claim->sign(client, claim->stamp, expected) != VOICE_OK) {
        return VOICE_HOUNDIFY_MALFORMED;
    }

    if (!voice_equal(claim->signature,
                     voice_span(expected, VOICE_HOUNDIFY_SIGNATURE)))
    {
        return VOICE_HOUNDIFY_WRONG;
    }

    timestamp = claim->stamp->timestamp;

    if (timestamp < now - VOICE_HOUNDIFY_STALE
        || timestamp > now + VOICE_HOUNDIFY_STALE)
    {
        return VOICE_HOUNDIFY_STALE_TIME;
    }

    return VOICE_HOUNDIFY_VALID;
}


/* Cuts at each ";"; returns the number of parts, also above PARTS_MAX. */
static size_t
split(voice_span_t header, voice_span_t *parts)
{
    size_t  i, n, start;

    n = 0;
    start = 0;

    if (header.len == 0) {
        return 0;
    }

    for (i = 0; i <= header.len; i++) {

        if (i < header.len && header.ptr[i] != ';') {
            continue;
        }

        if (n < PARTS_MAX) {
            parts[n] = voice_span(header.ptr + start, i - start);
        }

        n++;
        start = i + 1;
    }

    return n;
}


/* Only digits without a leading zero: there is one text for one time. */
static int
parse_time(voice_span_t text, int64_t *timestamp)
{
    size_t   i;
    int64_t  value;

    if (text.len == 0 || text.len > 12 || text.ptr[0] == '0') {
        return 0;
    }

    value = 0;

    for (i = 0; i < text.len; i++) {

        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return 0;
        }

        value = value * 10 + (text.ptr[i] - '0');
    }

    *timestamp = value;

    return 1;
}


static int
put_text(json_t *object, const char *name, voice_span_t text)
{
    if (text.len == 0) {
        return 0;
    }

    return json_object_set_new(object, name,
                               json_stringn(text.ptr, text.len));
}


static int
put_copy(json_t *object, const char *name, const json_t *value)
{
    if (value == NULL) {
        return 0;
    }

    return json_object_set_new(object, name, json_deep_copy(value));
}
