
/*
 * Analysis of calls by a plain HTTP endpoint:
 *
 * POST base_url + path {"call_id", "data", "media", "packets", "missing",
 * "language"}: data is the text (media "text/plain") or a WAV file in
 * base64 ("audio/wav"); language stands there if it is known.
 *
 * The answer is {"transcription", "sentiment", "confidence"}, and may have
 * "score", "summary", "language" and "method".  Any other 200 is garbage:
 * the service may do better the next time.
 */

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_code.h"
#include "../lib/voice_json.h"
#include "../lib/voice_language.h"
#include "provider_post.h"


#define HTTP_WHO      "the analysis"
#define HTTP_TAIL     "\"}"


/* A body in which a long file is encoded as it is sent. */
typedef struct {
    voice_span_t  parts[3];            /* before, the file, behind */
    unsigned      part;                /* that is being sent */
} http_body_t;


typedef struct {
    const provider_call_t  *call;
    provider_insight_t     *insight;
} http_reader_t;


static provider_e http_analyse(const provider_call_t *call,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault);
static char *http_json(const provider_conversation_t *conversation);
static void http_stream(provider_post_t *post, http_body_t *body,
    char *json, voice_span_t wav);
static long http_read(void *data, char *buf, size_t size);
static size_t read_plain(voice_span_t *part, char *buf, size_t size);
static size_t read_base64(voice_span_t *part, char *buf, size_t size);
static int http_accept(void *data, worker_http_reply_t *reply);
static void http_members(const http_reader_t *reader, const json_t *root);
static double number_of(const json_t *root, const char *name, double none);
static void word_of(const json_t *root, const char *name, char *out,
    size_t size);


const provider_analysis_t  provider_analysis_http = { "http", http_analyse };


static provider_e
http_analyse(const provider_call_t *call,
    const provider_conversation_t *conversation, provider_insight_t *insight,
    provider_fault_t *fault)
{
    char                 *json;
    provider_e            rc;
    http_body_t           body;
    http_reader_t         reader = { call, insight };
    provider_post_t       post;
    worker_http_reply_t   reply;

    json = http_json(conversation);
    if (json == NULL) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the text of the call is not UTF-8");
    }

    memset(&post, 0, sizeof(provider_post_t));
    post.who = HTTP_WHO;
    post.path = call->profile->path;
    post.accept = http_accept;
    post.accept_data = &reader;
    post.body = voice_span_str(json);

    if (conversation->wav.len > 0) {
        http_stream(&post, &body, json, conversation->wav);
    }

    rc = provider_post(call, &post, &reply, fault);

    worker_http_reply_clear(&reply);
    free(json);

    return rc;
}


/* The member "data" is the last one, and empty where a file follows. */

static char *
http_json(const provider_conversation_t *c)
{
    char    *text;
    json_t  *root;

    root = json_pack("{s:s%, s:s, s:I, s:I}",
                     "call_id", c->call_id.ptr, c->call_id.len,
                     "media", c->wav.len > 0 ? "audio/wav" : "text/plain",
                     "packets", (json_int_t) c->packets,
                     "missing", (json_int_t) c->missing);

    if (root != NULL && c->language.len > 0
        && json_object_set_new(root, "language",
                               json_stringn(c->language.ptr,
                                            c->language.len))
           != 0)
    {
        json_decref(root);
        return NULL;
    }

    if (root != NULL
        && json_object_set_new(root, "data",
                               c->wav.len > 0 || c->text.len == 0
                               ? json_string("")
                               : json_stringn(c->text.ptr, c->text.len))
           != 0)
    {
        json_decref(root);
        return NULL;
    }

    text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);

    return text;
}


static void
http_stream(provider_post_t *post, http_body_t *body, char *json,
    voice_span_t wav)
{
    memset(body, 0, sizeof(http_body_t));
    body->parts[0] = voice_span(json, strlen(json) - (sizeof(HTTP_TAIL) - 1));
    body->parts[1] = wav;
    body->parts[2] = VOICE_SPAN(HTTP_TAIL);

    post->body = voice_span(NULL, 0);
    post->read = http_read;
    post->read_data = body;
}


