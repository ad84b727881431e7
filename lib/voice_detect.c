
/*
 * In which language is a text.
 */

#include <stdlib.h>

#include "voice_detect.h"


#define WORDS_MAX  3000                /* that are looked at */
#define TEXT_MAX   (64 * 1024)         /* bytes, too */
#define CLUE_MAX   40                  /* bytes in the file */
#define PART_MAX   12                  /* bytes of a part */

/* Measured on sentences of calls (docs/analysis.md). */
#define COVERAGE   0.30                /* of the words: enough */
#define EVIDENCE   0.6                 /* words that are worth half */
#define MARGIN     0.5                 /* of the best: enough */
#define SURE       0.22                /* less than this is "und" */


/* Where in a word a clue stands. */
typedef enum {
    WHOLE = 0,
    BEGINNING,
    END,
    INSIDE
} place_e;


typedef struct {
    place_e       place;
    voice_span_t  text;
    uint32_t      languages;           /* a bit for each that has it */
} clue_t;


struct voice_detector_s {
    char      names[VOICE_DETECT_LANGUAGES][VOICE_LANGUAGE_MAX + 1];
    size_t    languages;
    clue_t   *clues;                   /* sorted, without doubles */
    size_t    count;
    char     *text;                    /* the clues' */
};


typedef struct {
    voice_detector_t  *detector;
    voice_lines_t      lines;
    size_t             room;           /* for so many clues */
    char              *text;           /* left in the detector's */
} reader_t;


typedef struct {
    double  got[VOICE_DETECT_LANGUAGES];
    size_t  words;
} votes_t;


static voice_rc_t read_file(reader_t *reader);
static voice_rc_t read_line(reader_t *reader, voice_span_t line);
static voice_rc_t read_section(reader_t *reader, voice_span_t line);
static voice_rc_t read_clue(reader_t *reader, voice_span_t text);
static voice_rc_t add_clue(reader_t *reader, clue_t *clue);
static void merge(voice_detector_t *detector);
static int compare(const void *one, const void *other);
static uint32_t find(const voice_detector_t *detector, place_e place,
    voice_span_t text);
static void vote(const voice_detector_t *detector, voice_span_t word,
    votes_t *votes);
static uint32_t find_part(const voice_detector_t *detector,
    voice_span_t word);
static void judge(const voice_detector_t *detector, const votes_t *votes,
    voice_detected_t *detected);
static voice_span_t beginning(voice_span_t text);


voice_rc_t
voice_detector_parse(voice_span_t file, voice_detector_t **detector,
    voice_lines_fault_t *fault)
{
    reader_t    reader;
    voice_rc_t  rc;

    *detector = NULL;
    memset(&reader, 0, sizeof(reader_t));

    rc = voice_lines_begin(&reader.lines, file, fault);
    if (rc != VOICE_OK) {
        return rc;
    }

    reader.detector = calloc(1, sizeof(voice_detector_t));
    if (reader.detector == NULL) {
        return VOICE_NOMEM;
    }

    /* as voice_tokens_read() has it */
    reader.detector->text = malloc(file.len * 3 + 1);
    reader.text = reader.detector->text;

    rc = reader.text == NULL ? VOICE_NOMEM : read_file(&reader);

    if (rc != VOICE_OK) {
        voice_detector_destroy(reader.detector);
        return rc;
    }

    merge(reader.detector);
    *detector = reader.detector;

    return VOICE_OK;
}


void
voice_detector_destroy(voice_detector_t *detector)
{
    if (detector == NULL) {
        return;
    }

    free(detector->clues);
    free(detector->text);
    free(detector);
}


voice_rc_t
voice_detect(const voice_detector_t *detector, voice_span_t text,
    voice_detected_t *detected)
{
    size_t          i;
    votes_t         votes;
    voice_rc_t      rc;
    voice_tokens_t  tokens;

    memset(&votes, 0, sizeof(votes_t));
    memset(detected, 0, sizeof(voice_detected_t));
    memcpy(detected->language, "und", sizeof("und"));

    if (!voice_text_valid(text)) {
        return VOICE_INVALID;
    }

    rc = voice_tokens_read(beginning(text), VOICE_TOKEN_SPLIT, &tokens);
    if (rc != VOICE_OK) {
        return rc;
    }

    for (i = 0; i < tokens.count && i < WORDS_MAX; i++) {
        vote(detector, tokens.items[i].word, &votes);
    }

    voice_tokens_release(&tokens);
    judge(detector, &votes, detected);

    return VOICE_OK;
}


