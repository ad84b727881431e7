
/*
 * The reader of conf/workers.conf: lines, sections, what they fill, and the
 * checks that no single line can make.
 */

#include <ctype.h>
#include <errno.h>
#include <unistd.h>

#include "worker_setting.h"


#define SETTINGS_LINE_MAX      1024
#define SETTINGS_SENTINEL_PORT 26379


static voice_rc_t read_line(worker_reader_t *reader, char *line);
static voice_rc_t read_section(worker_reader_t *reader, char *text);
static voice_rc_t add_profile(worker_reader_t *reader, unsigned kind,
    const char *name);
static voice_rc_t read_queue(worker_reader_t *reader, const char *name,
    const char *value);
static voice_rc_t read_children(worker_reader_t *reader,
    worker_queue_t *queue, const char *value);
static voice_rc_t read_row(worker_reader_t *reader, const char *key,
    const char *value);
static voice_rc_t section_defaults(worker_reader_t *reader);
static voice_rc_t check_whole(worker_reader_t *reader);
static voice_rc_t check_servers(worker_reader_t *reader);
static voice_rc_t name_worker(worker_reader_t *reader);
static char *trim(char *text);
static int name_valid(const char *name);


voice_rc_t
worker_settings_load(worker_reader_t *reader, FILE *in)
{
    char        line[SETTINGS_LINE_MAX];
    voice_rc_t  rc;

    while (fgets(line, sizeof(line), in) != NULL) {
        reader->line++;

        if (strchr(line, '\n') == NULL && !feof(in)) {
            return worker_set_wrong(reader, "the line is longer than %d "
                                    "bytes", SETTINGS_LINE_MAX - 2);
        }

        rc = read_line(reader, trim(line));
        if (rc != VOICE_OK) {
            return rc;
        }
    }

    if (ferror(in)) {
        return worker_set_wrong(reader, "cannot be read");
    }

    rc = section_defaults(reader);

    return rc == VOICE_OK ? check_whole(reader) : rc;
}


static voice_rc_t
read_line(worker_reader_t *reader, char *line)
{
    char  *key, *value;

    if (line[0] == '\0' || line[0] == '#') {
        return VOICE_OK;
    }

    if (line[0] == '[') {
        return read_section(reader, line);
    }

    value = strchr(line, '=');
    if (value == NULL) {
        return worker_set_wrong(reader, "not \"key = value\"");
    }

    *value++ = '\0';
    key = trim(line);
    value = trim(value);

    if (strncmp(key, "queue ", 6) == 0 && reader->table == worker_root_table) {
        return read_queue(reader, trim(key + 6), value);
    }

    return read_row(reader, key, value);
}


static voice_rc_t
read_section(worker_reader_t *reader, char *text)
{
    char        *end, *name;
    unsigned     kind;
    voice_rc_t   rc;

    rc = section_defaults(reader);
    if (rc != VOICE_OK) {
        return rc;
    }

    end = strchr(text, ']');
    name = strchr(text, ' ');

    if (end == NULL || end[1] != '\0' || name == NULL) {
        return worker_set_wrong(reader, "not \"[kind NAME]\"");
    }

    *end = '\0';
    *name++ = '\0';
    name = trim(name);

    for (kind = 0; kind < WORKER_PROFILE_COUNT; kind++) {
        if (strcmp(text + 1, worker_profile_names[kind]) == 0) {
            break;
        }
    }

    if (kind == WORKER_PROFILE_COUNT || !name_valid(name)) {
        return worker_set_wrong(reader, "a section is [agent NAME], [asr "
                                "NAME], [embeddings NAME] or [analysis NAME]"
                                ", the name of 1 to 39 letters, digits, "
                                "\"_\", \"-\" or \".\"");
    }

    return add_profile(reader, kind, name);
}


