/*
 * JSON Schema: the published suite of draft 2020-12.  What is left out is
 * listed with its reason.
 */

#include <dirent.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_schema.h"


#define SUITE  "../shared/vectors/json-schema/tests/draft2020-12/"


#define SCORES_MAX  128                /* files of the suite */


typedef struct {
    const char  *file;
    const char  *group;                /* NULL: the whole file */
    const char  *reason;
} exception_t;


/* What became of the tests of one file. */
typedef struct {
    char      name[64];
    unsigned  run;
    unsigned  passed;
    unsigned  left_out;
} score_t;


static void suite(void);
static void suite_directory(const char *folder);
static void suite_file(const char *name);
static void suite_group(const char *file, const json_t *group);
static void suite_tests(const char *file, const json_t *group,
    const voice_schema_t *schema);
static unsigned tests_in(const json_t *group);
static const char *exception(const char *file, const char *group);
static const char *unsupported(const json_t *value);
static score_t *score_of(const char *file);
static int score_order(const void *a, const void *b);
static void score_table(void);


static unsigned  schema_left_out;      /* files and groups of the suite */
static score_t   schema_scores[SCORES_MAX];
static unsigned  schema_nscores;


/* Keywords that we refuse: what holds one cannot be run. */
static const char *const  schema_unsupported[] = {
    "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary",
    "unevaluatedProperties", "unevaluatedItems",
};


static const exception_t  schema_exceptions[] = {
    { "anchor", NULL, "$anchor is refused" },
    { "dynamicRef", NULL, "$dynamicRef is refused" },
    { "refRemote", NULL, "references are local" },
    { "unevaluatedItems", NULL, "the keyword is refused" },
    { "unevaluatedProperties", NULL, "the keyword is refused" },
    { "vocabulary", NULL, "$vocabulary is refused" },
    { "format", NULL,
      "asks that formats are annotations; ours are asserted" },
    { "optional/anchor", NULL, "$anchor is refused" },
    { "optional/bignum", NULL,
      "integers beyond 64 bits are no JSON that we read" },
    { "optional/cross-draft", NULL, "references are local" },
    { "optional/dependencies-compatibility", NULL,
      "the keyword of older drafts is refused" },
    { "optional/dynamicRef", NULL, "$dynamicRef is refused" },
    { "optional/format-assertion", NULL, "$vocabulary is refused" },
    { "optional/id", NULL, "$id is refused" },
    { "optional/refOfUnknownKeyword", NULL,
      "unknown keywords are refused" },
    { "optional/unknownKeyword", NULL, "unknown keywords are refused" },
    { "optional/format/duration", NULL, "an annotation" },
    { "optional/format/ecmascript-regex", NULL, "an annotation" },
    { "optional/format/idn-email", NULL, "an annotation" },
    { "optional/format/idn-hostname", NULL, "an annotation" },
    { "optional/format/iri", NULL, "an annotation" },
    { "optional/format/iri-reference", NULL, "an annotation" },
    { "optional/format/json-pointer", NULL, "an annotation" },
    { "optional/format/regex", NULL, "an annotation" },
    { "optional/format/relative-json-pointer", NULL, "an annotation" },
    { "optional/format/uri-reference", NULL, "an annotation" },
    { "optional/format/uri-template", NULL, "an annotation" },

    { "optional/format/hostname",
      "validation of A-label (punycode) host names",
      "what an A-label decodes to is not looked at" },
    { "enum", "empty enum", "refused as a mistake of the contract" },
    { "pattern", "pattern with Unicode property escape requires unicode mode",
      "PCRE2 10.42 has short names of properties only" },
    { "patternProperties", "patternProperties with Unicode property escape",
      "PCRE2 10.42 has short names of properties only" },
    { "optional/ecmascript-regex",
      "patterns always use unicode semantics with pattern",
      "PCRE2 10.42 has short names of properties only" },
    { "optional/ecmascript-regex", "pattern with non-ASCII digits",
      "PCRE2 10.42 has short names of properties only" },
    { "optional/ecmascript-regex",
      "patterns always use unicode semantics with patternProperties",
      "PCRE2 10.42 has short names of properties only" },
    { "optional/ecmascript-regex", "patternProperties with non-ASCII digits",
      "PCRE2 10.42 has short names of properties only" },
    { "optional/ecmascript-regex", "ECMA 262 \\s matches whitespace",
      "\\s is ASCII" },
    { "optional/ecmascript-regex",
      "ECMA 262 \\S matches everything but whitespace",
      "\\S is ASCII" },
};


int
main(void)
{
    suite();

    return done_testing();
}


static void
suite(void)
{
    DIR  *dir;

    dir = opendir(SUITE);

    if (dir == NULL) {
        ok(1, "the published suite # SKIP " SUITE " is absent");
        return;
    }

    (void) closedir(dir);

    suite_directory("");
    suite_directory("optional/");
    suite_directory("optional/format/");

    printf("# %u files and groups of the suite are left out\n",
           schema_left_out);
    score_table();
}


/* Each file is run, or stands in the list of exceptions. */
static void
suite_directory(const char *folder)
{
    char            path[256], name[128];
    DIR            *dir;
    size_t          len;
    struct dirent  *entry;

    (void) snprintf(path, sizeof(path), SUITE "%s", folder);
    dir = opendir(path);

    if (!ok(dir != NULL, "the suite's folder \"%s\" is there", folder)) {
        return;
    }

    for (entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        len = strlen(entry->d_name);

        if (len < 6 || len > 60
            || strcmp(entry->d_name + len - 5, ".json") != 0)
        {
            continue;
        }

        (void) snprintf(name, sizeof(name), "%s%.*s", folder,
                        (int) len - 5, entry->d_name);

        suite_file(name);
    }

    (void) closedir(dir);
}


