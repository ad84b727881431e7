
/*
 * Audio: WAV files (RIFF, PCM 16 bit little endian) and measures of mono
 * samples.  Levels are dBFS: 0 is a full-scale square wave, so that a
 * full-scale sine has -3.01; silence is VOICE_AUDIO_FLOOR.
 */

#ifndef VOICE_AUDIO_H
#define VOICE_AUDIO_H


#include "voice_base.h"


#define VOICE_WAV_HEADER      44       /* bytes of the header we write */
#define VOICE_WAV_COMMENT     64       /* bytes of a comment at most */
#define VOICE_WAV_HEADER_MAX  (VOICE_WAV_HEADER + 22 + VOICE_WAV_COMMENT)
#define VOICE_WAV_RATE_MIN    8000
#define VOICE_WAV_RATE_MAX    48000
#define VOICE_WAV_MAX         (256u * 1024 * 1024)  /* bytes of a file */

#define VOICE_AUDIO_FLOOR     (-96.33) /* dBFS below which nothing is */
#define VOICE_AUDIO_SILENT    (-55.0)  /* dBFS of the loudest 20 ms frame */


/* A parsed file; data points into it. */
typedef struct {
    unsigned              rate;        /* samples in a second */
    unsigned              channels;    /* 1 or 2 */
    const unsigned char  *data;        /* interleaved, little endian */
    size_t                frames;      /* samples of each channel */
} voice_wav_t;


/* Mono samples. */
typedef struct {
    const int16_t  *samples;
    size_t          count;
    unsigned        rate;
} voice_audio_t;


/* A stretch of speech. */
typedef struct {
    unsigned  start_ms;
    unsigned  end_ms;
} voice_audio_segment_t;


typedef struct {
    double    rms_dbfs;
    double    peak_dbfs;
    double    noise_dbfs;              /* level of the quiet frames */
    double    snr_db;                  /* speech over quiet frames, 0..96 */
    unsigned  duration_ms;
    unsigned  speech_ms;               /* sum of the segments */
    unsigned  speech_start_ms;         /* 0 without speech */
    unsigned  speech_end_ms;
    int       silent;
} voice_audio_measures_t;


/*
 * Reads a WAV file that may be hostile: PCM or extensible PCM, 16 bit, one
 * or two channels, 8 to 48 kHz; unknown chunks are skipped.  A data size of
 * 0, of 0xffffffff or beyond the end (streamed files) means: up to the end.
 * VOICE_INVALID otherwise, VOICE_LIMIT over VOICE_WAV_MAX.
 */
voice_rc_t voice_wav_parse(voice_span_t file, voice_wav_t *wav)
    VOICE_MUST_CHECK;

/* Copies to mono (the mean of two channels); out holds wav->frames. */
void voice_wav_mono(const voice_wav_t *wav, int16_t *out);

/*
 * Writes the header of a file with bytes of mono 16-bit data behind it
 * (0xffffffff: not known yet).
 */
void voice_wav_header(unsigned char out[VOICE_WAV_HEADER], unsigned rate,
    uint32_t bytes);

/*
 * The same with a comment (chunk LIST, INFO, ICMT) of at most
 * VOICE_WAV_COMMENT bytes, the rest of it is cut.  Returns the header's
 * bytes, which are even.
 */
size_t voice_wav_header_comment(unsigned char out[VOICE_WAV_HEADER_MAX],
    unsigned rate, uint32_t bytes, voice_span_t comment);

unsigned voice_audio_duration_ms(const voice_audio_t *audio);
double voice_audio_rms(const voice_audio_t *audio);        /* dBFS */
double voice_audio_peak(const voice_audio_t *audio);       /* dBFS */

/* Is no 20 ms frame louder than VOICE_AUDIO_SILENT? */
int voice_audio_silent(const voice_audio_t *audio);

/*
 * Finds speech by energy: 20 ms frames at least 9 dB above the noise (the
 * level that a tenth of the frames does not exceed) and above
 * VOICE_AUDIO_SILENT; gaps under 200 ms are closed, then stretches under
 * 60 ms dropped.  A steady sound without a pause is no speech, however loud.
 * Writes at most max segments and returns how many there are.
 */
size_t voice_audio_speech(const voice_audio_t *audio,
    voice_audio_segment_t *segments, size_t max);

/* All measures at once. */
void voice_audio_measure(const voice_audio_t *audio,
    voice_audio_measures_t *measures);

/* White noise at a level in dBFS, the same for the same seed. */
void voice_audio_noise(int16_t *out, size_t count, uint64_t seed,
    double dbfs);

/*
 * Adds noise (repeated as needed) to speech so that the ratio of their RMS
 * is snr_db; clips.  Nothing happens if one of them is silent or empty.
 */
void voice_audio_mix(int16_t *speech, size_t count,
    const voice_audio_t *noise, double snr_db);

/* Samples that voice_audio_resample() will write. */
size_t voice_audio_resampled(size_t count, unsigned from, unsigned to);

/*
 * Resamples by a linear-phase windowed-sinc filter.  out holds
 * voice_audio_resampled() samples.  VOICE_INVALID: a rate that
 * voice_wav_parse() does not take, or two that have too little in common
 * (all pairs of 8000, 11025, 16000, 22050, 24000, 32000, 44100 and 48000
 * work); VOICE_NOMEM.
 */
voice_rc_t voice_audio_resample(const voice_audio_t *in, unsigned to,
    int16_t *out) VOICE_MUST_CHECK;


#endif /* VOICE_AUDIO_H */
