
/*
 * The tables of settings: names, types, defaults, ranges, meaning.
 */

#include <errno.h>

#include "worker_setting.h"


static worker_settings_t *settings_create(const char *file,
    worker_reader_t *reader);
static void print_table(FILE *out, const worker_setting_t *table);


#define ROOT(member)     offsetof(worker_settings_t, member)
#define PROFILE(member)  offsetof(worker_profile_t, member)


const worker_setting_t  worker_root_table[] = {
    { "worker_name", worker_set_text, ROOT(worker_name),
      "", 0, 100,
      "Name of this pool in logs, leases and `/health`; empty: "
      "`<host>:<pid>`." },
    { "postgres_host", worker_set_endpoints, ROOT(postgres),
      "/var/run/postgresql", 1, 0,
      "IP address or directory of the socket; no host names, for looking "
      "one up blocks.  Several, `IP:PORT, IP:PORT`, are a primary and its "
      "standbys: whichever takes writes is used." },
    { "postgres_port", worker_set_number, ROOT(postgres_port),
      "5432", 1, 65535,
      "Port where an address has none, also part of a socket's name." },
    { "postgres_dbname", worker_set_text, ROOT(postgres_dbname),
      "voicegate", 1, 63,
      "Database." },
    { "postgres_user", worker_set_text, ROOT(postgres_user),
      "voice_worker", 1, 63,
      "Role; it may execute `work.*` and nothing else." },
    { "postgres_password_file", worker_set_secret, ROOT(postgres_password),
      "", 0, WORKER_SECRET_MAX,
      "File that holds the password; empty: none." },
    { "postgres_connect_seconds", worker_set_number,
      ROOT(postgres_connect_seconds), "3", 1, 60,
      "Time for one attempt to connect." },
    { "postgres_statement_ms", worker_set_number, ROOT(postgres_statement_ms),
      "10000", 100, 600000,
      "Time for one statement." },
    { "postgres_wait_seconds", worker_set_number, ROOT(postgres_wait_seconds),
      "60", 0, 3600,
      "At start: how long to wait for PostgreSQL to be up." },
    { "shard", worker_set_text, ROOT(shard),
      "", 0, 63,
      "Name that the edge's voice_postgres has for this database; empty: the"
      " main one." },
    { "redis_host", worker_set_endpoints, ROOT(redis),
      "127.0.0.1", 1, 0,
      "IP address or path of the socket.  Several, `IP:PORT, IP:PORT`, are "
      "a master and its replicas: whichever is the master is used." },
    { "redis_port", worker_set_number, ROOT(redis_port),
      "6379", 1, 65535,
      "Port where an address has none; not used with a socket." },
    { "redis_sentinel", worker_set_endpoints, ROOT(sentinels),
      "", 0, 0,
      "`IP:PORT, IP:PORT, IP:PORT`: Sentinels, who are asked for the "
      "master's address instead (port 26379 where an address has none)." },
    { "redis_master", worker_set_text, ROOT(redis_master),
      "", 0, 100,
      "Name that the Sentinels have for the master." },
    { "redis_sentinel_user", worker_set_text, ROOT(sentinel_user),
      "", 0, 63,
      "ACL user of the Sentinels; empty: the default user." },
    { "redis_sentinel_password_file", worker_set_secret,
      ROOT(sentinel_password), "", 0, WORKER_SECRET_MAX,
      "File that holds the password of the Sentinels; empty: none." },
    { "redis_user", worker_set_text, ROOT(redis_user),
      "", 0, 63,
      "ACL user; empty: the default user." },
    { "redis_password_file", worker_set_secret, ROOT(redis_password),
      "", 0, WORKER_SECRET_MAX,
      "File that holds the password; empty: none." },
    { "redis_timeout_ms", worker_set_number, ROOT(redis_timeout_ms),
      "2000", 50, 60000,
      "Time to connect and for one command." },
    { "publish_socket", worker_set_path, ROOT(publish_socket),
      "", 0, 100,
      "Socket of nginx's internal publisher; empty: this pool runs no "
      "relay." },
    { "object_dir", worker_set_path, ROOT(object_dir),
      "/var/lib/voicegate/objects", 1, 3000,
      "Directory of stored audio; the edge serves it." },
    { "speech_dir", worker_set_path, ROOT(speech_dir),
      "/usr/share/voicegate/speech", 1, 3000,
      "Directory of the speech domain files." },
    { "analysis_dir", worker_set_path, ROOT(analysis_dir),
      "/usr/share/voicegate/conf/analysis", 1, 3000,
      "Directory of the files that calls are analysed by: lexicons of "
      "sentiment, words of languages." },
    { "cache_dir", worker_set_path, ROOT(cache_dir),
      "/var/cache/voicegate", 1, 3000,
      "Directory of spoken inputs, named by content; may be emptied." },
    { "log_file", worker_set_path, ROOT(log_file),
      "", 0, 500,
      "JSON lines; empty: standard error.  USR1 opens it again." },
    { "pid_file", worker_set_path, ROOT(pid_file),
      "", 0, 3000,
      "Held locked while the pool runs; empty: none.  Read at start only." },
    { "log_level", worker_set_level, ROOT(log_level),
      "info", 0, 0,
      "`debug`, `info`, `warn` or `error`." },
    { "agent_listen", worker_set_listen, ROOT(agent_listen),
      "0", 0, 0,
      "`IP:PORT` of the built-in voice agent; `0`: off." },
    { "default_agent", worker_set_text, ROOT(default_agent),
      "", 0, 40,
      "Agent profile of tests that name none; empty: the first." },
    { "default_asr", worker_set_text, ROOT(default_asr),
      "", 0, 40,
      "ASR profile; empty: the embedded recogniser." },
    { "default_embeddings", worker_set_text, ROOT(default_embeddings),
      "", 0, 40,
      "Embeddings profile; empty: the lexical measure." },
    { "default_analysis", worker_set_text, ROOT(default_analysis),
      "", 0, 40,
      "Analysis profile of calls of tenants that name none; empty: the "
      "embedded one." },
    { "call_hear_seconds", worker_set_number, ROOT(call_hear_seconds),
      "240", 0, 86400,
      "Seconds of a recording that the embedded recogniser listens to; what "
      "is left is noted with the call." },
    { "recording_max", worker_set_size, ROOT(recording_max),
      "134217728", 65536, 256L << 20,
      "Bytes of a call's recording (at 8 kHz two hours are 115 MB); what is "
      "cut is noted with the call." },
    { "call_text_max", worker_set_size, ROOT(call_text_max),
      "262144", 1024, 16L << 20,
      "Bytes of a call's text that are analysed and kept; what is cut is "
      "noted with the call." },
    { "grace_seconds", worker_set_number, ROOT(grace_seconds),
      "30", 0, 3600,
      "Graceful stop: time for running jobs, then they are killed and run "
      "again later." },
    { "beat_ms", worker_set_number, ROOT(beat_ms),
      "3000", 100, 10000,
      "Between two heartbeats." },
    { "keeper_ms", worker_set_number, ROOT(keeper_ms),
      "250", 50, 60000,
      "Between two looks of the keeper for due jobs; sooner where one is "
      "due sooner." },
    { "purge_seconds", worker_set_number, ROOT(purge_seconds),
      "3600", 1, 86400,
      "Between two purges of what retention has ended for." },
    { "packet_days", worker_set_number, ROOT(packet_days),
      "30", 1, 36500,
      "Days after that of its beginning for which a call's packets are "
      "kept." },
    { "relay_ms", worker_set_number, ROOT(relay_ms),
      "1000", 10, 60000,
      "The relay looks for events this often when nothing wakes it." },
    { "relay_batch", worker_set_number, ROOT(relay_batch),
      "100", 1, 1000,
      "Events that the relay takes at once." },
    { "poll_ms", worker_set_number, ROOT(poll_ms),
      "1500", 100, 60000,
      "Between two claims while Redis is down, give or take a third." },
    { "block_ms", worker_set_number, ROOT(block_ms),
      "2000", 100, 60000,
      "How long one read of a stream waits." },
    { "child_jobs", worker_set_number, ROOT(child_jobs),
      "1000", 1, 100000000,
      "Jobs that a child runs before another takes its place." },
    { "lease_ms", worker_set_number, ROOT(lease_ms),
      "28000", 500, 28000,
      "When no heartbeat was answered for so long, what children run is "
      "killed, for others may run it soon: a claim is good for 30 s." },
    { "guard_cpu", worker_set_number, ROOT(guard_cpu),
      "85", 0, 100,
      "Percent of all processors over which heavy jobs wait, the child's own "
      "share not counted; `0`: off." },
    { "guard_memory_mb", worker_set_number, ROOT(guard_memory_mb),
      "2048", 0, 16777216,
      "MB that the processes of the pool share with no other, over which "
      "heavy jobs wait; `0`: off." },
    { NULL, NULL, 0, NULL, 0, 0, NULL }
};


