/*
 * Problems as FastAPI lists them, see voice_detail.h.
 */

#include "voice_detail.h"


#define DETAIL_INDEX_MAX  9            /* digits of a place in a list */


static json_t *detail_item(const char *path, const char *reason);
static json_t *detail_place(const char *path);
static json_t *detail_part(const char *text, size_t len);
static const char *detail_type(const char *reason);


/* The first row whose words the reason begins with and holds. */
static const struct {
    const char  *begins;
    const char  *holds;
    const char  *type;
} detail_types[] = {
    { "is required", "", "missing" },
    { "is not allowed", "", "extra_forbidden" },
    { "is not a known parameter", "", "extra_forbidden" },
    { "must be an integer", "", "int_type" },
    { "must be a number", "", "float_type" },
    { "must be a string", "", "string_type" },
    { "must be a boolean", "", "bool_type" },
    { "must be true or false", "", "bool_parsing" },
    { "must be an array", "", "list_type" },
    { "must be an object", "", "dict_type" },
    { "must be at least ", "", "greater_than_equal" },
    { "must be at most ", "", "less_than_equal" },
    { "must be above ", "", "greater_than" },
    { "must be below ", "", "less_than" },
    { "must be a multiple of ", "", "multiple_of" },
    { "must have at least ", " character", "string_too_short" },
    { "must have at most ", " character", "string_too_long" },
    { "must have at least ", "", "too_short" },
    { "must have at most ", "", "too_long" },
    { "must be one of", "", "enum" },
    { "does not match the pattern ", "", "string_pattern_mismatch" },
};


json_t *
voice_detail_list(const json_t *problems)
{
    size_t       i;
    json_t      *list, *problem, *item;
    const char  *path, *reason;

    list = json_array();

    json_array_foreach(problems, i, problem) {
        path = json_string_value(json_object_get(problem, "path"));
        reason = json_string_value(json_object_get(problem, "reason"));

        if (path == NULL || reason == NULL) {
            continue;
        }

        item = detail_item(path, reason);

        if (item == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


static json_t *
detail_item(const char *path, const char *reason)
{
    return json_pack("{s:s, s:o, s:s}", "type", detail_type(reason),
                     "loc", detail_place(path), "msg", reason);
}


/* The parts of a JSON Pointer. */
static json_t *
detail_place(const char *path)
{
    json_t      *place;
    const char  *end;

    place = json_array();

    while (place != NULL && *path == '/') {
        path++;
        end = path + strcspn(path, "/");

        if (json_array_append_new(place,
                                  detail_part(path, (size_t) (end - path)))
            != 0)
        {
            json_decref(place);
            return NULL;
        }

        path = end;
    }

    return place;
}


static json_t *
detail_part(const char *text, size_t len)
{
    char         part[256];            /* as long as a problem's path */
    size_t       i, n;
    json_int_t   number;

    number = 0;

    for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
        number = i < DETAIL_INDEX_MAX ? number * 10 + text[i] - '0' : 0;
    }

    if (len > 0 && i == len && len <= DETAIL_INDEX_MAX) {
        return json_integer(number);
    }

    n = 0;

    for (i = 0; i < len && n < sizeof(part); i++) {
        if (text[i] == '~' && i + 1 < len) {
            i++;
            part[n++] = text[i] == '0' ? '~' : '/';
            continue;
        }

        part[n++] = text[i];
    }

    return json_stringn_nocheck(part, n);
}


static const char *
detail_type(const char *reason)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(detail_types); i++) {
        if (strncmp(reason, detail_types[i].begins,
                    strlen(detail_types[i].begins)) == 0
            && strstr(reason, detail_types[i].holds) != NULL)
        {
            return detail_types[i].type;
        }
    }

    return "value_error";
}
