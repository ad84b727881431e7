
/*
 * From a request to a question; the bytes may be hostile.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_json.h"
#include "../lib/voice_text.h"
#include "agent_dialogue.h"
#include "agent_question.h"


#define QUESTION_LANGUAGE  "en-US"
#define QUESTION_DOMAIN    "navigation"
#define QUESTION_DIGITS    8           /* of Hound-Request-Info-Length */


static const char *info_read(const agent_parts_t *parts, json_t **info,
    voice_span_t *rest);
static const char *info_use(const json_t *info, const agent_parts_t *parts,
    agent_question_t *question);
static const char *text_use(const json_t *info, const agent_parts_t *parts,
    agent_question_t *question);
static int length_read(voice_span_t text, size_t *length);
static int member_copy(const json_t *info, const char *name, char *out,
    size_t size);


const char *
agent_question_read(const agent_parts_t *parts, agent_question_t *question)
{
    json_t        *info = NULL;
    const char    *problem;
    voice_span_t   rest = parts->body;

    question->audio = parts->audio;

    problem = info_read(parts, &info, &rest);

    if (problem == NULL) {
        problem = info_use(info, parts, question);
    }

    if (problem == NULL && !parts->audio) {
        problem = text_use(info, parts, question);
    }

    if (problem == NULL && parts->audio) {
        question->wav = rest;
        problem = rest.len == 0 ? "there is no sound" : NULL;
    }

    json_decref(info);

    return problem;
}


void
agent_question_release(agent_question_t *question)
{
    free(question->text);
    json_decref(question->state);
    memset(question, 0, sizeof(agent_question_t));
}


/*
 * RequestInfo stands in a header, or at the body's start when the header
 * tells its length, or (text, as the source documents have it) is the body.
 */

static const char *
info_read(const agent_parts_t *parts, json_t **info, voice_span_t *rest)
{
    size_t              length;
    voice_span_t        text = parts->info;
    voice_json_error_t  error;

    if (parts->info_length.len > 0) {
        if (!length_read(parts->info_length, &length)
            || length > parts->body.len)
        {
            return "Hound-Request-Info-Length is wrong";
        }

        text = voice_span(parts->body.ptr, length);
        *rest = voice_span(parts->body.ptr + length,
                           parts->body.len - length);

    } else if (!parts->audio && text.len == 0) {
        text = parts->body;
    }

    if (text.len == 0) {
        *info = json_object();
        return NULL;
    }

    *info = voice_json_parse(text, &error);

    return json_is_object(*info) ? NULL : "RequestInfo is no JSON object";
}


static const char *
info_use(const json_t *info, const agent_parts_t *parts,
    agent_question_t *question)
{
    voice_span_t   tag;
    const json_t  *value;

    tag = voice_json_text(info, "InputLanguageIETFTag");
    tag = tag.len > 0 ? tag : parts->language;
    tag = tag.len > 0 ? tag : VOICE_SPAN(QUESTION_LANGUAGE);

    if (voice_language_canonical(tag, question->language) != VOICE_OK) {
        return "the language is no language tag";
    }

    if (!member_copy(info, "Domain", question->domain,
                     sizeof(question->domain))
        || !member_copy(info, "ResponseAudioVoice", question->voice,
                        sizeof(question->voice)))
    {
        return "a member of RequestInfo is too long or no text";
    }

    if (question->domain[0] == '\0') {
        snprintf(question->domain, sizeof(question->domain),
                 QUESTION_DOMAIN);
    }

    question->partials
        = json_is_true(json_object_get(info, "PartialTranscriptsDesired"));
    question->prefixes
        = json_is_true(json_object_get(info, "ObjectByteCountPrefixes"));
    question->speak
        = question->voice[0] != '\0'
          || json_object_get(info, "ResponseAudioShortOrLong") != NULL;

    value = json_object_get(info, "ConversationState");
    if (value != NULL && !json_is_null(value) && !json_is_object(value)) {
        return "ConversationState is no JSON object";
    }

    question->state = json_is_object(value) ? json_incref((json_t *) value)
                                            : NULL;

    return NULL;
}


static const char *
text_use(const json_t *info, const agent_parts_t *parts,
    agent_question_t *question)
{
    voice_span_t  text;

    text = parts->query.len > 0 ? parts->query
                                : voice_json_text(info, "Query");

    if (text.len == 0) {
        return "there is no query";
    }

    if (text.len > AGENT_TEXT_MAX || !voice_text_valid(text)) {
        return "the query is too long or not UTF-8";
    }

    question->text = strndup(text.ptr, text.len);

    return question->text == NULL ? "the query does not fit into memory"
                                  : NULL;
}


static int
length_read(voice_span_t text, size_t *length)
{
    size_t  i;

    *length = 0;

    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i == QUESTION_DIGITS) {
            return 0;
        }

        *length = *length * 10 + (size_t) (text.ptr[i] - '0');
    }

    return 1;
}


/* An absent member leaves out as it is. */

static int
member_copy(const json_t *info, const char *name, char *out, size_t size)
{
    const json_t  *value;

    value = json_object_get(info, name);
    if (value == NULL) {
        return 1;
    }

    if (!json_is_string(value) || json_string_length(value) >= size) {
        return 0;
    }

    memcpy(out, json_string_value(value), json_string_length(value) + 1);

    return 1;
}
