/*
 * What checking costs: the branches that the code takes, counted, for inputs
 * that double.  Twice the input is twice the work, whatever it holds; where
 * a schema alone makes the work grow faster, it ends at a bound.
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_schema.h"


#define SIZE   500                     /* of the smallest input */
#define STEPS  4                       /* doublings */


/* Makes an input of that size; the caller owns it. */
typedef json_t *(*input_pt)(size_t n);


typedef struct {
    const char  *what;
    const char  *schema;
    input_pt     input;
    int          valid;
    double       growth;               /* allowed for twice the input */
} work_row_t;


void __sanitizer_cov_trace_pc(void);
static void linear(void);
static void linear_row(const work_row_t *row);
static void bounded(void);
static void defaults(void);
static void compiling(void);
static unsigned long work_of(const voice_schema_t *schema, json_t *value,
    int valid);
static voice_schemas_t *compile(json_t *document,
    const voice_schema_t **schema);
static json_t *numbers(size_t n);
static json_t *same_numbers(size_t n);
static json_t *same_prefixes(size_t n);
static json_t *objects(size_t n);
static json_t *wide(size_t n);
static json_t *wide_bad(size_t n);
static json_t *long_text(size_t n);
static json_t *long_host(size_t n);
static json_t *long_uri(size_t n);
static json_t *texts(size_t n);
static json_t *chains(size_t n);
static json_t *arrays(size_t n);
static json_t *nested(size_t depth);


static unsigned long  work_count;


/* A sort may take its logarithm. */
static const work_row_t  work_rows[] = {
    { "numbers in a range", "{\"items\":{\"type\":\"integer\",\"minimum\":0,"
      "\"maximum\":1e9,\"multipleOf\":1}}", numbers, 1, 2.1 },
    { "numbers that differ", "{\"uniqueItems\":true}", numbers, 1, 2.5 },
    { "numbers that are one", "{\"uniqueItems\":true}", same_numbers, 0,
      2.5 },
    { "texts of one beginning", "{\"uniqueItems\":true}", same_prefixes, 1,
      2.5 },
    { "objects that differ", "{\"uniqueItems\":true}", objects, 1, 2.5 },
    { "arrays of arrays that differ", "{\"uniqueItems\":true,\"items\":"
      "{\"uniqueItems\":true}}", arrays, 1, 2.5 },
    { "a contained number", "{\"contains\":{\"const\":-1},\"minContains\":1}",
      numbers, 0, 2.1 },
    { "members by name", "{\"additionalProperties\":false,\"properties\":"
      "{\"a\":true,\"b\":true},\"patternProperties\":{\"^k[0-9]+$\":"
      "{\"type\":\"integer\"}},\"propertyNames\":{\"maxLength\":20}}", wide,
      1, 2.1 },
    { "members that nobody asked for", "{\"additionalProperties\":false,"
      "\"properties\":{\"a\":true}}", wide, 0, 2.1 },
    { "members that are wrong", "{\"additionalProperties\":"
      "{\"type\":\"string\"}}", wide_bad, 0, 2.1 },
    { "members that need others", "{\"dependentRequired\":{\"k1\":[\"k2\"],"
      "\"k3\":[\"k4\",\"k5\"]},\"required\":[\"k1\"]}", wide, 1, 2.1 },
    { "a long text", "{\"type\":\"string\",\"minLength\":1,"
      "\"maxLength\":100000000,\"pattern\":\"^a*$\"}", long_text, 1, 2.1 },
    { "a long name of a host", "{\"format\":\"hostname\"}", long_host, 0,
      2.1 },
    { "a long address of mail", "{\"format\":\"email\"}", long_host, 0,
      2.1 },
    { "a long URI", "{\"format\":\"uri\"}", long_uri, 1, 2.1 },
    { "many texts against an enum", "{\"items\":{\"enum\":[\"a\",\"b\",\"c\","
      "\"d\",\"e\",\"f\",\"g\",\"h\",1,null,{},[]]}}", texts, 1, 2.1 },
    { "a union of objects", "{\"items\":{\"oneOf\":[{\"required\":[\"x\"]},"
      "{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]},"
      "{\"not\":{\"required\":[\"a\"]}}]}}", objects, 1, 2.1 },
    { "a choice by if", "{\"items\":{\"if\":{\"required\":[\"a\"]},\"then\":"
      "{\"properties\":{\"a\":{\"minimum\":0}}},\"else\":false}}", objects, 1,
      2.1 },
    { "trees by a schema that names itself", "{\"properties\":{\"a\":"
      "{\"$ref\":\"#\"},\"l\":{\"items\":{\"$ref\":\"#\"}}},"
      "\"additionalProperties\":false}", chains, 1, 2.1 },
};