/* One table for all kinds of providers; each uses the rows it needs. */
const worker_setting_t  worker_profile_table[] = {
    { "provider", worker_set_text, PROFILE(provider),
      "", 0, 40,
      "Name of the provider; empty: `houndify` for agents, `http` for an "
      "analysis, `openai` for the others." },
    { "base_url", worker_set_url, PROFILE(base_url),
      "", 0, 1000,
      "`http://` or `https://`; empty: the provider's own." },
    { "path", worker_set_suffix, PROFILE(path),
      "", 0, 500,
      "Added to `base_url` for text; empty: the provider's own." },
    { "audio_path", worker_set_suffix, PROFILE(audio_path),
      "", 0, 500,
      "The same for audio." },
    { "mode", worker_set_mode, PROFILE(mode),
      "audio", 0, 0,
      "`audio` or `text`: what an agent is sent." },
    { "client_id", worker_set_text, PROFILE(client_id),
      "", 0, 200,
      "Houndify client id." },
    { "client_key_file", worker_set_secret, PROFILE(client_key),
      "", 0, WORKER_SECRET_MAX,
      "File that holds the Houndify client key." },
    { "api_key_file", worker_set_secret, PROFILE(api_key),
      "", 0, WORKER_SECRET_MAX,
      "File that holds a bearer key." },
    { "signature", worker_set_signature, PROFILE(signature),
      "both", 0, 0,
      "Houndify signature headers: `public`, `document` or `both`." },
    { "model", worker_set_text, PROFILE(model),
      "", 0, 200,
      "Model that an endpoint is asked for." },
    { "audio_model", worker_set_text, PROFILE(audio_model),
      "", 0, 200,
      "The same for audio, where an analysis asks for both." },
    { "text_pointer", worker_set_text, PROFILE(text_pointer),
      "", 0, 200,
      "JSON Pointer to the text of a reply; empty: the provider's own." },
    { "audio_pointer", worker_set_text, PROFILE(audio_pointer),
      "", 0, 200,
      "JSON Pointer to base64 audio in a reply." },
    { "connect_ms", worker_set_number, PROFILE(connect_ms),
      "3000", 1, 60000,
      "Time to connect." },
    { "timeout_ms", worker_set_number, PROFILE(timeout_ms),
      "10000", 1, 600000,
      "Time for one attempt." },
    { "retries", worker_set_number, PROFILE(retries),
      "3", 0, 10,
      "Attempts after the first, with waits of 2, 4, 8, 10 .. s; not of an "
      "analysis, whose jobs are tried again." },
    { "open_ms", worker_set_number, PROFILE(open_ms),
      "0", 0, 3600000,
      "How long a host that failed five times in a row is left alone; `0`: "
      "60000 for an analysis, 30000 for the others." },
    { "max_response", worker_set_size, PROFILE(max_response),
      "16777216", 1, 64L << 20,
      "Bytes of a reply that are read." },
    { "allow_private", worker_set_flag, PROFILE(allow_private),
      "no", 0, 0,
      "`yes`: loopback and private addresses may be called." },
    { NULL, NULL, 0, NULL, 0, 0, NULL }
};


