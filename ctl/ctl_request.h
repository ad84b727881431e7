
/*
 * What most commands do: one request, whose options and words the table of
 * commands names, and its reply shown.
 */

#ifndef CTL_REQUEST_H
#define CTL_REQUEST_H


#include "ctl_command.h"
#include "voice_json.h"


/* Commands: run a row's request; for each word where its path has one {}. */
ctl_exit_e ctl_run_list(ctl_t *ctl);
ctl_exit_e ctl_run_request(ctl_t *ctl);

/* Members of the options that go to a place; owned, NULL: told why not. */
json_t *ctl_request_members(const ctl_t *ctl, ctl_place_e place);

/* The n-th word. */
const char *ctl_word(const ctl_t *ctl, size_t n);

/* Shows a reply's data, as --json or as lines. */
void ctl_request_show(const ctl_t *ctl, const json_t *data);


#endif /* CTL_REQUEST_H */
