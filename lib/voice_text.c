
/*
 * Texts to be measured.
 */

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "voice_text.h"


typedef struct {
    const uint8_t  *ptr;
    const uint8_t  *end;
} cursor_t;


static cursor_t cursor_of(voice_span_t text);
static int next(cursor_t *cursor, ucs4_t *point);
static int dropped(ucs4_t point, unsigned flags);
static size_t squeeze(uint8_t *out, voice_span_t text, unsigned flags);
static uint8_t *composed(const uint8_t *bytes, size_t n, unsigned flags,
    size_t *len);


int
voice_text_valid(voice_span_t text)
{
    return text.len == 0
           || u8_check((const uint8_t *) text.ptr, text.len) == NULL;
}


voice_rc_t
voice_text_decode(voice_span_t text, uint32_t **points, size_t *count)
{
    ucs4_t     point;
    cursor_t   cursor;
    uint32_t  *out;

    *points = NULL;
    *count = 0;

    if (text.len > VOICE_TEXT_MAX) {
        return VOICE_LIMIT;
    }

    if (!voice_text_valid(text)) {
        return VOICE_INVALID;
    }

    /* one more, so that the empty text has an array, too */
    out = malloc((text.len + 1) * sizeof(uint32_t));
    if (out == NULL) {
        return VOICE_NOMEM;
    }

    cursor = cursor_of(text);

    while (next(&cursor, &point)) {
        out[(*count)++] = point;
    }

    *points = out;

    return VOICE_OK;
}


voice_rc_t
voice_text_normalise(voice_span_t text, unsigned flags, char **out,
    size_t *len)
{
    size_t    n;
    uint8_t  *bare;

    *out = NULL;
    *len = 0;

    if (text.len > VOICE_TEXT_MAX) {
        return VOICE_LIMIT;
    }

    if (!voice_text_valid(text)) {
        return VOICE_INVALID;
    }

    bare = malloc(text.len + 1);
    if (bare == NULL) {
        return VOICE_NOMEM;
    }

    /* first, as what is removed may have stood between a letter and a mark */
    n = squeeze(bare, text, flags);

    *out = (char *) composed(bare, n, flags, len);
    free(bare);

    return *out == NULL ? VOICE_NOMEM : VOICE_OK;
}


voice_rc_t
voice_text_words(voice_span_t text, voice_words_t *words)
{
    int             inside, space;
    ucs4_t          point;
    cursor_t        cursor;
    const uint8_t  *start;
    voice_span_t   *word;

    memset(words, 0, sizeof(voice_words_t));

    if (text.len > VOICE_TEXT_MAX) {
        return VOICE_LIMIT;
    }

    if (!voice_text_valid(text)) {
        return VOICE_INVALID;
    }

    /* a word and a space take two bytes at least */
    words->items = malloc((text.len / 2 + 1) * sizeof(voice_span_t));
    if (words->items == NULL) {
        return VOICE_NOMEM;
    }

    cursor = cursor_of(text);
    inside = 0;

    for (start = cursor.ptr; next(&cursor, &point); start = cursor.ptr) {

        space = uc_is_property_white_space(point);

        if (!space && !inside) {
            words->items[words->count++] = voice_span((const char *) start,
                                                      0);
        }

        if (!space) {
            word = &words->items[words->count - 1];
            word->len = (size_t) ((const char *) cursor.ptr - word->ptr);
        }

        inside = !space;
    }

    return VOICE_OK;
}


void
voice_words_release(voice_words_t *words)
{
    free(words->items);
    memset(words, 0, sizeof(voice_words_t));
}


/* NULL is the empty text, but nothing may be added to it, not even 0. */
static cursor_t
cursor_of(voice_span_t text)
{
    cursor_t  cursor;

    cursor.ptr = (const uint8_t *) (text.len == 0 ? "" : text.ptr);
    cursor.end = cursor.ptr + text.len;

    return cursor;
}


/* The text at the cursor is valid. */
static int
next(cursor_t *cursor, ucs4_t *point)
{
    if (cursor->ptr == cursor->end) {
        return 0;
    }

    cursor->ptr += u8_mbtouc(point, cursor->ptr,
                             (size_t) (cursor->end - cursor->ptr));

    return 1;
}


static int
dropped(ucs4_t point, unsigned flags)
{
    if (flags & VOICE_TEXT_KEEP_PUNCTUATION) {
        return 0;
    }

    return uc_is_general_category_withtable(point,
               UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_Cc);
}


/* What flags leave of a valid text; out has room for all of it. */
static size_t
squeeze(uint8_t *out, voice_span_t text, unsigned flags)
{
    int             space;
    size_t          n;
    ucs4_t          point;
    cursor_t        cursor;
    const uint8_t  *start;

    n = 0;
    space = 0;
    cursor = cursor_of(text);

    for (start = cursor.ptr; next(&cursor, &point); start = cursor.ptr) {

        if (uc_is_property_white_space(point)) {
            space = 1;
            continue;
        }

        if (dropped(point, flags)) {
            continue;
        }

        if (space && n > 0) {
            out[n++] = ' ';
        }

        space = 0;
        memcpy(out + n, start, (size_t) (cursor.ptr - start));
        n += (size_t) (cursor.ptr - start);
    }

    return n;
}


/* In normal form C, case folded if flags say so, NUL terminated. */
static uint8_t *
composed(const uint8_t *bytes, size_t n, unsigned flags, size_t *len)
{
    uint8_t  *whole, *terminated;

    if (n == 0) {
        *len = 0;
        return calloc(1, 1);
    }

    if (flags & VOICE_TEXT_CASE_SENSITIVE) {
        whole = u8_normalize(UNINORM_NFC, bytes, n, NULL, len);

    } else {
        whole = u8_casefold(bytes, n, NULL, UNINORM_NFC, NULL, len);
    }

    if (whole == NULL) {
        return NULL;
    }

    terminated = realloc(whole, *len + 1);
    if (terminated == NULL) {
        free(whole);
        return NULL;
    }

    terminated[*len] = '\0';

    return terminated;
}
