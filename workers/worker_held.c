
/*
 * Places of held jobs: a word of state for each, changed by compare and swap.
 */

#include <string.h>

#include "worker_held.h"


#define HELD_BITS  3                   /* of the state; then the generation */
#define HELD_MASK  ((1u << HELD_BITS) - 1)


static unsigned held_word(const worker_held_t *held);
static int held_move(worker_held_t *held, unsigned word, worker_held_e from,
    worker_held_e to);


void
worker_held_fill(worker_held_t *held, const char *job_id, int64_t token)
{
    size_t    len;
    unsigned  word;

    /* a reader that copies meanwhile sees another generation at its end */
    word = (held_word(held) & ~HELD_MASK) + (1u << HELD_BITS);
    atomic_store_explicit(&held->state, word | WORKER_HELD_NONE,
                          memory_order_relaxed);
    atomic_thread_fence(memory_order_release);

    len = strnlen(job_id, sizeof(held->job_id) - 1);
    memcpy(held->job_id, job_id, len);
    held->job_id[len] = '\0';
    held->token = token;

    atomic_store_explicit(&held->state, word | WORKER_HELD_WAITS,
                          memory_order_release);
}


int
worker_held_begin(worker_held_t *held)
{
    return held_move(held, held_word(held), WORKER_HELD_WAITS,
                     WORKER_HELD_RUNS);
}


int
worker_held_withdraw(worker_held_t *held)
{
    return held_move(held, held_word(held), WORKER_HELD_WAITS,
                     WORKER_HELD_RETURNED);
}


void
worker_held_set(worker_held_t *held, worker_held_e state)
{
    atomic_store_explicit(&held->state,
                          (held_word(held) & ~HELD_MASK) | state,
                          memory_order_release);
}


int
worker_held_cancelled(const worker_held_t *held)
{
    unsigned  generation;

    generation = held_word(held) >> HELD_BITS;

    return atomic_load_explicit(&held->cancel, memory_order_relaxed)
           == generation;
}


void
worker_held_cancel_own(worker_held_t *held)
{
    atomic_store_explicit(&held->cancel, held_word(held) >> HELD_BITS,
                          memory_order_relaxed);
}


worker_held_e
worker_held_read(const worker_held_t *held, worker_held_copy_t *copy)
{
    unsigned  after;

    copy->word = atomic_load_explicit(&held->state, memory_order_acquire);
    copy->state = (worker_held_e) (copy->word & HELD_MASK);

    if (copy->state == WORKER_HELD_NONE) {
        return WORKER_HELD_NONE;
    }

    memcpy(copy->job_id, held->job_id, sizeof(copy->job_id));
    copy->token = held->token;

    atomic_thread_fence(memory_order_acquire);
    after = atomic_load_explicit(&held->state, memory_order_relaxed);

    if (after >> HELD_BITS != copy->word >> HELD_BITS) {
        copy->state = WORKER_HELD_NONE;
    }

    return copy->state;
}


int
worker_held_return(worker_held_t *held, const worker_held_copy_t *copy)
{
    return held_move(held, copy->word, WORKER_HELD_WAITS,
                     WORKER_HELD_RETURNED);
}


void
worker_held_cancel(worker_held_t *held, const worker_held_copy_t *copy)
{
    atomic_store_explicit(&held->cancel, copy->word >> HELD_BITS,
                          memory_order_relaxed);
}


static unsigned
held_word(const worker_held_t *held)
{
    return atomic_load_explicit(&held->state, memory_order_relaxed);
}


/* 0: it was not in that state, or is not the word that the caller knows. */
static int
held_move(worker_held_t *held, unsigned word, worker_held_e from,
    worker_held_e to)
{
    if ((word & HELD_MASK) != (unsigned) from) {
        return 0;
    }

    return atomic_compare_exchange_strong(&held->state, &word,
                                          (word & ~HELD_MASK) | to);
}
