
/*
 * Hears, thinks and speaks.  Callers' threads wait for bytes of their
 * thought; only the mind's thread touches recogniser, dialogues and voices.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent_dialogue.h"
#include "agent_mind.h"
#include "agent_speech.h"
#include "worker_clock.h"
#include "worker_log.h"


#define MIND_OUTPUT_MAX  (16u << 20)   /* bytes of an answer */


struct agent_thought_s {
    agent_thought_t   *next;
    agent_mind_t      *mind;
    agent_question_t   question;
    char              *body;
    char              *out;
    size_t             len;
    size_t             size;
    size_t             read;
    int                done;
    int                broken;
    int                left;           /* by its caller */
};


struct agent_mind_s {
    pthread_t          thread;
    pthread_mutex_t    lock;
    pthread_cond_t     changed;
    agent_thought_t   *first;
    agent_thought_t  **last;
    unsigned           waiting;
    int                ends;
    agent_speech_t    *speech;
};


static void *mind_run(void *data);
static agent_thought_t *mind_next(agent_mind_t *mind);
static void mind_think(agent_mind_t *mind, agent_thought_t *thought);
static int thought_write(void *data, voice_span_t bytes);
static int thought_grow(agent_thought_t *thought, size_t len);
static void thought_free(agent_thought_t *thought);


agent_mind_t *
agent_mind_create(const worker_settings_t *settings)
{
    agent_mind_t  *mind;

    mind = calloc(1, sizeof(agent_mind_t));
    if (mind == NULL) {
        return NULL;
    }

    mind->last = &mind->first;
    pthread_mutex_init(&mind->lock, NULL);
    pthread_cond_init(&mind->changed, NULL);

    mind->speech = agent_speech_create(settings);

    if (mind->speech == NULL
        || pthread_create(&mind->thread, NULL, mind_run, mind) != 0)
    {
        agent_speech_destroy(mind->speech);
        free(mind);
        return NULL;
    }

    return mind;
}


void
agent_mind_destroy(agent_mind_t *mind)
{
    if (mind == NULL) {
        return;
    }

    pthread_mutex_lock(&mind->lock);
    mind->ends = 1;
    pthread_cond_broadcast(&mind->changed);
    pthread_mutex_unlock(&mind->lock);

    pthread_join(mind->thread, NULL);

    agent_speech_destroy(mind->speech);
    pthread_cond_destroy(&mind->changed);
    pthread_mutex_destroy(&mind->lock);
    free(mind);
}


agent_thought_t *
agent_mind_ask(agent_mind_t *mind, agent_question_t *question, char *body)
{
    int               taken;
    agent_thought_t  *thought;

    thought = calloc(1, sizeof(agent_thought_t));
    if (thought == NULL) {
        return NULL;
    }

    thought->mind = mind;
    thought->question = *question;
    thought->body = body;

    pthread_mutex_lock(&mind->lock);

    taken = !mind->ends && mind->waiting < AGENT_WAITING_MAX;

    if (taken) {
        *mind->last = thought;
        mind->last = &thought->next;
        mind->waiting++;
        pthread_cond_broadcast(&mind->changed);
    }

    pthread_mutex_unlock(&mind->lock);

    if (!taken) {
        free(thought);
        return NULL;
    }

    memset(question, 0, sizeof(agent_question_t));

    return thought;
}


long
agent_thought_read(agent_thought_t *thought, char *buf, size_t size)
{
    size_t         n;
    agent_mind_t  *mind = thought->mind;

    pthread_mutex_lock(&mind->lock);

    while (thought->read == thought->len && !thought->done) {
        pthread_cond_wait(&mind->changed, &mind->lock);
    }

    n = thought->len - thought->read;
    n = n < size ? n : size;

    if (n > 0) {
        memcpy(buf, thought->out + thought->read, n);
        thought->read += n;
    }

    pthread_mutex_unlock(&mind->lock);

    return n == 0 && thought->broken ? -1 : (long) n;
}


void
agent_thought_leave(agent_thought_t *thought)
{
    int            done;
    agent_mind_t  *mind = thought->mind;

    pthread_mutex_lock(&mind->lock);
    thought->left = 1;
    done = thought->done;
    pthread_mutex_unlock(&mind->lock);

    /* else the mind frees it */
    if (done) {
        thought_free(thought);
    }
}


static void *
mind_run(void *data)
{
    int               left;
    agent_mind_t     *mind = data;
    agent_thought_t  *thought;

    for ( ;; ) {
        thought = mind_next(mind);
        if (thought == NULL) {
            return NULL;
        }

        mind_think(mind, thought);

        pthread_mutex_lock(&mind->lock);
        thought->done = 1;
        left = thought->left;
        pthread_cond_broadcast(&mind->changed);
        pthread_mutex_unlock(&mind->lock);

        if (left) {
            thought_free(thought);
        }
    }
}


/* Waits for a question; NULL: it is time to end, and nobody waits. */

static agent_thought_t *
mind_next(agent_mind_t *mind)
{
    agent_thought_t  *thought;

    pthread_mutex_lock(&mind->lock);

    while (mind->first == NULL && !mind->ends) {
        pthread_cond_wait(&mind->changed, &mind->lock);
    }

    thought = mind->first;

    if (thought != NULL) {
        mind->first = thought->next;
        mind->waiting--;

        if (mind->first == NULL) {
            mind->last = &mind->first;
        }
    }

    pthread_mutex_unlock(&mind->lock);

    return thought;
}


static void
mind_think(agent_mind_t *mind, agent_thought_t *thought)
{
    int64_t  begin;

    if (!thought_write(thought, VOICE_SPAN(""))) {
        return;                        /* the caller has gone */
    }

    begin = worker_now_ms();

    if (!agent_speech_answer(mind->speech, &thought->question, thought_write,
                             thought))
    {
        thought->broken = 1;
    }

    worker_log_number(WORKER_LOG_DEBUG,
                      (worker_log_field_t) { "duration_ms",
                                             worker_now_ms() - begin },
                      "agent answered");
}


/* Adds bytes to the answer, in the mind's thread; 0: it breaks off. */

static int
thought_write(void *data, voice_span_t bytes)
{
    int               done;
    agent_thought_t  *thought = data;
    agent_mind_t     *mind = thought->mind;

    pthread_mutex_lock(&mind->lock);

    done = !thought->left && thought_grow(thought, bytes.len);

    if (done && bytes.len > 0) {
        memcpy(thought->out + thought->len, bytes.ptr, bytes.len);
        thought->len += bytes.len;
        pthread_cond_broadcast(&mind->changed);
    }

    pthread_mutex_unlock(&mind->lock);

    return done;
}


static int
thought_grow(agent_thought_t *thought, size_t len)
{
    char    *out;
    size_t   size;

    if (len > MIND_OUTPUT_MAX - thought->len) {
        return 0;
    }

    if (thought->len + len <= thought->size) {
        return 1;
    }

    size = (thought->len + len) * 2;

    out = realloc(thought->out, size);
    if (out == NULL) {
        return 0;
    }

    thought->out = out;
    thought->size = size;

    return 1;
}


static void
thought_free(agent_thought_t *thought)
{
    agent_question_release(&thought->question);
    free(thought->body);
    free(thought->out);
    free(thought);
}
