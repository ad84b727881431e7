
/*
 * The trace that outbound calls carry on.
 */

#include <stdio.h>
#include <sys/random.h>

#include "../lib/voice_trace.h"
#include "worker_trace.h"


/* One job at a time. */
static struct {
    int            known;
    voice_trace_t  trace;
} current;


void
worker_trace_job(const worker_job_t *job)
{
    current.known = job != NULL
                    && voice_trace_parse(voice_span_str(job->traceparent),
                                         &current.trace)
                       == VOICE_OK;
}


int
worker_trace_line(char out[WORKER_TRACE_LINE])
{
    char           text[VOICE_TRACEPARENT_LEN + 1];
    voice_trace_t  trace;

    out[0] = '\0';

    if (!current.known) {
        return 0;
    }

    trace = current.trace;

    if (getrandom(trace.span_id, sizeof(trace.span_id), 0)
        != (ssize_t) sizeof(trace.span_id))
    {
        return 0;
    }

    /* all zeros would be none */
    trace.span_id[7] |= 1;

    voice_trace_write(&trace, text);
    (void) snprintf(out, WORKER_TRACE_LINE, "traceparent: %s", text);

    return 1;
}
