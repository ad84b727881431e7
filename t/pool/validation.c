
/*
 * The kind validation with answers that are right, wrong, noisy, silent or
 * no sound at all: the job itself, without a pool.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../workers/job_speech.h"
#include "../../workers/provider.h"
#include "../../workers/speech_audio.h"
#include "../../workers/worker_clock.h"
#include "../unit/tap.h"


#define RIGHT  "I booked a table for four people tonight at seven in boston."
#define WRONG  "The weather in boston will be sunny and warm tonight."


static worker_settings_t  settings;
static char               dir[] = "/tmp/validation.XXXXXX";


/* A WAV file; text NULL: hiss of that level. */
static char *
wav_of(const char *text, double dbfs, size_t *len)
{
    char                  *wav = NULL;
    int16_t               *samples;
    voice_audio_t          audio = { NULL, SPEECH_RATE * 3, SPEECH_RATE };
    provider_call_t        call = { &settings, NULL, 0 };
    provider_fault_t       fault;
    provider_utterance_t   utterance;

    if (text != NULL) {
        utterance.text = voice_span_str(text);
        utterance.language = VOICE_SPAN("en-US");
        utterance.voice = VOICE_SPAN("rms");

        if (provider_tts_flite.speak(&call, &utterance, &wav, len, &fault)
            != PROVIDER_OK)
        {
            printf("Bail out! %s\n", fault.reason);
            exit(1);
        }

        return wav;
    }

    samples = calloc(audio.count, sizeof(int16_t));

    if (dbfs > VOICE_AUDIO_FLOOR) {
        voice_audio_noise(samples, audio.count, 1, dbfs);
    }

    audio.samples = samples;

    if (speech_audio_write(&audio, &wav, len) != VOICE_OK) {
        exit(1);
    }

    free(samples);

    return wav;
}


/* The job's input; wav is stored and freed; NULL: the agent gave none. */
static json_t *
input_of(const char *response_text, char *wav, size_t len)
{
    char     key[WORKER_OBJECT_KEY_SIZE];
    json_t  *audio = NULL;

    if (wav != NULL) {
        if (worker_object_store(&settings)->put(&settings,
                                                voice_span(wav, len), "wav",
                                                key)
            != VOICE_OK)
        {
            printf("Bail out! the object store failed\n");
            exit(1);
        }

        audio = json_pack("{s:s}", "object", key);
        free(wav);
    }

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:{s:i, s:s},"
                     " s:o?, s:{s:i, s:i}, s:{s:s, s:s, s:s, s:{s:i, s:s},"
                     " s:i, s:{s:[s]}, s:[s]}, s:n}",
        "execution_id", "0190b2c2-0000-7000-8000-000000000001",
        "language_code", "en-US", "domain", "navigation",
        "response_text", response_text,
        "intent", "book_table", "command_kind", "BookingCommand",
        "asr_confidence", 0.97,
        "entities", "people", 4, "city", "boston",
        "response_audio", audio,
        "timings", "first_byte_ms", 100, "final_result_ms", 800,
        "expected", "expected_intent", "book_table",
            "expected_command_kind", "BookingCommand",
            "expected_response", RIGHT,
            "entities", "people", 4, "city", "boston",
            "max_response_time_ms", 3000,
            "patterns", "contains", "booked a table",
            "forbidden_phrases", "sorry",
        "policy");
}


static json_t *
validated(json_t *input)
{
    worker_job_t   job;
    job_result_t   result;

    memset(&job, 0, sizeof(worker_job_t));
    memset(&result, 0, sizeof(job_result_t));
    job.input = input;
    job.deadline_ms = worker_now_ms() + 60000;

    job_validation(&settings, &job, &result);

    if (result.outcome != JOB_DONE) {
        printf("# %s\n", result.error);
    }

    json_decref(input);

    return result.result;
}


static int
gate(const json_t *result, const char *name)
{
    size_t   i;
    json_t  *item;

    json_array_foreach(json_object_get(result, "gates"), i, item) {
        if (strcmp(json_string_value(json_object_get(item, "name")), name)
            == 0)
        {
            return json_is_true(json_object_get(item, "passed"));
        }
    }

    return -1;
}


static void
decides(json_t *result, const char *decision, const char *name)
{
    is(json_string_value(json_object_get(result, "decision")), decision,
       name);
}


