
/*
 * A run, followed to its end.
 */

#include <errno.h>

#include "ctl_api.h"
#include "ctl_arguments.h"
#include "ctl_feed.h"
#include "ctl_follow.h"
#include "ctl_junit.h"
#include "ctl_output.h"
#include "ctl_progress.h"
#include "ctl_signal.h"


#define FOLLOW_TICK   200              /* ms, at most between two looks */
#define FOLLOW_OPEN   3000             /* ms that a stream may take */
#define FOLLOW_QUIET  10000            /* ms of a stream without any news */
#define FOLLOW_POLL   1000             /* ms between questions, at first */
#define FOLLOW_SLOW   5000             /* and at last */

#define FOLLOW_TYPES  "test_run.started,test_run.progress," \
                      "test_run.completed,test_run.failed," \
                      "test_run.cancelled,test_execution.completed"


typedef struct {
    ctl_t           *ctl;
    const char      *id;
    char            *suite;            /* its name; NULL: not known */
    json_t          *run;
    ctl_feed_t      *feed;
    ctl_progress_t  *progress;
    int64_t          due;              /* when to ask for the run */
    int64_t          poll;             /* ms to the next time */
    int              news;             /* ask now */
    size_t           counted;          /* tests that had ended */
} follow_t;


static ctl_exit_e follow(follow_t *f);
static void on_event(void *user, const char *event, voice_span_t data);
static void take_event(follow_t *f, const json_t *event);
static ctl_exit_e ask(follow_t *f);
static void name_it(follow_t *f);
static void plan(follow_t *f);
static json_t *fetch_tests(const follow_t *f, ctl_exit_e *rc);
static ctl_exit_e tell_tests(const follow_t *f);
static ctl_exit_e finish(const follow_t *f);
static ctl_exit_e write_junit(const follow_t *f, const json_t *tests);
static int has_ended(const json_t *run);
static size_t ended_tests(const json_t *run);


ctl_exit_e
ctl_follow(ctl_t *ctl, const char *id)
{
    long        timeout;
    follow_t    f;
    ctl_exit_e  rc;

    memset(&f, 0, sizeof(follow_t));
    f.ctl = ctl;
    f.id = id;
    f.poll = FOLLOW_POLL;
    f.progress = ctl_progress_make(ctl);

    timeout = ctl_option_number(ctl->arguments, "timeout", 0);
    ctl->deadline = timeout == 0 ? 0 : ctl_now() + timeout * 1000;

    if (ctl_option(ctl->arguments, "poll") == NULL) {
        f.feed = ctl_feed_open(ctl, FOLLOW_TYPES, on_event, &f);
    }

    rc = follow(&f);

    if (rc == CTL_OK) {
        rc = finish(&f);
    }

    ctl_feed_close(f.feed);
    ctl_progress_destroy(f.progress);
    json_decref(f.run);
    free(f.suite);

    return rc;
}


/* First the stream, then the state: so nothing happens in between. */
static ctl_exit_e
follow(follow_t *f)
{
    int64_t     patience;
    ctl_exit_e  rc;

    patience = ctl_now() + FOLLOW_OPEN;

    while (f->feed != NULL && !ctl_feed_live(f->feed)
           && ctl_now() < patience)
    {
        if (!ctl_feed_wait(f->feed, FOLLOW_TICK)) {
            return CTL_INTERRUPTED;
        }
    }

    for ( ;; ) {
        rc = ask(f);

        if (rc != CTL_OK || has_ended(f->run)) {
            return rc;
        }

        do {
            if (!ctl_feed_wait(f->feed, FOLLOW_TICK)) {
                return CTL_INTERRUPTED;
            }

            if (ferror(stdout)) {
                return CTL_LOCAL;
            }

            if (f->ctl->deadline != 0 && ctl_now() >= f->ctl->deadline) {
                return ctl_problem(f->ctl, CTL_TIMEOUT, "the run %s goes on; "
                                   "the time to watch it is over", f->id);
            }

            ctl_progress_tick(f->progress);
        } while (!f->news && ctl_now() < f->due);
    }
}


/* A gap is told by the event's name. */
static void
on_event(void *user, const char *event, voice_span_t data)
{
    json_t              *value;
    follow_t            *f;
    voice_json_error_t   error;

    f = user;

    if (strcmp(event, "gap") == 0) {
        f->news = 1;
        return;
    }

    value = voice_json_parse(data, &error);

    if (json_is_object(value)) {
        take_event(f, value);
    }

    json_decref(value);
}


static void
take_event(follow_t *f, const json_t *event)
{
    json_t        *payload;
    voice_span_t   type;

    payload = json_object_get(event, "payload");
    type = voice_json_text(event, "event_type");

    if (!voice_span_eq(voice_json_text(payload, "test_run_id"),
                       voice_span_str(f->id)))
    {
        return;
    }

    if (voice_span_eq(type, VOICE_SPAN("test_execution.completed"))) {
        ctl_progress_test(f->progress, payload);
        return;
    }

    if (f->run == NULL || has_ended(payload)) {
        f->news = 1;
        return;
    }

    json_object_update_existing(f->run, payload);
    f->counted = ended_tests(f->run);
    ctl_progress_run(f->progress, f->run);
    plan(f);
}


