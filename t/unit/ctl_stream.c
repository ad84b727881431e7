
/*
 * ctl_stream, ctl_junit, ctl_time: events as they come, a run as XML.
 */

#include "ctl_junit.h"
#include "ctl_stream.h"
#include "ctl_time.h"
#include "tap.h"


static void events(void);
static void pieces(void);
static void bounds(void);
static void junit(void);
static void times(void);
static void on_event(void *user, const char *event, voice_span_t data);
static void feed(const char *bytes);


static ctl_buffer_t  seen;
static ctl_stream_t  stream;


int
main(void)
{
    events();
    pieces();
    bounds();
    junit();
    times();

    return done_testing();
}


static void
events(void)
{
    size_t  i;

    static const struct {
        const char  *bytes;
        const char  *seen;
        const char  *id;
        const char  *name;
    } rows[] = {
        { "data: a\n\n", "message=a;", "", "an event" },
        { "id: 7\nevent: x\ndata: a\ndata:b\n\n", "x=a\nb;", "7",
          "an event of two lines with id and name" },
        { ": hello\n\ndata: a\r\n\r\n", "message=a;", "",
          "comments are none; lines may end in CRLF" },
        { "data: a\r\rdata: b\r\r", "message=a;message=b;", "",
          "or in CR" },
        { "\xef\xbb\xbf" "data: a\n\n", "message=a;", "",
          "a byte order mark is passed by" },
        { "event: x\n\ndata: a\n\n", "message=a;", "",
          "a name without data is forgotten" },
        { "data\n\n", "message=;", "", "data without a colon is empty" },
        { "data: a", "", "", "what has no end is no event" },
        { "id: 1\ndata: a\n\nid\ndata: b\n\n", "message=a;message=b;", "",
          "an empty id forgets the last one" },
        { "retry: 250\nfly: x\ndata:  a\n\n", "message= a;", "",
          "other fields are passed by, one blank belongs to the colon" }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        feed(NULL);
        feed(rows[i].bytes);
        is(ctl_buffer_text(&seen), rows[i].seen, rows[i].name);
        ok(strcmp(stream.id, rows[i].id) == 0, "its id is \"%s\"",
           rows[i].id);
    }

    ok(stream.retry == 250, "the time to wait is kept");
}


static void
pieces(void)
{
    size_t       i;
    char         one[2] = "";
    const char  *bytes = "id: 1\r\nevent: x\r\ndata: a\r\ndata: b\r\n\r\n";

    feed(NULL);

    for (i = 0; bytes[i] != '\0'; i++) {
        one[0] = bytes[i];
        feed(one);
    }

    is(ctl_buffer_text(&seen), "x=a\nb;", "it may come byte by byte");

    feed("data: half");
    ctl_stream_restart(&stream);
    feed("data: c\n\n");
    is(ctl_buffer_text(&seen), "x=a\nb;message=c;",
       "half an event dies with its connection");
    is(stream.id, "1", "the id outlives it");
}


static void
bounds(void)
{
    size_t        i;
    ctl_buffer_t  line = { 0 };

    feed(NULL);
    ctl_buffer_fill(&line, 'x', 65536);

    for (i = 0; i < 64; i++) {
        ctl_stream_feed(&stream, VOICE_SPAN("data: "));
        ctl_stream_feed(&stream, voice_span(line.data, line.len));
        ctl_stream_feed(&stream, VOICE_SPAN("\n"));
    }

    ok(stream.data.len <= CTL_STREAM_EVENT_MAX + 1,
       "an endless event takes no more than its bound");

    for (i = 0; i < 64; i++) {
        ctl_stream_feed(&stream, voice_span(line.data, line.len));
    }

    ok(stream.line.len < CTL_STREAM_EVENT_MAX + 65536,
       "nor does an endless line");
    ctl_stream_release(&stream);
    ctl_buffer_release(&line);
}


