
/*
 * Server-sent events.
 */

#include "ctl_stream.h"


static void take_line(ctl_stream_t *stream);
static void take_field(ctl_stream_t *stream, voice_span_t name,
    voice_span_t value);
static void dispatch(ctl_stream_t *stream);
static void keep(char *out, size_t size, voice_span_t value);


void
ctl_stream_feed(ctl_stream_t *stream, voice_span_t bytes)
{
    char    c;
    size_t  i;

    for (i = 0; i < bytes.len; i++) {
        c = bytes.ptr[i];

        if (c == '\n' && stream->carriage) {
            stream->carriage = 0;
            continue;
        }

        stream->carriage = c == '\r';

        if (c == '\r' || c == '\n') {
            take_line(stream);
            ctl_buffer_reset(&stream->line);

        } else if (stream->line.len < CTL_STREAM_EVENT_MAX) {
            ctl_buffer_add(&stream->line, voice_span(&c, 1));
        }
    }
}


void
ctl_stream_restart(ctl_stream_t *stream)
{
    ctl_buffer_reset(&stream->line);
    ctl_buffer_reset(&stream->data);
    stream->event[0] = '\0';
    stream->carriage = 0;
    stream->begun = 0;
}


void
ctl_stream_release(ctl_stream_t *stream)
{
    ctl_buffer_release(&stream->line);
    ctl_buffer_release(&stream->data);
}


static void
take_line(ctl_stream_t *stream)
{
    size_t        len;
    voice_span_t  line, value;

    line = voice_span(ctl_buffer_text(&stream->line), stream->line.len);

    if (!stream->begun && line.len >= 3
        && memcmp(line.ptr, "\xef\xbb\xbf", 3) == 0)
    {
        line = voice_span(line.ptr + 3, line.len - 3);
    }

    stream->begun = 1;

    if (line.len == 0) {
        dispatch(stream);
        return;
    }

    for (len = 0; len < line.len && line.ptr[len] != ':'; len++) {
        /* void */
    }

    value = voice_span(line.ptr + len, line.len - len);

    if (value.len > 0) {
        value = voice_span(value.ptr + 1, value.len - 1);
    }

    if (value.len > 0 && value.ptr[0] == ' ') {
        value = voice_span(value.ptr + 1, value.len - 1);
    }

    take_field(stream, voice_span(line.ptr, len), value);
}


static void
take_field(ctl_stream_t *stream, voice_span_t name, voice_span_t value)
{
    if (voice_span_eq(name, VOICE_SPAN("data"))) {
        if (stream->data.len + value.len < CTL_STREAM_EVENT_MAX) {
            ctl_buffer_add(&stream->data, value);
            ctl_buffer_put(&stream->data, "\n");
        }

    } else if (voice_span_eq(name, VOICE_SPAN("event"))) {
        keep(stream->event, sizeof(stream->event), value);

    } else if (voice_span_eq(name, VOICE_SPAN("id"))) {
        if (memchr(value.ptr, '\0', value.len) == NULL) {
            keep(stream->id, sizeof(stream->id), value);
        }

    } else if (voice_span_eq(name, VOICE_SPAN("retry"))) {
        if (value.len > 0 && value.len < 8
            && strspn(value.ptr, "0123456789") >= value.len)
        {
            stream->retry = strtol(value.ptr, NULL, 10);
        }
    }
}


static void
dispatch(ctl_stream_t *stream)
{
    if (stream->data.len > 0) {
        stream->on_event(stream->user, stream->event[0] == '\0'
                         ? "message" : stream->event,
                         voice_span(stream->data.data,
                                    stream->data.len - 1));
    }

    ctl_buffer_reset(&stream->data);
    stream->event[0] = '\0';
}


/* What is too long is as if it were not there. */
static void
keep(char *out, size_t size, voice_span_t value)
{
    if (value.len >= size) {
        out[0] = '\0';
        return;
    }

    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
}
