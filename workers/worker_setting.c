
/*
 * How the value of each type of setting is read and checked.
 */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker_log.h"
#include "worker_setting.h"


static voice_rc_t set_word(worker_reader_t *reader,
    const worker_setting_t *row, const char *value,
    const char *const *words);
static voice_rc_t parse_number(worker_reader_t *reader,
    const worker_setting_t *row, const char *value, long *number);
static voice_rc_t keep_text(worker_reader_t *reader,
    const worker_setting_t *row, const char *value);
static const char *full_path(worker_reader_t *reader, const char *value);
static int address_valid(const char *text);
static void *member(const worker_reader_t *reader,
    const worker_setting_t *row);


voice_rc_t
worker_set_text(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    size_t  len;

    len = strlen(value);

    if (len < (size_t) row->min || len > (size_t) row->max) {
        return worker_set_wrong(reader, "\"%s\" must have %ld to %ld bytes",
                                row->name, row->min, row->max);
    }

    return keep_text(reader, row, value);
}


voice_rc_t
worker_set_path(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    const char  *path;

    path = full_path(reader, value);
    if (path == NULL) {
        return worker_set_wrong(reader, "out of memory");
    }

    return worker_set_text(reader, row, path);
}


voice_rc_t
worker_set_endpoints(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    voice_endpoints_t  *list;

    list = member(reader, row);
    list->n = 0;

    if (value[0] == '\0' && row->min == 0) {
        return VOICE_OK;
    }

    if (voice_endpoints_parse(voice_span_str(value), list) != VOICE_OK) {
        return worker_set_wrong(reader, "\"%s\" must be an IP address or an "
                                "absolute path, or up to %d of them, "
                                "IP:PORT, IP:PORT", row->name,
                                VOICE_ENDPOINTS_MAX);
    }

    return VOICE_OK;
}


voice_rc_t
worker_set_secret(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    int          fd;
    char         secret[WORKER_SECRET_MAX + 1];
    ssize_t      n;
    voice_rc_t   rc;
    const char  *path;

    if (value[0] == '\0') {
        return keep_text(reader, row, "");
    }

    path = full_path(reader, value);
    fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1) {
        return worker_set_wrong(reader, "\"%s\": %s", row->name,
                                strerror(errno));
    }

    n = read(fd, secret, sizeof(secret));
    close(fd);

    if (n == -1 || n == (ssize_t) sizeof(secret)) {
        return worker_set_wrong(reader, "\"%s\" cannot be read or is longer "
                                "than %d bytes", row->name,
                                WORKER_SECRET_MAX);
    }

    while (n > 0 && isspace((unsigned char) secret[n - 1])) {
        n--;
    }

    if (n == 0 || memchr(secret, '\0', (size_t) n) != NULL) {
        return worker_set_wrong(reader, "the file of \"%s\" is empty or no "
                                "text", row->name);
    }

    secret[n] = '\0';
    rc = keep_text(reader, row, secret);
    explicit_bzero(secret, sizeof(secret));

    return rc;
}


voice_rc_t
worker_set_number(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    long        number;
    voice_rc_t  rc;

    rc = parse_number(reader, row, value, &number);
    if (rc == VOICE_OK) {
        *(int *) member(reader, row) = (int) number;
    }

    return rc;
}


voice_rc_t
worker_set_size(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    long        number;
    voice_rc_t  rc;

    rc = parse_number(reader, row, value, &number);
    if (rc == VOICE_OK) {
        *(int64_t *) member(reader, row) = number;
    }

    return rc;
}


voice_rc_t
worker_set_flag(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    int  yes;

    yes = strcmp(value, "yes") == 0;

    if (!yes && strcmp(value, "no") != 0) {
        return worker_set_wrong(reader, "\"%s\" must be yes or no",
                                row->name);
    }

    *(int *) member(reader, row) = yes;

    return VOICE_OK;
}


voice_rc_t
worker_set_level(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    worker_log_e  level;

    level = worker_log_level(value);

    if (level == WORKER_LOG_COUNT) {
        return worker_set_wrong(reader, "\"%s\" must be debug, info, warn or "
                                "error", row->name);
    }

    *(int *) member(reader, row) = (int) level;

    return VOICE_OK;
}


