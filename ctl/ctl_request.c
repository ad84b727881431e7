
/*
 * What most commands do.
 */

#include <unistd.h>

#include "ctl_api.h"
#include "ctl_arguments.h"
#include "ctl_output.h"
#include "ctl_profile.h"
#include "ctl_request.h"
#include "ctl_show.h"
#include "ctl_signal.h"


#define REQUEST_LIMIT  20              /* items, unless --limit says */


static ctl_exit_e run_one(ctl_t *ctl, const char *const *words,
    const json_t *query, const json_t *body);
static int has_body(const ctl_command_t *command);
static ctl_exit_e confirm(const ctl_t *ctl);
static json_t *option_value(const ctl_t *ctl, const ctl_given_t *given);
static json_t *json_option(const ctl_t *ctl, const ctl_given_t *given);
static void put(json_t *members, const ctl_given_t *given, json_t *value);
static char *member_name(const ctl_option_t *option);


ctl_exit_e
ctl_run_list(ctl_t *ctl)
{
    char                   *path;
    json_t                 *query, *items;
    size_t                  total, limit;
    ctl_call_t              call = { .method = "GET" };
    ctl_exit_e              rc;
    const ctl_request_t    *request;

    request = ctl->command->request;
    query = ctl_request_members(ctl, CTL_QUERY);
    limit = ctl_option(ctl->arguments, "all") != NULL ? 0
            : (size_t) ctl_option_number(ctl->arguments, "limit",
                                         REQUEST_LIMIT);

    path = ctl_api_path(request->path, ctl->arguments->words);
    call.path = path;
    call.query = query;
    call.whole = request->whole;
    limit = request->whole ? 0 : limit;
    items = ctl_api_list(ctl, &call, limit, &total, &rc);
    json_decref(query);
    free(path);

    if (items == NULL) {
        return rc;
    }

    if (ctl->json) {
        ctl_write_json(ctl, items);

    } else if (json_array_size(items) == 0) {
        ctl_note(ctl, "%s", request->empty);

    } else {
        ctl_show_list(ctl, items, request->fields);

        if (total > json_array_size(items)) {
            ctl_note(ctl, "%zu of %zu; --all shows all",
                     json_array_size(items), total);
        }
    }

    json_decref(items);

    return CTL_OK;
}


ctl_exit_e
ctl_run_request(ctl_t *ctl)
{
    size_t        i, count;
    json_t       *query, *body;
    ctl_exit_e    rc, one;

    query = ctl_request_members(ctl, CTL_QUERY);
    body = ctl_request_members(ctl, CTL_BODY);
    rc = query == NULL || body == NULL ? CTL_USAGE : confirm(ctl);

    count = ctl->command->words == NULL || ctl->command->max == 1
            || ctl->command->request->ids != NULL ? 1
            : ctl->arguments->nwords;

    for (i = 0; i < count && (rc == CTL_OK || i > 0)
         && rc != CTL_INTERRUPTED; i++)
    {
        one = run_one(ctl, ctl->arguments->words + i, query, body);
        rc = rc == CTL_OK ? one : rc;
    }

    json_decref(query);
    json_decref(body);

    return rc;
}


json_t *
ctl_request_members(const ctl_t *ctl, ctl_place_e place)
{
    size_t              i;
    json_t             *members, *value;
    const ctl_given_t  *given;

    members = json_object();

    for (i = 0; i < ctl->arguments->ngiven; i++) {
        given = &ctl->arguments->given[i];

        if (given->option->place != place) {
            continue;
        }

        value = place == CTL_QUERY && given->option->kind != CTL_SECONDS
                ? json_string(given->value == NULL ? "true" : given->value)
                : option_value(ctl, given);

        if (value == NULL) {
            ctl_problem(ctl, CTL_USAGE, "--%s: that is no UTF-8 or no JSON",
                        given->option->name);
            json_decref(members);
            return NULL;
        }

        put(members, given, value);
    }

    return members;
}


const char *
ctl_word(const ctl_t *ctl, size_t n)
{
    return n < ctl->arguments->nwords ? ctl->arguments->words[n] : NULL;
}


void
ctl_request_show(const ctl_t *ctl, const json_t *data)
{
    if (ctl->json) {
        ctl_write_json(ctl, data == NULL ? json_null() : data);

    } else if (!ctl->quiet && json_is_object(data)) {
        ctl_show_object(ctl, data);
    }
}


