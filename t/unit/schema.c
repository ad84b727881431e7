/*
 * JSON Schema: the published suite of draft 2020-12, then what it does not
 * ask: paths, bounds, refusals, defaults.
 */

#include <dirent.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_schema.h"


#define SUITE  "../shared/vectors/json-schema/tests/draft2020-12/"


static void suite(void);
static void suite_file(const char *name);
static void suite_group(const char *file, const json_t *group);
static const char *left_out(const char *file, const char *group);


/* Files that are run whole, but for the groups in schema_left_out. */
static const char *const  schema_files[] = {
    "additionalProperties", "allOf", "anyOf", "boolean_schema", "const",
    "contains", "content", "default", "defs", "dependentRequired",
    "dependentSchemas", "enum", "exclusiveMaximum", "exclusiveMinimum",
    "if-then-else", "infinite-loop-detection", "items", "maxContains",
    "maxItems", "maxLength", "maxProperties", "maximum", "minContains",
    "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not",
    "oneOf", "pattern", "patternProperties", "prefixItems", "properties",
    "propertyNames", "ref", "required", "type", "uniqueItems",
    "optional/bignum", "optional/ecmascript-regex", "optional/float-overflow",
    "optional/no-schema", "optional/non-bmp-regex",
    "optional/format/date", "optional/format/date-time",
    "optional/format/email", "optional/format/hostname",
    "optional/format/ipv4", "optional/format/ipv6", "optional/format/time",
    "optional/format/uri", "optional/format/uuid",
    "optional/format/unknown",
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
    size_t  i;
    DIR    *dir;

    dir = opendir(SUITE);

    if (dir == NULL) {
        ok(1, "the published suite # SKIP " SUITE " is absent");
        return;
    }

    (void) closedir(dir);

    for (i = 0; i < VOICE_ARRAY_SIZE(schema_files); i++) {
        suite_file(schema_files[i]);
    }
}


static void
suite_file(const char *name)
{
    char           path[256];
    size_t         i;
    json_t        *groups, *group;
    json_error_t   err;

    (void) snprintf(path, sizeof(path), SUITE "%s.json", name);
    groups = json_load_file(path, 0, &err);

    if (!ok(json_is_array(groups), "%s can be read", name)) {
        return;
    }

    json_array_foreach(groups, i, group) {
        suite_group(name, group);
    }

    json_decref(groups);
}


static void
suite_group(const char *file, const json_t *group)
{
    size_t                 i;
    json_t                *test, *schema;
    const char            *name;
    voice_schemas_t       *set;
    voice_problem_t        problem;
    voice_problems_t       problems;
    const voice_schema_t  *compiled;

    name = json_string_value(json_object_get(group, "description"));
    schema = json_object_get(group, "schema");

    if (left_out(file, name) != NULL) {
        return;
    }

    set = voice_schemas_create(schema);
    compiled = voice_schema_compile(set, schema, &problem);

    if (compiled == NULL) {
        ok(0, "%s: %s: %s %s", file, name, problem.path, problem.reason);
    }

    json_array_foreach(json_object_get(group, "tests"), i, test) {
        if (compiled == NULL) {
            break;
        }

        memset(&problems, 0, sizeof(problems));
        ok((voice_schema_check(compiled, json_object_get(test, "data"), "",
                               &problems)
            == VOICE_OK)
           == json_is_true(json_object_get(test, "valid")),
           "%s: %s: %s", file, name,
           json_string_value(json_object_get(test, "description")));
    }

    voice_schemas_destroy(set);
}


static const char *
left_out(const char *file, const char *group)
{
    (void) file; (void) group;
    return NULL;
}
