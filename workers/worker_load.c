
/*
 * Figures of the machine and of processes out of /proc (proc(5)).
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker_clock.h"
#include "worker_load.h"


#define LOAD_TEXT  1024


static int load_read(const char *path, char text[LOAD_TEXT]);


int
worker_load_cpu(worker_machine_t *machine)
{
    char              text[LOAD_TEXT];
    uint64_t          user, nice, system, idle, wait, irq, soft, steal;
    worker_machine_t  last;

    last = *machine;

    if (!load_read("/proc/stat", text)
        || sscanf(text, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                  " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &user,
                  &nice, &system, &idle, &wait, &irq, &soft, &steal)
           != 8)
    {
        return -1;
    }

    machine->busy = user + nice + system + irq + soft + steal;
    machine->total = machine->busy + idle + wait;

    /* the time that waited for a disk is known to go backwards */
    if (last.total == 0 || machine->total <= last.total
        || machine->busy < last.busy)
    {
        return -1;
    }

    return (int) ((machine->busy - last.busy) * 100
                  / (machine->total - last.total));
}


int
worker_load_process(pid_t pid, worker_usage_t *usage)
{
    char             path[40], text[LOAD_TEXT];
    long             rate;
    int64_t          now;
    uint64_t         user, system;
    const char      *rest;
    worker_usage_t   last;

    last = *usage;
    now = worker_now_ms();
    snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);

    if (!load_read(path, text)) {
        return -1;
    }

    /* the name may hold anything, also brackets */
    rest = strrchr(text, ')');

    if (rest == NULL
        || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
                  " %" SCNu64 " %" SCNu64, &user, &system)
           != 2)
    {
        return -1;
    }

    usage->ticks = user + system;
    usage->at_ms = now;

    if (last.at_ms == 0 || now <= last.at_ms || usage->ticks < last.ticks) {
        return -1;
    }

    rate = sysconf(_SC_CLK_TCK) * sysconf(_SC_NPROCESSORS_ONLN);

    return rate <= 0 ? -1
           : (int) ((usage->ticks - last.ticks) * 100 * 1000
                    / ((uint64_t) rate * (uint64_t) (now - last.at_ms)));
}


int64_t
worker_load_memory_kb(pid_t pid)
{
    char     path[40], text[LOAD_TEXT];
    int64_t  resident, shared;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int) pid);

    if (!load_read(path, text)
        || sscanf(text, "%*d %" SCNd64 " %" SCNd64, &resident, &shared) != 2)
    {
        return 0;
    }

    return (resident - shared) * (sysconf(_SC_PAGESIZE) / 1024);
}


/* The beginning of a file as text; 0: there is none. */
static int
load_read(const char *path, char text[LOAD_TEXT])
{
    FILE    *in;
    size_t   len;

    in = fopen(path, "re");
    if (in == NULL) {
        return 0;
    }

    len = fread(text, 1, LOAD_TEXT - 1, in);
    text[len] = '\0';
    fclose(in);

    return len > 0;
}
