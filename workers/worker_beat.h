
/*
 * The heartbeat: a PostgreSQL connection of the supervisor that never blocks
 * it.  It registers the pool, extends the leases of the jobs whose children
 * live, hears which jobs the pool has lost, and gives back at once the jobs
 * of children that died.
 */

#ifndef WORKER_BEAT_H
#define WORKER_BEAT_H


#include "worker_settings.h"


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

/* A job whose child died: work.fail is called as soon as possible. */
void worker_beat_fail(worker_beat_t *beat, const char *job_id, int64_t token,
    const char *error);
/* Are there jobs to give back? */
int worker_beat_pending(const worker_beat_t *beat);

/* For poll(): the socket or -1, and the events to wait for. */
int worker_beat_socket(const worker_beat_t *beat, short *events);
/* Does what can be done now. */
void worker_beat_step(worker_beat_t *beat);


#endif /* WORKER_BEAT_H */
