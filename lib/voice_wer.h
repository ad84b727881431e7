
/*
 * Word, character and sentence error rate.
 *
 * A rate is (substitutions + deletions + insertions) / elements of the
 * reference, of the alignment that NIST sclite reports (voice_edit.h); it
 * may exceed 1.  An empty reference gives 0 with an empty hypothesis,
 * otherwise 1.  Words stand between white space; characters are code points,
 * spaces included.
 */

#ifndef VOICE_WER_H
#define VOICE_WER_H


#include <jansson.h>

#include "voice_edit.h"
#include "voice_text.h"


/* Rates at which a transcript passes by default. */
#define VOICE_WER_THRESHOLD  0.15
#define VOICE_CER_THRESHOLD  0.10


/* A pair of texts. */
typedef struct {
    voice_span_t  reference;
    voice_span_t  hypothesis;
} voice_wer_pair_t;


/* (S + D + I) / N of an alignment; rules for the empty as above. */
double voice_wer_rate(const voice_alignment_t *alignment);

/*
 * Aligns the words of two texts after voice_text_normalise() with flags
 * (0: default, VOICE_TEXT_RAW: as they stand).  Release the alignment with
 * voice_alignment_release().  VOICE_INVALID: not UTF-8; VOICE_LIMIT: over
 * VOICE_TEXT_MAX bytes or VOICE_EDIT_MAX words; VOICE_NOMEM.
 */
voice_rc_t voice_wer_align(const voice_wer_pair_t *pair, unsigned flags,
    voice_alignment_t *alignment) VOICE_MUST_CHECK;

/*
 * Aligns the code points of two texts: as they stand for
 * VOICE_TEXT_RAW, else after voice_text_normalise() with flags.
 */
voice_rc_t voice_cer_align(const voice_wer_pair_t *pair, unsigned flags,
    voice_alignment_t *alignment) VOICE_MUST_CHECK;

/* The rate alone; fails as the alignment does. */
voice_rc_t voice_wer(const voice_wer_pair_t *pair, unsigned flags,
    double *rate) VOICE_MUST_CHECK;
voice_rc_t voice_cer(const voice_wer_pair_t *pair, unsigned flags,
    double *rate) VOICE_MUST_CHECK;

/* 0 if the normalised words are the same, 1 otherwise. */
voice_rc_t voice_ser(const voice_wer_pair_t *pair, unsigned flags,
    double *rate) VOICE_MUST_CHECK;

/*
 * CER of many pairs as they stand: micro is all edits / all characters of
 * references, macro the mean of the rates; both 0 for no pair.
 */
voice_rc_t voice_cer_many(const voice_wer_pair_t *pairs, size_t npairs,
    double *micro, double *macro) VOICE_MUST_CHECK;

/*
 * All of it for one pair, as it is stored:
 *
 *   {"wer": 0.2, "wer_raw": 0.4, "cer": 0.1, "cer_raw": 0.12, "ser": 1,
 *    "substitutions": 1, "deletions": 0, "insertions": 0, "matches": 4,
 *    "reference_words": 5, "hypothesis_words": 5, "distance": 1,
 *    "alignment": [["match", "the", "the"], ["substitute", "mat", "hat"],
 *                  ["delete", "x", null], ["insert", null, "y"]]}
 *
 * wer, cer, ser, the counts and the alignment are of the normalised texts,
 * the _raw of the texts as they stand; distance is Levenshtein's over words.
 * The alignment ends after VOICE_WER_LISTED columns ("alignment_cut": true).
 * cer and cer_raw are null for more than VOICE_EDIT_MAX characters.  The
 * caller owns *report.  Fails as voice_wer_align() does.
 */
#define VOICE_WER_LISTED  2000
voice_rc_t voice_wer_report(const voice_wer_pair_t *pair, json_t **report)
    VOICE_MUST_CHECK;


#endif /* VOICE_WER_H */
