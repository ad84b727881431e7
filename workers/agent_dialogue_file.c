
/*
 * Reads dialogue.json: slots become parts of regular expressions, all of
 * which are compiled here.
 */

#include <stdio.h>
#include <stdlib.h>

#include "agent_dialogue_private.h"


#define PATTERN_MAX  16384             /* bytes of an expanded pattern */
#define NESTING_MAX  4                 /* slots within slots */


typedef struct {
    char    text[PATTERN_MAX];
    size_t  len;
} pattern_t;


/* Where we are in the file, for problems. */
typedef struct {
    const json_t  *slots;
    const json_t  *values;
    const char    *rule;
    char          *problem;
} reader_t;


static int dialogue_read(agent_dialogue_t *dialogue, char *problem);
static int rule_read(const reader_t *reader, const json_t *object,
    agent_rule_t *rule);
static int answers_check(const reader_t *reader, const json_t *answers);
static int entity_read(const reader_t *reader, const json_t *object,
    agent_entity_t *entity);
static pcre2_code *pattern_compile(const reader_t *reader,
    const json_t *text, uint32_t options);
static int pattern_expand(const reader_t *reader, const char *text,
    pattern_t *pattern, int nesting);
static int slot_expand(const reader_t *reader, const char *name,
    pattern_t *pattern, int nesting);
static int pattern_add(pattern_t *pattern, const char *text, size_t len);
static int wrong(const reader_t *reader, const char *what);


agent_dialogue_t *
agent_dialogue_create(const char *file, char problem[AGENT_PROBLEM_MAX])
{
    json_error_t       error;
    agent_dialogue_t  *dialogue;

    dialogue = calloc(1, sizeof(agent_dialogue_t));
    if (dialogue == NULL) {
        snprintf(problem, AGENT_PROBLEM_MAX, "out of memory");
        return NULL;
    }

    dialogue->root = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    if (dialogue->root == NULL) {
        snprintf(problem, AGENT_PROBLEM_MAX, "line %d: %s", error.line,
                 error.text);
        agent_dialogue_destroy(dialogue);
        return NULL;
    }

    if (!dialogue_read(dialogue, problem)) {
        agent_dialogue_destroy(dialogue);
        return NULL;
    }

    return dialogue;
}


void
agent_dialogue_destroy(agent_dialogue_t *dialogue)
{
    unsigned       i, j;
    agent_rule_t  *rule;

    if (dialogue == NULL) {
        return;
    }

    for (i = 0; i < dialogue->nrules; i++) {
        rule = &dialogue->rules[i];
        pcre2_code_free(rule->match);

        for (j = 0; j < rule->nentities; j++) {
            pcre2_code_free(rule->entities[j].match);
            pcre2_code_free(rule->entities[j].reply);
        }
    }

    json_decref(dialogue->root);
    free(dialogue);
}


static int
dialogue_read(agent_dialogue_t *dialogue, char *problem)
{
    size_t         i;
    json_t        *object, *rules, *fallback;
    reader_t       reader = { NULL, NULL, "file", problem };
    agent_rule_t  *last = &dialogue->fallback;

    reader.slots = json_object_get(dialogue->root, "slots");
    reader.values = json_object_get(dialogue->root, "values");
    dialogue->facts = json_object_get(dialogue->root, "facts");
    rules = json_object_get(dialogue->root, "rules");
    fallback = json_object_get(dialogue->root, "fallback");

    if (json_array_size(rules) == 0
        || json_array_size(rules) > AGENT_RULES_MAX)
    {
        return wrong(&reader, "has no rules, or too many");
    }

    last->intent = json_string_value(json_object_get(fallback, "intent"));
    last->command_kind = json_string_value(json_object_get(fallback,
                                                       "command_kind"));
    last->answers = json_object_get(fallback, "answers");

    if (last->intent == NULL || last->command_kind == NULL
        || !answers_check(&reader, last->answers))
    {
        return wrong(&reader, "has no fallback");
    }

    json_array_foreach(rules, i, object) {
        if (!rule_read(&reader, object, &dialogue->rules[i])) {
            dialogue->nrules = (unsigned) i + 1;
            return 0;
        }
    }

    dialogue->nrules = (unsigned) i;

    return 1;
}


static int
rule_read(const reader_t *reader, const json_t *object, agent_rule_t *rule)
{
    size_t     i;
    json_t    *entities, *entity;
    reader_t   here = *reader;

    rule->intent = json_string_value(json_object_get(object, "intent"));
    rule->command_kind = json_string_value(json_object_get(object,
                                                       "command_kind"));
    rule->answers = json_object_get(object, "answers");

    if (rule->intent == NULL || rule->command_kind == NULL) {
        return wrong(&here, "has a rule without intent or command_kind");
    }

    here.rule = rule->intent;
    entities = json_object_get(object, "entities");

    if (!answers_check(&here, rule->answers)) {
        return 0;
    }

    rule->match = pattern_compile(&here, json_object_get(object, "match"),
                                  0);
    if (rule->match == NULL) {
        return 0;
    }

    if (json_array_size(entities) > AGENT_ENTITIES_MAX) {
        return wrong(&here, "has too many entities");
    }

    json_array_foreach(entities, i, entity) {
        rule->nentities = (unsigned) i + 1;

        if (!entity_read(&here, entity, &rule->entities[i])) {
            return 0;
        }
    }

    return 1;
}


