
/*
 * Commands of queues, kinds of jobs and pools of workers.
 */

#include "ctl_commands.h"


static const ctl_field_t  queue_fields[] = {
    { .title = "QUEUE", .member = "/queue" },
    { .title = "KIND", .member = "/kind" },
    { .title = "STATE", .member = "/state", .as = CTL_AS_STATE },
    { .title = "QUEUED", .member = "/queued", .as = CTL_AS_NUMBER },
    { .title = "DUE", .member = "/due", .as = CTL_AS_NUMBER },
    { .title = "OLDEST", .member = "/oldest_due_seconds",
      .as = CTL_AS_SECONDS, .spare = 1 },
    { .title = "RUNNING", .member = "/running", .as = CTL_AS_NUMBER },
    { .title = "DEAD", .member = "/dead", .as = CTL_AS_NUMBER },
    { .title = "DONE/H", .member = "/done_last_hour",
      .as = CTL_AS_NUMBER, .spare = 1 },
    { .title = NULL }
};

static const ctl_request_t  queues_list = {
    .method = "GET", .path = "/api/v1/queues", .fields = queue_fields,
    .empty = "No queues.", .whole = 1
};

static const ctl_request_t  queues_pause = {
    .method = "POST", .path = "/api/v1/queues/{}/pause", .said = "paused"
};

static const ctl_request_t  queues_resume = {
    .method = "POST", .path = "/api/v1/queues/{}/resume",
    .said = "goes on"
};

static const ctl_request_t  kinds_pause = {
    .method = "POST", .path = "/api/v1/job-kinds/{}/pause",
    .said = "paused"
};

static const ctl_request_t  kinds_resume = {
    .method = "POST", .path = "/api/v1/job-kinds/{}/resume",
    .said = "goes on"
};

static const ctl_field_t  setting_fields[] = {
    { .title = "SETTING", .member = "/setting" },
    { .title = "VALUE", .member = "/value" },
    { .title = "DEFAULT", .member = "/default" },
    { .title = NULL }
};

static const ctl_request_t  kinds_show = {
    .method = "GET", .path = "/api/v1/job-kinds/{}",
    .fields = setting_fields
};

static const ctl_request_t  kinds_set = {
    .method = "PUT", .path = "/api/v1/job-kinds/{}",
    .fields = setting_fields
};

static const ctl_option_t  worker_options[] = {
    { .name = "status", .kind = CTL_CHOICE, .value = "STATUS",
      .help = "online or offline only", .choices = "online|offline",
      .place = CTL_QUERY },
    CTL_END
};

static const ctl_field_t  worker_fields[] = {
    { .title = "NAME", .member = "/name", .as = CTL_AS_TEXT, .flexible = 1 },
    { .title = "STATUS", .member = "/status", .as = CTL_AS_STATE },
    { .title = "ACTIVE", .member = "/active_tasks", .as = CTL_AS_NUMBER },
    { .title = "OF", .member = "/max_concurrency", .as = CTL_AS_NUMBER },
    { .title = "STARTED", .member = "/started_at",
      .as = CTL_AS_TIME, .spare = 1 },
    { .title = "SEEN", .member = "/last_seen_at",
      .as = CTL_AS_TIME, .spare = 1 },
    { .title = "CHILDREN", .member = "/children", .as = CTL_AS_TEXT,
      .flexible = 1 },
    { .title = NULL }
};

static const ctl_request_t  workers_list = {
    .method = "GET", .path = "/api/v1/workers", .fields = worker_fields,
    .empty = "No pool was seen within the last hour.", .whole = 1
};


const ctl_command_t  ctl_commands_queues[] = {
    { .name = "queues", .summary = "where jobs wait, and their kinds",
      .about = "For the role platform_admin: the figures are those of all "
        "tenants.",
      .usual = "queues list" },

    { .name = "queues list", .summary = "list queues with their kinds",
      .run = ctl_run_queues, .request = &queues_list,
      .about = "Due are those that could run now; oldest is how long the "
        "first of these waits.",
      .examples = "voicectl queues\n"
        "voicectl queues list --json | jq '.[].kinds[] | select(.dead > 0)'",
      .platform = 1 },

    { .name = "queues pause", .summary = "claim nothing of some queues",
      .words = "QUEUE...", .min = 1, .run = ctl_run_request,
      .request = &queues_pause, .about = "What runs goes on to its end.",
      .examples = "voicectl queues pause test_execution", .platform = 1 },

    { .name = "queues resume", .summary = "let some queues go on",
      .words = "QUEUE...", .min = 1, .run = ctl_run_request,
      .request = &queues_resume,
      .examples = "voicectl queues resume test_execution", .platform = 1 },

    { .name = "kinds",
      .summary = "kinds of jobs: their settings; pause one alone",
      .about = "For the role platform_admin. \"voicectl queues\" lists "
        "them." },

    { .name = "kinds show", .summary = "show the settings of a kind",
      .words = "KIND", .min = 1, .max = 1, .run = ctl_run_kind,
      .request = &kinds_show,
      .about = "The default is that of the release, where somebody has "
        "changed it; - is no limit.",
      .examples = "voicectl kinds show test_execution\n"
        "voicectl kinds show validation --json | jq .settings.rate",
      .platform = 1 },

    { .name = "kinds set", .summary = "change settings of a kind",
      .words = "KIND NAME=VALUE...", .min = 2, .run = ctl_run_kind,
      .request = &kinds_set,
      .completes = "soft_seconds= hard_seconds= max_attempts= max_lost= "
        "backoff= backoff_seconds= backoff_max= jitter= window_seconds= "
        "defer_seconds= prefetch= running_max= tenant_running_max= rate= "
        "rate_burst= heavy= result_seconds= keep_days=",
      .about = "\"kinds show\" lists the names. A value is a number, yes, "
        "no or a word; default takes the change back. Workers obey from "
        "their next claim on, without a restart, and an upgrade keeps it. "
        "hard_seconds is lowered only while no job of the kind runs.",
      .examples = "voicectl kinds set call_processing max_attempts=8 "
        "backoff_max=300\n"
        "voicectl kinds set test_execution tenant_running_max=10 rate=2.5\n"
        "voicectl kinds set test_execution rate=default",
      .platform = 1 },

    { .name = "kinds pause", .summary = "claim nothing of some kinds",
      .words = "KIND...", .min = 1, .run = ctl_run_request,
      .request = &kinds_pause, .about = "What runs goes on to its end.",
      .examples = "voicectl kinds pause validation", .platform = 1 },

    { .name = "kinds resume", .summary = "let some kinds go on",
      .words = "KIND...", .min = 1, .run = ctl_run_request,
      .request = &kinds_resume,
      .examples = "voicectl kinds resume validation", .platform = 1 },

    { .name = "workers", .summary = "the pools that do the jobs",
      .options = worker_options, .usual = "workers list" },

    { .name = "workers list",
      .summary = "list pools, with their processes a queue",
      .run = ctl_run_list, .options = worker_options,
      .request = &workers_list, .about = "Needs the role platform_admin.",
      .examples = "voicectl workers\n"
        "voicectl workers list --status offline", .platform = 1 },

    { .name = "workers health",
      .summary = "are there workers, and do they keep up?",
      .run = ctl_run_workers_health,
      .about = "A line for the whole and one for each thing that is to be "
        "looked at. Asks without a login. Exit code 1 where it is critical: "
        "nobody works, or due jobs wait in a queue that nobody serves.",
      .examples = "voicectl workers health\n"
        "voicectl workers health --quiet || page-somebody" },

    CTL_END
};
