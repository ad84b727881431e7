
/*
 * Words with the ends of clauses and sentences.
 */

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "voice_token.h"


/* What a code point is to words. */
typedef enum {
    LETTER = 0,
    SPACE,
    CLAUSE,
    SENTENCE,
    BANG,
    APOSTROPHE,
    POINT,                             /* . or , which numbers may hold */
    NOTHING                            /* ends a word and says nothing */
} kind_e;


typedef struct {
    voice_tokens_t  *tokens;
    voice_span_t     text;
    size_t           at;
    unsigned         flags;
    char            *words;            /* room left in the tokens' memory */
    char            *words_end;

    /* of the word that is being read, as it stands */
    uint8_t          word[VOICE_TOKEN_MAX];
    size_t           len;
    size_t           from;
    size_t           to;
    ucs4_t           last;             /* letter, and how often in a row */
    unsigned         run;
    int              stretched;
} reader_t;


static voice_rc_t read_all(reader_t *reader);
static kind_e classify(ucs4_t point);
static kind_e point_kind(const reader_t *reader, ucs4_t point, size_t next);
static void take(reader_t *reader, ucs4_t point, size_t next);
static voice_rc_t word_end(reader_t *reader);
static void mark(reader_t *reader, kind_e kind);


/* Between words these end something; other punctuation is NOTHING. */
static const struct {
    ucs4_t  point;
    kind_e  kind;
} marks[] = {
    { '\n', SENTENCE }, { '.', POINT }, { ',', POINT }, { '!', BANG },
    { '?', SENTENCE }, { ';', CLAUSE }, { ':', CLAUSE }, { '(', CLAUSE },
    { ')', CLAUSE }, { '[', CLAUSE }, { ']', CLAUSE }, { '\'', APOSTROPHE },
    { '`', APOSTROPHE }, { 0xb4, APOSTROPHE }, { 0xa1, CLAUSE },
    { 0xbf, CLAUSE }, { 0x2013, CLAUSE }, { 0x2014, CLAUSE },
    { 0x2018, APOSTROPHE }, { 0x2019, APOSTROPHE },
    { 0x2026, SENTENCE }, { 0x3002, SENTENCE }, { 0xff01, BANG },
    { 0xff0c, CLAUSE }, { 0xff1f, SENTENCE }
};


voice_rc_t
voice_tokens_read(voice_span_t text, unsigned flags, voice_tokens_t *tokens)
{
    reader_t    reader;
    voice_rc_t  rc;

    memset(tokens, 0, sizeof(voice_tokens_t));

    if (text.len > VOICE_TEXT_MAX) {
        return VOICE_LIMIT;
    }

    if (!voice_text_valid(text)) {
        return VOICE_INVALID;
    }

    memset(&reader, 0, sizeof(reader_t));
    reader.tokens = tokens;
    reader.text = text;
    reader.flags = flags;

    /* a word and what parts it from the next take two bytes at least; folded
       and composed it is at most three times as long (Unicode's own bound
       for form C) */
    tokens->items = calloc(text.len / 2 + 1, sizeof(voice_token_t));
    tokens->memory = malloc(text.len * 3 + 1);

    if (tokens->items == NULL || tokens->memory == NULL) {
        voice_tokens_release(tokens);
        return VOICE_NOMEM;
    }

    reader.words = tokens->memory;
    reader.words_end = tokens->memory + text.len * 3;

    rc = read_all(&reader);
    if (rc != VOICE_OK) {
        voice_tokens_release(tokens);
    }

    return rc;
}


void
voice_tokens_release(voice_tokens_t *tokens)
{
    free(tokens->items);
    free(tokens->memory);
    memset(tokens, 0, sizeof(voice_tokens_t));
}


size_t
voice_token_squeeze(voice_span_t word, char *out)
{
    size_t  i, n, start, last;
    ucs4_t  point, before;

    n = 0;
    last = 0;
    before = 0;

    for (start = 0; start < word.len; start += i) {
        i = (size_t) u8_mbtouc(&point, (const uint8_t *) word.ptr + start,
                               word.len - start);

        if (point == before && last > 0) {
            continue;
        }

        memcpy(out + n, word.ptr + start, i);
        n += i;
        last = i;
        before = point;
    }

    return n;
}


