
/*
 * The kind test_execution: speaks a test's input to the voice agent under
 * test, stores what was said and what was answered.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_json.h"
#include "../lib/voice_language.h"
#include "job_speech.h"
#include "provider.h"
#include "speech_audio.h"
#include "worker_jobs.h"
#include "worker_log.h"


#define STORE_RETRY_SECONDS  30        /* a full disk is not mended sooner */


/* What the job needs to know, and what it gets. */
typedef struct {
    const worker_settings_t  *settings;
    const worker_job_t       *job;
    job_result_t             *result;
    const worker_profile_t   *profile;
    const provider_agent_t   *agent;
    provider_turn_t           turn;
    char                     *wav;     /* the input, spoken */
    size_t                    wav_len;
    provider_answer_t         answer;
} run_t;


static int run_read(run_t *run);
static int run_agent(run_t *run);
static int run_speak(run_t *run);
static int run_converse(run_t *run);
static int run_supported(run_t *run);
static void run_store(run_t *run);
static json_t *audio_json(const run_t *run, voice_span_t wav, int *failed);
static json_t *run_json(run_t *run, json_t *input, json_t *output);
static void run_skip(run_t *run, const char *reason);
static json_t *text_json(const char *text);
static json_t *number_json(double number);
static json_t *owned_json(json_t *value);


void
job_test_execution(const worker_settings_t *settings,
    const worker_job_t *job, job_result_t *result)
{
    run_t  run;

    memset(&run, 0, sizeof(run_t));
    run.settings = settings;
    run.job = job;
    run.result = result;

    if (run_read(&run) && run_agent(&run) && run_supported(&run)
        && job_step(job, 0.1, "speaking") && run_speak(&run)
        && job_step(job, 0.3, "asking the agent") && run_converse(&run)
        && job_step(job, 0.9, "storing"))
    {
        run_store(&run);
    }

    provider_answer_release(&run.answer);
    free(run.wav);
}


static int
run_read(run_t *run)
{
    const char       *domain;
    const json_t     *in = run->job->input, *context;
    provider_turn_t  *turn = &run->turn;

    turn->text = voice_json_text(in, "input_text");
    turn->language = voice_json_text(in, "language_code");
    turn->voice = voice_json_text(in, "voice");
    turn->conversation_id = voice_json_text(in, "execution_id");

    domain = json_string_value(json_object_get(in, "domain"));
    turn->domain = domain;

    context = json_object_get(in, "context");
    turn->context = json_is_object(context) ? context : NULL;
    turn->conversation_state = json_object_get(context,
                                               "conversation_state");

    if (turn->text.len == 0 || turn->language.len == 0
        || turn->conversation_id.len == 0)
    {
        job_end(run->result, JOB_DEAD,
                "the execution has no text, language or id");
        return 0;
    }

    return 1;
}


static int
run_agent(run_t *run)
{
    const char  *name;

    name = json_string_value(json_object_get(run->job->input, "agent"));

    run->profile = worker_settings_profile(run->settings,
                                           WORKER_PROFILE_AGENT, name);
    if (run->profile == NULL) {
        job_end(run->result, JOB_DEAD,
                "no agent profile \"%.60s\" in the workers' settings",
                name == NULL ? "" : name);
        return 0;
    }

    run->agent = provider_agent_find(run->profile->provider);
    if (run->agent == NULL) {
        job_end(run->result, JOB_DEAD,
                "agent profile \"%.60s\" names the unknown provider "
                "\"%.40s\"", run->profile->name, run->profile->provider);
        return 0;
    }

    return 1;
}


/*
 * An answer that nobody can listen to is not worth a call: a language without
 * a recogniser is skipped before.
 */

static int
run_supported(run_t *run)
{
    char                     reason[PROVIDER_REASON_MAX];
    const worker_profile_t  *asr;

    asr = worker_settings_profile(run->settings, WORKER_PROFILE_ASR, NULL);

    if (strcmp(run->profile->mode, "text") == 0
        || (asr != NULL && strcmp(asr->provider, "pocketsphinx") != 0)
        || run->turn.domain == NULL
        || speech_understands(run->settings->speech_dir, run->turn.domain,
                              run->turn.language))
    {
        return 1;
    }

    snprintf(reason, sizeof(reason),
             "no recogniser for language %.*s in domain \"%s\"",
             (int) run->turn.language.len, run->turn.language.ptr,
             run->turn.domain);
    run_skip(run, reason);

    return 0;
}


