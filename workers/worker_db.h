
/*
 * A synchronous PostgreSQL client: one connection, opened when needed, every
 * wait bounded, each statement prepared at its first use.
 */

#ifndef WORKER_DB_H
#define WORKER_DB_H


#include <libpq-fe.h>

#include "worker_settings.h"


#define WORKER_DB_PARAMS_MAX    8
#define WORKER_DB_KEYWORDS_MAX  16
#define WORKER_DB_OPTIONS_MAX   256


typedef struct worker_db_s  worker_db_t;


typedef enum {
    WORKER_DB_OK = 0,                  /* result holds rows */
    WORKER_DB_ERROR,                   /* SQL error: see worker_db_sqlstate */
    WORKER_DB_DOWN                     /* no connection, or it was lost: the
                                          statement may have committed */
} worker_db_e;


/* The statements of the pool itself; a kind brings its own as text. */
extern const char  worker_sql_kinds[];
extern const char  worker_sql_take[];
extern const char  worker_sql_give_back[];
extern const char  worker_sql_finish[];
extern const char  worker_sql_progress[];
extern const char  worker_sql_fail[];
extern const char  worker_sql_defer[];
extern const char  worker_sql_ended[];
extern const char  worker_sql_release[];
extern const char  worker_sql_release_child[];
extern const char  worker_sql_heartbeat[];
extern const char  worker_sql_leave[];
extern const char  worker_sql_rescue[];
extern const char  worker_sql_sweep[];
extern const char  worker_sql_tally[];
extern const char  worker_sql_due[];
extern const char  worker_sql_relay_take[];
extern const char  worker_sql_relay_done[];
extern const char  worker_sql_locks[];
extern const char  worker_sql_purge[];
extern const char  worker_sql_abandon[];
extern const char  worker_sql_days[];
extern const char  worker_sql_objects[];
extern const char  worker_sql_object_erased[];
extern const char  worker_sql_lock[];
extern const char  worker_sql_listen[];
extern const char  worker_sql_listen_cancel[];


/* Not connected yet; NULL: out of memory.  settings are borrowed. */
worker_db_t *worker_db_create(const worker_settings_t *settings);
void worker_db_destroy(worker_db_t *db);

/*
 * Runs a statement of text parameters (NULL is SQL NULL).  Connects first if
 * needed, unless the last attempt failed a moment ago: then it is
 * WORKER_DB_DOWN at once.  A server that takes no writes (any more) is left
 * for the next one, and is WORKER_DB_DOWN.  sql must stay at its address,
 * which is its name.  The result is the caller's (PQclear) unless
 * WORKER_DB_DOWN.
 */
worker_db_e worker_db_run(worker_db_t *db, const char *sql,
    const char *const *params, int nparams, PGresult **result)
    VOICE_MUST_CHECK;

/* Closes the connection; the next statement opens another one. */
void worker_db_close(worker_db_t *db);

/* Changes whenever another connection was opened; 0: none yet. */
unsigned worker_db_generation(const worker_db_t *db);
/* The socket, for poll(); -1: not connected. */
int worker_db_socket(const worker_db_t *db);
/* Throws away what NOTIFY brought; 1 if there was any. */
int worker_db_notified(worker_db_t *db);
/* Why the last statement failed, one line. */
const char *worker_db_problem(const worker_db_t *db);

/* What a server says unasked goes to the log, not to standard error. */
void worker_db_notices(PGconn *conn);

/* The SQLSTATE of a failed result, "" if it has none. */
const char *worker_db_sqlstate(const PGresult *result);
/* Does what failed pass by itself?  Then it is worth another attempt. */
int worker_db_passes(const PGresult *result);
/* Was it refused because this server takes no writes (any more)? */
int worker_db_demoted(const PGresult *result);
/* A column of row 0 by name; NULL if there is no row, column or value. */
const char *worker_db_value(const PGresult *result, int row,
    const char *column);

/*
 * Keywords and values for PQconnectStartParams, for one server of the list:
 * libpq would wait for the first one that does not answer until the whole
 * attempt is over.  It must take writes.
 */
typedef struct {
    const char  *keywords[WORKER_DB_KEYWORDS_MAX];
    const char  *values[WORKER_DB_KEYWORDS_MAX];
    char         port[16];
    char         options[WORKER_DB_OPTIONS_MAX];
} worker_db_params_t;

/* at counts the servers, over and over. */
void worker_db_params(const worker_settings_t *settings, unsigned at,
    worker_db_params_t *params);

/*
 * Members of an array in its text form ("{a,b}", also one bare word), which
 * hold no quotes, commas or braces.  Calls each with a NUL terminated copy.
 */
typedef void (*worker_db_member_pt)(void *data, const char *member);
void worker_db_members(const char *text, worker_db_member_pt each,
    void *data);


#endif /* WORKER_DB_H */
