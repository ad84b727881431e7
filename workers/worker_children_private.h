
/*
 * The table of children as its files see it: worker_children.c keeps it,
 * worker_watch.c watches it, worker_holdings.c knows what jobs they hold.
 */

#ifndef WORKER_CHILDREN_PRIVATE_H
#define WORKER_CHILDREN_PRIVATE_H


#include <sys/types.h>

#include "worker_children.h"


typedef struct {
    char           name[64];
    char           queue[40];          /* "" : no queue */
    worker_main_pt main;
    pid_t          pid;                /* 0: no process */
    int            number;             /* of the process */
    int64_t        start_at;           /* no process: start then */
    int64_t        started_ms;
    int64_t        stopped_ms;         /* SIGSTOP was seen; 0 */
    int64_t        leave_ms;           /* TERM was sent; 0 */
    int            backoff_ms;
    char           why[96];            /* we killed it; "" */
    worker_usage_t usage;              /* of processors, for the guard */
    unsigned       used:1;
    unsigned       wanted:1;
    unsigned       stale:1;            /* runs with old settings */
    unsigned       overdue:1;          /* killed at the limit of its job */
    unsigned       lost:1;             /* killed because its job was lost or
                                          cancelled: nobody's fault */
} worker_entry_t;


/* What the children and the supervisor share. */
typedef struct {
    worker_load_t  load;
    worker_slot_t  slots[WORKER_CHILDREN_MAX]; /* one an entry */
} worker_shared_t;


struct worker_children_s {
    worker_entry_t                   entries[WORKER_CHILDREN_MAX];
    worker_shared_t          *shared;
    const worker_settings_t  *settings;
    int                       targets[WORKER_QUEUES_MAX];      /* children of
                                          each queue of the settings */
    worker_machine_t          machine;
    int64_t                   measured_ms;
    int                       born;            /* number of the last
                                                  process */
    int                       listen_fd;
    worker_forked_pt          forked;
    void                     *data;
    int64_t                   until_ms;        /* stopping; 0: no */
    pid_t                     self;            /* the supervisor */
};


/* Starts a process for an entry that has none. */
void worker_entry_start(worker_children_t *children, worker_entry_t *e);

worker_slot_t *worker_entry_slot(const worker_children_t *children,
    const worker_entry_t *e);
/* What a child does; 0: it is idle, or that is not known. */
int worker_entry_report(const worker_children_t *children,
    const worker_entry_t *e, worker_report_t *report);

/* Takes out what a child will not come to soon. */
void worker_entry_return(const worker_children_t *children,
    const worker_entry_t *e, worker_beat_t *beat);
/* Of a child that died: gives its jobs to the beat. */
void worker_entry_orphans(const worker_children_t *children,
    const worker_entry_t *e, worker_beat_t *beat);
/* Kills what runs without a lease. */
void worker_entry_lease(const worker_children_t *children,
    worker_entry_t *e, worker_beat_t *beat);

/* Kills once, and remembers why. */
void worker_entry_kill(worker_entry_t *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* WORKER_CHILDREN_PRIVATE_H */
