
/*
 * One answer of the built-in voice agent.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_code.h"
#include "agent_dialogue.h"
#include "agent_speech.h"
#include "provider.h"
#include "speech_audio.h"
#include "speech_recogniser.h"
#include "worker_clock.h"
#include "worker_log.h"


#define SPEECH_DIALOGUES_MAX  8        /* that are kept */
#define SPEECH_TTS_MS         10000


typedef struct {
    char               file[512];
    agent_dialogue_t  *dialogue;
} known_t;


struct agent_speech_s {
    const worker_settings_t  *settings;
    speech_recogniser_t      *recogniser;
    known_t                   known[SPEECH_DIALOGUES_MAX];
    unsigned                  nknown;
};


/* An answer in the making. */
typedef struct {
    agent_speech_t          *speech;
    const agent_question_t  *question;
    agent_write_pt           write;
    void                    *data;
    char                    *transcript;
    double                   confidence;
    int                      broken;
} answer_t;


static const char *answer_hear(answer_t *answer);
static const char *hear_sound(answer_t *answer, const int16_t *samples,
    size_t count);
static void on_partial(void *data, const char *text, unsigned heard_ms);
static const agent_dialogue_t *dialogue_find(agent_speech_t *speech,
    const agent_question_t *question);
static const agent_dialogue_t *dialogue_keep(agent_speech_t *speech,
    const char *file);
static int answer_final(answer_t *answer, const agent_reply_t *reply);
static json_t *final_json(const answer_t *answer, const agent_reply_t *reply);
static json_t *result_json(const answer_t *answer,
    const agent_reply_t *reply);
static void result_audio(const answer_t *answer, const agent_reply_t *reply,
    json_t *result);
static int answer_error(answer_t *answer, const char *sentence);
static int answer_line(answer_t *answer, char *text);


agent_speech_t *
agent_speech_create(const worker_settings_t *settings)
{
    agent_speech_t  *speech;

    speech = calloc(1, sizeof(agent_speech_t));
    if (speech == NULL) {
        return NULL;
    }

    speech->settings = settings;
    speech->recogniser = speech_recogniser_create(settings->speech_dir);

    if (speech->recogniser == NULL) {
        free(speech);
        return NULL;
    }

    return speech;
}


void
agent_speech_destroy(agent_speech_t *speech)
{
    unsigned  i;

    if (speech == NULL) {
        return;
    }

    for (i = 0; i < speech->nknown; i++) {
        agent_dialogue_destroy(speech->known[i].dialogue);
    }

    speech_recogniser_destroy(speech->recogniser);
    free(speech);
}


int
agent_speech_answer(agent_speech_t *speech, const agent_question_t *question,
    agent_write_pt write, void *data)
{
    int                      done;
    const char              *problem;
    answer_t                 answer = { speech, question, write, data, NULL,
                                        -1, 0 };
    agent_reply_t            reply;
    const agent_dialogue_t  *dialogue;

    dialogue = dialogue_find(speech, question);
    if (dialogue == NULL) {
        return answer_error(&answer, "I do not speak that language, or have "
                                     "nothing to say in that domain.");
    }

    problem = answer_hear(&answer);
    if (problem != NULL) {
        free(answer.transcript);
        return answer_error(&answer, problem);
    }

    if (agent_dialogue_turn(dialogue, voice_span_str(answer.transcript),
                            question->state, &reply)
        != VOICE_OK)
    {
        free(answer.transcript);
        return answer_error(&answer, "The question is too long.");
    }

    done = answer_final(&answer, &reply) && !answer.broken;

    agent_reply_release(&reply);
    free(answer.transcript);

    return done;
}


char *
agent_speech_error(const char *sentence)
{
    char    *text;
    json_t  *root;

    root = json_pack("{s:s, s:s, s:s, s:s, s:i, s:[]}",
                     "Format", "HoundQueryResult", "FormatVersion", "1.0",
                     "Status", "Error", "ErrorMessage", sentence,
                     "NumToReturn", 0, "AllResults");
    text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);

    return text;
}


