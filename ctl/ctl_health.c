
/*
 * How the pools are: what is wrong first, in a line each.
 */

#include "ctl_api.h"
#include "ctl_json.h"
#include "ctl_output.h"
#include "ctl_run.h"
#include "ctl_show.h"
#include "ctl_text.h"


#define HEALTH_WIDTH  10               /* columns of a level's word */


static void tell(const ctl_t *ctl, const json_t *health);
static void put(const ctl_t *ctl, ctl_buffer_t *out, const char *level,
    const char *text);


ctl_exit_e
ctl_run_workers_health(ctl_t *ctl)
{
    ctl_exit_e     rc;
    ctl_answer_t   answer;
    const json_t  *health;

    rc = ctl_api_call(ctl, &(ctl_call_t) { .method = "GET",
                      .path = "/workers/health",
                      .caller = CTL_AS_NOBODY }, &answer);

    if (rc == CTL_OK) {
        health = answer.reply;

        if (ctl->json) {
            ctl_write_json(ctl, health);

        } else if (!ctl->quiet) {
            tell(ctl, health);
        }

        rc = strcmp(ctl_json_text(health, "status"), "critical") == 0
             ? CTL_FAILED : CTL_OK;
    }

    ctl_api_release(&answer);

    return rc;
}


static void
tell(const ctl_t *ctl, const json_t *health)
{
    size_t         i;
    char          *text;
    json_t        *totals, *alerts, *alert;
    ctl_buffer_t   out = { 0 };

    totals = json_object_get(health, "totals");
    alerts = json_object_get(health, "alerts");

    text = ctl_format("%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
                      " pools of the last hour online",
                      json_integer_value(json_object_get(totals, "online")),
                      json_integer_value(json_object_get(totals,
                                                         "workers")));
    put(ctl, &out, ctl_json_text(health, "status"), text);
    free(text);

    json_array_foreach(alerts, i, alert) {
        put(ctl, &out, ctl_json_text(alert, "level"),
            ctl_json_text(alert, "message"));
    }

    ctl_write(&out);
    ctl_buffer_release(&out);
}


static void
put(const ctl_t *ctl, ctl_buffer_t *out, const char *level, const char *text)
{
    size_t  len;

    len = strlen(level);
    ctl_paint(out, voice_span_str(level), ctl->screen.color
              ? ctl_state_color(voice_span_str(level)) : CTL_PLAIN);
    ctl_buffer_fill(out, ' ', len < HEALTH_WIDTH ? HEALTH_WIDTH - len : 1);
    ctl_text_safe(out, voice_span_str(text), 0);
    ctl_buffer_put(out, "\n");
}
