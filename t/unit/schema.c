/*
 * JSON Schema, what the published suite does not ask: refusals, paths,
 * bounds, defaults.
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_schema.h"


static void refusals(void);
static void paths(void);
static void bounds(void);
static void big_lists(void);
static void slow_texts(void);
static void deep_value(void);
static void defaults(void);
static void reasons(void);
static int check_text(const char *schema, const char *value,
    voice_problems_t *problems);
static voice_rc_t check_value(const char *schema, const json_t *value,
    voice_problems_t *problems);
static json_t *parse(const char *text);


int
main(void)
{
    refusals();
    paths();
    bounds();
    big_lists();
    slow_texts();
    deep_value();
    defaults();
    reasons();

    return done_testing();
}


static void
refusals(void)
{
    size_t            i;
    json_t           *schema;
    voice_schemas_t  *set;
    voice_problem_t   problem;

    static const struct {
        const char  *schema;
        const char  *path;
        const char  *name;
    } rows[] = {
        { "{\"properties\":{\"a/b\":{\"typ\":\"string\"}}}",
          "/properties/a~1b/typ", "an unknown keyword" },
        { "{\"items\":{\"$ref\":\"#/$defs/none\"}}", "/items/$ref",
          "a dangling reference" },
        { "{\"$ref\":\"http://example.org/\"}", "/$ref",
          "a remote reference" },
        { "{\"allOf\":[true,{\"pattern\":\"(\"}]}", "/allOf/1/pattern",
          "a broken pattern" },
        { "{\"patternProperties\":{\"[\":true}}", "/patternProperties",
          "a broken pattern of names" },
        { "{\"type\":\"strin\"}", "/type", "an unknown type" },
        { "{\"type\":[]}", "/type", "no type at all" },
        { "{\"type\":[\"null\",\"null\"]}", "/type", "a type twice" },
        { "{\"minLength\":-1}", "/minLength", "a negative length" },
        { "{\"maxItems\":1.5}", "/maxItems", "a fraction of an item" },
        { "{\"maximum\":\"1\"}", "/maximum", "a bound that is no number" },
        { "{\"multipleOf\":0}", "/multipleOf", "a multiple of zero" },
        { "{\"enum\":[]}", "/enum", "an empty enum" },
        { "{\"required\":[1]}", "/required", "a name that is no string" },
        { "{\"allOf\":[]}", "/allOf", "an empty list of schemas" },
        { "{\"properties\":{\"a\":1}}", "/properties/a",
          "a schema that is a number" },
        { "{\"not\":[]}", "/not", "a schema that is a list" },
        { "{\"uniqueItems\":1}", "/uniqueItems", "a flag that is a number" },
        { "{\"dependentRequired\":{\"a\":\"b\"}}", "/dependentRequired",
          "a dependency that is no list" },
        { "{\"$ref\":\"#\"}", "", "a reference to itself" },
        { "{\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/b\"}]},"
          "\"b\":{\"not\":{\"$ref\":\"#/$defs/a\"}}}}", "/$defs/a",
          "a circle of references" },
        { "{\"unevaluatedProperties\":false}", "/unevaluatedProperties",
          "a keyword of the draft that we leave out" },
        { "{\"then\":{\"nullable\":true}}", "/then/nullable",
          "an unknown keyword below \"then\"" },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        schema = parse(rows[i].schema);
        set = voice_schemas_create(schema);

        ok(voice_schema_compile(set, schema, &problem) == NULL,
           "%s is refused", rows[i].name);
        is(problem.path, rows[i].path, "and its place is named");
        ok(voice_schema_compile(set, json_true(), &problem) == NULL,
           "after a failure the set is of no use");

        voice_schemas_destroy(set);
        json_decref(schema);
    }
}


static void
paths(void)
{
    size_t            i;
    voice_problems_t  problems;

    static const struct {
        const char  *schema;
        const char  *value;
        const char  *path;
        const char  *reason;
    } rows[] = {
        { "{\"type\":\"object\"}", "[]", "/body", "must be an object" },
        { "{\"type\":[\"string\",\"null\"]}", "1", "/body",
          "must be null or a string" },
        { "{\"properties\":{\"a\":{\"items\":{\"type\":\"integer\"}}}}",
          "{\"a\":[1,\"x\"]}", "/body/a/1", "must be an integer" },
        { "{\"properties\":{\"a/b~c\":{\"minimum\":2}}}", "{\"a/b~c\":1}",
          "/body/a~1b~0c", "must be at least 2" },
        { "{\"required\":[\"name\"]}", "{}", "/body/name", "is required" },
        { "{\"additionalProperties\":false}", "{\"x\":1}", "/body/x",
          "is not allowed" },
        { "{\"enum\":[\"a\",\"b\"]}", "\"c\"", "/body",
          "must be one of: a, b" },
        { "{\"uniqueItems\":true}", "[1,2,1.0]", "/body/2",
          "stands twice in the list" },
        { "{\"maxLength\":1}", "\"ab\"", "/body",
          "must have at most 1 character" },
        { "{\"format\":\"uuid\"}", "\"x\"", "/body",
          "is not of the format uuid" },
        { "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}", "1",
          "/body", "has none of the allowed forms" },
        { "{\"if\":{\"properties\":{\"a\":{\"const\":1}}},"
          "\"then\":{\"required\":[\"b\"]}}", "{\"a\":1}", "/body/b",
          "is required" },
        { "{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", "/body/ab",
          "has a name that is not allowed" },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(!check_text(rows[i].schema, rows[i].value, &problems)
           && problems.count == 1, "%s does not take %s", rows[i].schema,
           rows[i].value);
        is(problems.items[0].path, rows[i].path, "its place is named");
        is(problems.items[0].reason, rows[i].reason, "its reason is named");
    }

    (void) check_text("{\"required\":[\"a\",\"b\"],\"maxProperties\":1}",
                      "{\"c\":1,\"d\":2}", &problems);
    ok(problems.count == 3, "all that is wrong is told");
}


static void
bounds(void)
{
    size_t            i;
    char              schema[4096], *p;
    voice_problems_t  problems;

    ok(!check_text("{\"pattern\":\"^(a+)+$\"}",
                   "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"",
                   &problems),
       "a pattern that explodes is a refusal, soon");
    ok(!check_text("{\"not\":{\"pattern\":\"^(a+)+$\"}}",
                   "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"",
                   &problems),
       "below \"not\", too");

    p = schema;
    memset(schema, 'a', sizeof(schema));
    schema[0] = '"';
    (void) snprintf(schema + 4000, 2, "\"");
    ok(check_text("{\"pattern\":\"^(?:a|b)*$\"}", schema, &problems),
       "a long text is no trouble for a good pattern");

    p += snprintf(p, 64, "{\"$ref\":\"#/$defs/0\",\"$defs\":{\"28\":true");

    for (i = 0; i < 28; i++) {
        p += snprintf(p, 128, ",\"%zu\":{\"allOf\":[{\"$ref\":\"#/$defs/%zu"
                      "\"},{\"$ref\":\"#/$defs/%zu\"}]}", i, i + 1, i + 1);
    }

    (void) snprintf(p, 8, "}}");
    ok(!check_text(schema, "1", &problems)
       && strcmp(problems.items[0].reason, "is too large to check") == 0,
       "schemas that double the work at each step are bounded");
}


static void
big_lists(void)
{
    size_t             i;
    json_t            *value;
    voice_problems_t   problems;

    value = json_array();

    for (i = 0; i < 200000; i++) {
        (void) json_array_append_new(value, json_integer((json_int_t) i));
    }

    ok(check_value("{\"uniqueItems\":true,\"items\":{\"type\":\"integer\"}}",
                   value, &problems)
       == VOICE_OK, "200000 different items are compared in a moment");

    ok(check_value("{\"items\":false}", value, &problems) == VOICE_INVALID
       && problems.count == 200000, "problems past the bound only count");

    json_decref(value);
}


/* Each text alone is within the bounds, all together are not. */
static void
slow_texts(void)
{
    size_t             i;
    json_t            *value;
    voice_problems_t   problems;

    value = json_array();

    for (i = 0; i < 20000; i++) {
        (void) json_array_append_new(value, json_string("aaaaaaaaaaaaaa!"));
    }

    ok(check_value("{\"items\":{\"pattern\":\"^(a+)+$\"}}", value, &problems)
       == VOICE_INVALID
       && problems.count < 20000, "slow patterns have one budget together");

    json_decref(value);
}


