
/*
 * Trace context, see voice_trace.h.
 */

#include "voice_trace.h"


#define TRACE_KEY_MAX    256           /* bytes of a member's key */
#define TRACE_VALUE_MAX  256


static int hex_read(const char *text, size_t bytes, unsigned char *out);
static int hex_digit(char c);
static void hex_write(const unsigned char *bytes, size_t n, char *out);
static int is_zero(const unsigned char *bytes, size_t n);
static int member_valid(voice_span_t member);
static int is_key_character(char c);


voice_rc_t
voice_trace_parse(voice_span_t text, voice_trace_t *trace)
{
    const char     *p;
    unsigned char   version, flags;

    p = text.ptr;

    if (text.len < VOICE_TRACEPARENT_LEN || !hex_read(p, 1, &version)
        || version == 0xff
        || (version == 0 && text.len != VOICE_TRACEPARENT_LEN)
        || (text.len > VOICE_TRACEPARENT_LEN
            && p[VOICE_TRACEPARENT_LEN] != '-'))
    {
        return VOICE_INVALID;
    }

    if (p[2] != '-' || p[35] != '-' || p[52] != '-'
        || !hex_read(p + 3, 16, trace->trace_id)
        || !hex_read(p + 36, 8, trace->span_id)
        || !hex_read(p + 53, 1, &flags)
        || is_zero(trace->trace_id, 16) || is_zero(trace->span_id, 8))
    {
        return VOICE_INVALID;
    }

    trace->flags = flags & (VOICE_TRACE_SAMPLED | VOICE_TRACE_RANDOM);

    return VOICE_OK;
}


void
voice_trace_write(const voice_trace_t *trace,
    char out[VOICE_TRACEPARENT_LEN + 1])
{
    unsigned char  flags;

    flags = (unsigned char) trace->flags;

    memcpy(out, "00-", 3);
    hex_write(trace->trace_id, 16, out + 3);
    out[35] = '-';
    hex_write(trace->span_id, 8, out + 36);
    out[52] = '-';
    hex_write(&flags, 1, out + 53);
    out[VOICE_TRACEPARENT_LEN] = '\0';
}


int
voice_tracestate_valid(voice_span_t text)
{
    size_t         i, start;
    unsigned       members;
    voice_span_t   member;

    if (text.len == 0 || text.len > VOICE_TRACESTATE_MAX) {
        return 0;
    }

    start = 0;
    members = 0;

    for (i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != ',') {
            continue;
        }

        member = voice_span(text.ptr + start, i - start);
        start = i + 1;

        if (!member_valid(member) || ++members > VOICE_TRACE_MEMBERS) {
            return 0;
        }
    }

    return 1;
}


/* Lower case only. */
static int
hex_read(const char *text, size_t bytes, unsigned char *out)
{
    int     high, low;
    size_t  i;

    for (i = 0; i < bytes; i++) {
        high = hex_digit(text[2 * i]);
        low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return 0;
        }

        out[i] = (unsigned char) (high * 16 + low);
    }

    return 1;
}


static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static void
hex_write(const unsigned char *bytes, size_t n, char *out)
{
    size_t  i;

    static const char  digits[] = "0123456789abcdef";

    for (i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}


static int
is_zero(const unsigned char *bytes, size_t n)
{
    size_t  i;

    for (i = 0; i < n && bytes[i] == 0; i++) {
        /* look on */
    }

    return i == n;
}


/* "key=value" among blanks; an empty member is allowed, 3.3.1.1. */
static int
member_valid(voice_span_t member)
{
    size_t  i, key;

    while (member.len > 0 && (member.ptr[0] == ' ' || member.ptr[0] == '\t'))
    {
        member = voice_span(member.ptr + 1, member.len - 1);
    }

    while (member.len > 0 && (member.ptr[member.len - 1] == ' '
                              || member.ptr[member.len - 1] == '\t'))
    {
        member.len--;
    }

    if (member.len == 0) {
        return 1;
    }

    for (key = 0; key < member.len && is_key_character(member.ptr[key]);
         key++)
    {
        /* look on */
    }

    if (key == 0 || key > TRACE_KEY_MAX || key + 1 >= member.len
        || member.ptr[key] != '=' || member.len - key - 1 > TRACE_VALUE_MAX)
    {
        return 0;
    }

    for (i = key + 1; i < member.len; i++) {
        if (member.ptr[i] < 0x20 || member.ptr[i] > 0x7e
            || member.ptr[i] == '=')
        {
            return 0;
        }
    }

    return 1;
}


static int
is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
           || (c != '\0' && strchr("_-*/@", c) != NULL);
}
