
/*
 * Edit distance and alignment, bit-parallel.
 *
 * Rows are the reference, 64 to a machine word; columns the hypothesis.
 *
 * The alignment's costs (substitution 4, deletion 3, insertion 3) are turned
 * into a score that is to be maximal.  With M matches and S substitutions
 * the cost is 3 (n + m) - 6 M - 2 S, so G = 3 M + S, and the differences of
 * neighbouring cells of G are 0 to 3: "down" = G(i,j) - G(i-1,j), kept as
 * three bit vectors, and "across" = G(i,j) - G(i,j-1).  With w = 3 for a
 * match and 1 otherwise, X = max(w, down of the column before, across of the
 * row above) gives both new differences: down = X - across, across = X -
 * down.  How "across" runs down a column is a carry, which an addition
 * computes for 64 rows at once (after Loving, Hernandez, Benson 2014).
 */

#include <stdlib.h>

#include "voice_edit_private.h"


/* The differences down a column: each bit is in one of them, or is 0. */
typedef struct {
    uint64_t  one;
    uint64_t  two;
    uint64_t  three;
} down_t;


/* What runs from a word to the next one down the column. */
typedef struct {
    unsigned  carry3;                  /* "across" is 3, above this word */
    unsigned  carry2;
    uint64_t  out1;
} across_t;


/* How a cell was reached; neither: by an insertion. */
typedef struct {
    uint64_t  diagonal;
    uint64_t  deletion;
} trace_t;


/* The way back from the last cell; row and column are what is left. */
typedef struct {
    voice_edit_pair_t             *pair;
    voice_alignment_t  *alignment;
    voice_edit_t       *end;           /* of the room for edits */
    size_t              row;
    size_t              column;
    size_t              counts[VOICE_EDIT_INSERT + 1];
} walk_t;


static size_t pair_distance(voice_edit_pair_t *pair, uint64_t *vectors);
static int distance_word(uint64_t *plus, uint64_t *minus, uint64_t equal,
    int in);
static void column_step(voice_edit_pair_t *pair, size_t column, down_t *down,
    trace_t *trace);
static void word_step(down_t *down, uint64_t match, across_t *across,
    trace_t *trace);
static uint64_t carries(uint64_t generate, uint64_t propagate,
    unsigned *carry);
static voice_rc_t pair_align(voice_edit_pair_t *pair,
    voice_alignment_t *alignment);
static voice_rc_t trace_back(walk_t *walk);
static void keep_columns(voice_edit_pair_t *pair, down_t *kept, size_t width);
static void trace_block(walk_t *walk, down_t *kept, trace_t *trace,
    size_t width);
static unsigned edit_of(const walk_t *walk, const trace_t *cell);
static void edit_add(walk_t *walk, unsigned op);


static const char  *names[] = {
    "match", "substitute", "delete", "insert"
};


voice_rc_t
voice_edit_distance(voice_ids_t reference, voice_ids_t hypothesis,
    size_t *distance)
{
    voice_edit_pair_t      pair;
    uint64_t   *vectors;
    voice_rc_t  rc;

    *distance = 0;

    rc = voice_edit_pair_create(&pair, reference, hypothesis);
    if (rc != VOICE_OK) {
        return rc;
    }

    vectors = malloc(pair.nwords * 2 * sizeof(uint64_t));
    if (vectors == NULL) {
        voice_edit_pair_destroy(&pair);
        return VOICE_NOMEM;
    }

    *distance = pair_distance(&pair, vectors);

    free(vectors);
    voice_edit_pair_destroy(&pair);

    return VOICE_OK;
}


voice_rc_t
voice_edit_align(voice_ids_t reference, voice_ids_t hypothesis,
    voice_alignment_t *alignment)
{
    voice_edit_pair_t      pair;
    uint64_t   *vectors;
    voice_rc_t  rc;

    memset(alignment, 0, sizeof(voice_alignment_t));

    rc = voice_edit_pair_create(&pair, reference, hypothesis);
    if (rc != VOICE_OK) {
        return rc;
    }

    rc = VOICE_NOMEM;
    vectors = malloc(pair.nwords * 2 * sizeof(uint64_t));

    /* one more, so that there is room for the empty, too */
    alignment->edits = malloc((pair.n + pair.m + 1) * sizeof(voice_edit_t));

    if (vectors != NULL && alignment->edits != NULL) {
        alignment->distance = pair_distance(&pair, vectors);
        rc = pair_align(&pair, alignment);
    }

    free(vectors);
    voice_edit_pair_destroy(&pair);

    if (rc != VOICE_OK) {
        voice_alignment_release(alignment);
    }

    return rc;
}


