
/*
 * What the files of the PostgreSQL client share and nobody else sees.
 */

#ifndef WORKER_DB_PRIVATE_H
#define WORKER_DB_PRIVATE_H


#include "worker_db.h"


#define WORKER_DB_PREPARED_MAX  64


struct worker_db_s {
    const worker_settings_t  *settings;
    PGconn                   *conn;    /* NULL: not connected */
    const char               *prepared[WORKER_DB_PREPARED_MAX];
    unsigned                  nprepared;
    unsigned                  generation;
    unsigned                  at;      /* server of the list, see
                                          worker_db_params() */
    int                       backoff_ms;
    int64_t                   retry_at;
    char                      problem[256];
};


/* Connects; 0: worker_db_lost() was called. */
int worker_db_connect(worker_db_t *db);
/* Waits for an event of the socket; 0: the time (ms) has come. */
int worker_db_wait(worker_db_t *db, short events, int64_t deadline);
/*
 * Closes, and lets the next attempt wait longer than this one did.  NULL: the
 * problem is known.
 */
void worker_db_lost(worker_db_t *db, const char *reason);
/* The first line of a text, which may be cut. */
void worker_db_line(char *out, size_t size, const char *text);


#endif /* WORKER_DB_PRIVATE_H */
