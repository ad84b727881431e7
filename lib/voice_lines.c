
/*
 * Lines of text files.
 */

#include <stdarg.h>
#include <stdio.h>

#include "voice_lines.h"
#include "voice_text.h"


static int blank(char c);


voice_rc_t
voice_lines_begin(voice_lines_t *lines, voice_span_t file,
    voice_lines_fault_t *fault)
{
    memset(fault, 0, sizeof(voice_lines_fault_t));
    memset(lines, 0, sizeof(voice_lines_t));

    lines->left = file;
    lines->fault = fault;

    if (file.len > VOICE_LINES_MAX) {
        return voice_lines_wrong(lines, VOICE_LIMIT, "longer than 1 MiB");
    }

    if (!voice_text_valid(file)) {
        return voice_lines_wrong(lines, VOICE_INVALID, "not UTF-8");
    }

    return VOICE_OK;
}


int
voice_lines_next(voice_lines_t *lines, voice_span_t *line)
{
    while (lines->left.len > 0) {
        lines->line++;
        *line = voice_lines_cut(&lines->left, '\n');

        if (line->len > 0 && line->ptr[0] != '#') {
            return 1;
        }
    }

    lines->line = 0;

    return 0;
}


voice_rc_t
voice_lines_wrong(voice_lines_t *lines, voice_rc_t rc, const char *reason,
    ...)
{
    va_list  args;

    va_start(args, reason);
    vsnprintf(lines->fault->reason, sizeof(lines->fault->reason), reason,
              args);
    va_end(args);

    lines->fault->line = lines->line;

    return rc;
}


voice_span_t
voice_lines_cut(voice_span_t *text, char at)
{
    size_t        n;
    const char   *end;
    voice_span_t  head;

    end = text->len == 0 ? NULL : memchr(text->ptr, at, text->len);
    n = end == NULL ? text->len : (size_t) (end - text->ptr);
    head = voice_span(text->ptr, n);

    n += end == NULL ? 0 : 1;
    text->ptr += n;
    text->len -= n;

    return voice_lines_trim(head);
}


voice_span_t
voice_lines_trim(voice_span_t text)
{
    while (text.len > 0 && blank(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }

    while (text.len > 0 && blank(text.ptr[text.len - 1])) {
        text.len--;
    }

    return text;
}


static int
blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}
