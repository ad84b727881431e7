
/*
 * voice_wer.h
 */

#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_wer.h"


static voice_wer_pair_t
pair_of(const char *reference, const char *hypothesis)
{
    return (voice_wer_pair_t) { voice_span_str(reference),
                                voice_span_str(hypothesis) };
}


static void
is_wer(const char *reference, const char *hypothesis, unsigned flags,
    double expected)
{
    char              name[256];
    double            rate;
    voice_wer_pair_t  pair;

    pair = pair_of(reference, hypothesis);
    rate = -1;

    (void) snprintf(name, sizeof(name), "WER of \"%s\" heard as \"%s\"%s",
                    reference, hypothesis,
                    flags ? " with flags" : "");

    if (voice_wer(&pair, flags, &rate) != VOICE_OK) {
        rate = -1;
    }

    is_near(rate, expected, name);
}


static void
is_cer(const char *reference, const char *hypothesis, unsigned flags,
    double expected)
{
    char              name[256];
    double            rate;
    voice_wer_pair_t  pair;

    pair = pair_of(reference, hypothesis);
    rate = -1;

    (void) snprintf(name, sizeof(name), "CER of \"%s\" heard as \"%s\"",
                    reference, hypothesis);

    if (voice_cer(&pair, flags, &rate) != VOICE_OK) {
        rate = -1;
    }

    is_near(rate, expected, name);
}


static void
test_wer(void)
{
    int   i;
    char  hundred[501], most[476];

    is_wer("the cat sat on the mat", "the cat sat on the hat", 0, 1.0 / 6);
    is_wer("the quick brown fox", "the quick fox", 0, 0.25);
    is_wer("please turn off the lights", "turn off lights", 0, 0.4);
    is_wer("the cat sat", "the big cat sat", 0, 1.0 / 3);
    is_wer("go home", "please go to your home now", 0, 2.0);
    is_wer("a", "a b c d e", 0, 4.0);
    is_wer("Hello, world!", "Hello world", VOICE_TEXT_KEEP_PUNCTUATION, 1.0);
    is_wer("The Quick Brown Fox", "the Quick brown Fox",
           VOICE_TEXT_CASE_SENSITIVE, 0.5);
    is_wer("What's up", "whats up", 0, 0.0);
    is_wer("Hello, World!", "hello   world", 0, 0.0);
    is_wer("", "", 0, 0.0);
    is_wer("", "hello", 0, 1.0);
    is_wer("", "one two three", 0, 1.0);
    is_wer("hello there", "", 0, 1.0);
    is_wer("!?", "...", 0, 0.0);

    for (i = 0; i < 100; i++) {
        memcpy(hundred + i * 5, "word ", 5);
        memcpy(most + i % 95 * 5, "word ", 5);
    }

    hundred[500] = '\0';
    most[475] = '\0';
    is_wer(hundred, most, 0, 0.05);
}


static void
test_cer(void)
{
    is_cer("cat", "car", VOICE_TEXT_RAW, 1.0 / 3);
    is_cer("hello", "hllo", VOICE_TEXT_RAW, 0.2);
    is_cer("abcdef", "acf", VOICE_TEXT_RAW, 0.5);
    is_cer("ab", "axxbxx", VOICE_TEXT_RAW, 2.0);
    is_cer("a b", "ab", VOICE_TEXT_RAW, 1.0 / 3);
    is_cer("你好世界", "你好地界", VOICE_TEXT_RAW, 0.25);
    is_cer("こんにちは", "こんにちわ", VOICE_TEXT_RAW, 0.2);
    is_cer("Hello", "hello", VOICE_TEXT_RAW, 0.2);
    is_cer("the cat sat", "the cat set", VOICE_TEXT_RAW, 1.0 / 11);
    is_cer("Hello!", "hello", 0, 0.0);
    is_cer("", "", VOICE_TEXT_RAW, 0.0);
    is_cer("", "a", VOICE_TEXT_RAW, 1.0);
}


static void
test_many(void)
{
    double             micro, macro;
    voice_wer_pair_t   pairs[2];

    pairs[0] = pair_of("helloworld", "helloworld");
    pairs[1] = pair_of("a", "b");

    ok(voice_cer_many(pairs, 2, &micro, &macro) == VOICE_OK,
       "the CER of many pairs is measured");
    is_near(micro, 1.0 / 11, "micro CER weighs by characters");
    is_near(macro, 0.5, "macro CER is the mean of the rates");

    ok(voice_cer_many(NULL, 0, &micro, &macro) == VOICE_OK && micro == 0.0
       && macro == 0.0, "no pair has no errors");
}


