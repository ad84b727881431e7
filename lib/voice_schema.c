/*
 * Compiling JSON Schemas, see voice_schema.h.  The schemas below a keyword
 * are only registered by it and compiled from a list, so that recursion of
 * schemas costs no recursion here.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_schema_private.h"


#define SCHEMA_BUCKETS  1024
#define SCHEMA_MAX      100000         /* schemas of one set */


struct voice_schemas_s {
    const json_t      *document;
    voice_schema_t    *first;
    voice_schema_t    *last;
    voice_schema_t    *todo;           /* the first that is not compiled */
    voice_schema_t    *buckets[SCHEMA_BUCKETS];
    size_t             count;
    voice_problem_t    problem;        /* of the first failure */
    voice_rc_t         rc;
};


static void schema_destroy(voice_schema_t *schema);
static voice_schema_t **schema_bucket(voice_schemas_t *set,
    const json_t *source);
static voice_rc_t schema_compile_rules(voice_schemas_t *set,
    voice_schema_t *schema);
static voice_rc_t rule_add(voice_schemas_t *set, voice_schema_t *schema,
    const char *name, const json_t *value);
static const schema_keyword_t *keyword_find(const char *name);
static voice_rc_t schema_measure(voice_schemas_t *set,
    voice_schema_t *schema, unsigned depth);


static const schema_keyword_t *const  schema_tables[] = {
    schema_value_keywords,
    schema_object_keywords,
    schema_array_keywords,
    schema_logic_keywords,
};


/* Keywords that say nothing about whether a value is good. */
static const char *const  schema_annotations[] = {
    "$comment", "$schema", "contentEncoding", "contentMediaType",
    "contentSchema", "default", "deprecated", "description", "discriminator",
    "example", "examples", "externalDocs", "readOnly", "title", "writeOnly",
};


voice_schemas_t *
voice_schemas_create(const json_t *document)
{
    voice_schemas_t  *set;

    set = calloc(1, sizeof(voice_schemas_t));

    if (set != NULL) {
        set->document = document;
    }

    return set;
}


void
voice_schemas_destroy(voice_schemas_t *set)
{
    voice_schema_t  *schema, *next;

    if (set == NULL) {
        return;
    }

    for (schema = set->first; schema != NULL; schema = next) {
        next = schema->next;
        schema_destroy(schema);
    }

    free(set);
}


const voice_schema_t *
voice_schema_compile(voice_schemas_t *set, const json_t *schema,
    voice_problem_t *problem)
{
    return voice_schema_compile_at(set, schema, "", problem);
}


const voice_schema_t *
voice_schema_compile_at(voice_schemas_t *set, const json_t *schema,
    const char *place, voice_problem_t *problem)
{
    voice_schema_t  *node, *fresh;

    node = NULL;

    if (set->rc == VOICE_OK) {
        node = schema_register(set, schema, place);
    }

    fresh = set->todo;

    while (set->rc == VOICE_OK && set->todo != NULL) {
        set->rc = schema_compile_rules(set, set->todo);
        set->todo = set->todo->next;
    }

    for ( /* void */ ; set->rc == VOICE_OK && fresh; fresh = fresh->next) {
        set->rc = schema_measure(set, fresh, 1);
    }

    if (set->rc != VOICE_OK) {
        *problem = set->problem;
        return NULL;
    }

    return node;
}


const json_t *
schema_document(const voice_schemas_t *set)
{
    return set->document;
}


static void
schema_destroy(voice_schema_t *schema)
{
    size_t          i;
    schema_rule_t  *rule, *next;

    for (rule = schema->rules; rule != NULL; rule = next) {
        next = rule->next;

        for (i = 0; i < rule->nbranches; i++) {
            pcre2_code_free(rule->branches[i].pattern);
        }

        free(rule->branches);
        free(rule);
    }

    free(schema->place);
    free(schema);
}


voice_schema_t *
schema_register(voice_schemas_t *set, const json_t *source, const char *place)
{
    voice_schema_t  *schema, **bucket;

    bucket = schema_bucket(set, source);

    for (schema = *bucket; schema != NULL; schema = schema->same_bucket) {
        if (schema->source == source) {
            return schema;
        }
    }

    if (!json_is_object(source) && !json_is_boolean(source)) {
        (void) schema_fail(set, VOICE_INVALID, place,
                        "must be a schema: an object or a boolean");
        return NULL;
    }

    schema = set->count < SCHEMA_MAX ? calloc(1, sizeof(voice_schema_t))
                                     : NULL;

    if (schema == NULL) {
        (void) schema_fail(set, VOICE_NOMEM, place, "out of memory");
        return NULL;
    }

    schema->source = source;
    schema->place = strdup(place);

    if (schema->place == NULL) {
        free(schema);
        (void) schema_fail(set, VOICE_NOMEM, place, "out of memory");
        return NULL;
    }

    schema->same_bucket = *bucket;
    *bucket = schema;

    if (set->first == NULL) {
        set->first = schema;

    } else {
        set->last->next = schema;
    }

    set->last = schema;
    set->todo = set->todo == NULL ? schema : set->todo;
    set->count++;

    return schema;
}


