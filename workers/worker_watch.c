
/*
 * What the supervisor does about its children as time goes by: starts what
 * is due, kills what is over a limit, replaces what is old.
 */

#include <signal.h>
#include <stdarg.h>

#include "worker_children_private.h"
#include "worker_clock.h"
#include "worker_log.h"


#define CHILDREN_STOPPED_MS   10000    /* SIGSTOP without a job */
#define CHILDREN_SILENT_MS    30000    /* idle, no sign of life */
#define CHILDREN_LEAVE_MS     10000    /* one without a job, asked to end */
#define CHILDREN_STOP_MS      1000     /* the same when the grace is over */
#define CHILDREN_HOLD_MS      1000     /* jobs wait so long behind another */
#define CHILDREN_MEASURE_MS   1000


static void entry_watch(worker_children_t *children, worker_entry_t *e,
    worker_beat_t *beat);
static void entry_watch_idle(worker_children_t *children, worker_entry_t *e,
    int64_t now);
static void entry_watch_stop(worker_children_t *children, worker_entry_t *e,
    const worker_report_t *report, int64_t now);
static int queues_run(const worker_children_t *children);
static void entry_leave(worker_entry_t *e);
static void roll(worker_children_t *children);


void
worker_children_watch(worker_children_t *children, worker_beat_t *beat)
{
    int64_t          now;
    unsigned         i;
    worker_entry_t  *e;

    now = worker_now_ms();

    if (children->until_ms != 0 && !queues_run(children)) {
        for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
            children->entries[i].wanted = 0;
        }
    }

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        e = &children->entries[i];

        if (!e->used) {
            continue;
        }

        if (e->pid != 0) {
            entry_watch(children, e, beat);

        } else if (!e->wanted) {
            memset(e, 0, sizeof(worker_entry_t));

        } else if (now >= e->start_at) {
            worker_entry_start(children, e);
        }
    }

    roll(children);
}


void
worker_children_measure(worker_children_t *children)
{
    int              cpu;
    int64_t          now, memory_kb;
    unsigned         i;
    worker_slot_t   *slot;
    worker_entry_t  *e;

    now = worker_now_ms();

    if (now - children->measured_ms < CHILDREN_MEASURE_MS
        || (children->settings->guard_cpu == 0
            && children->settings->guard_memory_mb == 0))
    {
        return;
    }

    children->measured_ms = now;
    memory_kb = worker_load_memory_kb(children->self);

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        e = &children->entries[i];

        if (e->pid == 0) {
            continue;
        }

        slot = worker_entry_slot(children, e);
        memory_kb += worker_load_memory_kb(e->pid);
        cpu = worker_load_process(e->pid, &e->usage);
        atomic_store(&slot->cpu, cpu < 0 ? 0 : cpu);
    }

    cpu = worker_load_cpu(&children->machine);
    atomic_store(&children->shared->load.cpu, cpu < 0 ? 0 : cpu);
    atomic_store(&children->shared->load.memory_mb, (int) (memory_kb >> 10));
}


void
worker_entry_kill(worker_entry_t *e, const char *format, ...)
{
    va_list  args;

    if (e->why[0] != '\0') {
        return;
    }

    va_start(args, format);
    vsnprintf(e->why, sizeof(e->why), format, args);
    va_end(args);

    worker_log(WORKER_LOG_WARN, "child \"%s\" (%d) is killed: %s", e->name,
               (int) e->pid, e->why);
    kill(e->pid, SIGKILL);
}


static void
entry_watch(worker_children_t *children, worker_entry_t *e,
    worker_beat_t *beat)
{
    int              known;
    int64_t          now;
    worker_report_t  report;

    now = worker_now_ms();
    worker_entry_lease(children, e, beat);
    known = worker_entry_report(children, e, &report);

    if (known && now >= report.limit_ms) {
        worker_entry_kill(e, "job %s passed its hard limit",
                          worker_entry_slot(children, e)
                              ->held[report.place].job_id);
        e->overdue = report.state == WORKER_SLOT_BUSY;
        return;
    }

    if (known && now - report.since_ms >= CHILDREN_HOLD_MS) {
        worker_entry_return(children, e, beat);
    }

    entry_watch_stop(children, e, known ? &report : NULL, now);

    if (!known) {
        entry_watch_idle(children, e, now);
    }
}


static void
entry_watch_idle(worker_children_t *children, worker_entry_t *e, int64_t now)
{
    int64_t                   alive, silent;
    const worker_settings_t  *settings;

    settings = children->settings;

    if (e->stopped_ms != 0 && now - e->stopped_ms >= CHILDREN_STOPPED_MS) {
        worker_entry_kill(e, "it is stopped");
        return;
    }

    /* it may wait that long for servers: to connect, log in and ask */
    silent = CHILDREN_SILENT_MS + settings->postgres_statement_ms
             + (int64_t) settings->postgres_connect_seconds * 1000
             + (int64_t) settings->redis_timeout_ms * 3;
    alive = atomic_load(&worker_entry_slot(children, e)->alive_ms);

    if (alive != 0 && now - alive >= silent) {
        worker_entry_kill(e, "it shows no sign of life");

    } else if (e->leave_ms != 0 && now - e->leave_ms >= CHILDREN_LEAVE_MS
               && now - alive >= CHILDREN_LEAVE_MS)
    {
        worker_entry_kill(e, "it did not leave");
    }
}


/*
 * One that is not wanted leaves, however many at once.  At the end of the
 * pool those that are not of a queue stay, for a job may need them.
 */
static void
entry_watch_stop(worker_children_t *children, worker_entry_t *e,
    const worker_report_t *report, int64_t now)
{
    if (e->wanted) {
        return;
    }

    entry_leave(e);

    if (children->until_ms == 0 || now < children->until_ms) {
        return;
    }

    if (report != NULL) {
        worker_entry_kill(e, "the pool stops, its time is over");

    } else if (now - e->leave_ms >= CHILDREN_STOP_MS) {
        worker_entry_kill(e, "the pool stops");
    }
}


static int
queues_run(const worker_children_t *children)
{
    unsigned               i;
    const worker_entry_t  *e;

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        e = &children->entries[i];

        if (e->pid != 0 && e->queue[0] != '\0') {
            return 1;
        }
    }

    return 0;
}


static void
entry_leave(worker_entry_t *e)
{
    if (e->leave_ms == 0) {
        e->leave_ms = worker_now_ms();
        kill(e->pid, SIGTERM);
    }
}


/* Has at most one child leave at a time, so that the others go on. */
static void
roll(worker_children_t *children)
{
    unsigned         i;
    worker_entry_t  *e, *next;

    next = NULL;

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        e = &children->entries[i];

        if (e->leave_ms != 0 && e->wanted) {
            return;
        }

        if (e->stale && e->wanted && e->pid != 0 && next == NULL) {
            next = e;
        }
    }

    if (next != NULL) {
        entry_leave(next);
    }
}
