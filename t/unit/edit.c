
/*
 * voice_edit.h, against the plain dynamic programmes.
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_edit.h"


#define LONGEST  320


static uint32_t  costs[LONGEST + 1][LONGEST + 1];
static uint32_t  levenshtein[LONGEST + 1][LONGEST + 1];
static uint64_t  seed = 88172645463325252ULL;


/* xorshift: the same pairs on each machine */
static uint32_t
random_below(uint32_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (uint32_t) (seed >> 16) % limit;
}


static uint32_t
least(uint32_t a, uint32_t b, uint32_t c)
{
    a = a < b ? a : b;

    return a < c ? a : c;
}


static void
fill(voice_ids_t a, voice_ids_t b)
{
    size_t    i, j;
    uint32_t  other;

    for (i = 0; i <= a.count; i++) {
        for (j = 0; j <= b.count; j++) {

            if (i == 0 || j == 0) {
                costs[i][j] = (uint32_t) (3 * (i + j));
                levenshtein[i][j] = (uint32_t) (i + j);
                continue;
            }

            other = a.ids[i - 1] != b.ids[j - 1];
            costs[i][j] = least(costs[i - 1][j - 1] + 4 * other,
                                costs[i - 1][j] + 3, costs[i][j - 1] + 3);
            levenshtein[i][j] = least(levenshtein[i - 1][j - 1] + other,
                                      levenshtein[i - 1][j] + 1,
                                      levenshtein[i][j - 1] + 1);
        }
    }
}


/* sclite's choice: the diagonal, then the dearer deletion, then insertion */
static unsigned
plain_edit(voice_ids_t a, voice_ids_t b, size_t i, size_t j)
{
    uint32_t  other;

    if (i == 0 || j == 0) {
        return i == 0 ? VOICE_EDIT_INSERT : VOICE_EDIT_DELETE;
    }

    other = a.ids[i - 1] != b.ids[j - 1];

    if (costs[i][j] == costs[i - 1][j - 1] + 4 * other) {
        return other ? VOICE_EDIT_SUBSTITUTE : VOICE_EDIT_MATCH;
    }

    return costs[i - 1][j] < costs[i][j - 1] ? VOICE_EDIT_DELETE
                                             : VOICE_EDIT_INSERT;
}


static int
same_edits(voice_ids_t a, voice_ids_t b, const voice_alignment_t *got)
{
    size_t               i, j, k;
    const voice_edit_t  *edit;

    i = a.count;
    j = b.count;

    for (k = got->nedits; k > 0; k--) {

        edit = &got->edits[k - 1];

        if ((i == 0 && j == 0) || edit->op != plain_edit(a, b, i, j)) {
            return 0;
        }

        if (edit->op != VOICE_EDIT_INSERT && edit->reference != --i) {
            return 0;
        }

        if (edit->op != VOICE_EDIT_DELETE && edit->hypothesis != --j) {
            return 0;
        }
    }

    return i == 0 && j == 0;
}


static int
agrees(voice_ids_t a, voice_ids_t b)
{
    int                good;
    size_t             distance;
    voice_alignment_t  got;

    fill(a, b);

    if (voice_edit_align(a, b, &got) != VOICE_OK
        || voice_edit_distance(a, b, &distance) != VOICE_OK)
    {
        return 0;
    }

    good = distance == levenshtein[a.count][b.count]
           && got.distance == distance && same_edits(a, b, &got)
           && got.matches + got.substitutions + got.deletions == a.count
           && got.matches + got.substitutions + got.insertions == b.count;

    voice_alignment_release(&got);

    return good;
}


