
/*
 * Word, character and sentence error rate.
 */

#include <stdlib.h>

#include "voice_wer.h"


/* A pair of texts, normalised and split. */
typedef struct {
    char           *text[2];
    voice_words_t   words[2];
    uint32_t       *ids[2];
} split_t;


/* A word with its place, to be sorted. */
typedef struct {
    voice_span_t  word;
    uint32_t     *id;
} place_t;


static voice_rc_t split_create(split_t *split, const voice_wer_pair_t *pair,
    unsigned flags);
static voice_rc_t split_number(split_t *split);
static void split_destroy(split_t *split);
static voice_rc_t split_align(const split_t *split,
    voice_alignment_t *alignment);
static voice_rc_t characters(voice_span_t text, unsigned flags,
    uint32_t **points, size_t *count);
static voice_rc_t report_words(const voice_wer_pair_t *pair, json_t *report);
static voice_rc_t report_rates(const voice_wer_pair_t *pair, json_t *report);
static json_t *alignment_json(const voice_alignment_t *alignment,
    const split_t *split);


double
voice_wer_rate(const voice_alignment_t *alignment)
{
    size_t  errors;

    if (alignment->reference == 0) {
        return alignment->hypothesis == 0 ? 0.0 : 1.0;
    }

    errors = alignment->substitutions + alignment->deletions
             + alignment->insertions;

    return (double) errors / (double) alignment->reference;
}


voice_rc_t
voice_wer_align(const voice_wer_pair_t *pair, unsigned flags,
    voice_alignment_t *alignment)
{
    split_t     split;
    voice_rc_t  rc;

    memset(alignment, 0, sizeof(voice_alignment_t));

    rc = split_create(&split, pair, flags);
    if (rc == VOICE_OK) {
        rc = split_align(&split, alignment);
    }

    split_destroy(&split);

    return rc;
}


voice_rc_t
voice_cer_align(const voice_wer_pair_t *pair, unsigned flags,
    voice_alignment_t *alignment)
{
    uint32_t     *reference, *hypothesis;
    voice_rc_t    rc;
    voice_ids_t   one, two;

    memset(alignment, 0, sizeof(voice_alignment_t));
    hypothesis = NULL;

    rc = characters(pair->reference, flags, &reference, &one.count);
    if (rc != VOICE_OK) {
        return rc;
    }

    rc = characters(pair->hypothesis, flags, &hypothesis, &two.count);
    if (rc == VOICE_OK) {
        one.ids = reference;
        two.ids = hypothesis;
        rc = voice_edit_align(one, two, alignment);
    }

    free(reference);
    free(hypothesis);

    return rc;
}


voice_rc_t
voice_wer(const voice_wer_pair_t *pair, unsigned flags, double *rate)
{
    voice_rc_t         rc;
    voice_alignment_t  alignment;

    rc = voice_wer_align(pair, flags, &alignment);
    *rate = voice_wer_rate(&alignment);
    voice_alignment_release(&alignment);

    return rc;
}


voice_rc_t
voice_cer(const voice_wer_pair_t *pair, unsigned flags, double *rate)
{
    voice_rc_t         rc;
    voice_alignment_t  alignment;

    rc = voice_cer_align(pair, flags, &alignment);
    *rate = voice_wer_rate(&alignment);
    voice_alignment_release(&alignment);

    return rc;
}


voice_rc_t
voice_ser(const voice_wer_pair_t *pair, unsigned flags, double *rate)
{
    size_t      one, two;
    char       *reference, *hypothesis;
    voice_rc_t  rc;

    *rate = 0;
    hypothesis = NULL;

    rc = voice_text_normalise(pair->reference, flags, &reference, &one);
    if (rc != VOICE_OK) {
        return rc;
    }

    rc = voice_text_normalise(pair->hypothesis, flags, &hypothesis, &two);
    if (rc == VOICE_OK) {
        *rate = voice_span_eq(voice_span(reference, one),
                              voice_span(hypothesis, two)) ? 0.0 : 1.0;
    }

    free(reference);
    free(hypothesis);

    return rc;
}


