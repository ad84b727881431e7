
/*
 * Voice agents behind a plain HTTP endpoint.
 *
 * mode text:   POST base_url + path with {"text", "language",
 *              "conversation_id", "context"}
 * mode audio:  POST base_url + audio_path with a WAV file, X-Language and
 *              X-Conversation-Id in headers
 *
 * The answer is JSON {"text", "intent", "command_kind", "entities",
 * "transcript", "confidence", "conversation_state", "audio" (base64 WAV)} or
 * a WAV file with X-Transcript (what the agent heard), X-Response-Text,
 * X-Intent and X-Command-Kind.  text_pointer and audio_pointer of the
 * profile say where an answer of another shape has its text and audio.
 */

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "../lib/voice_json.h"
#include "../lib/voice_text.h"
#include "provider.h"


#define HTTP_LINE  2304


typedef struct {
    const char  *pointer;
    size_t       offset;               /* of a char * in the answer */
} http_member_t;


static provider_e http_converse(const provider_call_t *call,
    const provider_turn_t *turn, provider_answer_t *answer,
    provider_fault_t *fault);
static int http_headers(const provider_call_t *call,
    const provider_turn_t *turn, char lines[][HTTP_LINE],
    worker_http_request_t *request);
static char *http_body(const provider_turn_t *turn);
static provider_e http_read(const worker_profile_t *profile,
    const worker_http_reply_t *reply, provider_answer_t *answer,
    provider_fault_t *fault);
static provider_e http_wav(const worker_http_reply_t *reply,
    provider_answer_t *answer, provider_fault_t *fault);
static char *header_text(const worker_http_reply_t *reply, const char *name);
static provider_e http_json(const worker_profile_t *profile,
    const worker_http_reply_t *reply, provider_answer_t *answer,
    provider_fault_t *fault);
static void http_members(const worker_profile_t *profile, const json_t *root,
    provider_answer_t *answer);


static const http_member_t  members[] = {
    { "/written_response", offsetof(provider_answer_t, written_response) },
    { "/transcript", offsetof(provider_answer_t, transcript) },
    { "/intent", offsetof(provider_answer_t, intent) },
    { "/command_kind", offsetof(provider_answer_t, command_kind) },
    { NULL, 0 }
};


const provider_agent_t  provider_agent_http = { "http", http_converse };


static provider_e
http_converse(const provider_call_t *call, const provider_turn_t *turn,
    provider_answer_t *answer, provider_fault_t *fault)
{
    char                  *body = NULL;
    char                   lines[5][HTTP_LINE];
    provider_e             rc;
    worker_http_reply_t    reply;
    worker_http_request_t  request;

    if (call->profile->base_url[0] == '\0') {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the agent's profile has no base_url");
    }

    answer->audio_sent = strcmp(call->profile->mode, "text") != 0;

    worker_http_request_init(&request, call->profile);

    if (!http_headers(call, turn, lines, &request)) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the agent profile's settings are too long");
    }

    request.method = "POST";
    request.deadline_ms = call->deadline_ms;
    request.body = turn->wav;

    if (!answer->audio_sent) {
        body = http_body(turn);
        if (body == NULL) {
            return provider_fail(fault, PROVIDER_DEAD,
                                 "the test's text is not UTF-8");
        }

        request.body = voice_span_str(body);
    }

    if (worker_http_call(&request, &reply) == WORKER_HTTP_OK) {
        rc = http_read(call->profile, &reply, answer, fault);
    } else {
        rc = provider_http_fault("the agent", &reply, fault);
    }

    worker_http_reply_clear(&reply);
    free(body);

    return rc;
}


/* The first line is the address. */

static int
http_headers(const provider_call_t *call, const provider_turn_t *turn,
    char lines[][HTTP_LINE], worker_http_request_t *request)
{
    int                      i, n[5] = { 0, 0, 0, 0, 0 };
    const worker_profile_t  *profile = call->profile;
    int                      text = strcmp(profile->mode, "text") == 0;

    n[0] = snprintf(lines[0], HTTP_LINE, "%s%s", profile->base_url,
                    text ? profile->path : profile->audio_path);
    n[1] = snprintf(lines[1], HTTP_LINE, "Content-Type: %s",
                    text ? "application/json" : "audio/wav");
    n[2] = snprintf(lines[2], HTTP_LINE, "X-Language: %.*s",
                    (int) turn->language.len, turn->language.ptr);
    n[3] = snprintf(lines[3], HTTP_LINE, "X-Conversation-Id: %.*s",
                    (int) turn->conversation_id.len,
                    turn->conversation_id.ptr);

    if (profile->api_key[0] != '\0') {
        n[4] = snprintf(lines[4], HTTP_LINE, "Authorization: Bearer %s",
                        profile->api_key);
    }

    request->url = lines[0];

    for (i = 0; i < 5; i++) {
        if (n[i] < 0 || n[i] >= HTTP_LINE) {
            return 0;
        }

        if (i > 0 && n[i] > 0) {
            request->headers[i - 1] = lines[i];
        }
    }

    return 1;
}


