
/*
 * JSON log lines: each is made in one buffer and written by one write(), so
 * that the processes of the pool share a file without mixing lines.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "worker_clock.h"
#include "worker_log.h"


#define LOG_LINE_MAX     4096          /* atomic in a pipe as well */
#define LOG_MESSAGE_MAX  2048
#define LOG_HELD_MAX     32768         /* of attempts, not written yet */
#define LOG_TAIL         8             /* kept for the end of the line */


typedef struct {
    char    bytes[LOG_LINE_MAX];
    size_t  len;
} log_line_t;


static void log_write(worker_log_e level, const worker_log_field_t *field,
    const char *message);
static void log_put(const char *bytes, size_t len);
static void line_begin(log_line_t *line, worker_log_e level);
static void line_job(log_line_t *line, const worker_job_t *job);
static void line_end(log_line_t *line, const char *message);
static void line_time(log_line_t *line);
static void line_text(log_line_t *line, const char *name, const char *value);
static void line_number(log_line_t *line, const char *name, int64_t value);
static void line_escaped(log_line_t *line, const char *text);
static void line_char(log_line_t *line, unsigned char c);
static void line_raw(log_line_t *line, const char *text);


static const char *const  log_names[WORKER_LOG_COUNT] = {
    "debug", "info", "warn", "error"
};


/* The log of this process; the one place where the pool keeps such state. */
static struct {
    int                  fd;
    worker_log_e         level;
    char                 file[512];
    char                 worker[128];
    char                 child[64];
    const worker_job_t  *job;
    size_t               held_len;
    char                 held[LOG_HELD_MAX];
} log_state = { STDERR_FILENO, WORKER_LOG_INFO, "", "", "", NULL, 0, "" };


voice_rc_t
worker_log_open(const char *file, int level)
{
    int  fd;

    fd = STDERR_FILENO;

    if (file[0] != '\0') {
        fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        if (fd == -1) {
            return VOICE_FAILED;
        }
    }

    if (log_state.fd != STDERR_FILENO) {
        close(log_state.fd);
    }

    log_state.fd = fd;
    log_state.level = (worker_log_e) level;

    if (file != log_state.file) {
        snprintf(log_state.file, sizeof(log_state.file), "%s", file);
    }

    return VOICE_OK;
}


void
worker_log_reopen(void)
{
    if (worker_log_open(log_state.file, log_state.level) != VOICE_OK) {
        worker_log(WORKER_LOG_ERROR, "log \"%s\" cannot be opened again",
                   log_state.file);
    }
}


void
worker_log_process(const char *worker, const char *child)
{
    snprintf(log_state.worker, sizeof(log_state.worker), "%s", worker);
    snprintf(log_state.child, sizeof(log_state.child), "%s", child);
}


void
worker_log_job(const worker_job_t *job)
{
    log_state.job = job;
}


worker_log_e
worker_log_level(const char *name)
{
    unsigned  i;

    for (i = 0; i < WORKER_LOG_COUNT; i++) {
        if (strcmp(name, log_names[i]) == 0) {
            break;
        }
    }

    return (worker_log_e) i;
}


void
worker_log(worker_log_e level, const char *format, ...)
{
    char     message[LOG_MESSAGE_MAX];
    va_list  args;

    if (level < log_state.level) {
        return;
    }

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    log_write(level, NULL, message);
}


void
worker_log_number(worker_log_e level, worker_log_field_t field,
    const char *format, ...)
{
    char     message[LOG_MESSAGE_MAX];
    va_list  args;

    if (level < log_state.level) {
        return;
    }

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    log_write(level, &field, message);
}


void
worker_log_attempt(const worker_attempt_t *attempt)
{
    char          message[LOG_MESSAGE_MAX];
    log_line_t    line;
    worker_log_e  level;

    level = attempt->good ? WORKER_LOG_INFO : WORKER_LOG_WARN;

    if (level < log_state.level) {
        return;
    }

    snprintf(message, sizeof(message), "job.finished: %s, %s%s%s",
             attempt->outcome, attempt->told,
             attempt->error[0] == '\0' ? "" : ": ", attempt->error);

    line_begin(&line, level);
    line_job(&line, attempt->job);
    line_number(&line, "token", attempt->job->token);
    line_text(&line, "outcome", attempt->outcome);

    if (attempt->wait_ms >= 0) {
        line_number(&line, "wait_ms", attempt->wait_ms);
    }

    line_number(&line, "run_ms", attempt->run_ms);
    line_end(&line, message);

    if (log_state.held_len + line.len > LOG_HELD_MAX) {
        worker_log_flush();
    }

    memcpy(log_state.held + log_state.held_len, line.bytes, line.len);
    log_state.held_len += line.len;
}


