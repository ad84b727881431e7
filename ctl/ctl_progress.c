
/*
 * What is shown of a run that goes on.
 */

#include "ctl_bar.h"
#include "ctl_json.h"
#include "ctl_output.h"
#include "ctl_progress.h"
#include "ctl_show.h"
#include "ctl_signal.h"
#include "ctl_text.h"


#define PROGRESS_WIDTH  12             /* columns of a verdict's word */
#define PROGRESS_MOST   1000000000     /* tests that a server may claim */


struct ctl_progress_s {
    const ctl_t  *ctl;
    json_t       *run;                 /* the last state */
    ctl_buffer_t  name;                /* safe */
    json_t       *told;                /* ids of tests, as names */
    int64_t       begin;
    long          shown;               /* second that the bar shows */
    int           bar;                 /* it is on the screen */
};


static int same(const json_t *a, const json_t *b);
static void draw(ctl_progress_t *progress);
static void wipe(ctl_progress_t *progress);
static void write_event(const ctl_t *ctl, const char *name,
    const json_t *value);
static int is_worth(const ctl_progress_t *progress, voice_span_t verdict);
static void put_state(const ctl_t *ctl, ctl_buffer_t *line,
    voice_span_t state);
static size_t number(const json_t *run, const char *name);


static const char *const  members[] = {
    "status", "passed_tests", "failed_tests", "skipped_tests",
    "pending_validation", "total_tests"
};


ctl_progress_t *
ctl_progress_make(const ctl_t *ctl)
{
    ctl_progress_t  *progress;

    progress = ctl_alloc(sizeof(ctl_progress_t));
    progress->ctl = ctl;
    progress->told = json_object();
    progress->begin = ctl_now();

    return progress;
}


void
ctl_progress_destroy(ctl_progress_t *progress)
{
    if (progress->bar) {
        fputs("\n", stdout);
    }

    ctl_buffer_release(&progress->name);
    json_decref(progress->run);
    json_decref(progress->told);
    free(progress);
}


void
ctl_progress_name(ctl_progress_t *progress, const char *name)
{
    ctl_buffer_reset(&progress->name);
    ctl_text_safe(&progress->name, voice_span_str(name), 0);
}


void
ctl_progress_run(ctl_progress_t *progress, const json_t *run)
{
    int  changed;

    changed = progress->run == NULL || !same(progress->run, run);
    json_decref(progress->run);
    progress->run = json_deep_copy(run);

    if (changed && progress->ctl->json) {
        write_event(progress->ctl, "run", run);

    } else if (changed) {
        draw(progress);
    }
}


void
ctl_progress_test(ctl_progress_t *progress, const json_t *test)
{
    const char    *id;
    voice_span_t   verdict;
    ctl_buffer_t   line = { 0 };

    id = ctl_json_text(test, "test_execution_id");
    id = id[0] == '\0' ? ctl_json_text(test, "id") : id;

    if (id[0] == '\0' || json_object_get(progress->told, id) != NULL) {
        return;
    }

    json_object_set_new(progress->told, id, json_true());

    if (progress->ctl->json) {
        write_event(progress->ctl, "test", test);
        return;
    }

    verdict = voice_json_text(test, "status");
    verdict = voice_span_eq(verdict, VOICE_SPAN("pending"))
              ? VOICE_SPAN("to review") : verdict;

    if (!is_worth(progress, verdict)) {
        return;
    }

    put_state(progress->ctl, &line, verdict);
    ctl_buffer_fill(&line, ' ', verdict.len < PROGRESS_WIDTH
                                ? PROGRESS_WIDTH - verdict.len : 1);
    ctl_text_safe(&line, voice_json_text(test, "test_case_name"), 0);
    ctl_buffer_put(&line, "  ");
    ctl_text_safe(&line, voice_json_text(test, "language_code"), 0);

    if (json_is_number(json_object_get(test, "confidence_score"))) {
        ctl_buffer_format(&line, "  %.2f", json_number_value(
                          json_object_get(test, "confidence_score")));
    }

    ctl_buffer_put(&line, "\n");
    wipe(progress);
    ctl_write(&line);
    ctl_buffer_release(&line);
    draw(progress);
}


void
ctl_progress_tick(ctl_progress_t *progress)
{
    if (progress->bar
        && (ctl_window_changed()
            || (ctl_now() - progress->begin) / 1000 != progress->shown))
    {
        draw(progress);
    }
}