/* NULL: the transcript is there. */

static const char *
answer_hear(answer_t *answer)
{
    size_t       count;
    int16_t     *samples;
    const char  *problem;

    if (!answer->question->audio) {
        answer->transcript = strdup(answer->question->text);
        answer->confidence = 1;
        return answer->transcript == NULL ? "I am out of memory." : NULL;
    }

    if (speech_audio_read(answer->question->wav, SPEECH_RATE, &samples,
                          &count)
        != VOICE_OK)
    {
        return "The sound is no WAV file that can be read.";
    }

    problem = hear_sound(answer, samples, count);
    free(samples);

    return problem;
}


static const char *
hear_sound(answer_t *answer, const int16_t *samples, size_t count)
{
    speech_sound_t    sound;
    speech_hearing_t  hearing;

    sound.audio.samples = samples;
    sound.audio.count = count;
    sound.audio.rate = SPEECH_RATE;
    sound.domain = answer->question->domain;
    sound.language = voice_span_str(answer->question->language);
    sound.side = SPEECH_QUESTIONS;
    sound.partial = answer->question->partials ? on_partial : NULL;
    sound.data = answer;

    if (speech_hear(answer->speech->recogniser, &sound, &hearing)
        != VOICE_OK)
    {
        return "The sound could not be heard.";
    }

    answer->transcript = hearing.text;
    answer->confidence = hearing.confidence;
    hearing.text = NULL;
    speech_hearing_release(&hearing);

    return NULL;
}


static void
on_partial(void *data, const char *text, unsigned heard_ms)
{
    json_t    *root;
    answer_t  *answer = data;

    if (answer->broken) {
        return;
    }

    root = json_pack("{s:s, s:s, s:s, s:i, s:b, s:b}",
                     "Format", "HoundVoiceQueryPartialTranscript",
                     "FormatVersion", "1.0", "PartialTranscript", text,
                     "DurationMS", (int) heard_ms, "Done", 0,
                     "SafeToStopAudio", 0);

    answer->broken = root == NULL
                     || !answer_line(answer,
                                     json_dumps(root, JSON_COMPACT));
    json_decref(root);
}


static const agent_dialogue_t *
dialogue_find(agent_speech_t *speech, const agent_question_t *question)
{
    int           n;
    char          file[sizeof(speech->known[0].file)];
    unsigned      i;
    voice_span_t  primary;

    primary = voice_language_primary(voice_span_str(question->language));

    n = snprintf(file, sizeof(file), "%s/%s/%.*s/dialogue.json",
                 speech->settings->speech_dir, question->domain,
                 (int) primary.len, primary.ptr);

    if (n < 0 || (size_t) n >= sizeof(file)
        || !speech_understands(speech->settings->speech_dir,
                               question->domain,
                               voice_span_str(question->language)))
    {
        return NULL;
    }

    for (i = 0; i < speech->nknown; i++) {
        if (strcmp(speech->known[i].file, file) == 0) {
            return speech->known[i].dialogue;
        }
    }

    return dialogue_keep(speech, file);
}


static const agent_dialogue_t *
dialogue_keep(agent_speech_t *speech, const char *file)
{
    char      problem[AGENT_PROBLEM_MAX] = "";
    known_t  *known;

    if (speech->nknown == SPEECH_DIALOGUES_MAX) {
        worker_log(WORKER_LOG_ERROR, "agent: more than %d dialogues",
                   SPEECH_DIALOGUES_MAX);
        return NULL;
    }

    known = &speech->known[speech->nknown];

    known->dialogue = agent_dialogue_create(file, problem);
    if (known->dialogue == NULL) {
        worker_log(WORKER_LOG_ERROR, "agent: \"%s\": %s", file, problem);
        return NULL;
    }

    snprintf(known->file, sizeof(known->file), "%s", file);
    speech->nknown++;

    return known->dialogue;
}


static int
answer_final(answer_t *answer, const agent_reply_t *reply)
{
    int      done;
    json_t  *root;

    root = final_json(answer, reply);
    if (root == NULL) {
        return 0;
    }

    done = answer_line(answer, json_dumps(root, JSON_COMPACT));
    json_decref(root);

    return done;
}


