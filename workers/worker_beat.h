
/*
 * The heartbeat: a PostgreSQL connection of the supervisor that never blocks
 * it.  It registers the pool, extends the leases of the jobs whose children
 * live, hears which jobs the pool has lost, and gives back at once the jobs
 * of children that died.
 */

#ifndef WORKER_BEAT_H
#define WORKER_BEAT_H


#include "worker_child.h"


typedef struct worker_beat_s  worker_beat_t;


/* The pool no longer holds this job: its child is to be killed. */
typedef void (*worker_beat_lost_pt)(void *data, const char *job_id);

/* Adds one running job to the beat that is being made. */
void worker_beat_add(worker_beat_t *beat, const char *job_id, int64_t token);
/* Called for each beat: adds what runs now. */
typedef void (*worker_beat_collect_pt)(void *data, worker_beat_t *beat);


/* Connects at the first step.  NULL: out of memory. */
worker_beat_t *worker_beat_create(const worker_settings_t *settings,
    worker_beat_collect_pt collect, worker_beat_lost_pt lost, void *data);
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
void worker_beat_end(worker_beat_t *beat, const worker_report_t *report,
    worker_end_e end, const char *error);
/* Are there jobs that it has not told of? */
int worker_beat_pending(const worker_beat_t *beat);

/* For poll(): the socket or -1, and the events to wait for. */
int worker_beat_socket(const worker_beat_t *beat, short *events);
/* Does what can be done now. */
void worker_beat_step(worker_beat_t *beat);


#endif /* WORKER_BEAT_H */