voice_rc_t
voice_cer_many(const voice_wer_pair_t *pairs, size_t npairs, double *micro,
    double *macro)
{
    size_t             i;
    voice_rc_t         rc;
    voice_alignment_t  one, all;

    *micro = 0;
    *macro = 0;
    memset(&all, 0, sizeof(voice_alignment_t));

    for (i = 0; i < npairs; i++) {

        rc = voice_cer_align(&pairs[i], VOICE_TEXT_RAW, &one);
        if (rc != VOICE_OK) {
            return rc;
        }

        *macro += voice_wer_rate(&one) / (double) npairs;
        all.reference += one.reference;
        all.hypothesis += one.hypothesis;
        all.substitutions += one.substitutions;
        all.deletions += one.deletions;
        all.insertions += one.insertions;

        voice_alignment_release(&one);
    }

    *micro = voice_wer_rate(&all);

    return VOICE_OK;
}


voice_rc_t
voice_wer_report(const voice_wer_pair_t *pair, json_t **report)
{
    voice_rc_t  rc;

    *report = json_object();
    if (*report == NULL) {
        return VOICE_NOMEM;
    }

    rc = report_rates(pair, *report);
    if (rc == VOICE_OK) {
        rc = report_words(pair, *report);
    }

    if (rc != VOICE_OK) {
        json_decref(*report);
        *report = NULL;
    }

    return rc;
}


static voice_rc_t
split_create(split_t *split, const voice_wer_pair_t *pair, unsigned flags)
{
    int           i;
    size_t        len;
    voice_rc_t    rc;
    voice_span_t  text;

    memset(split, 0, sizeof(split_t));

    for (i = 0; i < 2; i++) {
        text = i == 0 ? pair->reference : pair->hypothesis;

        rc = voice_text_normalise(text, flags, &split->text[i], &len);
        if (rc != VOICE_OK) {
            return rc;
        }

        text = voice_span(split->text[i], len);

        /* folding may have made it longer than a text may be */
        rc = voice_text_words(text, &split->words[i]);
        if (rc != VOICE_OK) {
            return rc;
        }

        split->ids[i] = malloc((split->words[i].count + 1)
                               * sizeof(uint32_t));
        if (split->ids[i] == NULL) {
            return VOICE_NOMEM;
        }
    }

    return split_number(split);
}


static int
compare_places(const void *one, const void *two)
{
    int             order;
    size_t          len;
    const place_t  *a, *b;

    a = one;
    b = two;
    len = a->word.len < b->word.len ? a->word.len : b->word.len;
    order = memcmp(a->word.ptr, b->word.ptr, len);

    if (order != 0) {
        return order;
    }

    return a->word.len < b->word.len ? -1 : a->word.len > b->word.len;
}


/* Gives equal words equal ids. */
static voice_rc_t
split_number(split_t *split)
{
    size_t     i, n, k;
    uint32_t   id;
    place_t   *places;

    n = split->words[0].count + split->words[1].count;

    places = malloc((n + 1) * sizeof(place_t));
    if (places == NULL) {
        return VOICE_NOMEM;
    }

    for (i = 0, n = 0; i < 2; i++) {
        for (k = 0; k < split->words[i].count; k++) {
            places[n].word = split->words[i].items[k];
            places[n++].id = &split->ids[i][k];
        }
    }

    qsort(places, n, sizeof(place_t), compare_places);

    id = 0;

    for (i = 0; i < n; i++) {
        id += i > 0 && compare_places(&places[i - 1], &places[i]) != 0;
        *places[i].id = id;
    }

    free(places);

    return VOICE_OK;
}


static void
split_destroy(split_t *split)
{
    int  i;

    for (i = 0; i < 2; i++) {
        voice_words_release(&split->words[i]);
        free(split->ids[i]);
        free(split->text[i]);
    }
}


