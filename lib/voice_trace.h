
/*
 * W3C Trace Context (Recommendation, 2021): the header fields traceparent
 * and tracestate.
 */

#ifndef VOICE_TRACE_H
#define VOICE_TRACE_H


#include "voice_base.h"


#define VOICE_TRACE_ID_LEN      32     /* hex digits of 16 bytes */
#define VOICE_SPAN_ID_LEN       16     /* hex digits of 8 bytes */
#define VOICE_TRACEPARENT_LEN   55
#define VOICE_TRACESTATE_MAX    512    /* bytes that are passed on, 3.3.1.5 */
#define VOICE_TRACE_MEMBERS     32     /* of a tracestate, 3.3.1.1 */

#define VOICE_TRACE_SAMPLED     0x01
#define VOICE_TRACE_RANDOM      0x02   /* of level 2; the rest is reserved */


typedef struct {
    unsigned char  trace_id[16];
    unsigned char  span_id[8];         /* parent-id of who sent it */
    unsigned       flags;              /* those that we know */
} voice_trace_t;


/*
 * Reads a traceparent: version 00 to the letter; of a version to come, what
 * stands where it stands in 00.  VOICE_INVALID: to be ignored, a new trace
 * begins.
 */
voice_rc_t voice_trace_parse(voice_span_t text, voice_trace_t *trace)
    VOICE_MUST_CHECK;

/* Version 00, NUL after. */
void voice_trace_write(const voice_trace_t *trace,
    char out[VOICE_TRACEPARENT_LEN + 1]);

/* May it be passed on: size, form and number of its members? */
int voice_tracestate_valid(voice_span_t text);


#endif /* VOICE_TRACE_H */
