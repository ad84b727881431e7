
/*
 * Texts to be measured: strict UTF-8 (RFC 3629), normalisation, words.
 * Unicode knowledge is libunistring's.
 */

#ifndef VOICE_TEXT_H
#define VOICE_TEXT_H


#include "voice_base.h"


#define VOICE_TEXT_MAX  (1024 * 1024)  /* bytes of a text that we take */


/* Flags of normalisation; 0 is what scores use by default. */
#define VOICE_TEXT_CASE_SENSITIVE    1 /* leave the case alone */
#define VOICE_TEXT_KEEP_PUNCTUATION  2
#define VOICE_TEXT_RAW  (VOICE_TEXT_CASE_SENSITIVE                            \
                         | VOICE_TEXT_KEEP_PUNCTUATION)


/* Words of a text, in its order; they point into that text. */
typedef struct {
    voice_span_t  *items;
    size_t         count;
} voice_words_t;


/* Is this UTF-8: no overlong form, no surrogate, nothing above U+10FFFF? */
int voice_text_valid(voice_span_t text);

/*
 * The code points of a text.  The caller frees *points (free), which is
 * never NULL on VOICE_OK.  VOICE_INVALID: not UTF-8; VOICE_LIMIT: longer
 * than VOICE_TEXT_MAX; VOICE_NOMEM.
 */
voice_rc_t voice_text_decode(voice_span_t text, uint32_t **points,
    size_t *count) VOICE_MUST_CHECK;

/*
 * Normal form C, then, as flags say, without case (full case folding: lower
 * case, a German sharp s is "ss") and without punctuation, symbols and
 * control characters ("What's" is "whats", "$5" is "5"); runs of white space
 * become one space, none at the ends.  The caller frees *out (free), which
 * is NUL terminated.  Fails as voice_text_decode() does.
 */
voice_rc_t voice_text_normalise(voice_span_t text, unsigned flags,
    char **out, size_t *len) VOICE_MUST_CHECK;

/*
 * Splits at Unicode white space, as NIST's tools split at blanks.  Release
 * with voice_words_release().  Fails as voice_text_decode() does.
 */
voice_rc_t voice_text_words(voice_span_t text, voice_words_t *words)
    VOICE_MUST_CHECK;
void voice_words_release(voice_words_t *words);


#endif /* VOICE_TEXT_H */
