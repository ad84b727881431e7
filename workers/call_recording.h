
/*
 * The recording of a call: packets of sound, in the order of their
 * sequences, become a WAV file (16 bit, mono, at the packets' rate) that is
 * built on disk, so that memory does not grow with the call but for a byte
 * for each 20 ms (voice_talk.h).
 *
 * What is not there, or is no sound (broken base64), becomes silence of as
 * many packets' length, 10 s of a gap and 10 minutes of the call at most.
 * The call's uuid stands in the file, so that no two calls have the same
 * object.
 */

#ifndef CALL_RECORDING_H
#define CALL_RECORDING_H


#include <jansson.h>

#include "../lib/voice_audio.h"


#define CALL_RECORDING_GAP_MS   10000  /* of silence for one gap */
#define CALL_RECORDING_GAPS_MS  600000 /* and for all of them */
#define CALL_RECORDING_NOTES    100    /* gaps noted by themselves */


typedef struct call_recording_s  call_recording_t;


typedef struct {
    const char  *dir;                  /* of the temporary file */
    const char  *call_id;              /* uuid */
    const char  *media;                /* "pcm": 16 bit, little endian;
                                          "pcmu", "pcma": G.711 */
    unsigned     rate;                 /* of pcm, 8000 .. 48000 */
    size_t       max;                  /* bytes of the file at most; what is
                                          over is left out and noted */
} call_recording_options_t;


/* Milliseconds but for bytes. */
typedef struct {
    uint64_t  duration_ms;             /* of the call: all gaps, and what was
                                          left out */
    uint64_t  talk_ms;
    uint64_t  silence_ms;              /* duration without talk */
    uint64_t  recording_ms;            /* of the file */
    uint64_t  bytes;                   /* of the file */
    uint64_t  packets;                 /* that held sound */
} call_recording_figures_t;


/*
 * VOICE_INVALID: unknown media or rate; VOICE_FAILED: the file cannot be
 * made, errno says why; VOICE_NOMEM.  The caller ends *recording by
 * call_recording_release().
 */
voice_rc_t call_recording_begin(const call_recording_options_t *options,
    call_recording_t **recording) VOICE_MUST_CHECK;

/*
 * The next packet: base64; its sequence is above those before, else it is
 * left out.  VOICE_FAILED: the disk, by errno; VOICE_NOMEM.
 */
voice_rc_t call_recording_add(call_recording_t *recording, int64_t sequence,
    voice_span_t data) VOICE_MUST_CHECK;

/*
 * No more packets come; there should have been as many as total (0: not
 * known).  *wav is the file, mapped, valid until the release; empty if no
 * packet held sound.  VOICE_FAILED by errno, VOICE_NOMEM.
 */
voice_rc_t call_recording_end(call_recording_t *recording, int64_t total,
    voice_span_t *wav) VOICE_MUST_CHECK;

/* After the end. */
void call_recording_figures(const call_recording_t *recording,
    call_recording_figures_t *figures);

/*
 * After the end: an array of notes, which the caller releases, NULL if out
 * of memory.  {"note": "gap", "from", "to" (sequences), "missing_ms",
 * "silence_ms"} for gaps longer than their silence, {"note": "gaps",
 * "count", "missing_ms", "silence_ms"} for those beyond
 * CALL_RECORDING_NOTES, {"note": "broken", "packets", "first"},
 * {"note": "recording_cut", "ms"}.
 */
json_t *call_recording_notes(const call_recording_t *recording)
    VOICE_MUST_CHECK;

/* Closes and deletes the file.  NULL is nothing. */
void call_recording_release(call_recording_t *recording);


#endif /* CALL_RECORDING_H */
