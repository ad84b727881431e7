
/*
 * Speech to text without a grammar.
 */

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include <pocketsphinx.h>
#include <sphinxbase/err.h>

#include "../lib/voice_language.h"
#include "speech_decoder.h"
#include "speech_dictation.h"
#include "speech_domain.h"


#define MODEL   "/usr/share/pocketsphinx/model/en-us/en-us.lm.bin"
#define FRAMES  100                    /* in a second */


struct speech_dictation_s {
    ps_decoder_t  *decoder;
    cmd_ln_t      *config;
};


/* What is added up over the words. */
typedef struct {
    speech_text_t  text;
    double         posterior;          /* times frames */
    double         frames;
} tally_t;


static void read_words(ps_decoder_t *decoder, tally_t *tally);


speech_dictation_t *
speech_dictation_create(void)
{
    speech_dictation_t  *dictation;

    dictation = calloc(1, sizeof(speech_dictation_t));
    if (dictation == NULL) {
        return NULL;
    }

    err_set_logfp(NULL);

    /* beams and bounds for speed; nothing was gained by wider ones */
    dictation->config = cmd_ln_init(NULL, ps_args(), TRUE,
                                    "-hmm", speech_models[0].acoustic,
                                    "-dict", speech_models[0].dictionary,
                                    "-lm", MODEL,
                                    "-logfn", "/dev/null",
                                    "-maxhmmpf", "5000",
                                    "-maxwpf", "20",
                                    "-ds", "2",
                                    NULL);

    dictation->decoder = dictation->config == NULL
                         ? NULL : ps_init(dictation->config);

    if (dictation->decoder == NULL) {
        speech_dictation_destroy(dictation);
        return NULL;
    }

    return dictation;
}


void
speech_dictation_destroy(speech_dictation_t *dictation)
{
    if (dictation == NULL) {
        return;
    }

    ps_free(dictation->decoder);
    cmd_ln_free_r(dictation->config);
    free(dictation);
}


int
speech_dictation_knows(voice_span_t language)
{
    return voice_language_matches(voice_span_str(speech_models[0].language),
                                  language)
           && access(MODEL, R_OK) == 0;
}


voice_rc_t
speech_dictate(speech_dictation_t *dictation, const voice_audio_t *audio,
    speech_dictated_t *dictated)
{
    tally_t        tally;
    ps_decoder_t  *decoder;

    memset(dictated, 0, sizeof(speech_dictated_t));

    if (audio->rate != SPEECH_DICTATION_RATE) {
        return VOICE_INVALID;
    }

    if (audio->count > (size_t) audio->rate * SPEECH_DICTATION_SECONDS) {
        return VOICE_LIMIT;
    }

    decoder = dictation->decoder;

    if (!speech_decoder_begin(decoder, NULL)
        || ps_process_raw(decoder, audio->samples, audio->count, FALSE, TRUE)
           < 0
        || ps_end_utt(decoder) < 0)
    {
        return VOICE_FAILED;
    }

    memset(&tally, 0, sizeof(tally_t));
    read_words(decoder, &tally);

    dictated->text = strdup(tally.text.bytes);
    dictated->confidence = tally.frames > 0 ? tally.posterior / tally.frames
                                            : 0;
    dictated->seconds = tally.frames / FRAMES;

    return dictated->text == NULL ? VOICE_NOMEM : VOICE_OK;
}


static void
read_words(ps_decoder_t *decoder, tally_t *tally)
{
    int          from, to;
    int32        acoustic, language, back, posterior;
    double       frames;
    ps_seg_t    *segment;
    logmath_t   *logs;

    if (ps_get_hyp(decoder, NULL) == NULL) {
        return;
    }

    logs = ps_get_logmath(decoder);

    for (segment = ps_seg_iter(decoder);
         segment != NULL;
         segment = ps_seg_next(segment))
    {
        ps_seg_frames(segment, &from, &to);
        posterior = ps_seg_prob(segment, &acoustic, &language, &back);

        if (to >= from
            && speech_text_add(&tally->text, ps_seg_word(segment)))
        {
            frames = to - from + 1;
            tally->frames += frames;
            tally->posterior += frames * fmin(1, logmath_exp(logs,
                                                             posterior));
        }
    }
}
