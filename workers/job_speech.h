
/*
 * What the job kinds about speech share.
 */

#ifndef JOB_SPEECH_H
#define JOB_SPEECH_H


#include "provider.h"
#include "speech_recogniser.h"
#include "worker_object.h"


/* The kinds; they stand in the table of worker_jobs.c. */
void job_test_execution(const worker_settings_t *settings,
    const worker_job_t *job, job_result_t *result);
void job_validation(const worker_settings_t *settings,
    const worker_job_t *job, job_result_t *result);

void job_call_processing(const worker_settings_t *settings,
    const worker_job_t *job, job_result_t *result);

/* How a job ends otherwise than well. */
void job_end(job_result_t *result, job_outcome_e outcome, const char *error,
    ...) __attribute__((format(printf, 3, 4)));

/*
 * Between two parts of a job: tells how far it is (worker_job_progress()).
 * 0: it was cancelled; it need not end in any way.
 */
int job_step(const worker_job_t *job, double fraction, const char *text);

/* How it ends after a provider's fault (anything but OK). */
void job_fault(job_result_t *result, provider_e kind,
    const provider_fault_t *fault);


#endif /* JOB_SPEECH_H */
