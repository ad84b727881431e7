
/*
 * Summaries of a text's own sentences.
 */

#include <stdlib.h>

#include "voice_summary.h"


#define FIRST       0.15               /* what the first sentence has more */
#define SHORT       4                  /* words; shorter ones say little */
#define TOLD        0.7                /* of a word's weight, once told */
#define BYTES_MIN   16
#define ELLIPSIS    "..."


/* A word that says something, and how often it stands in the text. */
typedef struct {
    uint64_t  hash;
    double    weight;
} word_t;


typedef struct {
    size_t  from;                      /* tokens */
    size_t  to;
    int     chosen;
} sentence_t;


typedef struct {
    const voice_summary_limits_t  *limits;
    const char                    *end;        /* of the text */
    voice_tokens_t                 tokens;
    word_t                        *words;      /* by hash; the first says
                                                  little */
    size_t                         size;       /* a power of two, and one */
    uint32_t                      *places;     /* of the tokens' words */
    sentence_t                    *sentences;
    size_t                         count;
} summary_t;


static voice_rc_t prepare(summary_t *summary);
static void split(summary_t *summary);
static uint32_t place(const summary_t *summary, voice_span_t word);
static int says_little(const summary_t *summary, voice_span_t word);
static void choose(summary_t *summary);
static double salience(const summary_t *summary, size_t index);
static void tell(summary_t *summary, size_t index);
static size_t length(const summary_t *summary, size_t index);
static voice_span_t source(const summary_t *summary, size_t index);
static char *write_down(const summary_t *summary);
static size_t copy(char *out, voice_span_t text, size_t max);
static voice_span_t beginning(voice_span_t text);
static int is_space(char c);


voice_rc_t
voice_summary(voice_span_t text, const voice_summary_limits_t *limits,
    char **out)
{
    voice_rc_t  rc;
    summary_t   summary;

    *out = NULL;
    memset(&summary, 0, sizeof(summary_t));
    summary.limits = limits;

    if (limits->sentences == 0 || limits->bytes < BYTES_MIN
        || !voice_text_valid(text))
    {
        return VOICE_INVALID;
    }

    text = beginning(text);
    summary.end = text.ptr + text.len;

    rc = voice_tokens_read(text, 0, &summary.tokens);
    if (rc != VOICE_OK) {
        return rc;
    }

    rc = prepare(&summary);

    if (rc == VOICE_OK) {
        choose(&summary);
        *out = write_down(&summary);
        rc = *out == NULL ? VOICE_NOMEM : VOICE_OK;
    }

    free(summary.words);
    free(summary.places);
    free(summary.sentences);
    voice_tokens_release(&summary.tokens);

    return rc;
}


/* Counts the words that say something, and finds the sentences. */
static voice_rc_t
prepare(summary_t *summary)
{
    size_t        i, n;
    voice_span_t  word;

    n = summary->tokens.count;

    for (summary->size = 64; summary->size < n * 2; summary->size *= 2) {
        /* void */
    }

    summary->words = calloc(summary->size + 1, sizeof(word_t));
    summary->places = calloc(n + 1, sizeof(uint32_t));
    summary->sentences = calloc(VOICE_SUMMARY_SENTENCES, sizeof(sentence_t));

    if (summary->words == NULL || summary->places == NULL
        || summary->sentences == NULL)
    {
        return VOICE_NOMEM;
    }

    for (i = 0; i < n; i++) {
        word = summary->tokens.items[i].word;

        if (!says_little(summary, word)) {
            summary->places[i] = place(summary, word);
            summary->words[summary->places[i]].weight += 1;
        }
    }

    split(summary);

    return VOICE_OK;
}


static void
split(summary_t *summary)
{
    size_t       i;
    sentence_t  *sentence;

    sentence = summary->sentences;

    for (i = 0;
         i < summary->tokens.count
         && summary->count < VOICE_SUMMARY_SENTENCES;
         i++)
    {
        sentence = &summary->sentences[summary->count];
        sentence->to = i + 1;

        if (summary->tokens.items[i].end != VOICE_TOKEN_SENTENCE
            && i + 1 - sentence->from < VOICE_SUMMARY_WORDS)
        {
            continue;
        }

        summary->count++;

        if (summary->count < VOICE_SUMMARY_SENTENCES) {
            summary->sentences[summary->count].from = i + 1;
        }
    }
}


/* Its place in the table, made if it has none; from 1. */
static uint32_t
place(const summary_t *summary, voice_span_t word)
{
    size_t    i, at;
    word_t   *words;
    uint64_t  hash;

    hash = 0xcbf29ce484222325u;

    for (i = 0; i < word.len; i++) {
        hash = (hash ^ (unsigned char) word.ptr[i]) * 0x100000001b3u;
    }

    hash |= 1;                         /* 0 is a free place */
    words = summary->words + 1;

    /* two words of one hash are one: a summary is none the worse */
    for (at = hash >> 20 & (summary->size - 1);
         words[at].hash != 0 && words[at].hash != hash;
         at = (at + 1) & (summary->size - 1))
    {
        /* void */
    }

    words[at].hash = hash;

    return (uint32_t) (at + 1);
}


