
/*
 * voice_token.h
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_token.h"


/* Words with | behind clauses and || behind sentences. */
static void
reads(const char *text, unsigned flags, const char *expected,
    const char *name)
{
    char            out[512];
    size_t          i, n;
    voice_tokens_t  tokens;

    static const char *const  ends[] = { " ", " | ", " || " };

    if (voice_tokens_read(voice_span_str(text), flags, &tokens) != VOICE_OK)
    {
        ok(0, "%s", name);
        return;
    }

    out[0] = '\0';

    for (i = 0, n = 0; i < tokens.count; i++) {
        n += (size_t) snprintf(out + n, sizeof(out) - n, "%.*s%s",
                               (int) tokens.items[i].word.len,
                               tokens.items[i].word.ptr,
                               ends[tokens.items[i].end]);
    }

    is(out, expected, name);
    voice_tokens_release(&tokens);
}


static void
test_words(void)
{
    reads("Well, it WORKS. Thanks", 0, "well | it works || thanks || ",
          "words are case folded, and clauses and sentences end");
    reads("isn't it's", 0, "isnt its || ", "an apostrophe vanishes");
    reads("l\xe2\x80\x99" "aide n'est", VOICE_TOKEN_SPLIT,
          "l aide n est || ", "or ends a word, as the language wants it");
    reads("$3.50, or 1,000 at 5.", 0, "3.50 | or 1,000 at 5 || ",
          "numbers keep their points");
    reads("so-so - \"quoted\" #7", 0, "so so quoted 7 || ",
          "hyphens part words, quotes vanish");
    reads("STRA\xc3\x9f" "E \xc3\x89T\xc3\x89", 0,
          "strasse \xc3\xa9t\xc3\xa9 || ", "case is that of Unicode");
    reads("e\xcc\x81", 0, "\xc3\xa9 || ", "letters are composed");
    reads("one\ntwo", 0, "one || two || ", "a line ends a sentence");
    reads("... !? ,,", 0, "", "punctuation is no word");
    reads("", 0, "", "an empty text has no words");
}


static void
test_emphasis(void)
{
    char            out[16];
    voice_tokens_t  tokens;

    ok(voice_tokens_read(VOICE_SPAN("soooo goood! 1000000 yes!!!"), 0,
                         &tokens) == VOICE_OK && tokens.count == 4,
       "four words");
    ok(tokens.items[0].stretched && tokens.items[1].stretched
       && voice_span_eq(tokens.items[1].word, VOICE_SPAN("good")),
       "a stretched word is cut to two letters, and known as one");
    ok(!tokens.items[2].stretched
       && voice_span_eq(tokens.items[2].word, VOICE_SPAN("1000000")),
       "a number is not stretched");
    ok(tokens.items[1].bangs == 1 && tokens.items[3].bangs == 3,
       "exclamation marks are counted");
    ok(voice_span_eq(tokens.items[0].source, VOICE_SPAN("soooo")),
       "a word knows where it stands");
    ok(voice_token_squeeze(tokens.items[0].word, out) == 2
       && memcmp(out, "so", 2) == 0, "doubled letters are made single");
    voice_tokens_release(&tokens);
}


static void
test_limits(void)
{
    char            *large;
    size_t           i;
    voice_tokens_t   tokens;

    ok(voice_tokens_read(VOICE_SPAN("a \xff"), 0, &tokens) == VOICE_INVALID
       && tokens.items == NULL, "what is no UTF-8 is refused");

    large = malloc(VOICE_TEXT_MAX + 1);
    memset(large, 'x', VOICE_TEXT_MAX + 1);

    ok(voice_tokens_read(voice_span(large, VOICE_TEXT_MAX + 1), 0, &tokens)
       == VOICE_LIMIT, "and what is too long");

    for (i = 0; i < VOICE_TEXT_MAX; i++) {
        large[i] = (char) ('a' + i % 26);
    }

    ok(voice_tokens_read(voice_span(large, VOICE_TEXT_MAX), 0, &tokens)
       == VOICE_OK && tokens.count == 1
       && tokens.items[0].word.len == VOICE_TOKEN_MAX
       && tokens.items[0].source.len == VOICE_TEXT_MAX,
       "an endless word is cut");
    voice_tokens_release(&tokens);
    free(large);
}


int
main(void)
{
    test_words();
    test_emphasis();
    test_limits();

    return done_testing();
}
