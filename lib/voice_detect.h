
/*
 * In which language is a text: by words that people use all the time, and by
 * the beginnings and ends of the others.  What they are stands in a file
 * (docs/analysis.md):
 *
 *   # a comment
 *   [en]
 *   the, of, and, -ing, wh-, -qu-
 *
 * A word counts 1 / n for each of the n languages that have it, the longest
 * fitting part of another word ("-ing" its end, "wh-" its beginning, "-qu-"
 * any place) VOICE_DETECT_PART / n.  The best language is told if what it
 * got is enough of the text's words and enough more than the next got:
 * coverage and margin are the two parts of the confidence.  Cavnar and
 * Trenkle, "N-Gram-Based Text Categorization" (1994), and Grefenstette,
 * "Comparing two language identification schemes" (1995) have the two ideas.
 */

#ifndef VOICE_DETECT_H
#define VOICE_DETECT_H


#include "voice_language.h"
#include "voice_lexicon.h"


#define VOICE_DETECT_LANGUAGES  32
#define VOICE_DETECT_PART       0.4


typedef struct voice_detector_s  voice_detector_t;


typedef struct {
    char    language[VOICE_LANGUAGE_MAX + 1];  /* "und": cannot tell */
    double  confidence;                        /* 0 .. 1 */
} voice_detected_t;


/*
 * Reads a file.  The caller destroys *detector, which keeps nothing of the
 * file's bytes.  VOICE_INVALID or VOICE_LIMIT with the fault, VOICE_NOMEM.
 */
voice_rc_t voice_detector_parse(voice_span_t file,
    voice_detector_t **detector, voice_lines_fault_t *fault)
    VOICE_MUST_CHECK;
void voice_detector_destroy(voice_detector_t *detector);

/*
 * VOICE_INVALID: not UTF-8; VOICE_NOMEM.  Of a text over VOICE_TEXT_MAX the
 * beginning is looked at.
 */
voice_rc_t voice_detect(const voice_detector_t *detector, voice_span_t text,
    voice_detected_t *detected) VOICE_MUST_CHECK;

/*
 * Is this word, case folded, one that says little in a language (a tag,
 * of which the primary subtag counts), as it stands in the file?
 */
int voice_detect_common(const voice_detector_t *detector,
    voice_span_t language, voice_span_t word);


#endif /* VOICE_DETECT_H */
