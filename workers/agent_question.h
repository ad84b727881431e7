
/*
 * What a caller asks the built-in voice agent: from an HTTP request in
 * Houndify's protocol to one struct.
 */

#ifndef AGENT_QUESTION_H
#define AGENT_QUESTION_H


#include <jansson.h>

#include "../lib/voice_houndify.h"
#include "../lib/voice_language.h"
#include "speech_recogniser.h"


#define AGENT_BODY_MAX   (4u << 20)    /* bytes of a request's body */
#define AGENT_VOICE_MAX  16


typedef struct {
    int            audio;              /* wav, else text */
    voice_span_t   wav;                /* points into the body */
    char          *text;               /* owned */
    char           language[VOICE_LANGUAGE_MAX + 1];
    char           domain[SPEECH_NAME_MAX];
    char           voice[AGENT_VOICE_MAX];
    json_t        *state;              /* owned; NULL: none */
    int            partials;           /* partial transcripts are wished */
    int            prefixes;           /* a length before each object */
    int            speak;              /* a spoken answer is wished */
} agent_question_t;


/* The parts of a request that make a question; empty spans if absent. */
typedef struct {
    int           audio;               /* POST /v1/audio */
    voice_span_t  info;                /* Hound-Request-Info */
    voice_span_t  info_length;         /* Hound-Request-Info-Length */
    voice_span_t  language;            /* Hound-Input-Language-IETF-Tag */
    voice_span_t  query;               /* query=, decoded */
    voice_span_t  body;
} agent_parts_t;


/*
 * Reads a question; start with all zero.  NULL: done; else a sentence that
 * says what is wrong with the request.  Either way
 * agent_question_release() frees it.
 */
const char *agent_question_read(const agent_parts_t *parts,
    agent_question_t *question) VOICE_MUST_CHECK;
void agent_question_release(agent_question_t *question);


#endif /* AGENT_QUESTION_H */
