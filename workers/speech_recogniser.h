
/*
 * Speech to text by pocketsphinx: English, 16 kHz, one grammar (JSGF) for
 * each side of a domain.
 *
 * The grammars are fixed files of the domain, DIR/<domain>/<language>/
 * questions.gram and answers.gram, so what a test case expects never helps
 * to hear it.  A grammar always finds some sentence, in noise and in foreign
 * speech, too; so the sound is matched against a loop of all phones as well,
 * and a sentence that fits much worse than the loop is not taken
 * (docs/speech.md has the measurements behind the thresholds).
 */

#ifndef SPEECH_RECOGNISER_H
#define SPEECH_RECOGNISER_H


#include "../lib/voice_audio.h"


#define SPEECH_RATE         16000      /* samples in a second */
#define SPEECH_SECONDS_MAX  60         /* of one utterance */
#define SPEECH_NAME_MAX     64         /* bytes of a domain's name */


typedef struct speech_recogniser_s  speech_recogniser_t;


/* Who speaks, which decides upon the grammar. */
typedef enum {
    SPEECH_QUESTIONS = 0,              /* users, to an agent */
    SPEECH_ANSWERS                     /* agents */
} speech_side_e;


typedef enum {
    SPEECH_HEARD = 0,
    SPEECH_SILENCE,                    /* nothing to hear */
    SPEECH_NOISE,                      /* sound, no speech of the domain */
    SPEECH_FOREIGN                     /* a sentence fits, but badly */
} speech_verdict_e;


/* Gets a transcript while it grows. */
typedef void (*speech_partial_pt)(void *data, const char *text,
    unsigned heard_ms);


typedef struct {
    voice_audio_t      audio;          /* at SPEECH_RATE */
    const char        *domain;
    voice_span_t       language;       /* BCP 47 */
    speech_side_e      side;
    speech_partial_pt  partial;        /* NULL: nobody looks */
    void              *data;
} speech_sound_t;


typedef struct {
    speech_verdict_e  verdict;
    char             *text;            /* lower case; "" unless heard; the
                                          caller frees it */
    char             *rejected;        /* what was not taken, for measuring
                                          only; NULL: nothing; to free */
    double            confidence;      /* 0..1; heard is from 0.5 */
    double            fit;             /* mean log score of a frame, grammar
                                          minus phones: about -10 for what
                                          was said, far below for the rest */
    double            worst;           /* fit of the worst 0.45 seconds */
    double            covered;         /* part of the speech that the words
                                          fill; may exceed 1 */
    double            snr_db;          /* as voice_audio_measure() has it */
    unsigned          speech_ms;
} speech_hearing_t;


/*
 * dir holds the domains (settings' speech_dir).  Takes about 0.3 s.  NULL:
 * the model is not installed, or out of memory.
 */
speech_recogniser_t *speech_recogniser_create(const char *dir)
    VOICE_MUST_CHECK;
void speech_recogniser_destroy(speech_recogniser_t *recogniser);

/*
 * Hears an utterance.  VOICE_NOTFOUND: no recogniser for that language or
 * domain; VOICE_LIMIT: longer than SPEECH_SECONDS_MAX; VOICE_INVALID: wrong
 * rate; VOICE_NOMEM; VOICE_FAILED.  The same sound gives the same text, no
 * matter what was heard before.
 */
voice_rc_t speech_hear(speech_recogniser_t *recogniser,
    const speech_sound_t *sound, speech_hearing_t *hearing)
    VOICE_MUST_CHECK;
void speech_hearing_release(speech_hearing_t *hearing);

/* Is there a recogniser for that language and domain? */
int speech_understands(const char *dir, const char *domain,
    voice_span_t language);

/* 1 .. SPEECH_NAME_MAX - 1 of a-z, 0-9, "_" and "-"? */
int speech_name_valid(const char *name);

/* "heard", "silence", "noise", "foreign" */
const char *speech_verdict_name(speech_verdict_e verdict);


#endif /* SPEECH_RECOGNISER_H */
