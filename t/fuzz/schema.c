/*
 * Fuzz: a schema, a line feed, a value.  A value equals itself: "const"
 * takes it, "uniqueItems" refuses it twice.
 */

#include <stdlib.h>

#include "voice_schema.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void check(const json_t *schema, json_t *value);
static void check_itself(const json_t *value);
static voice_rc_t check_with(json_t *schema, const json_t *value);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               len;
    json_t              *schema, *value;
    const uint8_t       *end;
    voice_json_error_t   err;

    end = size == 0 ? NULL : memchr(data, '\n', size);

    if (end == NULL) {
        return 0;
    }

    len = (size_t) (end - data);
    schema = voice_json_parse(voice_span((const char *) data, len), &err);
    value = voice_json_parse(voice_span((const char *) end + 1,
                                        size - len - 1), &err);

    if (schema != NULL && value != NULL) {
        check_itself(value);
        check(schema, value);
    }

    json_decref(schema);
    json_decref(value);

    return 0;
}


static void
check(const json_t *schema, json_t *value)
{
    json_t                *list;
    voice_rc_t             rc;
    voice_schemas_t       *set;
    voice_problem_t        problem;
    voice_problems_t       problems;
    const voice_schema_t  *compiled;

    set = voice_schemas_create(schema);

    if (set == NULL) {
        return;
    }

    memset(&problems, 0, sizeof(problems));
    compiled = voice_schema_compile(set, schema, &problem);

    if (compiled != NULL) {
        rc = voice_schema_check(compiled, value, "/body", &problems);
        list = voice_problems_json(&problems);

        if ((rc == VOICE_OK) != (problems.count == 0) || list == NULL) {
            abort();
        }

        json_decref(list);

        if (voice_schema_defaults(compiled, value) != VOICE_OK) {
            abort();
        }
    }

    voice_schemas_destroy(set);
}


static void
check_itself(const json_t *value)
{
    json_t  *twice;

    twice = json_pack("[O, O]", value, value);

    if (check_with(json_pack("{s:O}", "const", value), value) != VOICE_OK
        || check_with(json_pack("{s:b}", "uniqueItems", 1), twice)
           == VOICE_OK)
    {
        abort();
    }

    json_decref(twice);
}


/* Takes over the reference of schema. */
static voice_rc_t
check_with(json_t *schema, const json_t *value)
{
    voice_rc_t             rc;
    voice_schemas_t       *set;
    voice_problem_t        problem;
    voice_problems_t       problems;
    const voice_schema_t  *compiled;

    memset(&problems, 0, sizeof(problems));
    set = voice_schemas_create(schema);
    compiled = voice_schema_compile(set, schema, &problem);

    if (compiled == NULL) {
        abort();
    }

    rc = voice_schema_check(compiled, value, "", &problems);

    voice_schemas_destroy(set);
    json_decref(schema);

    return rc;
}
