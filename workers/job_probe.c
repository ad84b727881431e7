
/*
 * The kind probe: does nothing, for as long as it is told to.  Operators see
 * by it that a queue works from end to end; benchmarks measure the engine by
 * it.
 *
 *   work_ms  how long, 0 .. 10000 (0); by sleeping, or
 *   spin     true: by keeping a processor busy
 *   fail     "retry", "dead": it ends so
 *   echo     anything: comes back in the result
 *
 * The result has started_us, microseconds since 1970 UTC when it began.
 */

#include <poll.h>

#include "job_speech.h"
#include "worker_clock.h"


#define PROBE_MS_MAX    10000
#define PROBE_SLICE_MS  20


static int probe_work(const worker_job_t *job, int64_t work_ms, int spin);
static json_t *probe_result(const worker_job_t *job, int64_t began_us);


void
job_probe(const worker_settings_t *settings, const worker_job_t *job,
    job_result_t *result)
{
    int64_t      work_ms, began_us;
    const char  *fail;

    (void) settings;

    began_us = worker_wall_us();
    work_ms = json_integer_value(json_object_get(job->args, "work_ms"));
    fail = json_string_value(json_object_get(job->args, "fail"));

    if (work_ms < 0 || work_ms > PROBE_MS_MAX) {
        job_end(result, JOB_DEAD, "work_ms is not within 0 to %d",
                PROBE_MS_MAX);
        return;
    }

    if (!probe_work(job, work_ms,
                    json_is_true(json_object_get(job->args, "spin"))))
    {
        job_end(result, JOB_RETRY, "the probe took longer than it may");
        return;
    }

    if (fail != NULL) {
        job_end(result, strcmp(fail, "dead") == 0 ? JOB_DEAD : JOB_RETRY,
                "the probe fails as it was told to");
        return;
    }

    result->outcome = JOB_DONE;
    result->result = probe_result(job, began_us);

    if (result->result == NULL) {
        job_end(result, JOB_RETRY, "out of memory");
    }
}


/* 0: it was not done in time. */
static int
probe_work(const worker_job_t *job, int64_t work_ms, int spin)
{
    int64_t  begin, now, left;

    if (work_ms == 0) {
        return 1;
    }

    begin = worker_now_ms();

    for ( ;; ) {
        now = worker_now_ms();
        left = begin + work_ms - now;

        if (left <= 0) {
            return 1;
        }

        if (now >= job->deadline_ms || worker_job_cancelled(job)) {
            return 0;
        }

        worker_job_progress(job, (double) (now - begin) / (double) work_ms,
                            "working");

        if (!spin) {
            poll(NULL, 0, left < PROBE_SLICE_MS ? (int) left
                                                : PROBE_SLICE_MS);
        }
    }
}


static json_t *
probe_result(const worker_job_t *job, int64_t began_us)
{
    json_t  *echo;

    echo = json_object_get(job->args, "echo");

    return echo == NULL
           ? json_pack("{s:I}", "started_us", (json_int_t) began_us)
           : json_pack("{s:I, s:O}", "started_us", (json_int_t) began_us,
                       "echo", echo);
}