int
main(void)
{
    linear();
    bounded();
    defaults();
    compiling();

    return done_testing();
}


/* Called by the counted code at each branch (-fsanitize-coverage=trace-pc). */
void
__sanitizer_cov_trace_pc(void)
{
    work_count++;
}


static void
linear(void)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(work_rows); i++) {
        linear_row(&work_rows[i]);
    }
}


static void
linear_row(const work_row_t *row)
{
    double                 growth, most;
    json_t                *document, *value;
    size_t                 i, n;
    unsigned long          now, before;
    voice_schemas_t       *set;
    const voice_schema_t  *schema;

    document = json_loads(row->schema, 0, NULL);
    set = compile(document, &schema);
    before = 0;
    most = 0;

    for (i = 0, n = SIZE; i <= STEPS; i++, n *= 2) {
        value = row->input(n);
        now = work_of(schema, value, row->valid);
        growth = before == 0 ? 0 : (double) now / (double) before;
        most = growth > most ? growth : most;
        before = now;
        json_decref(value);
    }

    ok(most > 0 && most <= row->growth,
       "%s: twice the input is %.2f times the work", row->what, most);

    voice_schemas_destroy(set);
    json_decref(document);
}


/*
 * Two branches that both go on below: each level doubles the work, until the
 * bound ends it.
 */
static void
bounded(void)
{
    size_t                 i, depth;
    json_t                *document, *value;
    unsigned long          now, most;
    voice_schemas_t       *set;
    const voice_schema_t  *schema;

    static const char *const  schemas[] = {
        "{\"oneOf\":[{\"properties\":{\"a\":{\"$ref\":\"#\"}}},"
        "{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"z\"]}]}",
        "{\"allOf\":[{\"properties\":{\"a\":{\"$ref\":\"#\"}}},"
        "{\"properties\":{\"a\":{\"$ref\":\"#\"}}}]}",
        "{\"anyOf\":[{\"properties\":{\"a\":{\"$ref\":\"#\"}},"
        "\"required\":[\"z\"]},{\"properties\":{\"a\":{\"$ref\":\"#\"}},"
        "\"required\":[\"y\"]}]}",
        "{\"not\":{\"allOf\":[{\"properties\":{\"a\":{\"$ref\":\"#\"}}},"
        "{\"not\":{\"properties\":{\"a\":{\"$ref\":\"#\"}}}}]}}",
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(schemas); i++) {
        document = json_loads(schemas[i], 0, NULL);
        set = compile(document, &schema);
        most = 0;

        for (depth = 8; depth <= VOICE_JSON_DEPTH; depth *= 2) {
            value = nested(depth);
            now = work_of(schema, value, -1);
            most = now > most ? now : most;
            json_decref(value);
        }

        ok(most < 1000000000, "%.20s... ends at a bound: %lu branches",
           schemas[i], most);

        voice_schemas_destroy(set);
        json_decref(document);
    }
}


static void
defaults(void)
{
    double                 growth, most;
    json_t                *document, *value;
    size_t                 i, n;
    voice_rc_t             rc;
    unsigned long          before;
    voice_schemas_t       *set;
    const voice_schema_t  *schema;

    document = json_loads("{\"items\":{\"properties\":{\"a\":{\"default\":1},"
                          "\"b\":{\"default\":[]},\"c\":{\"properties\":{"
                          "\"d\":{\"default\":2}}}}}}", 0, NULL);
    set = compile(document, &schema);
    before = 0;
    most = 0;
    rc = VOICE_OK;

    for (i = 0, n = SIZE; i <= STEPS; i++, n *= 2) {
        value = objects(n);
        work_count = 0;
        rc = rc == VOICE_OK ? voice_schema_defaults(schema, value) : rc;
        growth = before == 0 ? 0 : (double) work_count / (double) before;
        most = growth > most ? growth : most;
        before = work_count;
        json_decref(value);
    }

    ok(rc == VOICE_OK && most > 0 && most <= 2.1,
       "setting defaults: twice the input is %.2f times the work", most);

    voice_schemas_destroy(set);
    json_decref(document);
}


