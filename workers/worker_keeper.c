
/*
 * The keeper: takes back the jobs of the dead, sends the entries that Redis
 * never had or lost, tidies the streams, purges what is old.  Each pool has
 * one; a session lock of PostgreSQL makes one of all pools' the leader.
 */

#include <stdlib.h>

#include "keeper_schedule.h"
#include "keeper_stream.h"
#include "worker_child.h"
#include "worker_clock.h"
#include "worker_db.h"
#include "worker_log.h"
#include "worker_object.h"
#include "worker_redis.h"


#define KEEPER_LOCK        "7310592011"
#define KEEPER_DUE         "100"       /* entries at once for a queue */
#define KEEPER_DUE_MIN_MS  5           /* between two looks for due jobs */
#define KEEPER_DUE_REST    4           /* times what a look took: a long
                                          backlog of a suspended tenant is
                                          in its way */
#define KEEPER_SLOW_MS     1000        /* between two looks for the rest */
#define KEEPER_CALLS       "200"       /* silent ones ended at once */
#define KEEPER_OBJECTS     "100"       /* erased at once */
#define KEEPER_STREAMS_MS  15000       /* between two looks at the streams */
#define KEEPER_ROUNDS      100
#define KEEPER_PURGED      5000        /* rows of a table at once, as in
                                          work.purge() */


typedef struct {
    const worker_settings_t  *settings;
    worker_db_t              *db;
    worker_redis_t           *redis;
    unsigned                  generation;      /* of the connection that
                                                  holds the lock; 0: none */
    int                       next_ms;         /* until a job is due */
    int64_t                   due_at;          /* no look before */
    int64_t                   slow_at;
    int64_t                   schedule_at;
    int64_t                   streams_at;
    int64_t                   purge_at;
} keeper_t;


static void keeper_round(keeper_t *k);
static int keeper_leads(keeper_t *k);
static void keeper_rescue(keeper_t *k);
static void keeper_due(keeper_t *k);
static void keeper_next(keeper_t *k, int64_t left);
static void keeper_schedules(keeper_t *k, int64_t now);
static void keeper_locks(keeper_t *k);
static void keeper_calls(keeper_t *k);
static void keeper_objects(keeper_t *k);
static void keeper_purge(keeper_t *k);
static void keeper_days(keeper_t *k);
static void keeper_streams(keeper_t *k);
static PGresult *keeper_query(keeper_t *k, const char *sql,
    const char *param);


int
keeper_main(const worker_settings_t *settings)
{
    keeper_t  k;

    memset(&k, 0, sizeof(keeper_t));
    k.settings = settings;
    k.db = worker_db_create(settings);
    k.redis = worker_redis_create(settings);

    if (k.db == NULL || k.redis == NULL) {
        worker_log(WORKER_LOG_ERROR, "out of memory");
        return 1;
    }

    while (!worker_stopping()) {
        k.next_ms = settings->keeper_ms;
        keeper_round(&k);
        worker_child_sleep(k.next_ms);
    }

    worker_redis_destroy(k.redis);
    worker_db_destroy(k.db);

    return 0;
}


static void
keeper_round(keeper_t *k)
{
    int64_t  now;

    worker_child_alive();

    if (!keeper_leads(k)) {
        return;
    }

    now = worker_now_ms();

    if (now >= k->slow_at) {
        k->slow_at = now + KEEPER_SLOW_MS;
        keeper_rescue(k);
        PQclear(keeper_query(k, worker_sql_sweep, NULL));
        PQclear(keeper_query(k, worker_sql_tally, NULL));
        keeper_locks(k);
        keeper_calls(k);
        keeper_objects(k);
        worker_redis_watch(k->redis);
    }

    keeper_schedules(k, now);
    keeper_due(k);

    if (now >= k->streams_at) {
        k->streams_at = now + KEEPER_STREAMS_MS;
        keeper_streams(k);
    }

    if (now >= k->purge_at) {
        k->purge_at = now + k->settings->purge_seconds * 1000;
        keeper_purge(k);
        keeper_days(k);
    }
}


/* The lock is the connection's: with another one it is asked for again. */
static int
keeper_leads(keeper_t *k)
{
    PGresult  *row;

    if (k->generation != 0 && worker_db_socket(k->db) != -1
        && k->generation == worker_db_generation(k->db))
    {
        return 1;
    }

    k->generation = 0;

    row = keeper_query(k, worker_sql_lock, KEEPER_LOCK);
    if (row == NULL) {
        return 0;
    }

    if (PQgetvalue(row, 0, 0)[0] == 't') {
        k->generation = worker_db_generation(k->db);
        worker_log(WORKER_LOG_INFO, "this keeper leads");
    }

    PQclear(row);

    return k->generation != 0;
}


static void
keeper_rescue(keeper_t *k)
{
    PGresult    *row;
    const char  *wake;

    row = keeper_query(k, worker_sql_rescue, NULL);
    if (row == NULL) {
        return;
    }

    wake = worker_db_value(row, 0, "wake");

    if (wake != NULL && strcmp(wake, "{}") != 0) {
        worker_log(WORKER_LOG_WARN, "jobs were rescued: %s", wake);
        worker_redis_wake_all(k->redis, wake);
    }

    PQclear(row);
}


