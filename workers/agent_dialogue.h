
/*
 * What the built-in voice agent understands and answers: rules of a domain,
 * DIR/<domain>/<language>/dialogue.json (docs/speech.md has its form).  The
 * dialogue itself keeps nothing: the state of a conversation goes out with
 * each answer and comes back with the next question.
 */

#ifndef AGENT_DIALOGUE_H
#define AGENT_DIALOGUE_H


#include <jansson.h>

#include "../lib/voice_base.h"


#define AGENT_PROBLEM_MAX  200
#define AGENT_TEXT_MAX     1000        /* bytes of a question */
#define AGENT_SPOKEN_MAX   1000        /* bytes of an answer, with the NUL */


typedef struct agent_dialogue_s  agent_dialogue_t;


typedef struct {
    char         spoken[AGENT_SPOKEN_MAX];     /* sentences to be spoken */
    const char  *intent;               /* the dialogue's */
    const char  *command_kind;         /* the dialogue's */
    json_t      *entities;             /* object, owned */
    json_t      *state;                /* object, owned: for the next turn */
    int          listen;               /* the agent asks back */
} agent_reply_t;


/* NULL: problem says what is wrong with the file. */
agent_dialogue_t *agent_dialogue_create(const char *file,
    char problem[AGENT_PROBLEM_MAX]) VOICE_MUST_CHECK;
void agent_dialogue_destroy(agent_dialogue_t *dialogue);

/*
 * Answers what was said.  state: as the turn before gave it, NULL at the
 * start; whatever is wrong with it makes it none.  VOICE_LIMIT: longer than
 * AGENT_TEXT_MAX; VOICE_NOMEM.
 */
voice_rc_t agent_dialogue_turn(const agent_dialogue_t *dialogue,
    voice_span_t text, const json_t *state, agent_reply_t *reply)
    VOICE_MUST_CHECK;
void agent_reply_release(agent_reply_t *reply);


#endif /* AGENT_DIALOGUE_H */
