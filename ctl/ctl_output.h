
/*
 * What is written: results to stdout, remarks and problems to stderr, as
 * text or as JSON.
 */

#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H


#include "ctl_buffer.h"
#include "voice_json.h"


/* Fills ctl->screen; choice: "always", "never", else as NO_COLOR has it. */
void ctl_screen_read(ctl_t *ctl, const char *choice);

/* Columns of the terminal now, of $COLUMNS, or 0: no bound. */
size_t ctl_columns(const ctl_t *ctl);

/*
 * Says what went wrong, made safe, and gives the exit code back.  With
 * --json it is {"error": {"code", "message"}, "exit"}.
 */
ctl_exit_e ctl_problem(const ctl_t *ctl, ctl_exit_e code,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same of an error that the API gave; takes over its reference. */
ctl_exit_e ctl_problem_json(ctl_exit_e code, json_t *error);

/* A remark for people, to stderr; none with --quiet or --json. */
void ctl_note(const ctl_t *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line of result for people, made safe; none with --quiet or --json. */
void ctl_say(const ctl_t *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Bytes as they are. */
void ctl_write(const ctl_buffer_t *text);

/* A value: over several lines on a terminal, else one. */
void ctl_write_json(const ctl_t *ctl, const json_t *value);

/* Has all that was written gone out?  Else CTL_LOCAL. */
ctl_exit_e ctl_output_close(const ctl_t *ctl, ctl_exit_e code);


#endif /* CTL_OUTPUT_H */
