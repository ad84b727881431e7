
/*
 * The recogniser: what is spoken is heard, what is not is not.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../workers/provider.h"
#include "../../workers/speech_audio.h"
#include "../../workers/speech_recogniser.h"
#include "../unit/tap.h"


#define SPEECH_DIR  "conf/speech"


typedef struct {
    int16_t  *samples;
    size_t    count;
} sound_t;


/* The recogniser's library never frees a grammar's rules. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libsphinxbase\n";
}


static speech_recogniser_t  *recogniser;
static worker_settings_t     settings;

static const char *const  answers[] = {
    "Navigating to the airport. The drive takes thirty minutes.",
    "I am sorry, I can not book restaurants in denver.",
    "The weather in seattle will be rainy and cool tomorrow."
};

static const char *const  heard_answers[] = {
    "navigating to the airport the drive takes thirty minutes",
    "i am sorry i can not book restaurants in denver",
    "the weather in seattle will be rainy and cool tomorrow"
};


/* Speaks a text. */
static sound_t
spoken(const char *text, const char *voice)
{
    char                  *wav = NULL;
    size_t                 len = 0;
    sound_t                sound = { NULL, 0 };
    provider_call_t        call = { &settings, NULL, 0 };
    provider_fault_t       fault;
    provider_utterance_t   utterance;

    utterance.text = voice_span_str(text);
    utterance.language = VOICE_SPAN("en-US");
    utterance.voice = voice_span_str(voice);

    if (provider_tts_flite.speak(&call, &utterance, &wav, &len, &fault)
        != PROVIDER_OK
        || speech_audio_read(voice_span(wav, len), SPEECH_RATE,
                             &sound.samples, &sound.count)
           != VOICE_OK)
    {
        printf("Bail out! %s\n", fault.reason);
        exit(1);
    }

    free(wav);

    return sound;
}


static speech_sound_t
request(const sound_t *sound, speech_side_e side)
{
    speech_sound_t  r;

    memset(&r, 0, sizeof(speech_sound_t));
    r.audio.samples = sound->samples;
    r.audio.count = sound->count;
    r.audio.rate = SPEECH_RATE;
    r.domain = "navigation";
    r.language = VOICE_SPAN("en-US");
    r.side = side;

    return r;
}


/* What is heard; the caller releases it. */
static speech_hearing_t
hear(const sound_t *sound, speech_side_e side)
{
    speech_sound_t    r = request(sound, side);
    speech_hearing_t  hearing;

    if (speech_hear(recogniser, &r, &hearing) != VOICE_OK) {
        memset(&hearing, 0, sizeof(speech_hearing_t));
    }

    return hearing;
}


static void
not_heard(const sound_t *sound, const char *name)
{
    speech_hearing_t  hearing;

    hearing = hear(sound, SPEECH_ANSWERS);
    ok(hearing.verdict != SPEECH_HEARD && hearing.text != NULL
       && hearing.text[0] == '\0', "%s is not heard as a sentence (%s)",
       name, speech_verdict_name(hearing.verdict));
    speech_hearing_release(&hearing);
}


static void
speech(void)
{
    size_t            i;
    sound_t           sound;
    speech_hearing_t  hearing;

    for (i = 0; i < VOICE_ARRAY_SIZE(answers); i++) {
        sound = spoken(answers[i], i % 2 == 0 ? "rms" : "slt");
        hearing = hear(&sound, SPEECH_ANSWERS);
        is(hearing.text, heard_answers[i], "an answer is heard as it is");
        ok(hearing.confidence > 0.5 && hearing.confidence <= 1,
           "its confidence is high");
        speech_hearing_release(&hearing);
        free(sound.samples);
    }

    sound = spoken("Book a table for two people at noon in Denver.", "slt");
    hearing = hear(&sound, SPEECH_QUESTIONS);
    is(hearing.text, "book a table for two people at noon in denver",
       "a question is heard by the other grammar");
    speech_hearing_release(&hearing);
    not_heard(&sound, "a question as an answer");
    free(sound.samples);
}


static void
foreign(void)
{
    size_t   i;
    sound_t  sound;

    static const char *const  texts[] = {
        "The committee will publish its annual report at the end of March.",
        "She wrote a letter to the editor of the newspaper.",
        "Your account balance is four hundred and twelve dollars."
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(texts); i++) {
        sound = spoken(texts[i], i % 2 == 0 ? "slt" : "rms");
        not_heard(&sound, "a foreign sentence");
        free(sound.samples);
    }
}