static int
run_speak(run_t *run)
{
    provider_e            rc;
    provider_call_t       call = { run->settings, NULL,
                                   run->job->deadline_ms };
    provider_fault_t      fault;
    provider_utterance_t  utterance;

    if (strcmp(run->profile->mode, "text") == 0) {
        return 1;
    }

    utterance.text = run->turn.text;
    utterance.language = run->turn.language;
    utterance.voice = run->turn.voice;

    rc = provider_tts_flite.speak(&call, &utterance, &run->wav,
                                  &run->wav_len, &fault);

    if (rc == PROVIDER_UNSUPPORTED) {
        run_skip(run, fault.reason);
        return 0;
    }

    if (rc != PROVIDER_OK) {
        job_fault(run->result, rc, &fault);
        return 0;
    }

    run->turn.wav = voice_span(run->wav, run->wav_len);

    return 1;
}


static int
run_converse(run_t *run)
{
    provider_e        rc;
    provider_call_t   call = { run->settings, run->profile,
                               run->job->deadline_ms };
    provider_fault_t  fault;

    run->answer.asr_confidence = -1;

    rc = run->agent->converse(&call, &run->turn, &run->answer, &fault);
    if (rc == PROVIDER_OK) {
        rc = provider_answer_check(&run->answer, &fault);
    }

    if (rc == PROVIDER_UNSUPPORTED) {
        run_skip(run, fault.reason);
        return 0;
    }

    if (rc != PROVIDER_OK) {
        job_fault(run->result, rc, &fault);
        return 0;
    }

    return 1;
}


/* Sound goes to the object store first: the row names what is there. */

static void
run_store(run_t *run)
{
    int      failed = 0;
    json_t  *input, *output;

    input = audio_json(run, run->turn.wav, &failed);
    output = audio_json(run, voice_span(run->answer.wav,
                                        run->answer.wav_len), &failed);

    if (failed) {
        json_decref(input);
        json_decref(output);
        job_end(run->result, JOB_RETRY, "the object store failed");
        run->result->retry_after = STORE_RETRY_SECONDS;
        return;
    }

    run->result->result = run_json(run, input, output);

    if (run->result->result == NULL) {
        job_end(run->result, JOB_DEAD,
                "the agent's answer is no text that can be stored");
        return;
    }

    run->result->outcome = JOB_DONE;
}


/* Null for no sound. */

static json_t *
audio_json(const run_t *run, voice_span_t wav, int *failed)
{
    char                          key[WORKER_OBJECT_KEY_SIZE];
    const worker_object_store_t  *store;

    if (wav.len == 0) {
        return json_null();
    }

    store = worker_object_store(run->settings);

    if (store->put(run->settings, wav, "wav", key) != VOICE_OK) {
        *failed = 1;
        return json_null();
    }

    return json_pack("{s:s, s:I, s:i}", "object", key,
                     "bytes", (json_int_t) wav.len,
                     "duration_ms", (int) speech_audio_ms(wav));
}


static json_t *
run_json(run_t *run, json_t *input, json_t *output)
{
    unsigned            ms;
    provider_answer_t  *a = &run->answer;

    ms = speech_audio_ms(run->turn.wav);

    return json_pack("{s:n, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
                     " s:{s:o, s:o, s:o}, s:o, s:s, s:o, s:{s:s, s:s}}",
        "skipped",
        "response_text", text_json(a->response_text),
        "written_response", text_json(a->written_response),
        "transcript", text_json(a->transcript),
        "intent", text_json(a->intent),
        "command_kind", text_json(a->command_kind),
        "entities", a->entities == NULL ? json_object()
                                        : json_incref(a->entities),
        "asr_confidence", number_json(a->asr_confidence),
        "input_audio", input,
        "response_audio", output,
        "timings",
            "first_byte_ms", number_json((double) a->first_byte_ms),
            "final_result_ms", number_json((double) a->final_result_ms),
            "network_ms", number_json((double) a->network_ms),
        "rtf", number_json(ms == 0 ? -1
                                   : (double) a->final_result_ms / ms),
        "processing_mode", a->audio_sent ? "audio" : "text",
        "conversation_state", owned_json(a->conversation_state),
        "agent",
            "provider", run->agent->name,
            "profile", run->profile->name);
}


static void
run_skip(run_t *run, const char *reason)
{
    run->result->outcome = JOB_DONE;
    run->result->result = json_pack("{s:s, s:{s:s, s:s}}",
                                    "skipped", reason, "agent",
                                    "provider", run->agent->name,
                                    "profile", run->profile->name);

    if (run->result->result == NULL) {
        job_end(run->result, JOB_DEAD, "the reason is no text");
    }
}


static json_t *
text_json(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}


/* A negative number is an unknown one. */

static json_t *
number_json(double number)
{
    return number < 0 ? json_null() : json_real(number);
}


static json_t *
owned_json(json_t *value)
{
    return value == NULL ? json_null() : json_incref(value);
}
