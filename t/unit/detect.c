
/*
 * voice_detect.h, with the file that we ship.
 */

#include "slurp.h"
#include "tap.h"
#include "voice_detect.h"


#define FLOOR  90                      /* of 100 sentences */


static voice_detector_t  *detector;


static void
load(void)
{
    voice_span_t           file;
    voice_lines_fault_t  fault;

    file = slurp("conf/analysis/languages.txt");

    if (voice_detector_parse(file, &detector, &fault) != VOICE_OK) {
        printf("Bail out! languages.txt:%u: %s\n", fault.line, fault.reason);
        exit(1);
    }

    free((char *) file.ptr);
}


static void
test_sentences(void)
{
    size_t            n;
    unsigned          right, all, misled;
    voice_span_t      file, rest, line, wanted, text;
    voice_detected_t  detected;

    file = slurp("t/sentiment/languages.txt");
    rest = file;
    right = 0;
    all = 0;
    misled = 0;

    while (next_line(&rest, &line)) {

        if (line.ptr[0] == '#') {
            continue;
        }

        for (n = 0; line.ptr[n] != '|'; n++) {
            /* void */
        }

        wanted = voice_span(line.ptr, n);
        text = voice_span(line.ptr + n + 1, line.len - n - 1);
        all++;

        if (voice_detect(detector, text, &detected) == VOICE_OK
            && voice_span_eq(voice_span_str(detected.language), wanted))
        {
            right++;
            continue;
        }

        misled += strcmp(detected.language, "und") != 0;
        printf("# %s %.2f for %.*s\n", detected.language,
               detected.confidence, (int) line.len, line.ptr);
    }

    printf("# the language of %u of %u sentences is found, %u are taken for "
           "another\n", right, all, misled);

    ok(right * 100 >= all * FLOOR, "%d of 100 sentences are known", FLOOR);
    ok(misled * 100 <= all * 4, "few are taken for another language");

    free((char *) file.ptr);
}


static void
test_ends(void)
{
    char              *large;
    size_t             i;
    voice_detected_t   detected;

    ok(voice_detect(detector, VOICE_SPAN(""), &detected) == VOICE_OK
       && strcmp(detected.language, "und") == 0
       && detected.confidence <= 0, "nothing is in no language");
    ok(voice_detect(detector, VOICE_SPAN("\xff"), &detected)
       == VOICE_INVALID, "what is no UTF-8 is refused");

    large = malloc(2 * VOICE_TEXT_MAX);
    for (i = 0; i < 2 * VOICE_TEXT_MAX; i++) {
        large[i] = "\xc3\xa4 der Hund und die Katze "[i % 26];
    }

    ok(voice_detect(detector, voice_span(large, 26 * 60000), &detected)
       == VOICE_OK && strcmp(detected.language, "de") == 0
       && detected.confidence > 0.9, "of a long text the beginning counts");
    free(large);

    ok(voice_detect_common(detector, VOICE_SPAN("en-US"), VOICE_SPAN("the"))
       && !voice_detect_common(detector, VOICE_SPAN("en"),
                               VOICE_SPAN("engine"))
       && !voice_detect_common(detector, VOICE_SPAN("fr"), VOICE_SPAN("the"))
       && !voice_detect_common(detector, VOICE_SPAN("xx"), VOICE_SPAN("the")),
       "words that say little are known by their language");
}


static void
refuses(const char *file, unsigned line, const char *name)
{
    voice_detector_t       *other;
    voice_lines_fault_t   fault;

    ok(voice_detector_parse(voice_span_str(file), &other, &fault)
       == VOICE_INVALID && other == NULL && fault.line == line
       && fault.reason[0] != '\0', "%s is refused", name);
}


static void
test_refused(void)
{
    refuses("", 0, "an empty file");
    refuses("the, of\n", 1, "a word without a language");
    refuses("[en]\nthe\n[e]\n", 3, "what is no tag");
    refuses("[en\nthe\n", 1, "half a bracket");
    refuses("[en]\nthe\n\n[en]\n", 4, "a language that stands twice");
    refuses("[en]\nthe, , of\n", 2, "an empty word");
    refuses("[en]\n-\n", 2, "an empty part");
    refuses("[en]\n-abcdefghijklmnop\n", 2, "a long part");
    refuses("[en]\n\xff\n", 0, "what is no UTF-8");
}


int
main(void)
{
    load();

    test_sentences();
    test_ends();
    test_refused();

    voice_detector_destroy(detector);

    return done_testing();
}
