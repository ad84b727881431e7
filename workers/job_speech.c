
/*
 * Ends of jobs about speech.
 */

#include <stdarg.h>
#include <stdio.h>

#include "job_speech.h"


void
job_end(job_result_t *result, job_outcome_e outcome, const char *error, ...)
{
    va_list  args;

    va_start(args, error);
    vsnprintf(result->error, sizeof(result->error), error, args);
    va_end(args);

    result->outcome = outcome;
    result->retry_after = 0;
}


void
job_fault(job_result_t *result, provider_e kind,
    const provider_fault_t *fault)
{
    job_end(result, kind == PROVIDER_RETRY ? JOB_RETRY
                    : kind == PROVIDER_OPEN ? JOB_DEFER : JOB_DEAD, "%s",
            fault->reason);
    result->retry_after = fault->retry_after;
}


int
job_step(const worker_job_t *job, double fraction, const char *text)
{
    worker_job_progress(job, fraction, text);

    return !worker_job_cancelled(job);
}
