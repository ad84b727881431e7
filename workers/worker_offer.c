
/*
 * Statements of a job, offered until SQL has answered.
 */

#include <poll.h>
#include <stdio.h>

#include "worker_clock.h"
#include "worker_log.h"
#include "worker_offer.h"


#define OFFER_PAUSE_MS  250


static worker_offer_e offer_error(worker_offer_t *offer,
    const PGresult *rows);


static const char *const  offer_names[] = {
    "taken", "stale", "refused", "late"
};


worker_offer_e
worker_offer(worker_offer_t *offer, const char *sql,
    const char *const *params, int nparams, PGresult **rows)
{
    int             told;
    worker_db_e     rc;
    worker_offer_e  result;

    told = 0;
    offer->unsure = 0;

    for ( ;; ) {
        rc = worker_db_run(offer->db, sql, params, nparams, rows);

        if (rc == WORKER_DB_OK) {
            return WORKER_OFFER_TAKEN;
        }

        offer->unsure |= rc == WORKER_DB_DOWN;

        result = WORKER_OFFER_LATE;

        if (rc == WORKER_DB_ERROR) {
            result = offer_error(offer, *rows);
            PQclear(*rows);
            *rows = NULL;
        }

        if (result != WORKER_OFFER_LATE
            || worker_now_ms() >= offer->until_ms)
        {
            return result;
        }

        if (!told) {
            worker_log(WORKER_LOG_WARN, "postgres: %s; trying again",
                       worker_db_problem(offer->db));
            told = 1;
        }

        /* also while stopping: the supervisor sets the limit then */
        poll(NULL, 0, OFFER_PAUSE_MS);
    }
}


const char *
worker_offer_name(worker_offer_e result)
{
    return offer_names[result];
}


/* WORKER_OFFER_LATE: worth another attempt. */
static worker_offer_e
offer_error(worker_offer_t *offer, const PGresult *rows)
{
    const char  *state, *message;

    state = worker_db_sqlstate(rows);

    if (worker_db_passes(rows)) {
        return WORKER_OFFER_LATE;
    }

    if (state[0] == 'V' && strlen(state) == 5
        && strcmp(state + 2, "409") == 0)
    {
        return WORKER_OFFER_STALE;
    }

    /* data exceptions quote data, which may be what somebody said */
    message = PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY);

    if (message == NULL || strncmp(state, "22", 2) == 0) {
        message = "refused by the database";
    }

    snprintf(offer->error, sizeof(offer->error), "SQLSTATE %s: %s", state,
             message);
    worker_log(WORKER_LOG_ERROR, "%s", offer->error);

    return WORKER_OFFER_REFUSED;
}