#undef ROOT
#undef PROFILE


_Static_assert(VOICE_ARRAY_SIZE(worker_root_table) <= WORKER_ROWS_MAX,
               "worker_reader_t.seen has a place for each row");


const char *const  worker_profile_names[WORKER_PROFILE_COUNT] = {
    "agent", "asr", "embeddings", "analysis"
};

const char *const  worker_profile_providers[WORKER_PROFILE_COUNT] = {
    "houndify", "openai", "openai", "http"
};

const int  worker_profile_open_ms[WORKER_PROFILE_COUNT] = {
    30000, 30000, 30000, 60000
};


worker_settings_t *
worker_settings_read(const char *file, char problem[WORKER_PROBLEM_MAX])
{
    FILE               *in;
    worker_reader_t            reader;
    voice_rc_t          rc;
    worker_settings_t  *settings;

    memset(&reader, 0, sizeof(worker_reader_t));
    reader.problem = problem;

    settings = settings_create(file, &reader);
    if (settings == NULL) {
        snprintf(problem, WORKER_PROBLEM_MAX, "%s: out of memory", file);
        return NULL;
    }

    in = fopen(file, "re");
    if (in == NULL) {
        snprintf(problem, WORKER_PROBLEM_MAX, "%s: %s", file,
                 strerror(errno));
        worker_settings_destroy(settings);
        return NULL;
    }

    rc = worker_settings_load(&reader, in);
    fclose(in);

    if (rc != VOICE_OK) {
        worker_settings_destroy(settings);
        return NULL;
    }

    return settings;
}


