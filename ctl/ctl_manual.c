
/*
 * The manual page (mdoc), made of the table of commands.
 */

#include "ctl_help.h"
#include "ctl_output.h"
#include "ctl_run.h"
#include "ctl_text.h"


#define MANUAL_WIDTH  72


static void write_commands(ctl_buffer_t *out);
static void write_command(ctl_buffer_t *out, const ctl_command_t *command);
static void write_options(ctl_buffer_t *out, const ctl_option_t *options);
static void write_examples(ctl_buffer_t *out);
static void prose(ctl_buffer_t *out, const char *text);
static void put(ctl_buffer_t *out, const char *text);
static void sentence(ctl_buffer_t *out, const char *text);


static const char  head[] =
    ".\\\" Made by \"voicectl manual\"; docs/voicectl.1 is its copy.\n"
    ".Dd November 21, 2026\n"
    ".Dt VOICECTL 1\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm voicectl\n"
    ".Nd Voicegate's jobs, runs and workers from a terminal and from CI\n"
    ".Sh SYNOPSIS\n"
    ".Nm\n"
    ".Op Ar options\n"
    ".Ar command\n"
    ".Op Ar options\n"
    ".Op Ar argument ...\n"
    ".Sh DESCRIPTION\n"
    "Asks Voicegate's public API and shows what it answers.\n"
    "Options may stand anywhere;\n"
    ".Fl -\n"
    "ends them.\n"
    "A TIME is seconds, or a number with s, m, h or d.\n"
    ".Pp\n"
    "Results go to standard output, remarks and problems to standard error.\n"
    "Text of others is written so that it cannot steer a terminal: control\n"
    "characters and such appear as \\ex1b or \\eu{202e}.\n"
    "Tables are cut to the width of a terminal, elsewhere they are whole.\n"
    "Times are UTC.\n"
    "Colours are used on a terminal only, and not if\n"
    ".Ev NO_COLOR\n"
    "is set.\n"
    ".Pp\n"
    "With\n"
    ".Fl -json\n"
    "a list is an array of all its items, anything else an object as the\n"
    "API gives it; a problem is an object on standard error with\n"
    ".Dq error\n"
    "and\n"
    ".Dq exit .\n"
    ".Pp\n"
    "What is refused for a while (429, 503) or whose connection broke is\n"
    "sent again after the time that the service asks for, with the same\n"
    "Idempotency-Key, so that nothing is done twice.\n";


static const char  files[] =
    ".Sh CONFIGURATION\n"
    "The URL is that of\n"
    ".Fl -url ,\n"
    "else of\n"
    ".Ev VOICEGATE_URL ,\n"
    "else of the profile.\n"
    "The credential is the key of\n"
    ".Fl -key-file ,\n"
    "else of the environment, else of the profile, else the login that\n"
    ".Nm Cm login\n"
    "has kept; those of a profile are sent to its own URL only.\n"
    "A profile that\n"
    ".Fl -profile\n"
    "names is not mixed with the environment.\n"
    "Credentials go to https URLs only, or to this machine.\n"
    ".Bd -literal -offset indent\n"
    "profile = production\n"
    "\n"
    "[production]\n"
    "url = https://voice.example\n"
    "api_key_file = ~/.config/voicegate/production.key\n"
    "\n"
    "[staging]\n"
    "url = https://staging.voice.example\n"
    "ca_file = /etc/ssl/staging.pem\n"
    ".Ed\n"
    ".Pp\n"
    "Settings of a profile are\n"
    ".Cm url , api_key , api_key_file , token_file , ca_file\n"
    "and\n"
    ".Cm plain_http\n"
    "(yes: credentials may go unencrypted).\n"
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width VOICEGATE_CA_FILE\n"
    ".It Ev VOICEGATE_URL\n"
    "Where Voicegate is.\n"
    ".It Ev VOICEGATE_API_KEY\n"
    "An API key.\n"
    ".It Ev VOICEGATE_TOKEN\n"
    "An access token, instead of a key.\n"
    ".It Ev VOICEGATE_PROFILE\n"
    "The profile, instead of the usual one.\n"
    ".It Ev VOICEGATE_CA_FILE\n"
    "Certificates to trust.\n"
    ".It Ev NO_COLOR\n"
    "No colours.\n"
    ".El\n"
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa ~/.config/voicegate/voicectl.conf\n"
    "Profiles; nobody but its owner may read it (mode 0600).\n"
    ".It Pa ~/.config/voicegate/NAME.session\n"
    "The login of a profile.\n"
    ".It Pa run/demo.json\n"
    "What\n"
    ".Fl -stack\n"
    "reads.\n"
    ".El\n";


