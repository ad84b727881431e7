
/*
 * Scores of a tested answer: each 0..1, their confidence 0..1, the gates,
 * the decision.
 */

#ifndef VOICE_SCORE_H
#define VOICE_SCORE_H


#include <jansson.h>

#include "voice_base.h"


#define VOICE_SCORE_TOLERANCE    0.01  /* of numbers, absolute */
#define VOICE_SCORE_AUTO_PASS    0.75
#define VOICE_SCORE_REVIEW       0.40
#define VOICE_SCORE_WER_FAIL     0.5
#define VOICE_SCORE_WER_PASS     0.15
#define VOICE_SCORE_GATES_MAX    16
#define VOICE_SCORE_PATTERN_MAX  1024  /* bytes of one pattern */
#define VOICE_SCORE_PATTERNS_MAX 256   /* patterns of one list */


/* What the confidence is made of. */
typedef enum {
    VOICE_SCORE_INTENT = 0,
    VOICE_SCORE_ENTITY,
    VOICE_SCORE_SEMANTIC,
    VOICE_SCORE_RESPONSE_TIME,
    VOICE_SCORE_COUNT
} voice_score_e;


typedef enum {
    VOICE_DECISION_MANUAL_REVIEW = 0,
    VOICE_DECISION_AUTO_PASS,
    VOICE_DECISION_AUTO_FAIL
} voice_decision_e;


/* Scores that are there: bit (1 << voice_score_e) of present. */
typedef struct {
    double    value[VOICE_SCORE_COUNT];        /* 0..1, clamped on use */
    unsigned  present;
    int       semantic_lexical;        /* the semantic score is lexical */
} voice_scores_t;


typedef struct {
    double  weight[VOICE_SCORE_COUNT]; /* negative counts as 0, all 0: equal */
    double  auto_pass;                 /* confidence from which it passes */
    double  review;                    /* below it fails */
    double  wer_fail;                  /* heard-vs-expected gate */
    double  wer_pass;                  /* above it nothing passes by itself */
    double  tolerance;                 /* of numeric entities */
} voice_policy_t;


/* A condition that fails an answer whatever its confidence. */
typedef struct {
    const char  *name;                 /* "answer", "patterns", ... */
    int          passed;
    char         reason[160];          /* empty if passed */
} voice_gate_t;


typedef struct {
    voice_gate_t  items[VOICE_SCORE_GATES_MAX];
    unsigned      count;
} voice_gates_t;


/* Weights .30 .30 .25 .15, thresholds .75 .40, WER .5 .15, tolerance .01. */
extern const voice_policy_t  voice_policy_default;

/*
 * The default with what an object overrides: {"weights": {"intent": 1,
 * "entity": 1, "semantic": 1, "response_time": 1}, "auto_pass": 0.75,
 * "manual_review": 0.4, "wer_fail": 0.5, "wer_pass": 0.15, "tolerance":
 * 0.01}; "needs_review" is another name of "manual_review".  A weight that
 * is not named is 0 once one is.  NULL and null: the default.
 * VOICE_INVALID: a wrong type, or thresholds that are not 0 <=
 * manual_review <= auto_pass <= 1.
 */
voice_rc_t voice_policy_read(voice_policy_t *policy, const json_t *object)
    VOICE_MUST_CHECK;

/*
 * Intent: trimmed, any case.  ptr NULL is null: both null 1, one null 0;
 * both empty 1, one empty 0; equal 1; else voice_similarity_ratio(actual,
 * expected).  VOICE_INVALID: not UTF-8; VOICE_LIMIT; VOICE_NOMEM.
 */
voice_rc_t voice_score_intent(voice_span_t expected, voice_span_t actual,
    double *score) VOICE_MUST_CHECK;

