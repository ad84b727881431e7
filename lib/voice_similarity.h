
/*
 * How alike two texts are, 0..1.
 */

#ifndef VOICE_SIMILARITY_H
#define VOICE_SIMILARITY_H


#include "voice_text.h"


/* Names of the methods, stored with each score. */
#define VOICE_SIMILARITY_LEXICAL    "lexical-v1"
#define VOICE_SIMILARITY_EMBEDDING  "embedding"

/* Code points of a text that voice_similarity_ratio() takes. */
#define VOICE_SIMILARITY_RATIO_MAX  512

/* Code points of a text that voice_similarity_lexical() takes. */
#define VOICE_SIMILARITY_LEXICAL_MAX  (64 * 1024)


/*
 * Ratcliff and Obershelp: 2 * matched / (code points of a and b), the
 * longest common block first, then left and right of it; the value of
 * Python's difflib.SequenceMatcher(None, a, b, autojunk=False).ratio(), both
 * empty 1.  The order of a and b may matter.  VOICE_INVALID: not UTF-8;
 * VOICE_LIMIT; VOICE_NOMEM.
 */
voice_rc_t voice_similarity_ratio(voice_span_t a, voice_span_t b,
    double *ratio) VOICE_MUST_CHECK;

/*
 * The embedded lexical measure "lexical-v1" (docs/similarity.md): cosine of
 * normalised word stems (Snowball, of the language) mixed with cosine of
 * character trigrams.  language: a BCP 47 tag, empty or without a stemmer:
 * words are not stemmed.  It knows no meaning: a synonym is a stranger.
 * Both empty 1, one empty 0.  Fails as voice_similarity_ratio() does.
 */
voice_rc_t voice_similarity_lexical(voice_span_t a, voice_span_t b,
    voice_span_t language, double *similarity) VOICE_MUST_CHECK;

/*
 * Cosine of two vectors of n floats, clipped to 0..1.  VOICE_INVALID: n is
 * 0, a number is not finite, or a vector is all zero.
 */
voice_rc_t voice_similarity_cosine(const float *a, const float *b, size_t n,
    double *similarity) VOICE_MUST_CHECK;


#endif /* VOICE_SIMILARITY_H */
