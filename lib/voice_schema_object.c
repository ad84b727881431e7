/*
 * Keywords of objects.
 */

#include "voice_schema_private.h"


static voice_rc_t compile_properties(voice_schemas_t *set,
    schema_rule_t *rule);
static int check_properties(const schema_rule_t *rule,
    schema_check_t *check, const json_t *value, const schema_place_t *place);
static voice_rc_t fill_properties(const schema_rule_t *rule, json_t *value);
static voice_rc_t compile_patterns(voice_schemas_t *set,
    schema_rule_t *rule);
static int check_patterns(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_additional(const schema_rule_t *rule,
    schema_check_t *check, const json_t *value, const schema_place_t *place);
static int check_names(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t compile_required(voice_schemas_t *set,
    schema_rule_t *rule);
static int check_required(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_min_properties(const schema_rule_t *rule,
    schema_check_t *check, const json_t *value, const schema_place_t *place);
static int check_max_properties(const schema_rule_t *rule,
    schema_check_t *check, const json_t *value, const schema_place_t *place);
static voice_rc_t compile_dependent_required(voice_schemas_t *set,
    schema_rule_t *rule);
static int check_dependent_required(const schema_rule_t *rule,
    schema_check_t *check, const json_t *value, const schema_place_t *place);
static int check_dependent_schemas(const schema_rule_t *rule,
    schema_check_t *check, const json_t *value, const schema_place_t *place);
static int is_name_list(const json_t *value);
static int matches_patterns(const schema_rule_t *patterns,
    schema_check_t *check, const char *name);
static int names_present(const json_t *names, schema_check_t *check,
    const json_t *value, const schema_place_t *place);


const schema_keyword_t  schema_object_keywords[] = {
    { "properties", compile_properties, check_properties, fill_properties,
      0 },
    { "patternProperties", compile_patterns, check_patterns, NULL, 0 },
    { "additionalProperties", schema_compile_one, check_additional, NULL,
      0 },
    { "propertyNames", schema_compile_one, check_names, NULL, 0 },
    { "required", compile_required, check_required, NULL, 0 },
    { "minProperties", schema_compile_limit, check_min_properties, NULL, 0 },
    { "maxProperties", schema_compile_limit, check_max_properties, NULL, 0 },
    { "dependentRequired", compile_dependent_required,
      check_dependent_required, NULL, 0 },
    { "dependentSchemas", compile_properties, check_dependent_schemas, NULL,
      1 },
    { NULL, NULL, NULL, NULL, 0 }
};


static voice_rc_t
compile_properties(voice_schemas_t *set, schema_rule_t *rule)
{
    if (!json_is_object(rule->value)) {
        return schema_refuse(set, rule, VOICE_INVALID, "must be an object");
    }

    return schema_branches(set, rule);
}


static int
check_properties(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int               good;
    size_t            i;
    json_t           *member;
    schema_place_t    below;
    schema_branch_t  *branch;

    if (!json_is_object(value)) {
        return 1;
    }

    good = 1;

    for (i = 0; i < rule->nbranches; i++) {
        branch = &rule->branches[i];
        member = json_object_get(value, branch->name);

        if (member == NULL) {
            continue;
        }

        below = (schema_place_t) { place, branch->name, 0 };
        good &= schema_check_value(branch->schema, check, member, &below);
    }

    return good;
}


static voice_rc_t
fill_properties(const schema_rule_t *rule, json_t *value)
{
    size_t            i;
    json_t           *member, *fresh;
    voice_rc_t        rc;
    schema_branch_t  *branch;

    if (!json_is_object(value)) {
        return VOICE_OK;
    }

    for (i = 0; i < rule->nbranches; i++) {
        branch = &rule->branches[i];
        member = json_object_get(value, branch->name);

        if (member != NULL) {
            rc = schema_fill_value(branch->schema, member);

            if (rc != VOICE_OK) {
                return rc;
            }

            continue;
        }

        member = schema_default(branch->schema);

        if (member == NULL) {
            continue;
        }

        fresh = json_deep_copy(member);

        if (fresh == NULL
            || json_object_set_new(value, branch->name, fresh) != 0)
        {
            return VOICE_NOMEM;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
compile_patterns(voice_schemas_t *set, schema_rule_t *rule)
{
    json_t      *value;
    voice_rc_t   rc;
    const char  *pattern;

    if (!json_is_object(rule->value)) {
        return schema_refuse(set, rule, VOICE_INVALID, "must be an object");
    }

    json_object_foreach((json_t *) rule->value, pattern, value) {
        rc = schema_pattern_branch(set, rule, pattern);

        if (rc == VOICE_OK) {
            rc = schema_branch_fill(set, rule, pattern, value);
        }

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static int
check_patterns(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int              good;
    size_t           i;
    json_t          *member;
    const char      *name;
    schema_place_t   below;

    good = 1;

    json_object_foreach((json_t *) value, name, member) {
        below = (schema_place_t) { place, name, 0 };

        for (i = 0; i < rule->nbranches; i++) {
            if (schema_pattern_check(&rule->branches[i], check,
                                     voice_span_str(name)))
            {
                good &= schema_check_value(rule->branches[i].schema, check,
                                           member, &below);
            }
        }
    }

    return good && check->broken == NULL;
}


static int
check_additional(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int                   good;
    json_t               *member;
    const char           *name;
    const json_t         *properties;
    schema_place_t        below;
    const schema_rule_t  *patterns;

    good = 1;
    properties = schema_beside(rule, "properties");
    patterns = schema_rule_beside(rule, "patternProperties");

    json_object_foreach((json_t *) value, name, member) {
        if (json_object_get(properties, name) != NULL
            || matches_patterns(patterns, check, name))
        {
            continue;
        }

        below = (schema_place_t) { place, name, 0 };
        good &= schema_check_value(rule->branches[0].schema, check, member,
                                   &below);
    }

    return good && check->broken == NULL;
}


static int
check_names(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int              good;
    json_t          *member, *text;
    const char      *name;
    schema_place_t   below;

    good = 1;

    json_object_foreach((json_t *) value, name, member) {
        text = json_string(name);

        if (text == NULL) {
            check->broken = "cannot be checked: out of memory";
            return 0;
        }

        below = (schema_place_t) { place, name, 0 };

        if (!schema_probe(rule->branches[0].schema, check, text, &below)) {
            good = schema_problem(check, &below, "has a name that is not "
                                  "allowed");
        }

        json_decref(text);
    }

    return good;
}


static voice_rc_t
compile_required(voice_schemas_t *set, schema_rule_t *rule)
{
    if (!is_name_list(rule->value)) {
        return schema_refuse(set, rule, VOICE_INVALID,
                             "must be a list of names");
    }

    return VOICE_OK;
}


static int
check_required(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_object(value)) {
        return 1;
    }

    return names_present(rule->value, check, value, place);
}


static int
check_min_properties(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_object(value) || json_object_size(value) >= rule->limit) {
        return 1;
    }

    return schema_problem(check, place, "must have at least %zu member%s",
                          rule->limit, rule->limit == 1 ? "" : "s");
}


static int
check_max_properties(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_object(value) || json_object_size(value) <= rule->limit) {
        return 1;
    }

    return schema_problem(check, place, "must have at most %zu member%s",
                          rule->limit, rule->limit == 1 ? "" : "s");
}


static voice_rc_t
compile_dependent_required(voice_schemas_t *set, schema_rule_t *rule)
{
    json_t      *names;
    const char  *name;

    if (!json_is_object(rule->value)) {
        return schema_refuse(set, rule, VOICE_INVALID, "must be an object");
    }

    json_object_foreach((json_t *) rule->value, name, names) {
        if (!is_name_list(names)) {
            return schema_refuse(set, rule, VOICE_INVALID,
                                 "must hold lists of names");
        }
    }

    return VOICE_OK;
}


static int
check_dependent_required(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int          good;
    json_t      *names;
    const char  *name;

    if (!json_is_object(value)) {
        return 1;
    }

    good = 1;

    json_object_foreach((json_t *) rule->value, name, names) {
        if (json_object_get(value, name) != NULL) {
            good &= names_present(names, check, value, place);
        }
    }

    return good;
}


static int
check_dependent_schemas(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int     good;
    size_t  i;

    good = 1;

    for (i = 0; i < rule->nbranches; i++) {
        if (json_object_get(value, rule->branches[i].name) != NULL) {
            good &= schema_check_value(rule->branches[i].schema, check,
                                       value, place);
        }
    }

    return good;
}


static int
is_name_list(const json_t *value)
{
    size_t   i;
    json_t  *item;

    json_array_foreach(value, i, item) {
        if (!json_is_string(item)) {
            return 0;
        }
    }

    return json_is_array(value);
}


static int
matches_patterns(const schema_rule_t *patterns, schema_check_t *check,
    const char *name)
{
    size_t  i;

    for (i = 0; patterns != NULL && i < patterns->nbranches; i++) {
        if (schema_pattern_check(&patterns->branches[i], check,
                                 voice_span_str(name)))
        {
            return 1;
        }
    }

    return 0;
}


/* The path is that of the missing member: where the client must act. */
static int
names_present(const json_t *names, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int              good;
    size_t           i;
    json_t          *name;
    schema_place_t   below;

    good = 1;

    json_array_foreach(names, i, name) {
        if (json_object_get(value, json_string_value(name)) == NULL) {
            below = (schema_place_t) { place, json_string_value(name), 0 };
            good = schema_problem(check, &below, "is required");
        }
    }

    return good;
}
