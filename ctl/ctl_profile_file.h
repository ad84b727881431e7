
/*
 * The file of profiles, and files of secrets in general.
 *
 *   profile = production         # the usual one; else "default"
 *
 *   [production]
 *   url = https://voice.example
 *   api_key_file = ~/.config/voicegate/production.key
 */

#ifndef CTL_PROFILE_FILE_H
#define CTL_PROFILE_FILE_H


#include <sys/types.h>

#include "ctl_profile.h"


/* Where the file is: --config, or below XDG_CONFIG_HOME; owned. */
char *ctl_profile_path(const ctl_t *ctl);

/*
 * Fills ctl->profile from a section; name NULL: the usual one, which need
 * not be there.
 */
ctl_exit_e ctl_profile_section(ctl_t *ctl, const char *name);

/* Adds a section with a URL, unless there is one of that name. */
ctl_exit_e ctl_profile_add(const ctl_t *ctl, const char *name,
    const char *url);

/* The file of a profile's login; owned. */
char *ctl_profile_session(const ctl_t *ctl, const char *name);

/* The path of this program; its length, or -1. */
ssize_t ctl_self(char *path, size_t size);


#endif /* CTL_PROFILE_FILE_H */