/* Once a schema, however often it is referred to. */
static void
compiling(void)
{
    json_t                *document;
    unsigned long          first;
    voice_problem_t        problem;
    voice_schemas_t       *set;
    const voice_schema_t  *schema, *again;

    document = json_loads("{\"$defs\":{\"a\":{\"properties\":{\"x\":"
                          "{\"pattern\":\"^(a|b)+$\"}}}},\"properties\":{"
                          "\"p\":{\"$ref\":\"#/$defs/a\"},"
                          "\"q\":{\"$ref\":\"#/$defs/a\"}}}", 0, NULL);
    work_count = 0;
    set = compile(document, &schema);
    first = work_count;
    work_count = 0;
    again = voice_schema_compile(set, document, &problem);

    ok(again == schema && work_count * 10 < first,
       "a schema is compiled once: %lu branches, then %lu", first,
       work_count);

    voice_schemas_destroy(set);
    json_decref(document);
}


/* valid -1: either will do. */
static unsigned long
work_of(const voice_schema_t *schema, json_t *value, int valid)
{
    voice_rc_t        rc;
    voice_problems_t  problems;

    memset(&problems, 0, sizeof(problems));
    work_count = 0;
    rc = voice_schema_check(schema, value, "", &problems);

    if (valid >= 0 && (rc == VOICE_OK) != valid) {
        ok(0, "%s %s", problems.items[0].path, problems.items[0].reason);
    }

    return work_count;
}


static voice_schemas_t *
compile(json_t *document, const voice_schema_t **schema)
{
    voice_problem_t   problem;
    voice_schemas_t  *set;

    set = voice_schemas_create(document);
    *schema = voice_schema_compile(set, document, &problem);

    if (*schema == NULL) {
        printf("Bail out! %s %s\n", problem.path, problem.reason);
        exit(1);
    }

    return set;
}


/* --- inputs ------------------------------------------------------------- */

static json_t *
numbers(size_t n)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < n; i++) {
        json_array_append_new(list, json_integer((json_int_t) (n - i)));
    }

    return list;
}


/* 1 and 1.0 are one number. */
static json_t *
same_numbers(size_t n)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < n; i++) {
        json_array_append_new(list, i % 2 ? json_integer(1) : json_real(1));
    }

    return list;
}


static json_t *
same_prefixes(size_t n)
{
    char     text[128];
    size_t   i;
    json_t  *list;

    list = json_array();
    memset(text, 'a', sizeof(text));

    for (i = 0; i < n; i++) {
        (void) snprintf(text + 100, sizeof(text) - 100, "%zu", i);
        json_array_append_new(list, json_string(text));
    }

    return list;
}


static json_t *
objects(size_t n)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < n; i++) {
        json_array_append_new(list, json_pack("{s:I, s:[i,i], s:{}}", "a",
                                              (json_int_t) i, "l", 1, 2,
                                              "c"));
    }

    return list;
}


static json_t *
wide(size_t n)
{
    char     name[32];
    size_t   i;
    json_t  *object;

    object = json_object();

    for (i = 0; i < n; i++) {
        (void) snprintf(name, sizeof(name), "k%zu", i);
        json_object_set_new(object, name, json_integer(1));
    }

    return object;
}


static json_t *
wide_bad(size_t n)
{
    json_t  *object;

    object = wide(n);
    json_object_set_new(object, "~/", json_null());

    return object;
}


static json_t *
long_text(size_t n)
{
    char    *text;
    json_t  *value;

    text = malloc(n);
    memset(text, 'a', n);
    value = json_stringn(text, n);
    free(text);

    return value;
}


static json_t *
long_host(size_t n)
{
    char    *text;
    size_t   i;
    json_t  *value;

    text = malloc(n);

    for (i = 0; i < n; i++) {
        text[i] = i % 10 == 9 ? '.' : 'a';
    }

    value = json_stringn(text, n);
    free(text);

    return value;
}


static json_t *
long_uri(size_t n)
{
    char    *text;
    size_t   i;
    json_t  *value;

    text = malloc(n);

    for (i = 0; i < n; i++) {
        text[i] = "%41/"[i % 4];
    }

    memcpy(text, "http://a", 8);
    value = json_stringn(text, n);
    free(text);

    return value;
}


static json_t *
texts(size_t n)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < n; i++) {
        json_array_append_new(list, json_string(i % 2 ? "h" : "a"));
    }

    return list;
}


/* Rows of objects in objects. */
static json_t *
chains(size_t n)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < n / 20; i++) {
        json_array_append_new(list, nested(20));
    }

    return json_pack("{s:o}", "l", list);
}


static json_t *
arrays(size_t n)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < n; i++) {
        json_array_append_new(list, json_pack("[I, [I, i], i]",
                                              (json_int_t) i, (json_int_t) i,
                                              0, -1));
    }

    return list;
}


static json_t *
nested(size_t depth)
{
    json_t  *value;

    for (value = json_object(); depth > 1; depth--) {
        value = json_pack("{s:o}", "a", value);
    }

    return value;
}
