
/*
 * What this process knows of its clients goes into its row of the zone: once
 * a second, and when its own metrics are asked for.
 */

#include "ngx_voice_live.h"
#include "ngx_voice_stall.h"

#include <signal.h>


#define NGX_VOICE_FIGURES_PERIOD  1000     /* ms */


static ngx_voice_process_t *ngx_voice_process_claim(
    ngx_voice_shared_t *shared);
static void ngx_voice_figures_timer(ngx_event_t *ev);
static void ngx_voice_figures_add(ngx_voice_main_conf_t *mcf,
    ngx_voice_counter_e counter, ngx_uint_t total);


ngx_int_t
ngx_voice_figures_start(ngx_cycle_t *cycle, ngx_voice_main_conf_t *mcf)
{
    mcf->process = ngx_voice_process_claim(mcf->shared);

    mcf->seen = ngx_pcalloc(cycle->pool,
                            NGX_VOICE_COUNTER_COUNT * sizeof(ngx_uint_t));
    if (mcf->seen == NULL) {
        return NGX_ERROR;
    }

    mcf->figures.handler = ngx_voice_figures_timer;
    mcf->figures.data = mcf;
    mcf->figures.log = cycle->log;
    mcf->figures.cancelable = 1;

    ngx_add_timer(&mcf->figures, NGX_VOICE_FIGURES_PERIOD);

    return NGX_OK;
}


void
ngx_voice_figures_update(ngx_voice_main_conf_t *mcf)
{
    ngx_uint_t                        i;
    ngx_voice_pg_figures_t            pg;
    ngx_voice_redis_figures_t         redis;
    ngx_voice_ingest_figures_t        ingest;
    const ngx_voice_stall_figures_t  *stall;

    stall = ngx_voice_stall_figures();

    ngx_voice_databases_figures(mcf->databases, &pg);
    ngx_voice_redis_figures(mcf->redis, &redis);
    ngx_voice_ingest_figures(mcf->ingest, &ingest);

    const struct {
        ngx_voice_counter_e  counter;
        ngx_uint_t           total;
    } counters[] = {
        { NGX_VOICE_COUNT_loop_turns, stall->turns },
        { NGX_VOICE_COUNT_loop_over_1ms, stall->over[0] },
        { NGX_VOICE_COUNT_loop_over_5ms, stall->over[1] },
        { NGX_VOICE_COUNT_loop_over_20ms, stall->over[2] },
        { NGX_VOICE_COUNT_loop_over_100ms, stall->over[3] },
        { NGX_VOICE_COUNT_pg_connects, pg.connects },
        { NGX_VOICE_COUNT_pg_failures, pg.failures },
        { NGX_VOICE_COUNT_pg_timeouts, pg.timeouts },
        { NGX_VOICE_COUNT_pg_rejected, pg.rejected },
        { NGX_VOICE_COUNT_redis_connects, redis.connects },
        { NGX_VOICE_COUNT_redis_failures, redis.failures },
        { NGX_VOICE_COUNT_redis_timeouts, redis.timeouts },
        { NGX_VOICE_COUNT_redis_rejected, redis.rejected }
    };

    const ngx_uint_t  gauges[NGX_VOICE_GAUGE_COUNT] = {
        [NGX_VOICE_GAUGE_connections] =
            ngx_cycle->connection_n - ngx_cycle->free_connection_n,
        [NGX_VOICE_GAUGE_pg_connections] = pg.connections,
        [NGX_VOICE_GAUGE_pg_in_flight] = pg.in_flight,
        [NGX_VOICE_GAUGE_pg_waiting] = pg.waiting,
        [NGX_VOICE_GAUGE_redis_connected] = redis.connected,
        [NGX_VOICE_GAUGE_redis_in_flight] = redis.in_flight,
        [NGX_VOICE_GAUGE_redis_evicts] = redis.evicts,
        [NGX_VOICE_GAUGE_ingest_lanes] = ingest.lanes,
        [NGX_VOICE_GAUGE_ingest_held] = ingest.held,
        [NGX_VOICE_GAUGE_ingest_in_flight] = ingest.in_flight,
        [NGX_VOICE_GAUGE_live_listeners] =
            ngx_voice_live_listeners(mcf->live),
        [NGX_VOICE_GAUGE_passwords] =
            ngx_voice_password_outstanding(mcf->hasher)
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(counters); i++) {
        ngx_voice_figures_add(mcf, counters[i].counter, counters[i].total);
    }

    for (i = 0; mcf->process != NULL && i < NGX_VOICE_GAUGE_COUNT; i++) {
        mcf->process->gauges[i] = gauges[i];
    }
}


void
ngx_voice_figures_stop(ngx_voice_main_conf_t *mcf)
{
    if (mcf->figures.timer_set) {
        ngx_del_timer(&mcf->figures);
    }

    ngx_voice_figures_update(mcf);

    if (mcf->process != NULL) {
        ngx_memory_barrier();
        mcf->process->pid = 0;
    }
}


/* A free row or that of a process that died; NULL: all are taken. */
static ngx_voice_process_t *
ngx_voice_process_claim(ngx_voice_shared_t *shared)
{
    ngx_uint_t            i;
    ngx_atomic_uint_t     pid;
    ngx_voice_process_t  *process;

    for (i = 0; i < NGX_VOICE_PROCESSES; i++) {
        process = &shared->processes[i];
        pid = process->pid;

        if (pid != 0 && ngx_voice_process_alive(pid)) {
            continue;
        }

        if (ngx_atomic_cmp_set(&process->pid, pid, ngx_pid)) {
            ngx_memzero((void *) process->gauges, sizeof(process->gauges));
            return process;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_voice_process_alive(ngx_atomic_uint_t pid)
{
    return kill((pid_t) pid, 0) == 0 || ngx_errno == NGX_EPERM;
}


static void
ngx_voice_figures_timer(ngx_event_t *ev)
{
    ngx_voice_main_conf_t  *mcf = ev->data;

    ngx_voice_figures_update(mcf);
    ngx_add_timer(ev, NGX_VOICE_FIGURES_PERIOD);
}


/* The clients count from the start of the process, the zone for ever. */
static void
ngx_voice_figures_add(ngx_voice_main_conf_t *mcf, ngx_voice_counter_e counter,
    ngx_uint_t total)
{
    ngx_voice_count(mcf, counter, total - mcf->seen[counter]);
    mcf->seen[counter] = total;
}