static void
deep_value(void)
{
    size_t             i;
    json_t            *value;
    voice_problems_t   problems;

    value = json_integer(1);

    for (i = 0; i < 5000; i++) {
        value = json_pack("[o]", value);
    }

    ok(check_value("{\"items\":{\"$ref\":\"#\"}}", value, &problems)
       == VOICE_INVALID, "a value nested without end is refused");
    is(problems.items[0].path, "/body", "as a whole");

    json_decref(value);
}


static void
defaults(void)
{
    char             *text;
    json_t           *schema, *value;
    voice_schemas_t  *set;
    voice_problem_t   problem;

    schema = parse("{\"properties\":{\"a\":{\"default\":1},\"b\":"
                   "{\"$ref\":\"#/$defs/b\"},\"c\":{\"default\":[]},"
                   "\"d\":{\"items\":{\"properties\":{\"e\":"
                   "{\"default\":true}}}},\"f\":{}},"
                   "\"$defs\":{\"b\":{\"default\":{\"x\":1}}}}");
    value = parse("{\"c\":null,\"d\":[{},{\"e\":false}]}");
    set = voice_schemas_create(schema);

    ok(voice_schema_defaults(voice_schema_compile(set, schema, &problem),
                             value)
       == VOICE_OK, "defaults are set");

    text = json_dumps(value, JSON_COMPACT|JSON_SORT_KEYS);
    is(text, "{\"a\":1,\"b\":{\"x\":1},\"c\":null,\"d\":[{\"e\":true},"
       "{\"e\":false}]}", "where nothing was sent, and only there");
    free(text);

    (void) json_object_set_new(json_object_get(value, "b"), "x",
                               json_integer(2));
    ok(json_integer_value(voice_json_at(schema, "/$defs/b/default/x")) == 1,
       "the value has its own copy");

    voice_schemas_destroy(set);
    json_decref(schema);
    json_decref(value);
}


