
/*
 * voice_text.h
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_text.h"


static void
is_normal(const char *text, unsigned flags, const char *expected,
    const char *name)
{
    char    *out;
    size_t   len;

    if (voice_text_normalise(voice_span_str(text), flags, &out, &len)
        != VOICE_OK)
    {
        ok(0, "%s", name);
        return;
    }

    is(out, expected, name);
    free(out);
}


static void
test_valid(void)
{
    size_t  i;

    static const struct {
        const char  *bytes;
        const char  *what;
    } bad[] = {
        { "\x80", "a lone continuation byte" },
        { "\xc0\xaf", "an overlong slash" },
        { "\xe0\x80\xaf", "an overlong slash of three bytes" },
        { "\xf0\x80\x80\xaf", "an overlong slash of four bytes" },
        { "\xed\xa0\x80", "a surrogate" },
        { "\xf4\x90\x80\x80", "a point above U+10FFFF" },
        { "\xf8\x88\x80\x80\x80", "five bytes" },
        { "a\xe2\x82", "a cut character" },
        { "\xff", "a byte that never stands in UTF-8" }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(bad); i++) {
        ok(!voice_text_valid(voice_span_str(bad[i].bytes)),
           "%s is no UTF-8", bad[i].what);
    }

    ok(voice_text_valid(VOICE_SPAN("h\xc3\xa9 \xf0\x9f\x98\x80")),
       "characters of one to four bytes are UTF-8");
    ok(voice_text_valid(voice_span(NULL, 0)), "nothing is UTF-8");
}


static void
test_decode(void)
{
    char      *large;
    size_t     count;
    uint32_t  *points;

    ok(voice_text_decode(VOICE_SPAN("a\xc3\xa9\xf0\x9f\x98\x80"), &points,
                         &count) == VOICE_OK
       && count == 3 && points[0] == 'a' && points[1] == 0xe9
       && points[2] == 0x1f600, "a text is decoded to its code points");
    free(points);

    ok(voice_text_decode(voice_span(NULL, 0), &points, &count) == VOICE_OK
       && count == 0 && points != NULL, "an empty text has no code points");
    free(points);

    ok(voice_text_decode(VOICE_SPAN("\xff"), &points, &count)
       == VOICE_INVALID && points == NULL, "bad bytes are refused");

    large = calloc(1, VOICE_TEXT_MAX + 1);
    ok(large != NULL
       && voice_text_decode(voice_span(large, VOICE_TEXT_MAX + 1), &points,
                            &count) == VOICE_LIMIT,
       "a text over the limit is refused");
    free(large);
}


static void
test_normalise(void)
{
    is_normal("  Hello,   World!\t\n", 0, "hello world",
              "case, punctuation and white space are normalised");
    is_normal("What's", 0, "whats", "an apostrophe vanishes");
    is_normal("ÀÉÎÕÜ Straße", 0, "àéîõü strasse", "Latin is case folded");
    is_normal("ΟΔΥΣΣΕΥΣ", 0, "οδυσσευσ", "Greek is case folded");
    is_normal("МОСКВА Ёлка", 0, "москва ёлка", "Cyrillic is case folded");
    is_normal("e\xcc\x81", 0, "\xc3\xa9", "marks are composed");
    is_normal("E\xcc\x81", VOICE_TEXT_RAW, "\xc3\x89",
              "marks are composed where the case stays");
    is_normal("你好，世界。", 0, "你好世界",
              "Chinese punctuation is removed");
    is_normal("a\xc2\xa0" "b\xe3\x80\x80" "c", 0, "a b c",
              "no-break and ideographic spaces are spaces");
    is_normal("Hello, World!", VOICE_TEXT_KEEP_PUNCTUATION, "hello, world!",
              "punctuation is kept on demand");
    is_normal("Hello, World!", VOICE_TEXT_CASE_SENSITIVE, "Hello World",
              "the case is kept on demand");
    is_normal("Hello,  World!", VOICE_TEXT_RAW, "Hello, World!",
              "raw texts lose white space only");
    is_normal("$5 + 10%", 0, "5 10", "symbols vanish");
    is_normal("...", 0, "", "nothing may be left");
    is_normal("", 0, "", "an empty text is normal");
}


static void
test_nothing(void)
{
    char    *out;
    size_t   len;

    ok(voice_text_normalise(voice_span(NULL, 0), 0, &out, &len) == VOICE_OK
       && len == 0, "nothing is normal");
    is(out, "", "nothing is the empty text");
    free(out);
}


static void
test_words(void)
{
    voice_words_t  words;

    ok(voice_text_words(VOICE_SPAN(" the cat\t\xc3\xa9t\xc3\xa9 \n"), &words)
       == VOICE_OK && words.count == 3
       && voice_span_eq(words.items[0], VOICE_SPAN("the"))
       && voice_span_eq(words.items[1], VOICE_SPAN("cat"))
       && voice_span_eq(words.items[2], VOICE_SPAN("\xc3\xa9t\xc3\xa9")),
       "words stand between white space");
    voice_words_release(&words);

    ok(voice_text_words(VOICE_SPAN("a b c"), &words) == VOICE_OK
       && words.count == 3, "words of one letter are words");
    voice_words_release(&words);

    ok(voice_text_words(VOICE_SPAN(" "), &words) == VOICE_OK
       && words.count == 0, "a blank text has no words");
    voice_words_release(&words);

    ok(voice_text_words(voice_span(NULL, 0), &words) == VOICE_OK
       && words.count == 0, "nothing has no words");
    voice_words_release(&words);

    ok(voice_text_words(VOICE_SPAN("a \xff"), &words) == VOICE_INVALID,
       "bad bytes have no words");
    voice_words_release(&words);
}


int
main(void)
{
    test_valid();
    test_decode();
    test_normalise();
    test_nothing();
    test_words();

    return done_testing();
}
