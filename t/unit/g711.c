
/*
 * voice_g711.h
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_g711.h"


/* G.711's rules, as ITU-T G.191 writes them down in its tools. */
static int
mu_law(unsigned code)
{
    int       size;
    unsigned  u;

    u = ~code & 0xff;
    size = (int) (((u & 0x0f) << 3) + 0x84) << ((u & 0x70) >> 4);

    return u & 0x80 ? 0x84 - size : size - 0x84;
}


static int
a_law(unsigned code)
{
    int       size, segment;
    unsigned  a;

    a = code ^ 0x55;
    segment = (int) (a & 0x70) >> 4;
    size = (int) ((a & 0x0f) << 4) + (segment == 0 ? 8 : 0x108);
    size <<= segment > 1 ? segment - 1 : 0;

    return a & 0x80 ? size : -size;
}


static int
decoded(voice_g711_e law, unsigned code)
{
    char     byte;
    int16_t  sample;

    byte = (char) code;
    voice_g711_decode(law, voice_span(&byte, 1), &sample);

    return sample;
}


static void
test_decode(void)
{
    size_t    i;
    unsigned  code, wrong;

    /* tables 1a .. 2b: the ends of the segments and the steps at zero */
    static const struct {
        voice_g711_e  law;
        unsigned      code;
        int           sample;
    } vectors[] = {
        { VOICE_G711_MU_LAW, 0x80, 8031 * 4 },
        { VOICE_G711_MU_LAW, 0x8f, 4191 * 4 },
        { VOICE_G711_MU_LAW, 0x9f, 2079 * 4 },
        { VOICE_G711_MU_LAW, 0xaf, 1023 * 4 },
        { VOICE_G711_MU_LAW, 0xbf, 495 * 4 },
        { VOICE_G711_MU_LAW, 0xcf, 231 * 4 },
        { VOICE_G711_MU_LAW, 0xdf, 99 * 4 },
        { VOICE_G711_MU_LAW, 0xef, 33 * 4 },
        { VOICE_G711_MU_LAW, 0xfe, 2 * 4 },
        { VOICE_G711_MU_LAW, 0xff, 0 },
        { VOICE_G711_MU_LAW, 0x00, -8031 * 4 },
        { VOICE_G711_MU_LAW, 0x7f, 0 },
        { VOICE_G711_A_LAW, 0xaa, 4032 * 8 },
        { VOICE_G711_A_LAW, 0xa5, 2112 * 8 },
        { VOICE_G711_A_LAW, 0xb5, 1056 * 8 },
        { VOICE_G711_A_LAW, 0x85, 528 * 8 },
        { VOICE_G711_A_LAW, 0x95, 264 * 8 },
        { VOICE_G711_A_LAW, 0xe5, 132 * 8 },
        { VOICE_G711_A_LAW, 0xf5, 66 * 8 },
        { VOICE_G711_A_LAW, 0xd5, 1 * 8 },
        { VOICE_G711_A_LAW, 0x55, -1 * 8 },
        { VOICE_G711_A_LAW, 0x2a, -4032 * 8 }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(vectors); i++) {
        ok(decoded(vectors[i].law, vectors[i].code) == vectors[i].sample,
           "code 0x%02x of law %d is %d", vectors[i].code, vectors[i].law,
           vectors[i].sample);
    }

    for (code = 0, wrong = 0; code < 256; code++) {
        wrong += decoded(VOICE_G711_MU_LAW, code) != mu_law(code)
                 || decoded(VOICE_G711_A_LAW, code) != a_law(code);
    }

    ok(wrong == 0, "all codes are what the rules say");
}


static void
test_encode(void)
{
    int             best, by, off;
    int16_t         sample, back;
    unsigned        law, code, wrong;
    unsigned char   byte;

    wrong = 0;

    for (law = VOICE_G711_MU_LAW; law <= VOICE_G711_A_LAW; law++) {
        for (by = -32768; by <= 32767; by += 7) {

            sample = (int16_t) by;
            voice_g711_encode(law, &sample, 1, &byte);
            back = (int16_t) decoded(law, byte);
            best = 65536;

            for (code = 0; code < 256; code++) {
                off = abs(decoded(law, code) - sample);
                best = off < best ? off : best;
            }

            wrong += abs(back - sample) != best;
        }
    }

    ok(wrong == 0, "a sample gets a code that is nearest to it");

    for (code = 0, wrong = 0; code < 256; code++) {
        for (law = VOICE_G711_MU_LAW; law <= VOICE_G711_A_LAW; law++) {
            sample = (int16_t) decoded(law, code);
            voice_g711_encode(law, &sample, 1, &byte);
            wrong += decoded(law, byte) != sample;
        }
    }

    ok(wrong == 0, "a code's sample gets that code, or the other zero");
}


int
main(void)
{
    test_decode();
    test_encode();

    return done_testing();
}
