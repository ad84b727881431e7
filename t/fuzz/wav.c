
/*
 * Fuzz target: WAV files and all measures of their samples.
 */

#include <stdlib.h>

#include "voice_audio.h"


#define FRAMES_MAX  20000


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
measure(const voice_audio_t *audio)
{
    int16_t                 *out;
    size_t                   count;
    voice_audio_measures_t   measures;

    voice_audio_measure(audio, &measures);

    if (!(measures.rms_dbfs <= 0.1 && measures.peak_dbfs <= 0.1
          && measures.snr_db >= 0
          && measures.speech_ms <= measures.duration_ms
          && measures.speech_end_ms <= measures.duration_ms))
    {
        abort();
    }

    count = voice_audio_resampled(audio->count, audio->rate, 16000);

    out = malloc((count + 1) * sizeof(int16_t));
    if (out == NULL) {
        abort();
    }

    if (voice_audio_resample(audio, 16000, out) == VOICE_OK) {
        voice_audio_mix(out, count, audio, 5);
    }

    free(out);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int16_t        *mono;
    voice_wav_t     wav;
    voice_audio_t   audio;

    if (voice_wav_parse(voice_span((const char *) data, size), &wav)
        != VOICE_OK || wav.frames > FRAMES_MAX)
    {
        return 0;
    }

    mono = malloc((wav.frames + 1) * sizeof(int16_t));
    if (mono == NULL) {
        abort();
    }

    voice_wav_mono(&wav, mono);
    audio = (voice_audio_t) { mono, wav.frames, wav.rate };
    measure(&audio);
    free(mono);

    return 0;
}
