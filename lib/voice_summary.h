
/*
 * A summary made of a text's own sentences: those whose words, the common
 * ones left out, are the most frequent in the text, the first ones a little
 * preferred, in the order of the text.  (Luhn, "The Automatic Creation of
 * Literature Abstracts", 1958; Nenkova and Vanderwende's SumBasic, 2005,
 * which has the rule that a chosen sentence's words count less afterwards.)
 */

#ifndef VOICE_SUMMARY_H
#define VOICE_SUMMARY_H


#include "voice_detect.h"


#define VOICE_SUMMARY_SENTENCES  2000  /* of a text that are looked at */
#define VOICE_SUMMARY_WORDS      30    /* after which a sentence without a
                                          full stop is taken for ended */


typedef struct {
    unsigned                 sentences;        /* at most, from 1 */
    size_t                   bytes;            /* at most, from 16 */
    voice_span_t             language;         /* whose common words ... */
    const voice_detector_t  *detector;         /* ... are known here; NULL:
                                                  nowhere */
} voice_summary_limits_t;


/*
 * The caller frees *summary, which is NUL terminated, "" for a text without
 * a word.  White space in it is single blanks; a sentence that alone is too
 * long is cut behind a word and ends in "...".  Time grows with the text's
 * length plus sentences x VOICE_SUMMARY_SENTENCES.  Of a text over
 * VOICE_TEXT_MAX the beginning is read.  VOICE_INVALID: not UTF-8, or limits
 * that are too small; VOICE_NOMEM.
 */
voice_rc_t voice_summary(voice_span_t text,
    const voice_summary_limits_t *limits, char **summary) VOICE_MUST_CHECK;


#endif /* VOICE_SUMMARY_H */
