
/*
 * Commands of schedules.
 */

#include "ctl_commands.h"


#define TIME_OPTIONS                                                          \
    { .name = "name", .kind = CTL_TEXT, .value = "TEXT",                      \
      .help = "what it is called", .place = CTL_BODY },                       \
    { .name = "cron", .kind = CTL_TEXT, .value = "EXPRESSION",                \
      .help = "when: five fields, six with seconds first, or @daily and "     \
        "such",                                                               \
      .place = CTL_BODY, .member = "expression" },                            \
    { .name = "timezone", .kind = CTL_TEXT, .value = "ZONE",                  \
      .help = "as Europe/Berlin; UTC at first", .place = CTL_BODY },         \
    { .name = "missed", .kind = CTL_CHOICE, .value = "HOW",                   \
      .help = "what was due while nobody looked: skip, once for all, all",    \
      .choices = "skip|once|all", .place = CTL_BODY,                          \
      .member = "missed_runs" },                                              \
    { .name = "from", .kind = CTL_TEXT, .value = "TIME",                      \
      .help = "not due before this time, 2026-11-21T19:00:00Z",               \
      .place = CTL_BODY, .member = "starts_at" },                             \
    { .name = "to", .kind = CTL_TEXT, .value = "TIME",                        \
      .help = "not due after this time", .place = CTL_BODY,                   \
      .member = "ends_at" },                                                  \
    { .name = "description", .kind = CTL_TEXT, .value = "TEXT",               \
      .help = "what it is for", .place = CTL_BODY }


static const ctl_field_t  schedule_fields[] = {
    { .title = "ID", .member = "/id" },
    { .title = "NAME", .member = "/name", .flexible = 1 },
    { .title = "WHEN", .member = "/expression" },
    { .title = "ZONE", .member = "/timezone", .spare = 1 },
    { .title = "ON", .member = "/enabled", .as = CTL_AS_YES },
    { .title = "NEXT (UTC)", .member = "/next_at", .as = CTL_AS_TIME,
      .spare = 1 },
    { .title = "LAST (UTC)", .member = "/last_at", .as = CTL_AS_TIME,
      .spare = 1 },
    { .title = "ENDED", .member = "/last_occurrence/state",
      .as = CTL_AS_STATE, .spare = 1 },
    { .title = NULL }
};

static const ctl_field_t  time_fields[] = {
    { .title = "UTC", .member = "/at", .as = CTL_AS_TIME },
    { .title = "LOCAL", .member = "/local" },
    { .title = NULL }
};

static const ctl_option_t  list_options[] = {
    { .name = "search", .kind = CTL_TEXT, .value = "TEXT",
      .help = "with this in their name", .place = CTL_QUERY },
    { .name = "enabled", .kind = CTL_CHOICE, .value = "YES",
      .help = "true or false only", .choices = "true|false",
      .place = CTL_QUERY },
    { .name = "sort", .kind = CTL_CHOICE, .value = "ORDER",
      .help = "created_at, next_at or name; with a minus sign the other way "
        "round",
      .choices = "created_at|-created_at|next_at|-next_at|name|-name",
      .place = CTL_QUERY },
    CTL_LIST_OPTIONS,
    CTL_END
};

static const ctl_option_t  create_options[] = {
    TIME_OPTIONS,
    { .name = "suite", .kind = CTL_TEXT, .value = "NAME|ID",
      .help = "run this suite" },
    { .name = "regression", .kind = CTL_FLAG,
      .help = "run the regression suites" },
    { .name = "language", .letter = 'l', .kind = CTL_TEXT, .value = "TAG",
      .help = "in this language only; several times", .place = CTL_BODY,
      .member = "languages", .repeat = 1 },
    { .name = "priority", .kind = CTL_NUMBER, .value = "N",
      .help = "of the runs, 1 to 10, 10 is the soonest", .place = CTL_BODY,
      .min = 1, .max = 10 },
    { .name = "disabled", .kind = CTL_FLAG, .help = "not due until enabled" },
    CTL_END
};

static const ctl_option_t  change_options[] = {
    TIME_OPTIONS,
    CTL_END
};

static const ctl_option_t  preview_options[] = {
    { .name = "timezone", .kind = CTL_TEXT, .value = "ZONE",
      .help = "as Europe/Berlin; UTC unless said", .place = CTL_BODY },
    { .name = "count", .letter = 'n', .kind = CTL_NUMBER, .value = "N",
      .help = "so many times; 10 unless said", .place = CTL_BODY, .min = 1,
      .max = 100 },
    { .name = "after", .kind = CTL_TEXT, .value = "TIME",
      .help = "after this time, not now", .place = CTL_BODY },
    CTL_END
};

