
/*
 * The dialogue in memory, shared by the file that reads it and the one that
 * talks.
 */

#ifndef AGENT_DIALOGUE_PRIVATE_H
#define AGENT_DIALOGUE_PRIVATE_H


#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>

#include "agent_dialogue.h"


#define AGENT_RULES_MAX     128
#define AGENT_ENTITIES_MAX  8          /* of a rule */
#define AGENT_VALUE_MAX     64         /* bytes of an entity, with the NUL */


typedef struct {
    const char    *name;
    pcre2_code    *match;              /* its first group is the value */
    pcre2_code    *reply;              /* to the question; NULL: none */
    const char    *ask;                /* the question; NULL: not asked for */
    const json_t  *values;             /* what a text stands for; or NULL */
} agent_entity_t;


typedef struct {
    const char      *intent;
    const char      *command_kind;
    pcre2_code      *match;
    agent_entity_t   entities[AGENT_ENTITIES_MAX];
    unsigned         nentities;
    const json_t    *answers;          /* [{"when", "command_kind", "say"}] */
} agent_rule_t;


struct agent_dialogue_s {
    json_t        *root;               /* owns all strings */
    const json_t  *facts;
    agent_rule_t   rules[AGENT_RULES_MAX];
    unsigned       nrules;
    agent_rule_t   fallback;           /* without a match */
};


#endif /* AGENT_DIALOGUE_PRIVATE_H */
