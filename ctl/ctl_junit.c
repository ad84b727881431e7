
/*
 * A run as JUnit XML.
 */

#include <unistr.h>

#include "ctl_json.h"
#include "ctl_junit.h"


typedef struct {
    size_t  failures;
    size_t  errors;
    size_t  skipped;
    double  seconds;
} count_t;


static count_t count(const json_t *executions);
static void write_case(ctl_buffer_t *out, const char *suite,
    const json_t *execution);
static void write_verdict(ctl_buffer_t *out, const json_t *execution);
static void attribute(ctl_buffer_t *out, const char *name,
    const char *value);
static void escape(ctl_buffer_t *out, const char *value);
static void escape_one(ctl_buffer_t *out, ucs4_t c, voice_span_t bytes);


void
ctl_junit_write(ctl_buffer_t *out, const char *name, const json_t *run,
    const json_t *executions)
{
    size_t   i;
    count_t  all;

    all = count(executions);

    ctl_buffer_put(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<testsuites>\n  <testsuite");
    attribute(out, "name", name);
    ctl_buffer_format(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
                      "skipped=\"%zu\" time=\"%.3f\"",
                      json_array_size(executions), all.failures, all.errors,
                      all.skipped, all.seconds);
    attribute(out, "timestamp", ctl_json_text(run, "created_at"));
    ctl_buffer_put(out, ">\n    <properties>\n      <property name=\"run\"");
    attribute(out, "value", ctl_json_text(run, "id"));
    ctl_buffer_put(out, "/>\n      <property name=\"status\"");
    attribute(out, "value", ctl_json_text(run, "status"));
    ctl_buffer_put(out, "/>\n    </properties>\n");

    for (i = 0; i < json_array_size(executions); i++) {
        write_case(out, name, json_array_get(executions, i));
    }

    ctl_buffer_put(out, "  </testsuite>\n</testsuites>\n");
}


static count_t
count(const json_t *executions)
{
    size_t         i;
    count_t        all = { 0 };
    const char    *status;
    const json_t  *execution;

    for (i = 0; i < json_array_size(executions); i++) {
        execution = json_array_get(executions, i);
        status = ctl_json_text(execution, "status");
        all.failures += strcmp(status, "failed") == 0;
        all.errors += strcmp(status, "error") == 0;
        all.skipped += strcmp(status, "failed") != 0
                       && strcmp(status, "error") != 0
                       && strcmp(status, "passed") != 0;
        all.seconds += json_number_value(json_object_get(execution,
                           "response_time_ms")) / 1000;
    }

    return all;
}


static void
write_case(ctl_buffer_t *out, const char *suite, const json_t *execution)
{
    char  *class;

    class = ctl_format("%s.%s", suite,
                       ctl_json_text(execution, "language_code"));

    ctl_buffer_put(out, "    <testcase");
    attribute(out, "name", ctl_json_text(execution, "test_case_name"));
    attribute(out, "classname", class);
    ctl_buffer_format(out, " time=\"%.3f\"",
                      json_number_value(json_object_get(execution,
                          "response_time_ms")) / 1000);
    free(class);

    if (strcmp(ctl_json_text(execution, "status"), "passed") == 0) {
        ctl_buffer_put(out, "/>\n");
        return;
    }

    ctl_buffer_put(out, ">\n      ");
    write_verdict(out, execution);
    ctl_buffer_put(out, "    </testcase>\n");
}


static void
write_verdict(ctl_buffer_t *out, const json_t *execution)
{
    const char  *status, *why;

    status = ctl_json_text(execution, "status");
    why = ctl_json_text(execution, "error_message");
    why = why[0] == '\0' ? ctl_json_text(execution, "reason") : why;

    if (strcmp(status, "error") != 0 && strcmp(status, "failed") != 0) {
        if (strcmp(ctl_json_text(execution, "review_status"),
                   "manual_review") == 0)
        {
            why = "waits for a human's verdict";
        }

        ctl_buffer_put(out, "<skipped");
        attribute(out, "message", why[0] == '\0' ? status : why);
        ctl_buffer_put(out, "/>\n");
        return;
    }

    status = strcmp(status, "error") == 0 ? "error" : "failure";
    ctl_buffer_format(out, "<%s", status);
    attribute(out, "message", why[0] == '\0' ? "not as expected" : why);
    ctl_buffer_put(out, ">said: ");
    escape(out, ctl_json_text(execution, "input_text"));
    ctl_buffer_put(out, "\nheard: ");
    escape(out, ctl_json_text(execution, "heard_text"));
    ctl_buffer_put(out, "\nintent: ");
    escape(out, ctl_json_text(execution, "intent"));
    ctl_buffer_format(out, "\nscore: %.2f\nexecution: ",
                      json_number_value(json_object_get(execution,
                          "confidence_score")));
    escape(out, ctl_json_text(execution, "id"));
    ctl_buffer_format(out, "</%s>\n", status);
}


static void
attribute(ctl_buffer_t *out, const char *name, const char *value)
{
    ctl_buffer_format(out, " %s=\"", name);
    escape(out, value);
    ctl_buffer_put(out, "\"");
}


static void
escape(ctl_buffer_t *out, const char *value)
{
    int     len;
    size_t  at, size;
    ucs4_t  c;

    size = strlen(value);

    for (at = 0; at < size; at += (size_t) len) {
        len = u8_mbtoucr(&c, (const uint8_t *) value + at, size - at);

        if (len < 0) {
            len = 1;
            c = 0xffff;
        }

        escape_one(out, c, voice_span(value + at, (size_t) len));
    }
}


/* Char of XML 1.0, 2.2. */
static void
escape_one(ctl_buffer_t *out, ucs4_t c, voice_span_t bytes)
{
    if (c < 0x20 && (c == '\t' || c == '\n' || c == '\r')) {
        ctl_buffer_format(out, "&#%u;", (unsigned) c);

    } else if (c < 0x20 || c == 0xfffe || c == 0xffff) {
        ctl_buffer_put(out, "\xef\xbf\xbd");

    } else if (c < 0x80 && strchr("<>&\"", (int) c) != NULL) {
        ctl_buffer_put(out, c == '<' ? "&lt;" : c == '>' ? "&gt;"
                            : c == '&' ? "&amp;" : "&quot;");

    } else {
        ctl_buffer_add(out, bytes);
    }
}