static voice_rc_t
split_align(const split_t *split, voice_alignment_t *alignment)
{
    voice_ids_t  reference, hypothesis;

    reference = (voice_ids_t) { split->ids[0], split->words[0].count };
    hypothesis = (voice_ids_t) { split->ids[1], split->words[1].count };

    return voice_edit_align(reference, hypothesis, alignment);
}


static voice_rc_t
characters(voice_span_t text, unsigned flags, uint32_t **points,
    size_t *count)
{
    char       *out;
    size_t      len;
    voice_rc_t  rc;

    *points = NULL;
    *count = 0;

    if ((flags & VOICE_TEXT_RAW) == VOICE_TEXT_RAW) {
        return voice_text_decode(text, points, count);
    }

    rc = voice_text_normalise(text, flags, &out, &len);
    if (rc != VOICE_OK) {
        return rc;
    }

    rc = voice_text_decode(voice_span(out, len), points, count);
    free(out);

    return rc;
}


static voice_rc_t
report_rates(const voice_wer_pair_t *pair, json_t *report)
{
    size_t       i;
    double       rate;
    json_t      *number;
    voice_rc_t   rc;

    static const struct {
        const char  *name;
        voice_rc_t (*measure)(const voice_wer_pair_t *pair, unsigned flags,
                              double *rate);
        unsigned     flags;
    } rates[] = {
        { "wer", voice_wer, 0 },
        { "wer_raw", voice_wer, VOICE_TEXT_RAW },
        { "cer", voice_cer, 0 },
        { "cer_raw", voice_cer, VOICE_TEXT_RAW },
        { "ser", voice_ser, 0 }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rates); i++) {

        rc = rates[i].measure(pair, rates[i].flags, &rate);

        if (rc == VOICE_LIMIT && rates[i].measure == voice_cer) {
            number = json_null();

        } else if (rc == VOICE_OK) {
            number = json_real(rate);

        } else {
            return rc;
        }

        if (json_object_set_new(report, rates[i].name, number) != 0) {
            return VOICE_NOMEM;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
report_words(const voice_wer_pair_t *pair, json_t *report)
{
    json_t             *words;
    split_t             split;
    voice_rc_t          rc;
    voice_alignment_t   a;

    memset(&a, 0, sizeof(voice_alignment_t));

    rc = split_create(&split, pair, 0);
    if (rc == VOICE_OK) {
        rc = split_align(&split, &a);
    }

    if (rc == VOICE_OK) {
        words = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o*}",
                          "substitutions", (json_int_t) a.substitutions,
                          "deletions", (json_int_t) a.deletions,
                          "insertions", (json_int_t) a.insertions,
                          "matches", (json_int_t) a.matches,
                          "reference_words", (json_int_t) a.reference,
                          "hypothesis_words", (json_int_t) a.hypothesis,
                          "distance", (json_int_t) a.distance,
                          "alignment", alignment_json(&a, &split));

        if (json_object_get(words, "alignment") == NULL
            || json_object_update(report, words) != 0
            || (a.nedits > VOICE_WER_LISTED
                && json_object_set_new(report, "alignment_cut", json_true())
                   != 0))
        {
            rc = VOICE_NOMEM;
        }

        json_decref(words);
    }

    voice_alignment_release(&a);
    split_destroy(&split);

    return rc;
}


static json_t *
word_json(const voice_words_t *words, size_t index, int absent)
{
    if (absent) {
        return json_null();
    }

    return json_stringn(words->items[index].ptr, words->items[index].len);
}


static json_t *
alignment_json(const voice_alignment_t *alignment, const split_t *split)
{
    size_t               i;
    json_t              *list, *row;
    const voice_edit_t  *edit;

    list = json_array();

    for (i = 0; i < alignment->nedits && i < VOICE_WER_LISTED; i++) {
        edit = &alignment->edits[i];

        row = json_pack("[s, o, o]", voice_edit_name(edit->op),
                        word_json(&split->words[0], edit->reference,
                                  edit->op == VOICE_EDIT_INSERT),
                        word_json(&split->words[1], edit->hypothesis,
                                  edit->op == VOICE_EDIT_DELETE));

        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}
