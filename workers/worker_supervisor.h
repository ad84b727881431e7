
/*
 * The parent of all children: starts, watches, restarts and stops them, and
 * tells PostgreSQL that they live.  It runs no job code.
 */

#ifndef WORKER_SUPERVISOR_H
#define WORKER_SUPERVISOR_H


#include "worker_settings.h"


/*
 * What a child process runs; its return value is the process's exit status.
 * It ends by itself soon after worker_stopping() became true: between two
 * jobs, or between two requests.
 */
typedef int (*worker_main_pt)(const worker_settings_t *settings);


int worker_queue_main(const worker_settings_t *settings);   /* worker_loop.c */
int keeper_main(const worker_settings_t *settings);   /* worker_keeper.c */
int relay_main(const worker_settings_t *settings);    /* worker_relay.c */
int agent_main(const worker_settings_t *settings);    /* agent_server.c */

/* Runs the pool until it is told to stop; the process's exit status. */
int worker_supervise(worker_settings_t *settings);

/*
 * In a child: was it asked to end?  Signals TERM, INT, QUIT set it; they
 * interrupt poll(), so a loop that waits with poll() sees it at once.
 */
int worker_stopping(void);


#endif /* WORKER_SUPERVISOR_H */
