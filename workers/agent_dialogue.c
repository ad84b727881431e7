
/*
 * One turn of a conversation: which rule, which entities, what to say.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent_dialogue_private.h"


#define MATCH_LIMIT  100000            /* steps of a regular expression */
#define TURNS_MAX    1000


/* A rule at work, with the texts that were found for its entities. */
typedef struct {
    const agent_dialogue_t  *dialogue;
    const agent_rule_t      *rule;
    char  texts[AGENT_ENTITIES_MAX][AGENT_VALUE_MAX];  /* "" not found */
    int   turns;
} turn_t;


typedef struct {
    char    text[AGENT_SPOKEN_MAX];
    size_t  len;
} sentence_t;


static size_t text_plain(char *out, voice_span_t text);
static int state_read(turn_t *turn, const json_t *state, int *asked);
static void state_slots(turn_t *turn, const json_t *slots);
static int value_valid(const char *text);
static int turn_continue(turn_t *turn, const char *text, size_t len,
    int asked);
static void turn_begin(turn_t *turn, const char *text, size_t len);
static int match(const pcre2_code *code, const char *text, size_t len,
    char *value);
static const json_t *answer_find(const turn_t *turn, int with_when);
static int answer_fits(const turn_t *turn, const json_t *when);
static voice_rc_t reply_fill(const turn_t *turn, agent_reply_t *reply);
static json_t *entities_json(const turn_t *turn);
static json_t *state_json(const turn_t *turn, int asked);
static const char *fact(const turn_t *turn, const char *expression,
    size_t len, char *buf);
static void say(const turn_t *turn, const char *text, size_t len,
    sentence_t *out);
static int entity_index(const agent_rule_t *rule, const char *name,
    size_t len);
static int segment_known(const turn_t *turn, const char *text, size_t len);
static void sentence_add(sentence_t *out, const char *text, size_t len);


voice_rc_t
agent_dialogue_turn(const agent_dialogue_t *dialogue, voice_span_t text,
    const json_t *state, agent_reply_t *reply)
{
    int     asked;
    char    plain[AGENT_TEXT_MAX + 1];
    size_t  len;
    turn_t  turn;

    memset(reply, 0, sizeof(agent_reply_t));
    memset(&turn, 0, sizeof(turn_t));
    turn.dialogue = dialogue;

    if (text.len > AGENT_TEXT_MAX) {
        return VOICE_LIMIT;
    }

    len = text_plain(plain, text);

    if (!state_read(&turn, state, &asked)
        || !turn_continue(&turn, plain, len, asked))
    {
        turn_begin(&turn, plain, len);
    }

    return reply_fill(&turn, reply);
}


void
agent_reply_release(agent_reply_t *reply)
{
    json_decref(reply->entities);
    json_decref(reply->state);
    memset(reply, 0, sizeof(agent_reply_t));
}


/* Lower case, words only, one space between them. */

static size_t
text_plain(char *out, voice_span_t text)
{
    size_t         i, n = 0;
    unsigned char  c;

    for (i = 0; i < text.len; i++) {
        c = (unsigned char) text.ptr[i];

        if (c >= 0x80 || isalnum(c) || c == '\'') {
            out[n++] = (char) tolower(c);

        } else if (n > 0 && out[n - 1] != ' ') {
            out[n++] = ' ';
        }
    }

    if (n > 0 && out[n - 1] == ' ') {
        n--;
    }

    out[n] = '\0';

    return n;
}


/* Takes up the rule whose question is open; 0: none is. */

static int
state_read(turn_t *turn, const json_t *state, int *asked)
{
    unsigned       i;
    json_int_t     turns;
    const char    *intent, *name;
    const json_t  *slots;

    turns = json_integer_value(json_object_get(state, "TurnCount"));
    turn->turns = turns > 0 && turns < TURNS_MAX ? (int) turns : 0;

    intent = json_string_value(json_object_get(state, "Intent"));
    name = json_string_value(json_object_get(state, "Asked"));
    slots = json_object_get(state, "Slots");

    if (intent == NULL || name == NULL || !json_is_object(slots)) {
        return 0;
    }

    for (i = 0; i < turn->dialogue->nrules; i++) {
        if (strcmp(turn->dialogue->rules[i].intent, intent) == 0) {
            break;
        }
    }

    if (i == turn->dialogue->nrules) {
        return 0;
    }

    turn->rule = &turn->dialogue->rules[i];
    *asked = entity_index(turn->rule, name, strlen(name));

    if (*asked == -1 || turn->rule->entities[*asked].ask == NULL) {
        return 0;
    }

    state_slots(turn, slots);

    return 1;
}


/* The state went through the client's hands: only plain words are taken. */

static void
state_slots(turn_t *turn, const json_t *slots)
{
    unsigned     i;
    const char  *text;

    for (i = 0; i < turn->rule->nentities; i++) {
        text = json_string_value(json_object_get(slots,
                                             turn->rule->entities[i].name));

        if (text != NULL && value_valid(text)) {
            snprintf(turn->texts[i], AGENT_VALUE_MAX, "%s", text);
        }
    }
}


