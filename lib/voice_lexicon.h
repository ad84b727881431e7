
/*
 * Lexicons of sentiment: what words and idioms of a language weigh, what
 * turns them round and what makes them stronger.  A lexicon is a text file
 * (docs/analysis.md), one a language:
 *
 *   # a comment
 *   language en             BCP 47
 *   apostrophe join         or split, as voice_token.h has it
 *   negation 4 0            words that a negator reaches ahead and behind
 *   [weight -2.5]           -4 .. 4; 0: says nothing, whatever its words do
 *   terrible, not working, frustrat*
 *   [factor 1.3]            0.1 .. 3, for what follows
 *   very, really
 *   [negators]
 *   not, never
 *   [contrasts]
 *   but, however
 *
 * Entries stand between commas, of at most VOICE_LEXICON_WORDS words; "*"
 * ends one that is the beginning of a word.
 */

#ifndef VOICE_LEXICON_H
#define VOICE_LEXICON_H


#include "voice_language.h"
#include "voice_lines.h"
#include "voice_token.h"


#define VOICE_LEXICON_WORDS    6               /* of an entry */
#define VOICE_LEXICON_ENTRIES  50000
#define VOICE_LEXICON_REACH    10              /* words, of a negator */


typedef struct voice_lexicon_s  voice_lexicon_t;


typedef enum {
    VOICE_LEXICON_WEIGHT = 0,
    VOICE_LEXICON_FACTOR,
    VOICE_LEXICON_NEGATOR,
    VOICE_LEXICON_CONTRAST
} voice_lexicon_kind_e;


typedef struct {
    voice_lexicon_kind_e  kind;
    double                value;       /* of weights and factors */
    unsigned              words;       /* that the entry has, from 1 */
} voice_lexicon_entry_t;


/* What a file says of the whole. */
typedef struct {
    char      language[VOICE_LANGUAGE_MAX + 1];
    unsigned  flags;                   /* of voice_tokens_read() */
    unsigned  ahead;                   /* words that a negator reaches */
    unsigned  behind;
    size_t    entries;
} voice_lexicon_head_t;


/*
 * Reads a file.  The caller destroys *lexicon, which keeps nothing of the
 * file's bytes.  VOICE_INVALID or VOICE_LIMIT with the fault, VOICE_NOMEM.
 */
voice_rc_t voice_lexicon_parse(voice_span_t file, voice_lexicon_t **lexicon,
    voice_lines_fault_t *fault) VOICE_MUST_CHECK;
void voice_lexicon_destroy(voice_lexicon_t *lexicon);

const voice_lexicon_head_t *voice_lexicon_head(
    const voice_lexicon_t *lexicon);

/*
 * The entry that begins at a token and has the most words; of those with
 * as many the one that matches most of the last word.  No entry goes on
 * behind the end of a clause.  NULL: none.
 */
const voice_lexicon_entry_t *voice_lexicon_find(
    const voice_lexicon_t *lexicon, const voice_token_t *tokens,
    size_t count);


#endif /* VOICE_LEXICON_H */
