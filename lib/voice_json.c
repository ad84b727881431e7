/*
 * JSON texts and pointers, see voice_json.h.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_json.h"


#define JSON_TOKEN_MAX  512            /* bytes of one unescaped token */
#define JSON_REF_MAX    1024           /* bytes of a decoded reference */


typedef struct {
    char          buf[JSON_TOKEN_MAX];
    voice_span_t  text;                /* of the pointer, or of buf */
} json_token_t;


static int pointer_decode(char *out, size_t size, const char *ref);
static int hex_value(char c);
static int text_refused(voice_span_t text, size_t values,
    voice_json_error_t *err);
static int is_well_formed(voice_span_t text, enum json_error_code code);
static void fail(voice_json_error_t *err, size_t line, size_t column,
    const char *reason);
static const char *parse_reason(enum json_error_code code);
static const char *token_read(json_token_t *token, const char *pointer);
static json_t *member_at(const json_t *parent, voice_span_t token);
static int array_index(voice_span_t token, size_t *index);
static voice_rc_t member_set(json_t *parent, voice_span_t token,
    json_t *value);


/* The library's own texts quote the input, so that we have sentences. */
static const struct {
    enum json_error_code   code;
    const char            *reason;
} json_reasons[] = {
    { json_error_out_of_memory, "out of memory" },
    { json_error_stack_overflow, "is nested too deeply" },
    { json_error_invalid_utf8, "is not UTF-8" },
    { json_error_premature_end_of_input, "ends too early" },
    { json_error_end_of_input_expected, "goes on after the value" },
    { json_error_invalid_syntax, "is not JSON" },
    { json_error_null_character, "has a NUL in a string" },
    { json_error_null_byte_in_key, "has a NUL in a name" },
    { json_error_null_value, "has no value" },
    { json_error_duplicate_key, "has a name twice in one object" },
    { json_error_numeric_overflow, "has a number that is too large" },
};


json_t *
voice_json_parse(voice_span_t text, voice_json_error_t *err)
{
    return voice_json_parse_bounded(text, SIZE_MAX, err);
}


json_t *
voice_json_parse_bounded(voice_span_t text, size_t values,
    voice_json_error_t *err)
{
    json_t        *value;
    json_error_t   error;

    if (text.ptr == NULL || text.len == 0) {
        fail(err, 1, 1, parse_reason(json_error_premature_end_of_input));
        return NULL;
    }

    value = voice_json_plain(text, values);

    if (value != NULL) {
        return value;
    }

    if (text_refused(text, values, err)) {
        return NULL;
    }

    value = json_loadb(text.ptr, text.len,
                       JSON_REJECT_DUPLICATES|JSON_DECODE_ANY, &error);

    if (value == NULL) {
        fail(err, error.line > 0 ? (size_t) error.line : 1,
             error.column > 0 ? (size_t) error.column : 1,
             parse_reason(json_error_code(&error)));
        err->well_formed = is_well_formed(text, json_error_code(&error));
    }

    return value;
}


json_t *
voice_json_at(const json_t *root, const char *pointer)
{
    json_t        *value;
    json_token_t   token;

    value = (json_t *) root;

    while (value != NULL && *pointer != '\0') {
        pointer = token_read(&token, pointer);

        if (pointer == NULL) {
            return NULL;
        }

        value = member_at(value, token.text);
    }

    return value;
}


json_t *
voice_json_ref(const json_t *root, const char *ref)
{
    char  pointer[JSON_REF_MAX];

    if (ref[0] != '#' || !pointer_decode(pointer, sizeof(pointer), ref + 1)) {
        return NULL;
    }

    return voice_json_at(root, pointer);
}


voice_rc_t
voice_json_set(json_t *root, const char *pointer, json_t *value)
{
    json_t        *parent;
    voice_rc_t     rc;
    json_token_t   token;

    parent = root;
    rc = VOICE_INVALID;

    while (value != NULL && parent != NULL && *pointer != '\0') {
        pointer = token_read(&token, pointer);

        if (pointer == NULL) {
            break;
        }

        if (*pointer == '\0') {
            rc = member_set(parent, token.text, json_incref(value));
            break;
        }

        parent = member_at(parent, token.text);
    }

    json_decref(value);

    return parent == NULL ? VOICE_NOTFOUND : rc;
}


voice_span_t
voice_json_text(const json_t *object, const char *name)
{
    json_t  *value;

    value = json_object_get(object, name);

    if (!json_is_string(value)) {
        return voice_span(NULL, 0);
    }

    return voice_span(json_string_value(value), json_string_length(value));
}


/*
 * The library's own bound (2048) is far above what our recursions may meet,
 * and it passes over a NUL between two values: both are looked for before it
 * reads a byte.
 */
