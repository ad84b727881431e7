
/*
 * Commands about who we are and about this program; what all commands take.
 */

#include "ctl_commands.h"


const ctl_option_t  ctl_global_options[] = {
    { .name = "url", .kind = CTL_TEXT, .value = "URL",
      .help = "where Voicegate is" },
    { .name = "profile", .letter = 'p', .kind = CTL_TEXT, .value = "NAME",
      .help = "a profile of the configuration" },
    { .name = "config", .kind = CTL_FILE, .value = "FILE",
      .help = "another file of profiles" },
    { .name = "key-file", .kind = CTL_FILE, .value = "FILE",
      .help = "an API key; - reads it from stdin" },
    { .name = "ca-file", .kind = CTL_FILE, .value = "FILE",
      .help = "certificates to trust, PEM" },
    { .name = "stack", .letter = 's', .kind = CTL_FLAG,
      .help = "the private stack of \"make run\"" },
    { .name = "stack-dir", .kind = CTL_FILE, .value = "DIR",
      .help = "a stack's directory, not run" },
    { .name = "json", .letter = 'j', .kind = CTL_FLAG,
      .help = "results as JSON; a problem, too, on stderr" },
    { .name = "quiet", .letter = 'q', .kind = CTL_FLAG,
      .help = "no remarks, and no results but lists and JSON" },
    { .name = "verbose", .letter = 'v', .kind = CTL_FLAG,
      .help = "tell each request on stderr" },
    { .name = "color", .kind = CTL_CHOICE, .value = "WHEN",
      .help = "auto, always or never", .choices = "auto|always|never" },
    { .name = "patience", .kind = CTL_SECONDS, .value = "TIME",
      .help = "wait so long in all for 429, 503 and broken connections; 30 "
        "s", .min = 0, .max = 86400 },
    { .name = "request-timeout", .kind = CTL_SECONDS, .value = "TIME",
      .help = "of one request; 60 s", .min = 1, .max = 3600 },
    { .name = "help", .letter = 'h', .kind = CTL_FLAG,
      .help = "how a command is used" },
    { .name = "version", .kind = CTL_FLAG,
      .help = "the version of this program" },
    CTL_END
};


static const ctl_option_t  login_options[] = {
    { .name = "email", .kind = CTL_TEXT, .value = "EMAIL",
      .help = "whose login; asked for if absent" },
    { .name = "password-file", .kind = CTL_FILE, .value = "FILE",
      .help = "instead of asking; - reads it from stdin" },
    { .name = "tenant", .kind = CTL_TEXT, .value = "ID",
      .help = "of several tenants this one" },
    CTL_END
};

static const ctl_request_t  whoami = {
    .method = "GET", .path = "/api/v1/auth/me"
};


const ctl_command_t  ctl_commands_self[] = {
    { .name = "login", .summary = "log in with email and password",
      .run = ctl_run_login, .options = login_options,
      .about = "Keeps the login beside the configuration, for this profile; "
        "with --url and --profile it adds the profile. The password is "
        "asked for or read from a file, never given on the command line.",
      .examples = "voicectl login --url https://voice.example --email "
        "ann@acme.example\n"
        "voicectl login --url https://voice.example --profile production" },

    { .name = "logout", .summary = "end the login", .run = ctl_run_logout,
      .examples = "voicectl logout --profile production" },

    { .name = "whoami",
      .summary = "who the caller is, of which tenant, in which role",
      .run = ctl_run_request, .request = &whoami,
      .examples = "voicectl whoami --json | jq -r .role" },

    { .name = "config",
      .summary = "what is configured: URL, profile, kind of credential",
      .run = ctl_run_config, .about = "Shows no secret and asks nobody.",
      .examples = "voicectl config" },

    { .name = "completion",
      .summary = "print the completion script of a shell",
      .words = "bash|zsh", .min = 1, .max = 1, .run = ctl_run_completion,
      .completes = "bash zsh",
      .examples = "source <(voicectl completion bash)\n"
        "voicectl completion zsh > ~/.zfunc/_voicectl", .local = 1 },

    { .name = "manual", .summary = "print the manual page (mdoc)",
      .run = ctl_run_manual, .examples = "voicectl manual | man -l -",
      .local = 1 },

    { .name = "help", .summary = "how a command is used",
      .words = "[COMMAND...]", .max = 4, .run = ctl_run_help,
      .examples = "voicectl help runs start", .local = 1 },

    CTL_END
};
