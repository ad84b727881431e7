
/*
 * Suites by their names.
 */

#ifndef CTL_SUITE_H
#define CTL_SUITE_H


#include "ctl.h"
#include "voice_json.h"


/*
 * Sets suite_id of a body: an id as it is, a name is looked for.  Says why
 * where there is none of that name, or more than one.
 */
ctl_exit_e ctl_suite_find(ctl_t *ctl, const char *name, json_t *body);


#endif /* CTL_SUITE_H */