static voice_rc_t
add_profile(worker_reader_t *reader, unsigned kind, const char *name)
{
    unsigned           i;
    worker_profile_t  *profile;

    for (i = 0; i < reader->settings->nprofiles; i++) {
        profile = &reader->settings->profiles[i];

        if (profile->kind == kind && strcmp(profile->name, name) == 0) {
            return worker_set_wrong(reader, "section [%s %s] stands twice",
                                    worker_profile_names[kind], name);
        }
    }

    if (i == WORKER_PROFILES_MAX) {
        return worker_set_wrong(reader, "more than %d sections",
                                WORKER_PROFILES_MAX);
    }

    profile = &reader->settings->profiles[i];
    profile->kind = (worker_profile_e) kind;
    profile->name = worker_arena_copy(reader->arena, voice_span_str(name));
    if (profile->name == NULL) {
        return worker_set_wrong(reader, "out of memory");
    }

    reader->settings->nprofiles++;
    reader->table = worker_profile_table;
    reader->base = profile;
    memset(reader->seen, 0, sizeof(reader->seen));

    return VOICE_OK;
}


static voice_rc_t
read_queue(worker_reader_t *reader, const char *name, const char *value)
{
    unsigned                 i;
    voice_rc_t               rc;
    worker_queue_t          *queue;
    worker_settings_t       *settings;

    settings = reader->settings;

    if (!name_valid(name)) {
        return worker_set_wrong(reader, "\"%s\" is no name of a queue", name);
    }

    for (i = 0; i < settings->nqueues; i++) {
        if (strcmp(settings->queues[i].name, name) == 0) {
            return worker_set_wrong(reader, "queue \"%s\" stands twice",
                                    name);
        }
    }

    if (i == WORKER_QUEUES_MAX) {
        return worker_set_wrong(reader, "more than %d queues",
                                WORKER_QUEUES_MAX);
    }

    queue = &settings->queues[i];

    rc = read_children(reader, queue, value);
    if (rc == VOICE_OK) {
        snprintf(queue->name, sizeof(queue->name), "%s", name);
        settings->nqueues++;
    }

    return rc;
}


/* "4", or "2..10". */
static voice_rc_t
read_children(worker_reader_t *reader, worker_queue_t *queue,
    const char *value)
{
    char         least[16];
    size_t       len;
    voice_rc_t   rc;
    const char  *most;

    worker_setting_t  row = {
        "queue", worker_set_number, 0, NULL, 1, 64, NULL
    };

    most = strstr(value, "..");
    len = most == NULL ? strlen(value) : (size_t) (most - value);

    if (len >= sizeof(least)) {
        return worker_set_wrong(reader, "\"%s\" is no number of children",
                                value);
    }

    memcpy(least, value, len);
    least[len] = '\0';

    row.offset = (size_t) ((char *) &queue->children
                           - (char *) reader->settings);
    rc = row.set(reader, &row, least);

    if (rc != VOICE_OK || most == NULL) {
        queue->children_max = queue->children;
        return rc;
    }

    row.min = queue->children;
    row.offset = (size_t) ((char *) &queue->children_max
                           - (char *) reader->settings);

    return row.set(reader, &row, most + 2);
}


static voice_rc_t
read_row(worker_reader_t *reader, const char *key, const char *value)
{
    unsigned                 i;
    const worker_setting_t  *row;

    for (i = 0; reader->table[i].name != NULL; i++) {
        row = &reader->table[i];

        if (strcmp(row->name, key) != 0) {
            continue;
        }

        if (reader->seen[i]) {
            return worker_set_wrong(reader, "\"%s\" stands twice", key);
        }

        reader->seen[i] = 1;

        return row->set(reader, row, value);
    }

    return worker_set_wrong(reader, "unknown setting \"%s\"", key);
}


