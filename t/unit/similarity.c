
/*
 * voice_similarity.h, and the figures of docs/similarity.md.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_similarity.h"


#define COLUMNS  4


static const char  *page = "docs/similarity.md";


static double
ratio(const char *a, const char *b)
{
    double  value;

    if (voice_similarity_ratio(voice_span_str(a), voice_span_str(b), &value)
        != VOICE_OK)
    {
        return -1;
    }

    return value;
}


static double
lexical(const char *a, const char *b, const char *language)
{
    double  value;

    if (voice_similarity_lexical(voice_span_str(a), voice_span_str(b),
                                 voice_span_str(language), &value)
        != VOICE_OK)
    {
        return -1;
    }

    return value;
}


static void
test_ratio(void)
{
    char    text[VOICE_SIMILARITY_RATIO_MAX + 2];
    double  value;

    is_near(ratio("navigate_home", "navigate_house"), 0.8888888889,
            "navigate_home is like navigate_house as in difflib");
    is_near(ratio("play_music", "play_songs"), 0.6,
            "play_music is like play_songs as in difflib");
    is_near(ratio("play_music", "navigate_home"), 0.2608695652,
            "play_music is like navigate_home as in difflib");
    is_near(ratio("completely", "different"), 0.2105263158,
            "completely is like different as in difflib");
    is_near(ratio("turn_on_lights", "turn_off_lights"), 0.8965517241,
            "turn_on_lights is like turn_off_lights as in difflib");
    is_near(ratio("weather_query", "weatherquery"), 0.96,
            "weather_query is like weatherquery as in difflib");
    is_near(ratio("tide", "diet"), 0.25, "tide to diet is 0.25");
    is_near(ratio("diet", "tide"), 0.5, "diet to tide is 0.5: order matters");
    is_near(ratio("", ""), 1, "two empty texts are alike");
    is_near(ratio("", "a"), 0, "an empty text is like no other");
    is_near(ratio("你好世界", "你好地界"), 0.75,
            "the ratio counts code points, not bytes");

    memset(text, 'a', sizeof(text));
    ok(voice_similarity_ratio(voice_span(text, sizeof(text) - 1),
                              VOICE_SPAN("a"), &value) == VOICE_LIMIT,
       "a long text is refused");
    ok(ratio("\xff", "a") < 0, "bytes that are no UTF-8 are refused");
}


static void
test_lexical(void)
{
    ok(lexical("Turn on the lights", "Turn on the lights", "en-US") >= 0.99,
       "identical texts score 0.99 at least");
    ok(lexical("Turn On The LIGHTS", "turn on the lights", "en-US") >= 0.95,
       "another case scores 0.95 at least");
    ok(lexical("What's up?", "whats up", "en-US") >= 0.95,
       "punctuation does not matter");
    is_near(lexical("", "", "en-US"), 1, "two empty texts score 1");
    is_near(lexical("", "hello", "en-US"), 0, "one empty text scores 0");
    is_near(lexical("hello", " ", "en-US"), 0, "a blank text is empty");
    ok(lexical("booking tables", "booked table", "en-US")
       > lexical("booking tables", "booked table", ""),
       "stems of the language make forms of a word alike");
    is_near(lexical("a b c", "a b c d", "xx-YY"),
            lexical("a b c", "a b c d", ""),
            "a language without a stemmer is measured without");
    is_near(lexical("one two three", "three four", "en"),
            lexical("three four", "one two three", "en"),
            "the measure is symmetric");
    ok(lexical("\xc3", "a", "en") < 0, "bytes that are no UTF-8 are refused");
}


static void
test_cosine(void)
{
    double       value;
    const float  a[] = { 1, 2, 3 };
    const float  b[] = { 2, 4, 6 };
    const float  c[] = { -1, -2, -3 };
    const float  d[] = { 3, 0, -1 };
    const float  zero[] = { 0, 0, 0 };
    const float  bad[] = { 1, NAN, 1 };
    const float  big[] = { 3e38f, 3e38f, 3e38f };

    ok(voice_similarity_cosine(a, b, 3, &value) == VOICE_OK
       && fabs(value - 1) < 1e-9, "vectors of one direction score 1");
    ok(voice_similarity_cosine(a, c, 3, &value) == VOICE_OK && value == 0.0,
       "opposite vectors score 0, not less");
    ok(voice_similarity_cosine(a, d, 3, &value) == VOICE_OK
       && fabs(value) < 1e-9, "vectors at a right angle score 0");
    ok(voice_similarity_cosine(big, a, 3, &value) == VOICE_OK
       && value > 0.9, "large numbers do not overflow");
    ok(voice_similarity_cosine(a, zero, 3, &value) == VOICE_INVALID,
       "a vector without direction is refused");
    ok(voice_similarity_cosine(a, bad, 3, &value) == VOICE_INVALID,
       "a number that is none is refused");
    ok(voice_similarity_cosine(a, b, 0, &value) == VOICE_INVALID,
       "vectors without numbers are refused");
}


/* Cuts "| a | b |" in its columns; returns how many there are. */
static int
cut(char *line, char *cells[COLUMNS])
{
    int    n;
    char  *end;

    for (n = 0; *line == '|' && line[1] == ' '; n++) {

        line += 2;
        end = strstr(line, " |");
        if (end == NULL) {
            break;
        }

        if (n < COLUMNS) {
            cells[n] = line;
        }

        *end = '\0';
        line = end + 1;
    }

    return n;
}


/* The three tables of the page, each with what is promised of it. */
static void
test_page(void)
{
    int      table, rows[4];
    char     line[1024], *cells[COLUMNS];
    FILE    *file;
    double   told, value;

    file = fopen(page, "r");
    if (!ok(file != NULL, "%s can be read", page)) {
        return;
    }

    table = 0;
    memset(rows, 0, sizeof(rows));

    while (fgets(line, sizeof(line), file) != NULL) {

        if (strncmp(line, "| language ", 11) == 0 && table < 3) {
            table++;
        }

        if (table == 0 || cut(line, cells) != COLUMNS
            || strcmp(cells[0], "language") == 0)
        {
            continue;
        }

        told = strtod(cells[3], NULL);
        value = lexical(cells[1], cells[2], cells[0]);
        rows[table]++;

        ok(fabs(told - value) < 0.0006
           && (table != 1 || value > 0.5) && (table != 2 || value < 0.7),
           "%s score %.3f: %s / %s",
           table == 1 ? "related texts" : table == 2 ? "unrelated texts"
                                                     : "misleading texts",
           value, cells[1], cells[2]);
    }

    (void) fclose(file);

    ok(rows[1] >= 20, "the page has %d related pairs", rows[1]);
    ok(rows[2] >= 20, "the page has %d unrelated pairs", rows[2]);
}


int
main(void)
{
    test_ratio();
    test_lexical();
    test_cosine();
    test_page();

    return done_testing();
}