void
worker_settings_destroy(worker_settings_t *settings)
{
    if (settings != NULL) {
        worker_arena_destroy(settings->memory);
    }
}


const worker_profile_t *
worker_settings_profile(const worker_settings_t *settings,
    worker_profile_e kind, const char *name)
{
    unsigned                 i;
    const char              *fallback;
    const worker_profile_t  *profile;

    if (name == NULL || name[0] == '\0') {
        const char *const  fallbacks[WORKER_PROFILE_COUNT] = {
            settings->default_agent, settings->default_asr,
            settings->default_embeddings, settings->default_analysis
        };

        fallback = fallbacks[kind];

        if (fallback[0] == '\0' && kind != WORKER_PROFILE_AGENT) {
            return NULL;
        }

        name = fallback;
    }

    for (i = 0; i < settings->nprofiles; i++) {
        profile = &settings->profiles[i];

        if (profile->kind == kind
            && (name[0] == '\0' || strcmp(profile->name, name) == 0))
        {
            return profile;
        }
    }

    return NULL;
}


void
worker_settings_print(FILE *out)
{
    fprintf(out, "Lines are `key = value`; `#` starts a comment line.  A "
            "path is absolute or\nstarts at the directory of the file.  "
            "Unknown and repeated keys are refused.\n\n"
            "## Queues\n\n`queue NAME = CHILDREN` (1 to 64), once for each "
            "queue that this pool serves.\n`queue NAME = 2..10`: that many "
            "at least and at most, as the load asks for.\n\n"
            "## Pool\n\n");
    print_table(out, worker_root_table);
    fprintf(out, "\n## Profiles\n\nSections `[agent NAME]`, `[asr NAME]`, "
            "`[embeddings NAME]` and `[analysis NAME]`, each with these "
            "keys:\n\n");
    print_table(out, worker_profile_table);
}


static worker_settings_t *
settings_create(const char *file, worker_reader_t *reader)
{
    worker_settings_t  *settings;

    reader->arena = worker_arena_create();
    if (reader->arena == NULL) {
        return NULL;
    }

    settings = worker_arena_alloc(reader->arena, sizeof(worker_settings_t));
    if (settings == NULL) {
        worker_arena_destroy(reader->arena);
        return NULL;
    }

    settings->memory = reader->arena;
    settings->file = worker_arena_copy(reader->arena, voice_span_str(file));
    settings->profiles = worker_arena_alloc(reader->arena,
                             WORKER_PROFILES_MAX * sizeof(worker_profile_t));

    if (settings->file == NULL || settings->profiles == NULL) {
        worker_arena_destroy(reader->arena);
        return NULL;
    }

    reader->settings = settings;
    reader->table = worker_root_table;
    reader->base = settings;

    return settings;
}


static void
print_table(FILE *out, const worker_setting_t *table)
{
    const worker_setting_t  *row;

    fprintf(out, "| key | default | range | meaning |\n"
            "|---|---|---|---|\n");

    for (row = table; row->name != NULL; row++) {
        fprintf(out, "| `%s` | %s%s%s |", row->name,
                row->fallback[0] == '\0' ? "" : "`", row->fallback,
                row->fallback[0] == '\0' ? "" : "`");

        if (row->set == worker_set_number || row->set == worker_set_size) {
            fprintf(out, " %ld to %ld |", row->min, row->max);

        } else {
            fprintf(out, " |");
        }

        fprintf(out, " %s |\n", row->doc);
    }
}
