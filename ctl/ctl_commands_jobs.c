
/*
 * Commands of jobs.
 */

#include "ctl_commands.h"


static const ctl_field_t  job_fields[] = {
    { .title = "ID", .member = "/id" },
    { .title = "KIND", .member = "/kind" },
    { .title = "STATE", .member = "/state", .as = CTL_AS_STATE },
    { .title = "PRIO", .member = "/priority",
      .as = CTL_AS_NUMBER, .spare = 1 },
    { .title = "TRY", .member = "/attempt", .as = CTL_AS_NUMBER, .spare = 1 },
    { .title = "DONE", .member = "/progress",
      .as = CTL_AS_PERCENT, .spare = 1 },
    { .title = "CREATED", .member = "/created_at",
      .as = CTL_AS_TIME, .spare = 1 },
    { .title = "ERROR", .member = "/error", .as = CTL_AS_TEXT, .flexible = 1 },
    { .title = NULL }
};

static const ctl_field_t  dead_fields[] = {
    { .title = "ID", .member = "/id" },
    { .title = "KIND", .member = "/kind" },
    { .title = "TRY", .member = "/attempt", .as = CTL_AS_NUMBER, .spare = 1 },
    { .title = "LOST", .member = "/lost", .as = CTL_AS_NUMBER, .spare = 1 },
    { .title = "DIED", .member = "/ended_at", .as = CTL_AS_TIME, .spare = 1 },
    { .title = "ERROR", .member = "/error", .as = CTL_AS_TEXT, .flexible = 1 },
    { .title = NULL }
};

static const ctl_option_t  jobs_list_options[] = {
    { .name = "state", .kind = CTL_CHOICE, .value = "STATE",
      .help = "in this state only",
      .choices = "queued|running|done|dead|cancelled", .place = CTL_QUERY },
    { .name = "kind", .letter = 'k', .kind = CTL_TEXT, .value = "KIND",
      .help = "of this kind only", .place = CTL_QUERY },
    { .name = "queue", .kind = CTL_TEXT, .value = "QUEUE",
      .help = "of this queue only", .place = CTL_QUERY },
    { .name = "subject", .kind = CTL_TEXT, .value = "ID",
      .help = "for this run, call or whatever it is", .place = CTL_QUERY,
      .member = "subject_id" },
    { .name = "group", .kind = CTL_TEXT, .value = "ID",
      .help = "of this group only", .place = CTL_QUERY,
      .member = "group_id" },
    { .name = "trace", .kind = CTL_TEXT, .value = "ID",
      .help = "of this trace only", .place = CTL_QUERY,
      .member = "trace_id" },
    { .name = "from", .kind = CTL_TEXT, .value = "TIME",
      .help = "made at this time or later, 2026-11-21T19:00:00Z",
      .place = CTL_QUERY, .member = "created_from" },
    { .name = "to", .kind = CTL_TEXT, .value = "TIME",
      .help = "made at this time or earlier", .place = CTL_QUERY,
      .member = "created_to" },
    { .name = "sort", .kind = CTL_CHOICE, .value = "ORDER",
      .help = "created_at, run_at, ended_at or priority; with a minus sign "
        "the other way round",
      .choices = "created_at|-created_at|run_at|-run_at|ended_at"
        "|-ended_at|priority|-priority",
      .place = CTL_QUERY },
    CTL_TENANT_OPTION,
    CTL_LIST_OPTIONS,
    CTL_END
};

static const ctl_option_t  job_options[] = {
    CTL_TENANT_OPTION,
    CTL_END
};

static const ctl_option_t  dead_list_options[] = {
    { .name = "kind", .letter = 'k', .kind = CTL_TEXT, .value = "KIND",
      .help = "of this kind only", .place = CTL_QUERY },
    { .name = "queue", .kind = CTL_TEXT, .value = "QUEUE",
      .help = "of this queue only", .place = CTL_QUERY },
    { .name = "older-than", .kind = CTL_SECONDS, .value = "TIME",
      .help = "that died so long ago", .place = CTL_QUERY,
      .member = "older_than_seconds" },
    CTL_TENANT_OPTION,
    CTL_LIST_OPTIONS,
    CTL_END
};

static const ctl_option_t  dead_options[] = {
    { .name = "kind", .letter = 'k', .kind = CTL_TEXT, .value = "KIND",
      .help = "of this kind only", .place = CTL_BODY },
    { .name = "older-than", .kind = CTL_SECONDS, .value = "TIME",
      .help = "that died so long ago", .place = CTL_BODY,
      .member = "older_than_seconds" },
    { .name = "limit", .letter = 'n', .kind = CTL_NUMBER, .value = "N",
      .help = "so many at most, oldest first; 1000 unless said",
      .place = CTL_BODY, .min = 1, .max = 10000 },
    CTL_TENANT_OPTION,
    CTL_YES_OPTION,
    CTL_END
};

