
/*
 * Audio: measures of samples, noise, rates.
 */

#include <math.h>
#include <stdlib.h>

#include "voice_audio.h"


#define FRAME_MS     20
#define GAP_FRAMES   10                /* 200 ms: shorter gaps are closed */
#define SPEECH_MIN   3                 /* frames: shorter speech is dropped */
#define ABOVE_NOISE  9.0               /* dB over the noise that are speech */
#define NOISE_SHARE  10                /* one frame in so many is noise */
#define SNR_MAX      96.0
#define FULL_SCALE   32768.0

#define BIN_DB       0.5               /* of the histogram of levels */
#define BINS         200

#define FILTER_HALF  32                /* zero crossings on each side */
#define FILTER_MAX   (256 * 1024)      /* coefficients of all phases */


/* The audio cut into frames. */
typedef struct {
    const voice_audio_t  *audio;
    size_t                size;        /* samples of a frame */
    size_t                count;       /* frames; the last may be short */
    double                noise;       /* dBFS */
    double                limit;       /* dBFS above which a frame speaks */
} frames_t;


/* Collects the segments. */
typedef struct {
    voice_audio_segment_t  *items;
    size_t                  max;
    size_t                  count;
    size_t                  start;     /* frames of the open stretch */
    size_t                  end;       /* 0: none is open */
    unsigned                speech_ms;
    unsigned                first_ms;
    unsigned                last_ms;
} segments_t;


/* A filter bank: for each phase of the output its coefficients. */
typedef struct {
    size_t   up;                       /* phases */
    size_t   down;
    size_t   taps;
    double  *coefficients;
} bank_t;


static double power(const int16_t *samples, size_t count);
static double level(double mean_square);
static void frames_init(frames_t *frames, const voice_audio_t *audio);
static double frame_power(const frames_t *frames, size_t index);
static double frames_quantile(const frames_t *frames);
static void find_speech(const frames_t *frames, segments_t *segments);
static void close_segment(const frames_t *frames, segments_t *segments);
static double signal_to_noise(const frames_t *frames);
static voice_rc_t bank_create(bank_t *bank, unsigned from, unsigned to);
static void bank_phase(const bank_t *bank, size_t phase, double cutoff);
static int16_t convolve(const bank_t *bank, const voice_audio_t *in,
    size_t index);
static int16_t clip(double value);


unsigned
voice_audio_duration_ms(const voice_audio_t *audio)
{
    if (audio->rate == 0) {
        return 0;
    }

    return (unsigned) ((uint64_t) audio->count * 1000 / audio->rate);
}


double
voice_audio_rms(const voice_audio_t *audio)
{
    return level(power(audio->samples, audio->count));
}


double
voice_audio_peak(const voice_audio_t *audio)
{
    int     peak, value;
    size_t  i;

    peak = 0;

    for (i = 0; i < audio->count; i++) {
        value = abs((int) audio->samples[i]);
        peak = value > peak ? value : peak;
    }

    return level((double) peak * peak);
}


int
voice_audio_silent(const voice_audio_t *audio)
{
    size_t    i;
    frames_t  frames;

    frames_init(&frames, audio);

    for (i = 0; i < frames.count; i++) {
        if (level(frame_power(&frames, i)) > VOICE_AUDIO_SILENT) {
            return 0;
        }
    }

    return 1;
}


size_t
voice_audio_speech(const voice_audio_t *audio,
    voice_audio_segment_t *segments, size_t max)
{
    frames_t    frames;
    segments_t  found;

    memset(&found, 0, sizeof(segments_t));
    found.items = segments;
    found.max = max;

    frames_init(&frames, audio);
    find_speech(&frames, &found);

    return found.count;
}


void
voice_audio_measure(const voice_audio_t *audio,
    voice_audio_measures_t *measures)
{
    frames_t    frames;
    segments_t  found;

    memset(measures, 0, sizeof(voice_audio_measures_t));
    memset(&found, 0, sizeof(segments_t));

    frames_init(&frames, audio);
    find_speech(&frames, &found);

    measures->rms_dbfs = voice_audio_rms(audio);
    measures->peak_dbfs = voice_audio_peak(audio);
    measures->noise_dbfs = frames.noise;
    measures->snr_db = signal_to_noise(&frames);
    measures->duration_ms = voice_audio_duration_ms(audio);
    measures->speech_ms = found.speech_ms;
    measures->speech_start_ms = found.first_ms;
    measures->speech_end_ms = found.last_ms;
    measures->silent = voice_audio_silent(audio);
}