static void
keeper_due(keeper_t *k)
{
    int          row;
    long         n;
    int64_t      begin, end;
    PGresult    *rows;
    const char  *queue, *count, *left;

    begin = worker_now_ms();

    if (begin < k->due_at) {
        keeper_next(k, k->due_at - begin);
        return;
    }

    /* what is marked as sent must have a chance to arrive */
    if (!worker_redis_up(k->redis)) {
        return;
    }

    rows = keeper_query(k, worker_sql_due, KEEPER_DUE);
    end = worker_now_ms();
    k->due_at = end + (end - begin) * KEEPER_DUE_REST;

    if (rows == NULL) {
        return;
    }

    for (row = 0; row < PQntuples(rows); row++) {
        queue = worker_db_value(rows, row, "queue");
        count = worker_db_value(rows, row, "n");

        if (queue != NULL && count != NULL) {
            n = strtol(count, NULL, 10);
            worker_redis_wake(k->redis, queue, n > 100 ? 100 : (int) n);
        }

        left = worker_db_value(rows, row, "next_ms");

        if (left != NULL) {
            keeper_next(k, strtol(left, NULL, 10));
        }
    }

    PQclear(rows);
}


/* The next look comes when the next job is due, if that is sooner. */
static void
keeper_next(keeper_t *k, int64_t left)
{
    if (left < k->next_ms) {
        k->next_ms = left < KEEPER_DUE_MIN_MS ? KEEPER_DUE_MIN_MS
                                              : (int) left;
    }
}


/* Looks when the next schedule is due. */
static void
keeper_schedules(keeper_t *k, int64_t now)
{
    if (now >= k->schedule_at) {
        k->schedule_at = now + keeper_schedule(k->db, k->redis);
    }

    keeper_next(k, k->schedule_at - now);
}


/* Accounts that wrong passwords have locked. */
static void
keeper_locks(keeper_t *k)
{
    PGresult  *row;

    row = keeper_query(k, worker_sql_locks, NULL);
    if (row == NULL) {
        return;
    }

    if (strcmp(PQgetvalue(row, 0, 0), "0") != 0) {
        worker_log(WORKER_LOG_WARN, "accounts were locked: %s",
                   PQgetvalue(row, 0, 0));
    }

    PQclear(row);
}


/* Calls that have gone silent; a few at once, since packets wait for them. */
static void
keeper_calls(keeper_t *k)
{
    int        round;
    long       ended, total;
    PGresult  *row;

    total = 0;

    for (round = 0; round < KEEPER_ROUNDS; round++) {
        worker_child_alive();

        row = keeper_query(k, worker_sql_abandon, KEEPER_CALLS);
        if (row == NULL) {
            break;
        }

        ended = strtol(PQgetvalue(row, 0, 0), NULL, 10);
        total += ended;
        PQclear(row);

        if (ended == 0) {
            break;
        }
    }

    if (total > 0) {
        worker_log(WORKER_LOG_INFO, "silent calls were ended: %ld", total);
    }
}


/* Objects of what was erased; what the store refuses comes again. */
static void
keeper_objects(keeper_t *k)
{
    int                           row;
    PGresult                     *rows;
    const char                   *key;
    const worker_object_store_t  *store;

    rows = keeper_query(k, worker_sql_objects, KEEPER_OBJECTS);
    if (rows == NULL) {
        return;
    }

    store = worker_object_store(k->settings);

    for (row = 0; row < PQntuples(rows); row++) {
        key = PQgetvalue(rows, row, 0);

        if (store->remove(k->settings, key) != VOICE_FAILED) {
            PQclear(keeper_query(k, worker_sql_object_erased, key));
        }
    }

    PQclear(rows);
}


/* Batch after batch; what is left then comes with the next look. */
static void
keeper_purge(keeper_t *k)
{
    int        round;
    long       some, total;
    PGresult  *row;

    total = 0;

    for (round = 0; round < KEEPER_ROUNDS; round++) {
        worker_child_alive();

        row = keeper_query(k, worker_sql_purge, NULL);
        if (row == NULL) {
            return;
        }

        some = strtol(PQgetvalue(row, 0, 0), NULL, 10);
        total += some;
        PQclear(row);

        if (some < KEEPER_PURGED) {
            break;
        }
    }

    if (round == KEEPER_ROUNDS) {
        k->purge_at = 0;
    }

    worker_log(WORKER_LOG_INFO, "purged: %ld", total);
}


/* Partitions of packets. */
static void
keeper_days(keeper_t *k)
{
    char       keep[16];
    PGresult  *row;

    snprintf(keep, sizeof(keep), "%d", k->settings->packet_days);

    row = keeper_query(k, worker_sql_days, keep);
    if (row != NULL) {
        worker_log(WORKER_LOG_INFO, "days of packets: %s made, %s dropped",
                   worker_db_value(row, 0, "made"),
                   worker_db_value(row, 0, "dropped"));
        PQclear(row);
    }
}


/* The streams of all queues that there are, also of other pools. */
static void
keeper_streams(keeper_t *k)
{
    int          row, before;
    char         stream[WORKER_STREAM_SIZE];
    PGresult    *rows;
    const char  *queue;

    rows = keeper_query(k, worker_sql_kinds, NULL);
    if (rows == NULL) {
        return;
    }

    for (row = 0; row < PQntuples(rows); row++) {
        queue = worker_db_value(rows, row, "queue");

        for (before = 0; before < row; before++) {
            if (strcmp(queue, worker_db_value(rows, before, "queue")) == 0) {
                break;
            }
        }

        if (before == row) {
            worker_redis_stream(k->redis, stream, queue);
            keeper_stream_tidy(k->redis, stream);
        }
    }

    PQclear(rows);
}


/* NULL: it failed; the log says so unless the database is just down. */
static PGresult *
keeper_query(keeper_t *k, const char *sql, const char *param)
{
    PGresult     *result;
    worker_db_e   rc;

    rc = worker_db_run(k->db, sql, &param, param == NULL ? 0 : 1, &result);

    if (rc == WORKER_DB_ERROR) {
        worker_log(WORKER_LOG_ERROR, "postgres: %s",
                   worker_db_problem(k->db));
        PQclear(result);
    }

    return rc == WORKER_DB_OK ? result : NULL;
}
