
/*
 * What jobs the children hold, from the supervisor's side: whose leases are
 * extended, which are taken out, who is asked to end.
 */

#include "worker_children_private.h"
#include "worker_clock.h"
#include "worker_log.h"


static worker_held_t *held_running(worker_slot_t *slot,
    worker_held_copy_t *copy);
static void told_job(worker_children_t *children, const worker_told_t *told);
static void told_child(worker_children_t *children, worker_entry_t *e,
    const worker_told_t *told);
static void child_lost(worker_children_t *children, worker_entry_t *e,
    worker_held_t *held, const worker_held_copy_t *copy);


worker_slot_t *
worker_entry_slot(const worker_children_t *children, const worker_entry_t *e)
{
    return &children->shared->slots[e - children->entries];
}


int
worker_entry_report(const worker_children_t *children,
    const worker_entry_t *e, worker_report_t *report)
{
    return e->pid != 0
           && worker_slot_read(worker_entry_slot(children, e), report)
           && report->state != WORKER_SLOT_IDLE;
}


void
worker_entry_return(const worker_children_t *children,
    const worker_entry_t *e, worker_beat_t *beat)
{
    unsigned             i;
    worker_slot_t       *slot;
    worker_held_copy_t   copy;

    slot = worker_entry_slot(children, e);

    for (i = 0; i < WORKER_HELD_MAX; i++) {
        if (worker_held_read(&slot->held[i], &copy) == WORKER_HELD_WAITS
            && worker_held_return(&slot->held[i], &copy))
        {
            worker_beat_return(beat, &copy);
        }
    }
}


/*
 * The job that ran is counted as lost, or failed at its limit.  Others of
 * the child are innocent, unless it died without running any: then it was
 * the end of one of them.
 */
void
worker_entry_orphans(const worker_children_t *children,
    const worker_entry_t *e, worker_beat_t *beat)
{
    int                  ran;
    unsigned             i;
    worker_slot_t       *slot;
    worker_held_e        state;
    worker_held_copy_t   copy;

    slot = worker_entry_slot(children, e);
    ran = held_running(slot, &copy) != NULL;

    for (i = 0; i < WORKER_HELD_MAX; i++) {
        state = worker_held_read(&slot->held[i], &copy);

        if (state == WORKER_HELD_WAITS || (state == WORKER_HELD_ENDED && ran))
        {
            worker_beat_return(beat, &copy);

        } else if (state == WORKER_HELD_RUNS || state == WORKER_HELD_ENDED) {
            worker_beat_end(beat, &copy, e->overdue ? WORKER_END_FAIL
                                                    : WORKER_END_RELEASE,
                            e->why[0] != '\0' ? e->why
                            : "the process of the job died");
        }
    }
}


void
worker_entry_lease(const worker_children_t *children, worker_entry_t *e,
    worker_beat_t *beat)
{
    int64_t              good;
    worker_report_t      report;
    worker_held_copy_t   copy;

    if (!worker_entry_report(children, e, &report)) {
        return;
    }

    good = worker_beat_good(beat);
    good = good < report.taken_ms ? report.taken_ms : good;

    if (worker_now_ms() - good < children->settings->lease_ms) {
        return;
    }

    worker_entry_return(children, e, beat);

    /* a result may be offered: SQL takes it if nobody else has the job */
    if (report.state == WORKER_SLOT_BUSY
        && held_running(worker_entry_slot(children, e), &copy) != NULL)
    {
        worker_entry_kill(e, "no beat was answered: the lease of job %s is "
                          "over", copy.job_id);
        e->lost = 1;
    }
}


void
worker_children_collect(void *data, worker_beat_t *beat)
{
    int64_t                   now;
    unsigned                  i, n;
    worker_slot_t            *slot;
    worker_report_t           report;
    worker_children_t        *children;
    worker_held_copy_t        copy;
    const worker_settings_t  *settings;

    children = data;
    settings = children->settings;
    now = worker_now_ms();

    /* of a pool that stops none takes a job any more */
    for (i = 0; i < settings->nqueues; i++) {
        worker_beat_queue(beat, settings->queues[i].name,
                          children->until_ms != 0 ? 0
                                                  : children->targets[i]);
    }

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        slot = &children->shared->slots[i];

        if (!worker_entry_report(children, &children->entries[i], &report)
            || now >= report.limit_ms)
        {
            continue;
        }

        for (n = 0; n < WORKER_HELD_MAX; n++) {
            switch (worker_held_read(&slot->held[n], &copy)) {

            case WORKER_HELD_WAITS:
            case WORKER_HELD_RUNS:
            case WORKER_HELD_ENDED:
                worker_beat_job(beat, &copy);
                break;

            default:
                break;
            }
        }
    }
}


void
worker_children_told(void *data, const worker_told_t *told)
{
    if (told->what == WORKER_TOLD_SCALE) {
        worker_children_scale(data, told->queue, told->target);

    } else {
        told_job(data, told);
    }
}


static void
told_job(worker_children_t *children, const worker_told_t *told)
{
    unsigned  i;

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        if (children->entries[i].pid != 0) {
            told_child(children, &children->entries[i], told);
        }
    }
}


static void
told_child(worker_children_t *children, worker_entry_t *e,
    const worker_told_t *told)
{
    unsigned             i;
    worker_held_t       *held;
    worker_report_t      report;
    worker_held_copy_t   copy;

    /* a job that was taken anew since is not the one that SQL speaks of */
    if (!worker_entry_report(children, e, &report)
        || report.taken_ms >= told->asked_ms)
    {
        return;
    }

    for (i = 0; i < WORKER_HELD_MAX; i++) {
        held = &worker_entry_slot(children, e)->held[i];

        if (worker_held_read(held, &copy) == WORKER_HELD_NONE
            || strcmp(copy.job_id, told->job_id) != 0)
        {
            continue;
        }

        if (told->what == WORKER_TOLD_CANCEL) {
            worker_held_cancel(held, &copy);

        } else {
            child_lost(children, e, held, &copy);
        }
    }
}


static void
child_lost(worker_children_t *children, worker_entry_t *e,
    worker_held_t *held, const worker_held_copy_t *copy)
{
    worker_report_t  report;

    /* not ours to give back */
    if (worker_held_return(held, copy)) {
        return;
    }

    /* one that is telling SQL the result will hear it from there */
    if (copy->state == WORKER_HELD_RUNS
        && worker_entry_report(children, e, &report)
        && report.state == WORKER_SLOT_BUSY)
    {
        worker_entry_kill(e, "job %s is %s", copy->job_id,
                          worker_held_cancelled(held) ? "cancelled" : "lost");
        e->lost = 1;
    }
}


/* The job that runs, NULL: none. */
static worker_held_t *
held_running(worker_slot_t *slot, worker_held_copy_t *copy)
{
    unsigned  i;

    for (i = 0; i < WORKER_HELD_MAX; i++) {
        if (worker_held_read(&slot->held[i], copy) == WORKER_HELD_RUNS) {
            return &slot->held[i];
        }
    }

    return NULL;
}
