
/*
 * How long somebody talks, of sound that comes piece by piece and may be
 * hours long: a byte of memory for each 20 ms.  Speech is what
 * voice_audio_speech() takes for speech, within the half dB by which levels
 * are kept.
 */

#ifndef VOICE_TALK_H
#define VOICE_TALK_H


#include "voice_audio.h"


/* Starts as zeros but for the rate; release with voice_talk_release(). */
typedef struct {
    unsigned        rate;              /* samples in a second */
    unsigned char  *levels;            /* private, as all below */
    size_t          count;
    size_t          room;
    double          power;             /* of the frame under way */
    size_t          samples;
} voice_talk_t;


/* VOICE_NOMEM. */
voice_rc_t voice_talk_add(voice_talk_t *talk, const int16_t *samples,
    size_t count) VOICE_MUST_CHECK;

/* Sound that is not there: silence, which tells nothing of the noise. */
voice_rc_t voice_talk_gap(voice_talk_t *talk, size_t samples)
    VOICE_MUST_CHECK;

/* Milliseconds of speech so far. */
uint64_t voice_talk_ms(const voice_talk_t *talk);

void voice_talk_release(voice_talk_t *talk);


#endif /* VOICE_TALK_H */
