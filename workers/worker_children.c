
/*
 * The table of children.  An entry keeps its place in the shared slots as
 * long as it is wanted, through any number of processes.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker_children_private.h"
#include "worker_clock.h"
#include "worker_log.h"


#define CHILDREN_BACKOFF_MIN  200
#define CHILDREN_BACKOFF_MAX  5000     /* jobs that kill their children must
                                          not keep a queue from others */
#define CHILDREN_STEADY_MS    10000    /* lived so long: no backoff */


/* Kinds of children beside those of the queues. */
typedef struct {
    const char     *name;
    worker_main_pt  main;
    int           (*wanted)(const worker_settings_t *settings);
} helper_t;


static int always(const worker_settings_t *settings);
static int relay_wanted(const worker_settings_t *settings);
static int agent_wanted(const worker_settings_t *settings);
static int target_of(const worker_children_t *children, const char *name);
static int clamped(const worker_queue_t *queue, int target);
static void want_all(worker_children_t *children);
static void want(worker_children_t *children, const char *name,
    const char *queue, worker_main_pt main);
static worker_entry_t *entry_find(worker_children_t *children,
    const char *name);
static void entry_run(worker_children_t *children, worker_entry_t *e);
static void entry_ended(worker_children_t *children, worker_entry_t *e,
    int status, worker_beat_t *beat);
static int entry_blameless(const worker_entry_t *e, int status);
static int entry_backoff(worker_entry_t *e, int64_t lived_ms);
static int left(int status);
static void entry_say(const worker_entry_t *e, int status);


/* Order matters at the end only: queues first, then all of these. */
static const helper_t  helpers[] = {
    { "keeper", keeper_main, always },
    { "relay", relay_main, relay_wanted },
    { "agent", agent_main, agent_wanted }
};


worker_children_t *
worker_children_create(worker_forked_pt forked, void *data)
{
    worker_children_t  *children;

    children = calloc(1, sizeof(worker_children_t));
    if (children == NULL) {
        return NULL;
    }

    children->shared = mmap(NULL, sizeof(worker_shared_t),
                            PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (children->shared == MAP_FAILED) {
        free(children);
        return NULL;
    }

    children->self = getpid();
    /* another pool of that name may still be at its last jobs */
    children->born = (int) (random() & 0x3fffffff);
    children->listen_fd = -1;
    children->forked = forked;
    children->data = data;

    return children;
}


void
worker_children_destroy(worker_children_t *children)
{
    if (children != NULL) {
        munmap(children->shared, sizeof(worker_shared_t));
        free(children);
    }
}


void
worker_children_settings(worker_children_t *children,
    const worker_settings_t *settings, int listen_fd)
{
    int       targets[WORKER_QUEUES_MAX];
    unsigned  i;

    memset(targets, 0, sizeof(targets));

    for (i = 0; i < settings->nqueues; i++) {
        targets[i] = clamped(&settings->queues[i],
                             target_of(children, settings->queues[i].name));
    }

    memcpy(children->targets, targets, sizeof(targets));
    children->settings = settings;
    children->listen_fd = listen_fd;

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        children->entries[i].stale = children->entries[i].pid != 0;
    }

    want_all(children);
}


void
worker_children_reap(worker_children_t *children, worker_beat_t *beat)
{
    int              status;
    pid_t            pid;
    worker_entry_t  *e;

    for ( ;; ) {
        pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);
        if (pid <= 0) {
            return;
        }

        for (e = children->entries; e->pid != pid; e++) {
            if (e == &children->entries[WORKER_CHILDREN_MAX - 1]) {
                break;
            }
        }

        if (e->pid != pid) {
            continue;
        }

        if (WIFSTOPPED(status)) {
            e->stopped_ms = worker_now_ms();

        } else if (WIFCONTINUED(status)) {
            e->stopped_ms = 0;

        } else {
            entry_ended(children, e, status, beat);
        }
    }
}


void
worker_children_stop(worker_children_t *children, int64_t until_ms)
{
    unsigned  i;

    if (children->until_ms == 0 || until_ms < children->until_ms) {
        children->until_ms = until_ms;
    }

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        if (children->entries[i].queue[0] != '\0') {
            children->entries[i].wanted = 0;
        }
    }
}


unsigned
worker_children_count(const worker_children_t *children)
{
    unsigned  i, n;

    n = 0;

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        n += children->entries[i].pid != 0;
    }

    return n;
}


void
worker_children_signal(worker_children_t *children, int number)
{
    unsigned  i;

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        if (children->entries[i].pid != 0) {
            kill(children->entries[i].pid, number);
        }
    }
}


void
worker_children_scale(worker_children_t *children, const char *name,
    int target)
{
    unsigned                  i;
    const worker_queue_t     *queue;
    const worker_settings_t  *settings;

    settings = children->settings;

    for (i = 0; i < settings->nqueues; i++) {
        queue = &settings->queues[i];

        if (strcmp(queue->name, name) != 0) {
            continue;
        }

        target = clamped(queue, target);

        if (target != children->targets[i] && children->until_ms == 0) {
            worker_log(WORKER_LOG_INFO, "queue \"%s\": %d children, not %d",
                       name, target, children->targets[i]);
            children->targets[i] = target;
            want_all(children);
        }
    }
}


static int
always(const worker_settings_t *settings)
{
    (void) settings;

    return 1;
}


static int
relay_wanted(const worker_settings_t *settings)
{
    return settings->publish_socket[0] != '\0';
}


static int
agent_wanted(const worker_settings_t *settings)
{
    return settings->agent_port != 0;
}


