
/*
 * What a child process knows of itself, and how it tells the supervisor what
 * it is doing: a slot in memory that both share.
 */

#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H


#include <stdatomic.h>
#include <sys/types.h>

#include "worker_held.h"
#include "worker_load.h"
#include "worker_settings.h"
#include "worker_supervisor.h"


typedef enum {
    WORKER_SLOT_IDLE = 0,
    WORKER_SLOT_BUSY,                  /* runs a job */
    WORKER_SLOT_FINISHING              /* has results, tells SQL */
} worker_slot_e;


/* All times by worker_now_ms(). */
typedef struct {
    int64_t   taken_ms;                /* when its jobs were claimed */
    int64_t   since_ms;                /* the state */
    int64_t   limit_ms;                /* killed then: the hard limit of the
                                          job, or the end of the claim */
    unsigned  place;                   /* of the job that runs */
    int       state;                   /* worker_slot_e */
} worker_report_t;


/*
 * Written by the child, read by the supervisor; odd sequence: being written.
 * A child that dies while it writes leaves it odd: then nothing is known.
 */
typedef struct {
    atomic_uint      sequence;
    atomic_llong     alive_ms;         /* last sign of life between jobs; 0:
                                          none is expected */
    atomic_int       cpu;              /* percent of all processors, by the
                                          supervisor */
    worker_report_t  report;
    worker_held_t    held[WORKER_HELD_MAX];
} worker_slot_t;


/* What the supervisor hands to a child. */
typedef struct {
    const worker_settings_t  *settings;
    const char               *queue;   /* NULL: no queue child */
    const char               *name;    /* "test_execution.1", "keeper" */
    int                       number;  /* no other process of this worker
                                          has it */
    worker_main_pt            main;
    worker_slot_t            *slot;
    const worker_load_t      *load;
    int                       listen_fd;       /* of the agent; or -1 */
    pid_t                     parent;
} worker_child_t;


/* Runs in the forked process; never returns. */
void worker_child_run(const worker_child_t *child)
    __attribute__((noreturn));

/* Reads a slot from the supervisor's side; 0: it is being written. */
int worker_slot_read(worker_slot_t *slot, worker_report_t *report);
void worker_slot_clear(worker_slot_t *slot);

/* For the child itself: its queue, its name, its shared memory. */
const char *worker_child_queue(void);
const char *worker_child_name(void);
int worker_child_number(void);
worker_slot_t *worker_child_slot(void);
const worker_load_t *worker_child_load(void);

/*
 * The listening socket of the built-in agent.  The supervisor opens it, so
 * that callers wait in its backlog while the agent is started anew; -1: off.
 */
int worker_child_listen_fd(void);

/* A sign of life between jobs; a child that gave one must go on doing so. */
void worker_child_alive(void);
void worker_child_report(const worker_report_t *report);

/* The job that runs now, for waits that know of none; NULL: none. */
void worker_child_job(const worker_job_t *job);
/* Was it cancelled? */
int worker_child_cancelled(void);

/* Sleeps, not past a request to end; gives signs of life. */
void worker_child_sleep(int ms);


#endif /* WORKER_CHILD_H */
