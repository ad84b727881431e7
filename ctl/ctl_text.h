
/*
 * Text of others on our screen: what would steer a terminal or hide text is
 * written out, widths are counted in columns.  Unicode knowledge is
 * libunistring's.
 */

#ifndef CTL_TEXT_H
#define CTL_TEXT_H


#include "ctl_buffer.h"


/* Leave line feeds and tabs as they are. */
#define CTL_TEXT_LINES  1


/*
 * From now on all but ASCII is written out, too: the terminal is of another
 * charset than UTF-8, to which its bytes may be control characters.
 */
void ctl_text_ascii_only(void);
int ctl_text_is_ascii(void);


/*
 * Adds the text with control characters (C0, DEL, C1), those that turn the
 * direction of text or are not visible, line separators, private and
 * unassigned ones written as \n, \t, \x1b or \u{202e}, bytes that are no
 * UTF-8 as \xff.  A backslash stays as it is.
 */
void ctl_text_safe(ctl_buffer_t *out, voice_span_t text, unsigned flags);

/*
 * The same for JSON that a library wrote: what it leaves in strings is
 * written as \u escapes of JSON, so that the value stays the same.
 */
void ctl_text_safe_json(ctl_buffer_t *out, voice_span_t json);

/* Columns of a text that ctl_text_safe() made. */
size_t ctl_text_width(voice_span_t text);

/* Bytes of its longest beginning that has so many columns at most. */
size_t ctl_text_cut(voice_span_t text, size_t columns);

/* Bytes up to a good place to begin a new line; all if it fits. */
size_t ctl_text_wrap(voice_span_t text, size_t columns);


#endif /* CTL_TEXT_H */