static voice_rc_t
read_all(reader_t *reader)
{
    size_t      next;
    ucs4_t      point;
    kind_e      kind;
    voice_rc_t  rc;

    for ( /* void */ ; reader->at < reader->text.len; reader->at = next) {

        next = reader->at
               + (size_t) u8_mbtouc(&point, (const uint8_t *) reader->text.ptr
                                            + reader->at,
                                    reader->text.len - reader->at);

        kind = point_kind(reader, point, next);

        if (kind == LETTER) {
            take(reader, point, next);
            continue;
        }

        if (kind == APOSTROPHE && !(reader->flags & VOICE_TOKEN_SPLIT)) {
            continue;
        }

        rc = word_end(reader);
        if (rc != VOICE_OK) {
            return rc;
        }

        mark(reader, kind);
    }

    rc = word_end(reader);
    if (rc == VOICE_OK) {
        mark(reader, SENTENCE);
    }

    return rc;
}


static kind_e
classify(ucs4_t point)
{
    size_t  i;

    if ((point >= 'a' && point <= 'z') || (point >= '0' && point <= '9')) {
        return LETTER;
    }

    if (point == ' ') {
        return SPACE;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(marks); i++) {
        if (marks[i].point == point) {
            return marks[i].kind;
        }
    }

    if (uc_is_general_category_withtable(point, UC_CATEGORY_MASK_L
                                                | UC_CATEGORY_MASK_M
                                                | UC_CATEGORY_MASK_N))
    {
        return LETTER;
    }

    return uc_is_property_white_space(point) ? SPACE : NOTHING;
}


/* A full stop or comma inside a number is a part of it. */
static kind_e
point_kind(const reader_t *reader, ucs4_t point, size_t next)
{
    kind_e  kind;

    kind = classify(point);

    if (kind != POINT) {
        return kind;
    }

    if (reader->len > 0 && reader->last >= '0' && reader->last <= '9'
        && next < reader->text.len && reader->text.ptr[next] >= '0'
        && reader->text.ptr[next] <= '9')
    {
        return LETTER;
    }

    return point == '.' ? SENTENCE : CLAUSE;
}


static void
take(reader_t *reader, ucs4_t point, size_t next)
{
    size_t  n;

    if (reader->len == 0) {
        reader->from = reader->at;
        reader->run = 0;
        reader->stretched = 0;
    }

    reader->to = next;
    reader->run = point == reader->last && reader->len > 0
                  ? reader->run + 1 : 1;
    reader->last = point;

    /* numbers repeat digits and mean them */
    if (reader->run > 2
        && uc_is_general_category_withtable(point, UC_CATEGORY_MASK_L))
    {
        reader->stretched = 1;
        return;
    }

    n = next - reader->at;

    if (reader->len + n <= sizeof(reader->word)) {
        memcpy(reader->word + reader->len, reader->text.ptr + reader->at, n);
        reader->len += n;
    }
}


static voice_rc_t
word_end(reader_t *reader)
{
    size_t          len;
    uint8_t         fixed[VOICE_TOKEN_MAX * 3], *folded;
    voice_token_t  *token;

    if (reader->len == 0) {
        return VOICE_OK;
    }

    len = sizeof(fixed);
    folded = u8_casefold(reader->word, reader->len, NULL, UNINORM_NFC, fixed,
                         &len);
    if (folded == NULL) {
        return VOICE_NOMEM;
    }

    if (len > (size_t) (reader->words_end - reader->words)) {
        len = 0;
    }

    token = &reader->tokens->items[reader->tokens->count++];
    token->word = voice_span(reader->words, len);
    token->source = voice_span(reader->text.ptr + reader->from,
                               reader->to - reader->from);
    token->end = VOICE_TOKEN_NEXT;
    token->stretched = reader->stretched;

    memcpy(reader->words, folded, len);
    reader->words += len;
    reader->len = 0;

    if (folded != fixed) {
        free(folded);
    }

    return VOICE_OK;
}


/* The strongest end between two words is theirs. */
static void
mark(reader_t *reader, kind_e kind)
{
    voice_token_t      *token;
    voice_token_end_e   end;

    if (reader->tokens->count == 0) {
        return;
    }

    token = &reader->tokens->items[reader->tokens->count - 1];
    end = kind == SENTENCE || kind == BANG ? VOICE_TOKEN_SENTENCE
          : kind == CLAUSE ? VOICE_TOKEN_CLAUSE : VOICE_TOKEN_NEXT;

    token->end = end > token->end ? end : token->end;
    token->bangs += kind == BANG;
}
