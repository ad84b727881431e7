
/*
 * The measures of a tested answer.  What nothing was expected of has no
 * score.
 */

#include <stdlib.h>

#include "../lib/voice_json.h"
#include "../lib/voice_similarity.h"
#include "../lib/voice_text.h"
#include "../lib/voice_wer.h"
#include "job_validation.h"


#define MEASURE_INTENT_GATE  0.5       /* another intent, not another name */
#define MEASURE_ASR_GATE     0.5


typedef provider_e (*measure_pt)(job_measures_t *m, provider_fault_t *fault);


static provider_e measure_reference(job_measures_t *m,
    provider_fault_t *fault);
static provider_e measure_words(job_measures_t *m, provider_fault_t *fault);
static provider_e measure_spoken(job_measures_t *m, provider_fault_t *fault);
static provider_e measure_intent(job_measures_t *m, provider_fault_t *fault);
static provider_e measure_entities(job_measures_t *m,
    provider_fault_t *fault);
static provider_e measure_semantic(job_measures_t *m,
    provider_fault_t *fault);
static provider_e measure_time(job_measures_t *m, provider_fault_t *fault);
static provider_e measure_patterns(job_measures_t *m,
    provider_fault_t *fault);
static provider_e measure_command(job_measures_t *m, provider_fault_t *fault);
static provider_e measure_asr(job_measures_t *m, provider_fault_t *fault);
static provider_e measure_length(job_measures_t *m, provider_fault_t *fault);
static provider_e measure_gates(job_measures_t *m, provider_fault_t *fault);
static double required_missing(const job_measures_t *m);
static provider_e similarity(const job_measures_t *m, voice_span_t reference,
    double *score, provider_fault_t *fault);
static void score_set(job_measures_t *m, voice_score_e score, double value);
static int number_member(const json_t *object, const char *name,
    double *number);
static provider_e broken(provider_fault_t *fault, const char *measure);


static const measure_pt  measures[] = {
    measure_reference,
    measure_words,
    measure_spoken,
    measure_intent,
    measure_entities,
    measure_semantic,
    measure_time,
    measure_patterns,
    measure_command,
    measure_asr,
    measure_length,
    measure_gates,
    NULL
};


provider_e
job_measure(job_measures_t *m, provider_fault_t *fault)
{
    size_t      i;
    provider_e  rc = PROVIDER_OK;

    for (i = 0; rc == PROVIDER_OK && measures[i] != NULL; i++) {
        rc = measures[i](m, fault);
    }

    return rc;
}


/*
 * Of the expected answer and its alternates the one that is nearest to what
 * was heard; without one the agent's own text.
 */

static provider_e
measure_reference(job_measures_t *m, provider_fault_t *fault)
{
    size_t            i;
    double            best, wer;
    const char       *which = "expected_response";
    const json_t     *item;
    voice_wer_pair_t  pair;

    m->reference = voice_json_text(m->expected, "expected_response");

    if (m->reference.len == 0) {
        m->reference = m->response;
        which = "response_text";
    }

    pair.reference = m->reference;
    pair.hypothesis = m->answer;

    if (voice_wer(&pair, 0, &best) != VOICE_OK) {
        return broken(fault, "word error rate");
    }

    json_array_foreach(json_object_get(m->expected, "acceptable_alternates"),
                       i, item)
    {
        pair.reference = voice_span_str(json_string_value(item));

        if (pair.reference.len > 0 && voice_wer(&pair, 0, &wer) == VOICE_OK
            && wer < best)
        {
            best = wer;
            m->reference = pair.reference;
            which = "acceptable_alternates";
        }
    }

    (void) json_object_set_new(m->detail, "reference", json_string(which));

    return PROVIDER_OK;
}


/* Error rates of what was heard; text agents are not heard. */

static provider_e
measure_words(job_measures_t *m, provider_fault_t *fault)
{
    voice_wer_pair_t  pair = { m->reference, m->answer };

    m->wer = -1;

    if (m->heard.text == NULL || m->reference.len == 0) {
        return PROVIDER_OK;
    }

    if (voice_wer_report(&pair, &m->report) != VOICE_OK) {
        return broken(fault, "word error rate");
    }

    m->wer = json_number_value(json_object_get(m->report, "wer"));

    return PROVIDER_OK;
}


/* Does the sound say what the agent's text claims? */

