
/*
 * WAV files in memory, as the speech engines want them: SPEECH_RATE, mono.
 */

#ifndef SPEECH_AUDIO_H
#define SPEECH_AUDIO_H


#include "../lib/voice_audio.h"


/*
 * Samples of a WAV file, mixed to mono and resampled to rate; the caller
 * frees *samples.  Fails as voice_wav_parse() does; VOICE_NOMEM.
 */
voice_rc_t speech_audio_read(voice_span_t wav, unsigned rate,
    int16_t **samples, size_t *count) VOICE_MUST_CHECK;

/* A WAV file of mono samples; the caller frees *wav.  VOICE_NOMEM. */
voice_rc_t speech_audio_write(const voice_audio_t *audio, char **wav,
    size_t *len) VOICE_MUST_CHECK;

/* Duration in milliseconds of a WAV file; 0 if it is none. */
unsigned speech_audio_ms(voice_span_t wav);


#endif /* SPEECH_AUDIO_H */
