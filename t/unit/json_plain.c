/*
 * The quick way of reading JSON gives what the library gives, or nothing.
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_json.h"


#define MUTATIONS  300000
#define TEXT_MAX   512


static void taken(void);
static void left(void);
static void bounds(void);
static void mutations(void);
static json_t *reference(voice_span_t text);
static int same(const json_t *a, const json_t *b);
static unsigned number(unsigned n);


static uint32_t  state = 2463534242;


int
main(void)
{
    taken();
    left();
    bounds();
    mutations();

    return done_testing();
}


static const char *const  taken_rows[] = {
    "{\"sequence\":7,\"data\":\"QUJD/+8=\",\"timestamp\":1732600000.25}",
    " { \"a\" : [ 1 , -2 , 3.5 , \"x\" , true , false , null , { } , [ ]\n]}",
    "0", "-0", "-0.0", "123456789012345678", "-999999999999999999", "0.1",
    "1732600000.1234567", "-12345678901234.5", "\"\"", "true",
    "\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\te\"", "\"\\u00e9\\u20AC\\u0041\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "{\"\":{\"\":[[[[1]]]]}}",
    "\"0123456\\n789012345678901234567890123456789\\t\"",
    "\"01234567890123456789\x7f\"",
};


static void
taken(void)
{
    size_t         i;
    json_t        *value, *expected;
    voice_span_t   text;

    for (i = 0; i < VOICE_ARRAY_SIZE(taken_rows); i++) {
        text = voice_span_str(taken_rows[i]);
        value = voice_json_plain(text, 100);
        expected = reference(text);

        ok(value != NULL && same(value, expected),
           "text %zu is read as the library does", i);

        json_decref(value);
        json_decref(expected);
    }
}


/* Some are JSON, but not for here. */
static const char *const  left_rows[] = {
    "", " ", "{", "[", "\"", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,",
    "{\"a\":1,}", "{,}", "[1,]", "[,1]", "[1 2]", "{a:1}", "{1:1}",
    "{\"a\" 1}", "{\"a\":1}}", "1 2", "01", "-", "-a", "1.", ".5", "1.e1",
    "+1", "1e3", "1.5e3", "1E400", "tru", "nul", "True", "NaN", "'a'",
    "1234567890123456789", "1.00000000000000000000000000000000000000000",
    "\"\\x\"", "\"\\", "\"\\u00\"", "\"\\u00g0\"", "\"\\u0000\"",
    "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\x1f\"", "\"\n\"",
    "\"0123456789\x01 2345\"", "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"",
    "{\"a\":1,\"a\":2}", "{\"a\\n\":1}", "{\"\xc3\xa9\":1}",
    "\xef\xbb\xbf{}", "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "/**/1",
};


static void
left(void)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(left_rows); i++) {
        ok(voice_json_plain(voice_span_str(left_rows[i]), 100) == NULL,
           "text %zu is left to the library", i);
    }

    ok(voice_json_plain(VOICE_SPAN("\"a\0b\""), 100) == NULL
       && voice_json_plain(VOICE_SPAN("1\0"), 100) == NULL,
       "so is what has a NUL");
}


static void
bounds(void)
{
    json_t  *value;

    value = voice_json_plain(VOICE_SPAN("[1,{\"a\":2}]"), 4);
    ok(value != NULL, "as many values as may be are read");
    json_decref(value);

    ok(voice_json_plain(VOICE_SPAN("[1,{\"a\":2}]"), 3) == NULL,
       "one more is not");
}


/* Bytes of good texts are changed, dropped and doubled. */
static void
mutations(void)
{
    char           text[TEXT_MAX];
    size_t         len, at, n;
    json_t        *value, *expected;
    unsigned       i, k, read, wrong;
    const char    *from;

    static const char  bytes[] = "\"\\{}[]:,0123456789.-eEu/ \n\ttfan"
                                 "\x00\x1f\x7f\x80\xa0\xc3\xa9\xe2\xed\xff";

    read = 0;
    wrong = 0;

    for (i = 0; i < MUTATIONS; i++) {
        from = taken_rows[number(VOICE_ARRAY_SIZE(taken_rows))];
        len = strlen(from);
        memcpy(text, from, len);

        for (k = number(4); k > 0 && len > 1; k--) {
            at = number((unsigned) len);
            n = number(3);

            if (n == 0) {
                memmove(text + at, text + at + 1, len - at - 1);
                len--;
                continue;
            }

            if (n == 1) {
                memmove(text + at + 1, text + at, len - at);
                len++;
            }

            text[at] = bytes[number(sizeof(bytes) - 1)];
        }

        value = voice_json_plain(voice_span(text, len), 100);

        if (value == NULL) {
            continue;
        }

        expected = reference(voice_span(text, len));
        read++;

        if (!same(value, expected) && wrong++ < 5) {
            printf("# differs: %.*s\n", (int) len, text);
        }

        json_decref(value);
        json_decref(expected);
    }

    ok(read > MUTATIONS / 10, "%u of %d changed texts are read", read,
       MUTATIONS);
    ok(wrong == 0, "each as the library does");
}


static json_t *
reference(voice_span_t text)
{
    json_error_t  error;

    return json_loadb(text.ptr, text.len,
                      JSON_REJECT_DUPLICATES|JSON_DECODE_ANY, &error);
}


/* To the bit, and with members in the same order. */
static int
same(const json_t *a, const json_t *b)
{
    int    equal;
    char  *one, *two;

    if (a == NULL || b == NULL) {
        return a == b;
    }

    one = json_dumps(a, JSON_ENCODE_ANY|JSON_REAL_PRECISION(17));
    two = json_dumps(b, JSON_ENCODE_ANY|JSON_REAL_PRECISION(17));
    equal = one != NULL && two != NULL && strcmp(one, two) == 0;

    free(one);
    free(two);

    return equal;
}


/* xorshift: 0 .. n - 1, the same in each run. */
static unsigned
number(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;

    return state % n;
}
