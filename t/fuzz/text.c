
/*
 * Fuzz target: all that is measured of a pair of texts, cut at the first
 * NUL, which are a pattern and an answer, and two entity objects, too.
 */

#include <stdlib.h>

#include "voice_language.h"
#include "voice_score.h"
#include "voice_similarity.h"
#include "voice_wer.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


/* Normalising twice is normalising once. */
static void
check_normal(voice_span_t text, unsigned flags)
{
    char           *once, *twice;
    size_t          n, m;
    voice_words_t   words;

    if (voice_text_normalise(text, flags, &once, &n) != VOICE_OK) {
        require(!voice_text_valid(text));
        return;
    }

    require(voice_text_normalise(voice_span(once, n), flags, &twice, &m)
            == VOICE_OK);
    require(n == m && memcmp(once, twice, n) == 0);

    require(voice_text_words(voice_span(twice, m), &words) == VOICE_OK);
    require(words.count <= m / 2 + 1);

    voice_words_release(&words);
    free(once);
    free(twice);
}


static void
check_alignment(const voice_wer_pair_t *pair, unsigned flags)
{
    voice_alignment_t  a;

    if (voice_cer_align(pair, flags, &a) == VOICE_OK) {
        require(a.matches + a.substitutions + a.deletions == a.reference);
        require(a.matches + a.substitutions + a.insertions == a.hypothesis);
        require(a.substitutions + a.deletions + a.insertions >= a.distance);
        voice_alignment_release(&a);
    }

    if (voice_wer_align(pair, flags, &a) == VOICE_OK) {
        require(a.matches + a.substitutions + a.deletions == a.reference);
        voice_alignment_release(&a);
    }
}


static void
check_similarity(const voice_wer_pair_t *pair)
{
    double  value;

    if (voice_similarity_lexical(pair->reference, pair->hypothesis,
                                 VOICE_SPAN("en"), &value) == VOICE_OK)
    {
        require(value >= 0 && value <= 1);
    }

    if (voice_score_intent(pair->reference, pair->hypothesis, &value)
        == VOICE_OK)
    {
        require(value >= 0 && value <= 1);
    }
}


static void
check_patterns(const voice_wer_pair_t *pair)
{
    int      passed;
    json_t  *content, *errors, *pattern;

    pattern = json_stringn(pair->reference.ptr, pair->reference.len);
    if (pattern == NULL) {
        return;
    }

    errors = json_array();
    content = json_pack("{s:[O], s:[O], s:[O]}", "contains", pattern,
                        "regex", pattern, "regex_not_match", pattern);

    if (voice_score_patterns(content, NULL, pair->hypothesis, errors,
                             &passed) == VOICE_OK)
    {
        /* one of the two last must fail */
        require(!passed && json_array_size(errors) > 0);
    }

    json_decref(content);
    json_decref(errors);
    json_decref(pattern);
}


/* An object is always what was expected of itself. */
static void
check_entities(const voice_wer_pair_t *pair)
{
    double           score;
    json_t          *expected, *actual;
    voice_policy_t   policy;

    expected = json_loadb(pair->reference.ptr, pair->reference.len, 0, NULL);
    actual = json_loadb(pair->hypothesis.ptr, pair->hypothesis.len, 0, NULL);

    score = voice_score_entities(expected, actual, NULL,
                                 VOICE_SCORE_TOLERANCE, NULL);
    require(score >= 0 && score <= 1);
    require(voice_score_entities(expected, expected, NULL, 0, NULL) >= 1);

    if (voice_policy_read(&policy, actual) == VOICE_OK) {
        require(policy.review <= policy.auto_pass);
    }

    json_decref(expected);
    json_decref(actual);
}


static void
check_language(voice_span_t tag)
{
    char  once[VOICE_LANGUAGE_MAX + 1], twice[VOICE_LANGUAGE_MAX + 1];

    if (voice_language_canonical(tag, once) != VOICE_OK) {
        return;
    }

    require(voice_language_canonical(voice_span_str(once), twice)
            == VOICE_OK);
    require(strcmp(once, twice) == 0);
    require(voice_language_matches(voice_language_primary(tag), tag));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char        *all, *end;
    json_t            *report;
    voice_wer_pair_t   pair;

    all = (const char *) data;
    end = size > 0 ? memchr(all, '\0', size) : NULL;

    pair.reference = voice_span(all, end == NULL ? size
                                                 : (size_t) (end - all));
    pair.hypothesis = end == NULL
                      ? voice_span("", 0)
                      : voice_span(end + 1,
                                   size - pair.reference.len - 1);

    check_normal(pair.reference, 0);
    check_normal(pair.reference, VOICE_TEXT_RAW);
    check_alignment(&pair, 0);
    check_alignment(&pair, VOICE_TEXT_RAW);
    check_similarity(&pair);
    check_patterns(&pair);
    check_entities(&pair);
    check_language(pair.reference);

    if (voice_wer_report(&pair, &report) == VOICE_OK) {
        json_decref(report);
    }

    return 0;
}