static void
suite_file(const char *name)
{
    char           path[256];
    size_t         i;
    json_t        *groups, *group;
    json_error_t   err;

    (void) snprintf(path, sizeof(path), SUITE "%s.json", name);
    groups = json_load_file(path, JSON_ALLOW_NUL, &err);

    if (exception(name, NULL) != NULL) {
        json_array_foreach(groups, i, group) {
            score_of(name)->left_out += tests_in(group);
        }

    } else {
        ok(json_is_array(groups), "%s can be read", name);

        json_array_foreach(groups, i, group) {
            suite_group(name, group);
        }
    }

    json_decref(groups);
}


static void
suite_group(const char *file, const json_t *group)
{
    json_t                *schema;
    const char            *name, *reason;
    voice_schemas_t       *set;
    voice_problem_t        problem;
    const voice_schema_t  *compiled;

    schema = json_object_get(group, "schema");
    name = json_string_value(json_object_get(group, "description"));
    reason = exception(file, name);
    reason = reason == NULL ? unsupported(schema) : reason;

    set = voice_schemas_create(schema);
    compiled = voice_schema_compile(set, schema, &problem);

    if (reason != NULL) {
        printf("# left out: %s: %s: %s\n", file, name, reason);
        schema_left_out++;
        score_of(file)->left_out += tests_in(group);

    } else if (ok(compiled != NULL, "%s: %s compiles", file, name)) {
        suite_tests(file, group, compiled);

    } else {
        printf("# %s %s\n", problem.path, problem.reason);
    }

    voice_schemas_destroy(set);
}


static void
suite_tests(const char *file, const json_t *group,
    const voice_schema_t *schema)
{
    int                passed, valid;
    size_t             i;
    json_t            *test;
    const char        *name;
    voice_problems_t   problems;

    json_array_foreach(json_object_get(group, "tests"), i, test) {
        name = json_string_value(json_object_get(test, "description"));
        memset(&problems, 0, sizeof(problems));

        valid = voice_schema_check(schema, json_object_get(test, "data"), "",
                                   &problems)
                == VOICE_OK;

        passed = ok(valid == json_is_true(json_object_get(test, "valid"))
                    && valid == (problems.count == 0), "%s: %s: %s", file,
                    json_string_value(json_object_get(group, "description")),
                    name);
        score_of(file)->run++;
        score_of(file)->passed += (unsigned) passed;
    }
}


static unsigned
tests_in(const json_t *group)
{
    return (unsigned) json_array_size(json_object_get(group, "tests"));
}


/* The reason why this is not run, NULL if it is. */
static const char *
exception(const char *file, const char *group)
{
    size_t              i;
    const exception_t  *row;

    for (i = 0; i < VOICE_ARRAY_SIZE(schema_exceptions); i++) {
        row = &schema_exceptions[i];

        if (strcmp(row->file, file) != 0) {
            continue;
        }

        if (row->group == NULL) {
            printf("# left out: %s: %s\n", file, row->reason);
            schema_left_out++;
            return row->reason;
        }

        if (group != NULL && strcmp(row->group, group) == 0) {
            return row->reason;
        }
    }

    return NULL;
}


/* A keyword that we refuse or a reference that is not local. */
static const char *
unsupported(const json_t *value)
{
    size_t        i;
    json_t       *member;
    const char   *name, *found;
    voice_span_t  ref;

    ref = voice_json_text(value, "$ref");

    if (ref.len > 0 && ref.ptr[0] != '#') {
        return "references are local";
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(schema_unsupported); i++) {
        member = json_object_get(value, schema_unsupported[i]);

        /* a property of such a name is fine */

        if (member != NULL && json_object_get(member, "type") == NULL) {
            return schema_unsupported[i];
        }
    }

    json_object_foreach((json_t *) value, name, member) {
        found = unsupported(member);

        if (found != NULL) {
            return found;
        }
    }

    json_array_foreach(value, i, member) {
        found = unsupported(member);

        if (found != NULL) {
            return found;
        }
    }

    return NULL;
}


/* The row of a file; the last one serves all that there is no room for. */
static score_t *
score_of(const char *file)
{
    unsigned   i;
    score_t   *score;

    for (i = 0; i < schema_nscores; i++) {
        if (strcmp(schema_scores[i].name, file) == 0) {
            return &schema_scores[i];
        }
    }

    score = &schema_scores[schema_nscores];
    schema_nscores += schema_nscores + 1 < SCORES_MAX;
    (void) snprintf(score->name, sizeof(score->name), "%s", file);

    return score;
}


static int
score_order(const void *a, const void *b)
{
    return strcmp(((const score_t *) a)->name, ((const score_t *) b)->name);
}


static void
score_table(void)
{
    score_t   sum;
    unsigned  i;

    memset(&sum, 0, sizeof(sum));
    qsort(schema_scores, schema_nscores, sizeof(score_t), score_order);

    printf("# %-44s %5s %7s %9s\n", "file", "run", "passed", "left out");

    for (i = 0; i < schema_nscores; i++) {
        printf("# %-44s %5u %7u %9u\n", schema_scores[i].name,
               schema_scores[i].run, schema_scores[i].passed,
               schema_scores[i].left_out);
        sum.run += schema_scores[i].run;
        sum.passed += schema_scores[i].passed;
        sum.left_out += schema_scores[i].left_out;
    }

    printf("# %-44s %5u %7u %9u\n", "all", sum.run, sum.passed,
           sum.left_out);
}
