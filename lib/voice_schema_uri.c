/*
 * The format "uri": an absolute one (RFC 3986 section 3).
 */

#include "voice_schema_private.h"


static int uri_scheme(voice_span_t text, size_t *len);
static int uri_chars(voice_span_t text);
static int uri_authority(voice_span_t text);
static int uri_port(voice_span_t text);
static int has_bracket(const char *ptr, size_t len);
static int is_digit(char c);
static int is_alpha(char c);
static int is_hex(char c);


int
schema_format_uri(voice_span_t text)
{
    size_t  i, n;

    if (!uri_scheme(text, &n) || !uri_chars(text)) {
        return 0;
    }

    text = voice_span(text.ptr + n, text.len - n);

    if (text.len < 2 || text.ptr[0] != '/' || text.ptr[1] != '/') {
        return !has_bracket(text.ptr, text.len);
    }

    for (i = 2; i < text.len && strchr("/?#", text.ptr[i]) == NULL; i++) {
        /* the authority */
    }

    return uri_authority(voice_span(text.ptr + 2, i - 2))
           && !has_bracket(text.ptr + i, text.len - i);
}


static int
uri_scheme(voice_span_t text, size_t *len)
{
    size_t  i;

    for (i = 0; i < text.len && text.ptr[i] != ':'; i++) {
        if (is_alpha(text.ptr[i])) {
            continue;
        }

        if (i == 0 || (!is_digit(text.ptr[i]) && text.ptr[i] != '+'
                       && text.ptr[i] != '-' && text.ptr[i] != '.'))
        {
            return 0;
        }
    }

    *len = i + 1;

    return i > 0 && i < text.len;
}


static int
uri_chars(voice_span_t text)
{
    char    c;
    size_t  i, hashes;

    hashes = 0;

    for (i = 0; i < text.len; i++) {
        c = text.ptr[i];
        hashes += c == '#';

        if (c == '%') {
            if (i + 2 >= text.len || !is_hex(text.ptr[i + 1])
                || !is_hex(text.ptr[i + 2]))
            {
                return 0;
            }

        } else if (!is_alpha(c) && !is_digit(c)
                   && (c == '\0'
                       || strchr("-._~:/?#[]@!$&'()*+,;=", c) == NULL))
        {
            return 0;
        }
    }

    return hashes <= 1;
}


static int
uri_authority(voice_span_t text)
{
    size_t       i;
    const char  *at, *end;

    at = memchr(text.ptr, '@', text.len);

    if (at != NULL) {
        i = (size_t) (at + 1 - text.ptr);

        if (has_bracket(text.ptr, i)) {
            return 0;
        }

        text = voice_span(at + 1, text.len - i);
    }

    if (text.len == 0 || text.ptr[0] != '[') {
        return uri_port(text);
    }

    end = memchr(text.ptr, ']', text.len);

    if (end == NULL
        || !schema_format_ipv6(voice_span(text.ptr + 1,
                                          (size_t) (end - text.ptr - 1))))
    {
        return 0;
    }

    i = (size_t) (end + 1 - text.ptr);

    return i == text.len
           || (text.ptr[i] == ':'
               && uri_port(voice_span(text.ptr + i, text.len - i)));
}


/* Is what follows the first colon a number, if there is one? */
static int
uri_port(voice_span_t text)
{
    size_t       i;
    const char  *colon;

    colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
    i = colon == NULL ? text.len : (size_t) (colon + 1 - text.ptr);

    for ( /* void */ ; i < text.len; i++) {
        if (!is_digit(text.ptr[i])) {
            return 0;
        }
    }

    return !has_bracket(text.ptr, text.len);
}


static int
has_bracket(const char *ptr, size_t len)
{
    return len > 0 && (memchr(ptr, '[', len) != NULL
                       || memchr(ptr, ']', len) != NULL);
}


static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


static int
is_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}


static int
is_hex(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}
