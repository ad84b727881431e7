
/*
 * Who we are: login, logout, config.
 */

#include <termios.h>
#include <unistd.h>

#include "ctl_arguments.h"
#include "ctl_output.h"
#include "ctl_profile.h"
#include "ctl_profile_file.h"
#include "ctl_request.h"
#include "ctl_run.h"
#include "ctl_session.h"
#include "ctl_signal.h"


#define LOGIN_LINE_MAX  512


static ctl_exit_e add_profile(ctl_t *ctl);
static char *ask(const ctl_t *ctl, const char *question, int secret);
static int is_name(const char *name);


ctl_exit_e
ctl_run_login(ctl_t *ctl)
{
    char        *email, *password;
    ctl_exit_e   rc;
    const char  *given, *file;

    if (ctl->profile->stack) {
        return ctl_problem(ctl, CTL_USAGE, "--stack logs in by itself");
    }

    rc = add_profile(ctl);
    if (rc != CTL_OK) {
        return rc;
    }

    given = ctl_option(ctl->arguments, "email");
    file = ctl_option(ctl->arguments, "password-file");
    email = given != NULL ? ctl_copy(voice_span_str(given))
                          : ask(ctl, "Email: ", 0);
    password = email == NULL ? NULL
               : file != NULL ? ctl_secret_read(ctl, file, 0007)
               : ask(ctl, "Password: ", 1);

    rc = ctl_interrupted() ? CTL_INTERRUPTED
         : password == NULL ? CTL_USAGE
         : ctl_session_begin(ctl, email, password,
                             ctl_option(ctl->arguments, "tenant"));

    if (rc == CTL_OK) {
        ctl_say(ctl, "%s is logged in at %s", email, ctl->profile->url);
    }

    if (password != NULL) {
        explicit_bzero(password, strlen(password));
    }

    free(password);
    free(email);

    return rc;
}


ctl_exit_e
ctl_run_logout(ctl_t *ctl)
{
    ctl_exit_e  rc;

    rc = ctl_session_end(ctl);

    if (rc == CTL_OK) {
        ctl_say(ctl, "logged out of %s", ctl->profile->url);
    }

    return rc;
}


ctl_exit_e
ctl_run_config(ctl_t *ctl)
{
    json_t               *shown;
    const char           *credential;
    const ctl_profile_t  *profile;

    profile = ctl->profile;
    credential = ctl_profile_credential(profile);

    if (credential != NULL && strcmp(credential, "login") == 0
        && profile->password == NULL && access(profile->session, F_OK) == -1)
    {
        credential = NULL;
    }

    shown = json_pack("{s:s, s:s, s:s, s:s, s:s*}",
                      "url", profile->url, "profile", profile->name,
                      "file", profile->file, "credential",
                      credential == NULL ? "none" : credential, "ca_file",
                      profile->ca_file);
    ctl_request_show(ctl, shown);
    json_decref(shown);

    return CTL_OK;
}


/* A login at another URL than the profile's needs a profile of its own. */
static ctl_exit_e
add_profile(ctl_t *ctl)
{
    ctl_exit_e      rc;
    const char     *name;
    ctl_profile_t  *profile;

    profile = ctl->profile;

    if (profile->session != NULL && !profile->missing) {
        return CTL_OK;
    }

    name = ctl_option(ctl->arguments, "profile");
    name = name == NULL ? profile->name : name;

    if (!is_name(name)) {
        return ctl_problem(ctl, CTL_USAGE, "a profile's name is letters, "
                           "digits, - and _");
    }

    if (!profile->missing) {
        return ctl_problem(ctl, CTL_USAGE, "the profile \"%s\" is of another "
                           "URL: give --profile NAME for a new one", name);
    }

    rc = ctl_profile_add(ctl, name, profile->url);

    if (rc == CTL_OK) {
        free(profile->session);
        profile->session = ctl_profile_session(ctl, name);
        ctl_note(ctl, "profile \"%s\" added to %s", name, profile->file);
    }

    return rc;
}


/* A line of the terminal, without its end; NULL: told why not. */
static char *
ask(const ctl_t *ctl, const char *question, int secret)
{
    int             got;
    char            line[LOGIN_LINE_MAX], *answer;
    struct termios  usual, silent;

    if (!isatty(STDIN_FILENO)) {
        ctl_problem(ctl, CTL_USAGE, "there is no terminal to ask on: give "
                    "--email and --password-file");
        return NULL;
    }

    /* first of all, as who types fast types now */
    secret = secret && tcgetattr(STDIN_FILENO, &usual) == 0;

    if (secret) {
        silent = usual;
        silent.c_lflag &= ~(tcflag_t) ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }

    fputs(question, stderr);
    got = ctl_input_wait() && fgets(line, sizeof(line), stdin) != NULL;

    if (secret) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
        fputs("\n", stderr);
    }

    if (!got || ctl_interrupted()) {
        ctl_problem(ctl, ctl_interrupted() ? CTL_INTERRUPTED : CTL_USAGE,
                    "nothing was done");
        return NULL;
    }

    line[strcspn(line, "\n")] = '\0';
    answer = ctl_copy(voice_span_str(line));
    explicit_bzero(line, sizeof(line));

    return answer;
}


static int
is_name(const char *name)
{
    return name[0] != '\0'
           && name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] == '\0';
}
