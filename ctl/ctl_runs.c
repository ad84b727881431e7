
/*
 * Starts runs and watches them.
 */

#include "ctl_api.h"
#include "ctl_arguments.h"
#include "ctl_follow.h"
#include "ctl_output.h"
#include "ctl_request.h"
#include "ctl_run.h"
#include "ctl_suite.h"



ctl_exit_e
ctl_run_runs_start(ctl_t *ctl)
{
    char          *id;
    json_t        *body;
    ctl_exit_e     rc;
    const char    *suite;
    ctl_answer_t   answer;

    suite = ctl_option(ctl->arguments, "suite");
    body = ctl_request_members(ctl, CTL_BODY);

    if (body == NULL) {
        return CTL_USAGE;
    }

    if ((suite == NULL)
        == (ctl_option(ctl->arguments, "case") == NULL))
    {
        json_decref(body);
        return ctl_problem(ctl, CTL_USAGE, "give --suite, or --case once or "
                           "more; \"voicectl suites\" lists suites");
    }

    rc = suite == NULL ? CTL_OK : ctl_suite_find(ctl, suite, body);

    if (rc != CTL_OK) {
        json_decref(body);
        return rc;
    }

    rc = ctl_api_call(ctl, &(ctl_call_t) { .method = "POST",
                      .path = "/api/v1/test-runs", .body = body }, &answer);
    json_decref(body);
    id = rc != CTL_OK ? NULL : ctl_copy(voice_json_text(answer.data, "id"));

    if (rc == CTL_OK && ctl_option(ctl->arguments, "wait") != NULL) {
        ctl_note(ctl, "run %s", id);
        rc = ctl_follow(ctl, id);

    } else if (rc == CTL_OK && ctl->json) {
        ctl_write_json(ctl, answer.data);

    } else if (rc == CTL_OK) {
        ctl_say(ctl, "%s", id);
    }

    free(id);
    ctl_api_release(&answer);

    return rc;
}


ctl_exit_e
ctl_run_runs_watch(ctl_t *ctl)
{
    return ctl_follow(ctl, ctl_word(ctl, 0));
}
