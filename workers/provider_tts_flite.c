
/*
 * Text to speech by flite, English only; what was spoken once comes from the
 * cache.
 */

#include <stdio.h>
#include <stdlib.h>

#include <flite/flite.h>
#include <flite/flite_version.h>

#include "../lib/voice_language.h"
#include "provider.h"
#include "speech_audio.h"
#include "speech_cache.h"
#include "speech_recogniser.h"
#include "worker_log.h"


#define FLITE_TEXT_MAX  2000           /* bytes that are spoken at once */
#define FLITE_NOISE     128            /* bytes of a state of random() */


/* The library declares these nowhere. */
cst_voice *register_cmu_us_slt(const char *directory);
cst_voice *register_cmu_us_rms(const char *directory);
cst_voice *register_cmu_us_awb(const char *directory);
cst_voice *register_cmu_us_kal16(const char *directory);


typedef struct {
    const char   *name;
    cst_voice *(*create)(const char *directory);
    cst_voice    *voice;               /* made when first used */
} flite_voice_t;


static provider_e flite_speak(const provider_call_t *call,
    const provider_utterance_t *utterance, char **wav, size_t *len,
    provider_fault_t *fault);
static provider_e flite_check(const provider_utterance_t *utterance,
    flite_voice_t **voice, provider_fault_t *fault);
static flite_voice_t *flite_find(voice_span_t name);
static int flite_recipe(char *out, size_t size,
    const provider_utterance_t *utterance, const char *voice);
static voice_rc_t flite_synthesise(voice_span_t text, flite_voice_t *voice,
    char **wav, size_t *len);
static voice_rc_t flite_wave(const cst_wave *wave, char **wav, size_t *len);


/* Engines of this process; the first is the default voice. */
static flite_voice_t  voices[] = {
    { "slt", register_cmu_us_slt, NULL },
    { "rms", register_cmu_us_rms, NULL },
    { "awb", register_cmu_us_awb, NULL },
    { "kal", register_cmu_us_kal16, NULL }
};


const provider_tts_t  provider_tts_flite = { "flite", flite_speak };


static provider_e
flite_speak(const provider_call_t *call,
    const provider_utterance_t *utterance, char **wav, size_t *len,
    provider_fault_t *fault)
{
    int             n;
    char            recipe[FLITE_TEXT_MAX + 128];
    provider_e      rc;
    voice_span_t    key;
    flite_voice_t  *voice = NULL;

    rc = flite_check(utterance, &voice, fault);
    if (rc != PROVIDER_OK) {
        return rc;
    }

    n = flite_recipe(recipe, sizeof(recipe), utterance, voice->name);
    key = voice_span(recipe, (size_t) n);

    if (call->settings != NULL
        && speech_cache_get(call->settings->cache_dir, key, wav, len)
           == VOICE_OK)
    {
        return PROVIDER_OK;
    }

    if (flite_synthesise(utterance->text, voice, wav, len) != VOICE_OK) {
        return provider_fail(fault, PROVIDER_RETRY,
                             "flite could not speak the text");
    }

    if (call->settings != NULL
        && speech_cache_put(call->settings->cache_dir, key,
                            voice_span(*wav, *len))
           != VOICE_OK)
    {
        worker_log(WORKER_LOG_WARN, "spoken text is not kept in \"%s\"",
                   call->settings->cache_dir);
    }

    return PROVIDER_OK;
}


static provider_e
flite_check(const provider_utterance_t *utterance, flite_voice_t **voice,
    provider_fault_t *fault)
{
    if (!voice_language_matches(VOICE_SPAN("en"), utterance->language)) {
        return provider_fail(fault, PROVIDER_UNSUPPORTED,
                             "no voice speaks language %.*s",
                             (int) utterance->language.len,
                             utterance->language.ptr);
    }

    *voice = flite_find(utterance->voice);
    if (*voice == NULL) {
        return provider_fail(fault, PROVIDER_UNSUPPORTED,
                             "there is no voice \"%.*s\"",
                             (int) utterance->voice.len,
                             utterance->voice.ptr);
    }

    if (utterance->text.len == 0 || utterance->text.len > FLITE_TEXT_MAX
        || memchr(utterance->text.ptr, '\0', utterance->text.len) != NULL)
    {
        return provider_fail(fault, PROVIDER_DEAD,
                             "a text to be spoken has 1 to %d bytes",
                             FLITE_TEXT_MAX);
    }

    return PROVIDER_OK;
}


static flite_voice_t *
flite_find(voice_span_t name)
{
    size_t  i;

    if (name.len == 0) {
        return &voices[0];
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(voices); i++) {
        if (voice_span_eq(name, voice_span_str(voices[i].name))) {
            return &voices[i];
        }
    }

    return NULL;
}


static int
flite_recipe(char *out, size_t size, const provider_utterance_t *utterance,
    const char *voice)
{
    return snprintf(out, size, "flite\n%s\n%s\n%d\n%.*s",
                    FLITE_PROJECT_VERSION, voice, SPEECH_RATE,
                    (int) utterance->text.len, utterance->text.ptr);
}


/*
 * The breath in a voice is noise that flite takes from rand(): with a state
 * of its own the same text is the same sound, in each process and each time.
 */

static voice_rc_t
flite_synthesise(voice_span_t text, flite_voice_t *voice, char **wav,
    size_t *len)
{
    char        *others, copy[FLITE_TEXT_MAX + 1];
    cst_wave    *wave;
    voice_rc_t   rc;
    static char  noise[FLITE_NOISE];

    if (voice->voice == NULL) {
        flite_init();
        voice->voice = voice->create(NULL);
    }

    if (voice->voice == NULL) {
        return VOICE_FAILED;
    }

    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';

    others = initstate(1, noise, sizeof(noise));
    wave = flite_text_to_wave(copy, voice->voice);
    (void) setstate(others);

    if (wave == NULL) {
        return VOICE_FAILED;
    }

    rc = flite_wave(wave, wav, len);
    delete_wave(wave);

    return rc;
}


/* All voices speak mono; kal16 and the others at SPEECH_RATE. */

static voice_rc_t
flite_wave(const cst_wave *wave, char **wav, size_t *len)
{
    voice_audio_t  audio;

    if (wave->sample_rate != SPEECH_RATE || wave->num_channels != 1
        || wave->num_samples <= 0)
    {
        return VOICE_FAILED;
    }

    audio.samples = wave->samples;
    audio.count = (size_t) wave->num_samples;
    audio.rate = SPEECH_RATE;

    return speech_audio_write(&audio, wav, len);
}