/* splitmix64 (Steele, Lea, Flood 2014) */
void
voice_audio_noise(int16_t *out, size_t count, uint64_t seed, double dbfs)
{
    size_t    i;
    double    scale;
    uint64_t  z;

    /* a uniform distribution over -1..1 has the RMS 1 / sqrt(3) */
    scale = FULL_SCALE * pow(10.0, dbfs / 20.0) * sqrt(3.0);

    for (i = 0; i < count; i++) {
        seed += 0x9e3779b97f4a7c15ULL;
        z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
        z ^= z >> 31;

        out[i] = clip(scale * ((double) (z >> 11) * 0x1.0p-52 - 1.0));
    }
}


void
voice_audio_mix(int16_t *speech, size_t count, const voice_audio_t *noise,
    double snr_db)
{
    size_t  i;
    double  signal, disturbance, gain;

    signal = power(speech, count);
    disturbance = power(noise->samples, noise->count);

    if (signal <= 0 || disturbance <= 0) {
        return;
    }

    gain = sqrt(signal / disturbance) * pow(10.0, -snr_db / 20.0);

    for (i = 0; i < count; i++) {
        speech[i] = clip(speech[i]
                         + gain * noise->samples[i % noise->count]);
    }
}


size_t
voice_audio_resampled(size_t count, unsigned from, unsigned to)
{
    if (from == 0) {
        return 0;
    }

    return (size_t) (((uint64_t) count * to + from - 1) / from);
}


voice_rc_t
voice_audio_resample(const voice_audio_t *in, unsigned to, int16_t *out)
{
    size_t      i, count;
    bank_t      bank;
    voice_rc_t  rc;

    if (in->rate < VOICE_WAV_RATE_MIN || in->rate > VOICE_WAV_RATE_MAX
        || to < VOICE_WAV_RATE_MIN || to > VOICE_WAV_RATE_MAX)
    {
        return VOICE_INVALID;
    }

    count = voice_audio_resampled(in->count, in->rate, to);

    if (count == 0) {
        return VOICE_OK;
    }

    if (in->rate == to) {
        memmove(out, in->samples, count * sizeof(int16_t));
        return VOICE_OK;
    }

    rc = bank_create(&bank, in->rate, to);
    if (rc != VOICE_OK) {
        return rc;
    }

    for (i = 0; i < count; i++) {
        out[i] = convolve(&bank, in, i);
    }

    free(bank.coefficients);

    return VOICE_OK;
}


/* Mean square. */
static double
power(const int16_t *samples, size_t count)
{
    size_t    i;
    uint64_t  sum;

    sum = 0;

    for (i = 0; i < count; i++) {
        sum += (uint64_t) ((int64_t) samples[i] * samples[i]);
    }

    return count == 0 ? 0.0 : (double) sum / (double) count;
}


/* dBFS of a mean square. */
static double
level(double mean_square)
{
    double  db;

    if (mean_square <= 0) {
        return VOICE_AUDIO_FLOOR;
    }

    db = 10.0 * log10(mean_square / (FULL_SCALE * FULL_SCALE));

    return db < VOICE_AUDIO_FLOOR ? VOICE_AUDIO_FLOOR : db;
}


static void
frames_init(frames_t *frames, const voice_audio_t *audio)
{
    frames->audio = audio;
    frames->size = (size_t) audio->rate * FRAME_MS / 1000;
    frames->size = frames->size == 0 ? 1 : frames->size;
    frames->count = (audio->count + frames->size - 1) / frames->size;
    frames->noise = frames_quantile(frames);

    frames->limit = frames->noise + ABOVE_NOISE;
    if (frames->limit < VOICE_AUDIO_SILENT) {
        frames->limit = VOICE_AUDIO_SILENT;
    }
}


static double
frame_power(const frames_t *frames, size_t index)
{
    size_t  first, count;

    first = index * frames->size;
    count = frames->audio->count - first;

    return power(frames->audio->samples + first,
                 count < frames->size ? count : frames->size);
}


/* The level that one frame in NOISE_SHARE does not exceed. */
static double
frames_quantile(const frames_t *frames)
{
    size_t  i, bin, sum, bins[BINS];

    memset(bins, 0, sizeof(bins));

    for (i = 0; i < frames->count; i++) {
        bin = (size_t) ((level(frame_power(frames, i)) - VOICE_AUDIO_FLOOR)
                        / BIN_DB);
        bins[bin < BINS ? bin : BINS - 1]++;
    }

    sum = 0;

    for (bin = 0; bin < BINS - 1; bin++) {
        sum += bins[bin];

        if (sum * NOISE_SHARE >= frames->count) {
            break;
        }
    }

    return VOICE_AUDIO_FLOOR + (double) bin * BIN_DB;
}


static void
find_speech(const frames_t *frames, segments_t *segments)
{
    size_t  i;

    for (i = 0; i < frames->count; i++) {

        if (level(frame_power(frames, i)) <= frames->limit) {
            continue;
        }

        if (segments->end > 0 && i - segments->end >= GAP_FRAMES) {
            close_segment(frames, segments);
        }

        if (segments->end == 0) {
            segments->start = i;
        }

        segments->end = i + 1;
    }

    close_segment(frames, segments);
}


