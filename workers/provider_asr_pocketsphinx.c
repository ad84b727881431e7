
/*
 * Speech to text in this process: speech_recogniser.h with the grammar of
 * what agents answer.  The decoder is made once and kept.
 */

#include <stdio.h>
#include <stdlib.h>

#include "provider.h"
#include "speech_audio.h"
#include "speech_recogniser.h"


static provider_e sphinx_transcribe(const provider_call_t *call,
    const provider_recording_t *recording, provider_transcript_t *transcript,
    provider_fault_t *fault);
static speech_recogniser_t *sphinx_recogniser(const char *dir);
static provider_e sphinx_hear(speech_recogniser_t *recogniser,
    const provider_recording_t *recording, speech_hearing_t *hearing,
    provider_fault_t *fault);
static provider_e sphinx_fault(voice_rc_t rc, provider_fault_t *fault);


const provider_asr_t  provider_asr_pocketsphinx = {
    "pocketsphinx", sphinx_transcribe
};


static provider_e
sphinx_transcribe(const provider_call_t *call,
    const provider_recording_t *recording, provider_transcript_t *transcript,
    provider_fault_t *fault)
{
    provider_e            rc;
    speech_hearing_t      hearing;
    speech_recogniser_t  *recogniser;

    if (!speech_understands(call->settings->speech_dir, recording->domain,
                            recording->language))
    {
        return provider_fail(fault, PROVIDER_UNSUPPORTED,
                             "no recogniser for language %.*s in domain "
                             "\"%s\"",
                             (int) recording->language.len,
                             recording->language.ptr, recording->domain);
    }

    recogniser = sphinx_recogniser(call->settings->speech_dir);
    if (recogniser == NULL) {
        return provider_fail(fault, PROVIDER_RETRY,
                             "the recogniser could not be started");
    }

    rc = sphinx_hear(recogniser, recording, &hearing, fault);
    if (rc != PROVIDER_OK) {
        return rc;
    }

    transcript->text = hearing.text;
    transcript->confidence = hearing.confidence;
    snprintf(transcript->method, sizeof(transcript->method),
             "pocketsphinx-grammar");
    snprintf(transcript->verdict, sizeof(transcript->verdict), "%s",
             speech_verdict_name(hearing.verdict));

    hearing.text = NULL;
    speech_hearing_release(&hearing);

    return PROVIDER_OK;
}


/* The one of this process. */

static speech_recogniser_t *
sphinx_recogniser(const char *dir)
{
    static speech_recogniser_t  *recogniser;

    if (recogniser == NULL) {
        recogniser = speech_recogniser_create(dir);
    }

    return recogniser;
}


static provider_e
sphinx_hear(speech_recogniser_t *recogniser,
    const provider_recording_t *recording, speech_hearing_t *hearing,
    provider_fault_t *fault)
{
    int16_t         *samples;
    voice_rc_t       rc;
    speech_sound_t   sound;

    memset(&sound, 0, sizeof(speech_sound_t));

    rc = speech_audio_read(recording->wav, SPEECH_RATE, &samples,
                           &sound.audio.count);
    if (rc != VOICE_OK) {
        return sphinx_fault(rc, fault);
    }

    sound.audio.samples = samples;
    sound.audio.rate = SPEECH_RATE;
    sound.domain = recording->domain;
    sound.language = recording->language;
    sound.side = SPEECH_ANSWERS;

    rc = speech_hear(recogniser, &sound, hearing);
    free(samples);

    return rc == VOICE_OK ? PROVIDER_OK : sphinx_fault(rc, fault);
}


static provider_e
sphinx_fault(voice_rc_t rc, provider_fault_t *fault)
{
    switch (rc) {

    case VOICE_INVALID:
        return provider_fail(fault, PROVIDER_DEAD,
                             "the recording is no WAV file that can be read");

    case VOICE_LIMIT:
        return provider_fail(fault, PROVIDER_DEAD,
                             "the recording is longer than %d seconds",
                             SPEECH_SECONDS_MAX);

    default:
        return provider_fail(fault, PROVIDER_RETRY,
                             "the recogniser failed");
    }
}