static provider_e
measure_spoken(job_measures_t *m, provider_fault_t *fault)
{
    double            wer;
    voice_wer_pair_t  pair = { m->response, m->answer };

    m->spoken = -1;

    if (m->heard.text == NULL) {
        return PROVIDER_OK;
    }

    voice_gate_add(&m->gates, "audio", strcmp(m->heard.verdict, "heard") == 0,
                   "no answer was understood in the audio: %s",
                   m->heard.verdict);

    if (m->response.len == 0) {
        return PROVIDER_OK;
    }

    if (voice_wer(&pair, 0, &wer) != VOICE_OK) {
        return broken(fault, "word error rate");
    }

    m->spoken = wer;
    (void) json_object_set_new(m->detail, "wer_to_response_text",
                               json_real(wer));
    voice_gate_add(&m->gates, "spoken", wer <= m->policy.wer_fail,
                   "the audio does not say the agent's text: WER %.2f", wer);

    return PROVIDER_OK;
}


static provider_e
measure_intent(job_measures_t *m, provider_fault_t *fault)
{
    double        score;
    voice_span_t  expected, actual;

    expected = voice_json_text(m->expected, "expected_intent");
    actual = voice_json_text(m->input, "intent");

    if (expected.len == 0) {
        return PROVIDER_OK;
    }

    if (voice_score_intent(expected, actual, &score) != VOICE_OK) {
        return broken(fault, "intent");
    }

    score_set(m, VOICE_SCORE_INTENT, score);
    voice_gate_add(&m->gates, "intent", score >= MEASURE_INTENT_GATE,
                   "intent \"%.60s\", expected \"%.60s\"",
                   actual.len == 0 ? "" : actual.ptr, expected.ptr);

    return PROVIDER_OK;
}


static provider_e
measure_entities(job_measures_t *m, provider_fault_t *fault)
{
    double         missing;
    const json_t  *expected;

    (void) fault;

    expected = json_object_get(m->expected, "entities");
    missing = required_missing(m);

    if (missing > 0) {
        voice_gate_add(&m->gates, "required_entities", 0,
                       "%.0f required entities are missing", missing);
    }

    if (json_object_size(expected) == 0) {
        return PROVIDER_OK;
    }

    score_set(m, VOICE_SCORE_ENTITY,
              voice_score_entities(expected,
                  json_object_get(m->input, "entities"),
                  json_object_get(m->expected, "tolerance_settings"),
                  m->policy.tolerance, m->entity_errors));

    return PROVIDER_OK;
}


/* How many required entities the agent did not find. */

static double
required_missing(const job_measures_t *m)
{
    size_t         i;
    double         missing = 0;
    const char    *name;
    const json_t  *item, *actual;

    actual = json_object_get(m->input, "entities");

    json_array_foreach(json_object_get(m->expected, "required_entities"), i,
                       item)
    {
        name = json_string_value(item);

        if (name != NULL
            && (json_object_get(actual, name) == NULL
                || json_is_null(json_object_get(actual, name))))
        {
            missing++;
        }
    }

    return missing;
}


static provider_e
measure_semantic(job_measures_t *m, provider_fault_t *fault)
{
    double      score;
    provider_e  rc;

    if (voice_json_text(m->expected, "expected_response").len == 0) {
        return PROVIDER_OK;
    }

    rc = similarity(m, m->reference, &score, fault);
    if (rc != PROVIDER_OK) {
        return rc;
    }

    m->scores.semantic_lexical = m->settings->default_embeddings[0] == '\0';
    m->semantic_method = m->scores.semantic_lexical
                         ? VOICE_SIMILARITY_LEXICAL
                         : VOICE_SIMILARITY_EMBEDDING;
    score_set(m, VOICE_SCORE_SEMANTIC, score);

    return PROVIDER_OK;
}


/* By the embeddings endpoint if there is one, else by words. */

static provider_e
similarity(const job_measures_t *m, voice_span_t reference, double *score,
    provider_fault_t *fault)
{
    voice_span_t                  language;
    provider_call_t               call = { m->settings, NULL,
                                           m->job->deadline_ms };
    const provider_embeddings_t  *provider;

    if (m->settings->default_embeddings[0] == '\0') {
        language = voice_json_text(m->input, "language_code");

        return voice_similarity_lexical(reference, m->answer, language,
                                        score)
               == VOICE_OK ? PROVIDER_OK : broken(fault, "similarity");
    }

    call.profile = worker_settings_profile(m->settings,
                                           WORKER_PROFILE_EMBEDDINGS, NULL);
    provider = call.profile == NULL
               ? NULL : provider_embeddings_find(call.profile->provider);

    if (provider == NULL) {
        return provider_fail(fault, PROVIDER_DEAD, "the embeddings profile "
                             "is unknown, or names an unknown provider");
    }

    if (reference.len == 0 || m->answer.len == 0) {
        *score = reference.len == m->answer.len ? 1 : 0;
        return PROVIDER_OK;
    }

    return provider->similarity(&call, reference, m->answer, score, fault);
}