static void
right(void)
{
    char    *wav;
    size_t   len;
    json_t  *result;

    wav = wav_of(RIGHT, 0, &len);
    result = validated(input_of(RIGHT, wav, len));

    decides(result, "auto_pass", "a right answer passes");
    is(json_string_value(json_object_get(result, "heard_text")),
       "i booked a table for four people tonight at seven in boston",
       "it is heard");
    is_near(json_number_value(json_object_get(result, "wer_score")), 0,
            "without an error");
    is_near(json_number_value(json_object_get(result, "confidence_score")),
            1, "with confidence 1");
    ok(json_is_object(json_object_get(result, "alignment")),
       "the alignment is kept");
    json_decref(result);
}


/* The agent's text claims the right thing, its voice says something else. */
static void
fails(char *wav, size_t len, const char *heard, const char *name)
{
    json_t  *result;

    result = validated(input_of(RIGHT, wav, len));

    decides(result, "auto_fail", name);
    is(json_string_value(json_object_get(result, "heard_text")), heard,
       name);
    ok(gate(result, "spoken") == 0, "%s: the gate \"spoken\" fails", name);
    json_decref(result);
}


static void
wrong(void)
{
    char    *wav;
    size_t   len;
    json_t  *result;

    wav = wav_of(WRONG, 0, &len);
    fails(wav, len, "the weather in boston will be sunny and warm tonight",
          "another answer's audio");

    wav = wav_of(NULL, VOICE_AUDIO_FLOOR, &len);
    fails(wav, len, "", "a silent answer");

    wav = wav_of(NULL, -18, &len);
    fails(wav, len, "", "a noisy answer");

    wav = wav_of("Scientists discovered a new species of beetle.", 0, &len);
    fails(wav, len, "", "a foreign sentence");

    wav = malloc(64);
    memset(wav, 'x', 64);
    fails(wav, 64, "", "an answer that is no WAV file");

    wav = wav_of(WRONG, 0, &len);
    result = validated(input_of(WRONG, wav, len));
    decides(result, "auto_fail", "a wrong text and audio fail");
    ok(gate(result, "patterns") == 0, "its patterns fail");
    json_decref(result);
}


static void
text_only(void)
{
    json_t  *result;

    result = validated(input_of(RIGHT, NULL, 0));

    decides(result, "auto_pass", "a text agent is judged by its text");
    ok(json_is_null(json_object_get(result, "heard_text")),
       "nobody claims to have heard it");
    ok(json_is_null(json_object_get(result, "wer_score")),
       "there is no word error rate");
    json_decref(result);

    result = validated(input_of("", NULL, 0));
    decides(result, "auto_fail", "an empty answer fails");
    json_decref(result);
}


static void
expectations(void)
{
    char    *wav;
    size_t   len;
    json_t  *input, *result;

    wav = wav_of(RIGHT, 0, &len);
    input = input_of(RIGHT, wav, len);
    (void) json_object_set_new(input, "expected", json_null());
    result = validated(input);
    decides(result, "manual_review", "without expectations a human decides");
    json_decref(result);

    wav = wav_of(RIGHT, 0, &len);
    input = input_of(RIGHT, wav, len);
    (void) json_object_set_new(input, "intent", json_string("play_music"));
    result = validated(input);
    decides(result, "auto_fail", "another intent fails");
    json_decref(result);

    wav = wav_of(RIGHT, 0, &len);
    input = input_of(RIGHT, wav, len);
    (void) json_object_set_new(json_object_get(input, "entities"), "people",
                               json_integer(5));
    result = validated(input);
    decides(result, "auto_fail", "another number fails");
    json_decref(result);

    wav = wav_of(RIGHT, 0, &len);
    input = input_of(RIGHT, wav, len);
    (void) json_object_set_new(input, "language_code", json_string("fr-FR"));
    result = validated(input);
    ok(json_is_null(json_object_get(result, "heard_text")),
       "a language without a recogniser is not heard");
    decides(result, "manual_review", "what nobody heard is for a human");
    json_decref(result);
}


int
main(void)
{
    char  objects[64], cache[64], command[64];

    if (mkdtemp(dir) == NULL) {
        printf("Bail out! no directory\n");
        return 1;
    }

    snprintf(objects, sizeof(objects), "%s/objects", dir);
    snprintf(cache, sizeof(cache), "%s/cache", dir);
    snprintf(command, sizeof(command), "rm -rf %s", dir);

    if (mkdir(objects, 0700) != 0 || mkdir(cache, 0700) != 0) {
        return 1;
    }

    settings.object_dir = objects;
    settings.cache_dir = cache;
    settings.speech_dir = "conf/speech";
    settings.default_asr = "";
    settings.default_embeddings = "";

    right();
    wrong();
    text_only();
    expectations();

    return system(command) != 0 || done_testing();
}
