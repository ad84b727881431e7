
/*
 * Statements of a job: offered to SQL until it has answered or the lease of
 * the claim is over.  The job's token makes offering one twice harmless.
 */

#ifndef WORKER_OFFER_H
#define WORKER_OFFER_H


#include "worker_db.h"


typedef enum {
    WORKER_OFFER_TAKEN = 0,
    WORKER_OFFER_STALE,                /* the job is no longer ours */
    WORKER_OFFER_REFUSED,              /* SQL will never take it */
    WORKER_OFFER_LATE                  /* the lease ran out before */
} worker_offer_e;


struct worker_offer_s {
    worker_db_t  *db;
    int64_t       until_ms;            /* end of the lease, worker_now_ms() */
    int64_t       progress_ms;         /* when progress was told, or the job
                                          began */
    int           unsure;              /* bool: an answer was lost, so what is
                                          stale may be by our own doing */
    char          error[256];          /* why it was refused: a sentence
                                          without any data */
};


/*
 * Runs a statement of text parameters; sql must stay at its address.  The
 * rows are the caller's (PQclear) after WORKER_OFFER_TAKEN, else there are
 * none.
 */
worker_offer_e worker_offer(worker_offer_t *offer, const char *sql,
    const char *const *params, int nparams, PGresult **rows)
    VOICE_MUST_CHECK;

/* As a word for the log. */
const char *worker_offer_name(worker_offer_e result);


#endif /* WORKER_OFFER_H */
