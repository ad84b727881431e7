
/*
 * The settings of a kind of jobs: shows and changes them.
 */

#include "ctl_api.h"
#include "ctl_arguments.h"
#include "ctl_output.h"
#include "ctl_request.h"
#include "ctl_run.h"
#include "ctl_show.h"


static json_t *settings_given(ctl_t *ctl);
static json_t *setting_value(const char *text);
static void show_settings(const ctl_t *ctl, const json_t *kind);
static json_t *shown(json_t *value);


/* Words that stand for other values than texts. */
static const struct {
    const char  *word;
    json_t    *(*value)(void);
} words[] = {
    { "default", json_null }, { "yes", json_true }, { "no", json_false }
};


/* Words after the first are what is to be changed. */
ctl_exit_e
ctl_run_kind(ctl_t *ctl)
{
    char          *path;
    json_t        *body;
    ctl_exit_e     rc;
    ctl_answer_t   answer;

    body = NULL;

    if (ctl->arguments->nwords > 1) {
        body = settings_given(ctl);
        if (body == NULL) {
            return CTL_USAGE;
        }
    }

    path = ctl_api_path(ctl->command->request->path, ctl->arguments->words);
    rc = ctl_api_call(ctl, &(ctl_call_t) {
                      .method = ctl->command->request->method, .path = path,
                      .body = body }, &answer);
    free(path);
    json_decref(body);

    if (rc == CTL_OK && ctl->json) {
        ctl_write_json(ctl, answer.data);

    } else if (rc == CTL_OK && !ctl->quiet) {
        show_settings(ctl, answer.data);
    }

    ctl_api_release(&answer);

    return rc;
}


/* Owned; NULL: told why not. */
static json_t *
settings_given(ctl_t *ctl)
{
    size_t       i, len;
    json_t      *body;
    const char  *word;

    body = json_object();

    for (i = 1; i < ctl->arguments->nwords; i++) {
        word = ctl_word(ctl, i);
        len = strcspn(word, "=");

        if (len == 0 || word[len] == '\0'
            || json_object_setn_new(body, word, len,
                                    setting_value(word + len + 1)) != 0)
        {
            ctl_problem(ctl, CTL_USAGE, "\"%s\" is no NAME=VALUE", word);
            json_decref(body);
            return NULL;
        }
    }

    return body;
}


/* Numbers as such; NULL: it is no UTF-8. */
static json_t *
setting_value(const char *text)
{
    size_t   i;
    json_t  *value;

    for (i = 0; i < VOICE_ARRAY_SIZE(words); i++) {
        if (strcmp(text, words[i].word) == 0) {
            return words[i].value();
        }
    }

    value = json_loads(text, JSON_DECODE_ANY, NULL);

    return value != NULL ? value : json_string(text);
}


static void
show_settings(const ctl_t *ctl, const json_t *kind)
{
    json_t      *rows, *value, *usual, *row;
    const char  *name;

    rows = json_array();

    json_object_foreach(json_object_get(kind, "settings"), name, value) {
        usual = json_object_get(json_object_get(kind, "defaults"), name);
        row = json_pack("{s:s}", "setting", name);
        json_object_set_new(row, "value", shown(value));

        if (!json_equal(value, usual)) {
            json_object_set_new(row, "default", shown(usual));
        }

        json_array_append_new(rows, row);
    }

    ctl_show_list(ctl, rows, ctl->command->request->fields);
    json_decref(rows);
}


static json_t *
shown(json_t *value)
{
    return json_is_null(value) ? json_string("-") : json_incref(value);
}