static char *
http_body(const provider_turn_t *turn)
{
    char    *body;
    json_t  *root;

    root = json_pack("{s:s%, s:s%, s:s%, s:O?, s:O?}",
                     "text", turn->text.ptr, turn->text.len,
                     "language", turn->language.ptr, turn->language.len,
                     "conversation_id", turn->conversation_id.ptr,
                     turn->conversation_id.len,
                     "context", turn->context,
                     "conversation_state", turn->conversation_state);
    body = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);

    return body;
}


static provider_e
http_read(const worker_profile_t *profile, const worker_http_reply_t *reply,
    provider_answer_t *answer, provider_fault_t *fault)
{
    provider_e  rc;

    answer->asr_confidence = -1;
    answer->first_byte_ms = reply->first_byte_ms;
    answer->final_result_ms = reply->total_ms;
    answer->network_ms = reply->connected_ms;

    if (strncasecmp(reply->content_type, "audio/", 6) == 0) {
        rc = http_wav(reply, answer, fault);
    } else {
        rc = http_json(profile, reply, answer, fault);
    }

    if (rc == PROVIDER_OK && answer->wav_len > PROVIDER_AUDIO_MAX) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the agent's audio is larger than %u bytes",
                             PROVIDER_AUDIO_MAX);
    }

    return rc;
}


static provider_e
http_wav(const worker_http_reply_t *reply, provider_answer_t *answer,
    provider_fault_t *fault)
{
    answer->wav = malloc(reply->len + 1);
    if (answer->wav == NULL) {
        return provider_fail(fault, PROVIDER_RETRY, "out of memory");
    }

    if (reply->len > 0) {
        memcpy(answer->wav, reply->body, reply->len);
    }

    answer->wav_len = reply->len;
    answer->transcript = header_text(reply, "X-Transcript");
    answer->response_text = header_text(reply, "X-Response-Text");
    answer->intent = header_text(reply, "X-Intent");
    answer->command_kind = header_text(reply, "X-Command-Kind");

    return PROVIDER_OK;
}


/* Headers are bytes; only UTF-8 is stored. */

static char *
header_text(const worker_http_reply_t *reply, const char *name)
{
    voice_span_t  value;

    value = worker_http_header(reply, name);

    return voice_text_valid(value) ? provider_copy(value) : NULL;
}


static provider_e
http_json(const worker_profile_t *profile, const worker_http_reply_t *reply,
    provider_answer_t *answer, provider_fault_t *fault)
{
    char                *audio;
    json_t              *root;
    voice_json_error_t   error;

    root = voice_json_parse(voice_span(reply->body, reply->len), &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return provider_fail(fault, PROVIDER_DEAD,
                             "the agent's answer is no JSON object");
    }

    http_members(profile, root, answer);

    audio = provider_text_at(root, profile->audio_pointer[0] == '\0'
                                   ? "/audio" : profile->audio_pointer);
    json_decref(root);

    if (audio != NULL) {
        answer->wav = provider_base64(voice_span_str(audio),
                                      &answer->wav_len);
    }

    if (audio != NULL && answer->wav == NULL) {
        free(audio);
        return provider_fail(fault, PROVIDER_DEAD,
                             "the agent's audio is not base64");
    }

    free(audio);

    return PROVIDER_OK;
}


static void
http_members(const worker_profile_t *profile, const json_t *root,
    provider_answer_t *answer)
{
    size_t   i;
    char   **member;
    json_t  *value;

    answer->response_text
        = provider_text_at(root, profile->text_pointer[0] == '\0'
                                 ? "/text" : profile->text_pointer);

    for (i = 0; members[i].pointer != NULL; i++) {
        member = (char **) ((char *) answer + members[i].offset);
        *member = provider_text_at(root, members[i].pointer);
    }

    value = json_object_get(root, "entities");
    answer->entities = json_is_object(value) ? json_incref(value) : NULL;

    value = json_object_get(root, "conversation_state");
    answer->conversation_state = json_is_object(value) ? json_incref(value)
                                                       : NULL;

    value = json_object_get(root, "confidence");
    answer->asr_confidence = json_is_number(value)
                             ? json_number_value(value) : -1;
}
