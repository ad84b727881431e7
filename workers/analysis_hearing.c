
/*
 * What was said in a recording.
 */

#include <stdlib.h>

#include "analysis_hearing.h"
#include "speech_dictation.h"
#include "worker_child.h"
#include "worker_clock.h"


#define PIECE_MIN    5                 /* seconds */
#define PIECE_MAX    15
#define WINDOW_MS    200               /* that has to be quiet at a cut */
#define STEP_MS      40
#define RESERVE_MS   30000             /* for a piece, and what follows */


/* A recording while it is heard. */
typedef struct {
    voice_wav_t          wav;
    int16_t             *mono;         /* a piece */
    int16_t             *sound;        /* at the recogniser's rate */
    size_t               from;         /* frames of the piece */
    size_t               to;
    char                *text;
    size_t               len;
    size_t               room;
    size_t               max;
    double               posterior;    /* times seconds */
    double               seconds;      /* of words */
    speech_dictation_t  *dictation;
} hearing_t;


static speech_dictation_t *dictation_get(void);
static int hearing_begin(hearing_t *h, const provider_call_t *call);
static voice_rc_t hearing_run(hearing_t *h, const provider_call_t *call);
static size_t piece_end(const hearing_t *h);
static double loudness(const hearing_t *h, size_t from, size_t frames);
static voice_rc_t piece_hear(hearing_t *h);
static voice_rc_t text_add(hearing_t *h, const char *text);
static provider_e hearing_fault(voice_rc_t rc, provider_fault_t *fault);


provider_e
analysis_hear(const provider_call_t *call, voice_span_t wav,
    analysis_hearing_t *hearing, provider_fault_t *fault)
{
    hearing_t   h;
    voice_rc_t  rc;

    memset(hearing, 0, sizeof(analysis_hearing_t));
    memset(&h, 0, sizeof(hearing_t));

    if (voice_wav_parse(wav, &h.wav) != VOICE_OK) {
        return provider_fail(fault, PROVIDER_DEAD,
                             "the recording is no WAV file");
    }

    h.dictation = dictation_get();
    if (h.dictation == NULL) {
        return provider_fail(fault, PROVIDER_RETRY,
                             "the recogniser could not be started");
    }

    rc = hearing_begin(&h, call) ? hearing_run(&h, call) : VOICE_NOMEM;

    free(h.mono);
    free(h.sound);

    if (rc != VOICE_OK) {
        free(h.text);
        return hearing_fault(rc, fault);
    }

    /* the model knows no letters but those of ASCII */
    if (h.len > h.max) {
        hearing->cut = h.len - h.max;
        h.text[h.max] = '\0';
    }

    hearing->text = h.text;
    hearing->confidence = h.seconds > 0 ? h.posterior / h.seconds : 0;
    hearing->unheard_ms = (uint64_t) (h.wav.frames - h.from) * 1000
                          / h.wav.rate;

    return PROVIDER_OK;
}


/* The one of this process. */

static speech_dictation_t *
dictation_get(void)
{
    static speech_dictation_t  *dictation;

    if (dictation == NULL) {
        dictation = speech_dictation_create();
    }

    return dictation;
}


/* 0: no memory. */

static int
hearing_begin(hearing_t *h, const provider_call_t *call)
{
    size_t  frames;

    frames = (size_t) h->wav.rate * PIECE_MAX;

    h->max = (size_t) call->settings->call_text_max;
    h->text = calloc(1, 1);
    h->mono = malloc(frames * sizeof(int16_t));
    h->sound = malloc((voice_audio_resampled(frames, h->wav.rate,
                                             SPEECH_DICTATION_RATE) + 1)
                      * sizeof(int16_t));

    return h->text != NULL && h->mono != NULL && h->sound != NULL;
}


