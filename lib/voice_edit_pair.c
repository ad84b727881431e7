
/*
 * A pair of sequences, made ready for bit-parallel work.
 */

#include <stdlib.h>

#include "voice_edit_private.h"


#define ROWS_MAX  VOICE_EDIT_WORD      /* ids with a vector of their own */
#define NO_GROUP  UINT32_MAX


static voice_rc_t pair_allocate(voice_edit_pair_t *pair);
static void pair_group(voice_edit_pair_t *pair, voice_ids_t reference);
static void pair_rows(voice_edit_pair_t *pair);
static uint32_t pair_find(const voice_edit_pair_t *pair, uint32_t id);
static void set_bit(uint64_t *bits, uint32_t position);


voice_rc_t
voice_edit_pair_create(voice_edit_pair_t *pair, voice_ids_t reference,
    voice_ids_t hypothesis)
{
    size_t  j;

    memset(pair, 0, sizeof(voice_edit_pair_t));

    if (reference.count > VOICE_EDIT_MAX || hypothesis.count > VOICE_EDIT_MAX)
    {
        return VOICE_LIMIT;
    }

    pair->reference = reference.ids;
    pair->hypothesis = hypothesis.ids;
    pair->n = reference.count;
    pair->m = hypothesis.count;
    pair->nwords = reference.count / VOICE_EDIT_WORD + 1;
    pair->loaded = NO_GROUP;

    if (pair_allocate(pair) != VOICE_OK) {
        voice_edit_pair_destroy(pair);
        return VOICE_NOMEM;
    }

    pair_group(pair, reference);
    pair_rows(pair);

    for (j = 0; j < pair->m; j++) {
        pair->group[j] = pair_find(pair, hypothesis.ids[j]);
    }

    return VOICE_OK;
}


void
voice_edit_pair_destroy(voice_edit_pair_t *pair)
{
    free(pair->sorted);
    free(pair->starts);
    free(pair->row);
    free(pair->group);
    free(pair->rows);
    free(pair->scratch);
}


const uint64_t *
voice_edit_matches(voice_edit_pair_t *pair, size_t column)
{
    size_t    k;
    uint32_t  group, position;

    group = pair->group[column];

    if (group != NO_GROUP && pair->row[group] != NO_GROUP) {
        return pair->rows + pair->row[group] * pair->nwords;
    }

    if (group == pair->loaded) {
        return pair->scratch;
    }

    memset(pair->scratch, 0, pair->nwords * sizeof(uint64_t));
    pair->loaded = group;

    if (group == NO_GROUP) {
        return pair->scratch;
    }

    for (k = pair->starts[group]; k < pair->starts[group + 1]; k++) {
        position = (uint32_t) pair->sorted[k];
        set_bit(pair->scratch, position);
    }

    return pair->scratch;
}


static voice_rc_t
pair_allocate(voice_edit_pair_t *pair)
{
    size_t  n;

    n = pair->n + 1;

    pair->sorted = malloc(n * sizeof(uint64_t));
    pair->starts = malloc((n + 1) * sizeof(uint32_t));
    pair->row = malloc(n * sizeof(uint32_t));
    pair->group = malloc((pair->m + 1) * sizeof(uint32_t));
    pair->rows = calloc(ROWS_MAX * pair->nwords, sizeof(uint64_t));
    pair->scratch = calloc(pair->nwords, sizeof(uint64_t));

    if (pair->sorted == NULL || pair->starts == NULL || pair->row == NULL
        || pair->group == NULL || pair->rows == NULL || pair->scratch == NULL)
    {
        return VOICE_NOMEM;
    }

    return VOICE_OK;
}


static int
compare_u64(const void *one, const void *two)
{
    uint64_t  a, b;

    a = *(const uint64_t *) one;
    b = *(const uint64_t *) two;

    return a < b ? -1 : a > b;
}


static void
pair_group(voice_edit_pair_t *pair, voice_ids_t reference)
{
    size_t  i;

    for (i = 0; i < pair->n; i++) {
        pair->sorted[i] = (uint64_t) reference.ids[i] << 32 | i;
    }

    qsort(pair->sorted, pair->n, sizeof(uint64_t), compare_u64);

    for (i = 0; i < pair->n; i++) {
        if (i == 0 || pair->sorted[i] >> 32 != pair->sorted[i - 1] >> 32) {
            pair->starts[pair->ngroups++] = (uint32_t) i;
        }
    }

    pair->starts[pair->ngroups] = (uint32_t) pair->n;
}


/*
 * Ids that occur at least nwords times get ready vectors; there are at most
 * 64 of them.  Setting the bits of a rarer id costs less than the column.
 */
static void
pair_rows(voice_edit_pair_t *pair)
{
    size_t     g, k, used;
    uint32_t   position;
    uint64_t  *row;

    used = 0;

    for (g = 0; g < pair->ngroups; g++) {

        pair->row[g] = NO_GROUP;

        if (pair->starts[g + 1] - pair->starts[g] < pair->nwords
            || used == ROWS_MAX)
        {
            continue;
        }

        pair->row[g] = (uint32_t) used;
        row = pair->rows + used++ * pair->nwords;

        for (k = pair->starts[g]; k < pair->starts[g + 1]; k++) {
            position = (uint32_t) pair->sorted[k];
            set_bit(row, position);
        }
    }
}


static uint32_t
pair_find(const voice_edit_pair_t *pair, uint32_t id)
{
    size_t    low, high, middle;
    uint32_t  there;

    low = 0;
    high = pair->ngroups;

    while (low < high) {
        middle = low + (high - low) / 2;
        there = (uint32_t) (pair->sorted[pair->starts[middle]] >> 32);

        if (there == id) {
            return (uint32_t) middle;
        }

        if (there < id) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return NO_GROUP;
}


static void
set_bit(uint64_t *bits, uint32_t position)
{
    bits[position / VOICE_EDIT_WORD] |= 1ULL << position % VOICE_EDIT_WORD;
}
