
/*
 * The table of job kinds.  A new kind is a row in worker_jobs.c, its
 * job_<kind>.c and its row in SQL.
 */

#ifndef WORKER_JOBS_H
#define WORKER_JOBS_H


#include "worker.h"


#define WORKER_KINDS_MAX  64           /* with the row that ends them */


/* All kinds; a row with a NULL kind ends the table. */
extern const worker_job_kind_t  worker_job_kinds[WORKER_KINDS_MAX];

/* NULL if unknown. */
const worker_job_kind_t *worker_job_find(const char *kind);


#endif /* WORKER_JOBS_H */
