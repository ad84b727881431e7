
/*
 * A pair of sequences made ready for bit-parallel work: for each element of
 * the hypothesis the elements of the reference that equal it, as bits.  For
 * voice_edit*.c only.
 */

#ifndef VOICE_EDIT_PRIVATE_H
#define VOICE_EDIT_PRIVATE_H


#include "voice_edit.h"


#define VOICE_EDIT_WORD  64            /* rows in a machine word */


typedef struct {
    const uint32_t  *reference;        /* borrowed */
    const uint32_t  *hypothesis;
    size_t           n;                /* elements of the reference */
    size_t           m;                /* of the hypothesis */
    size_t           nwords;           /* words of a column */
    size_t           ngroups;          /* distinct ids of the reference */
    uint64_t        *sorted;           /* id << 32 | position */
    uint32_t        *starts;           /* of each group in sorted; an end */
    uint32_t        *row;              /* of each group; none: UINT32_MAX */
    uint32_t        *group;            /* of each hypothesis element */
    uint64_t        *rows;             /* ready vectors of frequent ids */
    uint64_t        *scratch;          /* vector of the last rare id */
    uint32_t         loaded;           /* its group */
} voice_edit_pair_t;


/*
 * The sequences are borrowed.  VOICE_LIMIT, VOICE_NOMEM: nothing is left to
 * be destroyed.
 */
voice_rc_t voice_edit_pair_create(voice_edit_pair_t *pair,
    voice_ids_t reference, voice_ids_t hypothesis) VOICE_MUST_CHECK;
void voice_edit_pair_destroy(voice_edit_pair_t *pair);

/*
 * Where the reference equals the hypothesis at column: nwords words, the
 * first row in the lowest bit; the pair's, good until the next call.
 */
const uint64_t *voice_edit_matches(voice_edit_pair_t *pair, size_t column);


#endif /* VOICE_EDIT_PRIVATE_H */
