
/*
 * voice_audio.h
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_audio.h"


#define RATE     16000
#define SECONDS  3
#define COUNT    (RATE * SECONDS)


static int16_t  samples[COUNT];


static voice_audio_t
audio_of(size_t count, unsigned rate)
{
    return (voice_audio_t) { samples, count, rate };
}


/* A tone of an amplitude (1 is full scale) from one second to another. */
static void
tone(double hertz, double amplitude, double start, double end)
{
    size_t  i;

    for (i = (size_t) (start * RATE); i < (size_t) (end * RATE); i++) {
        samples[i] = (int16_t) lrint(32767 * amplitude
                                     * sin(2 * M_PI * hertz * (double) i
                                           / RATE));
    }
}


static int
within(double value, double expected, double by)
{
    if (fabs(value - expected) <= by) {
        return 1;
    }

    printf("# %f is not %f\n", value, expected);

    return 0;
}


static void
test_levels(void)
{
    size_t         i;
    voice_audio_t  audio;

    audio = audio_of(COUNT, RATE);

    memset(samples, 0, sizeof(samples));
    ok(within(voice_audio_rms(&audio), VOICE_AUDIO_FLOOR, 0)
       && within(voice_audio_peak(&audio), VOICE_AUDIO_FLOOR, 0),
       "silence is at the floor");
    ok(voice_audio_silent(&audio), "silence is silent");

    tone(440, 1, 0, SECONDS);
    ok(within(voice_audio_rms(&audio), -3.01, 0.01),
       "a full-scale sine has -3.01 dBFS");
    ok(within(voice_audio_peak(&audio), 0, 0.01),
       "a full-scale sine peaks at 0 dBFS");
    ok(!voice_audio_silent(&audio), "a tone is not silent");

    tone(440, 0.1, 0, SECONDS);
    ok(within(voice_audio_rms(&audio), -23.01, 0.01),
       "a tenth of the amplitude is 20 dB less");

    for (i = 0; i < COUNT; i++) {
        samples[i] = i % 2 ? 32767 : -32768;
    }

    ok(within(voice_audio_rms(&audio), 0, 0.001),
       "a full-scale square wave has 0 dBFS");

    audio.count = 0;
    ok(within(voice_audio_rms(&audio), VOICE_AUDIO_FLOOR, 0)
       && voice_audio_silent(&audio)
       && voice_audio_duration_ms(&audio) == 0,
       "no samples are silent and last no time");

    audio = audio_of(COUNT, RATE);
    ok(voice_audio_duration_ms(&audio) == SECONDS * 1000,
       "the duration is told in milliseconds");
}


static void
test_speech(void)
{
    size_t                  count;
    voice_audio_t           audio;
    voice_audio_segment_t   segments[4];
    voice_audio_measures_t  measures;

    audio = audio_of(COUNT, RATE);

    voice_audio_noise(samples, COUNT, 1, -60);
    tone(300, 0.3, 0.5, 1.2);
    tone(200, 0.2, 1.3, 1.5);
    tone(250, 0.3, 2.0, 2.5);

    count = voice_audio_speech(&audio, segments, 4);
    ok(count == 2 && segments[0].start_ms == 500
       && segments[0].end_ms == 1500 && segments[1].start_ms == 2000
       && segments[1].end_ms == 2500,
       "speech is found, a gap of 100 ms closed");

    ok(voice_audio_speech(&audio, segments, 1) == 2
       && voice_audio_speech(&audio, NULL, 0) == 2,
       "segments without room are counted");

    voice_audio_measure(&audio, &measures);
    ok(measures.speech_ms == 1500 && measures.speech_start_ms == 500
       && measures.speech_end_ms == 2500 && measures.duration_ms == 3000
       && !measures.silent,
       "all measures are taken at once");
    ok(within(measures.noise_dbfs, -60, 1.5), "the noise is measured");
    ok(within(measures.snr_db, 60 - 14.5, 2.5),
       "the ratio of speech to noise is measured");

    voice_audio_noise(samples, COUNT, 1, -60);
    tone(300, 0.3, 1.0, 1.02);
    ok(voice_audio_speech(&audio, segments, 4) == 0,
       "a click of 20 ms is no speech");

    voice_audio_noise(samples, COUNT, 1, -20);
    ok(voice_audio_speech(&audio, segments, 4) == 0,
       "steady loud noise is no speech");

    voice_audio_noise(samples, COUNT, 1, -70);
    voice_audio_measure(&audio, &measures);
    ok(measures.silent && measures.speech_ms == 0 && measures.snr_db == 0.0,
       "a quiet line is silent");
}


