
/*
 * One attempt of an outbound call.  Private to worker_http.c.
 */

#ifndef WORKER_HTTP_ATTEMPT_H
#define WORKER_HTTP_ATTEMPT_H


#include "worker_http.h"


/* Fills the reply; origin is what messages may say of the URL. */
void worker_http_attempt(const worker_http_request_t *request,
    worker_http_reply_t *reply, const char *origin);
/* Closes kept connections. */
void worker_http_attempt_cleanup(void);

/* Sets result and error. */
void worker_http_problem(worker_http_reply_t *reply, worker_http_e result,
    const char *format, ...) __attribute__((format(printf, 3, 4)));


#endif /* WORKER_HTTP_ATTEMPT_H */
