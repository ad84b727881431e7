
/*
 * Voice agents that speak Houndify's public protocol: POST base_url/audio
 * with the sound in pieces, or POST base_url/text?query=..., RequestInfo in
 * a header, signed in one or both ways, answered by JSON objects a line.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "../lib/voice_code.h"
#include "../lib/voice_houndify.h"
#include "../lib/voice_json.h"
#include "../lib/voice_language.h"
#include "provider.h"
#include "worker_clock.h"


#define HOUND_BASE     "https://api.houndify.com/v1"
#define HOUND_AUDIO    "/audio"
#define HOUND_TEXT     "/text"
#define HOUND_CHUNK    8192            /* bytes of sound sent at once */
#define HOUND_LINE     1024
#define HOUND_URL      8192
#define HOUND_HEADERS  16
#define HOUND_INFO     (48 * 1024)     /* longest RequestInfo in a header */


/* One call, with what the attempts share. */
typedef struct {
    const provider_call_t  *call;
    const provider_turn_t  *turn;
    char           url[HOUND_URL];
    char           lines[HOUND_HEADERS][HOUND_LINE];
    char          *info;               /* the header with RequestInfo */
    char           request_id[VOICE_UUID_LEN + 1];
    size_t         sent;               /* bytes of the sound */
    int64_t        first_ms;           /* of the answer's body */
    int64_t        final_ms;
} hound_t;


static provider_e hound_converse(const provider_call_t *call,
    const provider_turn_t *turn, provider_answer_t *answer,
    provider_fault_t *fault);
static int hound_url(hound_t *hound);
static int url_escape(char *out, size_t size, voice_span_t text);
static int hound_prepare(void *data, worker_http_request_t *request,
    int attempt);
static int hound_sign(hound_t *hound, int64_t now);
static char *hound_info(const hound_t *hound, int64_t now);
static char *header_escape(const json_t *info);
static long hound_read(void *data, char *buf, size_t size);
static int hound_piece(void *data, voice_span_t piece, int64_t at_ms);
static provider_e hound_answer(const hound_t *hound,
    const worker_http_reply_t *reply, provider_answer_t *answer,
    provider_fault_t *fault);
static void hound_copy(const voice_houndify_answer_t *from,
    provider_answer_t *answer);


const provider_agent_t  provider_agent_houndify = {
    "houndify", hound_converse
};


static provider_e
hound_converse(const provider_call_t *call, const provider_turn_t *turn,
    provider_answer_t *answer, provider_fault_t *fault)
{
    hound_t               *hound;
    provider_e             rc;
    worker_http_reply_t    reply;
    worker_http_request_t  request;

    hound = calloc(1, sizeof(hound_t));
    if (hound == NULL) {
        return provider_fail(fault, PROVIDER_RETRY, "out of memory");
    }

    hound->call = call;
    hound->turn = turn;
    answer->audio_sent = strcmp(call->profile->mode, "text") != 0;

    if (!hound_url(hound)) {
        free(hound);
        return provider_fail(fault, PROVIDER_DEAD,
                             "the text is too long for the agent's address");
    }

    worker_http_request_init(&request, call->profile);
    request.method = "POST";
    request.url = hound->url;
    request.deadline_ms = call->deadline_ms;
    request.prepare = hound_prepare;
    request.prepare_data = hound;
    request.piece = hound_piece;
    request.piece_data = hound;

    if (worker_http_call(&request, &reply) == WORKER_HTTP_OK) {
        rc = hound_answer(hound, &reply, answer, fault);
    } else {
        rc = provider_http_fault("the agent", &reply, fault);
    }

    worker_http_reply_clear(&reply);
    free(hound->info);
    free(hound);

    return rc;
}


static int
hound_url(hound_t *hound)
{
    int                      n;
    const char              *base, *path;
    const worker_profile_t  *profile = hound->call->profile;

    base = profile->base_url[0] == '\0' ? HOUND_BASE : profile->base_url;

    if (strcmp(profile->mode, "text") != 0) {
        path = profile->audio_path[0] == '\0' ? HOUND_AUDIO
                                              : profile->audio_path;
        n = snprintf(hound->url, HOUND_URL, "%s%s", base, path);

        return n < HOUND_URL;
    }

    path = profile->path[0] == '\0' ? HOUND_TEXT : profile->path;
    n = snprintf(hound->url, HOUND_URL, "%s%s?query=", base, path);

    return n < HOUND_URL
           && url_escape(hound->url + n, HOUND_URL - (size_t) n,
                         hound->turn->text);
}


