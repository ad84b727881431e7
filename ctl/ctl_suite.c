
/*
 * Suites by their names.
 */

#include "ctl_api.h"
#include "ctl_json.h"
#include "ctl_output.h"
#include "ctl_suite.h"


static ctl_exit_e choose(ctl_t *ctl, const char *name, const json_t *suites,
    json_t *body);
static int is_uuid(const char *text);


ctl_exit_e
ctl_suite_find(ctl_t *ctl, const char *name, json_t *body)
{
    json_t      *query, *suites;
    size_t       total;
    ctl_exit_e   rc;

    if (is_uuid(name)) {
        json_object_set_new(body, "suite_id", json_string(name));
        return CTL_OK;
    }

    query = json_pack("{s:s}", "search", name);
    suites = ctl_api_list(ctl, &(ctl_call_t) { .method = "GET",
                          .path = "/api/v1/test-suites", .query = query },
                          0, &total, &rc);
    json_decref(query);

    if (suites != NULL) {
        rc = choose(ctl, name, suites, body);
        json_decref(suites);
    }

    return rc;
}


static ctl_exit_e
choose(ctl_t *ctl, const char *name, const json_t *suites, json_t *body)
{
    size_t         i, found;
    const json_t  *suite;

    found = 0;

    for (i = 0; i < json_array_size(suites); i++) {
        suite = json_array_get(suites, i);

        if (voice_span_eq(voice_json_text(suite, "name"),
                          voice_span_str(name)))
        {
            found++;
            json_object_set(body, "suite_id", json_object_get(suite, "id"));
        }
    }

    if (found == 1) {
        return CTL_OK;
    }

    if (found > 1) {
        return ctl_problem(ctl, CTL_USAGE, "%zu suites are named \"%s\": "
                           "give the id of one", found, name);
    }

    if (json_array_size(suites) == 0) {
        return ctl_problem(ctl, CTL_NOT_FOUND, "there is no suite \"%s\"",
                           name);
    }

    return ctl_problem(ctl, CTL_NOT_FOUND, "there is no suite \"%s\"; do you "
                       "mean \"%s\"?", name, ctl_json_text(
                       json_array_get(suites, 0), "name"));
}


static int
is_uuid(const char *text)
{
    size_t  i;

    for (i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23
            ? text[i] != '-'
            : strchr("0123456789abcdefABCDEF", text[i]) == NULL
              || text[i] == '\0')
        {
            return 0;
        }
    }

    return text[36] == '\0';
}
