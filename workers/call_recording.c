
/*
 * The recording of a call.
 */

#define _GNU_SOURCE                    /* mkostemp() */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/voice_code.h"
#include "../lib/voice_g711.h"
#include "../lib/voice_talk.h"
#include "call_recording.h"


#define PATH_SIZE     4096
#define SILENCE       4000             /* samples written at once */
#define DATA_LEFT(r)  ((r)->max_samples - (r)->samples)


typedef enum {
    PCM = 0,
    PCMU,
    PCMA
} media_e;


/* Packets that are not there, or hold no sound. */
typedef struct {
    int64_t   from;                    /* sequence */
    uint64_t  count;                   /* 0: there is no gap */
} gap_t;


typedef struct {
    int64_t   from;
    int64_t   to;
    uint64_t  missing;                 /* samples */
    uint64_t  silence;
} note_t;


struct call_recording_s {
    FILE           *file;
    media_e         media;
    unsigned        rate;
    char            call_id[VOICE_UUID_LEN + 1];
    size_t          header;            /* bytes */
    uint64_t        max_samples;

    voice_talk_t    talk;
    int16_t        *packet;            /* decoded */
    size_t          room;              /* bytes of it */
    size_t          typical;           /* samples of the last good packet */
    int64_t         next;              /* sequence */
    gap_t           gap;

    uint64_t        samples;           /* in the file */
    uint64_t        cut;               /* samples over the limit */
    uint64_t        silence;           /* samples written for gaps */
    uint64_t        missing;           /* samples that gaps stand for */
    uint64_t        packets;
    uint64_t        broken;
    int64_t         first_broken;

    note_t          notes[CALL_RECORDING_NOTES];
    size_t          nnotes;
    note_t          others;            /* sums of the gaps beyond */
    uint64_t        nothers;

    void           *map;
    size_t          mapped;
};


static int open_temporary(const char *dir);
static voice_rc_t packet_room(call_recording_t *r, size_t bytes);
static size_t packet_decode(call_recording_t *r, voice_span_t data);
static void gap_add(call_recording_t *r, int64_t from, uint64_t count);
static voice_rc_t gap_end(call_recording_t *r);
static void gap_note(call_recording_t *r, uint64_t missing,
    uint64_t silence);
static voice_rc_t write_silence(call_recording_t *r, uint64_t samples);
static voice_rc_t write_samples(call_recording_t *r, const int16_t *samples,
    size_t count);
static voice_rc_t write_header(call_recording_t *r);
static uint64_t ms_of(const call_recording_t *r, uint64_t samples);


static const struct {
    const char  *name;
    media_e      media;
} medias[] = {
    { "pcm", PCM }, { "pcmu", PCMU }, { "pcma", PCMA }
};


voice_rc_t
call_recording_begin(const call_recording_options_t *options,
    call_recording_t **recording)
{
    int                fd, saved;
    size_t             i;
    call_recording_t  *r;

    *recording = NULL;

    for (i = 0; i < VOICE_ARRAY_SIZE(medias); i++) {
        if (strcmp(medias[i].name, options->media) == 0) {
            break;
        }
    }

    if (i == VOICE_ARRAY_SIZE(medias)
        || (medias[i].media == PCM && (options->rate < VOICE_WAV_RATE_MIN
                                       || options->rate
                                          > VOICE_WAV_RATE_MAX))
        || options->max < VOICE_WAV_HEADER_MAX)
    {
        return VOICE_INVALID;
    }

    r = calloc(1, sizeof(call_recording_t));
    if (r == NULL) {
        return VOICE_NOMEM;
    }

    r->media = medias[i].media;
    r->rate = r->media == PCM ? options->rate : VOICE_G711_RATE;
    r->talk.rate = r->rate;
    r->max_samples = (options->max - VOICE_WAV_HEADER_MAX) / sizeof(int16_t);
    snprintf(r->call_id, sizeof(r->call_id), "%s", options->call_id);

    fd = open_temporary(options->dir);
    r->file = fd == -1 ? NULL : fdopen(fd, "w+");

    if (r->file == NULL || write_header(r) != VOICE_OK) {
        saved = errno;

        if (r->file == NULL && fd != -1) {
            close(fd);
        }

        call_recording_release(r);
        errno = saved;

        return VOICE_FAILED;
    }

    *recording = r;

    return VOICE_OK;
}


