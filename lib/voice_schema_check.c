/*
 * Checking values against compiled schemas, and setting defaults.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "voice_schema_private.h"


static size_t place_write(char *out, size_t size,
    const schema_place_t *place);
static void text_clean(char *text);
static size_t utf8_length(const unsigned char *p);


voice_rc_t
voice_schema_check(const voice_schema_t *schema, const json_t *value,
    const char *base, voice_problems_t *problems)
{
    int             good;
    schema_check_t  check;
    schema_place_t  root;

    memset(&check, 0, sizeof(check));
    memset(&root, 0, sizeof(root));
    check.problems = problems;
    check.base = base;

    good = schema_check_value(schema, &check, value, &root);

    if (check.broken != NULL) {
        voice_problem_add(problems, base, "%s", check.broken);
        good = 0;
    }

    return good ? VOICE_OK : VOICE_INVALID;
}


voice_rc_t
voice_schema_defaults(const voice_schema_t *schema, json_t *value)
{
    return schema_fill_value(schema, value);
}


void
voice_problem_add(voice_problems_t *problems, const char *path,
    const char *reason, ...)
{
    va_list           args;
    voice_problem_t  *item;

    if (problems->count < VOICE_PROBLEMS_MAX) {
        item = &problems->items[problems->count];
        (void) snprintf(item->path, sizeof(item->path), "%s", path);

        va_start(args, reason);
        (void) vsnprintf(item->reason, sizeof(item->reason), reason, args);
        va_end(args);

        text_clean(item->path);
        text_clean(item->reason);
    }

    problems->count += problems->count < UINT32_MAX;
}


json_t *
voice_problems_json(const voice_problems_t *problems)
{
    json_t    *list, *item;
    unsigned   i;

    list = json_array();

    for (i = 0; i < problems->count && i < VOICE_PROBLEMS_MAX; i++) {
        item = json_pack("{s:s, s:s}", "path", problems->items[i].path,
                         "reason", problems->items[i].reason);

        if (list == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


int
schema_check_value(const voice_schema_t *schema, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int                   good;
    const schema_rule_t  *rule;

    if (json_is_false(schema->source)) {
        return schema_problem(check, place, "is not allowed");
    }

    if (check->depth >= SCHEMA_DEPTH_MAX || check->work >= SCHEMA_WORK_MAX) {
        check->broken = check->depth >= SCHEMA_DEPTH_MAX
                        ? "is nested too deeply" : "is too large to check";
    }

    if (check->broken != NULL) {
        return 0;
    }

    good = 1;
    check->depth++;

    for (rule = schema->rules; rule != NULL; rule = rule->next) {
        check->work++;

        if (rule->keyword->check != NULL
            && !rule->keyword->check(rule, check, value, place))
        {
            good = 0;

            if (check->problems == NULL || check->broken != NULL) {
                break;
            }
        }
    }

    check->depth--;

    return good;
}


int
schema_probe(const voice_schema_t *schema, schema_check_t *check,
    const json_t *value, const schema_place_t *place)
{
    int                good;
    voice_problems_t  *problems;

    problems = check->problems;
    check->problems = NULL;
    good = schema_check_value(schema, check, value, place);
    check->problems = problems;

    return good;
}


int
schema_problem(schema_check_t *check, const schema_place_t *place,
    const char *reason, ...)
{
    char      path[sizeof(check->problems->items[0].path)];
    char      text[sizeof(check->problems->items[0].reason)];
    size_t    n;
    va_list   args;

    if (check->problems == NULL) {
        return 0;
    }

    if (check->problems->count >= VOICE_PROBLEMS_MAX) {
        check->problems->count += check->problems->count < UINT32_MAX;
        return 0;
    }

    (void) snprintf(path, sizeof(path), "%s", check->base);
    n = strlen(path);
    (void) place_write(path + n, sizeof(path) - n, place);

    va_start(args, reason);
    (void) vsnprintf(text, sizeof(text), reason, args);
    va_end(args);

    voice_problem_add(check->problems, path, "%s", text);

    return 0;
}


voice_rc_t
schema_fill_value(const voice_schema_t *schema, json_t *value)
{
    voice_rc_t            rc;
    const schema_rule_t  *rule;

    for (rule = schema->rules; rule != NULL; rule = rule->next) {
        rc = rule->keyword->fill == NULL ? VOICE_OK
                                         : rule->keyword->fill(rule, value);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


json_t *
schema_default(const voice_schema_t *schema)
{
    json_t               *value;
    const schema_rule_t  *rule;

    value = json_object_get(schema->source, "default");

    for (rule = schema->rules; value == NULL && rule; rule = rule->next) {
        if (strcmp(rule->keyword->name, "$ref") == 0) {
            value = schema_default(rule->branches[0].schema);
        }
    }

    return value;
}


size_t
schema_token_write(char *out, size_t size, const char *token)
{
    size_t       n;
    const char  *p;

    n = 0;

    if (size > 1) {
        out[n++] = '/';
    }

    for (p = token; *p != '\0' && n + 2 < size; p++) {
        if (*p == '~' || *p == '/') {
            out[n++] = '~';
            out[n++] = *p == '~' ? '0' : '1';
            continue;
        }

        out[n++] = *p;
    }

    out[n] = '\0';

    return n;
}


/* Writes the pointer to a place and a NUL; returns its length, cut to fit. */
static size_t
place_write(char *out, size_t size, const schema_place_t *place)
{
    char    number[24];
    size_t  n;

    if (place->up == NULL) {
        out[0] = '\0';
        return 0;
    }

    n = place_write(out, size, place->up);

    if (place->name != NULL) {
        return n + schema_token_write(out + n, size - n, place->name);
    }

    (void) snprintf(number, sizeof(number), "%zu", place->index);

    return n + schema_token_write(out + n, size - n, number);
}


/*
 * Texts are cut at a byte and paths hold what a client sent: what is not
 * UTF-8 would make the reply unprintable, a line feed the log.
 */
static void
text_clean(char *text)
{
    size_t          n;
    unsigned char  *p;

    for (p = (unsigned char *) text; *p != '\0'; p += n) {
        n = *p < ' ' || *p == 0x7f ? 0 : utf8_length(p);

        if (n == 0) {
            *p = '?';
            n = 1;
        }
    }
}


/* Bytes of the UTF-8 sequence (RFC 3629) at p, 0 if there is none. */
static size_t
utf8_length(const unsigned char *p)
{
    size_t         i, n;
    unsigned char  low, high;

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] < 0xc2 || p[0] > 0xf4) {
        return 0;
    }

    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

    if (p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }

    return n;
}