static void
noise(void)
{
    size_t         i;
    sound_t        sound = { NULL, SPEECH_RATE * 2 }, other;
    voice_audio_t  hiss;

    sound.samples = calloc(sound.count, sizeof(int16_t));
    not_heard(&sound, "silence");

    voice_audio_noise(sound.samples, sound.count, 1, -70);
    not_heard(&sound, "a quiet hiss");

    voice_audio_noise(sound.samples, sound.count, 2, -20);
    not_heard(&sound, "loud noise");

    for (i = 0; i < sound.count; i++) {
        sound.samples[i] = (int16_t) (8000 * sin(0.17 * (double) i));
    }

    not_heard(&sound, "a tone");

    other = spoken(answers[0], "slt");
    hiss.samples = sound.samples;
    hiss.count = sound.count;
    hiss.rate = SPEECH_RATE;
    voice_audio_noise(sound.samples, sound.count, 3, -20);
    voice_audio_mix(other.samples, other.count, &hiss, 0);
    not_heard(&other, "an answer drowned in noise");

    free(other.samples);
    free(sound.samples);
}


typedef struct {
    int   count;
    char  last[400];
} partials_t;


static void
on_partial(void *data, const char *text, unsigned heard_ms)
{
    partials_t  *partials = data;

    (void) heard_ms;

    partials->count++;
    snprintf(partials->last, sizeof(partials->last), "%s", text);
}


/* Streaming and hearing at once agree, whatever was heard before. */
static void
sameness(void)
{
    sound_t           sound, before;
    partials_t        partials = { 0, "" };
    speech_sound_t    r;
    speech_hearing_t  first, again, streamed;

    sound = spoken(answers[2], "rms");
    first = hear(&sound, SPEECH_ANSWERS);

    before = spoken("Good morning.", "slt");
    again = hear(&before, SPEECH_QUESTIONS);
    speech_hearing_release(&again);

    again = hear(&sound, SPEECH_ANSWERS);
    is(again.text, first.text, "the same sound gives the same text");
    ok(fabs(again.fit - first.fit) < 0.5, "and about the same fit");

    r = request(&sound, SPEECH_ANSWERS);
    r.partial = on_partial;
    r.data = &partials;

    if (speech_hear(recogniser, &r, &streamed) == VOICE_OK) {
        is(streamed.text, first.text, "streaming gives the same text");
        ok(fabs(streamed.fit - first.fit) < 1, "and about the same fit");
        ok(partials.count > 2, "partial transcripts come before the end");
        speech_hearing_release(&streamed);
    }

    speech_hearing_release(&again);
    speech_hearing_release(&first);
    free(before.samples);
    free(sound.samples);
}


static void
refusals(void)
{
    sound_t           sound = { NULL, 0 };
    speech_sound_t    r;
    speech_hearing_t  hearing;

    sound.count = (size_t) SPEECH_RATE * (SPEECH_SECONDS_MAX + 1);
    sound.samples = calloc(sound.count, sizeof(int16_t));

    r = request(&sound, SPEECH_ANSWERS);
    ok(speech_hear(recogniser, &r, &hearing) == VOICE_LIMIT,
       "a sound that is too long is refused");

    r.audio.count = SPEECH_RATE;
    r.audio.rate = 8000;
    ok(speech_hear(recogniser, &r, &hearing) == VOICE_INVALID,
       "another rate is refused");

    r.audio.rate = SPEECH_RATE;
    r.language = VOICE_SPAN("fr-FR");
    ok(speech_hear(recogniser, &r, &hearing) == VOICE_NOTFOUND,
       "an unknown language is told");

    r.language = VOICE_SPAN("en-GB");
    r.domain = "../navigation";
    ok(speech_hear(recogniser, &r, &hearing) == VOICE_NOTFOUND,
       "a domain is a name and no path");

    r.domain = "navigation";
    r.audio.count = 0;
    ok(speech_hear(recogniser, &r, &hearing) == VOICE_OK
       && hearing.verdict == SPEECH_SILENCE, "no samples are silence");
    speech_hearing_release(&hearing);

    ok(speech_understands(SPEECH_DIR, "navigation", VOICE_SPAN("en")),
       "English is understood");
    ok(!speech_understands(SPEECH_DIR, "navigation", VOICE_SPAN("de-DE")),
       "German is not");

    free(sound.samples);
}


int
main(void)
{
    char  cache[] = "/tmp/recogniser.XXXXXX";
    char  command[64];

    if (mkdtemp(cache) == NULL) {
        printf("Bail out! no directory\n");
        return 1;
    }

    settings.cache_dir = cache;
    settings.speech_dir = SPEECH_DIR;

    recogniser = speech_recogniser_create(SPEECH_DIR);
    if (ok(recogniser != NULL, "the recogniser starts")) {
        speech();
        foreign();
        noise();
        sameness();
        refusals();
        speech_recogniser_destroy(recogniser);
    }

    snprintf(command, sizeof(command), "rm -rf %s", cache);

    return system(command) != 0 || done_testing();
}
