
/*
 * Speech to text without a grammar: pocketsphinx with the general English
 * model of trigrams that Debian has.  It understands clear speech passably
 * and telephony badly (docs/analysis.md has figures); the confidence says
 * so.
 */

#ifndef SPEECH_DICTATION_H
#define SPEECH_DICTATION_H


#include "../lib/voice_audio.h"


#define SPEECH_DICTATION_RATE     16000        /* samples in a second */
#define SPEECH_DICTATION_SECONDS  30           /* of one utterance */


typedef struct speech_dictation_s  speech_dictation_t;


typedef struct {
    char    *text;                     /* lower case, "" for nothing; the
                                          caller frees it */
    double   confidence;               /* 0..1: mean posterior of the words,
                                          by their length; 0 without one */
    double   seconds;                  /* that the words fill */
} speech_dictated_t;


/* Takes about 1 s and 100 MB.  NULL: no model, or out of memory. */
speech_dictation_t *speech_dictation_create(void) VOICE_MUST_CHECK;
void speech_dictation_destroy(speech_dictation_t *dictation);

/* Is there a model for that language (BCP 47)? */
int speech_dictation_knows(voice_span_t language);

/*
 * Hears an utterance.  VOICE_INVALID: wrong rate; VOICE_LIMIT: too long;
 * VOICE_NOMEM; VOICE_FAILED.  The same sound gives the same text, no matter
 * what was heard before.
 */
voice_rc_t speech_dictate(speech_dictation_t *dictation,
    const voice_audio_t *audio, speech_dictated_t *dictated)
    VOICE_MUST_CHECK;


#endif /* SPEECH_DICTATION_H */