ctl_exit_e
ctl_run_manual(ctl_t *ctl)
{
    size_t        i;
    ctl_buffer_t  out = { 0 };

    (void) ctl;
    ctl_buffer_put(&out, head);
    ctl_buffer_put(&out, ".Ss Options of every command\n");
    write_options(&out, ctl_global_options);
    write_commands(&out);
    ctl_buffer_put(&out, files);
    ctl_buffer_put(&out, ".Sh EXIT STATUS\n.Bl -tag -width 1234\n");

    for (i = 0; ctl_meanings[i].meaning != NULL; i++) {
        ctl_buffer_format(&out, ".It %d\n", (int) ctl_meanings[i].code);
        sentence(&out, ctl_meanings[i].meaning);
    }

    ctl_buffer_put(&out, ".El\n");
    write_examples(&out);
    ctl_write(&out);
    ctl_buffer_release(&out);

    return CTL_OK;
}


static void
write_commands(ctl_buffer_t *out)
{
    const ctl_command_t  *command;

    ctl_buffer_put(out, ".Sh COMMANDS\n");

    for (command = ctl_command_next(NULL); command != NULL;
         command = ctl_command_next(command))
    {
        if (command->run != NULL) {
            write_command(out, command);

        } else if (command->about != NULL) {
            ctl_buffer_format(out, ".Ss %s\n", command->name);
            prose(out, command->about);
        }
    }
}


static void
write_command(ctl_buffer_t *out, const ctl_command_t *command)
{
    ctl_buffer_format(out, ".Ss %s", command->name);

    if (command->words != NULL) {
        ctl_buffer_format(out, " %s\\&", command->words);
    }

    ctl_buffer_put(out, "\n");
    sentence(out, command->summary);

    if (command->about != NULL) {
        ctl_buffer_put(out, ".Pp\n");
        prose(out, command->about);
    }

    if (command->options != NULL) {
        write_options(out, command->options);
    }
}


static void
write_options(ctl_buffer_t *out, const ctl_option_t *options)
{
    const ctl_option_t  *option;

    ctl_buffer_put(out, ".Bl -tag -width Ds\n");

    for (option = options; option->name != NULL; option++) {
        ctl_buffer_put(out, ".It ");

        if (option->letter != 0) {
            ctl_buffer_format(out, "Fl %c , ", option->letter);
        }

        ctl_buffer_format(out, "Fl -%s", option->name);

        if (option->value != NULL) {
            ctl_buffer_format(out, " Ar %s", option->value);
        }

        ctl_buffer_put(out, "\n");
        sentence(out, option->help);
    }

    ctl_buffer_put(out, ".El\n");
}


static void
write_examples(ctl_buffer_t *out)
{
    const ctl_command_t  *command;

    ctl_buffer_put(out, ".Sh EXAMPLES\n.Bd -literal\n");

    for (command = ctl_command_next(NULL); command != NULL;
         command = ctl_command_next(command))
    {
        if (command->examples != NULL) {
            put(out, command->examples);
            ctl_buffer_put(out, "\n");
        }
    }

    ctl_buffer_put(out, ".Ed\n");
}


/* A paragraph in lines, each sentence on its own. */
static void
prose(ctl_buffer_t *out, const char *text)
{
    size_t         len;
    ctl_buffer_t   lines = { 0 };
    voice_span_t   line;
    const char    *at;

    put(&lines, text);

    for (at = lines.data; *at != '\0'; at += len + 1) {
        line = voice_span(at, strcspn(at, "\n"));
        len = ctl_text_wrap(line, MANUAL_WIDTH);
        ctl_buffer_add(out, voice_span(at, len));
        ctl_buffer_put(out, "\n");

        if (at[len] == '\0') {
            break;
        }
    }

    ctl_buffer_release(&lines);
}


/* Text between macros: no line begins as a macro, no dash is a hyphen. */
static void
put(ctl_buffer_t *out, const char *text)
{
    const char  *at;

    for (at = text; *at != '\0'; at++) {
        if ((at == text || at[-1] == '\n') && (*at == '.' || *at == '\'')) {
            ctl_buffer_put(out, "\\&");
        }

        if (*at == '\\') {
            ctl_buffer_put(out, "\\e");

        } else if (*at == '-' && at > text && at[-1] != ' '
                   && at[-1] != '-')
        {
            ctl_buffer_put(out, "-");

        } else if (*at == '-') {
            ctl_buffer_put(out, "\\-");

        } else {
            ctl_buffer_add(out, voice_span(at, 1));
        }

        if (*at == '.' && at[1] == ' ') {
            ctl_buffer_put(out, "\n");
            at++;
        }
    }
}


static void
sentence(ctl_buffer_t *out, const char *text)
{
    char    first[2] = { text[0], '\0' };
    size_t  len;

    /* names of the API keep their case */
    if (first[0] >= 'a' && first[0] <= 'z'
        && strncmp(text, "created_at", 10) != 0)
    {
        first[0] = (char) (first[0] - 'a' + 'A');
    }

    put(out, first);
    put(out, text + 1);
    len = strlen(text);
    ctl_buffer_put(out, text[len - 1] == '?' ? "\n" : ".\n");
}
