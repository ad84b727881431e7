
/*
 * The one who hears, thinks and speaks: a thread that answers the questions
 * of all callers, one after the other.
 */

#ifndef AGENT_MIND_H
#define AGENT_MIND_H


#include "agent_question.h"
#include "worker_settings.h"


#define AGENT_WAITING_MAX  32          /* questions that wait */


typedef struct agent_mind_s   agent_mind_t;
typedef struct agent_thought_s  agent_thought_t;


/* Starts the thread; NULL: it could not be started. */
agent_mind_t *agent_mind_create(const worker_settings_t *settings)
    VOICE_MUST_CHECK;
/* Ends it after the question that it is at. */
void agent_mind_destroy(agent_mind_t *mind);

/*
 * Hands in a question, which the thought owns from then on, also its wav
 * (body, freed with it).  NULL: too many wait; question and body remain the
 * caller's.
 */
agent_thought_t *agent_mind_ask(agent_mind_t *mind,
    agent_question_t *question, char *body) VOICE_MUST_CHECK;

/*
 * Copies the next bytes of the answer, waiting for them; 0 at its end, -1 if
 * it broke off.
 */
long agent_thought_read(agent_thought_t *thought, char *buf, size_t size);
/* The caller has gone or has read all. */
void agent_thought_leave(agent_thought_t *thought);


#endif /* AGENT_MIND_H */