voice_rc_t
call_recording_add(call_recording_t *r, int64_t sequence, voice_span_t data)
{
    size_t      n;
    voice_rc_t  rc;

    if (sequence < r->next) {
        return VOICE_OK;
    }

    if (sequence > r->next) {
        gap_add(r, r->next, (uint64_t) (sequence - r->next));
    }

    r->next = sequence + 1;

    rc = packet_room(r, data.len);
    if (rc != VOICE_OK) {
        return rc;
    }

    n = packet_decode(r, data);

    if (n == 0) {
        r->first_broken = r->broken == 0 ? sequence : r->first_broken;
        r->broken++;
        gap_add(r, sequence, 1);
        return VOICE_OK;
    }

    /* a gap at the beginning takes the length of what comes behind it */
    r->typical = r->packets == 0 ? n : r->typical;

    rc = gap_end(r);

    if (rc == VOICE_OK) {
        rc = voice_talk_add(&r->talk, r->packet,
                            n < DATA_LEFT(r) ? n : (size_t) DATA_LEFT(r));
    }

    if (rc == VOICE_OK) {
        rc = write_samples(r, r->packet, n);
    }

    r->packets++;
    r->typical = n;

    return rc;
}


voice_rc_t
call_recording_end(call_recording_t *r, int64_t total, voice_span_t *wav)
{
    voice_rc_t  rc;

    *wav = voice_span("", 0);

    if (total > r->next) {
        gap_add(r, r->next, (uint64_t) (total - r->next));
    }

    if (r->packets == 0) {
        return VOICE_OK;
    }

    rc = gap_end(r);

    if (rc == VOICE_OK) {
        rc = write_header(r);
    }

    if (rc != VOICE_OK) {
        return rc;
    }

    r->mapped = r->header + (size_t) r->samples * sizeof(int16_t);
    r->map = mmap(NULL, r->mapped, PROT_READ, MAP_PRIVATE, fileno(r->file),
                  0);

    if (r->map == MAP_FAILED) {
        r->map = NULL;
        return VOICE_FAILED;
    }

    *wav = voice_span(r->map, r->mapped);

    return VOICE_OK;
}


void
call_recording_figures(const call_recording_t *r,
    call_recording_figures_t *figures)
{
    figures->recording_ms = ms_of(r, r->samples);
    figures->duration_ms = ms_of(r, r->samples + r->cut
                                    + (r->missing - r->silence));
    figures->talk_ms = voice_talk_ms(&r->talk);

    /* the last frame of a stretch may be longer than what there is */
    if (figures->talk_ms > figures->duration_ms) {
        figures->talk_ms = figures->duration_ms;
    }

    figures->silence_ms = figures->duration_ms - figures->talk_ms;
    figures->bytes = r->packets == 0
                     ? 0 : r->header + r->samples * sizeof(int16_t);
    figures->packets = r->packets;
}


json_t *
call_recording_notes(const call_recording_t *r)
{
    int            bad;
    json_t        *notes;
    size_t         i;
    const note_t  *note;

    notes = json_array();
    bad = notes == NULL;

    for (i = 0; i < r->nnotes; i++) {
        note = &r->notes[i];
        bad |= json_array_append_new(notes,
                   json_pack("{s:s, s:I, s:I, s:I, s:I}", "note", "gap",
                             "from", (json_int_t) note->from,
                             "to", (json_int_t) note->to,
                             "missing_ms",
                             (json_int_t) ms_of(r, note->missing),
                             "silence_ms",
                             (json_int_t) ms_of(r, note->silence)));
    }

    if (r->nothers > 0) {
        bad |= json_array_append_new(notes,
                   json_pack("{s:s, s:I, s:I, s:I}", "note", "gaps",
                             "count", (json_int_t) r->nothers,
                             "missing_ms",
                             (json_int_t) ms_of(r, r->others.missing),
                             "silence_ms",
                             (json_int_t) ms_of(r, r->others.silence)));
    }

    if (r->broken > 0) {
        bad |= json_array_append_new(notes,
                   json_pack("{s:s, s:I, s:I}", "note", "broken",
                             "packets", (json_int_t) r->broken,
                             "first", (json_int_t) r->first_broken));
    }

    if (r->cut > 0) {
        bad |= json_array_append_new(notes,
                   json_pack("{s:s, s:I}", "note", "recording_cut",
                             "ms", (json_int_t) ms_of(r, r->cut)));
    }

    if (bad) {
        json_decref(notes);
        return NULL;
    }

    return notes;
}


void
call_recording_release(call_recording_t *r)
{
    if (r == NULL) {
        return;
    }

    if (r->map != NULL) {
        (void) munmap(r->map, r->mapped);
    }

    if (r->file != NULL) {
        (void) fclose(r->file);
    }

    voice_talk_release(&r->talk);
    free(r->packet);
    free(r);
}


/* It has no name any more, so that nothing is left of a killed process. */

static int
open_temporary(const char *dir)
{
    int   fd;
    char  path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/recording.XXXXXX", dir);

    fd = mkostemp(path, O_CLOEXEC);

    if (fd != -1) {
        (void) unlink(path);
    }

    return fd;
}


