
/*
 * What was said in a recording of any length, by speech_dictation.h: in
 * pieces that are cut where it is quiet, silent ones left out.
 */

#ifndef ANALYSIS_HEARING_H
#define ANALYSIS_HEARING_H


#include "provider.h"


typedef struct {
    char     *text;                    /* a line for each piece; the caller
                                          frees it */
    double    confidence;              /* 0..1 of the words, by length */
    uint64_t  unheard_ms;              /* for which there was no time */
    size_t    cut;                     /* bytes over call_text_max */
} analysis_hearing_t;


/*
 * Stops before the call's deadline, after call_hear_seconds of the settings,
 * and at call_text_max bytes of text.  PROVIDER_DEAD: no WAV file;
 * PROVIDER_RETRY.
 */
provider_e analysis_hear(const provider_call_t *call, voice_span_t wav,
    analysis_hearing_t *hearing, provider_fault_t *fault) VOICE_MUST_CHECK;


#endif /* ANALYSIS_HEARING_H */