/* Ends a section: what it did not set gets its default. */
static voice_rc_t
section_defaults(worker_reader_t *reader)
{
    unsigned                 i;
    voice_rc_t               rc;
    worker_profile_t        *profile;
    const worker_setting_t  *row;

    for (i = 0; reader->table[i].name != NULL; i++) {
        row = &reader->table[i];

        if (reader->seen[i]) {
            continue;
        }

        rc = row->set(reader, row, row->fallback);
        if (rc != VOICE_OK) {
            return rc;
        }
    }

    if (reader->table == worker_profile_table) {
        profile = reader->base;

        if (profile->provider[0] == '\0') {
            profile->provider = worker_profile_providers[profile->kind];
        }

        if (profile->open_ms == 0) {
            profile->open_ms = worker_profile_open_ms[profile->kind];
        }
    }

    return VOICE_OK;
}


/* What no single line can tell. */
static voice_rc_t
check_whole(worker_reader_t *reader)
{
    int                 children;
    unsigned            i;
    voice_rc_t          rc;
    worker_settings_t  *settings;

    settings = reader->settings;

    const struct {
        const char        *name;
        worker_profile_e   kind;
        const char        *value;
    } defaults[] = {
        { "default_agent", WORKER_PROFILE_AGENT, settings->default_agent },
        { "default_asr", WORKER_PROFILE_ASR, settings->default_asr },
        { "default_embeddings", WORKER_PROFILE_EMBEDDINGS,
          settings->default_embeddings },
        { "default_analysis", WORKER_PROFILE_ANALYSIS,
          settings->default_analysis }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(defaults); i++) {
        if (defaults[i].value[0] != '\0'
            && worker_settings_profile(settings, defaults[i].kind,
                                       defaults[i].value) == NULL)
        {
            return worker_set_wrong(reader, "\"%s\" names no section [%s %s]",
                                    defaults[i].name,
                                    worker_profile_names[defaults[i].kind],
                                    defaults[i].value);
        }
    }

    children = 0;

    for (i = 0; i < settings->nqueues; i++) {
        children += settings->queues[i].children_max;
    }

    if (children == 0 || children > WORKER_CHILDREN_MAX - 16) {
        return worker_set_wrong(reader, "all queues together must have 1 to "
                                "%d children", WORKER_CHILDREN_MAX - 16);
    }

    if (settings->lease_ms < 2 * settings->beat_ms) {
        return worker_set_wrong(reader, "\"lease_ms\" must be twice "
                                "\"beat_ms\" at least");
    }

    rc = check_servers(reader);

    return rc == VOICE_OK ? name_worker(reader) : rc;
}


/* Whose ports are not given, and what goes with what. */
static voice_rc_t
check_servers(worker_reader_t *reader)
{
    worker_settings_t  *settings;

    settings = reader->settings;

    if ((settings->sentinels.n > 0) != (settings->redis_master[0] != '\0')) {
        return worker_set_wrong(reader, "\"redis_sentinel\" and "
                                "\"redis_master\" need each other");
    }

    voice_endpoints_port(&settings->postgres, settings->postgres_port);
    voice_endpoints_port(&settings->redis, settings->redis_port);
    voice_endpoints_port(&settings->sentinels, SETTINGS_SENTINEL_PORT);

    return VOICE_OK;
}


static voice_rc_t
name_worker(worker_reader_t *reader)
{
    char                host[65];
    worker_settings_t  *settings;

    settings = reader->settings;

    if (settings->worker_name[0] != '\0') {
        return VOICE_OK;
    }

    if (gethostname(host, sizeof(host)) == -1) {
        return worker_set_wrong(reader, "the host has no name: %s",
                                strerror(errno));
    }

    host[sizeof(host) - 1] = '\0';
    settings->worker_name = worker_arena_printf(reader->arena, "%s:%d", host,
                                                (int) getpid());

    return settings->worker_name == NULL
           ? worker_set_wrong(reader, "out of memory") : VOICE_OK;
}


static char *
trim(char *text)
{
    size_t  len;

    while (isspace((unsigned char) *text)) {
        text++;
    }

    len = strlen(text);

    while (len > 0 && isspace((unsigned char) text[len - 1])) {
        text[--len] = '\0';
    }

    return text;
}


static int
name_valid(const char *name)
{
    size_t  len;

    len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                 "0123456789_-.");

    return len > 0 && len < 40 && name[len] == '\0';
}
