
/*
 * The heartbeat: a PostgreSQL connection of the supervisor that never blocks
 * it.  It registers the pool, extends the leases of the jobs whose children
 * live, hears what SQL wants of the pool (of cancelled jobs at once), and
 * gives back at once the jobs of children that died or that will not come to
 * them.
 */

#ifndef WORKER_BEAT_H
#define WORKER_BEAT_H


#include "worker_child.h"


typedef struct worker_beat_s  worker_beat_t;


/* What SQL answers to a beat. */
typedef enum {
    WORKER_TOLD_CANCEL = 0,            /* the job should end by itself */
    WORKER_TOLD_LOST,                  /* the pool holds it no longer */
    WORKER_TOLD_SCALE,                 /* so many children for the queue */
    WORKER_TOLD_COUNT
} worker_told_e;

typedef struct {
    worker_told_e  what;
    const char    *job_id;             /* "" for a queue */
    const char    *queue;              /* "" for a job */
    int            target;
    int64_t        asked_ms;           /* when the beat was sent */
} worker_told_t;

typedef void (*worker_beat_told_pt)(void *data, const worker_told_t *told);

/* Add to the beat that is being made. */
void worker_beat_job(worker_beat_t *beat, const worker_held_copy_t *job);
void worker_beat_queue(worker_beat_t *beat, const char *name, int children);
/* Called for each beat: adds what there is now. */
typedef void (*worker_beat_collect_pt)(void *data, worker_beat_t *beat);


/* Connects at the first step.  NULL: out of memory. */
worker_beat_t *worker_beat_create(const worker_settings_t *settings,
    worker_beat_collect_pt collect, worker_beat_told_pt told, void *data);
void worker_beat_destroy(worker_beat_t *beat);
/* In a forked child: lets go of the socket without a word to the server. */
void worker_beat_leave(const worker_beat_t *beat);

/* Other settings from now on; connects again. */
void worker_beat_settings(worker_beat_t *beat,
    const worker_settings_t *settings);

typedef enum {
    WORKER_END_FAIL = 0,               /* work.fail: an attempt is used up */
    WORKER_END_RELEASE                 /* work.release: not its fault */
} worker_end_e;

/* Tells SQL, as soon as possible, of a job whose child died. */
void worker_beat_end(worker_beat_t *beat, const worker_held_copy_t *job,
    worker_end_e end, const char *error);
/* The same of one that was not begun: as if it had never been claimed. */
void worker_beat_return(worker_beat_t *beat, const worker_held_copy_t *job);
/*
 * A child is gone: whatever it still holds is released, after what is told of
 * single jobs.
 */
void worker_beat_gone(worker_beat_t *beat, int number);
/* Its last word, when all else is told: the pool is offline at once. */
void worker_beat_stop(worker_beat_t *beat);
/* Is there anything that it has not told? */
int worker_beat_pending(const worker_beat_t *beat);

/* When the last beat that SQL answered was sent; 0: none was. */
int64_t worker_beat_good(const worker_beat_t *beat);

/* For poll(): the socket or -1, and the events to wait for. */
int worker_beat_socket(const worker_beat_t *beat, short *events);
/* The next beat is due, for what it has to say. */
void worker_beat_soon(worker_beat_t *beat);
/* Does what can be done now. */
void worker_beat_step(worker_beat_t *beat);


#endif /* WORKER_BEAT_H */
