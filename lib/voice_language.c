
/*
 * Language tags.
 */

#include "voice_language.h"


/* Kinds of subtags, in the order in which they may stand. */
typedef enum {
    START = 0,
    LANGUAGE,
    EXTENDED,
    SCRIPT,
    REGION,
    VARIANT,
    SINGLETON,                         /* starts an extension */
    EXTENSION,
    PRIVATE                            /* "x" and all behind it */
} subtag_e;


typedef struct {
    subtag_e  last;
    unsigned  extended;                /* how many */
    uint64_t  singletons;              /* bit per letter and digit */
} state_t;


static subtag_e classify(const state_t *state, voice_span_t subtag);
static int accept(state_t *state, subtag_e kind, voice_span_t subtag);
static void write_subtag(char *out, voice_span_t subtag, subtag_e kind);
static int is_alpha(voice_span_t text);
static int is_digits(voice_span_t text);
static char lower(char c);
static char upper(char c);
static int is_alnum(char c);


voice_rc_t
voice_language_canonical(voice_span_t tag, char out[VOICE_LANGUAGE_MAX + 1])
{
    size_t        i, start;
    state_t       state;
    subtag_e      kind;
    voice_span_t  subtag;

    out[0] = '\0';

    if (tag.len > VOICE_LANGUAGE_MAX) {
        return VOICE_LIMIT;
    }

    if (tag.len == 0) {
        return VOICE_INVALID;
    }

    memset(&state, 0, sizeof(state_t));
    start = 0;

    for (i = 0; i <= tag.len; i++) {

        if (i < tag.len && tag.ptr[i] != '-' && tag.ptr[i] != '_') {
            continue;
        }

        subtag = voice_span(tag.ptr + start, i - start);
        kind = classify(&state, subtag);

        if (!accept(&state, kind, subtag)) {
            out[0] = '\0';
            return VOICE_INVALID;
        }

        write_subtag(out + start, subtag, kind);
        out[i] = i < tag.len ? '-' : '\0';
        start = i + 1;
    }

    if (state.last == SINGLETON) {
        out[0] = '\0';
        return VOICE_INVALID;
    }

    return VOICE_OK;
}


int
voice_language_matches(voice_span_t range, voice_span_t tag)
{
    char    a, b;
    size_t  i;

    if (range.len == 1 && range.ptr[0] == '*') {
        return 1;
    }

    if (range.len == 0 || range.len > tag.len) {
        return 0;
    }

    for (i = 0; i < range.len; i++) {
        a = range.ptr[i] == '_' ? '-' : lower(range.ptr[i]);
        b = tag.ptr[i] == '_' ? '-' : lower(tag.ptr[i]);

        if (a != b) {
            return 0;
        }
    }

    return range.len == tag.len || tag.ptr[range.len] == '-'
           || tag.ptr[range.len] == '_';
}


voice_span_t
voice_language_primary(voice_span_t tag)
{
    size_t  i;

    for (i = 0; i < tag.len; i++) {
        if (tag.ptr[i] == '-' || tag.ptr[i] == '_') {
            break;
        }
    }

    return voice_span(tag.ptr, i);
}


/* START is no subtag at all. */
static subtag_e
classify(const state_t *state, voice_span_t subtag)
{
    size_t  i, n;

    n = subtag.len;

    if (n == 0 || n > 8) {
        return START;
    }

    for (i = 0; i < n; i++) {
        if (!is_alnum(subtag.ptr[i])) {
            return START;
        }
    }

    if (state->last == PRIVATE) {
        return PRIVATE;
    }

    if (state->last == START) {
        return n >= 2 && is_alpha(subtag) ? LANGUAGE : START;
    }

    if (n == 1) {
        return lower(subtag.ptr[0]) == 'x' ? PRIVATE : SINGLETON;
    }

    if (state->last >= SINGLETON) {
        return EXTENSION;
    }

    if (n == 2 || (n == 3 && is_digits(subtag))) {
        return is_alpha(subtag) || n == 3 ? REGION : START;
    }

    if (n == 3) {
        return is_alpha(subtag) ? EXTENDED : START;
    }

    if (n == 4 && is_alpha(subtag)) {
        return SCRIPT;
    }

    return n >= 5 || is_digits(voice_span(subtag.ptr, 1)) ? VARIANT : START;
}


static int
accept(state_t *state, subtag_e kind, voice_span_t subtag)
{
    char      c;
    uint64_t  bit;

    if (kind == START) {
        return 0;
    }

    if (kind == EXTENDED && ++state->extended > 3) {
        return 0;
    }

    if (kind == SINGLETON) {
        c = lower(subtag.ptr[0]);
        bit = 1ULL << (c >= 'a' ? c - 'a' : c - '0' + 26);

        if (state->last == SINGLETON || (state->singletons & bit)) {
            return 0;
        }

        state->singletons |= bit;
        state->last = kind;

        return 1;
    }

    if (kind == PRIVATE && state->last == SINGLETON) {
        return 0;
    }

    /* only these may stand more than once */
    if (kind < state->last
        || (kind == state->last && (kind == SCRIPT || kind == REGION)))
    {
        return 0;
    }

    state->last = kind;

    return 1;
}


static void
write_subtag(char *out, voice_span_t subtag, subtag_e kind)
{
    size_t  i;

    for (i = 0; i < subtag.len; i++) {
        out[i] = kind == REGION || (kind == SCRIPT && i == 0)
                 ? upper(subtag.ptr[i]) : lower(subtag.ptr[i]);
    }
}


static int
is_alpha(voice_span_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (lower(text.ptr[i]) < 'a' || lower(text.ptr[i]) > 'z') {
            return 0;
        }
    }

    return 1;
}


static int
is_digits(voice_span_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return 0;
        }
    }

    return 1;
}


static int
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}


static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}


static char
upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}
