
/*
 * Lists queues: a line for each kind of jobs.
 */

#include "ctl_api.h"
#include "ctl_output.h"
#include "ctl_request.h"
#include "ctl_run.h"
#include "ctl_show.h"


static json_t *flat(const json_t *queues);
static void add_kind(json_t *rows, const json_t *queue, const json_t *kind);


ctl_exit_e
ctl_run_queues(ctl_t *ctl)
{
    json_t      *queues, *rows;
    size_t       total;
    ctl_exit_e   rc;

    queues = ctl_api_list(ctl, &(ctl_call_t) { .method = "GET",
                          .path = ctl->command->request->path, .whole = 1 },
                          0, &total, &rc);

    if (queues == NULL) {
        return rc;
    }

    if (ctl->json) {
        ctl_write_json(ctl, queues);

    } else {
        rows = flat(queues);
        ctl_show_list(ctl, rows, ctl->command->request->fields);
        json_decref(rows);
    }

    json_decref(queues);

    return CTL_OK;
}


static json_t *
flat(const json_t *queues)
{
    size_t         i, j;
    json_t        *rows;
    const json_t  *queue, *kinds;

    rows = json_array();

    for (i = 0; i < json_array_size(queues); i++) {
        queue = json_array_get(queues, i);
        kinds = json_object_get(queue, "kinds");

        for (j = 0; j < json_array_size(kinds); j++) {
            add_kind(rows, queue, json_array_get(kinds, j));
        }
    }

    return rows;
}


static void
add_kind(json_t *rows, const json_t *queue, const json_t *kind)
{
    int      paused;
    json_t  *row;

    paused = json_is_string(json_object_get(queue, "paused_at"))
             || json_is_string(json_object_get(kind, "paused_at"));
    row = json_copy((json_t *) kind);
    json_object_set(row, "queue", json_object_get(queue, "name"));
    json_object_set_new(row, "state", json_string(paused ? "paused" : ""));
    json_array_append_new(rows, row);
}
