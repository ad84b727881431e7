
/*
 * A run, followed to its end: by events, else by asking.
 */

#ifndef CTL_FOLLOW_H
#define CTL_FOLLOW_H


#include "ctl.h"
#include "voice_json.h"


/*
 * Shows a run until it ends, then writes --junit's file; the exit code is
 * the run's, or why it could not be followed.
 */
ctl_exit_e ctl_follow(ctl_t *ctl, const char *id);


#endif /* CTL_FOLLOW_H */