static voice_schema_t **
schema_bucket(voice_schemas_t *set, const json_t *source)
{
    uintptr_t  hash;

    hash = (uintptr_t) source >> 4;
    hash ^= hash >> 10;

    return &set->buckets[hash % SCHEMA_BUCKETS];
}


voice_rc_t
schema_fail(voice_schemas_t *set, voice_rc_t rc, const char *place,
    const char *reason)
{
    voice_problem_t  *problem;

    problem = &set->problem;
    set->rc = rc;

    (void) snprintf(problem->path, sizeof(problem->path), "%s", place);
    (void) snprintf(problem->reason, sizeof(problem->reason), "%s", reason);

    return rc;
}


static voice_rc_t
schema_compile_rules(voice_schemas_t *set, voice_schema_t *schema)
{
    json_t      *value;
    voice_rc_t   rc;
    const char  *name;

    json_object_foreach((json_t *) schema->source, name, value) {
        rc = rule_add(set, schema, name, value);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
rule_add(voice_schemas_t *set, voice_schema_t *schema, const char *name,
    const json_t *value)
{
    size_t                   i;
    schema_rule_t           *rule, **link;
    schema_keyword_t         unknown;
    const schema_keyword_t  *keyword;

    for (i = 0; i < VOICE_ARRAY_SIZE(schema_annotations); i++) {
        if (strcmp(schema_annotations[i], name) == 0) {
            return VOICE_OK;
        }
    }

    if (strncmp(name, "x-", 2) == 0) {
        return VOICE_OK;
    }

    keyword = keyword_find(name);

    if (keyword == NULL) {
        memset(&unknown, 0, sizeof(unknown));
        unknown.name = name;
        return schema_refuse(set, &(schema_rule_t) { .keyword = &unknown,
                                                     .owner = schema },
                             VOICE_INVALID, "is not a keyword we know");
    }

    rule = calloc(1, sizeof(schema_rule_t));

    if (rule == NULL) {
        return schema_fail(set, VOICE_NOMEM, schema->place, "out of memory");
    }

    rule->keyword = keyword;
    rule->owner = schema;
    rule->value = value;

    for (link = &schema->rules; *link != NULL; link = &(*link)->next) {
        /* problems are listed in the order of the schema */
    }

    *link = rule;

    return keyword->compile(set, rule);
}


static const schema_keyword_t *
keyword_find(const char *name)
{
    size_t                   i;
    const schema_keyword_t  *row;

    for (i = 0; i < VOICE_ARRAY_SIZE(schema_tables); i++) {
        for (row = schema_tables[i]; row->name != NULL; row++) {
            if (strcmp(row->name, name) == 0) {
                return row;
            }
        }
    }

    return NULL;
}


/*
 * Schemas that see the same value must not form a circle, which would never
 * end, nor a long chain.
 */
static voice_rc_t
schema_measure(voice_schemas_t *set, voice_schema_t *schema, unsigned depth)
{
    size_t           i;
    voice_rc_t       rc;
    voice_schema_t  *below;
    schema_rule_t   *rule;

    if (schema->height != 0) {
        return VOICE_OK;
    }

    if (schema->visiting || depth > SCHEMA_INPLACE_MAX) {
        return schema_fail(set, VOICE_INVALID, schema->place,
                        schema->visiting ? "refers to itself in a circle"
                                         : "refers through too many schemas");
    }

    schema->visiting = 1;

    for (rule = schema->rules; rule != NULL; rule = rule->next) {
        for (i = 0; rule->keyword->inplace && i < rule->nbranches; i++) {
            below = (voice_schema_t *) rule->branches[i].schema;
            rc = schema_measure(set, below, depth + 1);

            if (rc != VOICE_OK) {
                return rc;
            }

            if (below->height >= schema->height) {
                schema->height = below->height;
            }
        }
    }

    schema->visiting = 0;
    schema->height++;

    if (schema->height > SCHEMA_INPLACE_MAX) {
        return schema_fail(set, VOICE_INVALID, schema->place,
                        "refers through too many schemas");
    }

    return VOICE_OK;
}