static ctl_exit_e
run_one(ctl_t *ctl, const char *const *words, const json_t *query,
    const json_t *body)
{
    char                 *path;
    size_t                i;
    json_t               *ids;
    ctl_exit_e            rc;
    ctl_answer_t          answer;
    const ctl_request_t  *request;

    request = ctl->command->request;
    ids = json_array();

    for (i = 0; request->ids != NULL && i < ctl->arguments->nwords; i++) {

        /* without it all would be meant */
        if (json_array_append_new(ids, json_string(words[i])) == -1) {
            json_decref(ids);
            return ctl_problem(ctl, CTL_USAGE, "\"%s\" is no id", words[i]);
        }
    }

    if (json_array_size(ids) > 0) {
        json_object_set((json_t *) body, request->ids, ids);
    }

    path = ctl_api_path(request->path, words);
    rc = ctl_api_call(ctl, &(ctl_call_t) {
        .method = request->method, .path = path, .query = query,
        .body = has_body(ctl->command) ? body : NULL }, &answer);
    json_decref(ids);
    free(path);

    if (rc == CTL_OK && (request->said == NULL || ctl->json)) {
        ctl_request_show(ctl, answer.data != NULL ? answer.data
                                                  : answer.reply);

    } else if (rc == CTL_OK) {
        ctl_say(ctl, "%s: %s", words[0], request->said);
    }

    ctl_api_release(&answer);

    return rc;
}


/* Does the API take one, be it empty? */
static int
has_body(const ctl_command_t *command)
{
    const ctl_option_t  *option;

    for (option = command->options; option != NULL && option->name != NULL;
         option++)
    {
        if (option->place == CTL_BODY) {
            return 1;
        }
    }

    return 0;
}


static ctl_exit_e
confirm(const ctl_t *ctl)
{
    char         reply[16];
    const char  *what;

    what = ctl->command->request->confirm;

    if (what == NULL || ctl_option(ctl->arguments, "yes") != NULL) {
        return CTL_OK;
    }

    if (!isatty(STDIN_FILENO) || !ctl->screen.error_terminal) {
        return ctl_problem(ctl, CTL_USAGE, "this asks first: %s?  Say --yes "
                           "where nobody can answer", what);
    }

    fprintf(stderr, "%s at %s? [y/N] ", what, ctl->profile->url);

    if (ctl_input_wait() && fgets(reply, sizeof(reply), stdin) != NULL
        && (reply[0] == 'y' || reply[0] == 'Y'))
    {
        return CTL_OK;
    }

    return ctl_problem(ctl, ctl_interrupted() ? CTL_INTERRUPTED : CTL_USAGE,
                       "nothing was done");
}


/* NULL: it is none. */
static json_t *
option_value(const ctl_t *ctl, const ctl_given_t *given)
{
    switch (given->option->kind) {

    case CTL_FLAG:
        return json_true();

    case CTL_NUMBER:
    case CTL_SECONDS:
        return json_integer(ctl_seconds(given->value));

    case CTL_PAIR:
        return json_string(strchr(given->value, '=') + 1);

    case CTL_JSON:
        return json_option(ctl, given);

    default:
        return json_string(given->value);
    }
}


/* The text itself, or @FILE. */
static json_t *
json_option(const ctl_t *ctl, const ctl_given_t *given)
{
    json_t        *value;
    json_error_t   error;

    value = given->value[0] == '@'
            ? json_load_file(given->value + 1, JSON_REJECT_DUPLICATES
                             | JSON_DECODE_ANY, &error)
            : json_loads(given->value, JSON_REJECT_DUPLICATES
                         | JSON_DECODE_ANY, &error);

    if (value == NULL) {
        ctl_note(ctl, "voicectl: --%s: %s (line %d)", given->option->name,
                 error.text, error.line);
    }

    return value;
}


/* Values that are repeated become a list, pairs an object. */
static void
put(json_t *members, const ctl_given_t *given, json_t *value)
{
    char    *name, *key;
    json_t  *whole;

    name = member_name(given->option);
    whole = json_object_get(members, name);

    if (whole == NULL && given->option->kind == CTL_PAIR) {
        whole = json_object();
        json_object_set_new(members, name, whole);

    } else if (whole == NULL && given->option->repeat) {
        whole = json_array();
        json_object_set_new(members, name, whole);
    }

    if (given->option->kind == CTL_PAIR) {
        key = ctl_copy(voice_span(given->value,
                                  strcspn(given->value, "=")));
        json_object_set_new(whole, key, value);
        free(key);

    } else if (given->option->repeat) {
        json_array_append_new(whole, value);

    } else {
        json_object_set_new(members, name, value);
    }

    free(name);
}


/* "older-than" is older_than in the API, unless the row says otherwise. */
static char *
member_name(const ctl_option_t *option)
{
    char  *name, *at;

    name = ctl_copy(voice_span_str(option->member == NULL ? option->name
                                                          : option->member));

    for (at = name; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : *at;
    }

    return name;
}
