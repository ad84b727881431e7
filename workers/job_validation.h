
/*
 * The measures of a tested answer, and where they are gathered.
 */

#ifndef JOB_VALIDATION_H
#define JOB_VALIDATION_H


#include "../lib/voice_score.h"
#include "job_speech.h"


/* What was answered, what was expected, and what came of it. */
typedef struct {
    const worker_settings_t  *settings;
    const worker_job_t       *job;
    const json_t             *input;   /* of the job */
    const json_t             *expected;        /* may be NULL */
    voice_policy_t            policy;

    voice_span_t              response;        /* the agent's own text */
    provider_transcript_t     heard;   /* text NULL: nobody listened */
    voice_span_t              answer;  /* heard, or else response */
    voice_span_t              reference;       /* for the error rates */

    voice_scores_t            scores;
    voice_gates_t             gates;
    double                    wer;     /* heard to reference; -1: none */
    double                    spoken;  /* heard to response; -1: none */
    const char               *semantic_method; /* NULL: no score */
    double                    command_kind;    /* -1: no score */
    double                    asr_confidence;  /* -1: no score */
    json_t                   *report;  /* voice_wer_report(); or NULL */
    json_t                   *errors;  /* array: of response patterns */
    json_t                   *entity_errors;   /* array */
    int                       patterns_asked;
    json_t                   *detail;  /* object */
} job_measures_t;


/*
 * Takes all measures.  PROVIDER_OK, or PROVIDER_RETRY and PROVIDER_DEAD with
 * a fault.
 */
provider_e job_measure(job_measures_t *measures, provider_fault_t *fault)
    VOICE_MUST_CHECK;


#define JOB_DOUBT_MAX  200

/*
 * Does something speak against passing without a human: too much of the
 * agent's text, or a part of it that the case asks for, was not heard?  1
 * with the reason; 0.
 */
int job_doubt(const job_measures_t *measures, char reason[JOB_DOUBT_MAX])
    VOICE_MUST_CHECK;


#endif /* JOB_VALIDATION_H */
