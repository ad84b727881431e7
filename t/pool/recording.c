
/*
 * The recording of a call.
 */

#define _GNU_SOURCE                    /* memmem() */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../lib/voice_code.h"
#include "../../lib/voice_g711.h"
#include "../../workers/call_recording.h"
#include "../unit/tap.h"


#define CALL    "0193b5a2-7b1c-7def-8123-456789abcdef"
#define PACKET  160                    /* samples: 20 ms at 8 kHz */


static char  dir[] = "/tmp/recording.XXXXXX";


static call_recording_t *
begin(const char *media, unsigned rate, size_t max)
{
    call_recording_t          *recording;
    call_recording_options_t   options = { dir, CALL, media, rate, max };

    if (call_recording_begin(&options, &recording) != VOICE_OK) {
        return NULL;
    }

    return recording;
}


/* A packet of samples that all have one value. */
static int
add(call_recording_t *recording, int64_t sequence, int16_t value)
{
    char    bytes[PACKET * 2], text[PACKET * 4];
    size_t  i, n;

    for (i = 0; i < PACKET; i++) {
        bytes[2 * i] = (char) (value & 0xff);
        bytes[2 * i + 1] = (char) (value >> 8);
    }

    n = voice_base64_encode(text, voice_span(bytes, sizeof(bytes)));

    return call_recording_add(recording, sequence, voice_span(text, n))
           == VOICE_OK;
}


static int16_t
sample(const voice_wav_t *wav, size_t i)
{
    return (int16_t) (wav->data[2 * i] | wav->data[2 * i + 1] << 8);
}


static json_int_t
noted(const json_t *notes, size_t i, const char *member)
{
    return json_integer_value(json_object_get(json_array_get(notes, i),
                                              member));
}


static const char *
note(const json_t *notes, size_t i)
{
    return json_string_value(json_object_get(json_array_get(notes, i),
                                             "note"));
}


static void
whole(void)
{
    int                        added;
    json_t                    *notes;
    int64_t                    i;
    voice_wav_t                wav;
    voice_span_t               file;
    call_recording_t          *recording;
    call_recording_figures_t   figures;

    recording = begin("pcm", 8000, 1 << 20);
    added = recording != NULL;

    for (i = 0; i < 100; i++) {
        added = added && add(recording, i, (int16_t) (i * 100));
    }

    ok(added, "packets are taken");
    ok(call_recording_end(recording, 100, &file) == VOICE_OK
       && voice_wav_parse(file, &wav) == VOICE_OK, "they make a WAV file");
    ok(wav.rate == 8000 && wav.channels == 1 && wav.frames == 100 * PACKET,
       "of their rate and length");
    ok(sample(&wav, 0) == 0 && sample(&wav, 50 * PACKET) == 5000
       && sample(&wav, 100 * PACKET - 1) == 9900, "and their samples");
    ok(memmem(file.ptr, 120, CALL, VOICE_UUID_LEN) != NULL,
       "the call's id is in it");

    call_recording_figures(recording, &figures);
    ok(figures.duration_ms == 2000 && figures.recording_ms == 2000
       && figures.bytes == file.len && figures.packets == 100
       && figures.talk_ms + figures.silence_ms == 2000, "and its figures");

    notes = call_recording_notes(recording);
    ok(json_array_size(notes) == 0, "there is nothing to note");
    json_decref(notes);
    call_recording_release(recording);
}


static void
gaps(void)
{
    json_t                    *notes;
    voice_wav_t                wav;
    voice_span_t               file;
    call_recording_t          *recording;
    call_recording_figures_t   figures;

    recording = begin("pcm", 8000, 1 << 24);

    ok(add(recording, 2, 1000) && add(recording, 3, 1000)
       && call_recording_add(recording, 4, VOICE_SPAN("no base64!"))
          == VOICE_OK
       && add(recording, 6, 1000) && add(recording, 6, 7)
       && add(recording, 5, 7) && add(recording, 1006, 1000)
       && call_recording_end(recording, 1010, &file) == VOICE_OK
       && voice_wav_parse(file, &wav) == VOICE_OK,
       "packets are missing, broken, doubled and late");

    /* two, two packets, two more, one, 10 s of 999, one, three */
    ok(wav.frames == (2 + 2 + 2 + 1 + 500 + 1 + 3) * PACKET,
       "gaps are silence, of ten seconds at most");
    ok(sample(&wav, 2 * PACKET - 1) == 0 && sample(&wav, 2 * PACKET) == 1000
       && sample(&wav, 4 * PACKET) == 0 && sample(&wav, 6 * PACKET) == 1000
       && sample(&wav, 7 * PACKET) == 0
       && sample(&wav, 507 * PACKET) == 1000
       && sample(&wav, 508 * PACKET) == 0, "at their places");

    call_recording_figures(recording, &figures);
    ok(figures.duration_ms == 1010 * 20
       && figures.recording_ms == 511 * 20,
       "the call is longer than the recording");

    notes = call_recording_notes(recording);
    is(note(notes, 0), "gap", "the long gap is noted");
    ok(noted(notes, 0, "from") == 7 && noted(notes, 0, "to") == 1005
       && noted(notes, 0, "missing_ms") == 999 * 20
       && noted(notes, 0, "silence_ms") == 10000, "with its place");
    is(note(notes, 1), "broken", "and the broken packet");
    ok(noted(notes, 1, "packets") == 1 && noted(notes, 1, "first") == 4,
       "with its place");
    ok(json_array_size(notes) == 2, "and nothing else");
    json_decref(notes);
    call_recording_release(recording);
}


