
/*
 * Scores of a tested answer, their confidence, the decision.
 */

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "voice_score.h"
#include "voice_similarity.h"
#include "voice_text.h"


#define SLOPE_END  2.0                 /* ratio at which the score is 0 */


static voice_span_t trim(voice_span_t text);
static voice_rc_t fold(voice_span_t text, char **out, size_t *len);
static int compare_doubles(const void *one, const void *two);
static voice_rc_t read_weights(voice_policy_t *policy, const json_t *object);
static voice_rc_t read_numbers(voice_policy_t *policy, const json_t *object);
static double clamp(double value);
static voice_gate_t *gate_slot(voice_gates_t *gates, int passed);
static int gates_passed(const voice_gates_t *gates);
static int lexical_alone(const voice_scores_t *scores);


const voice_policy_t  voice_policy_default = {
    .weight = { 0.30, 0.30, 0.25, 0.15 },
    .auto_pass = VOICE_SCORE_AUTO_PASS,
    .review = VOICE_SCORE_REVIEW,
    .wer_fail = VOICE_SCORE_WER_FAIL,
    .wer_pass = VOICE_SCORE_WER_PASS,
    .tolerance = VOICE_SCORE_TOLERANCE
};


static const char *const  score_names[VOICE_SCORE_COUNT] = {
    "intent", "entity", "semantic", "response_time"
};

static const char *const  decision_names[] = {
    "manual_review", "auto_pass", "auto_fail"
};


voice_rc_t
voice_policy_read(voice_policy_t *policy, const json_t *object)
{
    voice_rc_t  rc;

    *policy = voice_policy_default;

    if (object == NULL || json_is_null(object)) {
        return VOICE_OK;
    }

    if (!json_is_object(object)) {
        return VOICE_INVALID;
    }

    rc = read_weights(policy, json_object_get(object, "weights"));

    return rc == VOICE_OK ? read_numbers(policy, object) : rc;
}


voice_rc_t
voice_score_intent(voice_span_t expected, voice_span_t actual, double *score)
{
    char        *one, *two;
    size_t       n, m;
    voice_rc_t   rc;

    *score = 0;

    if (expected.ptr == NULL || actual.ptr == NULL) {
        *score = expected.ptr == actual.ptr ? 1.0 : 0.0;
        return VOICE_OK;
    }

    two = NULL;

    rc = fold(trim(actual), &one, &n);
    if (rc != VOICE_OK) {
        return rc;
    }

    rc = fold(trim(expected), &two, &m);

    if (rc == VOICE_OK && voice_span_eq(voice_span(one, n),
                                        voice_span(two, m)))
    {
        *score = 1.0;

    } else if (rc == VOICE_OK && n > 0 && m > 0) {
        rc = voice_similarity_ratio(voice_span(one, n), voice_span(two, m),
                                    score);
    }

    free(one);
    free(two);

    return rc;
}


double
voice_score_response_time(double ms, double threshold)
{
    double  ratio;

    if (threshold <= 0) {
        return ms <= 0 ? 1.0 : 0.0;
    }

    ratio = ms / threshold;

    if (ratio <= 1) {
        return 1.0;
    }

    /* 0.5 at the threshold, 0.25 at one and a half, 0 at twice */
    return ratio < SLOPE_END ? 0.5 * (SLOPE_END - ratio) : 0.0;
}


voice_rc_t
voice_score_response_times(const double *ms, size_t n, double threshold,
    double *score)
{
    double  *copy;

    *score = 0.5;

    if (n == 0) {
        return VOICE_OK;
    }

    copy = malloc(n * sizeof(double));
    if (copy == NULL) {
        return VOICE_NOMEM;
    }

    memcpy(copy, ms, n * sizeof(double));
    *score = voice_score_response_time(voice_score_p95(copy, n), threshold);
    free(copy);

    return VOICE_OK;
}


double
voice_score_p95(double *ms, size_t n)
{
    size_t  index;

    if (n == 0) {
        return 0;
    }

    qsort(ms, n, sizeof(double), compare_doubles);

    /* in whole numbers: 0.95 is no binary fraction */
    index = n / 100 * 95 + n % 100 * 95 / 100;

    return ms[index < n ? index : n - 1];
}


voice_rc_t
voice_score_confidence(const voice_scores_t *scores,
    const voice_policy_t *policy, double *confidence)
{
    int     i;
    double  sum, total, weight[VOICE_SCORE_COUNT];

    *confidence = 0;
    total = 0;

    if ((scores->present & ((1u << VOICE_SCORE_COUNT) - 1)) == 0) {
        return VOICE_NOTFOUND;
    }

    for (i = 0; i < VOICE_SCORE_COUNT; i++) {
        weight[i] = policy->weight[i] > 0 ? policy->weight[i] : 0.0;
        weight[i] = scores->present & (1u << i) ? weight[i] : 0.0;
        total += weight[i];
    }

    sum = 0;

    for (i = 0; i < VOICE_SCORE_COUNT; i++) {

        if ((scores->present & (1u << i)) == 0) {
            continue;
        }

        /* weights that are all 0 mean the same as equal ones */
        weight[i] = total > 0 ? weight[i] : 1.0;
        sum += weight[i];
        *confidence += weight[i] * clamp(scores->value[i]);
    }

    *confidence = clamp(*confidence / sum);

    return VOICE_OK;
}


