
/*
 * The children of the supervisor: which there should be, which there are,
 * and what they are doing.  No call here waits.
 */

#ifndef WORKER_CHILDREN_H
#define WORKER_CHILDREN_H


#include "worker_beat.h"
#include "worker_child.h"


typedef struct worker_children_s  worker_children_t;


/* What the supervisor does in the forked process before all else. */
typedef void (*worker_forked_pt)(void *data);


/* No child is started yet.  NULL: out of memory. */
worker_children_t *worker_children_create(worker_forked_pt forked,
    void *data);
void worker_children_destroy(worker_children_t *children);

/*
 * What there should be from now on: adds children that are missing, has
 * those that are not wanted leave, and has the others replaced one after
 * another.  settings are borrowed until the next call; listen_fd is the
 * agent's.
 */
void worker_children_settings(worker_children_t *children,
    const worker_settings_t *settings, int listen_fd);

/*
 * Starts what is due, replaces what is old, kills what passed a limit, shows
 * no sign of life or runs without a lease; gives back jobs that would wait
 * behind a long one.
 */
void worker_children_watch(worker_children_t *children, worker_beat_t *beat);
/* Measures the machine and the pool, once a second. */
void worker_children_measure(worker_children_t *children);
/* Collects those that ended; their jobs are given to the beat. */
void worker_children_reap(worker_children_t *children, worker_beat_t *beat);

/*
 * The graceful end: first those of the queues, whose jobs may need the
 * others.  Those that still run at until_ms are killed.  May be called
 * again with an earlier time.
 */
void worker_children_stop(worker_children_t *children, int64_t until_ms);
/* How many processes there are. */
unsigned worker_children_count(const worker_children_t *children);

/* Passes a signal on to all. */
void worker_children_signal(worker_children_t *children, int number);
/* Adds what is held within its limits to a beat (worker_beat_collect_pt). */
void worker_children_collect(void *data, worker_beat_t *beat);
/* How many children a queue should have, within its settings. */
void worker_children_scale(worker_children_t *children, const char *name,
    int target);
/* Does what SQL asks for (worker_beat_told_pt). */
void worker_children_told(void *data, const worker_told_t *told);


#endif /* WORKER_CHILDREN_H */