static int
says_little(const summary_t *summary, voice_span_t word)
{
    if (word.len < 3) {
        return 1;
    }

    return summary->limits->detector != NULL
           && voice_detect_common(summary->limits->detector,
                                  summary->limits->language, word);
}


/* The most salient sentence that has room, again and again. */
static void
choose(summary_t *summary)
{
    double    best, here;
    size_t    i, winner, bytes;
    unsigned  n;

    bytes = 0;

    for (n = 0; n < summary->limits->sentences; n++) {

        best = -1;
        winner = 0;

        for (i = 0; i < summary->count; i++) {

            if (summary->sentences[i].chosen
                || (n > 0 && bytes + 1 + length(summary, i)
                             > summary->limits->bytes))
            {
                continue;
            }

            here = salience(summary, i);

            if (here > best) {
                best = here;
                winner = i;
            }
        }

        if (best < 0) {
            return;
        }

        summary->sentences[winner].chosen = 1;
        bytes += length(summary, winner) + 1;
        tell(summary, winner);
    }
}


/* Mean weight of its words; short sentences count as if longer. */
static double
salience(const summary_t *summary, size_t index)
{
    size_t             i, words;
    double             sum;
    const sentence_t  *sentence;

    sentence = &summary->sentences[index];
    sum = 0;
    words = 0;

    for (i = sentence->from; i < sentence->to; i++) {
        sum += summary->words[summary->places[i]].weight;
        words += summary->places[i] != 0;
    }

    words = words < SHORT ? SHORT : words;

    return sum / (double) words * (1 + FIRST / (double) (index + 1));
}


/* What was told once is worth less. */
static void
tell(summary_t *summary, size_t index)
{
    size_t             i;
    const sentence_t  *sentence;

    sentence = &summary->sentences[index];

    for (i = sentence->from; i < sentence->to; i++) {
        summary->words[summary->places[i]].weight *= TOLD;
    }
}


static size_t
length(const summary_t *summary, size_t index)
{
    return source(summary, index).len;
}


/* From its first word up to what ends it. */
static voice_span_t
source(const summary_t *summary, size_t index)
{
    size_t                n;
    const char           *end, *limit;
    const sentence_t     *sentence;
    const voice_token_t  *first, *last;

    sentence = &summary->sentences[index];
    first = &summary->tokens.items[sentence->from];
    last = &summary->tokens.items[sentence->to - 1];

    end = last->source.ptr + last->source.len;
    limit = sentence->to < summary->tokens.count
            ? summary->tokens.items[sentence->to].source.ptr : summary->end;

    /* the marks that end it, of ASCII */
    for (n = 0; end + n < limit && n < 3; n++) {
        if (strchr(".!?", end[n]) == NULL || end[n] == '\0') {
            break;
        }
    }

    return voice_span(first->source.ptr,
                      (size_t) (end - first->source.ptr) + n);
}


static char *
write_down(const summary_t *summary)
{
    char    *out;
    size_t   i, n;

    out = malloc(summary->limits->bytes + 1);
    if (out == NULL) {
        return NULL;
    }

    for (i = 0, n = 0; i < summary->count; i++) {

        if (!summary->sentences[i].chosen) {
            continue;
        }

        if (n > 0) {
            out[n++] = ' ';
        }

        n += copy(out + n, source(summary, i), summary->limits->bytes - n);
    }

    out[n] = '\0';

    return out;
}


/* With single blanks; what is longer than max is cut behind a word. */
static size_t
copy(char *out, voice_span_t text, size_t max)
{
    int     space;
    size_t  i, n, word;

    n = 0;
    word = 0;
    space = 0;

    for (i = 0; i < text.len; i++) {

        if (is_space(text.ptr[i])) {
            space = 1;
            continue;
        }

        if (space && n + sizeof(ELLIPSIS) - 1 <= max) {
            word = n;
        }

        if (n + (size_t) space >= max) {
            break;
        }

        if (space) {
            out[n++] = ' ';
            space = 0;
        }

        out[n++] = text.ptr[i];
    }

    if (i == text.len) {
        return n;
    }

    /* one endless word is cut between two characters */
    if (word == 0) {
        word = max - (sizeof(ELLIPSIS) - 1);

        while (word > 0 && ((unsigned char) out[word] & 0xc0) == 0x80) {
            word--;
        }
    }

    memcpy(out + word, ELLIPSIS, sizeof(ELLIPSIS) - 1);

    return word + sizeof(ELLIPSIS) - 1;
}


/* As much of a long text as is read, in whole characters. */
static voice_span_t
beginning(voice_span_t text)
{
    if (text.len <= VOICE_TEXT_MAX) {
        return text;
    }

    text.len = VOICE_TEXT_MAX;

    while (text.len > 0
           && ((unsigned char) text.ptr[text.len] & 0xc0) == 0x80)
    {
        text.len--;
    }

    return text;
}


static int
is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
