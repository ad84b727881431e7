
/*
 * The command line: options anywhere, the words of the command, its
 * arguments.  Knows no terminal and no file.
 */

#ifndef CTL_ARGUMENTS_H
#define CTL_ARGUMENTS_H


#include "ctl_command.h"


typedef struct {
    const ctl_option_t  *option;
    const char          *value;        /* of argv; NULL: a flag */
} ctl_given_t;


struct ctl_arguments_s {
    const ctl_command_t  *command;     /* NULL: none was named */
    ctl_given_t          *given;       /* options, in their order */
    size_t                ngiven;
    const char          **words;
    size_t                nwords;
    char                  problem[200];
};


/*
 * Reads argv (without the program), which must outlive it.  VOICE_INVALID:
 * problem says why, the command is what was known until then.  A command
 * that is asked for --help needs no words.
 */
voice_rc_t ctl_arguments_read(ctl_arguments_t *arguments, char **argv)
    VOICE_MUST_CHECK;
void ctl_arguments_release(ctl_arguments_t *arguments);

/* The last value of an option, "" of a flag; NULL: it was not given. */
const char *ctl_option(const ctl_arguments_t *arguments, const char *name);

/* The values of one that may be repeated: from *at on; NULL: no more. */
const char *ctl_option_next(const ctl_arguments_t *arguments,
    const char *name, size_t *at);

/* A number or seconds; usual if it was not given. */
long ctl_option_number(const ctl_arguments_t *arguments, const char *name,
    long usual);

/* "90", "90s", "15m", "2h" in seconds; -1: it is none. */
long ctl_seconds(const char *text);


#endif /* CTL_ARGUMENTS_H */
