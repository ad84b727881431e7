
/*
 * Kinds whose work is a rule of SQL: scheduled_run, run_regression_suite,
 * scheduled_report.  Their finish does it, in the transaction that ends the
 * job, so it happens once; there is nothing to do before it.
 */

#include "job_speech.h"


void
job_rule(const worker_settings_t *settings, const worker_job_t *job,
    job_result_t *result)
{
    (void) settings;
    (void) job;

    result->outcome = JOB_DONE;
    result->result = json_object();

    if (result->result == NULL) {
        job_end(result, JOB_RETRY, "out of memory");
    }
}
