/*
 * Fuzz: a byte that chooses a reader of header fields, then the value.  What
 * is read must be read again from what is written of it.
 */

#include <stdlib.h>

#include "voice_header.h"
#include "voice_trace.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void trace(voice_span_t value);
static void state(voice_span_t value);
static void key(voice_span_t value);
static void tags(voice_span_t value);
static void accepts(voice_span_t value);
static void times(voice_span_t value);


static void  (*const readers[])(voice_span_t value) = {
    trace, state, key, tags, accepts, times,
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char  *copy;

    if (size == 0) {
        return 0;
    }

    /* of that size to the byte, so that reading behind it shows */
    copy = malloc(size);

    if (copy != NULL) {
        memcpy(copy, data + 1, size - 1);
        readers[data[0] % VOICE_ARRAY_SIZE(readers)](
            voice_span(copy, size - 1));
        free(copy);
    }

    return 0;
}


static void
trace(voice_span_t value)
{
    char           text[VOICE_TRACEPARENT_LEN + 1];
    voice_trace_t  one, other;

    if (voice_trace_parse(value, &one) != VOICE_OK) {
        return;
    }

    voice_trace_write(&one, text);

    if (voice_trace_parse(voice_span_str(text), &other) != VOICE_OK
        || memcmp(one.trace_id, other.trace_id, 16) != 0
        || memcmp(one.span_id, other.span_id, 8) != 0
        || one.flags != other.flags)
    {
        abort();
    }
}


static void
state(voice_span_t value)
{
    if (voice_tracestate_valid(value) && value.len > VOICE_TRACESTATE_MAX) {
        abort();
    }
}


static void
key(voice_span_t value)
{
    char    out[VOICE_KEY_MAX];
    size_t  i, len;

    if (voice_header_key(value, out, &len) != VOICE_OK) {
        return;
    }

    for (i = 0; i < len; i++) {
        if (out[i] < 0x21 || out[i] > 0x7e) {
            abort();
        }
    }

    if (len == 0 || len > VOICE_KEY_MAX) {
        abort();
    }
}


/* A list that is one names the tag once it is put in front. */
static void
tags(voice_span_t value)
{
    char        text[600];
    size_t      n;
    voice_rc_t  rc;

    rc = voice_header_tags(value, VOICE_SPAN("\"7\""));

    if (rc == VOICE_INVALID || value.len > 500
        || memchr(value.ptr, '*', value.len) != NULL)
    {
        return;
    }

    memcpy(text, "\"7\", ", 5);
    memcpy(text + 5, value.ptr, value.len);
    n = value.len + 5;

    if (voice_header_tags(voice_span(text, n), VOICE_SPAN("W/\"7\""))
        != VOICE_OK)
    {
        abort();
    }
}


static void
accepts(voice_span_t value)
{
    (void) voice_header_accepts(value, VOICE_SPAN("text/event-stream"));
}


static void
times(voice_span_t value)
{
    char     date[VOICE_HTTP_DATE_LEN + 1];
    int64_t  seconds;

    if (voice_header_time(value, &seconds) != VOICE_OK) {
        return;
    }

    voice_header_date(seconds, date);

    if (seconds < 0 || strlen(date) != VOICE_HTTP_DATE_LEN
        || memcmp(date + 12, value.ptr, 4) != 0
        || memcmp(date + 5, value.ptr + 8, 2) != 0
        || memcmp(date + 17, value.ptr + 11, 8) != 0)
    {
        abort();
    }
}
