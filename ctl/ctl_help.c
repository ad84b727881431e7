
/*
 * Help, made of the table of commands.
 */

#include "ctl_arguments.h"
#include "ctl_help.h"
#include "ctl_output.h"
#include "ctl_run.h"
#include "ctl_text.h"


#define HELP_INDENT  2
#define HELP_COLUMN  24                /* where explanations begin */


static void help_all(ctl_buffer_t *out, int color);
static void help_group(ctl_buffer_t *out, const ctl_command_t *command,
    int color);
static void help_command(ctl_buffer_t *out, const ctl_command_t *command,
    int color);
static void help_options(ctl_buffer_t *out, const ctl_option_t *options);
static int names_choices(const ctl_option_t *option);
static void help_examples(ctl_buffer_t *out, const char *examples);
static void heading(ctl_buffer_t *out, const char *text, int color);
static void row(ctl_buffer_t *out, const char *left, const char *right);
static void paragraph(ctl_buffer_t *out, const char *text, size_t indent,
    size_t column);


const ctl_meaning_t  ctl_meanings[] = {
    { CTL_OK, "done; of a run: no test failed" },
    { CTL_FAILED, "the run or probe failed, the workers are critical" },
    { CTL_USAGE, "wrong command, option or configuration; or you said no" },
    { CTL_REFUSED, "not logged in, or not allowed (401, 403)" },
    { CTL_NOT_FOUND, "there is no such thing (404)" },
    { CTL_UNREACHABLE, "no connection: host, port, TLS, or it broke" },
    { CTL_TIMEOUT, "it took longer than --timeout or --request-timeout" },
    { CTL_REJECTED, "values or state do not allow it (400, 409, 422)" },
    { CTL_SERVICE, "the service failed (5xx), or that is not Voicegate" },
    { CTL_BUSY, "still 429 or 503 after --patience" },
    { CTL_LOCAL, "the output or a file cannot be written, no memory" },
    { CTL_INTERRUPTED, "interrupted" },
    { CTL_OK, NULL }
};


void
ctl_help(ctl_buffer_t *out, const ctl_command_t *command, int color)
{
    if (command == NULL) {
        help_all(out, color);

    } else if (command->run == NULL) {
        help_group(out, command, color);

    } else {
        help_command(out, command, color);
    }
}


void
ctl_help_synopsis(ctl_buffer_t *out, const ctl_command_t *command)
{
    ctl_buffer_format(out, "voicectl %s", command->name);

    if (command->options != NULL) {
        ctl_buffer_put(out, " [options]");
    }

    if (command->words != NULL) {
        ctl_buffer_format(out, " %s", command->words);
    }
}


ctl_exit_e
ctl_run_help(ctl_t *ctl)
{
    size_t                i;
    ctl_buffer_t          name = { 0 }, out = { 0 };
    const ctl_command_t  *command;

    for (i = 0; i < ctl->arguments->nwords; i++) {
        ctl_buffer_format(&name, "%s%s", i == 0 ? "" : " ",
                          ctl->arguments->words[i]);
    }

    command = name.len == 0 ? NULL
              : ctl_command_find(voice_span(name.data, name.len));

    if (name.len > 0 && command == NULL) {
        ctl_problem(ctl, CTL_USAGE, "there is no command \"%s\"", name.data);
        ctl_buffer_release(&name);
        return CTL_USAGE;
    }

    ctl_help(&out, command, ctl->screen.color);
    ctl_write(&out);
    ctl_buffer_release(&name);
    ctl_buffer_release(&out);

    return CTL_OK;
}


static void
help_all(ctl_buffer_t *out, int color)
{
    size_t                i;
    char                  code[16];
    const ctl_command_t  *command;

    ctl_buffer_put(out, "voicectl: Voicegate's jobs, runs and workers from "
                   "a terminal and from CI.\n\nusage: voicectl [options] "
                   "COMMAND [options]\n");
    heading(out, "Commands", color);

    for (command = ctl_command_next(NULL); command != NULL;
         command = ctl_command_next(command))
    {
        if (command->run != NULL) {
            row(out, command->name, command->summary);
        }
    }

    heading(out, "Options of every command", color);
    help_options(out, ctl_global_options);

    heading(out, "Exit codes", color);

    for (i = 0; ctl_meanings[i].meaning != NULL; i++) {
        snprintf(code, sizeof(code), "%d", (int) ctl_meanings[i].code);
        row(out, code, ctl_meanings[i].meaning);
    }

    heading(out, "First steps", color);
    help_examples(out,
        "voicectl --stack runs list\n"
        "voicectl login --url https://voice.example\n"
        "voicectl help runs start");
}


