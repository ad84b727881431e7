
/*
 * Signals, and the clock.
 */

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl_signal.h"
#include "voice_base.h"


#define SIGNAL_STEP  200               /* ms: one that comes before poll() */


static volatile sig_atomic_t  interrupted;
static volatile sig_atomic_t  window;


static void on_end(int number);
static void on_window(int number);


void
ctl_signals_take(void)
{
    size_t            i;
    struct sigaction  action;

    static const struct {
        int    number;
        void (*handler)(int number);
    } rows[] = {
        { SIGINT, on_end }, { SIGTERM, on_end }, { SIGHUP, on_end },
        { SIGWINCH, on_window }, { SIGPIPE, SIG_IGN }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        memset(&action, 0, sizeof(action));
        action.sa_handler = rows[i].handler;
        sigaction(rows[i].number, &action, NULL);
    }
}


int
ctl_interrupted(void)
{
    return interrupted;
}


int
ctl_window_changed(void)
{
    int  changed;

    changed = window;
    window = 0;

    return changed;
}


int
ctl_pause(int64_t ms)
{
    int64_t  end, left;

    end = ctl_now() + ms;

    while (!interrupted) {
        left = end - ctl_now();

        if (left <= 0) {
            return 1;
        }

        poll(NULL, 0, left > SIGNAL_STEP ? SIGNAL_STEP : (int) left);
    }

    return 0;
}


/* Not by a read() that is interrupted: a signal may come just before it. */
int
ctl_input_wait(void)
{
    struct pollfd  input = { .fd = STDIN_FILENO, .events = POLLIN };

    while (!interrupted && poll(&input, 1, SIGNAL_STEP) <= 0) {
        /* void */
    }

    return !interrupted;
}


int64_t
ctl_now(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


static void
on_end(int number)
{
    (void) number;
    interrupted = 1;
}


static void
on_window(int number)
{
    (void) number;
    window = 1;
}
