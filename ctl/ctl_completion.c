
/*
 * Completion scripts, made of the table of commands.
 */

#include "ctl_command.h"
#include "ctl_output.h"
#include "ctl_request.h"
#include "ctl_run.h"


static void write_rows(ctl_buffer_t *out);
static void write_row(ctl_buffer_t *out, const char *name,
    const ctl_command_t *command);
static void add_words(ctl_buffer_t *out, const ctl_option_t *options);
static void add_values(ctl_buffer_t *out, const ctl_option_t *options);


/*
 * Words that are options are passed by; the others, as far as they name a
 * command, choose its row.  A row has what may follow, its options, and the
 * values of those that have some.
 */
static const char  bash[] =
    "\n"
    "_voicectl_complete() {\n"
    "    local cur prev i name= next words options values word\n"
    "    cur=${COMP_WORDS[COMP_CWORD]}\n"
    "    prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    _voicectl_row ''\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        next=${name:+$name }$word\n"
    "        _voicectl_row \"$next\" && name=$next\n"
    "    done\n"
    "    _voicectl_row \"$name\"\n"
    "    COMPREPLY=()\n"
    "    case \" $values \" in\n"
    "    *\" $prev=@file \"*)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
    "        return ;;\n"
    "    *\" $prev=\"*)\n"
    "        word=\" $values \"\n"
    "        word=${word#*\" $prev=\"}\n"
    "        word=${word%% *}\n"
    "        COMPREPLY=($(compgen -W \"${word//|/ }\" -- \"$cur\"))\n"
    "        return ;;\n"
    "    esac\n"
    "    case $cur in\n"
    "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
    "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
    "    esac\n"
    "    case ${COMPREPLY[0]-} in\n"
    "    *=) compopt -o nospace 2>/dev/null ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "complete -F _voicectl_complete voicectl\n";


ctl_exit_e
ctl_run_completion(ctl_t *ctl)
{
    int            is_zsh;
    const char    *shell;
    ctl_buffer_t   out = { 0 };

    shell = ctl_word(ctl, 0);
    is_zsh = strcmp(shell, "zsh") == 0;

    if (!is_zsh && strcmp(shell, "bash") != 0) {
        return ctl_problem(ctl, CTL_USAGE, "there is completion for bash and "
                           "zsh, not for \"%s\"", shell);
    }

    ctl_buffer_put(&out, is_zsh
        ? "#compdef voicectl\n"
          "# voicectl completion zsh\n"
          "autoload -U +X bashcompinit && bashcompinit\n\n"
        : "# voicectl completion bash\n\n");
    write_rows(&out);
    ctl_buffer_put(&out, bash);
    ctl_write(&out);
    ctl_buffer_release(&out);

    return CTL_OK;
}


static void
write_rows(ctl_buffer_t *out)
{
    const ctl_command_t  *command;

    ctl_buffer_put(out, "_voicectl_row() {\n    case $1 in\n");
    write_row(out, "", NULL);

    for (command = ctl_command_next(NULL); command != NULL;
         command = ctl_command_next(command))
    {
        write_row(out, command->name, command);
    }

    ctl_buffer_put(out, "    *) return 1 ;;\n    esac\n}\n");
}


static void
write_row(ctl_buffer_t *out, const char *name, const ctl_command_t *command)
{
    size_t                len;
    const char           *rest;
    const ctl_option_t   *options;
    const ctl_command_t  *other;

    len = strlen(name);
    ctl_buffer_format(out, "    '%s')\n        words='", name);

    for (other = ctl_command_next(NULL); other != NULL;
         other = ctl_command_next(other))
    {
        rest = len == 0 ? other->name : other->name + len + 1;

        if (strncmp(other->name, name, len) == 0
            && (len == 0 || other->name[len] == ' ')
            && strchr(rest, ' ') == NULL)
        {
            ctl_buffer_format(out, " %s", rest);
        }
    }

    if (command != NULL && command->completes != NULL) {
        ctl_buffer_format(out, " %s", command->completes);
    }

    if (command != NULL && command->usual != NULL) {
        command = ctl_command_find(voice_span_str(command->usual));
    }

    options = command == NULL ? NULL : command->options;
    ctl_buffer_put(out, "'\n        options='");
    add_words(out, options);
    add_words(out, ctl_global_options);
    ctl_buffer_put(out, "'\n        values='");
    add_values(out, options);
    add_values(out, ctl_global_options);
    ctl_buffer_put(out, "' ;;\n");
}


static void
add_words(ctl_buffer_t *out, const ctl_option_t *options)
{
    for (/* void */; options != NULL && options->name != NULL; options++) {
        ctl_buffer_format(out, " --%s", options->name);
    }
}


static void
add_values(ctl_buffer_t *out, const ctl_option_t *options)
{
    for (/* void */; options != NULL && options->name != NULL; options++) {
        if (options->kind == CTL_FILE) {
            ctl_buffer_format(out, " --%s=@file", options->name);

        } else if (options->choices != NULL) {
            ctl_buffer_format(out, " --%s=%s", options->name,
                              options->choices);
        }
    }
}
