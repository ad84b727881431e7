
/*
 * What is due by the clock: docs/schedules.md.
 */

#ifndef KEEPER_SCHEDULE_H
#define KEEPER_SCHEDULE_H


#include "worker_db.h"
#include "worker_redis.h"


/*
 * Makes the jobs of what is due and wakes their queues.  For the keeper that
 * leads, though two at once do no harm: each occurrence has one job.  Returns
 * in how many milliseconds to look again, at most KEEPER_SCHEDULE_MS, so that
 * a new schedule is seen.  When the database has no answer: that long, too.
 */
#define KEEPER_SCHEDULE_MS  1000

int keeper_schedule(worker_db_t *db, worker_redis_t *redis);


#endif /* KEEPER_SCHEDULE_H */
