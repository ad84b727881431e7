
/*
 * The self test: a job through queue and workers.
 */

#include "ctl_api.h"
#include "ctl_arguments.h"
#include "ctl_json.h"
#include "ctl_output.h"
#include "ctl_request.h"
#include "ctl_run.h"
#include "ctl_show.h"
#include "ctl_signal.h"
#include "ctl_time.h"


#define PROBE_USUAL  60                /* seconds of patience */
#define PROBE_FIRST  50                /* ms between two looks, at first */
#define PROBE_MOST   1000
#define PROBE_ASK    2000              /* ms more, to say why it is late */


static ctl_exit_e wait_for(ctl_t *ctl, const char *id, ctl_answer_t *answer);
static int has_ended(const json_t *job);
static void tell_health(ctl_t *ctl);
static ctl_exit_e tell(const ctl_t *ctl, const json_t *job);
static json_t *spans(const json_t *job);
static double between(const json_t *job, const char *from, const char *to);


ctl_exit_e
ctl_run_probe(ctl_t *ctl)
{
    char          *id;
    json_t        *body;
    ctl_exit_e     rc;
    ctl_answer_t   answer;

    body = ctl_request_members(ctl, CTL_BODY);
    ctl->deadline = ctl_now() + ctl_option_number(ctl->arguments, "timeout",
                                                  PROBE_USUAL) * 1000;
    rc = ctl_api_call(ctl, &(ctl_call_t) { .method = "POST",
                      .path = "/api/v1/jobs/probe", .body = body }, &answer);
    json_decref(body);

    if (rc != CTL_OK) {
        ctl_api_release(&answer);
        return rc;
    }

    id = ctl_copy(voice_json_text(answer.data, "id"));
    ctl_api_release(&answer);

    rc = wait_for(ctl, id, &answer);
    rc = rc == CTL_OK ? tell(ctl, answer.data) : rc;

    ctl_api_release(&answer);
    free(id);

    return rc;
}


/* Looks often at first: a job that is done at once is told at once. */
static ctl_exit_e
wait_for(ctl_t *ctl, const char *id, ctl_answer_t *answer)
{
    char        *path;
    int64_t      pause;
    ctl_exit_e   rc;

    path = ctl_api_path("/api/v1/jobs/{}", &id);
    pause = PROBE_FIRST;

    for ( ;; ) {
        rc = ctl_api_call(ctl, &(ctl_call_t) { .method = "GET",
                          .path = path }, answer);

        if (rc != CTL_OK || has_ended(answer->data)) {
            break;
        }

        if (ctl_now() >= ctl->deadline) {
            rc = ctl_problem(ctl, CTL_TIMEOUT, "the job %s is still %s", id,
                             ctl_json_text(answer->data, "state"));
            ctl->deadline = ctl_now() + PROBE_ASK;
            tell_health(ctl);
            break;
        }

        ctl_api_release(answer);

        if (!ctl_pause(pause)) {
            rc = CTL_INTERRUPTED;
            break;
        }

        pause = pause * 3 / 2 > PROBE_MOST ? PROBE_MOST : pause * 3 / 2;
    }

    free(path);

    return rc;
}


static int
has_ended(const json_t *job)
{
    voice_span_t  state;

    state = voice_json_text(job, "state");

    return !voice_span_eq(state, VOICE_SPAN("queued"))
           && !voice_span_eq(state, VOICE_SPAN("running"));
}


/* Why nobody took it may be known. */
static void
tell_health(ctl_t *ctl)
{
    size_t         i;
    ctl_answer_t   answer;
    const json_t  *alerts;

    if (ctl_api_call(ctl, &(ctl_call_t) { .method = "GET",
                     .path = "/workers/health", .caller = CTL_AS_NOBODY,
                     .calm = 1 }, &answer) == CTL_OK)
    {
        alerts = json_object_get(answer.reply, "alerts");

        for (i = 0; i < json_array_size(alerts); i++) {
            ctl_note(ctl, "  %s", ctl_json_text(
                     json_array_get(alerts, i), "message"));
        }
    }

    ctl_api_release(&answer);
}


static ctl_exit_e
tell(const ctl_t *ctl, const json_t *job)
{
    json_t        *shown;
    voice_span_t   state;
    ctl_buffer_t   waited = { 0 }, ran = { 0 };

    state = voice_json_text(job, "state");
    shown = spans(job);

    if (ctl->json) {
        ctl_write_json(ctl, shown);

    } else if (voice_span_eq(state, VOICE_SPAN("done"))) {
        ctl_show_value(&waited, json_object_get(shown, "waited_ms"),
                       CTL_AS_MS);
        ctl_show_value(&ran, json_object_get(shown, "ran_ms"), CTL_AS_MS);
        ctl_say(ctl, "done: waited %s, ran %s, by %s",
                ctl_buffer_text(&waited), ctl_buffer_text(&ran),
                ctl_json_text(job, "worker"));

    } else {
        ctl_problem(ctl, CTL_FAILED, "the job %s is %.*s: %s",
                    ctl_json_text(job, "id"),
                    (int) state.len, state.ptr,
                    ctl_json_text(job, "error"));
    }

    json_decref(shown);
    ctl_buffer_release(&waited);
    ctl_buffer_release(&ran);

    return voice_span_eq(state, VOICE_SPAN("done")) ? CTL_OK : CTL_FAILED;
}


/* The job with waited_ms, from due to begun, and ran_ms. */
static json_t *
spans(const json_t *job)
{
    json_t  *shown;

    shown = json_copy((json_t *) job);
    json_object_set_new(shown, "waited_ms",
                        json_real(between(job, "run_at", "claimed_at")));
    json_object_set_new(shown, "ran_ms",
                        json_real(between(job, "claimed_at", "ended_at")));

    return shown;
}


static double
between(const json_t *job, const char *from, const char *to)
{
    double  begin, end;

    begin = ctl_time_ms(voice_json_text(job, from));
    end = ctl_time_ms(voice_json_text(job, to));

    return end > begin ? end - begin : 0;
}