void
voice_gate_add(voice_gates_t *gates, const char *name, int passed,
    const char *reason, ...)
{
    va_list        args;
    voice_gate_t  *gate;

    gate = gate_slot(gates, passed);
    if (gate == NULL) {
        return;
    }

    memset(gate, 0, sizeof(voice_gate_t));
    gate->name = name;
    gate->passed = passed != 0;

    if (!passed) {
        va_start(args, reason);
        (void) vsnprintf(gate->reason, sizeof(gate->reason), reason, args);
        va_end(args);
    }
}


void
voice_gates_fill(voice_gates_t *gates, const voice_gate_facts_t *facts,
    const voice_policy_t *policy)
{
    size_t  errors;
    double  entity;

    errors = json_array_size(facts->pattern_errors);
    entity = facts->scores->value[VOICE_SCORE_ENTITY];

    voice_gate_add(gates, "answer", trim(facts->answer).len > 0,
                   "the answer is empty");

    voice_gate_add(gates, "patterns", errors == 0,
                   "%zu of the response patterns failed", errors);

    if (facts->scores->present & (1u << VOICE_SCORE_ENTITY)) {
        voice_gate_add(gates, "entities", entity >= 1,
                       "only %.0f %% of the entities match",
                       floor(clamp(entity) * 100));
    }

    if (facts->wer >= 0) {
        voice_gate_add(gates, "hearing", facts->wer <= policy->wer_fail,
                       "the word error rate %.3f is above %.3f", facts->wer,
                       policy->wer_fail);
    }
}


json_t *
voice_gates_json(const voice_gates_t *gates)
{
    unsigned             i;
    json_t              *list;
    const voice_gate_t  *gate;

    list = json_array();

    for (i = 0; i < gates->count; i++) {
        gate = &gates->items[i];

        if (json_array_append_new(list,
                json_pack("{s:s, s:b, s:s}", "name", gate->name,
                          "passed", gate->passed, "reason", gate->reason))
            != 0)
        {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


voice_decision_e
voice_score_decide(const voice_scores_t *scores, const voice_gates_t *gates,
    const double *confidence, const voice_policy_t *policy)
{
    if (!gates_passed(gates)) {
        return VOICE_DECISION_AUTO_FAIL;
    }

    if (confidence == NULL || isnan(*confidence)) {
        return VOICE_DECISION_MANUAL_REVIEW;
    }

    if (*confidence < policy->review) {
        return VOICE_DECISION_AUTO_FAIL;
    }

    if (*confidence < policy->auto_pass || lexical_alone(scores)) {
        return VOICE_DECISION_MANUAL_REVIEW;
    }

    return VOICE_DECISION_AUTO_PASS;
}


const char *
voice_decision_name(voice_decision_e decision)
{
    return decision_names[decision];
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


static voice_rc_t
fold(voice_span_t text, char **out, size_t *len)
{
    return voice_text_normalise(text, VOICE_TEXT_KEEP_PUNCTUATION, out, len);
}


static int
compare_doubles(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return a < b ? -1 : a > b;
}


static voice_rc_t
read_weights(voice_policy_t *policy, const json_t *object)
{
    int            i;
    const json_t  *value;

    if (object == NULL || json_is_null(object)) {
        return VOICE_OK;
    }

    if (!json_is_object(object)) {
        return VOICE_INVALID;
    }

    for (i = 0; i < VOICE_SCORE_COUNT; i++) {
        value = json_object_get(object, score_names[i]);

        if (value != NULL && !json_is_number(value)) {
            return VOICE_INVALID;
        }

        policy->weight[i] = json_number_value(value);
    }

    return VOICE_OK;
}


static voice_rc_t
read_numbers(voice_policy_t *policy, const json_t *object)
{
    size_t         i;
    const json_t  *value;

    const struct {
        const char  *name;
        double      *number;
    } members[] = {
        { "auto_pass", &policy->auto_pass },
        { "needs_review", &policy->review },
        { "manual_review", &policy->review },
        { "wer_fail", &policy->wer_fail },
        { "wer_pass", &policy->wer_pass },
        { "tolerance", &policy->tolerance }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(members); i++) {
        value = json_object_get(object, members[i].name);

        if (value == NULL || json_is_null(value)) {
            continue;
        }

        if (!json_is_number(value)) {
            return VOICE_INVALID;
        }

        *members[i].number = json_number_value(value);
    }

    if (policy->review < 0 || policy->auto_pass < policy->review
        || policy->auto_pass > 1 || policy->wer_fail < 0
        || policy->wer_pass < 0 || policy->tolerance < 0)
    {
        return VOICE_INVALID;
    }

    return VOICE_OK;
}


static double
clamp(double value)
{
    return value > 0 ? (value < 1 ? value : 1.0) : 0.0;
}


/* A failed gate must not be lost for want of room. */
static voice_gate_t *
gate_slot(voice_gates_t *gates, int passed)
{
    if (gates->count < VOICE_SCORE_GATES_MAX) {
        return &gates->items[gates->count++];
    }

    return passed ? NULL : &gates->items[VOICE_SCORE_GATES_MAX - 1];
}


static int
gates_passed(const voice_gates_t *gates)
{
    unsigned  i;

    for (i = 0; i < gates->count; i++) {
        if (!gates->items[i].passed) {
            return 0;
        }
    }

    return 1;
}


/* Neither what was meant nor what was named was checked. */
static int
lexical_alone(const voice_scores_t *scores)
{
    unsigned  solid;

    solid = (1u << VOICE_SCORE_INTENT) | (1u << VOICE_SCORE_ENTITY);

    return scores->semantic_lexical
           && (scores->present & (1u << VOICE_SCORE_SEMANTIC))
           && (scores->present & solid) == 0;
}
