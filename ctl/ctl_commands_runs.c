
/*
 * Commands of suites and runs.
 */

#include "ctl_commands.h"


#define WATCH_OPTIONS                                                         \
    { .name = "timeout", .letter = 't', .kind = CTL_SECONDS,                  \
      .value = "TIME",                                                        \
      .help = "stop watching after this time (exit 6); the run goes on",      \
      .min = 1, .max = 604800 },                                              \
    { .name = "junit", .kind = CTL_FILE, .value = "FILE",                     \
      .help = "write the results as JUnit XML when the run has ended" },      \
    { .name = "poll", .kind = CTL_FLAG,                                       \
      .help = "ask again and again, open no stream" }


static const ctl_field_t  run_fields[] = {
    { .title = "ID", .member = "/id" },
    { .title = "STATUS", .member = "/status", .as = CTL_AS_STATE },
    { .title = "NAME", .member = "/name", .as = CTL_AS_TEXT, .flexible = 1 },
    { .title = "TRIGGER", .member = "/trigger_type", .spare = 1 },
    { .title = "TESTS", .member = "/total_tests",
      .as = CTL_AS_NUMBER, .spare = 1 },
    { .title = "PASSED", .member = "/passed_tests", .as = CTL_AS_NUMBER },
    { .title = "FAILED", .member = "/failed_tests", .as = CTL_AS_NUMBER },
    { .title = "REVIEW", .member = "/pending_validation",
      .as = CTL_AS_NUMBER, .spare = 1 },
    { .title = "CREATED", .member = "/created_at",
      .as = CTL_AS_TIME, .spare = 1 },
    { .title = NULL }
};

static const ctl_field_t  suite_fields[] = {
    { .title = "ID", .member = "/id" },
    { .title = "NAME", .member = "/name", .as = CTL_AS_TEXT, .flexible = 1 },
    { .title = "CATEGORY", .member = "/category", .spare = 1 },
    { .title = "CASES", .member = "/test_case_count",
      .as = CTL_AS_NUMBER, .spare = 1 },
    { .title = "CREATED", .member = "/created_at",
      .as = CTL_AS_TIME, .spare = 1 },
    { .title = NULL }
};

static const ctl_field_t  execution_fields[] = {
    { .title = "CASE", .member = "/test_case_name", .as = CTL_AS_TEXT,
      .flexible = 1 },
    { .title = "LANG", .member = "/language_code" },
    { .title = "STATUS", .member = "/status", .as = CTL_AS_STATE },
    { .title = "REVIEW", .member = "/review_status",
      .as = CTL_AS_STATE, .spare = 1 },
    { .title = "SCORE", .member = "/confidence_score", .as = CTL_AS_PERCENT },
    { .title = "WER", .member = "/wer_score",
      .as = CTL_AS_PERCENT, .spare = 1 },
    { .title = "ANSWER", .member = "/response_time_ms",
      .as = CTL_AS_MS, .spare = 1 },
    { .title = "WHY", .member = "/reason", .as = CTL_AS_TEXT, .flexible = 1 },
    { .title = NULL }
};

static const ctl_option_t  runs_list_options[] = {
    { .name = "status", .kind = CTL_CHOICE, .value = "STATUS",
      .help = "with this status only",
      .choices = "pending|running|completed|failed|cancelled",
      .place = CTL_QUERY },
    { .name = "suite", .kind = CTL_TEXT, .value = "ID",
      .help = "of this suite only", .place = CTL_QUERY,
      .member = "suite_id" },
    { .name = "search", .kind = CTL_TEXT, .value = "TEXT",
      .help = "with this in their name", .place = CTL_QUERY },
    { .name = "trigger", .kind = CTL_TEXT, .value = "TYPE",
      .help = "of this trigger only, as auto:schedule", .place = CTL_QUERY,
      .member = "trigger_type" },
    { .name = "sort", .kind = CTL_CHOICE, .value = "ORDER",
      .help = "created_at, completed_at or priority; with a minus sign the "
        "other way round",
      .choices = "created_at|-created_at|completed_at|-completed_at"
        "|priority|-priority",
      .place = CTL_QUERY },
    CTL_LIST_OPTIONS,
    CTL_END
};

static const ctl_option_t  runs_start_options[] = {
    { .name = "suite", .kind = CTL_TEXT, .value = "NAME|ID",
      .help = "the suite to run" },
    { .name = "case", .kind = CTL_TEXT, .value = "ID",
      .help = "a case, instead of a suite; several times", .place = CTL_BODY,
      .member = "test_case_ids", .repeat = 1 },
    { .name = "language", .letter = 'l', .kind = CTL_TEXT, .value = "TAG",
      .help = "in this language only, en-US; several times",
      .place = CTL_BODY, .member = "languages", .repeat = 1 },
    { .name = "name", .kind = CTL_TEXT, .value = "TEXT",
      .help = "the run's name", .place = CTL_BODY },
    { .name = "priority", .kind = CTL_NUMBER, .value = "N",
      .help = "1 to 10, 10 is the soonest; 5 unless said", .place = CTL_BODY,
      .min = 1, .max = 10 },
    { .name = "trigger", .kind = CTL_TEXT, .value = "TYPE",
      .help = "manual, scheduled, webhook, ci_cd or auto:NAME",
      .place = CTL_BODY, .member = "trigger_type" },
    { .name = "meta", .kind = CTL_PAIR, .value = "NAME=VALUE",
      .help = "kept with the run, as commit_sha=3516a4a; several times",
      .place = CTL_BODY, .member = "trigger_metadata", .repeat = 1 },
    { .name = "wait", .letter = 'w', .kind = CTL_FLAG,
      .help = "watch it to its end" },
    WATCH_OPTIONS,
    CTL_END
};

