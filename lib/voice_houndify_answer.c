
/*
 * Houndify's protocol: answers.
 */

#include "voice_houndify.h"
#include "voice_json.h"


static voice_span_t trim(voice_span_t text);
static int is_length(voice_span_t line);
static const json_t *format_of(const json_t *object);
static void read_partial(voice_houndify_answer_t *answer, json_t *object);
static voice_rc_t read_final(voice_houndify_answer_t *answer,
    json_t *object);
static void read_heard(voice_houndify_answer_t *answer,
    const json_t *object, const json_t *result);
static void read_result(voice_houndify_answer_t *answer,
    const json_t *result);
static voice_span_t first_text(const json_t *object,
    const char *const *names);
static const json_t *first_member(const json_t *object,
    const char *const *names);
static double confidence_of(const json_t *value);


/* Spellings of the same thing; NULL ends a list. */
static const char *const  partial_formats[] = {
    "HoundVoiceQueryPartialTranscript",
    "SoundHoundVoiceSearchParialTranscript", NULL
};
static const char *const  final_formats[] = {
    "SoundHoundVoiceSearchResult", "HoundQueryResult", NULL
};
static const char *const  transcriptions[] = {
    "Transcription", "FixedTranscription", "FormattedTranscription",
    "RawTranscription", NULL
};
static const char *const  confidences[] = {
    "ConfidenceScore", "ASRConfidence", NULL
};
static const char *const  spokens[] = {
    "SpokenResponse", "SpokenResponseLong", NULL
};
static const char *const  writtens[] = {
    "WrittenResponse", "WrittenResponseLong", NULL
};
static const char *const  intents[] = { "Intent", "intent", NULL };
static const char *const  entities[] = { "Entities", "entities", NULL };


voice_rc_t
voice_houndify_read(voice_houndify_answer_t *answer, voice_span_t line,
    voice_houndify_object_e *kind)
{
    json_t              *object;
    voice_rc_t           rc;
    const char *const   *name;
    const char          *format;
    voice_json_error_t   error;

    *kind = VOICE_HOUNDIFY_NOTHING;

    if (line.len > VOICE_HOUNDIFY_ANSWER_MAX) {
        return VOICE_LIMIT;
    }

    line = trim(line);

    if (line.len == 0 || is_length(line)) {
        return VOICE_OK;
    }

    object = voice_json_parse(line, &error);

    if (!json_is_object(object)) {
        json_decref(object);
        return VOICE_INVALID;
    }

    rc = VOICE_OK;
    format = json_string_value(format_of(object));

    for (name = partial_formats; format != NULL && *name != NULL; name++) {
        if (strcmp(format, *name) == 0) {
            *kind = VOICE_HOUNDIFY_PARTIAL;
            read_partial(answer, object);
        }
    }

    for (name = final_formats; format != NULL && *name != NULL; name++) {
        if (strcmp(format, *name) == 0) {
            *kind = VOICE_HOUNDIFY_FINAL;
            rc = read_final(answer, object);
        }
    }

    json_decref(object);

    return rc;
}


voice_rc_t
voice_houndify_read_all(voice_houndify_answer_t *answer, voice_span_t body)
{
    size_t                   i, start;
    voice_rc_t               rc;
    voice_houndify_object_e  kind;

    if (body.len > VOICE_HOUNDIFY_ANSWER_MAX) {
        return VOICE_LIMIT;
    }

    if (body.len == 0) {
        return VOICE_INVALID;
    }

    /* one object alone may be spread over lines */
    rc = voice_houndify_read(answer, body, &kind);
    if (rc == VOICE_OK && kind == VOICE_HOUNDIFY_FINAL) {
        return VOICE_OK;
    }

    voice_houndify_answer_release(answer);
    start = 0;

    for (i = 0; i <= body.len; i++) {

        if (i < body.len && body.ptr[i] != '\n') {
            continue;
        }

        rc = voice_houndify_read(answer,
                                 voice_span(body.ptr + start, i - start),
                                 &kind);
        if (rc != VOICE_OK) {
            return rc;
        }

        start = i + 1;
    }

    return answer->final ? VOICE_OK : VOICE_INVALID;
}


