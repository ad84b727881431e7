
/*
 * Looks commands up.
 */

#include "ctl_commands.h"


#define COMMAND_FAR  3                 /* edits that are no slip any more */


static size_t distance(const char *a, const char *b);


static const ctl_command_t *const  parts[] = {
    ctl_commands_runs,
    ctl_commands_schedules,
    ctl_commands_jobs,
    ctl_commands_queues,
    ctl_commands_keys,
    ctl_commands_self
};


const ctl_command_t *
ctl_command_next(const ctl_command_t *command)
{
    size_t                i;
    const ctl_command_t  *row;

    for (i = 0; i < VOICE_ARRAY_SIZE(parts); i++) {
        for (row = parts[i]; row->name != NULL; row++) {
            if (command == NULL) {
                return row;
            }

            if (row == command) {
                command = NULL;
            }
        }
    }

    return NULL;
}


const ctl_command_t *
ctl_command_find(voice_span_t name)
{
    const ctl_command_t  *command;

    for (command = ctl_command_next(NULL); command != NULL;
         command = ctl_command_next(command))
    {
        if (voice_span_eq(voice_span_str(command->name), name)) {
            return command;
        }
    }

    return NULL;
}


int
ctl_command_is_group(const ctl_command_t *command)
{
    size_t                len;
    const ctl_command_t  *other;

    len = strlen(command->name);

    for (other = ctl_command_next(NULL); other != NULL;
         other = ctl_command_next(other))
    {
        if (strncmp(other->name, command->name, len) == 0
            && other->name[len] == ' ')
        {
            return 1;
        }
    }

    return 0;
}


voice_span_t
ctl_command_parent(const char *name)
{
    const char  *space;

    space = strrchr(name, ' ');

    return voice_span(name, space == NULL ? 0 : (size_t) (space - name));
}


const ctl_command_t *
ctl_command_like(const char *name)
{
    size_t                far, least;
    const ctl_command_t  *command, *found;

    found = NULL;
    least = COMMAND_FAR;

    for (command = ctl_command_next(NULL); command != NULL;
         command = ctl_command_next(command))
    {
        far = distance(command->name, name);

        if (far < least) {
            least = far;
            found = command;
        }
    }

    return found;
}


/* Levenshtein's; names longer than a command's are far. */
static size_t
distance(const char *a, const char *b)
{
    size_t  i, j, above, corner, cost, row[CTL_COMMAND_NAME_MAX + 1];

    if (strlen(b) > CTL_COMMAND_NAME_MAX) {
        return CTL_COMMAND_NAME_MAX;
    }

    for (j = 0; j <= strlen(b); j++) {
        row[j] = j;
    }

    for (i = 0; a[i] != '\0'; i++) {
        corner = row[0];
        row[0] = i + 1;

        for (j = 0; b[j] != '\0'; j++) {
            above = row[j + 1];
            cost = corner + (a[i] == b[j] ? 0 : 1);
            cost = above + 1 < cost ? above + 1 : cost;
            cost = row[j] + 1 < cost ? row[j] + 1 : cost;
            row[j + 1] = cost;
            corner = above;
        }
    }

    return row[strlen(b)];
}
