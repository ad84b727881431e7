
/*
 * Speech to text by an endpoint that is compatible with OpenAI's
 * POST /v1/audio/transcriptions (multipart/form-data; JSON answer with the
 * member "text").
 */

#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_code.h"
#include "../lib/voice_json.h"
#include "../lib/voice_language.h"
#include "provider.h"


#define OPENAI_BASE     "https://api.openai.com/v1"
#define OPENAI_PATH     "/audio/transcriptions"
#define OPENAI_MODEL    "whisper-1"
#define OPENAI_HEAD     2048
#define OPENAI_LINE     2048
#define OPENAI_BOUNDARY VOICE_SHA256_LEN * 2 + 1


typedef struct {
    char  url[OPENAI_LINE];
    char  key[OPENAI_LINE];
    char  type[OPENAI_LINE];
    char  boundary[OPENAI_BOUNDARY];
} openai_call_t;


static provider_e openai_transcribe(const provider_call_t *call,
    const provider_recording_t *recording, provider_transcript_t *transcript,
    provider_fault_t *fault);
static int openai_prepare(openai_call_t *openai,
    const worker_profile_t *profile, voice_span_t wav);
static char *openai_body(const openai_call_t *openai,
    const provider_call_t *call, const provider_recording_t *recording,
    size_t *len);
static void openai_language(const openai_call_t *openai,
    voice_span_t language, char out[OPENAI_HEAD / 2]);
static provider_e openai_read(const worker_profile_t *profile,
    const worker_http_reply_t *reply, provider_transcript_t *transcript,
    provider_fault_t *fault);


const provider_asr_t  provider_asr_openai = { "openai", openai_transcribe };


static provider_e
openai_transcribe(const provider_call_t *call,
    const provider_recording_t *recording, provider_transcript_t *transcript,
    provider_fault_t *fault)
{
    char                  *body;
    size_t                 len;
    provider_e             rc;
    openai_call_t          openai;
    worker_http_reply_t    reply;
    worker_http_request_t  request;

    if (!openai_prepare(&openai, call->profile, recording->wav)) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the ASR profile's settings are too long");
    }

    body = openai_body(&openai, call, recording, &len);
    if (body == NULL) {
        return provider_fail(fault, PROVIDER_RETRY, "out of memory");
    }

    worker_http_request_init(&request, call->profile);
    request.method = "POST";
    request.url = openai.url;
    request.headers[0] = openai.type;
    request.headers[1] = "Accept: application/json";
    request.headers[2] = openai.key[0] == '\0' ? NULL : openai.key;
    request.body = voice_span(body, len);
    request.deadline_ms = call->deadline_ms;

    if (worker_http_call(&request, &reply) == WORKER_HTTP_OK) {
        rc = openai_read(call->profile, &reply, transcript, fault);
    } else {
        rc = provider_http_fault("the ASR", &reply, fault);
    }

    worker_http_reply_clear(&reply);
    free(body);

    return rc;
}


/* The boundary is a hash of the recording, so it does not stand in it. */

static int
openai_prepare(openai_call_t *openai, const worker_profile_t *profile,
    voice_span_t wav)
{
    int  url, key, type;

    if (voice_sha256_hex(openai->boundary, wav) != VOICE_OK) {
        return 0;
    }

    url = snprintf(openai->url, OPENAI_LINE, "%s%s",
                   profile->base_url[0] == '\0' ? OPENAI_BASE
                                                : profile->base_url,
                   profile->audio_path[0] == '\0' ? OPENAI_PATH
                                                  : profile->audio_path);
    type = snprintf(openai->type, OPENAI_LINE,
                    "Content-Type: multipart/form-data; boundary=%s",
                    openai->boundary);
    key = 0;
    openai->key[0] = '\0';

    if (profile->api_key[0] != '\0') {
        key = snprintf(openai->key, OPENAI_LINE, "Authorization: Bearer %s",
                       profile->api_key);
    }

    return url < OPENAI_LINE && type < OPENAI_LINE && key < OPENAI_LINE;
}


static char *
openai_body(const openai_call_t *openai, const provider_call_t *call,
    const provider_recording_t *recording, size_t *len)
{
    int          head, tail;
    char        *body;
    char         language[OPENAI_HEAD / 2];
    const char  *b = openai->boundary;

    body = malloc(recording->wav.len + OPENAI_HEAD * 2);
    if (body == NULL) {
        return NULL;
    }

    openai_language(openai, recording->language, language);

    head = snprintf(body, OPENAI_HEAD,
        "--%s\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n"
        "%.200s\r\n%s"
        "--%s\r\nContent-Disposition: form-data; name=\"response_format\""
        "\r\n\r\njson\r\n"
        "--%s\r\nContent-Disposition: form-data; name=\"temperature\""
        "\r\n\r\n0\r\n"
        "--%s\r\nContent-Disposition: form-data; name=\"file\"; "
        "filename=\"answer.wav\"\r\nContent-Type: audio/wav\r\n\r\n",
        b, call->profile->model[0] == '\0' ? OPENAI_MODEL
                                           : call->profile->model,
        language, b, b, b);

    memcpy(body + head, recording->wav.ptr, recording->wav.len);

    tail = snprintf(body + head + recording->wav.len, OPENAI_HEAD,
                    "\r\n--%s--\r\n", b);

    *len = (size_t) head + recording->wav.len + (size_t) tail;

    return body;
}


/* The part of the form; none where it is to be detected. */

static void
openai_language(const openai_call_t *openai, voice_span_t language,
    char out[OPENAI_HEAD / 2])
{
    voice_span_t  primary;

    out[0] = '\0';
    primary = voice_language_primary(language);

    if (primary.len > 0) {
        snprintf(out, OPENAI_HEAD / 2, "--%s\r\nContent-Disposition: "
                 "form-data; name=\"language\"\r\n\r\n%.*s\r\n",
                 openai->boundary, (int) primary.len, primary.ptr);
    }
}


static provider_e
openai_read(const worker_profile_t *profile,
    const worker_http_reply_t *reply, provider_transcript_t *transcript,
    provider_fault_t *fault)
{
    json_t              *root;
    voice_json_error_t   error;

    root = voice_json_parse(voice_span(reply->body, reply->len), &error);

    transcript->text = root == NULL ? NULL
        : provider_text_at(root, profile->text_pointer[0] == '\0'
                                 ? "/text" : profile->text_pointer);
    json_decref(root);

    if (transcript->text == NULL) {
        (void) provider_fail(fault, PROVIDER_DEAD,
                             "the ASR answered without a text");
        fault->garbage = 1;
        return PROVIDER_DEAD;
    }

    if (strlen(transcript->text) > PROVIDER_TEXT_MAX) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the ASR's text is longer than %d bytes",
                             PROVIDER_TEXT_MAX);
    }

    transcript->confidence = -1;
    snprintf(transcript->method, sizeof(transcript->method), "openai:%.50s",
             profile->model[0] == '\0' ? OPENAI_MODEL : profile->model);
    snprintf(transcript->verdict, sizeof(transcript->verdict), "heard");

    return PROVIDER_OK;
}
