
/*
 * Circuit breakers: a host that failed several times in a row is left alone
 * for a while, then one call tries it.  State of this process.
 */

#ifndef WORKER_BREAKER_H
#define WORKER_BREAKER_H


#include <stdint.h>


#define WORKER_BREAKER_HOST      256   /* bytes of "https://host:port" */
#define WORKER_BREAKER_FAILURES  5     /* in a row */
#define WORKER_BREAKER_OPEN_MS   30000


/*
 * May the host be called?  After the time of an open circuit it says yes
 * once, until the result of that call is known.
 */
int worker_breaker_admits(const char *origin);
/* How long the circuit stays open, in ms; 0: it is not. */
int64_t worker_breaker_left_ms(const char *origin);
/* The result of a call that was admitted; good: bool. */
void worker_breaker_result(const char *origin, int good);
/* A call that was admitted was not made. */
void worker_breaker_release(const char *origin);
void worker_breaker_reset(void);


#endif /* WORKER_BREAKER_H */