static voice_rc_t
hearing_run(hearing_t *h, const provider_call_t *call)
{
    size_t      limit;
    voice_rc_t  rc;

    limit = (size_t) call->settings->call_hear_seconds * h->wav.rate;

    for (h->from = 0; h->from < h->wav.frames; h->from = h->to) {

        if (h->from >= limit || h->len >= h->max
            || worker_now_ms() + RESERVE_MS > call->deadline_ms
            || worker_child_cancelled())
        {
            break;
        }

        h->to = piece_end(h);

        rc = piece_hear(h);
        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


/* The most quiet place where a piece may end. */

static size_t
piece_end(const hearing_t *h)
{
    size_t  at, end, step, window, best;
    double  here, least;

    end = h->from + (size_t) h->wav.rate * PIECE_MAX;

    if (end >= h->wav.frames) {
        return h->wav.frames;
    }

    step = (size_t) h->wav.rate * STEP_MS / 1000;
    window = (size_t) h->wav.rate * WINDOW_MS / 1000;
    best = end;
    least = -1;

    for (at = h->from + (size_t) h->wav.rate * PIECE_MIN;
         at + window <= end;
         at += step)
    {
        here = loudness(h, at, window);

        if (least < 0 || here < least) {
            least = here;
            best = at + window / 2;
        }
    }

    return best;
}


static double
loudness(const hearing_t *h, size_t from, size_t frames)
{
    size_t                i, width;
    double                sum;
    int16_t               sample;
    const unsigned char  *p;

    width = h->wav.channels * sizeof(int16_t);
    p = h->wav.data + from * width;
    sum = 0;

    for (i = 0; i < frames; i++) {
        sample = (int16_t) (p[0] | p[1] << 8);
        sum += (double) sample * sample;
        p += width;
    }

    return sum;
}


static voice_rc_t
piece_hear(hearing_t *h)
{
    voice_rc_t         rc;
    voice_wav_t        piece;
    voice_audio_t      audio, sound;
    speech_dictated_t  dictated;

    piece = h->wav;
    piece.data += h->from * piece.channels * sizeof(int16_t);
    piece.frames = h->to - h->from;
    voice_wav_mono(&piece, h->mono);
    audio = (voice_audio_t) { h->mono, piece.frames, piece.rate };

    if (voice_audio_silent(&audio)) {
        return VOICE_OK;
    }

    rc = voice_audio_resample(&audio, SPEECH_DICTATION_RATE, h->sound);
    if (rc != VOICE_OK) {
        return rc;
    }

    sound = (voice_audio_t) { h->sound,
                              voice_audio_resampled(audio.count, audio.rate,
                                                    SPEECH_DICTATION_RATE),
                              SPEECH_DICTATION_RATE };

    rc = speech_dictate(h->dictation, &sound, &dictated);
    if (rc != VOICE_OK) {
        return rc;
    }

    h->posterior += dictated.confidence * dictated.seconds;
    h->seconds += dictated.seconds;

    rc = text_add(h, dictated.text);
    free(dictated.text);

    return rc;
}


/* A line more; what is over the limit ends the hearing. */

static voice_rc_t
text_add(hearing_t *h, const char *text)
{
    char    *grown;
    size_t   n, room;

    n = strlen(text);

    if (n == 0) {
        return VOICE_OK;
    }

    room = h->len + 1 + n + 1;

    if (room > h->room) {
        grown = realloc(h->text, room * 2);
        if (grown == NULL) {
            return VOICE_NOMEM;
        }

        h->text = grown;
        h->room = room * 2;
    }

    if (h->len > 0) {
        h->text[h->len++] = '\n';
    }

    memcpy(h->text + h->len, text, n + 1);
    h->len += n;

    return VOICE_OK;
}


static provider_e
hearing_fault(voice_rc_t rc, provider_fault_t *fault)
{
    return provider_fail(fault, rc == VOICE_INVALID ? PROVIDER_DEAD
                                                    : PROVIDER_RETRY,
                         rc == VOICE_INVALID
                         ? "the recording's rate is none that is heard"
                         : rc == VOICE_NOMEM ? "out of memory"
                                             : "the recogniser failed");
}
