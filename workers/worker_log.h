
/*
 * One JSON object a line.  Who speaks (worker, child, job) is set once and
 * stands in every line after that.  Never a token, key, password or
 * transcript in a message.
 */

#ifndef WORKER_LOG_H
#define WORKER_LOG_H


#include "worker_settings.h"


typedef enum {
    WORKER_LOG_DEBUG = 0,
    WORKER_LOG_INFO,
    WORKER_LOG_WARN,
    WORKER_LOG_ERROR,
    WORKER_LOG_COUNT
} worker_log_e;


/* A number that a line carries beside its message. */
typedef struct {
    const char  *name;                 /* "duration_ms" */
    int64_t      value;
} worker_log_field_t;


/* One attempt at a job; all is borrowed. */
typedef struct {
    const worker_job_t  *job;
    const char          *outcome;      /* "done", "retry", "cancelled" */
    const char          *told;         /* what SQL said: "taken", "stale" */
    const char          *error;        /* "": none */
    int64_t              wait_ms;      /* due to begun; -1: not known */
    int64_t              run_ms;
    int                  good;         /* bool: nobody needs to look */
} worker_attempt_t;


/*
 * Opens the file (appending; "" = standard error).  VOICE_FAILED: the old
 * file stays in use.
 */
voice_rc_t worker_log_open(const char *file, int level) VOICE_MUST_CHECK;
/* Opens the same file again, after it was moved away. */
void worker_log_reopen(void);

/* Who speaks; both are copied. */
void worker_log_process(const char *worker, const char *child);
/* The job that following lines belong to; borrowed; NULL: none. */
void worker_log_job(const worker_job_t *job);

/* Level by name, WORKER_LOG_COUNT if unknown. */
worker_log_e worker_log_level(const char *name);

void worker_log(worker_log_e level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with one number. */
void worker_log_number(worker_log_e level, worker_log_field_t field,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * The line of an attempt; written with the next other line, or by
 * worker_log_flush(), so that those of a batch take one write.
 */
void worker_log_attempt(const worker_attempt_t *attempt);
void worker_log_flush(void);


#endif /* WORKER_LOG_H */