static const ctl_option_t  delete_options[] = {
    CTL_YES_OPTION,
    CTL_END
};

static const ctl_request_t  schedules_list = {
    .method = "GET", .path = "/api/v1/schedules", .fields = schedule_fields,
    .empty = "No schedules."
};

static const ctl_request_t  schedules_show = {
    .method = "GET", .path = "/api/v1/schedules/{}"
};

static const ctl_request_t  schedules_change = {
    .method = "PUT", .path = "/api/v1/schedules/{}"
};

static const ctl_request_t  schedules_delete = {
    .method = "DELETE", .path = "/api/v1/schedules/{}", .said = "deleted",
    .confirm = "Delete these schedules with their history"
};

static const ctl_request_t  schedules_run = {
    .method = "POST", .path = "/api/v1/schedules/{}/run",
    .said = "runs now"
};

static const ctl_request_t  schedules_preview = {
    .method = "POST", .path = "/api/v1/schedules/preview",
    .fields = time_fields
};


const ctl_command_t  ctl_commands_schedules[] = {
    { .name = "schedules", .summary = "what is run at which times",
      .usual = "schedules list" },

    { .name = "schedules list", .summary = "list schedules, newest first",
      .run = ctl_run_list, .options = list_options,
      .request = &schedules_list,
      .examples = "voicectl schedules\n"
        "voicectl schedules list --sort next_at --enabled true" },

    { .name = "schedules show",
      .summary = "all about a schedule, with how it ended last",
      .words = "SCHEDULE", .min = 1, .max = 1, .run = ctl_run_request,
      .request = &schedules_show,
      .examples = "voicectl schedules show "
        "0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "schedules create", .summary = "run a suite at certain times",
      .run = ctl_run_schedules_create, .options = create_options,
      .about = "Needs the role admin or qa_lead. \"voicectl schedules "
        "preview\" shows when an expression is due.",
      .examples = "voicectl schedules create --name Nightly "
        "--cron '0 2 * * *' --timezone Europe/Berlin --suite Navigation\n"
        "voicectl schedules create --name Mondays --cron '0 7 * * MON' "
        "--regression --missed skip" },

    { .name = "schedules change", .summary = "change when a schedule is due",
      .words = "SCHEDULE", .min = 1, .max = 1, .run = ctl_run_request,
      .options = change_options, .request = &schedules_change,
      .about = "What is not named stays as it is. With --from it pauses "
        "until then by itself, and nothing of the time between is made up "
        "for.",
      .examples = "voicectl schedules change "
        "0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2 --cron '30 1 * * *'\n"
        "voicectl schedules change 0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2 "
        "--from 2027-01-04T00:00:00+01:00" },

    { .name = "schedules preview",
      .summary = "when will an expression be due?",
      .words = "EXPRESSION", .min = 1, .max = 1,
      .run = ctl_run_schedules_preview, .options = preview_options,
      .request = &schedules_preview,
      .examples = "voicectl schedules preview '0 2 * * *' "
        "--timezone Europe/Berlin\n"
        "voicectl schedules preview '0 9 L * *' -n 3" },

    { .name = "schedules run", .summary = "run schedules now as well",
      .words = "SCHEDULE...", .min = 1, .run = ctl_run_request,
      .request = &schedules_run,
      .about = "Also those that are not enabled; when they are due next "
        "stays as it was.",
      .examples = "voicectl schedules run "
        "0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "schedules enable", .summary = "let schedules be due again",
      .words = "SCHEDULE...", .min = 1, .run = ctl_run_schedules_enable,
      .examples = "voicectl schedules enable "
        "0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "schedules disable", .summary = "let schedules be due no more",
      .words = "SCHEDULE...", .min = 1, .run = ctl_run_schedules_disable,
      .examples = "voicectl schedules disable "
        "0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "schedules delete",
      .summary = "delete schedules with their history",
      .words = "SCHEDULE...", .min = 1, .run = ctl_run_request,
      .options = delete_options, .request = &schedules_delete,
      .about = "Their jobs that have not ended are cancelled; runs that they "
        "made stay.",
      .examples = "voicectl schedules delete "
        "0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2 --yes" },

    CTL_END
};