static void
test_ser(void)
{
    double             rate;
    voice_wer_pair_t   pair;

    pair = pair_of("Hello, World!", "hello world");
    ok(voice_ser(&pair, 0, &rate) == VOICE_OK && rate == 0.0,
       "a sentence that differs in case and punctuation is right");

    pair = pair_of("Hello, World!", "hello word");
    ok(voice_ser(&pair, 0, &rate) == VOICE_OK && rate == 1.0,
       "a sentence with another word is wrong");
}


static void
test_refused(void)
{
    double              rate;
    char               *large;
    json_t             *report;
    voice_wer_pair_t    pair;

    pair = pair_of("a \xff", "a");
    ok(voice_wer(&pair, 0, &rate) == VOICE_INVALID
       && voice_cer(&pair, VOICE_TEXT_RAW, &rate) == VOICE_INVALID
       && voice_ser(&pair, 0, &rate) == VOICE_INVALID,
       "a reference that is no UTF-8 is refused");

    pair = pair_of("a", "a \xff");
    ok(voice_wer(&pair, 0, &rate) == VOICE_INVALID
       && voice_cer(&pair, 0, &rate) == VOICE_INVALID
       && voice_wer_report(&pair, &report) == VOICE_INVALID
       && report == NULL,
       "a hypothesis that is no UTF-8 is refused");

    large = malloc(4 * VOICE_EDIT_MAX);
    if (large == NULL) {
        abort();
    }

    memset(large, 'x', 4 * VOICE_EDIT_MAX);
    pair.reference = VOICE_SPAN("a");
    pair.hypothesis = voice_span(large, 4 * VOICE_EDIT_MAX);

    ok(voice_cer(&pair, 0, &rate) == VOICE_LIMIT,
       "more characters than the limit are refused");

    ok(voice_wer_report(&pair, &report) == VOICE_OK
       && json_is_null(json_object_get(report, "cer"))
       && json_is_null(json_object_get(report, "cer_raw"))
       && json_is_real(json_object_get(report, "wer")),
       "a report of very long texts has words without characters");

    json_decref(report);
    free(large);
}


static void
test_report(void)
{
    char              *text;
    json_t            *report;
    voice_wer_pair_t   pair;

    pair = pair_of("The cat sat on the mat.", "the cat sat the big hat");

    ok(voice_wer_report(&pair, &report) == VOICE_OK, "a report is made");

    is_near(json_number_value(json_object_get(report, "wer")), 0.5,
            "the report has the normalised WER");
    is_near(json_number_value(json_object_get(report, "wer_raw")),
            4.0 / 6, "the report has the WER of the texts as they stand");
    is_near(json_number_value(json_object_get(report, "ser")), 1,
            "the report has the SER");
    is_near(json_number_value(json_object_get(report, "distance")), 3,
            "the report has the Levenshtein distance");

    text = json_dumps(json_object_get(report, "alignment"), JSON_COMPACT);
    is(text, "[[\"match\",\"the\",\"the\"],[\"match\",\"cat\",\"cat\"],"
       "[\"match\",\"sat\",\"sat\"],[\"delete\",\"on\",null],"
       "[\"match\",\"the\",\"the\"],[\"insert\",null,\"big\"],"
       "[\"substitute\",\"mat\",\"hat\"]]",
       "the report has the alignment word by word");

    free(text);
    json_decref(report);

    pair = pair_of("", "");
    ok(voice_wer_report(&pair, &report) == VOICE_OK
       && json_array_size(json_object_get(report, "alignment")) == 0
       && json_is_array(json_object_get(report, "alignment")),
       "a report of nothing has an empty alignment");
    json_decref(report);
}


static void
test_cut(void)
{
    size_t             i;
    char              *text;
    json_t            *report;
    voice_wer_pair_t   pair;

    text = malloc(2 * (VOICE_WER_LISTED + 1));
    if (text == NULL) {
        abort();
    }

    for (i = 0; i <= VOICE_WER_LISTED; i++) {
        memcpy(text + 2 * i, "a ", 2);
    }

    pair.reference = voice_span(text, 2 * (VOICE_WER_LISTED + 1));
    pair.hypothesis = pair.reference;

    ok(voice_wer_report(&pair, &report) == VOICE_OK
       && json_array_size(json_object_get(report, "alignment"))
          == VOICE_WER_LISTED
       && json_is_true(json_object_get(report, "alignment_cut"))
       && json_integer_value(json_object_get(report, "matches"))
          == VOICE_WER_LISTED + 1,
       "a long alignment is cut, its counts are whole");

    json_decref(report);
    free(text);
}


int
main(void)
{
    test_wer();
    test_cer();
    test_many();
    test_ser();
    test_refused();
    test_report();
    test_cut();

    return done_testing();
}