static int
value_valid(const char *text)
{
    size_t  len;

    len = strspn(text, "abcdefghijklmnopqrstuvwxyz' ");

    return len < AGENT_VALUE_MAX && text[len] == '\0';
}


/* Is this the answer to our question?  0: it is something new. */

static int
turn_continue(turn_t *turn, const char *text, size_t len, int asked)
{
    char                   value[AGENT_VALUE_MAX];
    const agent_entity_t  *entity = &turn->rule->entities[asked];

    if (!match(entity->reply, text, len, value)) {
        return 0;
    }

    memcpy(turn->texts[asked], value, AGENT_VALUE_MAX);
    turn->turns++;

    return 1;
}


static void
turn_begin(turn_t *turn, const char *text, size_t len)
{
    unsigned  i;

    memset(turn->texts, 0, sizeof(turn->texts));
    turn->rule = &turn->dialogue->fallback;
    turn->turns++;

    for (i = 0; i < turn->dialogue->nrules; i++) {
        if (match(turn->dialogue->rules[i].match, text, len, NULL)) {
            turn->rule = &turn->dialogue->rules[i];
            break;
        }
    }

    for (i = 0; i < turn->rule->nentities; i++) {
        (void) match(turn->rule->entities[i].match, text, len,
                     turn->texts[i]);
    }
}


/* Writes the first group to value, "" if there is none. */

static int
match(const pcre2_code *code, const char *text, size_t len, char *value)
{
    int                   n;
    size_t                size = AGENT_VALUE_MAX;
    pcre2_match_data     *data;
    pcre2_match_context  *context;

    data = pcre2_match_data_create_from_pattern(code, NULL);
    context = pcre2_match_context_create(NULL);
    n = -1;

    if (data != NULL && context != NULL) {
        pcre2_set_match_limit(context, MATCH_LIMIT);
        n = pcre2_match(code, (PCRE2_SPTR) text, len, 0, 0, data, context);
    }

    if (value != NULL
        && (n < 0
            || pcre2_substring_copy_bynumber(data, 1, (PCRE2_UCHAR *) value,
                                             &size)
               != 0))
    {
        value[0] = '\0';
    }

    pcre2_match_context_free(context);
    pcre2_match_data_free(data);

    return n >= 0;
}


/*
 * The answer whose condition holds comes before any question, so that what
 * cannot be done is said at once.
 */

static voice_rc_t
reply_fill(const turn_t *turn, agent_reply_t *reply)
{
    int                  asked = -1;
    unsigned             i;
    sentence_t           out = { .len = 0 };
    const char          *text;
    const json_t        *answer;
    const agent_rule_t  *rule = turn->rule;

    answer = answer_find(turn, 1);

    for (i = 0; answer == NULL && i < rule->nentities && asked == -1; i++) {
        if (rule->entities[i].ask != NULL && turn->texts[i][0] == '\0') {
            asked = (int) i;
        }
    }

    if (asked == -1 && answer == NULL) {
        answer = answer_find(turn, 0);
    }

    text = asked != -1 ? rule->entities[asked].ask
                       : json_string_value(json_object_get(answer, "say"));
    say(turn, text, strlen(text), &out);
    out.text[0] = (char) toupper((unsigned char) out.text[0]);
    memcpy(reply->spoken, out.text, sizeof(out.text));

    reply->intent = rule->intent;
    reply->command_kind
        = json_string_value(json_object_get(answer, "command_kind"));

    if (reply->command_kind == NULL) {
        reply->command_kind = rule->command_kind;
    }

    reply->listen = asked != -1;
    reply->entities = entities_json(turn);
    reply->state = state_json(turn, asked);

    if (reply->entities == NULL || reply->state == NULL) {
        agent_reply_release(reply);
        return VOICE_NOMEM;
    }

    return VOICE_OK;
}


/* With a condition that holds, or the one without any. */

static const json_t *
answer_find(const turn_t *turn, int with_when)
{
    size_t         i;
    const json_t  *answer, *when;

    json_array_foreach(turn->rule->answers, i, answer) {
        when = json_object_get(answer, "when");

        if (with_when ? when != NULL && answer_fits(turn, when)
                      : when == NULL)
        {
            return answer;
        }
    }

    return NULL;
}


/* {"city": "*"}: there is one; {"fact:city": "no"}: its fact is that. */

static int
answer_fits(const turn_t *turn, const json_t *when)
{
    int            i;
    char           buf[AGENT_SPOKEN_MAX];
    const char    *key, *name, *wanted;
    const json_t  *value;

    json_object_foreach((json_t *) when, key, value) {
        name = strchr(key, ':');
        name = name == NULL ? key : name + 1;
        wanted = json_string_value(value);
        i = entity_index(turn->rule, name, strlen(name));

        if (i == -1 || wanted == NULL || turn->texts[i][0] == '\0') {
            return 0;
        }

        if (strcmp(wanted, "*") != 0
            && strcmp(fact(turn, key, strlen(key), buf), wanted) != 0)
        {
            return 0;
        }
    }

    return 1;
}


