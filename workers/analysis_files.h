
/*
 * The files that calls are analysed by (docs/analysis.md): read once a
 * process, when they are first wanted.
 */

#ifndef ANALYSIS_FILES_H
#define ANALYSIS_FILES_H


#include "../lib/voice_detect.h"
#include "../lib/voice_lexicon.h"
#include "worker_settings.h"


/*
 * The lexicon of a language (a tag, of which the primary subtag counts).
 * NULL: there is none, or it cannot be read, which was logged.
 */
const voice_lexicon_t *analysis_lexicon(const worker_settings_t *settings,
    voice_span_t language);

/* NULL: it cannot be read, which was logged. */
const voice_detector_t *analysis_detector(const worker_settings_t *settings);


#endif /* ANALYSIS_FILES_H */
