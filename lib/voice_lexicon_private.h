
/*
 * What the reader of lexicons and their search share.
 */

#ifndef VOICE_LEXICON_PRIVATE_H
#define VOICE_LEXICON_PRIVATE_H


#include "voice_lexicon.h"


typedef struct {
    voice_lexicon_entry_t  entry;
    voice_span_t           key;        /* words joined by blanks; a "*" ends
                                          the beginning of a word */
    uint64_t               hash;       /* of the key */
} lexicon_entry_t;


typedef struct {
    lexicon_entry_t  *items;           /* room for half of size */
    size_t            count;
    uint32_t         *slots;           /* index of an item from 1; 0: free */
    size_t            size;            /* a power of two, or 0 */
} lexicon_table_t;


struct voice_lexicon_s {
    voice_lexicon_head_t  head;
    lexicon_table_t       entries;
    lexicon_table_t       starts;      /* first words of entries of several;
                                          entry.words: of the longest */
    char                 *text;        /* the keys */
};


uint64_t lexicon_hash(voice_span_t key);
lexicon_entry_t *lexicon_get(const lexicon_table_t *table, voice_span_t key);

/* Adds an entry whose key is not there.  VOICE_NOMEM. */
voice_rc_t lexicon_put(lexicon_table_t *table, const lexicon_entry_t *entry)
    VOICE_MUST_CHECK;


#endif /* VOICE_LEXICON_PRIVATE_H */
