
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


static void entry_watch(worker_children_t *children, worker_entry_t *e,
    int64_t now);
static void entry_watch_stop(worker_children_t *children, worker_entry_t *e,
    const worker_report_t *report, int64_t now);
static int queues_run(const worker_children_t *children);
static void entry_leave(worker_entry_t *e);
static void roll(worker_children_t *children);


void
worker_children_watch(worker_children_t *children)
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
            entry_watch(children, e, now);

        } else if (!e->wanted) {
            memset(e, 0, sizeof(worker_entry_t));

        } else if (now >= e->start_at) {
            worker_entry_start(children, e);
        }
    }

    roll(children);
}


int
worker_entry_report(const worker_children_t *children, const worker_entry_t *e,
    worker_report_t *report)
{
    return e->pid != 0
           && worker_slot_read(&children->slots[e - children->entries],
                               report)
           && report->state != WORKER_SLOT_IDLE;
}


int64_t
worker_entry_limit(const worker_report_t *report)
{
    return report->state == WORKER_SLOT_FINISHING ? report->lease_ms
                                                  : report->hard_ms;
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
entry_watch(worker_children_t *children, worker_entry_t *e, int64_t now)
{
    int              known;
    int64_t          alive, silent;
    worker_report_t  report;

    known = worker_entry_report(children, e, &report);

    if (known && now >= worker_entry_limit(&report)) {
        worker_entry_kill(e, "job %s passed its hard limit", report.job_id);
        e->overdue = 1;
        return;
    }

    entry_watch_stop(children, e, known ? &report : NULL, now);

    if (known) {
        return;
    }

    if (e->stopped_ms != 0 && now - e->stopped_ms >= CHILDREN_STOPPED_MS) {
        worker_entry_kill(e, "it is stopped");
        return;
    }

    /* a statement of its own may take that long */
    silent = CHILDREN_SILENT_MS + children->settings->postgres_statement_ms;
    alive = atomic_load(&children->slots[e - children->entries].alive_ms);

    if (alive != 0 && now - alive >= silent) {
        worker_entry_kill(e, "it shows no sign of life");

    } else if (e->leave_ms != 0 && now - e->leave_ms >= CHILDREN_LEAVE_MS
               && now - alive >= CHILDREN_LEAVE_MS)
    {
        worker_entry_kill(e, "it did not leave");
    }
}


/* The graceful end of the pool: a job may need the children of no queue. */
static void
entry_watch_stop(worker_children_t *children, worker_entry_t *e,
    const worker_report_t *report, int64_t now)
{
    if (children->until_ms == 0 || e->wanted) {
        return;
    }

    entry_leave(e);

    if (now < children->until_ms) {
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

        if (e->leave_ms != 0) {
            return;
        }

        if (e->stale && e->pid != 0 && next == NULL) {
            next = e;
        }
    }

    if (next != NULL) {
        entry_leave(next);
    }
}