void
ctl_progress_end(ctl_progress_t *progress, const json_t *run)
{
    ctl_buffer_t   line = { 0 };
    const ctl_t   *ctl;

    ctl = progress->ctl;

    if (ctl->json || ctl->quiet) {
        return;
    }

    put_state(ctl, &line, voice_json_text(run, "status"));
    ctl_buffer_format(&line, ": %zu tests, %zu passed, %zu failed",
                      number(run, "total_tests"),
                      number(run, "passed_tests"),
                      number(run, "failed_tests"));

    if (number(run, "error_tests") > 0) {
        ctl_buffer_format(&line, " (%zu erred)", number(run, "error_tests"));
    }

    ctl_buffer_format(&line, ", %zu skipped, %zu to review, in ",
                      number(run, "skipped_tests"),
                      number(run, "pending_validation"));
    ctl_bar_time(&line, (long) ((ctl_now() - progress->begin) / 1000));
    ctl_buffer_put(&line, "\n");

    wipe(progress);
    ctl_write(&line);
    ctl_buffer_release(&line);
}


static int
same(const json_t *a, const json_t *b)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(members); i++) {
        if (!json_equal(json_object_get(a, members[i]),
                        json_object_get(b, members[i])))
        {
            return 0;
        }
    }

    return 1;
}


static void
draw(ctl_progress_t *progress)
{
    size_t          columns;
    ctl_bar_t       bar;
    ctl_buffer_t    line = { 0 };
    const json_t   *run;

    run = progress->run;

    if (run == NULL || progress->ctl->json || progress->ctl->quiet
        || !progress->ctl->screen.terminal)
    {
        return;
    }

    columns = ctl_columns(progress->ctl);
    progress->shown = (long) ((ctl_now() - progress->begin) / 1000);

    bar.name = voice_span(ctl_buffer_text(&progress->name),
                          progress->name.len);
    bar.total = number(run, "total_tests");
    bar.good = number(run, "passed_tests");
    bar.bad = number(run, "failed_tests");
    bar.other = number(run, "skipped_tests")
                + number(run, "pending_validation");
    bar.seconds = progress->shown;

    /* the last column is left: writing it may wrap */
    ctl_buffer_put(&line, "\r");
    ctl_bar_write(&line, &bar, columns > 1 ? columns - 1 : 1,
                  progress->ctl->screen.color);
    ctl_buffer_put(&line, "\033[K");
    ctl_write(&line);
    fflush(stdout);
    progress->bar = 1;

    ctl_buffer_release(&line);
}


static void
wipe(ctl_progress_t *progress)
{
    if (progress->bar) {
        fputs("\r\033[K", stdout);
        progress->bar = 0;
    }
}


static void
write_event(const ctl_t *ctl, const char *name, const json_t *value)
{
    json_t        *event;
    char          *text;
    ctl_buffer_t   line = { 0 };

    (void) ctl;
    event = json_pack("{s:s, s:O}", "event", name, name, value);
    text = event == NULL ? NULL
           : json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(15));
    ctl_text_safe_json(&line, voice_span_str(text));
    ctl_buffer_put(&line, "\n");
    ctl_write(&line);
    fflush(stdout);

    ctl_buffer_release(&line);
    free(text);
    json_decref(event);
}


/* Below a bar only what is wrong has a line. */
static int
is_worth(const ctl_progress_t *progress, voice_span_t verdict)
{
    return !progress->ctl->quiet
           && (!progress->ctl->screen.terminal
               || voice_span_eq(verdict, VOICE_SPAN("failed"))
               || voice_span_eq(verdict, VOICE_SPAN("error")));
}


/* Coloured, if any. */
static void
put_state(const ctl_t *ctl, ctl_buffer_t *line, voice_span_t state)
{
    ctl_buffer_t  safe = { 0 };

    ctl_text_safe(&safe, state, 0);
    ctl_paint(line, voice_span(ctl_buffer_text(&safe), safe.len),
              ctl->screen.color ? ctl_state_color(state) : CTL_PLAIN);
    ctl_buffer_release(&safe);
}


static size_t
number(const json_t *run, const char *name)
{
    json_int_t  value;

    value = json_integer_value(json_object_get(run, name));

    return value < 0 ? 0
           : value > PROGRESS_MOST ? PROGRESS_MOST : (size_t) value;
}