static const ctl_option_t  probe_options[] = {
    { .name = "work-ms", .kind = CTL_NUMBER, .value = "MS",
      .help = "how long the job works", .place = CTL_BODY, .min = 0,
      .max = 10000 },
    { .name = "priority", .kind = CTL_NUMBER, .value = "N",
      .help = "1 to 10, 10 is the soonest", .place = CTL_BODY, .min = 1,
      .max = 10 },
    { .name = "fail", .kind = CTL_CHOICE, .value = "HOW",
      .help = "let it fail: each attempt, or for good at once",
      .choices = "retry|dead", .place = CTL_BODY },
    { .name = "timeout", .letter = 't', .kind = CTL_SECONDS,
      .value = "TIME", .help = "give up after this time (exit 6); 60 s",
      .min = 1, .max = 86400 },
    CTL_END
};

static const ctl_request_t  jobs_list = {
    .method = "GET", .path = "/api/v1/jobs", .fields = job_fields,
    .empty = "No jobs."
};

static const ctl_request_t  jobs_show = {
    .method = "GET", .path = "/api/v1/jobs/{}"
};

static const ctl_request_t  jobs_retry = {
    .method = "POST", .path = "/api/v1/jobs/{}/retry",
    .said = "queued again"
};

static const ctl_request_t  jobs_cancel = {
    .method = "POST", .path = "/api/v1/jobs/{}/cancel", .said = "cancelled"
};

static const ctl_request_t  dead_list = {
    .method = "GET", .path = "/api/v1/jobs/dead", .fields = dead_fields,
    .empty = "No dead letters."
};

static const ctl_request_t  dead_requeue = {
    .method = "POST", .path = "/api/v1/jobs/dead/requeue", .ids = "ids",
    .confirm = "Queue dead letters again"
};

static const ctl_request_t  dead_purge = {
    .method = "POST", .path = "/api/v1/jobs/dead/purge", .ids = "ids",
    .confirm = "Delete dead letters for good"
};


const ctl_command_t  ctl_commands_jobs[] = {
    { .name = "jobs", .summary = "what the workers do, did and will do",
      .about = "A job is one piece of work of the pool: a spoken test case, "
        "its validation, the processing of a call. These commands need the "
        "role admin.",
      .options = jobs_list_options, .usual = "jobs list" },

    { .name = "jobs list", .summary = "list jobs, newest first",
      .run = ctl_run_list, .options = jobs_list_options,
      .request = &jobs_list,
      .examples = "voicectl jobs\n"
        "voicectl jobs list --state running\n"
        "voicectl jobs list --kind validation --from 2026-11-21T00:00:00Z\n"
        "voicectl jobs list --state queued --all --json | jq length" },

    { .name = "jobs show",
      .summary = "all about a job, with its failed attempts",
      .words = "JOB", .min = 1, .max = 1, .run = ctl_run_request,
      .options = job_options, .request = &jobs_show,
      .examples = "voicectl jobs show 0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "jobs retry", .summary = "queue dead or cancelled jobs again",
      .words = "JOB...", .min = 1, .run = ctl_run_request,
      .options = job_options, .request = &jobs_retry,
      .about = "Each gets fresh counts. What follows from a job's end may "
        "have happened already; then it is refused with the way to repeat "
        "it.",
      .examples = "voicectl jobs retry 0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "jobs cancel", .summary = "cancel jobs that wait or run",
      .words = "JOB...", .min = 1, .run = ctl_run_request,
      .options = job_options, .request = &jobs_cancel,
      .about = "A job that runs is cancelled at once: nothing that it still "
        "does counts. Its process is asked to end, then killed.",
      .examples = "voicectl jobs cancel "
        "0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    { .name = "jobs dead",
      .summary = "dead letters: jobs that were given up",
      .options = dead_list_options, .usual = "jobs dead list" },

    { .name = "jobs dead list",
      .summary = "list dead letters, latest first", .run = ctl_run_list,
      .options = dead_list_options, .request = &dead_list,
      .examples = "voicectl jobs dead\n"
        "voicectl jobs dead list --kind test_execution --older-than 1h" },

    { .name = "jobs dead requeue", .summary = "queue dead letters again",
      .words = "[JOB...]", .run = ctl_run_request, .options = dead_options,
      .request = &dead_requeue,
      .about = "Those that are named, or all that the options choose. What "
        "cannot be repeated by itself is passed over and counted.",
      .examples = "voicectl jobs dead requeue --kind call_processing\n"
        "voicectl jobs dead requeue 0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2 "
        "--yes" },

    { .name = "jobs dead purge", .summary = "delete dead letters for good",
      .words = "[JOB...]", .run = ctl_run_request, .options = dead_options,
      .request = &dead_purge,
      .examples = "voicectl jobs dead purge --older-than 30d\n"
        "voicectl jobs dead purge --kind probe --yes" },

    { .name = "probe", .summary = "send a job through queue and workers",
      .run = ctl_run_probe, .options = probe_options,
      .about = "Adds a job that does nothing but take its time, and tells "
        "how long it waited and ran. Exit code 1 if it did not end well, 6 "
        "if it did not end in time.",
      .examples = "voicectl probe\n"
        "voicectl probe --work-ms 500 --timeout 10s --json" },

    CTL_END
};
