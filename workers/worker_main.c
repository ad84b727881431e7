
/*
 * voicegate-worker: options, the check of settings and of the job kinds, the
 * pid file; then the supervisor.  Or it speaks a text and is done.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "provider.h"
#include "worker_clock.h"
#include "worker_db.h"
#include "worker_jobs.h"
#include "worker_log.h"
#include "worker_redis.h"
#include "worker_supervisor.h"


#ifndef VOICE_VERSION
#define VOICE_VERSION  "1.1.0"
#endif

#define MAIN_PAUSE_MS  500             /* between two looks for PostgreSQL */
#define MAIN_SPEAK_MS  60000


typedef struct {
    const char  *config;
    const char  *speak;                /* a text; NULL: none */
    const char  *voice;
    int          test;
} options_t;


static int read_options(options_t *options, int argc, char **argv);
static int speak(const options_t *options);
static int run_pool(worker_settings_t *settings);
static int take_pid_file(const worker_settings_t *settings);
static int check_redis(const worker_settings_t *settings);
static int check_kinds(const worker_settings_t *settings);
static PGresult *fetch_kinds(const worker_settings_t *settings,
    worker_db_t *db);
static int compare_kinds(const worker_settings_t *settings,
    const PGresult *rows);
static void on_early_stop(int number);


static const char  usage[] =
    "usage: voicegate-worker --config FILE [--test]\n"
    "       voicegate-worker --speak TEXT [--voice NAME] > FILE.wav\n"
    "\n"
    "  --config FILE  settings; see --settings\n"
    "  --test         check the settings and exit: 0 if they are good\n"
    "  --speak TEXT   write the text, spoken as test cases are, as a WAV\n"
    "                 file\n"
    "  --voice NAME   by this voice: slt (the usual one), rms, awb, kal16\n"
    "  --settings     print the reference of all settings\n"
    "  --version      print the version\n"
    "  --help         this text\n"
    "\n"
    "Runs in the foreground.  TERM, INT, QUIT: end gracefully (twice: at\n"
    "once); HUP: read the settings again, replace children one by one; USR1:\n"
    "open the log again.\n";


int
main(int argc, char **argv)
{
    int                 rc;
    char                problem[WORKER_PROBLEM_MAX];
    options_t           options;
    worker_settings_t  *settings;

    rc = read_options(&options, argc, argv);
    if (rc != -1) {
        return rc;
    }

    if (options.speak != NULL) {
        return speak(&options);
    }

    settings = worker_settings_read(options.config, problem);
    if (settings == NULL) {
        fprintf(stderr, "voicegate-worker: %s\n", problem);
        return 1;
    }

    if (options.test) {
        worker_settings_destroy(settings);
        printf("voicegate-worker: %s is good\n", options.config);
        return 0;
    }

    worker_clock_seed();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    rc = run_pool(settings);
    curl_global_cleanup();

    return rc;
}


