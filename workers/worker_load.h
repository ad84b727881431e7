
/*
 * How busy the machine is and how much memory the pool has: measured by the
 * supervisor, read by its children before a heavy job.
 */

#ifndef WORKER_LOAD_H
#define WORKER_LOAD_H


#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>


/* Shared; of the last second. */
typedef struct {
    atomic_int  cpu;                   /* percent of all processors */
    atomic_int  memory_mb;             /* of the pool's own pages */
} worker_load_t;


/* What a process had used when it was looked at; 0 at first. */
typedef struct {
    uint64_t  ticks;
    int64_t   at_ms;
} worker_usage_t;

/* The same of the machine. */
typedef struct {
    uint64_t  busy;
    uint64_t  total;                   /* ticks of all processors */
} worker_machine_t;


/*
 * Percent of all processors that were busy since the last look; -1 at the
 * first, or where /proc does not say.
 */
int worker_load_cpu(worker_machine_t *machine);
/* The same of one process. */
int worker_load_process(pid_t pid, worker_usage_t *usage);
/* Kilobytes that a process shares with no other; 0: not known. */
int64_t worker_load_memory_kb(pid_t pid);


#endif /* WORKER_LOAD_H */
