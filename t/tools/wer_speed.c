
/*
 * Times the bit-parallel word distance against the classic table on a random
 * pair of texts; prints the microseconds of both.  Exits 1 if they disagree.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "voice_edit.h"


#define VOCABULARY  2000
#define WORDS_MAX   20000


static void fill(uint32_t *ids, size_t count, unsigned *seed);
static void disturb(uint32_t *ids, size_t count, unsigned *seed);
static size_t classic(voice_ids_t a, voice_ids_t b);
static double now_us(void);


int
main(int argc, char **argv)
{
    size_t       count, ours, theirs, rounds, i;
    double       start, fast, slow;
    unsigned     seed;
    uint32_t    *ids;
    voice_ids_t  reference, hypothesis;

    if (argc != 3) {
        fprintf(stderr, "usage: wer_speed WORDS SEED\n");
        return 2;
    }

    count = strtoul(argv[1], NULL, 10);
    seed = (unsigned) strtoul(argv[2], NULL, 10);
    if (count == 0 || count > WORDS_MAX) {
        return 2;
    }

    ids = malloc(2 * count * sizeof(uint32_t));
    if (ids == NULL) {
        return 2;
    }

    fill(ids, count, &seed);
    memcpy(ids + count, ids, count * sizeof(uint32_t));
    disturb(ids + count, count, &seed);

    reference = (voice_ids_t) { ids, count };
    hypothesis = (voice_ids_t) { ids + count, count };
    rounds = 1 + 2000000 / (count * count);

    start = now_us();
    for (i = 0; i < rounds; i++) {
        if (voice_edit_distance(reference, hypothesis, &ours) != VOICE_OK) {
            return 2;
        }
    }
    fast = (now_us() - start) / (double) rounds;

    start = now_us();
    theirs = 0;
    for (i = 0; i < rounds; i++) {
        theirs = classic(reference, hypothesis);
    }
    slow = (now_us() - start) / (double) rounds;

    printf("%.3f %.3f\n", fast, slow);
    free(ids);

    return ours == theirs ? 0 : 1;
}


static void
fill(uint32_t *ids, size_t count, unsigned *seed)
{
    size_t  i;

    for (i = 0; i < count; i++) {
        ids[i] = (uint32_t) rand_r(seed) % VOCABULARY;
    }
}


/* One word in ten is another. */

static void
disturb(uint32_t *ids, size_t count, unsigned *seed)
{
    size_t  i;

    for (i = 0; i < count; i++) {
        if (rand_r(seed) % 10 == 0) {
            ids[i] = (uint32_t) rand_r(seed) % VOCABULARY;
        }
    }
}


/* Wagner and Fischer, one row kept. */

static size_t
classic(voice_ids_t a, voice_ids_t b)
{
    size_t   i, j, left, diagonal, best;
    size_t  *row;

    row = malloc((b.count + 1) * sizeof(size_t));
    if (row == NULL) {
        return 0;
    }

    for (j = 0; j <= b.count; j++) {
        row[j] = j;
    }

    for (i = 1; i <= a.count; i++) {
        diagonal = row[0];
        row[0] = i;
        left = i;

        for (j = 1; j <= b.count; j++) {
            best = diagonal + (a.ids[i - 1] != b.ids[j - 1]);
            best = best < row[j] + 1 ? best : row[j] + 1;
            best = best < left + 1 ? best : left + 1;
            diagonal = row[j];
            row[j] = best;
            left = best;
        }
    }

    best = row[b.count];
    free(row);

    return best;
}


static double
now_us(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (double) now.tv_sec * 1e6 + (double) now.tv_nsec / 1e3;
}
