
/*
 * Whom we speak to and as whom: from options, the environment, the file of
 * profiles, or the private stack of `make run`.
 */

#ifndef CTL_PROFILE_H
#define CTL_PROFILE_H


#include "ctl_arguments.h"


#define CTL_PROFILE_USUAL  "default"


/* All texts are owned; NULL: there is none. */
struct ctl_profile_s {
    char  *name;                       /* of a section; "stack"; "" */
    char  *file;                       /* of profiles, which may not exist */
    char  *url;                        /* no slash at the end */
    char  *api_key;
    char  *token;
    char  *session;                    /* file of a login, may not exist */
    char  *email;                      /* with password: of the stack */
    char  *password;
    char  *ca_file;
    int    plain_http;                 /* credentials may go unencrypted */
    int    stack;
    int    missing;                    /* the section is not there */
};


/*
 * Fills ctl->profile.  Fails with CTL_USAGE and says why: a file that others
 * may read, an unknown key, no URL, secrets that would go unencrypted to
 * another machine.
 */
ctl_exit_e ctl_profile_read(ctl_t *ctl);
void ctl_profile_destroy(ctl_profile_t *profile);

/* Which credential will be used: "API key", "token", "login", NULL: none. */
const char *ctl_profile_credential(const ctl_profile_t *profile);

/*
 * The content of a file that holds a secret, without white space at its
 * ends; "-" is stdin.  NULL after it has said what is wrong, among it
 * permissions that strict (0077) or less strict (0007) forbids.  The caller
 * frees it.
 */
char *ctl_secret_read(const ctl_t *ctl, const char *path, unsigned forbidden);

/* Replaces a file, mode 0600, its directories 0700; CTL_LOCAL if it cannot. */
ctl_exit_e ctl_secret_write(const ctl_t *ctl, const char *path,
    const char *text);


#endif /* CTL_PROFILE_H */
