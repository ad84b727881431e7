
/*
 * The kind validation: listens to the answer and scores it.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_json.h"
#include "job_validation.h"
#include "speech_audio.h"


static int validation_begin(job_measures_t *m, job_result_t *result);
static provider_e validation_hear(job_measures_t *m,
    provider_fault_t *fault);
static provider_e hear_object(job_measures_t *m, const char *key,
    provider_fault_t *fault);
static provider_e hear_wav(job_measures_t *m, voice_span_t wav,
    provider_fault_t *fault);
static const provider_asr_t *asr_find(const job_measures_t *m,
    const worker_profile_t **profile);
static provider_e heard_set(job_measures_t *m, const char *verdict,
    provider_fault_t *fault);
static json_t *validation_json(job_measures_t *m);
static voice_decision_e decide(job_measures_t *m, const double *confidence);
static int scores_add(const job_measures_t *m, json_t *root);
static int words_add(const job_measures_t *m, json_t *root);
static int patterns_add(const job_measures_t *m, json_t *root);
static int score_add(json_t *root, const char *name, double score);
static json_t *report_copy(const json_t *report, const char *name);
static void validation_release(job_measures_t *m);


static const char *const  score_names[VOICE_SCORE_COUNT] = {
    "intent_match_score", "entity_match_score", "semantic_similarity_score",
    "response_time_score"
};


void
job_validation(const worker_settings_t *settings, const worker_job_t *job,
    job_result_t *result)
{
    provider_e        rc;
    job_measures_t    m;
    provider_fault_t  fault;

    memset(&m, 0, sizeof(job_measures_t));
    memset(&fault, 0, sizeof(provider_fault_t));
    m.settings = settings;
    m.job = job;
    m.input = job->input;

    if (!validation_begin(&m, result)) {
        validation_release(&m);
        return;
    }

    rc = PROVIDER_OK;

    if (job_step(job, 0.1, "listening")) {
        rc = validation_hear(&m, &fault);
    }

    if (rc == PROVIDER_OK && job_step(job, 0.7, "measuring")) {
        m.answer = m.heard.text == NULL ? m.response
                                        : voice_span_str(m.heard.text);
        rc = job_measure(&m, &fault);
    }

    if (rc == PROVIDER_OK && !worker_job_cancelled(job)) {
        result->result = validation_json(&m);
        result->outcome = JOB_DONE;

        if (result->result == NULL) {
            job_end(result, JOB_RETRY, "out of memory");
        }

    } else if (rc != PROVIDER_OK) {
        job_fault(result, rc, &fault);
    }

    validation_release(&m);
}


static int
validation_begin(job_measures_t *m, job_result_t *result)
{
    const json_t  *expected;

    expected = json_object_get(m->input, "expected");
    m->expected = json_is_object(expected) ? expected : NULL;
    m->response = voice_json_text(m->input, "response_text");
    m->errors = json_array();
    m->entity_errors = json_array();
    m->detail = json_object();

    if (voice_policy_read(&m->policy, json_object_get(m->input, "policy"))
        != VOICE_OK)
    {
        job_end(result, JOB_DEAD,
                "the tenant's settings have a malformed \"validation\"");
        return 0;
    }

    if (m->detail == NULL) {
        job_end(result, JOB_RETRY, "out of memory");
        return 0;
    }

    return 1;
}


static provider_e
validation_hear(job_measures_t *m, provider_fault_t *fault)
{
    const char    *key;
    const json_t  *audio;

    audio = json_object_get(m->input, "response_audio");
    key = json_string_value(json_object_get(audio, "object"));

    if (key == NULL) {
        (void) json_object_set_new(m->detail, "hearing",
                                   json_string("the agent gave no audio"));
        return PROVIDER_OK;
    }

    return hear_object(m, key, fault);
}


static provider_e
hear_object(job_measures_t *m, const char *key, provider_fault_t *fault)
{
    char        *bytes;
    size_t       len;
    provider_e   rc;
    voice_rc_t   got;

    got = worker_object_store(m->settings)->get(m->settings, key,
                                                PROVIDER_AUDIO_MAX, &bytes,
                                                &len);
    if (got != VOICE_OK) {
        return provider_fail(fault, got == VOICE_FAILED || got == VOICE_NOMEM
                                    ? PROVIDER_RETRY : PROVIDER_DEAD,
                             "the answer's audio is not in the object store");
    }

    rc = hear_wav(m, voice_span(bytes, len), fault);
    free(bytes);

    return rc;
}


static provider_e
hear_wav(job_measures_t *m, voice_span_t wav, provider_fault_t *fault)
{
    provider_e              rc;
    provider_call_t         call = { m->settings, NULL, m->job->deadline_ms };
    const provider_asr_t   *asr;
    provider_recording_t    recording;

    recording.wav = wav;
    recording.language = voice_json_text(m->input, "language_code");
    recording.domain = json_string_value(json_object_get(m->input,
                                                         "domain"));

    if (speech_audio_ms(wav) == 0) {
        return heard_set(m, "unreadable", fault);
    }

    asr = asr_find(m, &call.profile);
    if (asr == NULL || recording.domain == NULL) {
        return provider_fail(fault, PROVIDER_DEAD, "the ASR profile is "
                             "unknown, or names an unknown provider");
    }

    rc = asr->transcribe(&call, &recording, &m->heard, fault);

    if (rc == PROVIDER_UNSUPPORTED) {
        (void) json_object_set_new(m->detail, "hearing",
                                   json_string(fault->reason));
        return PROVIDER_OK;
    }

    return rc;
}


/* Without default_asr the embedded recogniser listens. */

