
/*
 * Lines of files that people write.
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_lines.h"


static void
lines_are(const char *text, const char *expected)
{
    char                 got[200];
    size_t               len;
    voice_span_t         line;
    voice_lines_t        lines;
    voice_lines_fault_t  fault;

    len = 0;
    got[0] = '\0';
    ok(voice_lines_begin(&lines, voice_span_str(text), &fault) == VOICE_OK,
       "the file is taken");

    while (voice_lines_next(&lines, &line)) {
        len += snprintf(got + len, sizeof(got) - len, "%u:%.*s|", lines.line,
                        (int) line.len, line.ptr);
    }

    is(got, expected, "its lines");
    ok(lines.line == 0, "what is wrong at the end is the whole file");
}


static void
cuts(void)
{
    voice_span_t  text, head;

    text = VOICE_SPAN(" a b ,\t, c");
    head = voice_lines_cut(&text, ',');
    ok(voice_span_eq(head, VOICE_SPAN("a b")), "what stands before a comma");
    head = voice_lines_cut(&text, ',');
    ok(head.len == 0, "nothing, between two");
    head = voice_lines_cut(&text, ',');
    ok(voice_span_eq(head, VOICE_SPAN("c")) && text.len == 0, "the rest");
    head = voice_lines_cut(&text, ',');
    ok(head.len == 0 && text.len == 0, "no more than that");
}


static void
faults(void)
{
    char                 *large;
    voice_span_t          line;
    voice_lines_t         lines;
    voice_lines_fault_t   fault;

    ok(voice_lines_begin(&lines, VOICE_SPAN("a\xff"), &fault)
       == VOICE_INVALID, "what is no UTF-8 is refused");
    is(fault.reason, "not UTF-8", "which is told");

    large = calloc(1, VOICE_LINES_MAX + 1);
    memset(large, ' ', VOICE_LINES_MAX + 1);
    ok(voice_lines_begin(&lines, voice_span(large, VOICE_LINES_MAX + 1),
                         &fault) == VOICE_LIMIT, "what is too long, too");
    ok(voice_lines_begin(&lines, voice_span(large, VOICE_LINES_MAX), &fault)
       == VOICE_OK, "but not what is as long as may be");
    ok(fault.reason[0] == '\0', "of which nothing is told");
    free(large);

    ok(voice_lines_begin(&lines, VOICE_SPAN("\n\nx"), &fault) == VOICE_OK
       && voice_lines_next(&lines, &line), "a line that has something");
    ok(voice_lines_wrong(&lines, VOICE_INVALID, "\"%s\" is odd", "x")
       == VOICE_INVALID, "a fault is given back");
    ok(fault.line == 3, "with the number of its line");
    is(fault.reason, "\"x\" is odd", "and its reason");
}


int
main(void)
{
    lines_are("", "");
    lines_are("\n \n# no\n", "");
    lines_are("one\r\n\ttwo # yes \n#\n three", "1:one|2:two # yes|4:three|");
    cuts();
    faults();

    return done_testing();
}
