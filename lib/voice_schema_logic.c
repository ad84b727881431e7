/*
 * Keywords that apply schemas to the same value.
 */

#include "voice_schema_private.h"


static voice_rc_t compile_list(voice_schemas_t *set, schema_rule_t *rule);
static int check_all(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t fill_all(const schema_rule_t *rule, json_t *value);
static int check_any(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_one(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_not(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_if(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t compile_defs(voice_schemas_t *set, schema_rule_t *rule);


const schema_keyword_t  schema_logic_keywords[] = {
    { "$ref", schema_compile_ref, check_all, fill_all, 1 },
    { "$defs", compile_defs, NULL, NULL, 0 },
    { "allOf", compile_list, check_all, fill_all, 1 },
    { "anyOf", compile_list, check_any, NULL, 1 },
    { "oneOf", compile_list, check_one, NULL, 1 },
    { "not", schema_compile_one, check_not, NULL, 1 },
    { "if", schema_compile_one, check_if, NULL, 1 },
    { "then", schema_compile_one, NULL, NULL, 1 },
    { "else", schema_compile_one, NULL, NULL, 1 },
    { NULL, NULL, NULL, NULL, 0 }
};


static voice_rc_t
compile_list(voice_schemas_t *set, schema_rule_t *rule)
{
    if (json_array_size(rule->value) == 0) {
        return schema_refuse(set, rule, VOICE_INVALID,
                             "must be a list of schemas");
    }

    return schema_branches(set, rule);
}


/* A $ref is a list of one. */
static int
check_all(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int     good;
    size_t  i;

    good = 1;

    for (i = 0; i < rule->nbranches; i++) {
        good &= schema_check_value(rule->branches[i].schema, check, value,
                                   place);
    }

    return good;
}


static voice_rc_t
fill_all(const schema_rule_t *rule, json_t *value)
{
    size_t      i;
    voice_rc_t  rc;

    for (i = 0; i < rule->nbranches; i++) {
        rc = schema_fill_value(rule->branches[i].schema, value);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static int
check_any(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    size_t  i;

    for (i = 0; i < rule->nbranches; i++) {
        if (schema_probe(rule->branches[i].schema, check, value, place)) {
            return 1;
        }
    }

    return schema_problem(check, place, "has none of the allowed forms");
}


static int
check_one(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    size_t  i, found;

    found = 0;

    for (i = 0; i < rule->nbranches; i++) {
        found += (size_t) schema_probe(rule->branches[i].schema, check,
                                       value, place);
    }

    if (found == 1) {
        return 1;
    }

    return schema_problem(check, place, found == 0
                          ? "has none of the allowed forms"
                          : "has more than one of the allowed forms");
}


static int
check_not(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!schema_probe(rule->branches[0].schema, check, value, place)) {
        return 1;
    }

    return schema_problem(check, place, "has a form that is not allowed");
}


static int
check_if(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int                   holds;
    const schema_rule_t  *chosen;

    holds = schema_probe(rule->branches[0].schema, check, value, place);
    chosen = schema_rule_beside(rule, holds ? "then" : "else");

    if (chosen == NULL) {
        return 1;
    }

    return schema_check_value(chosen->branches[0].schema, check, value,
                              place);
}


static voice_rc_t
compile_defs(voice_schemas_t *set, schema_rule_t *rule)
{
    if (!json_is_object(rule->value)) {
        return schema_refuse(set, rule, VOICE_INVALID, "must be an object");
    }

    return schema_branches(set, rule);
}
