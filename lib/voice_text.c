
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


static int next(cursor_t *cursor, ucs4_t *point);
static int dropped(ucs4_t point, unsigned flags);
static uint8_t *composed(voice_span_t text, unsigned flags, size_t *len);
static size_t squeeze(char *out, const uint8_t *in, size_t len,
    unsigned flags);


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

    cursor.ptr = (const uint8_t *) text.ptr;
    cursor.end = cursor.ptr + text.len;

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
    uint8_t  *whole;

    *out = NULL;
    *len = 0;

    if (text.len > VOICE_TEXT_MAX) {
        return VOICE_LIMIT;
    }

    if (!voice_text_valid(text)) {
        return VOICE_INVALID;
    }

    whole = composed(text, flags, &n);
    if (whole == NULL) {
        return VOICE_NOMEM;
    }

    *out = malloc(n + 1);

    if (*out != NULL) {
        *len = squeeze(*out, whole, n, flags);
        (*out)[*len] = '\0';
    }

    free(whole);

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

    cursor.ptr = (const uint8_t *) text.ptr;
    cursor.end = cursor.ptr + text.len;
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


/* In normal form C, case folded if flags say so; never NULL but for memory. */
static uint8_t *
composed(voice_span_t text, unsigned flags, size_t *len)
{
    const uint8_t  *bytes;

    *len = 0;
    bytes = (const uint8_t *) text.ptr;

    if (text.len == 0) {
        return malloc(1);
    }

    if (flags & VOICE_TEXT_CASE_SENSITIVE) {
        return u8_normalize(UNINORM_NFC, bytes, text.len, NULL, len);
    }

    return u8_casefold(bytes, text.len, NULL, UNINORM_NFC, NULL, len);
}


static size_t
squeeze(char *out, const uint8_t *in, size_t len, unsigned flags)
{
    size_t          n;
    ucs4_t          point;
    cursor_t        cursor;
    const uint8_t  *start;
    int             space;

    n = 0;
    space = 0;
    cursor.ptr = in;
    cursor.end = in + len;

    for (start = in; next(&cursor, &point); start = cursor.ptr) {

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