static json_t *
entities_json(const turn_t *turn)
{
    unsigned               i;
    json_t                *object, *value;
    const agent_entity_t  *entity;

    object = json_object();

    for (i = 0; i < turn->rule->nentities; i++) {
        if (turn->texts[i][0] == '\0') {
            continue;
        }

        entity = &turn->rule->entities[i];
        value = json_object_get(entity->values, turn->texts[i]);
        value = value == NULL ? json_string(turn->texts[i])
                              : json_incref(value);

        if (json_object_set_new(object, entity->name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }

    return object;
}


static json_t *
state_json(const turn_t *turn, int asked)
{
    unsigned  i;
    json_t   *slots, *state;

    slots = json_object();

    for (i = 0; i < turn->rule->nentities && asked != -1; i++) {
        if (turn->texts[i][0] != '\0') {
            (void) json_object_set_new(slots, turn->rule->entities[i].name,
                                       json_string(turn->texts[i]));
        }
    }

    state = json_pack("{s:s, s:o, s:i, s:s?}", "Intent", turn->rule->intent,
                      "Slots", slots, "TurnCount", turn->turns, "Asked",
                      asked == -1 ? NULL : turn->rule->entities[asked].name);

    return state;
}


/*
 * Writes a text: "{city}" is the entity, "{sky:city}" what the facts know of
 * it, "[ in {city}]" is left out where the entity is unknown.
 */

static void
say(const turn_t *turn, const char *text, size_t len, sentence_t *out)
{
    char         buf[AGENT_SPOKEN_MAX];
    size_t       i, n;
    const char  *known;

    for (i = 0; i < len; i += n + 1) {
        n = strcspn(text + i, "[{");
        n = n < len - i ? n : len - i;
        sentence_add(out, text + i, n);
        i += n;

        if (i >= len) {
            return;
        }

        n = strcspn(text + i, text[i] == '[' ? "]" : "}");

        if (text[i] == '[') {
            if (segment_known(turn, text + i + 1, n - 1)) {
                say(turn, text + i + 1, n - 1, out);
            }

            continue;
        }

        known = fact(turn, text + i + 1, n - 1, buf);
        sentence_add(out, known, strlen(known));
    }
}


/* "name" or "facts:name"; "{}" in a fact stands for the entity's text. */

static const char *
fact(const turn_t *turn, const char *expression, size_t len, char *buf)
{
    int            i;
    char           table[AGENT_VALUE_MAX];
    size_t         n;
    const char    *found, *hole, *text;
    const json_t  *facts;

    n = strcspn(expression, ":");
    n = n < len ? n : len;
    i = n == len ? entity_index(turn->rule, expression, len)
                 : entity_index(turn->rule, expression + n + 1, len - n - 1);
    text = i == -1 ? "" : turn->texts[i];

    if (n == len || n >= sizeof(table)) {
        return text;
    }

    memcpy(table, expression, n);
    table[n] = '\0';

    facts = json_object_get(turn->dialogue->facts, table);
    found = json_string_value(json_object_get(facts, text));
    if (found == NULL) {
        found = json_string_value(json_object_get(facts, "*"));
    }

    if (found == NULL) {
        return text;
    }

    hole = strstr(found, "{}");
    if (hole == NULL) {
        return found;
    }

    snprintf(buf, AGENT_SPOKEN_MAX, "%.*s%s%s", (int) (hole - found), found,
             text, hole + 2);

    return buf;
}


/* Are all entities of a segment known? */

static int
segment_known(const turn_t *turn, const char *text, size_t len)
{
    int     index;
    size_t  i, n, name;

    for (i = 0; i < len; i += n + 1) {
        i += strcspn(text + i, "{");

        if (i >= len) {
            return 1;
        }

        n = strcspn(text + i, "}");
        name = strcspn(text + i, ":");
        name = name < n ? name + 1 : 1;

        index = entity_index(turn->rule, text + i + name, n - name);

        if (index == -1 || turn->texts[index][0] == '\0') {
            return 0;
        }
    }

    return 1;
}


static int
entity_index(const agent_rule_t *rule, const char *name, size_t len)
{
    unsigned  i;

    for (i = 0; i < rule->nentities; i++) {
        if (strlen(rule->entities[i].name) == len
            && memcmp(rule->entities[i].name, name, len) == 0)
        {
            return (int) i;
        }
    }

    return -1;
}


static void
sentence_add(sentence_t *out, const char *text, size_t len)
{
    if (len >= sizeof(out->text) - out->len) {
        len = sizeof(out->text) - 1 - out->len;
    }

    memcpy(out->text + out->len, text, len);
    out->len += len;
    out->text[out->len] = '\0';
}