static ctl_exit_e
ask(follow_t *f)
{
    char          *path;
    ctl_exit_e     rc;
    ctl_answer_t   answer;

    f->news = 0;
    path = ctl_api_path("/api/v1/test-runs/{}", &f->id);
    rc = ctl_api_call(f->ctl, &(ctl_call_t) { .method = "GET",
                      .path = path }, &answer);
    free(path);

    if (rc == CTL_OK) {
        json_decref(f->run);
        f->run = json_incref(answer.data);
        name_it(f);

        /* events that did not come, or are not listened to */
        if (ended_tests(f->run) != f->counted) {
            f->counted = ended_tests(f->run);
            f->poll = FOLLOW_POLL;
            rc = tell_tests(f);
        }

        ctl_progress_run(f->progress, f->run);
        plan(f);
    }

    ctl_api_release(&answer);

    return rc;
}


/* Runs without a name are called as their suite is. */
static void
name_it(follow_t *f)
{
    char          *path;
    const char    *id, *name;
    ctl_answer_t   answer;

    if (f->suite != NULL) {
        return;
    }

    id = json_string_value(json_object_get(f->run, "suite_id"));
    f->suite = ctl_copy(voice_span_str(f->id));

    if (id != NULL) {
        path = ctl_api_path("/api/v1/test-suites/{}", &id);

        if (ctl_api_call(f->ctl, &(ctl_call_t) { .method = "GET",
                         .path = path, .calm = 1 }, &answer) == CTL_OK)
        {
            free(f->suite);
            f->suite = ctl_copy(voice_json_text(answer.data, "name"));
        }

        ctl_api_release(&answer);
        free(path);
    }

    name = json_string_value(json_object_get(f->run, "name"));
    ctl_progress_name(f->progress, name != NULL ? name
                                   : id != NULL ? f->suite : "");
}


static void
plan(follow_t *f)
{
    if (ctl_feed_live(f->feed)) {
        f->due = ctl_now() + FOLLOW_QUIET;
        return;
    }

    f->due = ctl_now() + f->poll;
    f->poll = f->poll * 3 / 2 > FOLLOW_SLOW ? FOLLOW_SLOW : f->poll * 3 / 2;
}


static json_t *
fetch_tests(const follow_t *f, ctl_exit_e *rc)
{
    char    *path;
    json_t  *tests;
    size_t   total;

    path = ctl_api_path("/api/v1/test-runs/{}/executions", &f->id);
    tests = ctl_api_list(f->ctl, &(ctl_call_t) { .method = "GET",
                         .path = path }, 0, &total, rc);
    free(path);

    return tests;
}


static ctl_exit_e
tell_tests(const follow_t *f)
{
    size_t         i;
    json_t        *tests, *test;
    ctl_exit_e     rc;
    voice_span_t   status;

    tests = fetch_tests(f, &rc);

    for (i = 0; i < json_array_size(tests); i++) {
        test = json_array_get(tests, i);
        status = voice_json_text(test, "status");

        if (!voice_span_eq(status, VOICE_SPAN("running"))
            && (!voice_span_eq(status, VOICE_SPAN("pending"))
                || voice_span_eq(voice_json_text(test, "review_status"),
                                 VOICE_SPAN("manual_review"))))
        {
            ctl_progress_test(f->progress, test);
        }
    }

    json_decref(tests);

    return rc;
}


static ctl_exit_e
finish(const follow_t *f)
{
    json_t      *tests;
    ctl_exit_e   rc;

    ctl_progress_end(f->progress, f->run);
    rc = voice_span_eq(voice_json_text(f->run, "status"),
                       VOICE_SPAN("completed")) ? CTL_OK : CTL_FAILED;

    if (ctl_option(f->ctl->arguments, "junit") != NULL) {
        ctl_exit_e  written;

        tests = fetch_tests(f, &written);
        written = tests == NULL ? written : write_junit(f, tests);
        rc = written == CTL_OK ? rc : written;
        json_decref(tests);
    }

    return rc;
}


static ctl_exit_e
write_junit(const follow_t *f, const json_t *tests)
{
    int            good;
    FILE          *file;
    const char    *path;
    ctl_buffer_t   text = { 0 };

    path = ctl_option(f->ctl->arguments, "junit");
    ctl_junit_write(&text, f->suite, f->run, tests);

    file = fopen(path, "we");
    good = file != NULL && fwrite(text.data, 1, text.len, file) == text.len;

    if (file != NULL && fclose(file) != 0) {
        good = 0;
    }

    ctl_buffer_release(&text);

    return good ? CTL_OK
           : ctl_problem(f->ctl, CTL_LOCAL, "%s cannot be written: %s", path,
                         strerror(errno));
}


static int
has_ended(const json_t *run)
{
    voice_span_t  status;

    status = voice_json_text(run, "status");

    return status.len > 0
           && !voice_span_eq(status, VOICE_SPAN("pending"))
           && !voice_span_eq(status, VOICE_SPAN("running"));
}


static size_t
ended_tests(const json_t *run)
{
    return (size_t) (json_integer_value(json_object_get(run, "total_tests"))
                     - json_integer_value(json_object_get(run,
                                                          "in_progress")));
}