static void
bounds(void)
{
    int                        added;
    json_t                    *notes;
    int64_t                    i;
    voice_wav_t                wav;
    voice_span_t               file;
    call_recording_t          *recording;
    call_recording_figures_t   figures;

    recording = begin("pcm", 8000, 1 << 26);

    for (i = 0, added = 1; i < 200; i++) {
        added = added && add(recording, i * 1000, 1);
    }

    ok(added && call_recording_end(recording, 0, &file) == VOICE_OK
       && voice_wav_parse(file, &wav) == VOICE_OK
       && wav.frames == 200 * PACKET + 600 * 8000,
       "all gaps together are ten minutes of silence");

    notes = call_recording_notes(recording);
    ok(json_array_size(notes) == 101
       && strcmp(note(notes, 100), "gaps") == 0
       && noted(notes, 100, "count") == 99
       && noted(notes, 100, "silence_ms") == 0
       && noted(notes, 100, "missing_ms") == 99 * 999 * 20,
       "a hundred gaps are noted, and the sum of the others");
    json_decref(notes);
    call_recording_release(recording);

    recording = begin("pcm", 8000, 10 * PACKET * 2 + VOICE_WAV_HEADER_MAX);

    for (i = 0, added = 1; i < 25; i++) {
        added = added && add(recording, i, 1);
    }

    ok(added && call_recording_end(recording, 30, &file) == VOICE_OK
       && voice_wav_parse(file, &wav) == VOICE_OK
       && wav.frames == 10 * PACKET, "a recording has its largest size");
    call_recording_figures(recording, &figures);
    ok(figures.duration_ms == 600 && figures.recording_ms == 200,
       "the call is as long as it was");

    notes = call_recording_notes(recording);
    ok(json_array_size(notes) == 2
       && strcmp(note(notes, 1), "recording_cut") == 0
       && noted(notes, 1, "ms") == 300, "what was cut is noted");
    json_decref(notes);
    call_recording_release(recording);
}


static void
telephony(void)
{
    char               codes[PACKET], text[PACKET * 2];
    size_t             i, n;
    unsigned           wrong;
    voice_wav_t        wav;
    voice_span_t       file;
    call_recording_t  *recording;

    static const char *const  names[] = { "pcmu", "pcma" };

    for (i = 0; i < 2; i++) {
        int16_t  expected[PACKET];

        for (n = 0; n < PACKET; n++) {
            codes[n] = (char) (n + 64);
        }

        voice_g711_decode((voice_g711_e) i, voice_span(codes, PACKET),
                          expected);
        n = voice_base64_encode(text, voice_span(codes, PACKET));
        recording = begin(names[i], 48000, 1 << 20);

        ok(call_recording_add(recording, 0, voice_span(text, n)) == VOICE_OK
           && call_recording_end(recording, 1, &file) == VOICE_OK
           && voice_wav_parse(file, &wav) == VOICE_OK && wav.rate == 8000
           && wav.frames == PACKET, "%s is recorded, of 8 kHz", names[i]);

        for (n = 0, wrong = 0; n < PACKET; n++) {
            wrong += sample(&wav, n) != expected[n];
        }

        ok(wrong == 0, "and decoded");
        call_recording_release(recording);
    }
}


static void
nothing(void)
{
    json_t                    *notes;
    voice_span_t               file;
    call_recording_t          *recording;
    call_recording_figures_t   figures;

    recording = begin("pcm", 16000, 1 << 20);
    ok(call_recording_add(recording, 0, VOICE_SPAN("hello there"))
       == VOICE_OK
       && call_recording_add(recording, 1, VOICE_SPAN("")) == VOICE_OK
       && call_recording_end(recording, 9, &file) == VOICE_OK
       && file.len == 0, "packets without sound make no file");

    call_recording_figures(recording, &figures);
    ok(figures.bytes == 0 && figures.duration_ms == 0
       && figures.packets == 0, "and no figures");

    notes = call_recording_notes(recording);
    ok(json_array_size(notes) == 1 && noted(notes, 0, "packets") == 2,
       "but a note");
    json_decref(notes);
    call_recording_release(recording);

    ok(begin("opus", 8000, 1 << 20) == NULL
       && begin("pcm", 7999, 1 << 20) == NULL
       && begin("pcm", 48001, 1 << 20) == NULL
       && begin("pcm", 8000, 10) == NULL, "what is unknown is refused");
    call_recording_release(NULL);
}


int
main(void)
{
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 1;
    }

    whole();
    gaps();
    bounds();
    telephony();
    nothing();

    ok(rmdir(dir) == 0, "no file is left behind");

    return done_testing();
}