/* RFC 3986 2.1: all but the unreserved characters. */

static int
url_escape(char *out, size_t size, voice_span_t text)
{
    size_t         i, n;
    unsigned char  c;

    for (i = 0, n = 0; i < text.len && n + 4 <= size; i++) {
        c = (unsigned char) text.ptr[i];

        if (c < 0x80 && (isalnum(c) || strchr("-._~", c) != NULL)) {
            out[n++] = (char) c;
            continue;
        }

        n += (size_t) snprintf(out + n, size - n, "%%%02X", c);
    }

    out[n < size ? n : size - 1] = '\0';

    return i == text.len;
}


/* Each attempt has its own id, time and signatures, and starts the sound. */

static int
hound_prepare(void *data, worker_http_request_t *request, int attempt)
{
    int             i, n;
    hound_t        *hound = data;
    int64_t         now;
    unsigned char   random[10];

    (void) attempt;

    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return -1;
    }

    now = worker_wall_ms();
    voice_uuid_v7(hound->request_id, (uint64_t) now, random);

    hound->sent = 0;
    hound->first_ms = -1;
    hound->final_ms = -1;
    free(hound->info);
    hound->info = hound_info(hound, now / 1000);
    n = hound_sign(hound, now / 1000);

    if (hound->info == NULL || n < 0) {
        return -1;
    }

    for (i = 0; i < n; i++) {
        request->headers[i] = hound->lines[i];
    }

    request->headers[n] = hound->info;
    request->headers[n + 1] = NULL;

    if (strcmp(hound->call->profile->mode, "text") != 0) {
        request->read = hound_read;
        request->read_data = hound;
    }

    return 0;
}


/* Writes the lines of the headers; how many, or -1. */

static int
hound_sign(hound_t *hound, int64_t now)
{
    int                      n = 0;
    char                     r[VOICE_HOUNDIFY_SIGNATURE + 1];
    char                     s[VOICE_HOUNDIFY_SIGNATURE + 1];
    voice_span_t             user = hound->turn->conversation_id;
    voice_houndify_stamp_t   stamp;
    voice_houndify_client_t  client;
    const worker_profile_t  *profile = hound->call->profile;

    client.client_id = voice_span_str(profile->client_id);
    client.client_key = voice_span_str(profile->client_key);
    stamp.user_id = user;
    stamp.request_id = voice_span_str(hound->request_id);
    stamp.timestamp = now;

    if (strcmp(profile->signature, "document") != 0
        && voice_houndify_sign_r(&client, &stamp, r) == VOICE_OK)
    {
        snprintf(hound->lines[n++], HOUND_LINE,
                 "Hound-Request-Authentication: %.*s;%s", (int) user.len,
                 user.ptr, hound->request_id);
        snprintf(hound->lines[n++], HOUND_LINE,
                 "Hound-Client-Authentication: %s;%lld;%s",
                 profile->client_id, (long long) now, r);
    }

    if (strcmp(profile->signature, "public") != 0
        && voice_houndify_sign_s(&client, &stamp, s) == VOICE_OK)
    {
        snprintf(hound->lines[n++], HOUND_LINE, "Hound-Client-ID: %s",
                 profile->client_id);
        snprintf(hound->lines[n++], HOUND_LINE, "Hound-Request-ID: %s",
                 hound->request_id);
        snprintf(hound->lines[n++], HOUND_LINE,
                 "Hound-Request-Timestamp: %lld", (long long) now);
        snprintf(hound->lines[n++], HOUND_LINE,
                 "Hound-Request-Signature: %s", s);
    }

    if (n == 0) {
        return -1;
    }

    snprintf(hound->lines[n++], HOUND_LINE, "%s",
             strcmp(profile->mode, "text") == 0
             ? "Content-Type: application/json" : "Content-Type: audio/wav");
    snprintf(hound->lines[n++], HOUND_LINE,
             "Hound-Input-Language-IETF-Tag: %.*s",
             (int) hound->turn->language.len, hound->turn->language.ptr);

    return n;
}