static voice_rc_t
packet_room(call_recording_t *r, size_t len)
{
    size_t    bytes;
    int16_t  *packet;

    /* decoded, and then each byte of G.711 as a sample */
    bytes = (len / 4 * 3 + 3) * (r->media == PCM ? 1 : 3);

    if (bytes <= r->room) {
        return VOICE_OK;
    }

    packet = realloc(r->packet, bytes);
    if (packet == NULL) {
        return VOICE_NOMEM;
    }

    r->packet = packet;
    r->room = bytes;

    return VOICE_OK;
}


/* Samples of the packet; 0: it holds no sound. */

static size_t
packet_decode(call_recording_t *r, voice_span_t data)
{
    size_t          i, len;
    unsigned char  *bytes;

    /* G.711 grows from the end of the room */
    bytes = (unsigned char *) r->packet;
    bytes += r->media == PCM ? 0 : r->room / 3 * 2;

    if (voice_base64_decode(bytes, &len, data) != VOICE_OK) {
        return 0;
    }

    if (r->media != PCM) {
        voice_g711_decode(r->media == PCMU ? VOICE_G711_MU_LAW
                                           : VOICE_G711_A_LAW,
                          voice_span((const char *) bytes, len), r->packet);
        return len;
    }

    /* half a sample at the end belongs to none */
    for (i = 0; i + 1 < len; i += 2) {
        r->packet[i / 2] = (int16_t) (bytes[i] | bytes[i + 1] << 8);
    }

    return len / 2;
}


static void
gap_add(call_recording_t *r, int64_t from, uint64_t count)
{
    if (r->gap.count == 0) {
        r->gap.from = from;
    }

    r->gap.count += count;
}


static voice_rc_t
gap_end(call_recording_t *r)
{
    uint64_t    missing, silence, left, most;
    voice_rc_t  rc;

    if (r->gap.count == 0) {
        return VOICE_OK;
    }

    missing = r->gap.count * r->typical;
    most = (uint64_t) r->rate * CALL_RECORDING_GAP_MS / 1000;
    left = (uint64_t) r->rate * (CALL_RECORDING_GAPS_MS / 1000) - r->silence;

    silence = missing < most ? missing : most;
    silence = silence < left ? silence : left;
    silence = silence < DATA_LEFT(r) ? silence : DATA_LEFT(r);

    if (silence < missing) {
        gap_note(r, missing, silence);
    }

    r->gap.count = 0;
    r->missing += missing;
    r->silence += silence;

    rc = voice_talk_gap(&r->talk, (size_t) silence);

    return rc == VOICE_OK ? write_silence(r, silence) : rc;
}


static void
gap_note(call_recording_t *r, uint64_t missing, uint64_t silence)
{
    note_t  *note;

    if (r->nnotes == CALL_RECORDING_NOTES) {
        r->nothers++;
        r->others.missing += missing;
        r->others.silence += silence;
        return;
    }

    note = &r->notes[r->nnotes++];
    note->from = r->gap.from;
    note->to = r->gap.from + (int64_t) r->gap.count - 1;
    note->missing = missing;
    note->silence = silence;
}


static voice_rc_t
write_silence(call_recording_t *r, uint64_t samples)
{
    size_t                n;
    voice_rc_t            rc;
    static const int16_t  silence[SILENCE];

    for (rc = VOICE_OK; samples > 0 && rc == VOICE_OK; samples -= n) {
        n = samples < SILENCE ? (size_t) samples : SILENCE;
        rc = write_samples(r, silence, n);
    }

    return rc;
}


/* What is over the limit is counted only. */

static voice_rc_t
write_samples(call_recording_t *r, const int16_t *samples, size_t count)
{
    size_t          i, j, n;
    unsigned char   bytes[4096];

    n = count < DATA_LEFT(r) ? count : (size_t) DATA_LEFT(r);
    r->cut += count - n;
    r->samples += n;

    for (i = 0; i < n; i += j / 2) {

        for (j = 0; j < sizeof(bytes) && i + j / 2 < n; j += 2) {
            bytes[j] = (unsigned char) (samples[i + j / 2] & 0xff);
            bytes[j + 1] = (unsigned char) ((samples[i + j / 2] >> 8) & 0xff);
        }

        if (fwrite(bytes, 1, j, r->file) != j) {
            return VOICE_FAILED;
        }
    }

    return VOICE_OK;
}


/* At the beginning, without and then with the length. */

static voice_rc_t
write_header(call_recording_t *r)
{
    unsigned char  header[VOICE_WAV_HEADER_MAX];

    r->header = voice_wav_header_comment(header, r->rate,
                    (uint32_t) (r->samples * sizeof(int16_t)),
                    voice_span_str(r->call_id));

    if (fseek(r->file, 0, SEEK_SET) != 0
        || fwrite(header, 1, r->header, r->file) != r->header
        || fflush(r->file) != 0)
    {
        return VOICE_FAILED;
    }

    return VOICE_OK;
}


static uint64_t
ms_of(const call_recording_t *r, uint64_t samples)
{
    return samples * 1000 / r->rate;
}
