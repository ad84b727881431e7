/*
 * Problems as FastAPI lists them: types told from reasons, places from
 * pointers.
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_detail.h"
#include "voice_schema.h"


static void types(void);
static void places(void);
static void nothing(void);
static json_t *item(const char *path, const char *reason);


int
main(void)
{
    types();
    places();
    nothing();

    return done_testing();
}


/* Reasons as the checker of schemas writes them. */
static void
types(void)
{
    size_t             i;
    json_t            *document, *value, *list, *problems_json;
    voice_problem_t    problem;
    voice_schemas_t   *set;
    voice_problems_t   problems;

    static const struct {
        const char  *schema;
        const char  *value;
        const char  *type;
    } rows[] = {
        { "{\"type\":\"integer\"}", "\"x\"", "int_type" },
        { "{\"type\":\"integer\"}", "1.5", "int_type" },
        { "{\"type\":\"number\"}", "\"x\"", "float_type" },
        { "{\"type\":\"string\"}", "1", "string_type" },
        { "{\"type\":\"boolean\"}", "1", "bool_type" },
        { "{\"type\":\"array\"}", "1", "list_type" },
        { "{\"type\":\"object\"}", "1", "dict_type" },
        { "{\"minimum\":0}", "-1", "greater_than_equal" },
        { "{\"maximum\":5}", "6", "less_than_equal" },
        { "{\"exclusiveMinimum\":0}", "0", "greater_than" },
        { "{\"exclusiveMaximum\":0}", "0", "less_than" },
        { "{\"multipleOf\":2}", "3", "multiple_of" },
        { "{\"minLength\":1}", "\"\"", "string_too_short" },
        { "{\"maxLength\":1}", "\"ab\"", "string_too_long" },
        { "{\"minItems\":1}", "[]", "too_short" },
        { "{\"maxItems\":1}", "[1,2]", "too_long" },
        { "{\"enum\":[\"a\"]}", "\"b\"", "enum" },
        { "{\"pattern\":\"^a$\"}", "\"b\"", "string_pattern_mismatch" },
        { "{\"format\":\"uuid\"}", "\"b\"", "value_error" },
        { "{\"required\":[\"a\"]}", "{}", "missing" },
        { "{\"additionalProperties\":false}", "{\"a\":1}",
          "extra_forbidden" },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        document = json_loads(rows[i].schema, 0, NULL);
        value = json_loads(rows[i].value, JSON_DECODE_ANY, NULL);
        set = voice_schemas_create(document);
        problems.count = 0;

        ok(voice_schema_check(voice_schema_compile(set, document, &problem),
                              value, "/body", &problems) == VOICE_INVALID,
           "%s is refused by %s", rows[i].value, rows[i].schema);

        problems_json = voice_problems_json(&problems);
        list = voice_detail_list(problems_json);
        is(json_string_value(json_object_get(json_array_get(list, 0),
                                             "type")),
           rows[i].type, "and the type is told");

        json_decref(list);
        json_decref(problems_json);
        json_decref(value);
        voice_schemas_destroy(set);
        json_decref(document);
    }
}


static void
places(void)
{
    size_t   i;
    char    *text;
    json_t  *list, *problems;

    static const struct {
        const char  *path;
        const char  *place;
    } rows[] = {
        { "/body/sequence", "[\"body\",\"sequence\"]" },
        { "/body", "[\"body\"]" },
        { "", "[]" },
        { "/body/list/12/name", "[\"body\",\"list\",12,\"name\"]" },
        { "/body/a~1b~0c", "[\"body\",\"a/b~c\"]" },
        { "/body/~", "[\"body\",\"~\"]" },
        { "/body//x", "[\"body\",\"\",\"x\"]" },
        { "/body/1234567890", "[\"body\",\"1234567890\"]" },
        { "/body/1a", "[\"body\",\"1a\"]" },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        problems = json_pack("[o]", item(rows[i].path, "is bad"));
        list = voice_detail_list(problems);
        text = json_dumps(json_object_get(json_array_get(list, 0), "loc"),
                          JSON_COMPACT);

        is(text, rows[i].place, "a pointer is a list of its parts");
        is(json_string_value(json_object_get(json_array_get(list, 0),
                                             "msg")),
           "is bad", "the reason is the message");

        free(text);
        json_decref(list);
        json_decref(problems);
    }
}


static void
nothing(void)
{
    json_t  *list, *problems;

    list = voice_detail_list(NULL);
    ok(json_array_size(list) == 0, "no problems are an empty list");
    json_decref(list);

    problems = json_pack("[{s:s}, i, o]", "path", "/a", 7,
                         item("/b", "is bad"));
    list = voice_detail_list(problems);
    ok(json_array_size(list) == 1, "what is no problem is passed by");
    json_decref(list);
    json_decref(problems);
}


static json_t *
item(const char *path, const char *reason)
{
    return json_pack("{s:s, s:s}", "path", path, "reason", reason);
}
