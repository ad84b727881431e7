
/*
 * Commands of API keys: what a CI needs to come in.
 */

#include "ctl_commands.h"


static const ctl_field_t  key_fields[] = {
    { .title = "ID", .member = "/id" },
    { .title = "NAME", .member = "/name", .flexible = 1 },
    { .title = "ROLE", .member = "/role" },
    { .title = "SECRET", .member = "/prefix", .spare = 1 },
    { .title = "USED", .member = "/last_used_at", .as = CTL_AS_TIME,
      .spare = 1 },
    { .title = "EXPIRES", .member = "/expires_at", .as = CTL_AS_TIME,
      .spare = 1 },
    { .title = "SCOPES", .member = "/scopes", .flexible = 1, .spare = 1 },
    { .title = NULL }
};

static const ctl_option_t  list_options[] = {
    { .name = "search", .kind = CTL_TEXT, .value = "TEXT",
      .help = "with this in their name", .place = CTL_QUERY },
    CTL_LIST_OPTIONS,
    CTL_END
};

static const ctl_option_t  create_options[] = {
    { .name = "name", .kind = CTL_TEXT, .value = "TEXT",
      .help = "what it is called", .place = CTL_BODY },
    { .name = "role", .kind = CTL_TEXT, .value = "ROLE",
      .help = "api_client for a CI; not above one's own",
      .place = CTL_BODY },
    { .name = "scope", .kind = CTL_TEXT, .value = "SCOPE",
      .help = "test-runs:write and such, no more than these; several times",
      .place = CTL_BODY, .member = "scopes", .repeat = 1 },
    { .name = "expires", .kind = CTL_TEXT, .value = "TIME",
      .help = "its end, 2027-11-21T00:00:00Z", .place = CTL_BODY,
      .member = "expires_at" },
    CTL_END
};

static const ctl_option_t  revoke_options[] = {
    CTL_YES_OPTION,
    CTL_END
};

static const ctl_request_t  keys_list = {
    .method = "GET", .path = "/api/v1/api-keys", .fields = key_fields,
    .empty = "No keys."
};

static const ctl_request_t  keys_create = {
    .method = "POST", .path = "/api/v1/api-keys"
};

static const ctl_request_t  keys_revoke = {
    .method = "DELETE", .path = "/api/v1/api-keys/{}", .said = "revoked",
    .confirm = "Revoke these keys for good"
};


const ctl_command_t  ctl_commands_keys[] = {
    { .name = "keys", .summary = "API keys, for a CI and other programs",
      .about = "Needs the role admin.", .usual = "keys list" },

    { .name = "keys list", .summary = "list keys that are in use",
      .run = ctl_run_list, .options = list_options, .request = &keys_list,
      .about = "Of a secret its beginning is shown.",
      .examples = "voicectl keys" },

    { .name = "keys create", .summary = "make a key",
      .run = ctl_run_request, .options = create_options,
      .request = &keys_create,
      .about = "Shows the secret, once: nobody can ask for it again.",
      .examples = "voicectl keys create --name ci --role api_client --json "
        "| jq -r .secret" },

    { .name = "keys revoke", .summary = "end keys for good",
      .words = "KEY...", .min = 1, .run = ctl_run_request,
      .options = revoke_options, .request = &keys_revoke,
      .examples = "voicectl keys revoke "
        "0193500e-6d2f-7c11-9a53-0f3bd1a6e5d2" },

    CTL_END
};
