
/*
 * Fuzz target: what a recording is fed with.  The first byte chooses the
 * law, or PCM; packets of base64 stand between NULs behind it, an empty one
 * is a gap.
 */

#include <stdlib.h>

#include "voice_audio.h"
#include "voice_code.h"
#include "voice_g711.h"
#include "voice_talk.h"


#define PACKET_MAX  4096


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


/* Samples of a packet; what law decodes to is encoded to the same. */
static size_t
decode(voice_span_t packet, unsigned law, int16_t *samples)
{
    size_t          i, len;
    int16_t         again[PACKET_MAX];
    unsigned char   bytes[PACKET_MAX], codes[PACKET_MAX];

    if (packet.len > PACKET_MAX
        || voice_base64_decode(bytes, &len, packet) != VOICE_OK)
    {
        return 0;
    }

    if (law > VOICE_G711_A_LAW) {
        for (i = 0; i + 1 < len; i += 2) {
            samples[i / 2] = (int16_t) (bytes[i] | bytes[i + 1] << 8);
        }

        return len / 2;
    }

    voice_g711_decode((voice_g711_e) law,
                      voice_span((const char *) bytes, len), samples);
    voice_g711_encode((voice_g711_e) law, samples, len, codes);
    voice_g711_decode((voice_g711_e) law,
                      voice_span((const char *) codes, len), again);
    require(memcmp(samples, again, len * sizeof(int16_t)) == 0);

    return len;
}


/* A header with any comment is one that our reader takes. */
static void
check_header(voice_span_t comment, unsigned rate)
{
    size_t         len;
    voice_wav_t    wav;
    unsigned char  file[VOICE_WAV_HEADER_MAX + 2];

    memset(file, 0, sizeof(file));
    len = voice_wav_header_comment(file, rate, 2, comment);
    require(len <= VOICE_WAV_HEADER_MAX && len % 2 == 0);
    require(voice_wav_parse(voice_span((const char *) file, len + 2), &wav)
            == VOICE_OK);
    require(wav.frames == 1 && wav.rate == rate && wav.channels == 1);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t         n, count;
    int16_t        samples[PACKET_MAX];
    const char    *end;
    voice_rc_t     rc;
    voice_span_t   rest, packet;
    voice_talk_t   talk;

    if (size == 0) {
        return 0;
    }

    memset(&talk, 0, sizeof(talk));
    talk.rate = data[0] & 4 ? 8000 : 48000;
    rest = voice_span((const char *) data + 1, size - 1);
    check_header(rest, talk.rate);

    while (rest.len > 0) {

        end = memchr(rest.ptr, '\0', rest.len);
        packet = voice_span(rest.ptr, end == NULL ? rest.len
                                                  : (size_t) (end
                                                              - rest.ptr));
        n = packet.len + (end == NULL ? 0 : 1);
        rest.ptr += n;
        rest.len -= n;

        count = decode(packet, data[0] & 3, samples);
        rc = count > 0 ? voice_talk_add(&talk, samples, count)
                       : voice_talk_gap(&talk, 1000 + packet.len);

        require(rc == VOICE_OK);
        require(voice_talk_ms(&talk) <= talk.count * 20);
    }

    voice_talk_release(&talk);

    return 0;
}
