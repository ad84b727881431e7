
/*
 * Text of others: safe on a terminal, measured in columns.
 */

#include <unictype.h>
#include <unistr.h>
#include <uniwidth.h>

#include "ctl_text.h"


#define TEXT_JOINERS(c)  ((c) == 0x200c || (c) == 0x200d)


static int  ascii_only;


static int next(voice_span_t text, size_t at, ucs4_t *c);
static int is_hostile(ucs4_t c);
static void write_out(ctl_buffer_t *out, ucs4_t c);


void
ctl_text_ascii_only(void)
{
    ascii_only = 1;
}


int
ctl_text_is_ascii(void)
{
    return ascii_only;
}


void
ctl_text_safe(ctl_buffer_t *out, voice_span_t text, unsigned flags)
{
    int     len;
    size_t  at;
    ucs4_t  c;

    for (at = 0; at < text.len; at += (size_t) len) {
        len = next(text, at, &c);

        if (len < 0) {
            len = 1;
            ctl_buffer_format(out, "\\x%02x", (unsigned char) text.ptr[at]);

        } else if (is_hostile(c)
                   && !((flags & CTL_TEXT_LINES)
                        && (c == '\n' || c == '\t')))
        {
            write_out(out, c);

        } else {
            ctl_buffer_add(out, voice_span(text.ptr + at, (size_t) len));
        }
    }
}


void
ctl_text_safe_json(ctl_buffer_t *out, voice_span_t json)
{
    int     len;
    size_t  at;
    ucs4_t  c;

    for (at = 0; at < json.len; at += (size_t) len) {
        len = next(json, at, &c);

        if (len < 0) {
            len = 1;
            c = 0xfffd;
        }

        if (c < 0x7f || !is_hostile(c)) {
            ctl_buffer_add(out, voice_span(json.ptr + at, (size_t) len));

        } else if (c < 0x10000) {
            ctl_buffer_format(out, "\\u%04x", (unsigned) c);

        } else {
            ctl_buffer_format(out, "\\u%04x\\u%04x",
                              (unsigned) (0xd7c0 + (c >> 10)),
                              (unsigned) (0xdc00 + (c & 0x3ff)));
        }
    }
}


size_t
ctl_text_width(voice_span_t text)
{
    int     len, width;
    size_t  at, columns;
    ucs4_t  c;

    columns = 0;

    for (at = 0; at < text.len; at += (size_t) len) {
        len = next(text, at, &c);

        if (len < 0) {
            len = 1;
            columns++;
            continue;
        }

        width = uc_width(c, "UTF-8");
        columns += width > 0 ? (size_t) width : 0;
    }

    return columns;
}


size_t
ctl_text_cut(voice_span_t text, size_t columns)
{
    int     len, width;
    size_t  at, used;
    ucs4_t  c;

    used = 0;

    for (at = 0; at < text.len; at += (size_t) len) {
        len = next(text, at, &c);
        width = len < 0 ? 1 : uc_width(c, "UTF-8");
        len = len < 0 ? 1 : len;
        used += width > 0 ? (size_t) width : 0;

        if (used > columns) {
            break;
        }
    }

    return at;
}


size_t
ctl_text_wrap(voice_span_t text, size_t columns)
{
    size_t  end, at;

    end = ctl_text_cut(text, columns);

    if (end == text.len) {
        return end;
    }

    for (at = end; at > 0; at--) {
        if (text.ptr[at] == ' ') {
            return at;
        }
    }

    return end;
}


/* Bytes of the character there; -1: it is none. */
static int
next(voice_span_t text, size_t at, ucs4_t *c)
{
    return u8_mbtoucr(c, (const uint8_t *) text.ptr + at, text.len - at);
}


static int
is_hostile(ucs4_t c)
{
    if (c < 0x7f) {
        return c < 0x20;
    }

    if (ascii_only) {
        return 1;
    }

    return !TEXT_JOINERS(c)
           && uc_is_general_category_withtable(c,
                  UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf
                  | UC_CATEGORY_MASK_Co | UC_CATEGORY_MASK_Cn
                  | UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp);
}


static void
write_out(ctl_buffer_t *out, ucs4_t c)
{
    switch (c) {

    case '\n':
        ctl_buffer_put(out, "\\n");
        break;

    case '\r':
        ctl_buffer_put(out, "\\r");
        break;

    case '\t':
        ctl_buffer_put(out, "\\t");
        break;

    default:
        ctl_buffer_format(out, c < 0x80 ? "\\x%02x" : "\\u{%x}",
                          (unsigned) c);
        break;
    }
}
