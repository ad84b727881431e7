
/*
 * The trace of the job that this process runs (W3C Trace Context).
 */

#ifndef WORKER_TRACE_H
#define WORKER_TRACE_H


#include "worker.h"


#define WORKER_TRACE_LINE  72          /* "traceparent: " and the value */


/* What follows belongs to the job's trace; NULL: to none. */
void worker_trace_job(const worker_job_t *job);

/*
 * The header line of one outbound call, with a span of its own.  0: there is
 * no trace, or no random bytes; out is empty then.
 */
int worker_trace_line(char out[WORKER_TRACE_LINE]);


#endif /* WORKER_TRACE_H */
