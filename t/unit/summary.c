
/*
 * voice_summary.h
 */

#include "slurp.h"
#include "tap.h"
#include "voice_summary.h"


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


static char *
summarise(voice_span_t text, unsigned sentences, size_t bytes)
{
    char                    *summary;
    voice_summary_limits_t   limits;

    limits.sentences = sentences;
    limits.bytes = bytes;
    limits.language = VOICE_SPAN("en-US");
    limits.detector = detector;

    return voice_summary(text, &limits, &summary) == VOICE_OK ? summary
                                                              : NULL;
}


static void
sums_up(const char *text, unsigned sentences, size_t bytes,
    const char *expected)
{
    char  *summary;

    summary = summarise(voice_span_str(text), sentences, bytes);
    is(summary, expected, expected);
    free(summary);
}


static void
test_choice(void)
{
    sums_up("", 3, 100, "");
    sums_up(" ...  !", 3, 100, "");
    sums_up("Hello.", 3, 100, "Hello.");
    sums_up("  The router \n", 3, 100, "The router");
    sums_up("The  router\tis broken!! Send one?", 3, 100,
            "The router is broken!! Send one?");

    sums_up("Hello there. My router is broken. It was fine on Monday. The "
            "router shows a red light, and nobody repaired the router. "
            "Thanks, bye.", 2, 200,
            "My router is broken. The router shows a red light, and nobody "
            "repaired the router.");

    sums_up("My router is broken. Yes. It is a new router.", 1, 200,
            "My router is broken.");
}


static void
test_bounds(void)
{
    sums_up("The router that you sent me does not work at all today.", 3, 30,
            "The router that you sent me...");
    sums_up("Donaudampfschifffahrtsgesellschaft", 3, 16, "Donaudampfsch...");
    sums_up("\xc3\xa4\xc3\xb6\xc3\xa4\xc3\xb6\xc3\xa4\xc3\xb6\xc3\xa4"
            "\xc3\xb6\xc3\xa4\xc3\xb6", 3, 16,
            "\xc3\xa4\xc3\xb6\xc3\xa4\xc3\xb6\xc3\xa4\xc3\xb6...");
    sums_up("\xc3\xa4\xc3\xb6\xc3\xa4\xc3\xb6\xc3\xa4\xc3\xb6\xc3\xa4"
            "\xc3\xb6", 3, 16,
            "\xc3\xa4\xc3\xb6\xc3\xa4\xc3\xb6\xc3\xa4\xc3\xb6\xc3\xa4"
            "\xc3\xb6");

    ok(summarise(VOICE_SPAN("a \xff"), 3, 100) == NULL,
       "what is no UTF-8 is refused");
    ok(summarise(VOICE_SPAN("a"), 0, 100) == NULL
       && summarise(VOICE_SPAN("a"), 1, 15) == NULL,
       "and limits without room");
}


static void
test_any(void)
{
    char          *summary, *text;
    size_t         i, n, bytes;
    uint64_t       state;
    unsigned       bad;

    static const char *const  words[] = {
        "router ", "the ", "broken. ", "\xc3\xa4rger! ", "\n", "a, ", "bill "
    };

    text = malloc(VOICE_TEXT_MAX * 2);
    state = 7;
    bad = 0;

    for (bytes = 16; bytes < 400; bytes++) {

        for (i = 0, n = 0; i < bytes / 2; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            n += (size_t) snprintf(text + n, 16, "%s",
                                   words[(state >> 33) % 7]);
        }

        summary = summarise(voice_span(text, n), 1 + bytes % 5, bytes);
        bad += summary == NULL || strlen(summary) > bytes
               || !voice_text_valid(voice_span_str(summary));
        free(summary);
    }

    ok(bad == 0, "a summary keeps its bounds and is UTF-8");

    for (n = 0; n + 16 < VOICE_TEXT_MAX * 2; n += i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        i = (size_t) snprintf(text + n, 16, "w%u ",
                              (unsigned) (state >> 40) % 50000);
    }

    summary = summarise(voice_span(text, n), 5, 2000);
    ok(summary != NULL && strlen(summary) > 100,
       "a text of 2 MiB without a full stop has one, too");
    free(summary);
    free(text);
}


int
main(void)
{
    load();

    test_choice();
    test_bounds();
    test_any();

    voice_detector_destroy(detector);

    return done_testing();
}