static void
junit(void)
{
    json_t        *run, *tests;
    ctl_buffer_t   out = { 0 };

    run = json_pack("{s:s, s:s, s:s}", "id", "r-1", "status", "failed",
                    "created_at", "2026-11-21T19:46:22Z");
    tests = json_pack("[{s:s, s:s, s:s, s:f}, {s:s, s:s, s:s, s:s, s:s},"
        " {s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}]",
        "test_case_name", "One", "language_code", "en-US", "status",
        "passed", "response_time_ms", 1500.0,
        "test_case_name", "Two", "language_code", "de-DE", "status",
        "failed", "heard_text", "]]> a\nb", "reason", "intent",
        "test_case_name", "Three", "language_code", "en-US", "status",
        "error", "error_message", "no answer",
        "test_case_name", "Four", "language_code", "en-US", "status",
        "pending", "review_status", "manual_review");

    ctl_junit_write(&out, "A & \"B\" <\033>", run, tests);
    is(ctl_buffer_text(&out),
       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
       "<testsuites>\n"
       "  <testsuite name=\"A &amp; &quot;B&quot; &lt;\xef\xbf\xbd&gt;\""
       " tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\""
       " time=\"1.500\" timestamp=\"2026-11-21T19:46:22Z\">\n"
       "    <properties>\n"
       "      <property name=\"run\" value=\"r-1\"/>\n"
       "      <property name=\"status\" value=\"failed\"/>\n"
       "    </properties>\n"
       "    <testcase name=\"One\" classname=\"A &amp; &quot;B&quot;"
       " &lt;\xef\xbf\xbd&gt;.en-US\" time=\"1.500\"/>\n"
       "    <testcase name=\"Two\" classname=\"A &amp; &quot;B&quot;"
       " &lt;\xef\xbf\xbd&gt;.de-DE\" time=\"0.000\">\n"
       "      <failure message=\"intent\">said: \nheard: ]]&gt; a&#10;b\n"
       "intent: \nscore: 0.00\nexecution: </failure>\n"
       "    </testcase>\n"
       "    <testcase name=\"Three\" classname=\"A &amp; &quot;B&quot;"
       " &lt;\xef\xbf\xbd&gt;.en-US\" time=\"0.000\">\n"
       "      <error message=\"no answer\">said: \nheard: \nintent: \n"
       "score: 0.00\nexecution: </error>\n"
       "    </testcase>\n"
       "    <testcase name=\"Four\" classname=\"A &amp; &quot;B&quot;"
       " &lt;\xef\xbf\xbd&gt;.en-US\" time=\"0.000\">\n"
       "      <skipped message=\"waits for a human's verdict\"/>\n"
       "    </testcase>\n"
       "  </testsuite>\n"
       "</testsuites>\n", "a run is JUnit XML, whatever its texts are");

    json_decref(run);
    json_decref(tests);
    ctl_buffer_release(&out);
}


static void
times(void)
{
    is_near(ctl_time_ms(VOICE_SPAN("1970-01-01T00:00:01Z")), 1000,
            "a whole second");
    is_near(ctl_time_ms(VOICE_SPAN("1970-01-01T00:00:01.25Z")), 1250,
            "with its part");
    is_near(ctl_time_ms(VOICE_SPAN("1970-01-01T00:00:01.000250Z")), 1000.25,
            "to the microsecond");
    is_near(ctl_time_ms(VOICE_SPAN("yesterday")), 0, "what is no time is 0");
}


static void
on_event(void *user, const char *event, voice_span_t data)
{
    (void) user;
    ctl_buffer_format(&seen, "%s=%.*s;", event, (int) data.len, data.ptr);
}


/* NULL: a new stream. */
static void
feed(const char *bytes)
{
    if (bytes == NULL) {
        ctl_stream_release(&stream);
        memset(&stream, 0, sizeof(ctl_stream_t));
        stream.on_event = on_event;
        ctl_buffer_reset(&seen);
        return;
    }

    ctl_stream_feed(&stream, voice_span_str(bytes));
}
