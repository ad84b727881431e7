
/*
 * Measures the recogniser: reads "class|side|voice|text" lines, speaks the
 * text, does to the sound what the class says, and writes
 * "class|verdict|exact|fit|worst|sound ms|CPU ms|text|heard" lines.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../workers/provider.h"
#include "../../workers/speech_audio.h"
#include "../../workers/speech_recogniser.h"


#define LINE_MAX_BYTES  2048


typedef struct {
    int16_t  *samples;
    size_t    count;
} sound_t;


typedef struct {
    const char  *name;
    void       (*apply)(sound_t *sound, const sound_t *before, unsigned n);
} class_t;


/* The recogniser's library never frees a grammar's rules. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libsphinxbase\n";
}


static worker_settings_t  settings;


static void
as_it_is(sound_t *sound, const sound_t *before, unsigned n)
{
    (void) sound;
    (void) before;
    (void) n;
}


/* Noise under the speech, in dB. */
static void
noisy(sound_t *sound, unsigned n, double snr_db)
{
    sound_t        noise = { NULL, sound->count };
    voice_audio_t  audio;

    noise.samples = calloc(noise.count, sizeof(int16_t));
    voice_audio_noise(noise.samples, noise.count, n, -20);

    audio.samples = noise.samples;
    audio.count = noise.count;
    audio.rate = SPEECH_RATE;
    voice_audio_mix(sound->samples, sound->count, &audio, snr_db);
    free(noise.samples);
}


static void
noise_30(sound_t *sound, const sound_t *before, unsigned n)
{
    (void) before;
    noisy(sound, n, 30);
}


static void
noise_20(sound_t *sound, const sound_t *before, unsigned n)
{
    (void) before;
    noisy(sound, n, 20);
}


static void
noise_10(sound_t *sound, const sound_t *before, unsigned n)
{
    (void) before;
    noisy(sound, n, 10);
}


static void
noise_0(sound_t *sound, const sound_t *before, unsigned n)
{
    (void) before;
    noisy(sound, n, 0);
}


static void
white(sound_t *sound, const sound_t *before, unsigned n)
{
    (void) before;
    voice_audio_noise(sound->samples, sound->count, n, -12 - (n % 4) * 8);
}


static void
silence(sound_t *sound, const sound_t *before, unsigned n)
{
    (void) before;
    voice_audio_noise(sound->samples, sound->count, n, -65);
}


static void
tone(sound_t *sound, const sound_t *before, unsigned n)
{
    size_t  i;
    double  step;

    (void) before;
    step = 2 * M_PI * (200 + n * 37 % 2000) / SPEECH_RATE;

    for (i = 0; i < sound->count; i++) {
        sound->samples[i] = (int16_t) (8000 * sin(step * (double) i));
    }
}


/* Tones of a quarter of a second, as many silences between. */
static void
beeps(sound_t *sound, const sound_t *before, unsigned n)
{
    size_t  i;

    tone(sound, before, n);

    for (i = 0; i < sound->count; i++) {
        if (i / (SPEECH_RATE / 4) % 2 == 1) {
            sound->samples[i] = 0;
        }
    }
}


static void
backwards(sound_t *sound, const sound_t *before, unsigned n)
{
    size_t   i;
    int16_t  sample;

    (void) before;
    (void) n;

    for (i = 0; i < sound->count / 2; i++) {
        sample = sound->samples[i];
        sound->samples[i] = sound->samples[sound->count - 1 - i];
        sound->samples[sound->count - 1 - i] = sample;
    }
}


/* Two who speak at once, equally loud. */
static void
babble(sound_t *sound, const sound_t *before, unsigned n)
{
    size_t  i;

    (void) n;

    for (i = 0; i < sound->count && before->count > 0; i++) {
        sound->samples[i] = (int16_t)
            ((sound->samples[i] + before->samples[i % before->count]) / 2);
    }
}


static void
quiet(sound_t *sound, const sound_t *before, unsigned n)
{
    size_t  i;

    (void) before;
    (void) n;

    for (i = 0; i < sound->count; i++) {
        sound->samples[i] /= 10;
    }
}


/* Other names are taken as they are: "right", "foreign", "similar". */
static const class_t  classes[] = {
    { "noise-30", noise_30 },
    { "noise-20", noise_20 },
    { "noise-10", noise_10 },
    { "noise-0", noise_0 },
    { "white", white },
    { "silence", silence },
    { "tone", tone },
    { "beeps", beeps },
    { "backwards", backwards },
    { "babble", babble },
    { "quiet", quiet },
    { NULL, as_it_is }
};


static sound_t
speak(const char *text, const char *voice)
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
        fprintf(stderr, "%s\n", fault.reason);
        exit(1);
    }

    free(wav);

    return sound;
}


static double
cpu_ms(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);

    return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}


static void
measure(speech_recogniser_t *recogniser, const sound_t *sound,
    char *const *field)
{
    double            begin;
    const char       *heard;
    speech_sound_t    request;
    speech_hearing_t  hearing;

    memset(&request, 0, sizeof(speech_sound_t));
    request.audio.samples = sound->samples;
    request.audio.count = sound->count;
    request.audio.rate = SPEECH_RATE;
    request.domain = "navigation";
    request.language = VOICE_SPAN("en-US");
    request.side = field[1][0] == 'q' ? SPEECH_QUESTIONS : SPEECH_ANSWERS;

    begin = cpu_ms();

    if (speech_hear(recogniser, &request, &hearing) != VOICE_OK) {
        fprintf(stderr, "not heard: %s\n", field[3]);
        exit(1);
    }

    heard = hearing.rejected != NULL ? hearing.rejected : hearing.text;
    printf("%s|%s|%d|%.2f|%.2f|%zu|%.1f|%s|%s\n", field[0],
           speech_verdict_name(hearing.verdict),
           strcmp(heard, field[3]) == 0, hearing.fit, hearing.worst,
           sound->count * 1000 / SPEECH_RATE, cpu_ms() - begin, field[3],
           heard);
    speech_hearing_release(&hearing);
}


/* Splits a line into its four fields; 0: it has not as many. */
static int
split(char *line, char **field)
{
    int  i;

    line[strcspn(line, "\n")] = '\0';
    field[0] = line;

    for (i = 1; i < 4; i++) {
        field[i] = strchr(field[i - 1], '|');
        if (field[i] == NULL) {
            return 0;
        }

        *field[i]++ = '\0';
    }

    return 1;
}


int
main(int argc, char **argv)
{
    char                  line[LINE_MAX_BYTES], *field[4];
    sound_t               sound, before = { NULL, 0 };
    unsigned              n;
    const class_t        *class;
    speech_recogniser_t  *recogniser;

    if (argc != 3) {
        fprintf(stderr, "usage: hearing SPEECH_DIR CACHE_DIR <LINES\n");
        return 1;
    }

    settings.cache_dir = argv[2];

    recogniser = speech_recogniser_create(argv[1]);
    if (recogniser == NULL) {
        fprintf(stderr, "the recogniser does not start\n");
        return 1;
    }

    for (n = 1; fgets(line, sizeof(line), stdin) != NULL; n++) {
        if (!split(line, field)) {
            fprintf(stderr, "not a line: %s\n", line);
            return 1;
        }

        for (class = classes; class->name != NULL; class++) {
            if (strcmp(class->name, field[0]) == 0) {
                break;
            }
        }

        sound = speak(field[3], field[2]);
        class->apply(&sound, &before, n);
        measure(recogniser, &sound, field);

        free(before.samples);
        before = sound;
    }

    free(before.samples);
    speech_recogniser_destroy(recogniser);

    return 0;
}