int
voice_detect_common(const voice_detector_t *detector, voice_span_t language,
    voice_span_t word)
{
    size_t        i;
    voice_span_t  primary;

    primary = voice_language_primary(language);

    for (i = 0; i < detector->languages; i++) {
        if (voice_language_matches(primary,
                                   voice_span_str(detector->names[i])))
        {
            return (find(detector, WHOLE, word) >> i) & 1;
        }
    }

    return 0;
}


static voice_rc_t
read_file(reader_t *reader)
{
    voice_rc_t    rc;
    voice_span_t  line;

    rc = VOICE_OK;

    while (rc == VOICE_OK && voice_lines_next(&reader->lines, &line)) {
        rc = read_line(reader, line);
    }

    if (rc == VOICE_OK && reader->detector->count == 0) {
        rc = voice_lines_wrong(&reader->lines, VOICE_INVALID,
                               "there is no word");
    }

    return rc;
}


static voice_rc_t
read_line(reader_t *reader, voice_span_t line)
{
    voice_rc_t  rc;

    if (line.ptr[0] == '[') {
        return read_section(reader, line);
    }

    if (reader->detector->languages == 0) {
        return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                 "no language stands before it");
    }

    do {
        rc = read_clue(reader, voice_lines_cut(&line, ','));
    } while (rc == VOICE_OK && line.len > 0);

    return rc;
}


static voice_rc_t
read_section(reader_t *reader, voice_span_t line)
{
    char              *name;
    size_t             i;
    voice_detector_t  *detector;

    detector = reader->detector;

    if (detector->languages == VOICE_DETECT_LANGUAGES) {
        return voice_lines_wrong(&reader->lines, VOICE_LIMIT,
                                 "more languages than 32");
    }

    name = detector->names[detector->languages];

    if (line.ptr[line.len - 1] != ']'
        || voice_language_canonical(voice_span(line.ptr + 1, line.len - 2),
                                    name) != VOICE_OK)
    {
        return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                 "no language tag in brackets");
    }

    for (i = 0; i < detector->languages; i++) {
        if (strcmp(detector->names[i], name) == 0) {
            return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                     "this language stands twice");
        }
    }

    detector->languages++;

    return VOICE_OK;
}


static voice_rc_t
read_clue(reader_t *reader, voice_span_t text)
{
    int             front, back;
    size_t          i;
    clue_t          clue;
    voice_rc_t      rc;
    voice_tokens_t  tokens;

    if (text.len > CLUE_MAX) {
        return voice_lines_wrong(&reader->lines, VOICE_INVALID,
                                 "a word has at most 40 bytes");
    }

    rc = voice_tokens_read(text, VOICE_TOKEN_SPLIT, &tokens);
    if (rc != VOICE_OK) {
        return rc;
    }

    front = text.len > 0 && text.ptr[0] == '-';
    back = text.len > 0 && text.ptr[text.len - 1] == '-';
    memset(&clue, 0, sizeof(clue_t));
    clue.place = front && back ? INSIDE : front ? END
                 : back ? BEGINNING : WHOLE;

    if (tokens.count == 0
        || (clue.place != WHOLE
            && (tokens.count > 1 || tokens.items[0].word.len > PART_MAX)))
    {
        rc = voice_lines_wrong(&reader->lines, VOICE_INVALID,
                               "no word, or a part that is too long");
    }

    /* "por favor" is two words */
    for (i = 0; rc == VOICE_OK && i < tokens.count; i++) {
        clue.text = tokens.items[i].word;
        rc = add_clue(reader, &clue);
    }

    voice_tokens_release(&tokens);

    return rc;
}


static voice_rc_t
add_clue(reader_t *reader, clue_t *clue)
{
    clue_t            *clues;
    voice_detector_t  *detector;

    detector = reader->detector;

    if (detector->count == reader->room) {
        reader->room = reader->room == 0 ? 256 : reader->room * 2;

        clues = realloc(detector->clues, reader->room * sizeof(clue_t));
        if (clues == NULL) {
            return VOICE_NOMEM;
        }

        detector->clues = clues;
    }

    memcpy(reader->text, clue->text.ptr, clue->text.len);
    clue->text.ptr = reader->text;
    clue->languages = (uint32_t) 1 << (detector->languages - 1);

    reader->text += clue->text.len;
    detector->clues[detector->count++] = *clue;

    return VOICE_OK;
}


