
/*
 * The parts of the table of commands, and what their rows have in common.
 */

#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H


#include "ctl_request.h"
#include "ctl_run.h"


#define CTL_END  { .name = NULL }

#define CTL_LIST_OPTIONS                                                      \
    { .name = "limit", .letter = 'n', .kind = CTL_NUMBER, .value = "N",       \
      .help = "so many at most; 20 unless said", .min = 1, .max = 100000 },   \
    { .name = "all", .letter = 'a', .kind = CTL_FLAG,                         \
      .help = "all there are, page by page" }

#define CTL_TENANT_OPTION                                                     \
    { .name = "tenant", .kind = CTL_TEXT, .value = "ID",                      \
      .help = "of another tenant; for the platform's administrators",         \
      .place = CTL_QUERY }

#define CTL_YES_OPTION                                                        \
    { .name = "yes", .letter = 'y', .kind = CTL_FLAG,                         \
      .help = "do not ask first" }


extern const ctl_command_t  ctl_commands_jobs[];
extern const ctl_command_t  ctl_commands_keys[];
extern const ctl_command_t  ctl_commands_queues[];
extern const ctl_command_t  ctl_commands_runs[];
extern const ctl_command_t  ctl_commands_schedules[];
extern const ctl_command_t  ctl_commands_self[];


#endif /* CTL_COMMANDS_H */
