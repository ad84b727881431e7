
/*
 * The commands that are more than a request.
 */

#ifndef CTL_RUN_H
#define CTL_RUN_H


#include "ctl.h"


ctl_exit_e ctl_run_runs_start(ctl_t *ctl);
ctl_exit_e ctl_run_runs_watch(ctl_t *ctl);
ctl_exit_e ctl_run_schedules_create(ctl_t *ctl);
ctl_exit_e ctl_run_schedules_preview(ctl_t *ctl);
ctl_exit_e ctl_run_schedules_enable(ctl_t *ctl);
ctl_exit_e ctl_run_schedules_disable(ctl_t *ctl);
ctl_exit_e ctl_run_queues(ctl_t *ctl);
ctl_exit_e ctl_run_kind(ctl_t *ctl);
ctl_exit_e ctl_run_workers_health(ctl_t *ctl);
ctl_exit_e ctl_run_probe(ctl_t *ctl);
ctl_exit_e ctl_run_login(ctl_t *ctl);
ctl_exit_e ctl_run_logout(ctl_t *ctl);
ctl_exit_e ctl_run_config(ctl_t *ctl);
ctl_exit_e ctl_run_help(ctl_t *ctl);
ctl_exit_e ctl_run_completion(ctl_t *ctl);
ctl_exit_e ctl_run_manual(ctl_t *ctl);


#endif /* CTL_RUN_H */