static void
test_mix(void)
{
    size_t          i;
    double          sum, was, now;
    int16_t        *noise, *clean;
    voice_audio_t   disturbance;

    noise = malloc(RATE * sizeof(int16_t));
    clean = malloc(sizeof(samples));
    if (noise == NULL || clean == NULL) {
        abort();
    }

    voice_audio_noise(noise, RATE, 7, -30);
    disturbance = (voice_audio_t) { noise, RATE, RATE };
    ok(within(voice_audio_rms(&disturbance), -30, 0.2),
       "white noise has the level that is asked for");

    voice_audio_noise(clean, RATE, 7, -30);
    ok(memcmp(noise, clean, RATE * sizeof(int16_t)) == 0,
       "the same seed makes the same noise");
    voice_audio_noise(clean, RATE, 8, -30);
    ok(memcmp(noise, clean, RATE * sizeof(int16_t)) != 0,
       "another seed makes other noise");

    tone(440, 0.3, 0, SECONDS);
    memcpy(clean, samples, sizeof(samples));
    voice_audio_mix(samples, COUNT, &disturbance, 10);

    sum = 0;
    was = 0;

    for (i = 0; i < COUNT; i++) {
        now = (double) samples[i] - clean[i];
        sum += now * now;
        was += (double) clean[i] * clean[i];
    }

    ok(within(10 * log10(was / sum), 10, 0.05),
       "noise is mixed in at the ratio that is asked for");

    memcpy(samples, clean, sizeof(samples));
    disturbance.count = 0;
    voice_audio_mix(samples, COUNT, &disturbance, 10);
    ok(memcmp(samples, clean, sizeof(samples)) == 0,
       "no noise changes nothing");

    free(noise);
    free(clean);
}


/* Level in dB of one frequency, of the middle of the samples. */
static double
level_at(const int16_t *in, size_t count, unsigned rate, double hertz)
{
    size_t  i, first;
    double  re, im, angle;

    re = 0;
    im = 0;
    first = count / 4;

    for (i = first; i < count - first; i++) {
        angle = 2 * M_PI * hertz * (double) i / rate;
        re += in[i] * cos(angle);
        im += in[i] * sin(angle);
    }

    return 10 * log10(4 * (re * re + im * im)
                      / pow((double) (count - 2 * first) * 32768, 2)
                      + 1e-12);
}


static void
test_resample(void)
{
    int            wrong;
    size_t         i, j, count;
    int16_t       *out;
    voice_audio_t  audio;

    static const unsigned  rates[] = {
        8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000
    };

    audio = audio_of(COUNT, RATE);
    out = malloc(6 * (COUNT + 1) * sizeof(int16_t));
    if (out == NULL) {
        abort();
    }

    tone(1000, 0.5, 0, SECONDS);
    count = voice_audio_resampled(COUNT, RATE, 8000);
    ok(count == COUNT / 2
       && voice_audio_resample(&audio, 8000, out) == VOICE_OK
       && within(level_at(out, count, 8000, 1000), -6.02, 0.1),
       "a tone of 1 kHz passes from 16 to 8 kHz");

    tone(6000, 0.5, 0, SECONDS);
    ok(voice_audio_resample(&audio, 8000, out) == VOICE_OK
       && level_at(out, count, 8000, 2000) < -70,
       "a tone of 6 kHz has no alias at 8 kHz");

    tone(1000, 0.5, 0, SECONDS);
    audio.rate = 8000;
    count = voice_audio_resampled(COUNT, 8000, 16000);
    ok(count == COUNT * 2
       && voice_audio_resample(&audio, 16000, out) == VOICE_OK
       && within(level_at(out, count, 16000, 500), -6.02, 0.1)
       && level_at(out, count, 16000, 7500) < -70,
       "a tone passes from 8 to 16 kHz without an image");

    wrong = 0;

    for (i = 0; i < VOICE_ARRAY_SIZE(rates); i++) {
        for (j = 0; j < VOICE_ARRAY_SIZE(rates); j++) {
            audio = audio_of(2000, rates[i]);
            wrong += voice_audio_resample(&audio, rates[j], out) != VOICE_OK;
        }
    }

    ok(wrong == 0, "all usual rates can be had from all others");

    audio = audio_of(100, 16000);
    ok(voice_audio_resample(&audio, 4000, out) == VOICE_INVALID
       && voice_audio_resample(&audio, 15999, out) == VOICE_INVALID,
       "odd rates are refused");
    ok(voice_audio_resample(&audio, 16000, out) == VOICE_OK
       && memcmp(out, samples, 200) == 0, "the same rate copies");

    audio.count = 0;
    ok(voice_audio_resampled(0, 16000, 8000) == 0
       && voice_audio_resample(&audio, 8000, out) == VOICE_OK,
       "no samples become none");

    free(out);
}