static json_t *
final_json(const answer_t *answer, const agent_reply_t *reply)
{
    json_t  *choice, *result;

    result = result_json(answer, reply);
    if (result == NULL) {
        return NULL;
    }

    choice = json_pack("{s:s, s:s, s:s, s:f}",
                       "Transcription", answer->transcript,
                       "FormattedTranscription", answer->transcript,
                       "FixedTranscription", "",
                       "ConfidenceScore", answer->confidence);

    return json_pack("{s:s, s:s, s:s, s:i, s:[o], s:{s:i, s:[o]}, s:[b],"
                     " s:[{s:s, s:f}], s:{s:s}}",
                     "Format", "HoundQueryResult", "FormatVersion", "1.0",
                     "Status", "OK", "NumToReturn", 1, "AllResults", result,
                     "Disambiguation", "NumToShow", 1, "ChoiceData", choice,
                     "ResultsAreFinal", 1,
                     "DomainUsage", "Domain", answer->question->domain,
                     "DomainUniqueScore", 1.0,
                     "BuildInfo", "Kind", "Voicegate");
}


static json_t *
result_json(const answer_t *answer, const agent_reply_t *reply)
{
    json_t  *result;

    result = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:O, s:{s:s, s:O}}",
                       "CommandKind", reply->command_kind,
                       "SpokenResponse", reply->spoken,
                       "SpokenResponseLong", reply->spoken,
                       "WrittenResponse", reply->spoken,
                       "WrittenResponseLong", reply->spoken,
                       "AutoListen", reply->listen,
                       "ConversationState", reply->state,
                       "NativeData", "Intent", reply->intent,
                       "Entities", reply->entities);
    if (result == NULL) {
        return NULL;
    }

    (void) json_object_set_new(result, "ConversationStateTime",
                               json_integer(worker_wall_ms() / 1000));

    if (answer->question->speak) {
        result_audio(answer, reply, result);
    }

    return result;
}


/* An answer that cannot be spoken still is an answer. */

static void
result_audio(const answer_t *answer, const agent_reply_t *reply,
    json_t *result)
{
    char                  *wav, *text;
    size_t                 len, n;
    provider_call_t        call = { answer->speech->settings, NULL, 0 };
    provider_fault_t       fault;
    provider_utterance_t   utterance;

    call.deadline_ms = worker_now_ms() + SPEECH_TTS_MS;
    utterance.text = voice_span_str(reply->spoken);
    utterance.language = voice_span_str(answer->question->language);
    utterance.voice = voice_span_str(answer->question->voice);

    if (provider_tts_flite.speak(&call, &utterance, &wav, &len, &fault)
        != PROVIDER_OK)
    {
        worker_log(WORKER_LOG_WARN, "agent: %s", fault.reason);
        return;
    }

    text = malloc(VOICE_BASE64_LEN(len));

    if (text != NULL) {
        n = voice_base64_encode(text, voice_span(wav, len));
        (void) json_object_set_new(result, "ResponseAudioBytes",
                                   json_stringn(text, n));
        (void) json_object_set_new(result, "ResponseAudioEncoding",
                                   json_string("WAV"));
    }

    free(text);
    free(wav);
}


static int
answer_error(answer_t *answer, const char *sentence)
{
    return answer_line(answer, agent_speech_error(sentence));
}


/* Writes an object on a line of its own and frees its text. */

static int
answer_line(answer_t *answer, char *text)
{
    int     done, n;
    char    prefix[32];
    size_t  len;

    if (text == NULL) {
        return 0;
    }

    len = strlen(text);
    text[len] = '\n';                  /* in place of the NUL */
    done = 1;

    if (answer->question->prefixes) {
        n = snprintf(prefix, sizeof(prefix), "%zu\n", len + 1);
        done = answer->write(answer->data, voice_span(prefix, (size_t) n));
    }

    done = done && answer->write(answer->data, voice_span(text, len + 1));
    free(text);

    return done;
}
