
/*
 * voice_language.h
 */

#include "tap.h"
#include "voice_language.h"


static void
test_canonical(void)
{
    size_t  i;
    char    out[VOICE_LANGUAGE_MAX + 1];

    static const struct {
        const char  *tag;
        const char  *canonical;        /* NULL: refused */
    } cases[] = {
        { "en-us", "en-US" },
        { "EN", "en" },
        { "pt_br", "pt-BR" },
        { "zh-hans-cn", "zh-Hans-CN" },
        { "ZH-HANT", "zh-Hant" },
        { "es-419", "es-419" },
        { "sl-ROZAJ-biske", "sl-rozaj-biske" },
        { "de-ch-1901", "de-CH-1901" },
        { "zh-yue-hk", "zh-yue-HK" },
        { "en-a-MYEXT-b-Another", "en-a-myext-b-another" },
        { "en-US-X-Twain", "en-US-x-twain" },
        { "en-us-u-islamcal", "en-US-u-islamcal" },
        { "", NULL },
        { "e", NULL },
        { "english-toolongs9", NULL },
        { "en-", NULL },
        { "-en", NULL },
        { "en--US", NULL },
        { "en-US-US", NULL },
        { "en-US-Latn", NULL },
        { "en-u", NULL },
        { "en-a-bb-a-cc", NULL },
        { "en US", NULL },
        { "en-\xc3\xa9\xc3\xa9", NULL },
        { "12-US", NULL },
        { "i-klingon", NULL }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(cases); i++) {
        int  good;

        good = voice_language_canonical(voice_span_str(cases[i].tag), out)
               == VOICE_OK;

        if (cases[i].canonical == NULL) {
            ok(!good && out[0] == '\0', "the tag \"%s\" is refused",
               cases[i].tag);
            continue;
        }

        ok(good && strcmp(out, cases[i].canonical) == 0,
           "the tag \"%s\" is \"%s\"", cases[i].tag, cases[i].canonical);
    }

    ok(voice_language_canonical(
           VOICE_SPAN("en-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd"), out)
       == VOICE_LIMIT, "a long tag is refused");
}


static int
matches(const char *range, const char *tag)
{
    return voice_language_matches(voice_span_str(range),
                                  voice_span_str(tag));
}


int
main(void)
{
    char          out[VOICE_LANGUAGE_MAX + 1];
    voice_span_t  primary;

    test_canonical();

    ok(voice_language_canonical(voice_span(NULL, 0), out) == VOICE_INVALID,
       "nothing is no tag");

    ok(matches("es", "es-MX"), "es matches es-MX");
    ok(matches("ES-mx", "es-MX"), "the case does not matter");
    ok(matches("*", "fr"), "* matches all");
    ok(!matches("es-MX", "es"), "a longer range does not match");
    ok(!matches("e", "es-MX"), "a part of a subtag does not match");
    ok(!matches("de", "den"), "de does not match den");
    ok(!matches("", "es"), "an empty range matches nothing");

    primary = voice_language_primary(VOICE_SPAN("es-MX"));
    ok(voice_span_eq(primary, VOICE_SPAN("es")), "es is primary of es-MX");
    primary = voice_language_primary(VOICE_SPAN("fr"));
    ok(voice_span_eq(primary, VOICE_SPAN("fr")), "fr is primary of fr");

    return done_testing();
}