static void
test_wav(void)
{
    int16_t        mono[4];
    voice_wav_t    wav;
    unsigned char  file[64];

    voice_wav_header(file, 16000, 8);
    memcpy(file + VOICE_WAV_HEADER, "\x01\x00\xff\xff\x00\x80\xff\x7f", 8);

    ok(voice_wav_parse(voice_span((char *) file, VOICE_WAV_HEADER + 8), &wav)
       == VOICE_OK && wav.rate == 16000 && wav.channels == 1
       && wav.frames == 4, "a header that we wrote is read");

    voice_wav_mono(&wav, mono);
    ok(mono[0] == 1 && mono[1] == -1 && mono[2] == -32768
       && mono[3] == 32767, "samples are read little endian");

    file[22] = 2;
    file[32] = 4;
    ok(voice_wav_parse(voice_span((char *) file, VOICE_WAV_HEADER + 8), &wav)
       == VOICE_OK && wav.channels == 2 && wav.frames == 2,
       "stereo is read");
    voice_wav_mono(&wav, mono);
    ok(mono[0] == 0 && mono[1] == 0, "stereo becomes its mean");

    voice_wav_header(file, 16000, UINT32_MAX);
    ok(voice_wav_parse(voice_span((char *) file, VOICE_WAV_HEADER + 8), &wav)
       == VOICE_OK && wav.frames == 4,
       "a streamed file of unknown size is read to its end");

    voice_wav_header(file, 16000, 0);
    ok(voice_wav_parse(voice_span((char *) file, VOICE_WAV_HEADER + 8), &wav)
       == VOICE_OK && wav.frames == 4,
       "a size of 0 means up to the end");

    ok(voice_wav_parse(voice_span((char *) file, VOICE_WAV_HEADER), &wav)
       == VOICE_OK && wav.frames == 0, "a file may have no samples");
}


/* A change of the header makes the file invalid. */
static void
refused(size_t offset, unsigned char value, const char *name)
{
    voice_wav_t    wav;
    unsigned char  file[VOICE_WAV_HEADER + 8];

    memset(file, 0, sizeof(file));
    voice_wav_header(file, 16000, 8);
    file[offset] = value;

    ok(voice_wav_parse(voice_span((char *) file, sizeof(file)), &wav)
       == VOICE_INVALID, "%s", name);
}


static void
test_hostile(void)
{
    size_t         i, good;
    voice_wav_t    wav;
    unsigned char  file[VOICE_WAV_HEADER + 16];

    refused(0, 'X', "a file without RIFF is refused");
    refused(8, 'X', "a RIFF file that is no WAVE is refused");
    refused(12, 'X', "data without a format is refused");
    refused(20, 3, "floating point is refused");
    refused(22, 0, "no channel is refused");
    refused(22, 3, "three channels are refused");
    refused(25, 0, "a rate below 8 kHz is refused");
    refused(26, 9, "a rate above 48 kHz is refused");
    refused(32, 4, "a wrong block size is refused");
    refused(34, 8, "8 bits are refused");
    refused(36, 'X', "a file without data is refused");
    refused(16, 4, "a short format is refused");

    /* an odd chunk before the data, padded */
    voice_wav_header(file, 8000, 4);
    memmove(file + 46, file + 36, 8);
    memcpy(file + 36, "LIST\x01\x00\x00\x00!", 9);
    file[45] = 0;
    memcpy(file + 54, "\x05\x00\x06\x00", 4);

    ok(voice_wav_parse(voice_span((char *) file, 58), &wav) == VOICE_OK
       && wav.frames == 2 && wav.data[0] == 5,
       "a chunk of odd size is passed over");

    good = 0;

    for (i = 0; i < 58; i++) {
        good += voice_wav_parse(voice_span((char *) file, i), &wav)
                == VOICE_OK;
    }

    ok(good == 4, "a file that is cut before its data is refused");
}


static void
test_comment(void)
{
    char           word[VOICE_WAV_COMMENT + 9];
    size_t         len, n;
    unsigned       wrong;
    voice_wav_t    wav;
    unsigned char  file[VOICE_WAV_HEADER_MAX + 4] = { 0 };

    memset(word, 'c', sizeof(word));

    for (n = 0, wrong = 0; n <= sizeof(word); n++) {
        len = voice_wav_header_comment(file, 8000, 4, voice_span(word, n));
        memcpy(file + len, "\x01\x00\x02\x00", 4);

        wrong += len % 2 != 0 || len > VOICE_WAV_HEADER_MAX
                 || voice_wav_parse(voice_span((char *) file, len + 4), &wav)
                    != VOICE_OK
                 || wav.frames != 2 || wav.data != file + len
                 || file[4] != ((len + 4 - 8) & 0xff);
    }

    ok(wrong == 0, "a header may hold a comment of any length");
    ok(len == VOICE_WAV_HEADER_MAX, "which is cut");

    len = voice_wav_header_comment(file, 8000, 4, VOICE_SPAN("abc"));
    ok(memcmp(file + 36, "LIST\x10\0\0\0INFOICMT\x04\0\0\0abc\0data", 28)
       == 0, "and is a chunk of its own");
}


int
main(void)
{
    test_levels();
    test_speech();
    test_mix();
    test_resample();
    test_wav();
    test_hostile();
    test_comment();

    return done_testing();
}
