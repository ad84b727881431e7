
/*
 * Schedules: the keeper looks when the next one is due; SQL makes the jobs.
 */

#include <stdlib.h>

#include "keeper_schedule.h"
#include "worker_log.h"


#define KEEPER_SCHEDULES  "100"        /* of tenants, in a transaction */


static const char  schedule_fire[] =
    "select fired, wake, next_ms from work.schedule_fire($1)";


static PGresult *schedule_query(worker_db_t *db);


int
keeper_schedule(worker_db_t *db, worker_redis_t *redis)
{
    long         left;
    PGresult    *row;
    const char  *wake, *next;

    row = schedule_query(db);
    if (row == NULL) {
        return KEEPER_SCHEDULE_MS;
    }

    wake = worker_db_value(row, 0, "wake");
    next = worker_db_value(row, 0, "next_ms");
    left = next == NULL ? KEEPER_SCHEDULE_MS : strtol(next, NULL, 10);

    if (wake != NULL && strcmp(wake, "{}") != 0) {
        worker_log(WORKER_LOG_INFO, "schedules were due: %s",
                   worker_db_value(row, 0, "fired"));
        worker_redis_wake_all(redis, wake);
    }

    PQclear(row);

    return left < KEEPER_SCHEDULE_MS ? (int) left : KEEPER_SCHEDULE_MS;
}


/* NULL: it failed; the log says so unless the database is just down. */
static PGresult *
schedule_query(worker_db_t *db)
{
    PGresult     *result;
    worker_db_e   rc;

    const char *const  max[] = { KEEPER_SCHEDULES };

    rc = worker_db_run(db, schedule_fire, max, 1, &result);

    if (rc == WORKER_DB_ERROR) {
        worker_log(WORKER_LOG_ERROR, "postgres: %s", worker_db_problem(db));
        PQclear(result);
    }

    return rc == WORKER_DB_OK ? result : NULL;
}
