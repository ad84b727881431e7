
/*
 * Calls a provider as the settings have it and prints what came of it as
 * JSON.
 *
 *   provider SETTINGS agent NAME [STATE]   a WAV file on standard input
 *   provider SETTINGS asr NAME             a WAV file on standard input
 *   provider SETTINGS embeddings NAME      two lines of text
 */

#include <stdio.h>
#include <stdlib.h>

#include "../../workers/provider.h"
#include "../../workers/worker_clock.h"


#define INPUT_MAX  (8u << 20)


typedef struct {
    provider_call_t  call;
    const char      *extra;
    char            *input;
    size_t           len;
    json_t          *out;
} request_t;


static const char *const  outcome_names[] = {
    "ok", "unsupported", "retry", "open", "dead"
};


static void
put(json_t *out, const char *name, const char *text)
{
    (void) json_object_set_new(out, name, text == NULL ? json_null()
                                                       : json_string(text));
}


static provider_e
call_agent(request_t *r, provider_fault_t *fault)
{
    provider_e               rc;
    provider_turn_t          turn;
    provider_answer_t        answer;
    const provider_agent_t  *agent;

    memset(&turn, 0, sizeof(provider_turn_t));
    memset(&answer, 0, sizeof(provider_answer_t));

    turn.text = VOICE_SPAN("a \"spoken\" test & more");
    turn.wav = voice_span(r->input, r->len);
    turn.language = VOICE_SPAN("en-US");
    turn.conversation_id = VOICE_SPAN("conversation-1");
    turn.domain = "navigation";
    turn.conversation_state = r->extra == NULL
                              ? NULL : json_loads(r->extra, 0, NULL);

    agent = provider_agent_find(r->call.profile->provider);
    if (agent == NULL) {
        return provider_fail(fault, PROVIDER_DEAD, "unknown provider");
    }

    rc = agent->converse(&r->call, &turn, &answer, fault);

    put(r->out, "response_text", answer.response_text);
    put(r->out, "transcript", answer.transcript);
    put(r->out, "intent", answer.intent);
    put(r->out, "command_kind", answer.command_kind);
    (void) json_object_set_new(r->out, "wav",
                               json_integer((json_int_t) answer.wav_len));
    (void) json_object_set_new(r->out, "partials",
                               json_integer(answer.partials));
    (void) json_object_set_new(r->out, "confidence",
                               json_real(answer.asr_confidence));
    (void) json_object_set_new(r->out, "first_byte_ms",
                               json_integer(answer.first_byte_ms));
    (void) json_object_set_new(r->out, "final_result_ms",
                               json_integer(answer.final_result_ms));
    (void) json_object_set(r->out, "entities", answer.entities);
    (void) json_object_set(r->out, "state", answer.conversation_state);

    provider_answer_release(&answer);
    json_decref((json_t *) turn.conversation_state);

    return rc;
}


static provider_e
call_asr(request_t *r, provider_fault_t *fault)
{
    provider_e              rc;
    const provider_asr_t   *asr;
    provider_recording_t    recording;
    provider_transcript_t   transcript;

    memset(&transcript, 0, sizeof(provider_transcript_t));
    recording.wav = voice_span(r->input, r->len);
    recording.language = VOICE_SPAN("en-US");
    recording.domain = "navigation";

    asr = provider_asr_find(r->call.profile->provider);
    if (asr == NULL) {
        return provider_fail(fault, PROVIDER_DEAD, "unknown provider");
    }

    rc = asr->transcribe(&r->call, &recording, &transcript, fault);
    put(r->out, "text", transcript.text);
    put(r->out, "method", transcript.method);
    free(transcript.text);

    return rc;
}


static provider_e
call_embeddings(request_t *r, provider_fault_t *fault)
{
    char                         *second;
    double                        similarity = -1;
    provider_e                    rc;
    const provider_embeddings_t  *embeddings;

    second = memchr(r->input, '\n', r->len);
    embeddings = provider_embeddings_find(r->call.profile->provider);

    if (second == NULL || embeddings == NULL) {
        return provider_fail(fault, PROVIDER_DEAD, "wrong use");
    }

    rc = embeddings->similarity(&r->call,
             voice_span(r->input, (size_t) (second - r->input)),
             voice_span(second + 1,
                        r->len - (size_t) (second + 1 - r->input)),
             &similarity, fault);
    (void) json_object_set_new(r->out, "similarity", json_real(similarity));

    return rc;
}


static const struct {
    const char        *name;
    worker_profile_e   kind;
    provider_e       (*call)(request_t *r, provider_fault_t *fault);
} kinds[] = {
    { "agent", WORKER_PROFILE_AGENT, call_agent },
    { "asr", WORKER_PROFILE_ASR, call_asr },
    { "embeddings", WORKER_PROFILE_EMBEDDINGS, call_embeddings }
};


int
main(int argc, char **argv)
{
    char                problem[WORKER_PROBLEM_MAX] = "";
    size_t              i;
    provider_e          rc = PROVIDER_DEAD;
    request_t           r;
    provider_fault_t    fault;
    worker_settings_t  *settings;

    memset(&r, 0, sizeof(request_t));
    memset(&fault, 0, sizeof(provider_fault_t));

    settings = argc >= 4 ? worker_settings_read(argv[1], problem) : NULL;
    r.input = malloc(INPUT_MAX);

    if (settings == NULL || r.input == NULL) {
        fprintf(stderr, "usage: provider SETTINGS KIND NAME [STATE]\n%s\n",
                problem);
        return 1;
    }

    r.len = fread(r.input, 1, INPUT_MAX, stdin);
    r.out = json_object();
    r.extra = argc > 4 ? argv[4] : NULL;
    r.call.settings = settings;
    r.call.deadline_ms = worker_now_ms() + 20000;

    for (i = 0; i < VOICE_ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].name, argv[2]) == 0) {
            r.call.profile = worker_settings_profile(settings, kinds[i].kind,
                                                     argv[3]);
            rc = r.call.profile == NULL ? PROVIDER_DEAD
                                        : kinds[i].call(&r, &fault);
        }
    }

    put(r.out, "outcome", outcome_names[rc]);
    put(r.out, "reason", fault.reason);
    (void) json_object_set_new(r.out, "retry_after",
                               json_integer(fault.retry_after));
    json_dumpf(r.out, stdout, JSON_COMPACT);
    printf("\n");

    json_decref(r.out);
    free(r.input);
    worker_http_cleanup();
    worker_settings_destroy(settings);

    return 0;
}
