
/*
 * Makes an answer out of a question: hears it, asks the dialogue, speaks,
 * and writes Houndify's objects.
 */

#ifndef AGENT_SPEECH_H
#define AGENT_SPEECH_H


#include "agent_question.h"
#include "worker_settings.h"


typedef struct agent_speech_s  agent_speech_t;

/* Takes bytes of the answer; 0: nobody wants them any more. */
typedef int (*agent_write_pt)(void *data, voice_span_t bytes);


/* Takes about 0.3 s.  NULL: no recogniser. */
agent_speech_t *agent_speech_create(const worker_settings_t *settings)
    VOICE_MUST_CHECK;
void agent_speech_destroy(agent_speech_t *speech);

/*
 * Writes an answer: partial transcripts, if they are wished, then the final
 * object, which also says what went wrong.  0: it broke off.
 */
int agent_speech_answer(agent_speech_t *speech,
    const agent_question_t *question, agent_write_pt write, void *data);

/* A final object that tells an error; the caller frees it; may be NULL. */
char *agent_speech_error(const char *sentence);


#endif /* AGENT_SPEECH_H */