void
voice_alignment_release(voice_alignment_t *alignment)
{
    free(alignment->edits);
    memset(alignment, 0, sizeof(voice_alignment_t));
}


const char *
voice_edit_name(unsigned op)
{
    return op < VOICE_ARRAY_SIZE(names) ? names[op] : "unknown";
}


/*
 * Myers' algorithm over words of the column (Hyyro 2003, figure 8); vectors
 * holds 2 * nwords.  One bit more than the reference is computed, so that
 * the last row is read as the "in" of the bit below it.
 */
static size_t
pair_distance(voice_edit_pair_t *pair, uint64_t *vectors)
{
    int              in;
    size_t           j, k, distance, last;
    uint64_t        *plus, *minus, below;
    const uint64_t  *equal;

    plus = vectors;
    minus = vectors + pair->nwords;

    memset(plus, 0xff, pair->nwords * sizeof(uint64_t));
    memset(minus, 0, pair->nwords * sizeof(uint64_t));

    for (j = 0; j < pair->m; j++) {
        equal = voice_edit_matches(pair, j);
        in = 1;

        for (k = 0; k < pair->nwords; k++) {
            in = distance_word(&plus[k], &minus[k], equal[k], in);
        }
    }

    /* D(n,m) = D(0,m) + the differences down the last column */
    distance = pair->m;

    for (k = 0; k < pair->nwords; k++) {
        last = pair->n - k * VOICE_EDIT_WORD;
        below = last >= VOICE_EDIT_WORD ? UINT64_MAX : (1ULL << last) - 1;
        distance += (size_t) __builtin_popcountll(plus[k] & below);
        distance -= (size_t) __builtin_popcountll(minus[k] & below);
    }

    return distance;
}


static int
distance_word(uint64_t *plus, uint64_t *minus, uint64_t equal, int in)
{
    int       out;
    uint64_t  vertical, horizontal, up, down;

    vertical = equal | *minus;
    equal |= in < 0;
    horizontal = (((equal & *plus) + *plus) ^ *plus) | equal;

    up = *minus | ~(horizontal | *plus);
    down = *plus & horizontal;

    out = (int) (up >> (VOICE_EDIT_WORD - 1))
          - (int) (down >> (VOICE_EDIT_WORD - 1));

    up = up << 1 | (in > 0);
    down = down << 1 | (in < 0);

    *plus = down | ~(vertical | up);
    *minus = up & vertical;

    return out;
}


/* Computes a column from the one before; trace may be NULL. */
static void
column_step(voice_edit_pair_t *pair, size_t column, down_t *down,
    trace_t *trace)
{
    size_t           k;
    across_t         across;
    const uint64_t  *equal;
    trace_t          unused;

    equal = voice_edit_matches(pair, column);
    memset(&across, 0, sizeof(across_t));

    for (k = 0; k < pair->nwords; k++) {
        word_step(&down[k], equal[k], &across,
                  trace == NULL ? &unused : &trace[k]);
    }
}


static void
word_step(down_t *down, uint64_t match, across_t *across, trace_t *trace)
{
    uint64_t  d0, d1, d2, d3, in0, in1, in2, in3, out1;

    d1 = down->one;
    d2 = down->two;
    d3 = down->three;
    d0 = ~(d1 | d2 | d3);

    /* "across" of the row above, for each row */
    in3 = carries(match & d0, ~match & d0, &across->carry3);
    in2 = carries((match & d1) | (~match & d1 & in3), ~match & d0,
                  &across->carry2);

    out1 = (match & d2)
           | (~match & ((d2 & in3) | (d1 & in2) | (d0 & ~(in3 | in2))));
    in1 = out1 << 1 | across->out1;
    across->out1 = out1 >> (VOICE_EDIT_WORD - 1);

    in0 = ~(in1 | in2 | in3);

    down->three = in0 & (match | d3);
    down->two = (in1 & (match | d3)) | (in0 & ~match & d2);
    down->one = (in2 & (match | d3))
                | (~match & ((d2 & in1) | ((d0 | d1) & in0)));

    /* sclite prefers the diagonal, then the insertion */
    trace->diagonal = match | ((d0 | d1) & (in0 | in1));
    trace->deletion = (in3 & ~d3) | (in2 & (d0 | d1));
}


/*
 * Which bits get a carry, where a bit sends one on if it generates one or
 * propagates the one it gets.
 */
static uint64_t
carries(uint64_t generate, uint64_t propagate, unsigned *carry)
{
    uint64_t  both, sum, in;

    both = generate | propagate;
    in = *carry;

    *carry = __builtin_add_overflow(both, generate, &sum);
    *carry |= __builtin_add_overflow(sum, in, &sum);

    return both ^ generate ^ sum;
}


