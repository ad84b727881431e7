
/*
 * Creates schedules, and shows when an expression is due.
 */

#include "ctl_api.h"
#include "ctl_arguments.h"
#include "ctl_output.h"
#include "ctl_request.h"
#include "ctl_run.h"
#include "ctl_show.h"
#include "ctl_suite.h"


static ctl_exit_e set_action(ctl_t *ctl, json_t *body);
static ctl_exit_e set_enabled(ctl_t *ctl, int enabled);
static void tell_enabled(const ctl_t *ctl, const char *id,
    const json_t *schedule);


ctl_exit_e
ctl_run_schedules_create(ctl_t *ctl)
{
    json_t        *body;
    ctl_exit_e     rc;
    ctl_answer_t   answer;

    body = ctl_request_members(ctl, CTL_BODY);
    if (body == NULL) {
        return CTL_USAGE;
    }

    if (ctl_option(ctl->arguments, "disabled") != NULL) {
        json_object_set_new(body, "enabled", json_false());
    }

    rc = set_action(ctl, body);

    if (rc == CTL_OK) {
        rc = ctl_api_call(ctl, &(ctl_call_t) { .method = "POST",
                          .path = "/api/v1/schedules", .body = body },
                          &answer);

        if (rc == CTL_OK) {
            ctl_request_show(ctl, answer.data);
        }

        ctl_api_release(&answer);
    }

    json_decref(body);

    return rc;
}


ctl_exit_e
ctl_run_schedules_preview(ctl_t *ctl)
{
    json_t        *body;
    ctl_exit_e     rc;
    ctl_answer_t   answer;
    const json_t  *times;

    body = ctl_request_members(ctl, CTL_BODY);
    if (body == NULL) {
        return CTL_USAGE;
    }

    json_object_set_new(body, "expression", json_string(ctl_word(ctl, 0)));
    rc = ctl_api_call(ctl, &(ctl_call_t) { .method = "POST",
                      .path = "/api/v1/schedules/preview", .body = body },
                      &answer);
    json_decref(body);
    times = json_object_get(answer.data, "times");

    if (rc == CTL_OK && ctl->json) {
        ctl_write_json(ctl, answer.data);

    } else if (rc == CTL_OK && json_array_size(times) == 0) {
        ctl_note(ctl, "It will never be due again.");

    } else if (rc == CTL_OK) {
        ctl_show_list(ctl, times, ctl->command->request->fields);
    }

    ctl_api_release(&answer);

    return rc;
}


ctl_exit_e
ctl_run_schedules_enable(ctl_t *ctl)
{
    return set_enabled(ctl, 1);
}


ctl_exit_e
ctl_run_schedules_disable(ctl_t *ctl)
{
    return set_enabled(ctl, 0);
}


/* What is run, of options that are not members of the body itself. */
static ctl_exit_e
set_action(ctl_t *ctl, json_t *body)
{
    int          regression;
    size_t       i;
    json_t      *action;
    ctl_exit_e   rc;
    const char  *suite;

    static const char *const  members[] = { "languages", "priority" };

    suite = ctl_option(ctl->arguments, "suite");
    regression = ctl_option(ctl->arguments, "regression") != NULL;

    if ((suite != NULL) == regression) {
        return ctl_problem(ctl, CTL_USAGE, "give --suite or --regression: "
                           "what is to be run");
    }

    action = json_pack("{s:s}", "type", regression ? "run_regression_suite"
                                                   : "run_suite");

    for (i = 0; i < VOICE_ARRAY_SIZE(members); i++) {
        if (json_object_get(body, members[i]) != NULL) {
            json_object_set(action, members[i],
                            json_object_get(body, members[i]));
            json_object_del(body, members[i]);
        }
    }

    rc = regression ? CTL_OK : ctl_suite_find(ctl, suite, action);
    json_object_set_new(body, "action", action);

    return rc;
}


static ctl_exit_e
set_enabled(ctl_t *ctl, int enabled)
{
    char          *path;
    size_t         i;
    json_t        *body;
    ctl_exit_e     rc, one;
    ctl_answer_t   answer;

    rc = CTL_OK;
    body = json_pack("{s:b}", "enabled", enabled);

    for (i = 0; i < ctl->arguments->nwords; i++) {
        path = ctl_api_path("/api/v1/schedules/{}",
                            ctl->arguments->words + i);
        one = ctl_api_call(ctl, &(ctl_call_t) { .method = "PUT",
                           .path = path, .body = body }, &answer);
        free(path);

        if (one == CTL_OK && ctl->json) {
            ctl_write_json(ctl, answer.data);

        } else if (one == CTL_OK) {
            tell_enabled(ctl, ctl_word(ctl, i), answer.data);
        }

        ctl_api_release(&answer);
        rc = rc == CTL_OK ? one : rc;
    }

    json_decref(body);

    return rc;
}


static void
tell_enabled(const ctl_t *ctl, const char *id, const json_t *schedule)
{
    ctl_buffer_t  next = { 0 };

    if (!json_is_true(json_object_get(schedule, "enabled"))) {
        ctl_say(ctl, "%s: disabled", id);
        return;
    }

    ctl_show_value(&next, json_object_get(schedule, "next_at"), CTL_AS_TIME);
    ctl_say(ctl, "%s: enabled, due next at %s UTC", id,
            ctl_buffer_text(&next));
    ctl_buffer_release(&next);
}