static void
reasons(void)
{
    size_t             i;
    char               path[600];
    json_t            *list;
    voice_problems_t   problems;

    memset(&problems, 0, sizeof(problems));
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    path[254] = (char) 0xc3;

    voice_problem_add(&problems, path, "%s", path);
    voice_problem_add(&problems, "/a\xff\nb", "is %d", 7);

    is(problems.items[1].path, "/a??b", "what is not UTF-8 or a control is "
       "replaced");
    is(problems.items[1].reason, "is 7", "a reason is formatted");

    for (i = 0; i < 30; i++) {
        voice_problem_add(&problems, "", "again");
    }

    ok(problems.count == 32, "all problems are counted");

    list = voice_problems_json(&problems);
    ok(json_array_size(list) == VOICE_PROBLEMS_MAX, "a bounded list is told");
    is(voice_json_text(json_array_get(list, 1), "reason").ptr, "is 7",
       "with path and reason");
    json_decref(list);
}


/* Is the value good? */
static int
check_text(const char *schema, const char *value, voice_problems_t *problems)
{
    int      good;
    json_t  *tree;

    tree = parse(value);
    good = check_value(schema, tree, problems) == VOICE_OK;
    json_decref(tree);

    return good;
}


static voice_rc_t
check_value(const char *schema, const json_t *value,
    voice_problems_t *problems)
{
    json_t                *document;
    voice_rc_t             rc;
    voice_schemas_t       *set;
    voice_problem_t        problem;
    const voice_schema_t  *compiled;

    memset(problems, 0, sizeof(voice_problems_t));
    document = parse(schema);
    set = voice_schemas_create(document);
    compiled = voice_schema_compile(set, document, &problem);

    rc = compiled == NULL ? VOICE_FAILED
                          : voice_schema_check(compiled, value, "/body",
                                               problems);

    voice_schemas_destroy(set);
    json_decref(document);

    return rc;
}


static json_t *
parse(const char *text)
{
    voice_json_error_t  err;

    return voice_json_parse(voice_span_str(text), &err);
}
