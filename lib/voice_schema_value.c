/*
 * Keywords of scalars: type, enum, const, numbers, strings.
 */

#include <stdio.h>

#include "voice_schema_private.h"


/* Bits of rule->types; a whole number is an integer and a number. */
#define TYPE_NULL     0x01
#define TYPE_BOOLEAN  0x02
#define TYPE_INTEGER  0x04
#define TYPE_NUMBER   0x08
#define TYPE_STRING   0x10
#define TYPE_ARRAY    0x20
#define TYPE_OBJECT   0x40


static voice_rc_t compile_type(voice_schemas_t *set, schema_rule_t *rule);
static int check_type(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t compile_enum(voice_schemas_t *set, schema_rule_t *rule);
static int check_enum(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t compile_const(voice_schemas_t *set, schema_rule_t *rule);
static int check_const(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t compile_number(voice_schemas_t *set, schema_rule_t *rule);
static int check_minimum(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_maximum(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_above(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_below(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t compile_multiple(voice_schemas_t *set, schema_rule_t *rule);
static int check_multiple(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_min_length(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static int check_max_length(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t compile_pattern(voice_schemas_t *set, schema_rule_t *rule);
static int check_pattern(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static voice_rc_t compile_format(voice_schemas_t *set, schema_rule_t *rule);
static int check_format(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
static unsigned type_bit(const char *name);
static unsigned type_of(const json_t *value);
static size_t code_points(const json_t *value);
static int number_problem(const schema_rule_t *rule, schema_check_t *check,
    const schema_place_t *place, const char *relation);


const schema_keyword_t  schema_value_keywords[] = {
    { "type", compile_type, check_type, NULL, 0 },
    { "enum", compile_enum, check_enum, NULL, 0 },
    { "const", compile_const, check_const, NULL, 0 },
    { "minimum", compile_number, check_minimum, NULL, 0 },
    { "maximum", compile_number, check_maximum, NULL, 0 },
    { "exclusiveMinimum", compile_number, check_above, NULL, 0 },
    { "exclusiveMaximum", compile_number, check_below, NULL, 0 },
    { "multipleOf", compile_multiple, check_multiple, NULL, 0 },
    { "minLength", schema_compile_limit, check_min_length, NULL, 0 },
    { "maxLength", schema_compile_limit, check_max_length, NULL, 0 },
    { "pattern", compile_pattern, check_pattern, NULL, 0 },
    { "format", compile_format, check_format, NULL, 0 },
    { NULL, NULL, NULL, NULL, 0 }
};


static const struct {
    const char  *name;
    unsigned     bit;
    const char  *article;
} schema_types[] = {
    { "null", TYPE_NULL, "null" },
    { "boolean", TYPE_BOOLEAN, "a boolean" },
    { "integer", TYPE_INTEGER, "an integer" },
    { "number", TYPE_NUMBER, "a number" },
    { "string", TYPE_STRING, "a string" },
    { "array", TYPE_ARRAY, "an array" },
    { "object", TYPE_OBJECT, "an object" },
};


static voice_rc_t
compile_type(voice_schemas_t *set, schema_rule_t *rule)
{
    size_t    i;
    json_t   *item;
    unsigned  bit;

    rule->types = type_bit(json_string_value(rule->value));

    json_array_foreach(rule->value, i, item) {
        bit = type_bit(json_string_value(item));

        if (bit == 0 || (rule->types & bit) != 0) {
            rule->types = 0;
            break;
        }

        rule->types |= bit;
    }

    if (rule->types == 0) {
        return schema_refuse(set, rule, VOICE_INVALID,
                             "must be a type or a list of different types");
    }

    return VOICE_OK;
}


static int
check_type(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    char    list[96];
    size_t  i, n;

    if ((rule->types & type_of(value)) != 0) {
        return 1;
    }

    n = 0;
    list[0] = '\0';

    for (i = 0; i < VOICE_ARRAY_SIZE(schema_types); i++) {
        if ((rule->types & schema_types[i].bit) != 0) {
            n += (size_t) snprintf(list + n, sizeof(list) - n, "%s%s",
                                   n == 0 ? "" : " or ",
                                   schema_types[i].article);
        }
    }

    return schema_problem(check, place, "must be %s", list);
}


static voice_rc_t
compile_enum(voice_schemas_t *set, schema_rule_t *rule)
{
    if (json_array_size(rule->value) == 0) {
        return schema_refuse(set, rule, VOICE_INVALID,
                             "must be a list of values");
    }

    return VOICE_OK;
}


static int
check_enum(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    char         list[160];
    size_t       i, n;
    json_t      *item;
    const char  *text;

    json_array_foreach(rule->value, i, item) {
        if (schema_equal(item, value)) {
            return 1;
        }
    }

    n = 0;
    list[0] = '\0';

    json_array_foreach(rule->value, i, item) {
        text = json_string_value(item);

        if (text == NULL || n + strlen(text) + 3 > sizeof(list)) {
            return schema_problem(check, place,
                                  "must be one of the values listed in the "
                                  "contract");
        }

        n += (size_t) snprintf(list + n, sizeof(list) - n, "%s%s",
                               n == 0 ? "" : ", ", text);
    }

    return schema_problem(check, place, "must be one of: %s", list);
}


static voice_rc_t
compile_const(voice_schemas_t *set, schema_rule_t *rule)
{
    (void) set;
    (void) rule;

    return VOICE_OK;
}


static int
check_const(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (schema_equal(rule->value, value)) {
        return 1;
    }

    return schema_problem(check, place,
                          "must be the one value that the contract names");
}


static voice_rc_t
compile_number(voice_schemas_t *set, schema_rule_t *rule)
{
    if (!json_is_number(rule->value)) {
        return schema_refuse(set, rule, VOICE_INVALID, "must be a number");
    }

    return VOICE_OK;
}


static int
check_minimum(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_number(value) || schema_compare(value, rule->value) >= 0) {
        return 1;
    }

    return number_problem(rule, check, place, "at least");
}


static int
check_maximum(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_number(value) || schema_compare(value, rule->value) <= 0) {
        return 1;
    }

    return number_problem(rule, check, place, "at most");
}


static int
check_above(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_number(value) || schema_compare(value, rule->value) > 0) {
        return 1;
    }

    return number_problem(rule, check, place, "above");
}


static int
check_below(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_number(value) || schema_compare(value, rule->value) < 0) {
        return 1;
    }

    return number_problem(rule, check, place, "below");
}


static voice_rc_t
compile_multiple(voice_schemas_t *set, schema_rule_t *rule)
{
    if (json_number_value(rule->value) <= 0) {
        return schema_refuse(set, rule, VOICE_INVALID,
                             "must be a number above 0");
    }

    return VOICE_OK;
}


static int
check_multiple(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_number(value) || schema_is_multiple(value, rule->value)) {
        return 1;
    }

    return number_problem(rule, check, place, "a multiple of");
}


static int
check_min_length(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    /* a character is four bytes at most */

    if (!json_is_string(value)
        || json_string_length(value) / 4 >= rule->limit
        || code_points(value) >= rule->limit)
    {
        return 1;
    }

    return schema_problem(check, place, "must have at least %zu character%s",
                          rule->limit, rule->limit == 1 ? "" : "s");
}


static int
check_max_length(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_string(value) || json_string_length(value) <= rule->limit
        || code_points(value) <= rule->limit)
    {
        return 1;
    }

    return schema_problem(check, place, "must have at most %zu character%s",
                          rule->limit, rule->limit == 1 ? "" : "s");
}


static voice_rc_t
compile_pattern(voice_schemas_t *set, schema_rule_t *rule)
{
    if (!json_is_string(rule->value)) {
        return schema_refuse(set, rule, VOICE_INVALID, "must be a string");
    }

    return schema_pattern_branch(set, rule, json_string_value(rule->value));
}


static int
check_pattern(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_string(value)
        || schema_pattern_check(&rule->branches[0], check,
                                voice_span(json_string_value(value),
                                           json_string_length(value))))
    {
        return 1;
    }

    return schema_problem(check, place, "does not match the pattern %s",
                          json_string_value(rule->value));
}


static voice_rc_t
compile_format(voice_schemas_t *set, schema_rule_t *rule)
{
    if (!json_is_string(rule->value)) {
        return schema_refuse(set, rule, VOICE_INVALID, "must be a string");
    }

    rule->name = json_string_value(rule->value);
    rule->format = schema_format(rule->name);

    return VOICE_OK;
}


static int
check_format(const schema_rule_t *rule, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    if (!json_is_string(value) || rule->format == NULL
        || rule->format(voice_span(json_string_value(value),
                                   json_string_length(value))))
    {
        return 1;
    }

    return schema_problem(check, place, "is not of the format %s",
                          rule->name);
}


static unsigned
type_bit(const char *name)
{
    size_t  i;

    for (i = 0; name != NULL && i < VOICE_ARRAY_SIZE(schema_types); i++) {
        if (strcmp(schema_types[i].name, name) == 0) {
            return schema_types[i].bit;
        }
    }

    return 0;
}


static unsigned
type_of(const json_t *value)
{
    switch (json_typeof(value)) {

    case JSON_OBJECT:
        return TYPE_OBJECT;

    case JSON_ARRAY:
        return TYPE_ARRAY;

    case JSON_STRING:
        return TYPE_STRING;

    case JSON_INTEGER:
        return TYPE_INTEGER|TYPE_NUMBER;

    case JSON_REAL:
        return schema_is_whole(value) ? TYPE_INTEGER|TYPE_NUMBER
                                      : TYPE_NUMBER;

    case JSON_NULL:
        return TYPE_NULL;

    default:
        return TYPE_BOOLEAN;
    }
}


/* Strings of the library are UTF-8: all bytes but the following ones. */
static size_t
code_points(const json_t *value)
{
    size_t       i, n, len;
    const char  *text;

    n = 0;
    text = json_string_value(value);
    len = json_string_length(value);

    for (i = 0; i < len; i++) {
        n += ((unsigned char) text[i] & 0xc0) != 0x80;
    }

    return n;
}


static int
number_problem(const schema_rule_t *rule, schema_check_t *check,
    const schema_place_t *place, const char *relation)
{
    if (json_is_integer(rule->value)) {
        return schema_problem(check, place,
                              "must be %s %" JSON_INTEGER_FORMAT, relation,
                              json_integer_value(rule->value));
    }

    return schema_problem(check, place, "must be %s %g", relation,
                          json_real_value(rule->value));
}