/*
 * Entities: matched / expected keys; further actual keys do not matter;
 * nothing expected 1.  Null matches null only; strings are trimmed, any
 * case; numbers within the tolerance, also where one side is a numeric
 * string ("72" is 72); booleans exact and no numbers; lists and objects deep
 * with the same rules.  tolerances: {"temperature": 0.5} by key, others
 * policy's; may be NULL.  errors, if not NULL, is an array that gets a
 * sentence for each key that does not match.
 */
double voice_score_entities(const json_t *expected, const json_t *actual,
    const json_t *tolerances, double tolerance, json_t *errors);

/*
 * Response time: 1 up to the threshold, just above it 0.5 and falling to 0
 * at twice the threshold; a threshold of 0 or less: 1 for 0 ms, else 0.
 */
double voice_score_response_time(double ms, double threshold);

/*
 * The same for many: of their P95, sorted[min(floor(0.95 n), n - 1)]; none
 * is 0.5.  VOICE_NOMEM.
 */
voice_rc_t voice_score_response_times(const double *ms, size_t n,
    double threshold, double *score) VOICE_MUST_CHECK;

/* P95 as above; sorts ms in place; 0 for none. */
double voice_score_p95(double *ms, size_t n);

/*
 * Response patterns, any case: content is {"contains": [], "not_contains":
 * [], "regex": [], "regex_not_match": []}, forbidden a list of phrases;
 * either may be NULL or null.  Each failure adds a sentence to errors (an
 * array).  An empty answer fails if anything is asked for.  A pattern that
 * does not compile or exceeds the match limit is a failure, and so is a
 * blank one.  *passed is 1 if nothing was added.  VOICE_INVALID: an argument
 * of the wrong type, or text that is not UTF-8; VOICE_LIMIT; VOICE_NOMEM.
 */
voice_rc_t voice_score_patterns(const json_t *content,
    const json_t *forbidden, voice_span_t answer, json_t *errors,
    int *passed) VOICE_MUST_CHECK;

/*
 * The weighted mean of the scores that are there, weights made to sum 1.
 * VOICE_NOTFOUND and 0 if there is none.
 */
voice_rc_t voice_score_confidence(const voice_scores_t *scores,
    const voice_policy_t *policy, double *confidence) VOICE_MUST_CHECK;

/*
 * Adds a gate; name is borrowed, reason as printf, cut to fit, dropped if it
 * passed.  Gates over VOICE_SCORE_GATES_MAX: a failed one replaces the last.
 */
void voice_gate_add(voice_gates_t *gates, const char *name, int passed,
    const char *reason, ...) __attribute__((format(printf, 4, 5)));

/* What the usual gates look at; all borrowed. */
typedef struct {
    voice_span_t           answer;
    const json_t          *pattern_errors;     /* NULL: none */
    const voice_scores_t  *scores;
    double                 wer;        /* heard against expected; negative:
                                          not measured */
} voice_gate_facts_t;


/*
 * Adds the usual gates: "answer" (not empty), "patterns" (no error),
 * "entities" (their score is 1, if there is one), "hearing" (wer is not
 * above policy->wer_fail, if measured).
 */
void voice_gates_fill(voice_gates_t *gates, const voice_gate_facts_t *facts,
    const voice_policy_t *policy);

/* [{"name", "passed", "reason"}]; the caller owns it; NULL: no memory. */
json_t *voice_gates_json(const voice_gates_t *gates) VOICE_MUST_CHECK;

/*
 * The decision: auto_fail if a gate failed; manual_review without any score
 * (confidence NULL); from policy->auto_pass auto_pass, from policy->review
 * manual_review, else auto_fail.  With a lexical semantic score and neither
 * intent nor entity score auto_pass becomes manual_review: a lexical score
 * alone never passes.
 */
voice_decision_e voice_score_decide(const voice_scores_t *scores,
    const voice_gates_t *gates, const double *confidence,
    const voice_policy_t *policy);

/* "auto_pass", "manual_review", "auto_fail" */
const char *voice_decision_name(voice_decision_e decision);


#endif /* VOICE_SCORE_H */
