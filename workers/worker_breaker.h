
/*
 * Circuit breakers: a host that failed several times in a row is left alone
 * for a while, then one call tries it.  All processes of a pool share them;
 * a process that dies during its call blocks nothing for longer than the
 * call might have taken.  A process makes one call at a time.
 */

#ifndef WORKER_BREAKER_H
#define WORKER_BREAKER_H


#include <stdint.h>

#include "../lib/voice_base.h"


#define WORKER_BREAKER_HOST      256   /* bytes of "https://host:port" */
#define WORKER_BREAKER_FAILURES  5     /* in a row */


/*
 * From now on this process and those that it forks share what they know.
 * Without it each has its own.  VOICE_FAILED: no memory.
 */
voice_rc_t worker_breaker_share(void) VOICE_MUST_CHECK;

/*
 * May the host be called?  After the time of an open circuit it says yes
 * once to one process, until the result of that call is known or longest_ms
 * are over.
 */
int worker_breaker_admits(const char *origin, int longest_ms);
/*
 * How long it will say no, in ms; 0: it does not.  While the one call is out
 * that tries, when it may be worth asking again.
 */
int64_t worker_breaker_left_ms(const char *origin);
/*
 * The result of a call that was admitted; good: bool.  The one that opens
 * the circuit opens it for open_ms.  What was under way meanwhile, and was
 * not the one call that tries, changes nothing.
 */
void worker_breaker_result(const char *origin, int good, int open_ms);
/* A call that was admitted was not made. */
void worker_breaker_release(const char *origin);
/* Forgets what is not shared. */
void worker_breaker_reset(void);


#endif /* WORKER_BREAKER_H */
