
/*
 * voice_header: idempotency keys, lists of entity tags, dates.
 */

#include "tap.h"
#include "voice_header.h"


static void keys(void);
static void tags(void);
static void accepts(void);
static void times(void);


int
main(void)
{
    keys();
    tags();
    accepts();
    times();

    return done_testing();
}


static void
keys(void)
{
    char    out[VOICE_KEY_MAX], text[300];
    size_t  i, len;

    static const struct {
        const char  *value;
        const char  *key;              /* NULL: refused */
    } rows[] = {
        { "a", "a" },
        { "8e03978e-40d5-43dd-bc93-6894a57f9324",
          "8e03978e-40d5-43dd-bc93-6894a57f9324" },
        { "\"8e03978e\"", "8e03978e" },
        { " \"a\" ", "a" },
        { "\"a\\\"b\\\\\"", "a\"b\\" },
        { "a\\b", "a\\b" },
        { "", NULL },
        { "\"\"", NULL },
        { "\"", NULL },
        { "\"a", NULL },
        { "a\"b", NULL },
        { "a\"", NULL },
        { "\"a\"b\"", NULL },
        { "\"a\\\"", NULL },
        { "\"a\\n\"", NULL },
        { "a b", NULL },
        { "\"a b\"", NULL },
        { "a\tb", NULL },
        { "a\x01", NULL },
        { "a\x7f", NULL },
        { "a\xc3\xa9", NULL },
        { "\"a\";x=1", NULL },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        if (voice_header_key(voice_span_str(rows[i].value), out, &len)
            != VOICE_OK)
        {
            ok(rows[i].key == NULL, "no key: row %zu", i);
            continue;
        }

        ok(rows[i].key != NULL
           && voice_span_eq(voice_span(out, len),
                            voice_span_str(rows[i].key)),
           "a key: row %zu", i);
    }

    memset(text, 'k', sizeof(text));
    ok(voice_header_key(voice_span(text, 255), out, &len) == VOICE_OK
       && len == 255, "255 characters are a key");
    ok(voice_header_key(voice_span(text, 256), out, &len) == VOICE_INVALID,
       "256 are none");
}


static void
tags(void)
{
    size_t  i;

    static const struct {
        const char  *list;
        const char  *tag;
        voice_rc_t   rc;
    } rows[] = {
        { "*", "\"7\"", VOICE_OK },
        { " * ", "\"7\"", VOICE_OK },
        { "\"7\"", "\"7\"", VOICE_OK },
        { "W/\"7\"", "\"7\"", VOICE_OK },
        { "\"7\"", "W/\"7\"", VOICE_OK },
        { "\"1\", \"7\"", "\"7\"", VOICE_OK },
        { "\"1\",W/\"7\" , \"9\"", "\"7\"", VOICE_OK },
        { "\"1\"", "\"7\"", VOICE_NOTFOUND },
        { "\"\"", "\"7\"", VOICE_NOTFOUND },
        { "\"a,b\", \"7\"", "\"7\"", VOICE_OK },
        { "\"77\"", "\"7\"", VOICE_NOTFOUND },
        { "", "\"7\"", VOICE_INVALID },
        { "7", "\"7\"", VOICE_INVALID },
        { "\"7", "\"7\"", VOICE_INVALID },
        { "\"7\" \"8\"", "\"7\"", VOICE_INVALID },
        { "\"7\",", "\"7\"", VOICE_INVALID },
        { ",\"7\"", "\"7\"", VOICE_INVALID },
        { "\"7\",*", "\"7\"", VOICE_INVALID },
        { "w/\"7\"", "\"7\"", VOICE_INVALID },
        { "\"a b\"", "\"7\"", VOICE_INVALID },
        { "W/", "\"7\"", VOICE_INVALID },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(voice_header_tags(voice_span_str(rows[i].list),
                             voice_span_str(rows[i].tag)) == rows[i].rc,
           "tags %s against %s", rows[i].list, rows[i].tag);
    }
}


static void
accepts(void)
{
    size_t  i;

    static const struct {
        const char  *list;
        int          taken;
    } rows[] = {
        { "", 1 },
        { "text/event-stream", 1 },
        { "TEXT/Event-Stream", 1 },
        { "*/*", 1 },
        { "text/*", 1 },
        { "text/html", 0 },
        { "text/event-stream2", 0 },
        { "text/html, text/event-stream;q=0.001", 1 },
        { "text/event-stream;q=0", 0 },
        { "text/event-stream; Q=0.000, */*", 0 },
        { "*/*;q=0", 0 },
        { "*/*;q=0, text/*", 1 },
        { "text/*;q=0, */*", 0 },
        { "text/event-stream;charset=utf-8", 1 },
        { "text/event-stream;x=\";q=0,\"", 1 },
        { "text/event-stream;x=\"a\\\"\";q=0", 0 },
        { "text/event-stream;q=x", 1 },
        { ",", 0 },
        { "application/*, image/*", 0 },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(voice_header_accepts(voice_span_str(rows[i].list),
                                VOICE_SPAN("text/event-stream"))
           == rows[i].taken,
           "\"%s\" %s it", rows[i].list,
           rows[i].taken ? "takes" : "does not take");
    }
}


static void
times(void)
{
    char     date[VOICE_HTTP_DATE_LEN + 1];
    size_t   i;
    int64_t  seconds;

    static const struct {
        const char  *text;
        int64_t      seconds;
        const char  *date;
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { "1994-11-06T08:49:37Z", 784111777,
          "Sun, 06 Nov 1994 08:49:37 GMT" },
        { "2000-02-29T23:59:59Z", 951868799,
          "Tue, 29 Feb 2000 23:59:59 GMT" },
        { "2018-12-31T23:59:59Z", 1546300799,
          "Mon, 31 Dec 2018 23:59:59 GMT" },
        { "2100-03-01T00:00:00Z", 4107542400,
          "Mon, 01 Mar 2100 00:00:00 GMT" },
        { "9999-12-31T23:59:59Z", 253402300799,
          "Fri, 31 Dec 9999 23:59:59 GMT" },
    };
    static const char *const  bad[] = {
        "", "2027-06-30", "2027-06-30T00:00:00", "2027-06-30t00:00:00z",
        "2027-13-01T00:00:00Z", "2027-02-29T00:00:00Z",
        "2027-06-31T00:00:00Z", "2027-06-30T24:00:00Z",
        "2027-06-30T00:60:00Z", "2027-06-30T00:00:60Z",
        "1969-12-31T23:59:59Z", "2027-06-30T00:00:00.000Z",
        "2027-06-30T00:00:00+00:00", "2027-0a-30T00:00:00Z",
        "2100-02-29T00:00:00Z",
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(voice_header_time(voice_span_str(rows[i].text), &seconds)
           == VOICE_OK && seconds == rows[i].seconds,
           "%s is read", rows[i].text);
        voice_header_date(rows[i].seconds, date);
        is(date, rows[i].date, "and written as HTTP does");
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(bad); i++) {
        ok(voice_header_time(voice_span_str(bad[i]), &seconds)
           == VOICE_INVALID, "no time: \"%s\"", bad[i]);
    }
}
