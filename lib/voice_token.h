
/*
 * The words of what people say, with the ends of clauses and sentences that
 * punctuation marks; for measures of meaning.  (Scores compare texts by
 * voice_text.h.)
 */

#ifndef VOICE_TOKEN_H
#define VOICE_TOKEN_H


#include "voice_text.h"


#define VOICE_TOKEN_MAX    200         /* bytes of a word; the rest is cut */

/* An apostrophe ends a word ("l'aide": "l", "aide"), else it vanishes. */
#define VOICE_TOKEN_SPLIT  1


/* What stands behind a word. */
typedef enum {
    VOICE_TOKEN_NEXT = 0,              /* another word */
    VOICE_TOKEN_CLAUSE,                /* , ; : brackets or a dash */
    VOICE_TOKEN_SENTENCE               /* . ! ? a line's or the text's end */
} voice_token_end_e;


typedef struct {
    voice_span_t       word;           /* form C, case folded */
    voice_span_t       source;         /* where it stands in the text */
    voice_token_end_e  end;
    unsigned           bangs;          /* exclamation marks behind it */
    int                stretched;      /* "sooo": letters repeated thrice,
                                          which word has twice */
} voice_token_t;


typedef struct {
    voice_token_t  *items;
    size_t          count;
    char           *memory;            /* private: the words */
} voice_tokens_t;


/*
 * Words are runs of letters, marks and digits; a full stop or comma between
 * two digits belongs to them ("3.50").  In time and memory linear in the
 * text.  Release with voice_tokens_release().  VOICE_INVALID: not UTF-8;
 * VOICE_LIMIT: longer than VOICE_TEXT_MAX; VOICE_NOMEM.
 */
voice_rc_t voice_tokens_read(voice_span_t text, unsigned flags,
    voice_tokens_t *tokens) VOICE_MUST_CHECK;
void voice_tokens_release(voice_tokens_t *tokens);

/*
 * "so" of "soo": each run of a letter cut to one, for words that were
 * stretched; out holds word.len bytes.  Returns the bytes written.
 */
size_t voice_token_squeeze(voice_span_t word, char *out);


#endif /* VOICE_TOKEN_H */