static void
help_group(ctl_buffer_t *out, const ctl_command_t *command, int color)
{
    size_t                len;
    const ctl_command_t  *other;

    ctl_buffer_format(out, "voicectl %s: %s.\n", command->name,
                      command->summary);

    if (command->about != NULL) {
        ctl_buffer_put(out, "\n");
        paragraph(out, command->about, 0, 0);
    }

    if (command->usual != NULL) {
        ctl_buffer_format(out, "\nAlone it is \"%s\".\n", command->usual);
    }

    heading(out, "Commands", color);
    len = strlen(command->name);

    for (other = ctl_command_next(NULL); other != NULL;
         other = ctl_command_next(other))
    {
        if (other->run != NULL
            && strncmp(other->name, command->name, len) == 0
            && other->name[len] == ' ')
        {
            row(out, other->name, other->summary);
        }
    }

    ctl_buffer_format(out, "\n\"voicectl %s COMMAND --help\" tells more of "
                      "one.\n", command->name);
}


static void
help_command(ctl_buffer_t *out, const ctl_command_t *command, int color)
{
    ctl_buffer_format(out, "voicectl %s: %s.\n\nusage: ", command->name,
                      command->summary);
    ctl_help_synopsis(out, command);
    ctl_buffer_put(out, "\n");

    if (command->about != NULL) {
        ctl_buffer_put(out, "\n");
        paragraph(out, command->about, 0, 0);
    }

    if (command->options != NULL) {
        heading(out, "Options", color);
        help_options(out, command->options);
    }

    if (command->examples != NULL) {
        heading(out, "Examples", color);
        help_examples(out, command->examples);
    }

    if (!command->local) {
        ctl_buffer_put(out, "\nOptions of every command, such as --json: "
                       "voicectl --help\n");
    }
}


static void
help_options(ctl_buffer_t *out, const ctl_option_t *options)
{
    char                *left;
    const ctl_option_t  *option;

    for (option = options; option->name != NULL; option++) {
        left = option->letter == 0
               ? ctl_format("    --%s%s%s", option->name,
                            option->value == NULL ? "" : " ",
                            option->value == NULL ? "" : option->value)
               : ctl_format("-%c, --%s%s%s", option->letter, option->name,
                            option->value == NULL ? "" : " ",
                            option->value == NULL ? "" : option->value);
        row(out, left, option->help);
        free(left);

        if (option->kind == CTL_CHOICE && !names_choices(option)) {
            row(out, "", option->choices);
        }
    }
}


/* Does the sentence name the first and the last already? */
static int
names_choices(const ctl_option_t *option)
{
    int          named;
    char        *first;
    const char  *last;

    last = strrchr(option->choices, '|');
    last += last[1] == '-' ? 2 : 1;
    first = ctl_copy(voice_span(option->choices,
                                strcspn(option->choices, "|")));
    named = strstr(option->help, first) != NULL
            && strstr(option->help, last) != NULL;
    free(first);

    return named;
}


static void
help_examples(ctl_buffer_t *out, const char *examples)
{
    size_t       len;
    const char  *line;

    for (line = examples; *line != '\0'; line += len) {
        len = strcspn(line, "\n");
        ctl_buffer_fill(out, ' ', HELP_INDENT);
        ctl_buffer_add(out, voice_span(line, len));
        ctl_buffer_put(out, "\n");
        len += line[len] == '\n';
    }
}


static void
heading(ctl_buffer_t *out, const char *text, int color)
{
    ctl_buffer_put(out, "\n");
    ctl_paint(out, voice_span_str(text), color ? CTL_BOLD : CTL_PLAIN);
    ctl_buffer_put(out, "\n");
}


static void
row(ctl_buffer_t *out, const char *left, const char *right)
{
    size_t  used;

    ctl_buffer_fill(out, ' ', HELP_INDENT);
    ctl_buffer_put(out, left);
    used = HELP_INDENT + ctl_text_width(voice_span_str(left));

    if (used + 2 > HELP_COLUMN) {
        ctl_buffer_put(out, "\n");
        used = 0;
    }

    ctl_buffer_fill(out, ' ', HELP_COLUMN - used);
    paragraph(out, right, HELP_COLUMN, HELP_COLUMN);
}


/* Wrapped; the first line begins at a column that is reached already. */
static void
paragraph(ctl_buffer_t *out, const char *text, size_t indent, size_t column)
{
    size_t        len;
    voice_span_t  rest;

    rest = voice_span_str(text);

    while (rest.len > 0) {
        ctl_buffer_fill(out, ' ', column == 0 ? indent : 0);
        column = 0;
        len = ctl_text_wrap(rest, CTL_HELP_WIDTH - indent);
        ctl_buffer_add(out, voice_span(rest.ptr, len));
        ctl_buffer_put(out, "\n");

        len += len < rest.len && rest.ptr[len] == ' ';
        rest = voice_span(rest.ptr + len, rest.len - len);
    }
}
