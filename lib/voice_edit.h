
/*
 * Edit distance and alignment of two sequences of ids, bit-parallel: 64
 * cells of the dynamic programme are computed at once, so that the time is
 * about (reference / 64) * hypothesis.
 *
 * Two costs, which may differ for one pair:
 *
 *   distance   Levenshtein: substitution 1, deletion 1, insertion 1
 *              (Myers 1999, Hyyro 2003)
 *   alignment  NIST sclite's: substitution 4, deletion 3, insertion 3; of
 *              several cheapest alignments the one that sclite reports.  It
 *              has never fewer errors than the distance, rarely more.
 */

#ifndef VOICE_EDIT_H
#define VOICE_EDIT_H


#include "voice_base.h"


#define VOICE_EDIT_MAX  (64 * 1024)    /* elements of a sequence */


typedef enum {
    VOICE_EDIT_MATCH = 0,
    VOICE_EDIT_SUBSTITUTE,
    VOICE_EDIT_DELETE,                 /* in the reference only */
    VOICE_EDIT_INSERT                  /* in the hypothesis only */
} voice_edit_e;


/* One column of an alignment. */
typedef struct {
    uint32_t  op;                      /* voice_edit_e */
    uint32_t  reference;               /* index; unused for an insertion */
    uint32_t  hypothesis;              /* index; unused for a deletion */
} voice_edit_t;


typedef struct {
    size_t         reference;          /* elements of the reference */
    size_t         hypothesis;
    size_t         matches;
    size_t         substitutions;
    size_t         deletions;
    size_t         insertions;
    size_t         distance;           /* Levenshtein */
    voice_edit_t  *edits;              /* first to last, owned */
    size_t         nedits;
} voice_alignment_t;


/* Ids, compared for equality only. */
typedef struct {
    const uint32_t  *ids;
    size_t           count;
} voice_ids_t;


/* Levenshtein distance.  VOICE_LIMIT above VOICE_EDIT_MAX; VOICE_NOMEM. */
voice_rc_t voice_edit_distance(voice_ids_t reference, voice_ids_t hypothesis,
    size_t *distance) VOICE_MUST_CHECK;

/*
 * The alignment, with counts, edits and distance; release it with
 * voice_alignment_release().  Fails as voice_edit_distance() does.
 */
voice_rc_t voice_edit_align(voice_ids_t reference, voice_ids_t hypothesis,
    voice_alignment_t *alignment) VOICE_MUST_CHECK;
void voice_alignment_release(voice_alignment_t *alignment);

/* "match", "substitute", "delete", "insert" */
const char *voice_edit_name(unsigned op);


#endif /* VOICE_EDIT_H */