/* Sorts the clues and makes one of those that are the same. */
static void
merge(voice_detector_t *detector)
{
    size_t   i, n;
    clue_t  *clues;

    clues = detector->clues;
    qsort(clues, detector->count, sizeof(clue_t), compare);

    for (i = 1, n = 0; i < detector->count; i++) {

        if (compare(&clues[n], &clues[i]) == 0) {
            clues[n].languages |= clues[i].languages;
        } else {
            clues[++n] = clues[i];
        }
    }

    detector->count = n + 1;
}


static int
compare(const void *one, const void *other)
{
    int            order;
    size_t         n;
    const clue_t  *a, *b;

    a = one;
    b = other;

    if (a->place != b->place) {
        return a->place < b->place ? -1 : 1;
    }

    n = a->text.len < b->text.len ? a->text.len : b->text.len;
    order = n == 0 ? 0 : memcmp(a->text.ptr, b->text.ptr, n);

    if (order != 0 || a->text.len == b->text.len) {
        return order;
    }

    return a->text.len < b->text.len ? -1 : 1;
}


static uint32_t
find(const voice_detector_t *detector, place_e place, voice_span_t text)
{
    clue_t         wanted;
    const clue_t  *clue;

    memset(&wanted, 0, sizeof(clue_t));
    wanted.place = place;
    wanted.text = text;

    clue = bsearch(&wanted, detector->clues, detector->count, sizeof(clue_t),
                   compare);

    return clue == NULL ? 0 : clue->languages;
}


static void
vote(const voice_detector_t *detector, voice_span_t word, votes_t *votes)
{
    double    weight;
    size_t    i;
    uint32_t  languages;

    /* numbers are the same in all languages */
    if (word.ptr[0] >= '0' && word.ptr[0] <= '9') {
        return;
    }

    votes->words++;
    weight = 1;
    languages = find(detector, WHOLE, word);

    if (languages == 0) {
        weight = VOICE_DETECT_PART;
        languages = find_part(detector, word);
    }

    if (languages == 0) {
        return;
    }

    weight /= __builtin_popcount(languages);

    for (i = 0; i < detector->languages; i++) {
        votes->got[i] += (languages >> i) & 1 ? weight : 0;
    }
}


/* The languages of the longest part; all of those as long. */
static uint32_t
find_part(const voice_detector_t *detector, voice_span_t word)
{
    size_t    i, n;
    uint32_t  languages;

    n = word.len < PART_MAX ? word.len : PART_MAX;

    for ( /* void */ ; n > 0; n--) {

        languages = find(detector, BEGINNING, voice_span(word.ptr, n))
                    | find(detector, END,
                           voice_span(word.ptr + word.len - n, n));

        for (i = 0; i + n <= word.len && i < CLUE_MAX; i++) {
            languages |= find(detector, INSIDE, voice_span(word.ptr + i, n));
        }

        if (languages != 0) {
            return languages;
        }
    }

    return 0;
}


static void
judge(const voice_detector_t *detector, const votes_t *votes,
    voice_detected_t *detected)
{
    double  coverage, margin, best, next;
    size_t  i, winner;

    best = 0;
    next = 0;
    winner = 0;

    for (i = 0; i < detector->languages; i++) {

        if (votes->got[i] > best) {
            next = best;
            best = votes->got[i];
            winner = i;

        } else if (votes->got[i] > next) {
            next = votes->got[i];
        }
    }

    if (best <= 0) {
        return;
    }

    coverage = best / (double) votes->words / COVERAGE;
    margin = (best - next) / best / MARGIN;

    detected->confidence = (coverage < 1 ? coverage : 1)
                           * (margin < 1 ? margin : 1)
                           * best / (best + EVIDENCE);

    if (detected->confidence >= SURE) {
        memcpy(detected->language, detector->names[winner],
               VOICE_LANGUAGE_MAX + 1);
    }
}


/* As much of a long text as is looked at, in whole characters. */
static voice_span_t
beginning(voice_span_t text)
{
    if (text.len <= TEXT_MAX) {
        return text;
    }

    text.len = TEXT_MAX;

    while (text.len > 0 && ((unsigned char) text.ptr[text.len] & 0xc0) == 0x80)
    {
        text.len--;
    }

    return text;
}
