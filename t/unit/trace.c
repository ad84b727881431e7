
/*
 * voice_trace: traceparent to the letter, tracestate within its bounds.
 */

#include <stdio.h>

#include "tap.h"
#include "voice_trace.h"


static void good(void);
static void versions(void);
static void bad(void);
static void states(void);


#define is_int(got, expected, ...)  ok((got) == (expected), __VA_ARGS__)

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define SPAN   "b7ad6b7169203331"


int
main(void)
{
    good();
    versions();
    bad();
    states();

    return done_testing();
}


static void
good(void)
{
    char           text[VOICE_TRACEPARENT_LEN + 1];
    voice_trace_t  trace;

    is_int(voice_trace_parse(voice_span_str("00-" TRACE "-" SPAN "-01"),
                             &trace),
           VOICE_OK, "the example of the recommendation is read");
    is_int(trace.flags, VOICE_TRACE_SAMPLED, "it is sampled");
    is_int(trace.trace_id[0], 0x0a, "the trace begins so");
    is_int(trace.span_id[7], 0x31, "the span ends so");

    voice_trace_write(&trace, text);
    is(text, "00-" TRACE "-" SPAN "-01", "and is written as it came");

    is_int(voice_trace_parse(voice_span_str("00-" TRACE "-" SPAN "-ff"),
                             &trace),
           VOICE_OK, "unknown flags are no fault");
    is_int(trace.flags, VOICE_TRACE_SAMPLED | VOICE_TRACE_RANDOM,
           "they are dropped");
}


static void
versions(void)
{
    voice_trace_t  trace;

    is_int(voice_trace_parse(voice_span_str("cc-" TRACE "-" SPAN "-01"),
                             &trace),
           VOICE_OK, "a version to come is read like 00");
    is_int(voice_trace_parse(voice_span_str("cc-" TRACE "-" SPAN
                                            "-01-what-is-this"), &trace),
           VOICE_OK, "what it adds is ignored");
    is_int(voice_trace_parse(voice_span_str("cc-" TRACE "-" SPAN "-01.x"),
                             &trace),
           VOICE_INVALID, "but not without a dash");
    is_int(voice_trace_parse(voice_span_str("ff-" TRACE "-" SPAN "-01"),
                             &trace),
           VOICE_INVALID, "there is no version ff");
}


static void
bad(void)
{
    size_t         i, len;
    char           text[80];
    voice_trace_t  trace;

    static const char *const  texts[] = {
        "", "00", "00-" TRACE "-" SPAN, "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-", "00-" TRACE "-" SPAN "-01 ",
        " 00-" TRACE "-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-" TRACE "-B7AD6B7169203331-01", "0x-" TRACE "-" SPAN "-01",
        "00-" TRACE "-" SPAN "-0G", "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "." SPAN "-01", "00-" TRACE "-" SPAN "+01",
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(texts); i++) {
        is_int(voice_trace_parse(voice_span_str(texts[i]), &trace),
               VOICE_INVALID, "no traceparent: \"%s\"", texts[i]);
    }

    (void) snprintf(text, sizeof(text), "00-" TRACE "-" SPAN "-01");

    for (len = 0; len < VOICE_TRACEPARENT_LEN; len++) {
        if (voice_trace_parse(voice_span(text, len), &trace) == VOICE_OK) {
            break;
        }
    }

    is_int((long) len, VOICE_TRACEPARENT_LEN, "no shorter one is taken");
}


static void
states(void)
{
    size_t  i, n;
    char    text[600];

    static const char *const  good_states[] = {
        "congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "a=1 , b=2", "tenant@vendor=x y", "a=1,,b=2", "a_-*/=!~",
    };

    static const char *const  bad_states[] = {
        "", "a", "a=", "=1", "A=1", "a=1=2", "a=\x01", "a=\xc3\xa9",
        "a b=1",
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(good_states); i++) {
        ok(voice_tracestate_valid(voice_span_str(good_states[i])),
           "a tracestate: \"%s\"", good_states[i]);
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(bad_states); i++) {
        ok(!voice_tracestate_valid(voice_span_str(bad_states[i])),
           "no tracestate: %zu", i);
    }

    for (n = 0, i = 0; i < 32; i++) {
        n += (size_t) snprintf(text + n, sizeof(text) - n, "%sk%zu=v",
                               i == 0 ? "" : ",", i);
    }

    ok(voice_tracestate_valid(voice_span(text, n)), "32 members pass");
    n += (size_t) snprintf(text + n, sizeof(text) - n, ",k=v");
    ok(!voice_tracestate_valid(voice_span(text, n)), "33 do not");

    memset(text, 'x', sizeof(text));
    memcpy(text, "a=", 2);
    memcpy(text + 200, ",b=", 3);
    memcpy(text + 400, ",c=", 3);
    ok(voice_tracestate_valid(voice_span(text, 512)), "512 bytes pass");
    ok(!voice_tracestate_valid(voice_span(text, 513)), "513 do not");
}