static long
http_read(void *data, char *buf, size_t size)
{
    size_t        n;
    http_body_t  *body;

    body = data;

    while (body->part < VOICE_ARRAY_SIZE(body->parts)) {
        n = body->part == 1 ? read_base64(&body->parts[1], buf, size)
                            : read_plain(&body->parts[body->part], buf, size);
        if (n > 0) {
            return (long) n;
        }

        body->part++;
    }

    return 0;
}


static size_t
read_plain(voice_span_t *part, char *buf, size_t size)
{
    size_t  n;

    n = part->len < size ? part->len : size;
    memcpy(buf, part->ptr, n);
    *part = voice_span(part->ptr + n, part->len - n);

    return n;
}


/* Whole groups of three bytes but for the last; libcurl's room is larger. */

static size_t
read_base64(voice_span_t *part, char *buf, size_t size)
{
    size_t  n;

    n = size / 4 * 3;
    n = part->len < n ? part->len : n;

    if (n == 0) {
        return 0;
    }

    size = voice_base64_encode(buf, voice_span(part->ptr, n));
    *part = voice_span(part->ptr + n, part->len - n);

    return size;
}


static int
http_accept(void *data, worker_http_reply_t *reply)
{
    json_t              *root;
    http_reader_t       *reader;
    provider_fault_t     fault;
    voice_json_error_t   error;

    reader = data;
    root = voice_json_parse(voice_span(reply->body, reply->len), &error);

    if (!json_is_object(root)) {
        json_decref(root);
        snprintf(reply->error, sizeof(reply->error), "no JSON object");
        return 0;
    }

    http_members(reader, root);
    json_decref(root);
    memset(&fault, 0, sizeof(provider_fault_t));

    if (provider_insight_check(reader->insight,
            (size_t) reader->call->settings->call_text_max, &fault)
        != PROVIDER_OK)
    {
        snprintf(reply->error, sizeof(reply->error), "%.159s", fault.reason);
        return 0;
    }

    return 1;
}


static void
http_members(const http_reader_t *reader, const json_t *root)
{
    size_t               i;
    voice_span_t         language;
    const char          *pointer;
    provider_insight_t  *insight;

    insight = reader->insight;
    pointer = reader->call->profile->text_pointer;

    insight->transcription
        = provider_text_at(root, pointer[0] == '\0' ? "/transcription"
                                                    : pointer);
    insight->summary = provider_text_at(root, "/summary");
    insight->score = number_of(root, "score", NAN);
    insight->confidence = number_of(root, "confidence", -1);

    word_of(root, "sentiment", insight->sentiment,
            sizeof(insight->sentiment));

    for (i = 0; insight->sentiment[i] != '\0'; i++) {
        insight->sentiment[i]
            = (char) tolower((unsigned char) insight->sentiment[i]);
    }

    word_of(root, "method", insight->method, sizeof(insight->method));

    if (insight->method[0] == '\0') {
        snprintf(insight->method, sizeof(insight->method), "http:%.40s",
                 reader->call->profile->name);
    }

    language = voice_json_text(root, "language");

    if (voice_language_canonical(language, insight->language) != VOICE_OK) {
        insight->language[0] = '\0';
    }
}


static double
number_of(const json_t *root, const char *name, double none)
{
    json_t  *value;

    value = json_object_get(root, name);

    return json_is_number(value) ? json_number_value(value) : none;
}


/* Empty where it is no word that fits. */

static void
word_of(const json_t *root, const char *name, char *out, size_t size)
{
    voice_span_t  word;

    word = voice_json_text(root, name);
    out[0] = '\0';

    if (word.len > 0 && word.len < size) {
        memcpy(out, word.ptr, word.len);
        out[word.len] = '\0';
    }
}