/* How many children a queue had until now. */
static int
target_of(const worker_children_t *children, const char *name)
{
    unsigned                  i;
    const worker_settings_t  *settings;

    settings = children->settings;

    for (i = 0; settings != NULL && i < settings->nqueues; i++) {
        if (strcmp(settings->queues[i].name, name) == 0) {
            return children->targets[i];
        }
    }

    return 0;
}


static int
clamped(const worker_queue_t *queue, int target)
{
    return target < queue->children ? queue->children
           : target > queue->children_max ? queue->children_max : target;
}


static void
want_all(worker_children_t *children)
{
    int                       n;
    char                      name[64];
    unsigned                  i;
    const worker_queue_t     *queue;
    const worker_settings_t  *settings;

    settings = children->settings;

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        children->entries[i].wanted = 0;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(helpers); i++) {
        if (helpers[i].wanted(settings)) {
            want(children, helpers[i].name, "", helpers[i].main);
        }
    }

    for (i = 0; i < settings->nqueues; i++) {
        queue = &settings->queues[i];

        for (n = 1; n <= children->targets[i]; n++) {
            snprintf(name, sizeof(name), "%s.%d", queue->name, n);
            want(children, name, queue->name, worker_queue_main);
        }
    }
}


/* Marks a child as wanted, in a new entry if there is none of that name. */
static void
want(worker_children_t *children, const char *name, const char *queue,
    worker_main_pt main)
{
    worker_entry_t  *e;

    e = entry_find(children, name);

    if (e == NULL) {
        e = entry_find(children, "");
        if (e == NULL) {
            worker_log(WORKER_LOG_ERROR, "more than %d children: \"%s\" is "
                       "not started", WORKER_CHILDREN_MAX, name);
            return;
        }

        memset(e, 0, sizeof(worker_entry_t));
        snprintf(e->name, sizeof(e->name), "%s", name);
        snprintf(e->queue, sizeof(e->queue), "%s", queue);
        e->main = main;
        e->used = 1;
    }

    e->wanted = 1;
}


static worker_entry_t *
entry_find(worker_children_t *children, const char *name)
{
    unsigned  i;

    for (i = 0; i < WORKER_CHILDREN_MAX; i++) {
        if (strcmp(children->entries[i].name, name) == 0) {
            return &children->entries[i];
        }
    }

    return NULL;
}


void
worker_entry_start(worker_children_t *children, worker_entry_t *e)
{
    pid_t  pid;

    worker_slot_clear(worker_entry_slot(children, e));
    e->number = ++children->born;

    pid = fork();

    if (pid == -1) {
        worker_log(WORKER_LOG_ERROR, "fork: %s", strerror(errno));
        e->start_at = worker_now_ms() + entry_backoff(e, 0);
        return;
    }

    if (pid == 0) {
        entry_run(children, e);
    }

    e->pid = pid;
    e->started_ms = worker_now_ms();
    e->stopped_ms = 0;
    e->leave_ms = 0;
    e->stale = 0;
    e->overdue = 0;
    e->lost = 0;
    e->why[0] = '\0';
    memset(&e->usage, 0, sizeof(worker_usage_t));
}


/* In the forked process. */
static void
entry_run(worker_children_t *children, worker_entry_t *e)
{
    worker_child_t  child;

    children->forked(children->data);

    child.settings = children->settings;
    child.queue = e->queue[0] == '\0' ? NULL : e->queue;
    child.name = e->name;
    child.number = e->number;
    child.main = e->main;
    child.slot = worker_entry_slot(children, e);
    child.load = &children->shared->load;
    child.listen_fd = children->listen_fd;
    child.parent = children->self;

    worker_child_run(&child);
}


static void
entry_ended(worker_children_t *children, worker_entry_t *e, int status,
    worker_beat_t *beat)
{
    int64_t  now;

    now = worker_now_ms();
    entry_say(e, status);

    worker_entry_orphans(children, e, beat);

    if (e->queue[0] != '\0') {
        worker_beat_gone(beat, e->number);
    }

    worker_slot_clear(worker_entry_slot(children, e));

    e->start_at = now;

    if (!entry_blameless(e, status)) {
        e->start_at += entry_backoff(e, now - e->started_ms);
    }

    e->pid = 0;
    e->leave_ms = 0;
}


/* Is it replaced at once?  It left, or its job was cancelled. */
static int
entry_blameless(const worker_entry_t *e, int status)
{
    /* a queue's child leaves by itself when it has run enough jobs */
    return e->lost || (left(status) && (e->leave_ms != 0
                                        || e->queue[0] != '\0'));
}


/* How long an entry waits for its next process, after one that lived so. */
static int
entry_backoff(worker_entry_t *e, int64_t lived_ms)
{
    if (e->backoff_ms == 0 || lived_ms >= CHILDREN_STEADY_MS) {
        e->backoff_ms = CHILDREN_BACKOFF_MIN;

    } else {
        e->backoff_ms *= 2;
    }

    if (e->backoff_ms > CHILDREN_BACKOFF_MAX) {
        e->backoff_ms = CHILDREN_BACKOFF_MAX;
    }

    return e->backoff_ms;
}


static int
left(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}


static void
entry_say(const worker_entry_t *e, int status)
{
    if (entry_blameless(e, status) && left(status)) {
        worker_log(WORKER_LOG_DEBUG, "child \"%s\" (%d) left", e->name,
                   (int) e->pid);

    } else if (WIFSIGNALED(status)) {
        worker_log(WORKER_LOG_WARN, "child \"%s\" (%d) died of signal %d",
                   e->name, (int) e->pid, WTERMSIG(status));

    } else {
        worker_log(WORKER_LOG_WARN, "child \"%s\" (%d) ended with status %d",
                   e->name, (int) e->pid, WEXITSTATUS(status));
    }
}
