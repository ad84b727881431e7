
/*
 * WAV files in memory.
 */

#include <stdlib.h>

#include "speech_audio.h"


static voice_rc_t audio_resample(const voice_audio_t *audio, unsigned rate,
    int16_t **samples, size_t *count);


voice_rc_t
speech_audio_read(voice_span_t file, unsigned rate, int16_t **samples,
    size_t *count)
{
    int16_t       *mono;
    voice_rc_t     rc;
    voice_wav_t    wav;
    voice_audio_t  audio;

    rc = voice_wav_parse(file, &wav);
    if (rc != VOICE_OK) {
        return rc;
    }

    mono = malloc(wav.frames * sizeof(int16_t) + 1);
    if (mono == NULL) {
        return VOICE_NOMEM;
    }

    voice_wav_mono(&wav, mono);

    if (wav.rate == rate) {
        *samples = mono;
        *count = wav.frames;
        return VOICE_OK;
    }

    audio.samples = mono;
    audio.count = wav.frames;
    audio.rate = wav.rate;

    rc = audio_resample(&audio, rate, samples, count);
    free(mono);

    return rc;
}


voice_rc_t
speech_audio_write(const voice_audio_t *audio, char **wav, size_t *len)
{
    size_t          i, bytes;
    unsigned char  *out;

    bytes = audio->count * sizeof(int16_t);

    out = malloc(VOICE_WAV_HEADER + bytes);
    if (out == NULL) {
        return VOICE_NOMEM;
    }

    voice_wav_header(out, audio->rate, (uint32_t) bytes);

    for (i = 0; i < audio->count; i++) {
        out[VOICE_WAV_HEADER + i * 2]
            = (unsigned char) (audio->samples[i] & 0xff);
        out[VOICE_WAV_HEADER + i * 2 + 1]
            = (unsigned char) ((audio->samples[i] >> 8) & 0xff);
    }

    *wav = (char *) out;
    *len = VOICE_WAV_HEADER + bytes;

    return VOICE_OK;
}


unsigned
speech_audio_ms(voice_span_t file)
{
    voice_wav_t  wav;

    if (voice_wav_parse(file, &wav) != VOICE_OK) {
        return 0;
    }

    return (unsigned) ((uint64_t) wav.frames * 1000 / wav.rate);
}


static voice_rc_t
audio_resample(const voice_audio_t *audio, unsigned rate, int16_t **samples,
    size_t *count)
{
    voice_rc_t  rc;

    *count = voice_audio_resampled(audio->count, audio->rate, rate);
    *samples = malloc(*count * sizeof(int16_t) + 1);
    if (*samples == NULL) {
        return VOICE_NOMEM;
    }

    rc = voice_audio_resample(audio, rate, *samples);
    if (rc != VOICE_OK) {
        free(*samples);
        *samples = NULL;
    }

    return rc;
}