static const ctl_option_t  runs_watch_options[] = {
    WATCH_OPTIONS,
    CTL_END
};

static const ctl_option_t  regression_options[] = {
    { .name = "trigger", .kind = CTL_TEXT, .value = "WORD",
      .help = "what asks: manual, ci, deployment", .place = CTL_BODY },
    { .name = "language", .letter = 'l', .kind = CTL_TEXT, .value = "TAG",
      .help = "in this language only; several times", .place = CTL_BODY,
      .member = "languages", .repeat = 1 },
    { .name = "name", .kind = CTL_TEXT, .value = "TEXT",
      .help = "of the runs", .place = CTL_BODY },
    { .name = "priority", .kind = CTL_NUMBER, .value = "N",
      .help = "of the runs, 1 to 10, 10 is the soonest", .place = CTL_BODY,
      .min = 1, .max = 10 },
    { .name = "meta", .kind = CTL_PAIR, .value = "NAME=VALUE",
      .help = "kept with the runs; several times", .place = CTL_BODY,
      .member = "metadata", .repeat = 1 },
    CTL_END
};

static const ctl_option_t  suites_options[] = {
    { .name = "search", .kind = CTL_TEXT, .value = "TEXT",
      .help = "with this in their name", .place = CTL_QUERY },
    CTL_LIST_OPTIONS,
    CTL_END
};

static const ctl_option_t  limit_options[] = {
    CTL_LIST_OPTIONS,
    CTL_END
};

static const ctl_request_t  runs_list = {
    .method = "GET", .path = "/api/v1/test-runs", .fields = run_fields,
    .empty = "No runs."
};

static const ctl_request_t  runs_show = {
    .method = "GET", .path = "/api/v1/test-runs/{}"
};

static const ctl_request_t  runs_results = {
    .method = "GET", .path = "/api/v1/test-runs/{}/executions",
    .fields = execution_fields, .empty = "No tests."
};

static const ctl_request_t  runs_cancel = {
    .method = "POST", .path = "/api/v1/test-runs/{}/cancel",
    .said = "cancelled"
};

static const ctl_request_t  runs_retry = {
    .method = "POST", .path = "/api/v1/test-runs/{}/retry"
};

static const ctl_request_t  runs_regression = {
    .method = "POST", .path = "/api/v1/regressions/run"
};

static const ctl_request_t  suites_list = {
    .method = "GET", .path = "/api/v1/test-suites", .fields = suite_fields,
    .empty = "No suites."
};


const ctl_command_t  ctl_commands_runs[] = {
    { .name = "runs", .summary = "test runs: start them, follow them",
      .options = runs_list_options, .usual = "runs list" },

    { .name = "runs list", .summary = "list runs, newest first",
      .run = ctl_run_list, .options = runs_list_options,
      .request = &runs_list,
      .examples = "voicectl runs\n"
        "voicectl runs list --status failed\n"
        "voicectl runs list --search nightly --limit 5" },

    { .name = "runs show", .summary = "all about a run", .words = "RUN",
      .min = 1, .max = 1, .run = ctl_run_request, .request = &runs_show,
      .examples = "voicectl runs show 0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "runs results", .summary = "list what came of a run's tests",
      .words = "RUN", .min = 1, .max = 1, .run = ctl_run_list,
      .options = limit_options, .request = &runs_results,
      .examples = "voicectl runs results 0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2 "
        "--all" },

    { .name = "runs start", .summary = "run a suite, or some cases",
      .run = ctl_run_runs_start, .options = runs_start_options,
      .about = "A suite is named by its id or its whole name. With --wait "
        "the exit code is the run's: 0 if no test failed, 1 if one failed "
        "or the run was cancelled. Tests that wait for a human's verdict "
        "fail nothing.",
      .examples = "voicectl runs start --suite Navigation --wait\n"
        "voicectl runs start --suite Navigation --language en-US --wait "
        "--timeout 30m --junit results.xml --trigger ci_cd --meta "
        "commit_sha=$GIT_COMMIT" },

    { .name = "runs watch", .summary = "follow a run to its end",
      .words = "RUN", .min = 1, .max = 1, .run = ctl_run_runs_watch,
      .options = runs_watch_options,
      .about = "On a terminal a bar shows how far it is, elsewhere each "
        "test has a line. With --json each state is a line of JSON. The "
        "exit code is the run's, as of \"runs start --wait\". Ctrl-C stops "
        "the watching, not the run.",
      .examples = "voicectl runs watch 0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "runs cancel", .summary = "cancel runs", .words = "RUN...",
      .min = 1, .run = ctl_run_request, .request = &runs_cancel,
      .about = "What has not ended of them is skipped.",
      .examples = "voicectl runs cancel "
        "0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "runs retry", .summary = "run again what failed of a run",
      .words = "RUN", .min = 1, .max = 1, .run = ctl_run_request,
      .request = &runs_retry,
      .examples = "voicectl runs retry 0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "runs regression", .summary = "run the regression suites",
      .run = ctl_run_request, .options = regression_options,
      .request = &runs_regression,
      .about = "Adds a job that chooses the suites, as the tenant's settings "
        "say, and starts their runs; its id is shown, and suite_ids: nothing "
        "runs where there are none. The runs are listed by \"voicectl runs "
        "list --trigger auto:TRIGGER\", and followed by \"runs watch\".",
      .examples = "voicectl runs regression --trigger deployment "
        "--meta commit_sha=$GIT_COMMIT" },

    { .name = "suites", .summary = "what can be run",
      .options = suites_options, .usual = "suites list" },

    { .name = "suites list", .summary = "list test suites",
      .run = ctl_run_list, .options = suites_options, .request = &suites_list,
      .examples = "voicectl suites\n"
        "voicectl suites list --search nav" },

    CTL_END
};
