
/*
 * How long somebody talks.
 */

#include <math.h>
#include <stdlib.h>

#include "voice_talk.h"


#define FRAME_MS     20
#define GAP_FRAMES   10                /* as voice_audio_speech() has them */
#define SPEECH_MIN   3
#define ABOVE_NOISE  9.0
#define NOISE_SHARE  10
#define FULL_SCALE   32768.0

#define BIN_DB       0.5
#define BINS         200
#define MISSING      255               /* a frame that never came */


static size_t frame_size(const voice_talk_t *talk);
static voice_rc_t frame_end(voice_talk_t *talk);
static voice_rc_t put(voice_talk_t *talk, unsigned char level);
static unsigned char level_of(double power);
static double limit_of(const voice_talk_t *talk);


voice_rc_t
voice_talk_add(voice_talk_t *talk, const int16_t *samples, size_t count)
{
    size_t      i, size;
    voice_rc_t  rc;

    size = frame_size(talk);

    for (i = 0; i < count; i++) {
        talk->power += (double) samples[i] * samples[i];
        talk->samples++;

        if (talk->samples < size) {
            continue;
        }

        rc = frame_end(talk);
        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


voice_rc_t
voice_talk_gap(voice_talk_t *talk, size_t samples)
{
    size_t      size;
    voice_rc_t  rc;

    size = frame_size(talk);

    /* a frame that began is filled up with silence */
    if (talk->samples > 0 && samples >= size - talk->samples) {
        samples -= size - talk->samples;

        rc = frame_end(talk);
        if (rc != VOICE_OK) {
            return rc;
        }
    }

    for ( /* void */ ; samples >= size; samples -= size) {
        rc = put(talk, MISSING);
        if (rc != VOICE_OK) {
            return rc;
        }
    }

    talk->samples += samples;

    return VOICE_OK;
}


uint64_t
voice_talk_ms(const voice_talk_t *talk)
{
    size_t    i, start, end;
    double    limit;
    uint64_t  frames;

    limit = limit_of(talk);
    frames = 0;
    start = 0;
    end = 0;

    for (i = 0; i < talk->count; i++) {

        if (talk->levels[i] == MISSING || talk->levels[i] <= limit) {
            continue;
        }

        if (end > 0 && i - end >= GAP_FRAMES) {
            frames += end - start >= SPEECH_MIN ? end - start : 0;
            end = 0;
        }

        start = end == 0 ? i : start;
        end = i + 1;
    }

    frames += end - start >= SPEECH_MIN ? end - start : 0;

    return frames * FRAME_MS;
}


void
voice_talk_release(voice_talk_t *talk)
{
    free(talk->levels);
    memset(talk, 0, sizeof(voice_talk_t));
}


static size_t
frame_size(const voice_talk_t *talk)
{
    size_t  size;

    size = (size_t) talk->rate * FRAME_MS / 1000;

    return size == 0 ? 1 : size;
}


static voice_rc_t
frame_end(voice_talk_t *talk)
{
    unsigned char  level;

    level = level_of(talk->power / (double) frame_size(talk));
    talk->power = 0;
    talk->samples = 0;

    return put(talk, level);
}


static voice_rc_t
put(voice_talk_t *talk, unsigned char level)
{
    size_t          room;
    unsigned char  *levels;

    if (talk->count == talk->room) {
        room = talk->room == 0 ? 4096 : talk->room * 2;

        levels = realloc(talk->levels, room);
        if (levels == NULL) {
            return VOICE_NOMEM;
        }

        talk->levels = levels;
        talk->room = room;
    }

    talk->levels[talk->count++] = level;

    return VOICE_OK;
}


/* In steps of BIN_DB from the floor. */
static unsigned char
level_of(double power)
{
    double  db;

    if (power <= 0) {
        return 0;
    }

    db = 10.0 * log10(power / (FULL_SCALE * FULL_SCALE));
    db = db < VOICE_AUDIO_FLOOR ? 0 : (db - VOICE_AUDIO_FLOOR) / BIN_DB;

    return (unsigned char) (db < BINS ? db : BINS - 1);
}


/* The step above which a frame speaks. */
static double
limit_of(const voice_talk_t *talk)
{
    size_t  i, all, sum, bins[BINS];
    double  silent, limit;

    memset(bins, 0, sizeof(bins));
    all = 0;

    for (i = 0; i < talk->count; i++) {
        if (talk->levels[i] != MISSING) {
            bins[talk->levels[i]]++;
            all++;
        }
    }

    sum = 0;

    for (i = 0; i < BINS - 1; i++) {
        sum += bins[i];

        if (sum * NOISE_SHARE >= all) {
            break;
        }
    }

    silent = (VOICE_AUDIO_SILENT - VOICE_AUDIO_FLOOR) / BIN_DB;
    limit = (double) i + ABOVE_NOISE / BIN_DB;

    return limit < silent ? silent : limit;
}