void
voice_houndify_answer_release(voice_houndify_answer_t *answer)
{
    json_decref(answer->last_partial);
    json_decref(answer->last_final);
    memset(answer, 0, sizeof(voice_houndify_answer_t));
}


static voice_span_t
trim(voice_span_t text)
{
    while (text.len > 0 && (unsigned char) text.ptr[text.len - 1] <= ' ') {
        text.len--;
    }

    while (text.len > 0 && (unsigned char) text.ptr[0] <= ' ') {
        text.ptr++;
        text.len--;
    }

    return text;
}


static int
is_length(voice_span_t line)
{
    size_t  i;

    for (i = 0; i < line.len; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9') {
            return 0;
        }
    }

    return 1;
}


static const json_t *
format_of(const json_t *object)
{
    return json_object_get(object, "Format");
}


static void
read_partial(voice_houndify_answer_t *answer, json_t *object)
{
    json_decref(answer->last_partial);
    answer->last_partial = json_incref(object);

    answer->partials++;
    answer->partial = voice_json_text(object, "PartialTranscript");

    if (json_is_true(json_object_get(object, "SafeToStopAudio"))) {
        answer->safe_to_stop = 1;
    }
}


static voice_rc_t
read_final(voice_houndify_answer_t *answer, json_t *object)
{
    voice_span_t   status;
    const json_t  *result;

    status = voice_json_text(object, "Status");

    if (answer->final || status.len == 0) {
        return VOICE_INVALID;
    }

    answer->last_final = json_incref(object);
    answer->final = 1;
    answer->ok = voice_span_eq(status, VOICE_SPAN("OK"));
    answer->error = voice_json_text(object, "ErrorMessage");

    result = json_array_get(json_object_get(object, "AllResults"), 0);

    read_heard(answer, object, result);
    read_result(answer, result);

    return VOICE_OK;
}


/*
 * The public service tells what it heard beside the results; the service of
 * the source documents inside of them.
 */
static void
read_heard(voice_houndify_answer_t *answer, const json_t *object,
    const json_t *result)
{
    const json_t  *choice;

    choice = json_object_get(json_object_get(object, "Disambiguation"),
                             "ChoiceData");
    choice = json_array_get(choice, 0);

    answer->transcription = first_text(choice, transcriptions);
    answer->confidence = confidence_of(first_member(choice, confidences));

    if (answer->transcription.len == 0) {
        answer->transcription = first_text(result, transcriptions);
    }

    if (answer->confidence < 0) {
        answer->confidence = confidence_of(first_member(result,
                                                        confidences));
    }
}


static void
read_result(voice_houndify_answer_t *answer, const json_t *result)
{
    answer->command_kind = voice_json_text(result, "CommandKind");
    answer->spoken = first_text(result, spokens);
    answer->written = first_text(result, writtens);
    answer->audio = voice_json_text(result, "ResponseAudioBytes");

    answer->native = json_object_get(result, "NativeData");
    answer->intent = first_text(answer->native, intents);
    answer->entities = first_member(answer->native, entities);

    answer->conversation_state = json_object_get(result,
                                                 "ConversationState");
    answer->conversation_time = json_object_get(result,
                                                "ConversationStateTime");

    if (json_is_null(answer->conversation_state)) {
        answer->conversation_state = NULL;
    }
}


static voice_span_t
first_text(const json_t *object, const char *const *names)
{
    voice_span_t  text;

    text = voice_span(NULL, 0);

    for ( /* void */ ; *names != NULL && text.len == 0; names++) {
        text = voice_json_text(object, *names);
    }

    return text;
}


static const json_t *
first_member(const json_t *object, const char *const *names)
{
    const json_t  *value;

    value = NULL;

    for ( /* void */ ; *names != NULL && value == NULL; names++) {
        value = json_object_get(object, *names);
    }

    return value;
}


/* 0..1, or -1 where there is no such number. */
static double
confidence_of(const json_t *value)
{
    double  number;

    if (!json_is_number(value)) {
        return -1;
    }

    number = json_number_value(value);

    return number >= 0 && number <= 1 ? number : -1;
}