static const provider_asr_t *
asr_find(const job_measures_t *m, const worker_profile_t **profile)
{
    *profile = NULL;

    if (m->settings->default_asr[0] == '\0') {
        return &provider_asr_pocketsphinx;
    }

    *profile = worker_settings_profile(m->settings, WORKER_PROFILE_ASR, NULL);

    return *profile == NULL ? NULL : provider_asr_find((*profile)->provider);
}


/* Nothing could be heard, and that is the agent's fault. */

static provider_e
heard_set(job_measures_t *m, const char *verdict, provider_fault_t *fault)
{
    m->heard.text = calloc(1, 1);
    m->heard.confidence = -1;
    snprintf(m->heard.verdict, sizeof(m->heard.verdict), "%s", verdict);
    snprintf(m->heard.method, sizeof(m->heard.method), "none");

    return m->heard.text == NULL
           ? provider_fail(fault, PROVIDER_RETRY, "out of memory")
           : PROVIDER_OK;
}


static json_t *
validation_json(job_measures_t *m)
{
    int               known;
    double            confidence;
    json_t           *root;
    voice_decision_e  decision;

    known = voice_score_confidence(&m->scores, &m->policy, &confidence)
            == VOICE_OK;
    decision = decide(m, known ? &confidence : NULL);

    /* sound that nobody could listen to is for a human */
    if (m->heard.text == NULL && decision == VOICE_DECISION_AUTO_PASS
        && !json_is_null(json_object_get(m->input, "response_audio")))
    {
        decision = VOICE_DECISION_MANUAL_REVIEW;
    }

    if (m->heard.text != NULL) {
        (void) json_object_set_new(m->detail, "verdict",
                                   json_string(m->heard.verdict));
        (void) score_add(m->detail, "heard_confidence", m->heard.confidence);
    }

    (void) json_object_set(m->detail, "entity_errors", m->entity_errors);

    root = json_pack("{s:o, s:o, s:o, s:s, s:o, s:O}",
        "heard_text", m->heard.text == NULL ? json_null()
                                            : json_string(m->heard.text),
        "semantic_method", m->semantic_method == NULL
                           ? json_null() : json_string(m->semantic_method),
        "gates", voice_gates_json(&m->gates),
        "decision", voice_decision_name(decision),
        "recogniser", m->heard.text == NULL ? json_null()
                                            : json_string(m->heard.method),
        "detail", m->detail);

    if (root == NULL || !scores_add(m, root) || !words_add(m, root)
        || !patterns_add(m, root)
        || !score_add(root, "confidence_score", known ? confidence : -1))
    {
        json_decref(root);
        return NULL;
    }

    return root;
}


static voice_decision_e
decide(job_measures_t *m, const double *confidence)
{
    char              reason[JOB_DOUBT_MAX];
    voice_decision_e  decision;

    decision = voice_score_decide(&m->scores, &m->gates, confidence,
                                  &m->policy);

    if (decision == VOICE_DECISION_AUTO_PASS && job_doubt(m, reason)) {
        (void) json_object_set_new(m->detail, "doubt", json_string(reason));
        return VOICE_DECISION_MANUAL_REVIEW;
    }

    return decision;
}


static int
scores_add(const job_measures_t *m, json_t *root)
{
    int       done = 1;
    unsigned  i;

    for (i = 0; i < VOICE_SCORE_COUNT; i++) {
        done &= score_add(root, score_names[i],
                          (m->scores.present & (1u << i)) != 0
                          ? m->scores.value[i] : -1);
    }

    done &= score_add(root, "command_kind_match_score", m->command_kind);
    done &= score_add(root, "asr_confidence_score", m->asr_confidence);

    return done;
}


static int
words_add(const job_measures_t *m, json_t *root)
{
    json_t  *words, *alignment;

    words = json_pack("{s:o, s:o, s:o, s:o, s:o}",
                      "wer_score", report_copy(m->report, "wer"),
                      "cer_score", report_copy(m->report, "cer"),
                      "ser_score", report_copy(m->report, "ser"),
                      "wer_raw", report_copy(m->report, "wer_raw"),
                      "cer_raw", report_copy(m->report, "cer_raw"));

    alignment = m->report == NULL ? json_null()
        : json_pack("{s:o, s:o, s:o, s:o}",
              "substitutions", report_copy(m->report, "substitutions"),
              "deletions", report_copy(m->report, "deletions"),
              "insertions", report_copy(m->report, "insertions"),
              "ops", report_copy(m->report, "alignment"));

    if (words == NULL
        || json_object_set_new(words, "alignment", alignment) != 0
        || json_object_update(root, words) != 0)
    {
        json_decref(words);
        return 0;
    }

    json_decref(words);

    return 1;
}


static int
patterns_add(const job_measures_t *m, json_t *root)
{
    json_t  *patterns;

    patterns = !m->patterns_asked ? json_null()
               : json_pack("{s:b, s:O}",
                           "passed", json_array_size(m->errors) == 0,
                           "errors", m->errors);

    return json_object_set_new(root, "response_patterns", patterns) == 0;
}


/* A negative score is none. */

static int
score_add(json_t *root, const char *name, double score)
{
    return json_object_set_new(root, name, score < 0 ? json_null()
                                                     : json_real(score))
           == 0;
}


static json_t *
report_copy(const json_t *report, const char *name)
{
    json_t  *value;

    value = json_object_get(report, name);

    return value == NULL ? json_null() : json_incref(value);
}


static void
validation_release(job_measures_t *m)
{
    free(m->heard.text);
    json_decref(m->report);
    json_decref(m->errors);
    json_decref(m->entity_errors);
    json_decref(m->detail);
}