static voice_rc_t
pair_align(voice_edit_pair_t *pair, voice_alignment_t *alignment)
{
    walk_t      walk;
    voice_rc_t  rc;

    memset(&walk, 0, sizeof(walk_t));
    walk.pair = pair;
    walk.alignment = alignment;
    walk.end = alignment->edits + pair->n + pair->m;
    walk.row = pair->n;
    walk.column = pair->m;

    rc = trace_back(&walk);
    if (rc != VOICE_OK) {
        return rc;
    }

    alignment->reference = pair->n;
    alignment->hypothesis = pair->m;
    alignment->matches = walk.counts[VOICE_EDIT_MATCH];
    alignment->substitutions = walk.counts[VOICE_EDIT_SUBSTITUTE];
    alignment->deletions = walk.counts[VOICE_EDIT_DELETE];
    alignment->insertions = walk.counts[VOICE_EDIT_INSERT];

    memmove(alignment->edits, walk.end - alignment->nedits,
            alignment->nedits * sizeof(voice_edit_t));

    return VOICE_OK;
}


/*
 * Columns are kept every so often, and the stretch between two of them is
 * computed again for the way back: memory of about the square root.
 */
static voice_rc_t
trace_back(walk_t *walk)
{
    size_t    width, size;
    down_t   *kept;
    voice_edit_pair_t   *pair;
    trace_t  *trace;

    pair = walk->pair;
    size = pair->nwords;

    for (width = 16; width * width < pair->m; width *= 2) { /* void */ }

    kept = calloc((pair->m / width + 2) * size, sizeof(down_t));
    trace = malloc(width * size * sizeof(trace_t));

    if (kept == NULL || trace == NULL) {
        free(kept);
        free(trace);
        return VOICE_NOMEM;
    }

    keep_columns(pair, kept, width);

    while (walk->column > 0) {
        trace_block(walk, kept, trace, width);
    }

    while (walk->row > 0) {
        edit_add(walk, VOICE_EDIT_DELETE);
    }

    free(kept);
    free(trace);

    return VOICE_OK;
}


/* Slot k gets the column before column k * width; slot 0 is all 0. */
static void
keep_columns(voice_edit_pair_t *pair, down_t *kept, size_t width)
{
    size_t   j;
    down_t  *down;

    down = kept;

    for (j = 0; j < pair->m; j++) {

        if (j % width == 0) {
            memcpy(down + pair->nwords, down,
                   pair->nwords * sizeof(down_t));
            down += pair->nwords;
        }

        column_step(pair, j, down, NULL);
    }
}


/* Walks to the next kept column on the left. */
static void
trace_block(walk_t *walk, down_t *kept, trace_t *trace, size_t width)
{
    size_t          j, first, size;
    voice_edit_pair_t         *pair;
    const trace_t  *cell;

    pair = walk->pair;
    size = pair->nwords;
    first = (walk->column - 1) / width * width;

    for (j = first; j < walk->column; j++) {
        column_step(pair, j, kept + first / width * size,
                    trace + (j - first) * size);
    }

    while (walk->column > first) {

        if (walk->row == 0) {
            edit_add(walk, VOICE_EDIT_INSERT);
            continue;
        }

        cell = trace + (walk->column - 1 - first) * size
               + (walk->row - 1) / VOICE_EDIT_WORD;
        edit_add(walk, edit_of(walk, cell));
    }
}


static unsigned
edit_of(const walk_t *walk, const trace_t *cell)
{
    uint64_t       bit;
    const voice_edit_pair_t  *pair;

    pair = walk->pair;
    bit = 1ULL << (walk->row - 1) % VOICE_EDIT_WORD;

    if ((cell->diagonal & bit) == 0) {
        return cell->deletion & bit ? VOICE_EDIT_DELETE : VOICE_EDIT_INSERT;
    }

    return pair->reference[walk->row - 1] == pair->hypothesis[walk->column - 1]
           ? VOICE_EDIT_MATCH : VOICE_EDIT_SUBSTITUTE;
}


/* Puts an edit before those that are there, and steps over it. */
static void
edit_add(walk_t *walk, unsigned op)
{
    voice_edit_t       *edit;
    voice_alignment_t  *alignment;

    alignment = walk->alignment;
    alignment->nedits++;
    walk->counts[op]++;

    edit = walk->end - alignment->nedits;
    memset(edit, 0, sizeof(voice_edit_t));
    edit->op = op;

    if (op != VOICE_EDIT_INSERT) {
        edit->reference = (uint32_t) --walk->row;
    }

    if (op != VOICE_EDIT_DELETE) {
        edit->hypothesis = (uint32_t) --walk->column;
    }
}