static int
text_refused(voice_span_t text, size_t values, voice_json_error_t *err)
{
    char         c;
    int          quoted, escaped;
    size_t       i, count, depth, line, start;
    const char  *reason;

    quoted = 0;
    escaped = 0;
    count = 1;
    depth = 0;
    line = 1;
    start = 0;
    reason = NULL;

    for (i = 0; i < text.len; i++) {
        c = text.ptr[i];

        if (c == '\0') {
            reason = parse_reason(json_error_invalid_syntax);

        } else if (quoted) {
            quoted = c != '"' || escaped;
            escaped = c == '\\' && !escaped;

        } else {
            quoted = c == '"';
            depth += c == '[' || c == '{';
            depth -= depth > 0 && (c == ']' || c == '}');
            count += c == ',' || c == '[' || c == '{';
        }

        if (depth > VOICE_JSON_DEPTH) {
            reason = parse_reason(json_error_stack_overflow);

        } else if (count > values) {
            reason = "has too many values";
        }

        if (reason != NULL) {
            fail(err, line, i - start + 1, reason);
            err->well_formed = count > values;
            return 1;
        }

        if (c == '\n') {
            line++;
            start = i + 1;
        }
    }

    return 0;
}


/*
 * What is refused for its meaning is read once more without it, since the
 * library stops there: NULs, which it takes in no name, become another
 * control.
 */
static int
is_well_formed(voice_span_t text, enum json_error_code code)
{
    char          *copy, *nul;
    json_t        *value;
    json_error_t   error;

    if (code != json_error_duplicate_key && code != json_error_null_character
        && code != json_error_null_byte_in_key)
    {
        return 0;
    }

    copy = malloc(text.len + 1);

    if (copy == NULL) {
        return 0;
    }

    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';            /* text_refused() has seen no NUL */

    for (nul = strstr(copy, "\\u0000"); nul != NULL;
         nul = strstr(nul, "\\u0000"))
    {
        nul[5] = '1';
    }

    value = json_loadb(copy, text.len, JSON_DECODE_ANY, &error);
    json_decref(value);
    free(copy);

    return value != NULL;
}


static void
fail(voice_json_error_t *err, size_t line, size_t column, const char *reason)
{
    err->well_formed = 0;
    err->line = line;
    err->column = column;
    (void) snprintf(err->reason, sizeof(err->reason), "%s", reason);
}


static const char *
parse_reason(enum json_error_code code)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(json_reasons); i++) {
        if (json_reasons[i].code == code) {
            return json_reasons[i].reason;
        }
    }

    return "cannot be read";
}


/*
 * Reads one token of a pointer that stands at a "/"; returns what follows,
 * NULL if the pointer is malformed or the token too long.
 */
static const char *
token_read(json_token_t *token, const char *pointer)
{
    size_t       n;
    const char  *p;

    if (*pointer != '/') {
        return NULL;
    }

    n = 0;

    for (p = pointer + 1; *p != '\0' && *p != '/'; p++) {
        if (n == JSON_TOKEN_MAX) {
            return NULL;
        }

        if (*p != '~') {
            token->buf[n++] = *p;
            continue;
        }

        p++;

        if (*p != '0' && *p != '1') {
            return NULL;
        }

        token->buf[n++] = *p == '0' ? '~' : '/';
    }

    token->text = voice_span(token->buf, n);

    return p;
}


static json_t *
member_at(const json_t *parent, voice_span_t token)
{
    size_t  index;

    if (json_is_object(parent)) {
        return json_object_getn(parent, token.ptr, token.len);
    }

    if (json_is_array(parent) && array_index(token, &index)) {
        return json_array_get(parent, index);
    }

    return NULL;
}


/* RFC 6901 section 4: decimal digits without leading zeros. */
static int
array_index(voice_span_t token, size_t *index)
{
    size_t  i, n;

    n = 0;

    if (token.len == 0 || token.len > 9
        || (token.len > 1 && token.ptr[0] == '0'))
    {
        return 0;
    }

    for (i = 0; i < token.len; i++) {
        if (token.ptr[i] < '0' || token.ptr[i] > '9') {
            return 0;
        }

        n = n * 10 + (size_t) (token.ptr[i] - '0');
    }

    *index = n;

    return 1;
}


/* Takes over the reference of value. */
static voice_rc_t
member_set(json_t *parent, voice_span_t token, json_t *value)
{
    int     failed;
    size_t  index;

    if (json_is_object(parent)) {
        failed = json_object_setn_new(parent, token.ptr, token.len, value);
        return failed ? VOICE_NOMEM : VOICE_OK;
    }

    if (json_is_array(parent) && voice_span_eq(token, VOICE_SPAN("-"))) {
        return json_array_append_new(parent, value) ? VOICE_NOMEM : VOICE_OK;
    }

    if (json_is_array(parent) && array_index(token, &index)
        && index < json_array_size(parent))
    {
        failed = json_array_set_new(parent, index, value);
        return failed ? VOICE_NOMEM : VOICE_OK;
    }

    json_decref(value);

    return VOICE_NOTFOUND;
}


/* Percent-decodes the fragment of a reference (RFC 6901 section 6). */
static int
pointer_decode(char *out, size_t size, const char *ref)
{
    int          high, low;
    size_t       n;
    const char  *p;

    n = 0;

    for (p = ref; *p != '\0'; p++) {
        if (n + 1 >= size) {
            return 0;
        }

        if (*p != '%') {
            out[n++] = *p;
            continue;
        }

        high = hex_value(p[1]);
        low = high < 0 ? -1 : hex_value(p[2]);

        if (low < 0 || (high == 0 && low == 0)) {
            return 0;
        }

        out[n++] = (char) (high << 4 | low);
        p += 2;
    }

    out[n] = '\0';

    return out[0] == '\0' || out[0] == '/';
}


static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