void
worker_log_flush(void)
{
    size_t  len;

    len = log_state.held_len;
    log_state.held_len = 0;

    if (len > 0) {
        log_put(log_state.held, len);
    }
}


static void
log_write(worker_log_e level, const worker_log_field_t *field,
    const char *message)
{
    int         saved;
    log_line_t  line;

    saved = errno;
    worker_log_flush();

    line_begin(&line, level);

    if (log_state.job != NULL) {
        line_job(&line, log_state.job);
    }

    if (field != NULL) {
        line_number(&line, field->name, field->value);
    }

    line_end(&line, message);
    log_put(line.bytes, line.len);

    errno = saved;
}


static void
log_put(const char *bytes, size_t len)
{
    ssize_t  n;

    do {
        n = write(log_state.fd, bytes, len);
    } while (n == -1 && errno == EINTR);
}


static void
line_begin(log_line_t *line, worker_log_e level)
{
    line->len = 0;

    line_raw(line, "{\"time\":\"");
    line_time(line);
    line_raw(line, "\"");
    line_text(line, "level", log_names[level]);
    line_text(line, "worker", log_state.worker);
    line_text(line, "child", log_state.child);
    line_number(line, "pid", getpid());
}


static void
line_job(log_line_t *line, const worker_job_t *job)
{
    line_text(line, "job_id", job->id);
    line_text(line, "kind", job->kind);
    line_text(line, "tenant_id", job->tenant_id);
    line_number(line, "attempt", job->attempt);
    line_text(line, "trace_id", job->trace_id);
}


/* Place for the end is always kept. */
static void
line_end(log_line_t *line, const char *message)
{
    line_text(line, "message", message);
    memcpy(line->bytes + line->len, "}\n", 2);
    line->len += 2;
}


static void
line_time(log_line_t *line)
{
    char       text[40];
    time_t     seconds;
    int64_t    now;
    struct tm  tm;

    now = worker_wall_ms();
    seconds = (time_t) (now / 1000);
    gmtime_r(&seconds, &tm);

    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    line_raw(line, text);
    snprintf(text, sizeof(text), ".%03dZ", (int) (now % 1000));
    line_raw(line, text);
}


static void
line_text(log_line_t *line, const char *name, const char *value)
{
    line_raw(line, ",\"");
    line_raw(line, name);
    line_raw(line, "\":\"");
    line_escaped(line, value);
    line_raw(line, "\"");
}


static void
line_number(log_line_t *line, const char *name, int64_t value)
{
    char  text[32];

    line_raw(line, ",\"");
    line_raw(line, name);
    snprintf(text, sizeof(text), "\":%lld", (long long) value);
    line_raw(line, text);
}


static void
line_escaped(log_line_t *line, const char *text)
{
    /* room for one escape and the end, so that a cut line is still JSON */
    for (/* void */; *text != '\0'; text++) {
        if (line->len + 6 + LOG_TAIL > LOG_LINE_MAX) {
            return;
        }

        line_char(line, (unsigned char) *text);
    }
}


static void
line_char(log_line_t *line, unsigned char c)
{
    char  escape[8];

    if (c == '"' || c == '\\') {
        line->bytes[line->len++] = '\\';

    } else if (c < 0x20 || c >= 0x7f) {
        /* other bytes as Latin-1: a cut or broken UTF-8 cannot get out */
        snprintf(escape, sizeof(escape), "\\u%04x", c);
        line_raw(line, escape);
        return;
    }

    line->bytes[line->len++] = (char) c;
}


static void
line_raw(log_line_t *line, const char *text)
{
    size_t  len;

    len = strlen(text);

    if (line->len + len + 2 > LOG_LINE_MAX) {
        return;
    }

    memcpy(line->bytes + line->len, text, len);
    line->len += len;
}
