
/*
 * How long a turn of the event loop takes this process, in CPU time: from one
 * wait for events to the next, whatever runs between.  While it lasts nobody
 * else is served.  Costs a system call a turn.
 */

#include "ngx_voice_stall.h"

#include <ngx_event.h>
#include <time.h>


typedef ngx_int_t (*ngx_voice_stall_wait_pt)(ngx_cycle_t *cycle,
    ngx_msec_t timer, ngx_uint_t flags);


static ngx_int_t ngx_voice_stall_wait(ngx_cycle_t *cycle, ngx_msec_t timer,
    ngx_uint_t flags);
static int64_t ngx_voice_stall_clock(void);


static const int64_t  ngx_voice_stall_over_ns[NGX_VOICE_STALL_BOUNDS] = {
    1000000, 5000000, 20000000, 100000000
};

/* of this process; last 0: the first turn has not begun */
static ngx_voice_stall_wait_pt    ngx_voice_stall_next_wait;
static int64_t                    ngx_voice_stall_last;
static ngx_voice_stall_figures_t  ngx_voice_stall;


void
ngx_voice_stall_watch(void)
{
    if (ngx_event_actions.process_events == ngx_voice_stall_wait) {
        return;
    }

    ngx_voice_stall_next_wait = ngx_event_actions.process_events;
    ngx_event_actions.process_events = ngx_voice_stall_wait;
}


const ngx_voice_stall_figures_t *
ngx_voice_stall_figures(void)
{
    return &ngx_voice_stall;
}


/* In place of the event method's own; what it serves is of the next turn. */
static ngx_int_t
ngx_voice_stall_wait(ngx_cycle_t *cycle, ngx_msec_t timer, ngx_uint_t flags)
{
    int64_t     now, turn;
    ngx_uint_t  i;

    now = ngx_voice_stall_clock();
    turn = ngx_voice_stall_last == 0 ? 0 : now - ngx_voice_stall_last;
    ngx_voice_stall_last = now;

    ngx_voice_stall.turns++;

    for (i = 0; i < NGX_VOICE_STALL_BOUNDS; i++) {
        if (turn <= ngx_voice_stall_over_ns[i]) {
            break;
        }

        ngx_voice_stall.over[i]++;
    }

    return ngx_voice_stall_next_wait(cycle, timer, flags);
}


static int64_t
ngx_voice_stall_clock(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) != 0) {
        return 0;
    }

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