/* Pairs of up to longest elements out of kinds. */
static void
test_random(unsigned rounds, uint32_t longest, uint32_t kinds)
{
    unsigned     round, wrong;
    uint32_t     i, one[LONGEST], two[LONGEST];
    voice_ids_t  a, b;

    wrong = 0;

    for (round = 0; round < rounds; round++) {

        a = (voice_ids_t) { one, random_below(longest + 1) };
        b = (voice_ids_t) { two, random_below(longest + 1) };

        for (i = 0; i < longest; i++) {
            one[i] = random_below(kinds);
            two[i] = random_below(4) == 0 ? random_below(kinds) : one[i];
        }

        wrong += !agrees(a, b);
    }

    ok(wrong == 0, "%u pairs of up to %u elements of %u kinds are aligned "
       "as by the plain programme", rounds, longest, kinds);
}


static void
test_edges(void)
{
    uint32_t           ids[130], other[130], i;
    voice_alignment_t  got;

    for (i = 0; i < 130; i++) {
        ids[i] = UINT32_MAX - i;
        other[i] = i;
    }

    ok(agrees((voice_ids_t) { ids, 0 }, (voice_ids_t) { ids, 0 }),
       "two empty sequences are aligned");
    ok(agrees((voice_ids_t) { ids, 130 }, (voice_ids_t) { ids, 0 }),
       "an empty hypothesis is all deletions");
    ok(agrees((voice_ids_t) { ids, 0 }, (voice_ids_t) { ids, 130 }),
       "an empty reference is all insertions");
    ok(agrees((voice_ids_t) { ids, 64 }, (voice_ids_t) { ids, 64 }),
       "a sequence that fills a machine word is aligned");
    ok(agrees((voice_ids_t) { ids, 128 }, (voice_ids_t) { ids, 128 }),
       "a sequence that fills two machine words is aligned");
    ok(agrees((voice_ids_t) { ids, 130 }, (voice_ids_t) { other, 130 }),
       "sequences without a common element are aligned");
    ok(agrees((voice_ids_t) { ids, 65 }, (voice_ids_t) { ids + 1, 64 }),
       "a shifted sequence is aligned");

    /* 4/3/3 has two deletions and two insertions cheaper than four others */
    ok(voice_edit_align((voice_ids_t) { (uint32_t[]) { 1, 2, 3, 4 }, 4 },
                        (voice_ids_t) { (uint32_t[]) { 3, 4, 1, 2 }, 4 },
                        &got) == VOICE_OK
       && got.substitutions == 0 && got.deletions == 2
       && got.insertions == 2 && got.distance == 4,
       "the alignment takes sclite's costs");
    voice_alignment_release(&got);
}


static void
test_long(void)
{
    size_t             distance;
    uint32_t          *one, *two, i;
    voice_ids_t        a, b;
    voice_alignment_t  got;

    one = malloc((VOICE_EDIT_MAX + 1) * sizeof(uint32_t));
    two = malloc((VOICE_EDIT_MAX + 1) * sizeof(uint32_t));

    if (one == NULL || two == NULL) {
        abort();
    }

    for (i = 0; i <= VOICE_EDIT_MAX; i++) {
        one[i] = i;
        two[i] = i % 10 == 5 ? VOICE_EDIT_MAX + i : i;
    }

    a = (voice_ids_t) { one, 10000 };
    b = (voice_ids_t) { two, 10000 };

    ok(voice_edit_align(a, b, &got) == VOICE_OK && got.substitutions == 1000
       && got.matches == 9000 && got.distance == 1000,
       "ten thousand elements are aligned");
    voice_alignment_release(&got);

    b = (voice_ids_t) { two, VOICE_EDIT_MAX + 1 };
    ok(voice_edit_align(a, b, &got) == VOICE_LIMIT
       && voice_edit_distance(b, a, &distance) == VOICE_LIMIT,
       "a sequence over the limit is refused");

    free(one);
    free(two);
}


int
main(void)
{
    test_random(2000, 12, 2);
    test_random(2000, 12, 6);
    test_random(60, LONGEST, 1);
    test_random(60, LONGEST, 3);
    test_random(60, LONGEST, 40);
    test_random(60, LONGEST, 100000);
    test_edges();
    test_long();

    is(voice_edit_name(VOICE_EDIT_DELETE), "delete", "edits have names");

    return done_testing();
}
