
/*
 * Logins: their tokens in a file that only its owner reads, made anew in
 * time.  A refresh token is good once, so one process at a time.
 */

#ifndef CTL_SESSION_H
#define CTL_SESSION_H


#include "ctl.h"


/* Fills ctl->profile->token; CTL_REFUSED, told, if nobody is logged in. */
ctl_exit_e ctl_session_token(ctl_t *ctl);

/* Another token in place of one that was refused: is there one? */
int ctl_session_renew(ctl_t *ctl);

/* Logs in and keeps it; tenant NULL: the last used. */
ctl_exit_e ctl_session_begin(ctl_t *ctl, const char *email,
    const char *password, const char *tenant);

/* Ends it, here and there. */
ctl_exit_e ctl_session_end(ctl_t *ctl);


#endif /* CTL_SESSION_H */
