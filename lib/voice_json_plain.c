/*
 * The quick way for texts as most clients write them.  It reads less than
 * JSON is, and what it reads is the library's value to the bit; at anything
 * else it gives up, and the library judges the text from its beginning.
 */

#include <stdlib.h>

#include "voice_json.h"


#define PLAIN_DEPTH    16
#define PLAIN_DIGITS   18              /* of an integer: fits 64 bits */
#define PLAIN_NUMBER   40              /* bytes of a number with a fraction */
#define PLAIN_STRING   (1024 * 1024)   /* bytes of one with escapes */

#define ONES   UINT64_C(0x0101010101010101)
#define HIGHS  UINT64_C(0x8080808080808080)


typedef struct {
    const char  *next;
    const char  *end;
    size_t       values;               /* that may still come */
    unsigned     depth;
} plain_t;


static json_t *read_value(plain_t *p);
static json_t *read_object(plain_t *p);
static int read_member(plain_t *p, json_t *object);
static json_t *read_array(plain_t *p);
static json_t *read_string(plain_t *p);
static json_t *read_escaped(plain_t *p, const char *start);
static int read_escape(plain_t *p, char **out);
static int read_unicode(plain_t *p, char **out);
static json_t *read_number(plain_t *p);
static json_t *read_fraction(plain_t *p, const char *start);
static json_t *read_word(plain_t *p);
static int read_text(plain_t *p, voice_span_t *text, int *ascii);
static int is_special(uint64_t word);
static int is_digit(const plain_t *p);
static void skip_space(plain_t *p);
static int take(plain_t *p, char c);


json_t *
voice_json_plain(voice_span_t text, size_t values)
{
    plain_t   p;
    json_t   *value;

    p.next = text.ptr;
    p.end = text.ptr + text.len;
    p.values = values;
    p.depth = 0;

    value = read_value(&p);
    skip_space(&p);

    if (value != NULL && p.next != p.end) {
        json_decref(value);
        return NULL;
    }

    return value;
}


static json_t *
read_value(plain_t *p)
{
    skip_space(p);

    if (p->next == p->end || p->values == 0) {
        return NULL;
    }

    p->values--;

    switch (*p->next) {

    case '{':
        return read_object(p);

    case '[':
        return read_array(p);

    case '"':
        return read_string(p);

    case 't':
    case 'f':
    case 'n':
        return read_word(p);

    default:
        return read_number(p);
    }
}


static json_t *
read_object(plain_t *p)
{
    json_t  *object;

    p->next++;
    object = json_object();

    if (object == NULL || ++p->depth > PLAIN_DEPTH) {
        goto failed;
    }

    skip_space(p);

    if (!take(p, '}')) {

        do {
            if (!read_member(p, object)) {
                goto failed;
            }
        } while (take(p, ','));

        if (!take(p, '}')) {
            goto failed;
        }
    }

    p->depth--;

    return object;

failed:

    json_decref(object);

    return NULL;
}


/* A name once, and no byte of it out of the ordinary. */
static int
read_member(plain_t *p, json_t *object)
{
    int            ascii;
    json_t        *value;
    voice_span_t   name;

    skip_space(p);

    if (!take(p, '"') || !read_text(p, &name, &ascii) || !ascii
        || !take(p, '"') || json_object_getn(object, name.ptr, name.len))
    {
        return 0;
    }

    skip_space(p);

    if (!take(p, ':')) {
        return 0;
    }

    value = read_value(p);
    skip_space(p);

    return value != NULL
           && json_object_setn_new_nocheck(object, name.ptr, name.len, value)
              == 0;
}


static json_t *
read_array(plain_t *p)
{
    json_t  *array;

    p->next++;
    array = json_array();

    if (array == NULL || ++p->depth > PLAIN_DEPTH) {
        goto failed;
    }

    skip_space(p);

    if (!take(p, ']')) {

        do {
            if (json_array_append_new(array, read_value(p)) != 0) {
                goto failed;
            }

            skip_space(p);
        } while (take(p, ','));

        if (!take(p, ']')) {
            goto failed;
        }
    }

    p->depth--;

    return array;

failed:

    json_decref(array);

    return NULL;
}


static json_t *
read_string(plain_t *p)
{
    int            ascii;
    const char    *start;
    voice_span_t   text;

    start = ++p->next;

    if (!read_text(p, &text, &ascii)) {
        return NULL;
    }

    if (take(p, '"')) {
        /* where it is checked, NULL says that it is not UTF-8 */
        return ascii ? json_stringn_nocheck(text.ptr, text.len)
                     : json_stringn(text.ptr, text.len);
    }

    return read_escaped(p, start);
}


/* A string from its start; p stands at its first escape. */
static json_t *
read_escaped(plain_t *p, const char *start)
{
    int            ascii;
    char          *buf, *out;
    json_t        *value;
    const char    *end;
    voice_span_t   text;

    /* its text is no longer than what stands there */

    end = p->end - p->next > PLAIN_STRING ? NULL : p->end;
    buf = end == NULL ? NULL : malloc((size_t) (end - start));

    if (buf == NULL) {
        return NULL;
    }

    value = NULL;
    out = buf;
    p->next = start;

    for ( ;; ) {
        if (!read_text(p, &text, &ascii)) {
            break;
        }

        memcpy(out, text.ptr, text.len);
        out += text.len;

        if (take(p, '"')) {
            value = json_stringn(buf, (size_t) (out - buf));
            break;
        }

        if (!read_escape(p, &out)) {
            break;
        }
    }

    free(buf);

    return value;
}


