
/*
 * The table of job kinds.
 */

#include <string.h>

#include "worker_jobs.h"


void job_test_execution(const worker_settings_t *settings,
    const worker_job_t *job, job_result_t *result);
void job_validation(const worker_settings_t *settings,
    const worker_job_t *job, job_result_t *result);
void job_call_processing(const worker_settings_t *settings,
    const worker_job_t *job, job_result_t *result);
void job_rule(const worker_settings_t *settings, const worker_job_t *job,
    job_result_t *result);
void job_probe(const worker_settings_t *settings, const worker_job_t *job,
    job_result_t *result);


const worker_job_kind_t  worker_job_kinds[WORKER_KINDS_MAX] = {
    { "test_execution", job_test_execution,
      "select work.start_test_execution($1, $2) as input",
      "select accepted, wake from work.finish_test_execution($1, $2, $3)" },
    { "validation", job_validation,
      "select work.start_validation($1, $2) as input",
      "select accepted, wake from work.finish_validation($1, $2, $3)" },
    { "call_processing", job_call_processing,
      "select work.start_call_processing($1, $2) as input",
      "select accepted, wake from work.finish_call_processing($1, $2, $3)" },
    { "scheduled_run", job_rule, NULL,
      "select accepted, wake from work.finish_scheduled_run($1, $2, $3)" },
    { "run_regression_suite", job_rule, NULL,
      "select accepted, wake "
      "from work.finish_run_regression_suite($1, $2, $3)" },
    { "scheduled_report", job_rule, NULL,
      "select accepted, wake from work.finish_scheduled_report($1, $2, $3)" },
    { "probe", job_probe, NULL, NULL },
    { NULL, NULL, NULL, NULL }
};


const worker_job_kind_t *
worker_job_find(const char *kind)
{
    const worker_job_kind_t  *row;

    for (row = worker_job_kinds; row->kind != NULL; row++) {
        if (strcmp(row->kind, kind) == 0) {
            return row;
        }
    }

    return NULL;
}
