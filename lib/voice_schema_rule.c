/*
 * What the compile functions of the keywords share.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "voice_schema_private.h"


#define RULE_PLACE_MAX  256            /* bytes of a JSON Pointer */


static void rule_place(char place[RULE_PLACE_MAX],
    const schema_rule_t *rule, const char *name);


voice_rc_t
schema_refuse(voice_schemas_t *set, const schema_rule_t *rule, voice_rc_t rc,
    const char *reason)
{
    char  place[RULE_PLACE_MAX];

    rule_place(place, rule, NULL);

    return schema_fail(set, rc, place, reason);
}


voice_rc_t
schema_branch(voice_schemas_t *set, schema_rule_t *rule, const char *name,
    const json_t *schema)
{
    if (schema_branch_add(set, rule) == NULL) {
        return VOICE_NOMEM;
    }

    return schema_branch_fill(set, rule, name, schema);
}


schema_branch_t *
schema_branch_add(voice_schemas_t *set, schema_rule_t *rule)
{
    schema_branch_t  *branches;

    branches = realloc(rule->branches,
                       (rule->nbranches + 1) * sizeof(schema_branch_t));

    if (branches == NULL) {
        (void) schema_refuse(set, rule, VOICE_NOMEM, "out of memory");
        return NULL;
    }

    rule->branches = branches;
    branches += rule->nbranches++;
    memset(branches, 0, sizeof(schema_branch_t));

    return branches;
}


voice_rc_t
schema_branch_fill(voice_schemas_t *set, schema_rule_t *rule,
    const char *name, const json_t *schema)
{
    char              place[RULE_PLACE_MAX];
    schema_branch_t  *branch;

    rule_place(place, rule, name);

    branch = &rule->branches[rule->nbranches - 1];
    branch->name = name;
    branch->schema = schema_register(set, schema, place);

    return branch->schema == NULL ? VOICE_INVALID : VOICE_OK;
}


voice_rc_t
schema_branches(voice_schemas_t *set, schema_rule_t *rule)
{
    char         number[24];
    size_t       i;
    json_t      *value;
    voice_rc_t   rc;
    const char  *name;

    rc = VOICE_OK;

    json_object_foreach((json_t *) rule->value, name, value) {
        rc = schema_branch(set, rule, name, value);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    json_array_foreach(rule->value, i, value) {
        (void) snprintf(number, sizeof(number), "%zu", i);
        rc = schema_branch(set, rule, number, value);

        if (rc != VOICE_OK) {
            return rc;
        }

        rule->branches[i].name = NULL;
    }

    return rc;
}


voice_rc_t
schema_compile_one(voice_schemas_t *set, schema_rule_t *rule)
{
    return schema_branch(set, rule, NULL, rule->value);
}


voice_rc_t
schema_compile_limit(voice_schemas_t *set, schema_rule_t *rule)
{
    double  number;

    number = json_number_value(rule->value);

    if (!json_is_number(rule->value) || number < 0 || number > 1e15
        || number != floor(number))
    {
        return schema_refuse(set, rule, VOICE_INVALID,
                             "must be an integer of at least 0");
    }

    rule->limit = (size_t) number;

    return VOICE_OK;
}


voice_rc_t
schema_compile_ref(voice_schemas_t *set, schema_rule_t *rule)
{
    const char       *ref;
    const json_t     *target;
    schema_branch_t  *branch;

    ref = json_string_value(rule->value);

    if (ref == NULL || ref[0] != '#') {
        return schema_refuse(set, rule, VOICE_INVALID,
                             "must be \"#\" and a JSON Pointer");
    }

    target = voice_json_ref(schema_document(set), ref);

    if (target == NULL) {
        return schema_refuse(set, rule, VOICE_INVALID,
                             "points to nothing in the document");
    }

    branch = schema_branch_add(set, rule);

    if (branch == NULL) {
        return VOICE_NOMEM;
    }

    branch->schema = schema_register(set, target, ref + 1);

    return branch->schema == NULL ? VOICE_INVALID : VOICE_OK;
}


const json_t *
schema_beside(const schema_rule_t *rule, const char *keyword)
{
    return json_object_get(rule->owner->source, keyword);
}


size_t
schema_limit_beside(const schema_rule_t *rule, const char *keyword,
    size_t absent)
{
    const json_t  *value;

    value = schema_beside(rule, keyword);

    return value == NULL ? absent : (size_t) json_number_value(value);
}


const schema_rule_t *
schema_rule_beside(const schema_rule_t *rule, const char *keyword)
{
    const schema_rule_t  *other;

    for (other = rule->owner->rules; other != NULL; other = other->next) {
        if (strcmp(other->keyword->name, keyword) == 0) {
            return other;
        }
    }

    return NULL;
}


/* Writes the pointer to the keyword, or to what it holds under name. */
static void
rule_place(char place[RULE_PLACE_MAX], const schema_rule_t *rule,
    const char *name)
{
    size_t  n;

    (void) snprintf(place, RULE_PLACE_MAX, "%s", rule->owner->place);

    n = strlen(place);
    n += schema_token_write(place + n, RULE_PLACE_MAX - n,
                            rule->keyword->name);

    if (name != NULL) {
        (void) schema_token_write(place + n, RULE_PLACE_MAX - n, name);
    }
}
