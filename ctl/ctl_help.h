
/*
 * Help, made of the table of commands.
 */

#ifndef CTL_HELP_H
#define CTL_HELP_H


#include "ctl_command.h"


#define CTL_HELP_WIDTH  79


/* What exit codes mean; a row without a sentence ends them. */
typedef struct {
    ctl_exit_e   code;
    const char  *meaning;
} ctl_meaning_t;

extern const ctl_meaning_t  ctl_meanings[];


/* Help of a command or a group; NULL: of the whole program. */
void ctl_help(ctl_buffer_t *out, const ctl_command_t *command, int color);

/* "voicectl runs watch [options] RUN", a line without its end. */
void ctl_help_synopsis(ctl_buffer_t *out, const ctl_command_t *command);


#endif /* CTL_HELP_H */
