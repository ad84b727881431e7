
/*
 * The jobs that a child holds, in memory that it shares with the supervisor:
 * which of them wait, which one runs, which have ended and not been told of.
 * A job that waits may be taken out by either of them, by one only; whoever
 * did gives it back to SQL.
 */

#ifndef WORKER_HELD_H
#define WORKER_HELD_H


#include <stdatomic.h>
#include <stdint.h>


#define WORKER_HELD_MAX  100           /* jobs of a child */


typedef enum {
    WORKER_HELD_NONE = 0,              /* no job, or one that is told of */
    WORKER_HELD_WAITS,                 /* claimed, not begun */
    WORKER_HELD_RUNS,
    WORKER_HELD_ENDED,                 /* has a result that SQL has not */
    WORKER_HELD_RETURNED               /* taken out before it was begun */
} worker_held_e;


/*
 * Written by the child, except for what the functions below say.  A place is
 * used for one job after another; its generation tells them apart.
 */
typedef struct {
    char         job_id[40];
    int64_t      token;
    atomic_uint  state;                /* generation, worker_held_e */
    atomic_uint  cancel;               /* generation of a job to be ended */
} worker_held_t;


/* What the supervisor has read of a place. */
typedef struct {
    char           job_id[40];
    int64_t        token;
    worker_held_e  state;
    unsigned       word;               /* private */
} worker_held_copy_t;


/* By the child: a job that waits from now on. */
void worker_held_fill(worker_held_t *held, const char *job_id,
    int64_t token);
/* Waits to runs; 0: it was returned before. */
int worker_held_begin(worker_held_t *held);
/* Waits to returned; 0: the supervisor did so before. */
int worker_held_withdraw(worker_held_t *held);
/* Whatever it was: to ended, or to none. */
void worker_held_set(worker_held_t *held, worker_held_e state);
int worker_held_cancelled(const worker_held_t *held);
/* As if the supervisor had asked for it. */
void worker_held_cancel_own(worker_held_t *held);

/* By the supervisor; WORKER_HELD_NONE while the child writes. */
worker_held_e worker_held_read(const worker_held_t *held,
    worker_held_copy_t *copy);
/* Waits to returned; 0: it is another one, or has begun meanwhile. */
int worker_held_return(worker_held_t *held, const worker_held_copy_t *copy);
/* Asks the job that was read to end. */
void worker_held_cancel(worker_held_t *held, const worker_held_copy_t *copy);


#endif /* WORKER_HELD_H */