/* The exit status, -1: go on. */
static int
read_options(options_t *options, int argc, char **argv)
{
    int  c;

    static const struct option  names[] = {
        { "config", required_argument, NULL, 'c' },
        { "test", no_argument, NULL, 't' },
        { "settings", no_argument, NULL, 's' },
        { "speak", required_argument, NULL, 'w' },
        { "voice", required_argument, NULL, 'n' },
        { "version", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };

    memset(options, 0, sizeof(options_t));
    options->voice = "";

    for ( ;; ) {
        c = getopt_long(argc, argv, "", names, NULL);

        switch (c) {

        case 'c':
            options->config = optarg;
            break;

        case 't':
            options->test = 1;
            break;

        case 's':
            worker_settings_print(stdout);
            return 0;

        case 'w':
            options->speak = optarg;
            break;

        case 'n':
            options->voice = optarg;
            break;

        case 'v':
            printf("voicegate-worker %s\n", VOICE_VERSION);
            return 0;

        case 'h':
            fputs(usage, stdout);
            return 0;

        case -1:
            if ((options->config != NULL || options->speak != NULL)
                && optind == argc)
            {
                return -1;
            }
            /* fall through */

        default:
            fputs(usage, stderr);
            return 2;
        }
    }
}


/* The exit status. */
static int
speak(const options_t *options)
{
    int                    good;
    char                  *wav;
    size_t                 len;
    provider_call_t        call = { NULL, NULL,
                                    worker_now_ms() + MAIN_SPEAK_MS };
    provider_fault_t       fault;
    provider_utterance_t   utterance;

    utterance.text = voice_span_str(options->speak);
    utterance.language = voice_span_str("en-US");
    utterance.voice = voice_span_str(options->voice);

    if (provider_tts_flite.speak(&call, &utterance, &wav, &len, &fault)
        != PROVIDER_OK)
    {
        fprintf(stderr, "voicegate-worker: %s\n", fault.reason);
        return 1;
    }

    good = fwrite(wav, 1, len, stdout) == len && fflush(stdout) == 0;
    free(wav);

    return good ? 0 : 1;
}


/* Takes over the settings. */
static int
run_pool(worker_settings_t *settings)
{
    int  fd, rc;

    if (worker_log_open(settings->log_file, settings->log_level) != VOICE_OK)
    {
        fprintf(stderr, "voicegate-worker: %s: %s\n", settings->log_file,
                strerror(errno));
        worker_settings_destroy(settings);
        return 1;
    }

    worker_log_process(settings->worker_name, "supervisor");
    umask(027);

    fd = take_pid_file(settings);

    if (fd == -1 || !check_redis(settings) || !check_kinds(settings)) {
        rc = 1;
        worker_settings_destroy(settings);

    } else {
        rc = worker_supervise(settings);
    }

    if (fd > 0) {
        /* emptied, not removed: another one may be waiting for the lock */
        rc = ftruncate(fd, 0) == -1 ? 1 : rc;
        close(fd);
    }

    return rc;
}


/* The locked descriptor; 0: none is configured; -1: failed. */
static int
take_pid_file(const worker_settings_t *settings)
{
    int   fd, n;
    char  text[24];

    if (settings->pid_file[0] == '\0') {
        return 0;
    }

    fd = open(settings->pid_file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1) {
        worker_log(WORKER_LOG_ERROR, "pid file \"%s\": %s",
                   settings->pid_file, errno == EWOULDBLOCK
                   ? "another pool holds it" : strerror(errno));
        return -1;
    }

    n = snprintf(text, sizeof(text), "%d\n", (int) getpid());

    if (ftruncate(fd, 0) == -1 || write(fd, text, (size_t) n) != n) {
        worker_log(WORKER_LOG_ERROR, "pid file \"%s\": %s",
                   settings->pid_file, strerror(errno));
        return -1;
    }

    return fd;
}


/* One that may evict is refused; one that is away may come later. */
static int
check_redis(const worker_settings_t *settings)
{
    char                    problem[WORKER_PROBLEM_MAX];
    worker_redis_t         *redis;
    worker_redis_verdict_e  verdict;

    redis = worker_redis_create(settings);
    if (redis == NULL) {
        worker_log(WORKER_LOG_ERROR, "out of memory");
        return 0;
    }

    verdict = worker_redis_judge(redis, problem);
    worker_redis_destroy(redis);

    if (verdict == WORKER_REDIS_EVICTS) {
        worker_log(WORKER_LOG_ERROR, "%s", problem);
        return 0;
    }

    if (verdict == WORKER_REDIS_UNTOLD) {
        worker_log(WORKER_LOG_WARN, "%s", problem);
    }

    return 1;
}


/* The kinds of this program and those of SQL must be the same. */
static int
check_kinds(const worker_settings_t *settings)
{
    int           good;
    PGresult     *rows;
    worker_db_t  *db;

    db = worker_db_create(settings);
    if (db == NULL) {
        worker_log(WORKER_LOG_ERROR, "out of memory");
        return 0;
    }

    signal(SIGTERM, on_early_stop);
    signal(SIGINT, on_early_stop);

    rows = fetch_kinds(settings, db);
    good = rows != NULL && compare_kinds(settings, rows);

    PQclear(rows);
    worker_db_destroy(db);

    return good;
}


/* Waits until PostgreSQL is up and migrated, as long as the settings say. */
static PGresult *
fetch_kinds(const worker_settings_t *settings, worker_db_t *db)
{
    int64_t       end, told, now;
    PGresult     *rows;
    worker_db_e   rc;

    end = worker_now_ms() + settings->postgres_wait_seconds * 1000;
    told = 0;

    for ( ;; ) {
        rc = worker_db_run(db, worker_sql_kinds, NULL, 0, &rows);
        if (rc == WORKER_DB_OK) {
            return rows;
        }

        PQclear(rows);
        now = worker_now_ms();

        if (now >= end) {
            worker_log(WORKER_LOG_ERROR, "postgres: %s; giving up after %d s",
                       worker_db_problem(db),
                       settings->postgres_wait_seconds);
            return NULL;
        }

        if (told == 0 || now - told >= 5000) {
            worker_log(WORKER_LOG_WARN, "waiting for postgres: %s",
                       worker_db_problem(db));
            told = now;
        }

        poll(NULL, 0, MAIN_PAUSE_MS);
    }
}


static int
compare_kinds(const worker_settings_t *settings, const PGresult *rows)
{
    int                       row, good;
    unsigned                  i;
    const char               *kind, *queue;
    const worker_job_kind_t  *k;

    good = 1;

    for (row = 0; row < PQntuples(rows); row++) {
        kind = worker_db_value(rows, row, "kind");
        queue = worker_db_value(rows, row, "queue");

        if (kind == NULL || queue == NULL || worker_job_find(kind) == NULL) {
            worker_log(WORKER_LOG_ERROR, "kind \"%s\" is in the database and "
                       "not in this program", kind == NULL ? "" : kind);
            good = 0;
            continue;
        }

        for (i = 0; i < settings->nqueues; i++) {
            if (strcmp(settings->queues[i].name, queue) == 0) {
                break;
            }
        }

        if (i == settings->nqueues) {
            worker_log(WORKER_LOG_WARN, "this pool does not serve queue "
                       "\"%s\" of kind \"%s\"", queue, kind);
        }
    }

    for (k = worker_job_kinds; k->kind != NULL; k++) {
        for (row = 0; row < PQntuples(rows); row++) {
            kind = worker_db_value(rows, row, "kind");

            if (kind != NULL && strcmp(kind, k->kind) == 0) {
                break;
            }
        }

        if (row == PQntuples(rows)) {
            worker_log(WORKER_LOG_ERROR, "kind \"%s\" is in this program and "
                       "not in the database", k->kind);
            good = 0;
        }
    }

    return good;
}


/* Nothing is running yet. */
static void
on_early_stop(int number)
{
    (void) number;
    _exit(0);
}
