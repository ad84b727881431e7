/*
 * Keywords of arrays.
 */

#include <stdlib.h>

#include "voice_schema_private.h"


typedef struct {
    char    *text;                     /* canonical, owned */
    size_t   len;
    size_t   index;
} array_item_t;


static int check_items(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t fill_items(const schema_rule_t *rule, json_t *value);
static voice_rc_t compile_prefix(voice_schemas_t *set, schema_rule_t *rule);
static int check_prefix(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_contains(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_min_items(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_max_items(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t compile_unique(voice_schemas_t *set, schema_rule_t *rule);
static int check_unique(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static array_item_t *items_create(const json_t *value);
static void items_destroy(array_item_t *items, size_t n);
static int item_order(const void *a, const void *b);


const schema_keyword_t  schema_array_keywords[] = {
    { "items", schema_compile_one, check_items, fill_items, 0 },
    { "prefixItems", compile_prefix, check_prefix, NULL, 0 },
    { "contains", schema_compile_one, check_contains, NULL, 0 },
    { "minContains", schema_compile_limit, NULL, NULL, 0 },
    { "maxContains", schema_compile_limit, NULL, NULL, 0 },
    { "minItems", schema_compile_limit, check_min_items, NULL, 0 },
    { "maxItems", schema_compile_limit, check_max_items, NULL, 0 },
    { "uniqueItems", compile_unique, check_unique, NULL, 0 },
    { NULL, NULL, NULL, NULL, 0 }
};


static int
check_items(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int             good;
    size_t          i;
    schema_place_t  below;

    good = 1;
    i = json_array_size(schema_beside(rule, "prefixItems"));

    for ( /* void */ ; i < json_array_size(value); i++) {
        below = (schema_place_t) { place, NULL, i };
        good &= schema_check_value(rule->branches[0].schema, check,
                                   json_array_get(value, i), &below);
    }

    return good;
}


static voice_rc_t
fill_items(const schema_rule_t *rule, json_t *value)
{
    size_t      i;
    voice_rc_t  rc;

    i = json_array_size(schema_beside(rule, "prefixItems"));

    for ( /* void */ ; i < json_array_size(value); i++) {
        rc = schema_fill_value(rule->branches[0].schema,
                               json_array_get(value, i));

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
compile_prefix(voice_schemas_t *set, schema_rule_t *rule)
{
    if (json_array_size(rule->value) == 0) {
        return schema_refuse(set, rule, VOICE_INVALID,
                             "must be a list of schemas");
    }

    return schema_branches(set, rule);
}


static int
check_prefix(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int             good;
    size_t          i;
    schema_place_t  below;

    good = 1;

    for (i = 0; i < rule->nbranches && i < json_array_size(value); i++) {
        below = (schema_place_t) { place, NULL, i };
        good &= schema_check_value(rule->branches[i].schema, check,
                                   json_array_get(value, i), &below);
    }

    return good;
}


static int
check_contains(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    size_t           i, found, least, most;
    json_t          *item;
    schema_place_t   below;

    if (!json_is_array(value)) {
        return 1;
    }

    found = 0;
    least = schema_limit_beside(rule, "minContains", 1);
    most = schema_limit_beside(rule, "maxContains", SIZE_MAX);

    json_array_foreach(value, i, item) {
        below = (schema_place_t) { place, NULL, i };
        found += (size_t) schema_probe(rule->branches[0].schema, check, item,
                                       &below);
    }

    if (found >= least && found <= most) {
        return 1;
    }

    return schema_problem(check, place, "must hold %s %zu of the items that "
                          "the contract asks for",
                          found < least ? "at least" : "at most",
                          found < least ? least : most);
}


static int
check_min_items(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_array(value) || json_array_size(value) >= rule->limit) {
        return 1;
    }

    return schema_problem(check, place, "must have at least %zu item%s",
                          rule->limit, rule->limit == 1 ? "" : "s");
}


static int
check_max_items(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_array(value) || json_array_size(value) <= rule->limit) {
        return 1;
    }

    return schema_problem(check, place, "must have at most %zu item%s",
                          rule->limit, rule->limit == 1 ? "" : "s");
}


static voice_rc_t
compile_unique(voice_schemas_t *set, schema_rule_t *rule)
{
    if (!json_is_boolean(rule->value)) {
        return schema_refuse(set, rule, VOICE_INVALID, "must be a boolean");
    }

    return VOICE_OK;
}


/* Sorts canonical texts: no choice of items makes this quadratic. */
static int
check_unique(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int              good;
    size_t           i, n;
    array_item_t    *items;
    schema_place_t   below;

    n = json_array_size(value);

    if (!json_is_true(rule->value) || n < 2) {
        return 1;
    }

    items = items_create(value);

    if (items == NULL) {
        check->broken = "cannot be checked: out of memory";
        return 0;
    }

    qsort(items, n, sizeof(array_item_t), item_order);
    good = 1;

    for (i = 1; i < n; i++) {
        if (items[i].len == items[i - 1].len
            && memcmp(items[i].text, items[i - 1].text, items[i].len) == 0)
        {
            below = (schema_place_t) { place, NULL, items[i].index };
            good = schema_problem(check, &below, "stands twice in the list");
        }
    }

    items_destroy(items, n);

    return good;
}


static array_item_t *
items_create(const json_t *value)
{
    size_t         i, n;
    array_item_t  *items;

    n = json_array_size(value);
    items = calloc(n, sizeof(array_item_t));

    for (i = 0; items != NULL && i < n; i++) {
        items[i].index = i;
        items[i].text = schema_canonical(json_array_get(value, i),
                                         &items[i].len);

        if (items[i].text == NULL) {
            items_destroy(items, n);
            return NULL;
        }
    }

    return items;
}


static void
items_destroy(array_item_t *items, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        free(items[i].text);
    }

    free(items);
}


/* Equal items stand in the order of the list, so that the later is named. */
static int
item_order(const void *a, const void *b)
{
    int                  rc;
    const array_item_t  *x, *y;

    x = a;
    y = b;

    rc = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

    if (rc == 0) {
        rc = (x->len > y->len) - (x->len < y->len);
    }

    return rc != 0 ? rc : (x->index > y->index) - (x->index < y->index);
}
