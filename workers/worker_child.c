
/*
 * The life of a child process around its main function.
 */

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "worker_child.h"
#include "worker_clock.h"
#include "worker_log.h"


#define CHILD_SLICE_MS  100            /* how soon a sleep sees a signal */


static void child_signals(void);
static void on_stop(int number);
static void on_reopen(int number);
static void see_reopen(void);


/* Who this process is; set once after the fork. */
static worker_child_t  child_self;

static const worker_job_t  *child_job; /* that runs; NULL */

static volatile sig_atomic_t  child_stop;
static volatile sig_atomic_t  child_reopen;


void
worker_child_run(const worker_child_t *child)
{
    int  status;

    child_self = *child;

    /* the fork may have been slower than the supervisor's death */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != child->parent) {
        _exit(1);
    }

    /* a signal of the terminal is the supervisor's, who knows the order */
    setpgid(0, 0);

    child_signals();
    worker_clock_seed();
    worker_log_process(child->settings->worker_name, child->name);
    worker_log(WORKER_LOG_DEBUG, "child started");

    status = child->main(child->settings);

    worker_log(WORKER_LOG_DEBUG, "child ends");
    worker_log_flush();
    _exit(status);
}


int
worker_slot_read(worker_slot_t *slot, worker_report_t *report)
{
    unsigned  before, after;

    before = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    memcpy(report, &slot->report, sizeof(worker_report_t));
    atomic_thread_fence(memory_order_acquire);
    after = atomic_load_explicit(&slot->sequence, memory_order_relaxed);

    return before == after && before % 2 == 0;
}


void
worker_slot_clear(worker_slot_t *slot)
{
    unsigned  i;

    memset(&slot->report, 0, sizeof(worker_report_t));
    atomic_store(&slot->alive_ms, 0);
    atomic_store(&slot->cpu, 0);
    atomic_store(&slot->sequence, 0);

    for (i = 0; i < WORKER_HELD_MAX; i++) {
        worker_held_set(&slot->held[i], WORKER_HELD_NONE);
    }
}


const char *
worker_child_queue(void)
{
    return child_self.queue;
}


const char *
worker_child_name(void)
{
    return child_self.name;
}


int
worker_child_number(void)
{
    return child_self.number;
}


worker_slot_t *
worker_child_slot(void)
{
    return child_self.slot;
}


const worker_load_t *
worker_child_load(void)
{
    return child_self.load;
}


int
worker_child_listen_fd(void)
{
    return child_self.listen_fd;
}


void
worker_child_alive(void)
{
    see_reopen();
    atomic_store(&child_self.slot->alive_ms, worker_now_ms());
}


void
worker_child_report(const worker_report_t *report)
{
    worker_slot_t  *slot;

    slot = child_self.slot;

    atomic_fetch_add_explicit(&slot->sequence, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    memcpy(&slot->report, report, sizeof(worker_report_t));
    atomic_fetch_add_explicit(&slot->sequence, 1, memory_order_release);

    worker_child_alive();
}


void
worker_child_job(const worker_job_t *job)
{
    child_job = job;
}


int
worker_child_cancelled(void)
{
    return child_job != NULL && worker_job_cancelled(child_job);
}


void
worker_child_sleep(int ms)
{
    int64_t  end, left;

    end = worker_now_ms() + ms;

    for ( ;; ) {
        worker_child_alive();
        left = end - worker_now_ms();

        if (left <= 0 || worker_stopping()) {
            return;
        }

        poll(NULL, 0, left > CHILD_SLICE_MS ? CHILD_SLICE_MS : (int) left);
    }
}


int
worker_stopping(void)
{
    see_reopen();

    return child_stop;
}


static void
child_signals(void)
{
    sigset_t          none;
    struct sigaction  action;

    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);

    /* no SA_RESTART: a wait is to see the signal */
    action.sa_handler = on_stop;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);

    action.sa_handler = on_reopen;
    sigaction(SIGUSR1, &action, NULL);

    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGHUP, &action, NULL);      /* the supervisor decides */

    action.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &action, NULL);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}


static void
on_stop(int number)
{
    (void) number;
    child_stop = 1;
}


static void
on_reopen(int number)
{
    (void) number;
    child_reopen = 1;
}


static void
see_reopen(void)
{
    if (child_reopen) {
        child_reopen = 0;
        worker_log_reopen();
    }
}
