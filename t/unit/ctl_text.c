
/*
 * ctl_text, ctl_table, ctl_bar: text of others on a screen, its columns.
 */

#include "ctl_bar.h"
#include "ctl_text.h"
#include "tap.h"


static void hostile(void);
static void json(void);
static void widths(void);
static void tables(void);
static void narrow(void);
static void bars(void);
static void ascii(void);


static const ctl_column_t  spares[] = {
    { "NAME", 0, 0, 0 },
    { "USED", 0, 0, 1 },
    { "SCOPES", 0, 1, 1 }
};

static const ctl_column_t  columns[] = {
    { "NAME", 0, 1, 0 },
    { "N", 1, 0, 0 },
    { "WHY", 0, 1, 0 },
    { "TRIGGER", 0, 0, 1 }
};


int
main(void)
{
    hostile();
    json();
    widths();
    tables();
    narrow();
    bars();
    ascii();

    return done_testing();
}


static void
hostile(void)
{
    size_t        i;
    ctl_buffer_t  out = { 0 };

    static const struct {
        const char  *text;
        const char  *shown;
        const char  *name;
    } rows[] = {
        { "plain, \xc3\xbc\xe2\x82\xac", "plain, \xc3\xbc\xe2\x82\xac",
          "plain text stays" },
        { "a\033[31mb", "a\\x1b[31mb", "an escape sequence is written out" },
        { "a\007\177b", "a\\x07\\x7fb", "a bell and DEL, too" },
        { "a\r\n\tb", "a\\r\\n\\tb", "ends of lines and tabs have names" },
        { "a\xc2\x9b" "31mb", "a\\u{9b}31mb", "C1's CSI is written out" },
        { "a\xe2\x80\xae" "b", "a\\u{202e}b", "text is not turned round" },
        { "a\xe2\x81\xa6" "b", "a\\u{2066}b", "nor isolated" },
        { "a\xe2\x80\xa8" "b", "a\\u{2028}b", "no line by a separator" },
        { "a\xf3\xa0\x81\x81" "b", "a\\u{e0041}b", "tags are seen" },
        { "a\xee\x80\x80" "b", "a\\u{e000}b", "private characters, too" },
        { "\xef\xbb\xbf" "a", "\\u{feff}a", "and a byte order mark" },
        { "a\xff\xc3(", "a\\xff\\xc3(", "bytes that are no UTF-8, too" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80", "a surrogate is none" },
        { "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
          "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
          "joined emoji stay joined" },
        { "a\xe2\x80", "a\\xe2\\x80", "a text that ends too early" }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ctl_buffer_reset(&out);
        ctl_text_safe(&out, voice_span_str(rows[i].text), 0);
        is(ctl_buffer_text(&out), rows[i].shown, rows[i].name);
    }

    ctl_buffer_reset(&out);
    ctl_text_safe(&out, VOICE_SPAN("a\0b"), 0);
    is(ctl_buffer_text(&out), "a\\x00b", "a NUL ends nothing");

    ctl_buffer_reset(&out);
    ctl_text_safe(&out, VOICE_SPAN("a\n\tb\r"), CTL_TEXT_LINES);
    is(ctl_buffer_text(&out), "a\n\tb\\r", "lines are kept where asked for");
    ctl_buffer_release(&out);
}


static void
json(void)
{
    ctl_buffer_t  out = { 0 };

    ctl_text_safe_json(&out, VOICE_SPAN("{\n \"a\": \"\xc2\x9b\xe2\x80\xae"
                                        "\xf3\xa0\x81\x81\xc3\xbc\"}"));
    is(ctl_buffer_text(&out), "{\n \"a\": \"\\u009b\\u202e\\udb40\\udc41"
       "\xc3\xbc\"}", "JSON keeps its value and its lines");
    ctl_buffer_release(&out);
}


static void
widths(void)
{
    size_t        i;
    voice_span_t  text;

    static const struct {
        const char  *text;
        size_t       width;
        size_t       cut;              /* bytes in three columns */
        const char  *name;
    } rows[] = {
        { "abcd", 4, 3, "ASCII" },
        { "\xc3\xbc\xc3\xb6\xc3\xa4\xc3\x9f", 4, 6, "umlauts" },
        { "\xe6\x97\xa5\xe6\x9c\xac", 4, 3, "wide characters" },
        { "e\xcc\x81" "abc", 4, 5, "a combining accent" },
        { "ab", 2, 2, "what fits" },
        { "", 0, 0, "nothing" }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        text = voice_span_str(rows[i].text);
        ok(ctl_text_width(text) == rows[i].width
           && ctl_text_cut(text, 3) == rows[i].cut,
           "columns of %s: %zu, %zu bytes fit in three", rows[i].name,
           ctl_text_width(text), ctl_text_cut(text, 3));
    }

    text = VOICE_SPAN("one two three");
    ok(ctl_text_wrap(text, 9) == 7, "a line ends between words");
    ok(ctl_text_wrap(text, 7) == 7, "also where a word just fits");
    ok(ctl_text_wrap(VOICE_SPAN("unbreakable"), 4) == 4,
       "a long word is broken");
    ok(ctl_text_wrap(text, 40) == text.len, "the rest is the last line");
}


static void
tables(void)
{
    ctl_table_t   *table;
    ctl_buffer_t   out = { 0 };

    table = ctl_table_make(columns, 3);
    ctl_table_cell(table, VOICE_SPAN("caf\xc3\xa9"), CTL_PLAIN);
    ctl_table_cell(table, VOICE_SPAN("7"), CTL_PLAIN);
    ctl_table_cell(table, VOICE_SPAN("because it is so"), CTL_BAD);
    ctl_table_cell(table, VOICE_SPAN("\xe6\x97\xa5\033"), CTL_PLAIN);
    ctl_table_cell(table, VOICE_SPAN("1234"), CTL_PLAIN);
    ctl_table_cell(table, VOICE_SPAN(""), CTL_PLAIN);

    ok(ctl_table_rows(table) == 2, "rows are counted");

    ctl_table_write(table, &out, 0, 0);
    is(ctl_buffer_text(&out),
       "NAME       N  WHY\n"
       "caf\xc3\xa9       7  because it is so\n"
       "\xe6\x97\xa5\\x1b  1234\n", "columns are as wide as what is in them");

    ctl_buffer_reset(&out);
    ctl_table_write(table, &out, 22, 0);
    is(ctl_buffer_text(&out),
       "NAME       N  WHY\n"
       "caf\xc3\xa9       7  because\xe2\x80\xa6\n"
       "\xe6\x97\xa5\\x1b  1234\n", "what has no room is cut");

    ctl_buffer_reset(&out);
    ctl_table_write(table, &out, 5, 0);
    ok(strstr(ctl_buffer_text(&out), "1234") != NULL
       && strstr(ctl_buffer_text(&out), "because") != NULL,
       "but never figures, and some of each text stays");

    ctl_buffer_reset(&out);
    ctl_table_write(table, &out, 0, 1);
    ok(strstr(ctl_buffer_text(&out), "\033[31mbecause it is so\033[0m")
       != NULL, "colours are round their text");

    ctl_table_destroy(table);
    ctl_buffer_release(&out);
}


static void
narrow(void)
{
    ctl_table_t   *table;
    ctl_buffer_t   out = { 0 };

    table = ctl_table_make(columns, 4);
    ctl_table_cell(table, VOICE_SPAN("a"), CTL_PLAIN);
    ctl_table_cell(table, VOICE_SPAN("1"), CTL_PLAIN);
    ctl_table_cell(table, VOICE_SPAN("b"), CTL_PLAIN);
    ctl_table_cell(table, VOICE_SPAN("ci_cd"), CTL_PLAIN);

    ctl_buffer_reset(&out);
    ctl_table_write(table, &out, 21, 0);
    is(ctl_buffer_text(&out), "NAME  N  WHY  TRIGGER\n"
       "a     1  b    ci_cd\n", "what just fits is written");

    ctl_buffer_reset(&out);
    ctl_table_write(table, &out, 20, 0);
    is(ctl_buffer_text(&out), "NAME  N  WHY\na     1  b\n",
       "what can be spared is left out before figures are");

    ctl_table_destroy(table);
    table = ctl_table_make(spares, 3);
    ctl_table_cell(table, VOICE_SPAN("a"), CTL_PLAIN);
    ctl_table_cell(table, VOICE_SPAN("today"), CTL_PLAIN);
    ctl_table_cell(table, VOICE_SPAN("test-runs:read, test-runs:write"),
                   CTL_PLAIN);

    ctl_buffer_reset(&out);
    ctl_table_write(table, &out, 20, 0);
    is(ctl_buffer_text(&out), "NAME  USED\na     today\n",
       "no more than need be, however long it is");

    ctl_table_destroy(table);
    ctl_buffer_release(&out);
}


static void
bars(void)
{
    int            fits;
    size_t         columns;
    ctl_bar_t      bar = { VOICE_SPAN("Nightly"), 20, 6, 2, 1, 65 };
    ctl_buffer_t   out = { 0 };

    ctl_bar_write(&out, &bar, 79, 0);
    is(ctl_buffer_text(&out), "Nightly  [#############                 "
       "]  45 %  9/20  6 passed  2 failed  1:05", "a bar");

    fits = 1;

    for (columns = 0; columns <= 300; columns++) {
        ctl_buffer_reset(&out);
        ctl_bar_write(&out, &bar, columns, 0);
        fits = fits && ctl_text_width(voice_span(ctl_buffer_text(&out),
                                                 out.len)) <= columns;
    }

    ok(fits, "no terminal is too narrow for it");

    ctl_buffer_reset(&out);
    ctl_bar_write(&out, &bar, 45, 0);
    ok(strstr(ctl_buffer_text(&out), "Nightly") == NULL
       && strchr(ctl_buffer_text(&out), '[') == NULL
       && strstr(ctl_buffer_text(&out), "9/20") != NULL,
       "the figures stay longest");

    bar = (ctl_bar_t) { VOICE_SPAN(""), 1000, 998, 1, 0, 3661 };
    ctl_buffer_reset(&out);
    ctl_bar_write(&out, &bar, 100, 1);
    ok(strstr(ctl_buffer_text(&out), "\033[31m#\033[0m") != NULL,
       "one failure of a thousand is seen");
    ok(strstr(ctl_buffer_text(&out), " 99 %") != NULL,
       "all is only told when all is over");
    ok(strstr(ctl_buffer_text(&out), "1:01:01") != NULL, "hours are told");

    bar = (ctl_bar_t) { VOICE_SPAN(""), 1000, 0, 1, 0, 1 };
    ctl_buffer_reset(&out);
    ctl_bar_write(&out, &bar, 100, 0);
    ok(strstr(ctl_buffer_text(&out), "[#   ") != NULL,
       "one failure of a thousand is seen, also as the first of all");

    bar = (ctl_bar_t) { VOICE_SPAN(""), 0, 0, 0, 0, 0 };
    ctl_buffer_reset(&out);
    ctl_bar_write(&out, &bar, 80, 0);
    ok(strstr(ctl_buffer_text(&out), "0 %  0/0") != NULL,
       "a run without tests has a bar");
    ctl_buffer_release(&out);
}


/* The last: there is no way back. */
static void
ascii(void)
{
    ctl_buffer_t  out = { 0 };

    ctl_text_ascii_only();

    ctl_text_safe(&out, VOICE_SPAN("a\xc4\x9b" "31m\xf0\x9f\x98\x80"), 0);
    is(ctl_buffer_text(&out), "a\\u{11b}31m\\u{1f600}",
       "for another charset all but ASCII is written out");

    ctl_buffer_reset(&out);
    ctl_text_safe_json(&out, VOICE_SPAN("\"a\xc4\x9b\xf0\x9f\x98\x80\""));
    is(ctl_buffer_text(&out), "\"a\\u011b\\ud83d\\ude00\"",
       "in JSON by its own escapes");
    ctl_buffer_release(&out);
}