static char *
hound_info(const hound_t *hound, int64_t now)
{
    char                   *line;
    json_t                 *info, *state;
    voice_houndify_info_t   wish;

    memset(&wish, 0, sizeof(voice_houndify_info_t));

    state = json_object_get(hound->turn->conversation_state,
                            "ConversationStateTime");
    wish.client_id = voice_span_str(hound->call->profile->client_id);
    wish.user_id = hound->turn->conversation_id;
    wish.request_id = voice_span_str(hound->request_id);
    wish.timestamp = now;
    wish.language_tag = hound->turn->language;

    if (voice_language_matches(VOICE_SPAN("en"), wish.language_tag)) {
        wish.language_name = VOICE_SPAN("English");
    }

    wish.conversation_state = hound->turn->conversation_state;
    wish.conversation_time = state;
    wish.partials = 1;
    wish.response_audio = 1;

    info = voice_houndify_request_info(&wish);
    if (info == NULL) {
        return NULL;
    }

    /* the built-in agent speaks as the caller wishes; others ignore it */
    if (hound->turn->domain != NULL) {
        (void) json_object_set_new(info, "Domain",
                                   json_string(hound->turn->domain));
    }

    line = header_escape(info);
    json_decref(info);

    return line;
}


/* ASCII only and on one line, so it may stand in a header. */

static char *
header_escape(const json_t *info)
{
    char    *text, *line;
    size_t   size;

    text = json_dumps(info, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text == NULL || strlen(text) > HOUND_INFO) {
        free(text);
        return NULL;
    }

    size = strlen(text) + sizeof("Hound-Request-Info: ");
    line = malloc(size);

    if (line != NULL) {
        snprintf(line, size, "Hound-Request-Info: %s", text);
    }

    free(text);

    return line;
}


static long
hound_read(void *data, char *buf, size_t size)
{
    size_t    n;
    hound_t  *hound = data;

    n = hound->turn->wav.len - hound->sent;
    n = n < size ? n : size;
    n = n < HOUND_CHUNK ? n : HOUND_CHUNK;

    memcpy(buf, hound->turn->wav.ptr + hound->sent, n);
    hound->sent += n;

    return (long) n;
}


/*
 * The first piece is the first that the agent says (its headers may come
 * before it has heard anything), the last one the end of the final object.
 */

static int
hound_piece(void *data, voice_span_t piece, int64_t at_ms)
{
    hound_t  *hound = data;

    (void) piece;

    if (hound->first_ms < 0) {
        hound->first_ms = at_ms;
    }

    hound->final_ms = at_ms;

    return 0;
}


static provider_e
hound_answer(const hound_t *hound, const worker_http_reply_t *reply,
    provider_answer_t *answer, provider_fault_t *fault)
{
    provider_e               rc = PROVIDER_OK;
    voice_houndify_answer_t  read;

    memset(&read, 0, sizeof(voice_houndify_answer_t));

    if (voice_houndify_read_all(&read, voice_span(reply->body, reply->len))
        != VOICE_OK)
    {
        rc = provider_fail(fault, PROVIDER_RETRY,
                           "the agent's answer is not Houndify's JSON");

    } else if (!read.ok) {
        rc = provider_fail(fault, PROVIDER_DEAD,
                           "the agent answered with an error");
    }

    if (rc == PROVIDER_OK) {
        hound_copy(&read, answer);
        answer->first_byte_ms = hound->first_ms >= 0 ? hound->first_ms
                                                     : reply->first_byte_ms;
        answer->final_result_ms = hound->final_ms >= 0 ? hound->final_ms
                                                       : reply->total_ms;
        answer->network_ms = reply->connected_ms;
    }

    voice_houndify_answer_release(&read);

    return rc;
}


static void
hound_copy(const voice_houndify_answer_t *from, provider_answer_t *answer)
{
    answer->response_text = provider_copy(from->spoken);
    answer->written_response = provider_copy(from->written);
    answer->transcript = provider_copy(from->transcription);
    answer->intent = provider_copy(from->intent);
    answer->command_kind = provider_copy(from->command_kind);
    answer->entities = from->entities == NULL
                       ? NULL : json_deep_copy(from->entities);
    answer->conversation_state = from->conversation_state == NULL
                       ? NULL : json_deep_copy(from->conversation_state);
    answer->asr_confidence = from->confidence;
    answer->partials = from->partials;

    if (from->audio.len > 0) {
        answer->wav = provider_base64(from->audio, &answer->wav_len);
    }
}
