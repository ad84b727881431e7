
/*
 * voice_talk.h
 */

#include <math.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_talk.h"


#define RATE     8000
#define SECONDS  30


static int16_t  samples[RATE * SECONDS];


/* Quiet noise with stretches of a loud tone. */
static void
speak(unsigned seed)
{
    size_t    i;
    uint64_t  state;
    unsigned  on;

    voice_audio_noise(samples, VOICE_ARRAY_SIZE(samples), seed, -60);
    state = seed;
    on = 0;

    for (i = 0; i < VOICE_ARRAY_SIZE(samples); i++) {

        if (i % 400 == 0) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            on = (state >> 40) % 3 == 0;
        }

        if (on) {
            samples[i] = (int16_t) (samples[i]
                                    + 6000 * sin((double) i * 0.3));
        }
    }
}


static void
test_same(void)
{
    size_t                   i, n;
    unsigned                 seed, wrong;
    uint64_t                 ms;
    voice_talk_t             talk;
    voice_audio_t            audio;
    voice_audio_measures_t   measures;

    wrong = 0;

    for (seed = 1; seed <= 20; seed++) {
        speak(seed);

        audio = (voice_audio_t) { samples, VOICE_ARRAY_SIZE(samples), RATE };
        voice_audio_measure(&audio, &measures);

        memset(&talk, 0, sizeof(talk));
        talk.rate = RATE;

        for (i = 0; i < VOICE_ARRAY_SIZE(samples); i += n) {
            n = 1 + (i * 7 + seed) % 333;
            n = n < VOICE_ARRAY_SIZE(samples) - i
                ? n : VOICE_ARRAY_SIZE(samples) - i;

            if (voice_talk_add(&talk, samples + i, n) != VOICE_OK) {
                break;
            }
        }

        ms = voice_talk_ms(&talk);
        wrong += ms + 100 < measures.speech_ms
                 || ms > measures.speech_ms + 100 || ms == 0;
        voice_talk_release(&talk);
    }

    ok(wrong == 0, "piece by piece as much speech is found as in the whole");
}


static void
test_gap(void)
{
    uint64_t      before;
    voice_talk_t  talk;

    speak(3);
    memset(&talk, 0, sizeof(talk));
    talk.rate = RATE;

    ok(voice_talk_add(&talk, samples, RATE * 10) == VOICE_OK
       && talk.count == 500, "ten seconds are 500 frames");
    before = voice_talk_ms(&talk);

    ok(voice_talk_gap(&talk, RATE * 600) == VOICE_OK
       && talk.count == 500 + 30000, "a gap is kept, too");
    ok(voice_talk_ms(&talk) == before, "and changes nothing of the talk");

    ok(voice_talk_gap(&talk, 100) == VOICE_OK
       && voice_talk_gap(&talk, 100) == VOICE_OK
       && talk.count == 500 + 30001, "small gaps add up to frames");
    voice_talk_release(&talk);

    talk.rate = RATE;
    ok(voice_talk_ms(&talk) == 0, "nobody talks in nothing");
    voice_talk_release(&talk);
}


int
main(void)
{
    test_same();
    test_gap();

    return done_testing();
}
