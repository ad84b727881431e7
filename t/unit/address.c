/*
 * Ranges of addresses: forms, bounds, mapped ones.
 */

#include "tap.h"
#include "voice_address.h"

#include <arpa/inet.h>


static void forms(void);
static void refusals(void);
static void ranges(void);
static int holds(const char *range, const char *address);


int
main(void)
{
    forms();
    refusals();
    ranges();

    return done_testing();
}


static void
forms(void)
{
    voice_range_t  range;

    ok(voice_range_parse(VOICE_SPAN("10.0.0.0/8"), &range) == VOICE_OK
       && range.bits == 104, "an IPv4 range is mapped");
    ok(voice_range_parse(VOICE_SPAN("10.1.2.3"), &range) == VOICE_OK
       && range.bits == 128, "an IPv4 address is a range of one");
    ok(voice_range_parse(VOICE_SPAN("2001:db8::/32"), &range) == VOICE_OK
       && range.bits == 32, "an IPv6 range is read");
    ok(voice_range_parse(VOICE_SPAN("::/0"), &range) == VOICE_OK
       && range.bits == 0, "everything is a range");
}


static void
refusals(void)
{
    size_t         i;
    voice_range_t  range;

    static const char *const  bad[] = {
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
        "10.0.0.0/8a", "10.0.0/8", "10.0.0.256", "2001:db8::/129",
        "2001:db8::/0128", "2001::db8::/32", "a", "10.0.0.0/8/8",
        "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111"
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(bad); i++) {
        ok(voice_range_parse(voice_span_str(bad[i]), &range)
           == VOICE_INVALID, "\"%s\" is no range", bad[i]);
    }

    ok(voice_range_parse(VOICE_SPAN("10.0.0.0\0"), &range) == VOICE_INVALID,
       "a NUL is no part of one");
    ok(voice_range_parse(voice_span(NULL, 0), &range) == VOICE_INVALID,
       "nothing is no range");
}


static void
ranges(void)
{
    size_t  i;

    static const struct {
        const char  *range;
        const char  *address;
        int          expected;
    } rows[] = {
        { "10.0.0.0/8", "10.255.0.1", 1 },
        { "10.0.0.0/8", "11.0.0.0", 0 },
        { "10.0.0.0/8", "::ffff:10.1.2.3", 1 },
        { "::ffff:10.0.0.0/104", "10.1.2.3", 1 },
        { "10.0.0.0/8", "::10.1.2.3", 0 },
        { "192.0.2.128/25", "192.0.2.127", 0 },
        { "192.0.2.128/25", "192.0.2.128", 1 },
        { "192.0.2.1", "192.0.2.1", 1 },
        { "192.0.2.1", "192.0.2.2", 0 },
        { "0.0.0.0/0", "203.0.113.9", 1 },
        { "0.0.0.0/0", "2001:db8::1", 0 },
        { "::/0", "203.0.113.9", 1 },
        { "2001:db8::/33", "2001:db8:7fff::1", 1 },
        { "2001:db8::/33", "2001:db8:8000::1", 0 },
        { "2001:db8::1/128", "2001:db8::1", 1 },
        { "2001:db8::1/127", "2001:db8::", 1 },
        { "2001:db8::1/127", "2001:db8::2", 0 }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(holds(rows[i].range, rows[i].address) == rows[i].expected,
           "%s %s %s", rows[i].range,
           rows[i].expected ? "holds" : "does not hold", rows[i].address);
    }
}


static int
holds(const char *range, const char *address)
{
    voice_range_t  one, all;

    if (voice_range_parse(voice_span_str(range), &all) != VOICE_OK
        || voice_range_parse(voice_span_str(address), &one) != VOICE_OK)
    {
        return -1;
    }

    return voice_range_holds(&all, one.address);
}
