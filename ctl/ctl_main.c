
/*
 * voicectl: reads the command line, finds out whom to speak to, runs the
 * command.
 */

#include <locale.h>

#include "ctl_arguments.h"
#include "ctl_help.h"
#include "ctl_http.h"
#include "ctl_output.h"
#include "ctl_profile.h"
#include "ctl_signal.h"


static int wants_json(char **argv);
static ctl_exit_e run(ctl_t *ctl);
static ctl_exit_e run_command(ctl_t *ctl);


int
main(int argc, char **argv)
{
    ctl_t            ctl;
    ctl_exit_e       rc;
    ctl_arguments_t  arguments;

    (void) argc;
    setlocale(LC_CTYPE, "C.UTF-8");
    ctl_signals_take();

    memset(&ctl, 0, sizeof(ctl_t));
    ctl.arguments = &arguments;

    if (ctl_arguments_read(&arguments, argv + 1) != VOICE_OK) {
        ctl.json = wants_json(argv + 1);
        rc = ctl_problem(&ctl, CTL_USAGE, "%s", arguments.problem);

        if (!ctl.json) {
            fprintf(stderr, "Try: voicectl %s%s--help\n",
                    arguments.command == NULL ? ""
                    : arguments.command->name,
                    arguments.command == NULL ? "" : " ");
        }

    } else {
        ctl.command = arguments.command;
        ctl.json = ctl_option(&arguments, "json") != NULL;
        ctl.quiet = ctl_option(&arguments, "quiet") != NULL;
        ctl.verbose = ctl_option(&arguments, "verbose") != NULL;
        ctl_screen_read(&ctl, ctl_option(&arguments, "color"));
        rc = ctl_output_close(&ctl, run(&ctl));
    }

    ctl_arguments_release(&arguments);

    return (int) rc;
}


/* Also behind the word that cannot be read. */
static int
wants_json(char **argv)
{
    for (/* void */; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
        if (strcmp(*argv, "--json") == 0 || strcmp(*argv, "-j") == 0) {
            return 1;
        }
    }

    return 0;
}


static ctl_exit_e
run(ctl_t *ctl)
{
    ctl_exit_e    rc;
    ctl_buffer_t  help = { 0 };

    if (ctl_option(ctl->arguments, "version") != NULL) {
        printf("voicectl %s\n", CTL_VERSION);
        return CTL_OK;
    }

    if (ctl->command == NULL || ctl->command->run == NULL
        || ctl_option(ctl->arguments, "help") != NULL)
    {
        rc = ctl_option(ctl->arguments, "help") != NULL ? CTL_OK : CTL_USAGE;
        ctl_help(&help, ctl->command, rc == CTL_OK && ctl->screen.color);
        fputs(ctl_buffer_text(&help), rc == CTL_OK ? stdout : stderr);
        ctl_buffer_release(&help);
        return rc;
    }

    return ctl->command->local ? ctl->command->run(ctl) : run_command(ctl);
}


static ctl_exit_e
run_command(ctl_t *ctl)
{
    ctl_exit_e  rc;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    rc = ctl_profile_read(ctl);

    if (rc == CTL_OK) {
        ctl_http_open(ctl);
        rc = ctl->command->run(ctl);
        ctl_http_close(ctl->http);
    }

    ctl_profile_destroy(ctl->profile);
    curl_global_cleanup();

    return rc;
}