voice_rc_t
worker_set_listen(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    char              host[64];
    size_t            len;
    voice_rc_t        rc;
    const char       *colon;
    long              port;
    worker_setting_t  range;

    reader->settings->agent_port = 0;

    if (strcmp(value, "0") == 0) {
        return keep_text(reader, row, "");
    }

    colon = strrchr(value, ':');
    len = colon == NULL ? 0 : (size_t) (colon - value);

    if (len == 0 || len >= sizeof(host)) {
        return worker_set_wrong(reader, "\"%s\" must be IP:PORT or 0",
                                row->name);
    }

    memcpy(host, value, len);
    host[len] = '\0';

    if (!address_valid(host)) {
        return worker_set_wrong(reader, "\"%s\" must be IP:PORT or 0",
                                row->name);
    }

    range = *row;
    range.min = 1;
    range.max = 65535;

    rc = parse_number(reader, &range, colon + 1, &port);
    if (rc != VOICE_OK) {
        return rc;
    }

    reader->settings->agent_port = (int) port;

    return keep_text(reader, row, host);
}


voice_rc_t
worker_set_url(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    size_t  len;

    len = strlen(value);

    if (len > 0
        && strncmp(value, "http://", 7) != 0
        && strncmp(value, "https://", 8) != 0)
    {
        return worker_set_wrong(reader, "\"%s\" must start with http:// or "
                                "https://", row->name);
    }

    if (strchr(value, '@') != NULL || strpbrk(value, " ?#") != NULL
        || (len > 0 && value[len - 1] == '/'))
    {
        return worker_set_wrong(reader, "\"%s\" must hold no credentials, "
                                "query or slash at the end", row->name);
    }

    return worker_set_text(reader, row, value);
}


voice_rc_t
worker_set_suffix(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    if (value[0] != '\0'
        && (value[0] != '/' || strpbrk(value, " #") != NULL))
    {
        return worker_set_wrong(reader, "\"%s\" must start with a slash",
                                row->name);
    }

    return worker_set_text(reader, row, value);
}


voice_rc_t
worker_set_mode(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    static const char *const  words[] = { "audio", "text", NULL };

    return set_word(reader, row, value, words);
}


voice_rc_t
worker_set_signature(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    static const char *const  words[] = {
        "both", "public", "document", NULL
    };

    return set_word(reader, row, value, words);
}


voice_rc_t
worker_set_wrong(worker_reader_t *reader, const char *format, ...)
{
    int      n;
    va_list  args;

    n = snprintf(reader->problem, WORKER_PROBLEM_MAX, "%s:%u: ",
                 reader->settings->file, reader->line);

    if (n < 0 || n >= WORKER_PROBLEM_MAX) {
        return VOICE_INVALID;
    }

    va_start(args, format);
    vsnprintf(reader->problem + n, (size_t) (WORKER_PROBLEM_MAX - n), format,
              args);
    va_end(args);

    return VOICE_INVALID;
}


static voice_rc_t
set_word(worker_reader_t *reader, const worker_setting_t *row,
    const char *value, const char *const *words)
{
    unsigned  i;

    for (i = 0; words[i] != NULL; i++) {
        if (strcmp(value, words[i]) == 0) {
            return keep_text(reader, row, value);
        }
    }

    return worker_set_wrong(reader, "\"%s\" has no value \"%s\"", row->name,
                            value);
}


static voice_rc_t
parse_number(worker_reader_t *reader, const worker_setting_t *row,
    const char *value, long *number)
{
    char  *end;

    errno = 0;
    *number = strtol(value, &end, 10);

    if (errno != 0 || end == value || *end != '\0'
        || !isdigit((unsigned char) value[0])
        || *number < row->min || *number > row->max)
    {
        return worker_set_wrong(reader, "\"%s\" must be a number from %ld to "
                                "%ld", row->name, row->min, row->max);
    }

    return VOICE_OK;
}


static voice_rc_t
keep_text(worker_reader_t *reader, const worker_setting_t *row,
    const char *value)
{
    char  *copy;

    copy = worker_arena_copy(reader->arena, voice_span_str(value));
    if (copy == NULL) {
        return worker_set_wrong(reader, "out of memory");
    }

    *(const char **) member(reader, row) = copy;

    return VOICE_OK;
}


static const char *
full_path(worker_reader_t *reader, const char *value)
{
    const char  *file, *slash;

    file = reader->settings->file;
    slash = strrchr(file, '/');

    if (value[0] == '/' || value[0] == '\0' || slash == NULL) {
        return value;
    }

    return worker_arena_printf(reader->arena, "%.*s/%s",
                               (int) (slash - file), file, value);
}


static int
address_valid(const char *text)
{
    struct in_addr   v4;
    struct in6_addr  v6;

    return inet_pton(AF_INET, text, &v4) == 1
           || inet_pton(AF_INET6, text, &v6) == 1;
}


static void *
member(const worker_reader_t *reader, const worker_setting_t *row)
{
    return (char *) reader->base + row->offset;
}