/* The last answer has no condition, so there always is one. */

static int
answers_check(const reader_t *reader, const json_t *answers)
{
    size_t         i, n;
    const json_t  *answer;

    n = json_array_size(answers);

    for (i = 0; i < n; i++) {
        answer = json_array_get(answers, i);

        if (!json_is_string(json_object_get(answer, "say"))
            || (i + 1 == n && json_object_get(answer, "when") != NULL))
        {
            return wrong(reader, "has a wrong answer");
        }
    }

    return n > 0 ? 1 : wrong(reader, "has no answer");
}


static int
entity_read(const reader_t *reader, const json_t *object,
    agent_entity_t *entity)
{
    const char  *values;

    entity->name = json_string_value(json_object_get(object, "name"));
    entity->ask = json_string_value(json_object_get(object, "ask"));
    values = json_string_value(json_object_get(object, "values"));

    if (values != NULL) {
        entity->values = json_object_get(reader->values, values);
    }

    if (entity->name == NULL || (values != NULL && entity->values == NULL)) {
        return wrong(reader, "has a wrong entity");
    }

    entity->match = pattern_compile(reader, json_object_get(object, "match"),
                                    0);
    if (entity->match == NULL) {
        return 0;
    }

    if (entity->ask == NULL) {
        return 1;
    }

    entity->reply = pattern_compile(reader, json_object_get(object, "reply"),
                                    PCRE2_ANCHORED | PCRE2_ENDANCHORED);

    return entity->reply != NULL;
}


static pcre2_code *
pattern_compile(const reader_t *reader, const json_t *text, uint32_t options)
{
    int          number;
    pattern_t   *pattern;
    pcre2_code  *code;
    PCRE2_SIZE   offset;

    if (!json_is_string(text)) {
        (void) wrong(reader, "has no pattern where one is needed");
        return NULL;
    }

    pattern = calloc(1, sizeof(pattern_t));
    if (pattern == NULL) {
        (void) wrong(reader, "does not fit into memory");
        return NULL;
    }

    code = NULL;

    if (pattern_expand(reader, json_string_value(text), pattern, 0)) {
        code = pcre2_compile((PCRE2_SPTR) pattern->text, pattern->len,
                             PCRE2_UTF | options, &number, &offset, NULL);
    }

    free(pattern);

    if (code == NULL) {
        (void) wrong(reader, "has a pattern that is none");
    }

    return code;
}


/* "{name}" is the slot of that name, as alternatives. */

static int
pattern_expand(const reader_t *reader, const char *text, pattern_t *pattern,
    int nesting)
{
    char    name[AGENT_VALUE_MAX];
    size_t  n;

    while (*text != '\0') {
        n = strcspn(text, "{");

        if (!pattern_add(pattern, text, n)) {
            return 0;
        }

        text += n;

        if (*text == '\0') {
            return 1;
        }

        n = strcspn(text + 1, "}");

        if (text[n + 1] == '\0' || n >= sizeof(name)
            || nesting >= NESTING_MAX)
        {
            return 0;
        }

        memcpy(name, text + 1, n);
        name[n] = '\0';
        text += n + 2;

        if (!slot_expand(reader, name, pattern, nesting + 1)) {
            return 0;
        }
    }

    return 1;
}


/* A word of a slot ends where the word of the text ends. */

static int
slot_expand(const reader_t *reader, const char *name, pattern_t *pattern,
    int nesting)
{
    size_t         i;
    const json_t  *item, *list;

    list = json_object_get(reader->slots, name);

    if (json_array_size(list) == 0 || !pattern_add(pattern, "(?:", 3)) {
        return 0;
    }

    json_array_foreach(list, i, item) {
        if (!json_is_string(item)
            || (i > 0 && !pattern_add(pattern, "|", 1))
            || !pattern_expand(reader, json_string_value(item), pattern,
                               nesting))
        {
            return 0;
        }
    }

    return pattern_add(pattern, ")\\b", 3);
}


static int
pattern_add(pattern_t *pattern, const char *text, size_t len)
{
    if (len > PATTERN_MAX - pattern->len) {
        return 0;
    }

    memcpy(pattern->text + pattern->len, text, len);
    pattern->len += len;

    return 1;
}


static int
wrong(const reader_t *reader, const char *what)
{
    if (reader->problem[0] == '\0') {
        snprintf(reader->problem, AGENT_PROBLEM_MAX, "\"%.60s\" %s",
                 reader->rule, what);
    }

    return 0;
}