static void
close_segment(const frames_t *frames, segments_t *segments)
{
    unsigned               whole;
    voice_audio_segment_t  segment;

    if (segments->end >= segments->start + SPEECH_MIN) {

        whole = voice_audio_duration_ms(frames->audio);
        segment.start_ms = (unsigned) (segments->start * FRAME_MS);
        segment.end_ms = (unsigned) (segments->end * FRAME_MS);
        segment.end_ms = segment.end_ms < whole ? segment.end_ms : whole;

        if (segments->count < segments->max) {
            segments->items[segments->count] = segment;
        }

        if (segments->count == 0) {
            segments->first_ms = segment.start_ms;
        }

        segments->count++;
        segments->last_ms = segment.end_ms;
        segments->speech_ms += segment.end_ms - segment.start_ms;
    }

    segments->start = 0;
    segments->end = 0;
}


/* Of the frames above the limit over those that are not. */
static double
signal_to_noise(const frames_t *frames)
{
    size_t  i, quiet, loud;
    double  db, here, noise, signal;

    quiet = 0;
    loud = 0;
    noise = 0;
    signal = 0;

    for (i = 0; i < frames->count; i++) {
        here = frame_power(frames, i);

        if (level(here) > frames->limit) {
            signal += here;
            loud++;

        } else {
            noise += here;
            quiet++;
        }
    }

    if (loud == 0 || quiet == 0) {
        return 0;
    }

    signal /= (double) loud;
    noise /= (double) quiet;
    signal -= noise;

    /* noise of nothing counts as the floor */
    db = level(signal) - level(noise);

    return db < 0 ? 0.0 : db > SNR_MAX ? SNR_MAX : db;
}


static size_t
common(size_t a, size_t b)
{
    size_t  rest;

    while (b != 0) {
        rest = a % b;
        a = b;
        b = rest;
    }

    return a;
}


static voice_rc_t
bank_create(bank_t *bank, unsigned from, unsigned to)
{
    size_t  divisor, phase;
    double  cutoff;

    divisor = common(from, to);
    bank->up = to / divisor;
    bank->down = from / divisor;

    /* of the input's rate; a lower output rate needs a longer filter */
    cutoff = to < from ? (double) to / (double) from : 1.0;
    bank->taps = 2 * (size_t) ceil(FILTER_HALF / cutoff);

    if (bank->up * bank->taps > FILTER_MAX) {
        return VOICE_INVALID;
    }

    bank->coefficients = malloc(bank->up * bank->taps * sizeof(double));
    if (bank->coefficients == NULL) {
        return VOICE_NOMEM;
    }

    for (phase = 0; phase < bank->up; phase++) {
        bank_phase(bank, phase, cutoff);
    }

    return VOICE_OK;
}


/*
 * A sinc in a Blackman window, its gain for a constant made 1.  The pass
 * band ends a little below the lower of the two Nyquist frequencies.
 */
static void
bank_phase(const bank_t *bank, size_t phase, double cutoff)
{
    size_t   k;
    double   x, sum, window, *out;

    out = bank->coefficients + phase * bank->taps;
    cutoff *= 0.95;
    sum = 0;

    for (k = 0; k < bank->taps; k++) {

        /* distance of the input sample from the output's place */
        x = (double) k - (double) (bank->taps / 2) + 1.0
            - (double) phase / (double) bank->up;

        window = x / (double) (bank->taps / 2);
        window = 0.42 + 0.5 * cos(M_PI * window)
                 + 0.08 * cos(2 * M_PI * window);

        out[k] = fabs(x) < 1e-9 ? cutoff
                                : sin(M_PI * cutoff * x) / (M_PI * x);
        out[k] *= window;
        sum += out[k];
    }

    for (k = 0; k < bank->taps; k++) {
        out[k] /= sum;
    }
}


/* The signal is taken as 0 outside. */
static int16_t
convolve(const bank_t *bank, const voice_audio_t *in, size_t index)
{
    size_t         k, place, half, at;
    double         sum;
    uint64_t       whole;
    const double  *coefficients;

    whole = (uint64_t) index * bank->down;
    place = (size_t) (whole / bank->up);
    coefficients = bank->coefficients + whole % bank->up * bank->taps;
    half = bank->taps / 2;
    sum = 0;

    for (k = 0; k < bank->taps; k++) {

        at = place + k + 1;

        if (at >= half && at - half < in->count) {
            sum += coefficients[k] * in->samples[at - half];
        }
    }

    return clip(sum);
}


static int16_t
clip(double value)
{
    if (value >= 32767.0) {
        return 32767;
    }

    return value <= -32768.0 ? -32768 : (int16_t) lrint(value);
}