static int
read_escape(plain_t *p, char **out)
{
    size_t  i;
    char    c;

    static const char  names[] = "\"\\/bfnrt";
    static const char  bytes[] = "\"\\/\b\f\n\r\t";

    if (!take(p, '\\') || p->next == p->end) {
        return 0;
    }

    c = *p->next++;

    if (c == 'u') {
        return read_unicode(p, out);
    }

    for (i = 0; i < sizeof(names) - 1; i++) {
        if (c == names[i]) {
            *(*out)++ = bytes[i];
            return 1;
        }
    }

    return 0;
}


/* No NUL and no half of a surrogate pair. */
static int
read_unicode(plain_t *p, char **out)
{
    int       i;
    char      c;
    unsigned  code;

    if (p->end - p->next < 4) {
        return 0;
    }

    code = 0;

    for (i = 0; i < 4; i++) {
        c = *p->next++;

        if (c >= '0' && c <= '9') {
            code = code * 16 + (unsigned) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            code = code * 16 + (unsigned) ((c | 0x20) - 'a') + 10;

        } else {
            return 0;
        }
    }

    if (code == 0 || (code >= 0xd800 && code <= 0xdfff)) {
        return 0;
    }

    if (code < 0x80) {
        *(*out)++ = (char) code;
        return 1;
    }

    if (code < 0x800) {
        *(*out)++ = (char) (0xc0 | code >> 6);

    } else {
        *(*out)++ = (char) (0xe0 | code >> 12);
        *(*out)++ = (char) (0x80 | (code >> 6 & 0x3f));
    }

    *(*out)++ = (char) (0x80 | (code & 0x3f));

    return 1;
}


static json_t *
read_number(plain_t *p)
{
    int          negative;
    json_int_t   value;
    const char  *start, *digits;

    start = p->next;
    negative = take(p, '-');
    digits = p->next;
    value = 0;

    while (is_digit(p)) {
        if (p->next - digits == PLAIN_DIGITS) {
            return NULL;
        }

        value = value * 10 + (*p->next++ - '0');
    }

    if (p->next == digits || (*digits == '0' && p->next - digits > 1)) {
        return NULL;
    }

    if (p->next == p->end || (*p->next != '.' && (*p->next | 0x20) != 'e')) {
        return json_integer(negative ? -value : value);
    }

    return read_fraction(p, start);
}


/* Without an exponent; strtod() rounds as the library's own reading does. */
static json_t *
read_fraction(plain_t *p, const char *start)
{
    char         text[PLAIN_NUMBER + 1];
    size_t       len;
    const char  *digits;

    if (!take(p, '.')) {
        return NULL;
    }

    digits = p->next;

    while (is_digit(p)) {
        p->next++;
    }

    len = (size_t) (p->next - start);

    if (p->next == digits || len > PLAIN_NUMBER
        || (p->next < p->end && (*p->next | 0x20) == 'e'))
    {
        return NULL;
    }

    memcpy(text, start, len);
    text[len] = '\0';

    return json_real(strtod(text, NULL));
}


static json_t *
read_word(plain_t *p)
{
    size_t        i;
    voice_span_t  word;

    static const voice_span_t  words[] = {
        { "true", 4 }, { "false", 5 }, { "null", 4 },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(words); i++) {
        word = words[i];

        if ((size_t) (p->end - p->next) >= word.len
            && memcmp(p->next, word.ptr, word.len) == 0)
        {
            p->next += word.len;
            return i == 2 ? json_null() : json_boolean(i == 0);
        }
    }

    return NULL;
}


/* Up to a quote or an escape; 0: there is neither, or a control before. */
static int
read_text(plain_t *p, voice_span_t *text, int *ascii)
{
    uint64_t       word;
    const char    *start;
    unsigned char  c;

    start = p->next;
    *ascii = 1;

    for ( ;; ) {

        while (p->end - p->next >= (ptrdiff_t) sizeof(word)) {
            memcpy(&word, p->next, sizeof(word));

            if (is_special(word)) {
                break;
            }

            p->next += sizeof(word);
        }

        if (p->next == p->end) {
            return 0;
        }

        c = (unsigned char) *p->next;

        if (c == '"' || c == '\\') {
            *text = voice_span(start, (size_t) (p->next - start));
            return 1;
        }

        if (c < 0x20) {
            return 0;
        }

        *ascii &= c < 0x80;
        p->next++;
    }
}


/*
 * Is there a control, a quote, a backslash or a byte of UTF-8 among the eight
 * bytes?  A byte b is below n where (b - n) & ~b has its high bit set, but
 * for what is borrowed from a lower byte, below which there is one then.
 */
static int
is_special(uint64_t word)
{
    uint64_t  quote, escape;

    quote = word ^ ONES * '"';
    escape = word ^ ONES * '\\';

    return ((((word - ONES * 0x20) & ~word) | ((quote - ONES) & ~quote)
             | ((escape - ONES) & ~escape) | word) & HIGHS) != 0;
}


static int
is_digit(const plain_t *p)
{
    return p->next < p->end && *p->next >= '0' && *p->next <= '9';
}


static void
skip_space(plain_t *p)
{
    while (p->next < p->end
           && (*p->next == ' ' || *p->next == '\n' || *p->next == '\r'
               || *p->next == '\t'))
    {
        p->next++;
    }
}


static int
take(plain_t *p, char c)
{
    if (p->next == p->end || *p->next != c) {
        return 0;
    }

    p->next++;

    return 1;
}