static provider_e
measure_time(job_measures_t *m, provider_fault_t *fault)
{
    double         ms, threshold;
    const json_t  *timings;

    (void) fault;

    timings = json_object_get(m->input, "timings");

    if (number_member(m->expected, "max_response_time_ms", &threshold)
        && number_member(timings, "final_result_ms", &ms))
    {
        score_set(m, VOICE_SCORE_RESPONSE_TIME,
                  voice_score_response_time(ms, threshold));
    }

    return PROVIDER_OK;
}


/*
 * Patterns are about the agent's text, which the gate "spoken" ties to the
 * sound; what is forbidden must not be heard, either.
 */

static provider_e
measure_patterns(job_measures_t *m, provider_fault_t *fault)
{
    int            passed;
    voice_span_t   text;
    const json_t  *content, *forbidden;

    content = json_object_get(m->expected, "patterns");
    forbidden = json_object_get(m->expected, "forbidden_phrases");
    text = m->response.len > 0 ? m->response : m->answer;

    m->patterns_asked = json_object_size(content) > 0
                        || json_array_size(forbidden) > 0;

    if (!m->patterns_asked) {
        return PROVIDER_OK;
    }

    if (voice_score_patterns(content, forbidden, text, m->errors, &passed)
        != VOICE_OK)
    {
        return broken(fault, "response patterns");
    }

    if (m->heard.text != NULL && m->response.len > 0 && m->answer.len > 0
        && json_array_size(forbidden) > 0
        && voice_score_patterns(NULL, forbidden, m->answer, m->errors,
                                &passed)
           != VOICE_OK)
    {
        return broken(fault, "response patterns");
    }

    return PROVIDER_OK;
}


static provider_e
measure_command(job_measures_t *m, provider_fault_t *fault)
{
    voice_span_t  expected, actual;

    (void) fault;

    m->command_kind = -1;
    expected = voice_json_text(m->expected, "expected_command_kind");
    actual = voice_json_text(m->input, "command_kind");

    if (expected.len == 0) {
        return PROVIDER_OK;
    }

    m->command_kind = voice_span_eq(expected, actual) ? 1 : 0;
    voice_gate_add(&m->gates, "command_kind", m->command_kind > 0,
                   "command kind \"%.60s\", expected \"%.60s\"",
                   actual.len == 0 ? "" : actual.ptr, expected.ptr);

    return PROVIDER_OK;
}


static provider_e
measure_asr(job_measures_t *m, provider_fault_t *fault)
{
    int     asked, told;
    double  least, value;

    (void) fault;

    asked = number_member(m->expected, "expected_asr_confidence_min", &least);
    told = number_member(m->input, "asr_confidence", &value);

    m->asr_confidence = told ? value : -1;

    if (!asked) {
        return PROVIDER_OK;
    }

    m->asr_confidence = told && value >= least ? value : 0;
    voice_gate_add(&m->gates, "asr_confidence",
                   m->asr_confidence >= MEASURE_ASR_GATE,
                   "the agent's ASR confidence is %.2f, expected %.2f",
                   told ? value : 0, least);

    return PROVIDER_OK;
}


static provider_e
measure_length(job_measures_t *m, provider_fault_t *fault)
{
    double         most;
    size_t         count;
    uint32_t      *points;
    voice_span_t   text;

    text = m->response.len > 0 ? m->response : m->answer;

    if (!number_member(m->expected, "max_response_length", &most)) {
        return PROVIDER_OK;
    }

    if (voice_text_decode(text, &points, &count) != VOICE_OK) {
        return broken(fault, "length");
    }

    free(points);
    voice_gate_add(&m->gates, "length", (double) count <= most,
                   "the answer has %zu characters, at most %.0f expected",
                   count, most);

    return PROVIDER_OK;
}


static provider_e
measure_gates(job_measures_t *m, provider_fault_t *fault)
{
    voice_scores_t      scores = m->scores;
    voice_gate_facts_t  facts;

    (void) fault;

    if (json_is_true(json_object_get(m->expected, "allow_partial_success"))) {
        scores.present &= ~(1u << VOICE_SCORE_ENTITY);
    }

    facts.answer = m->answer;
    facts.pattern_errors = m->errors;
    facts.scores = &scores;
    facts.wer = m->wer;
    voice_gates_fill(&m->gates, &facts, &m->policy);

    return PROVIDER_OK;
}


static void
score_set(job_measures_t *m, voice_score_e score, double value)
{
    m->scores.value[score] = value;
    m->scores.present |= 1u << score;
}


static int
number_member(const json_t *object, const char *name, double *number)
{
    const json_t  *value;

    value = json_object_get(object, name);
    *number = json_number_value(value);

    return json_is_number(value);
}


static provider_e
broken(provider_fault_t *fault, const char *measure)
{
    return provider_fail(fault, PROVIDER_DEAD, "the %s could not be "
                         "measured: a text is too long or not UTF-8, or the "
                         "expectation is malformed", measure);
}
