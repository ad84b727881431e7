
/*
 * Circuit breakers in a small table; a new host takes the place of the one
 * that was used least lately.  The lock is a robust one: where its holder
 * was killed, the next one goes on with what is there, of which any state is
 * a good one.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker_breaker.h"
#include "worker_clock.h"


#define BREAKERS_MAX      64
#define BREAKER_SLACK_MS  1000         /* of the one call that tries */
#define BREAKER_LOOK_MS   3000         /* while it is out */


typedef struct {
    char      origin[WORKER_BREAKER_HOST];
    int       failures;
    pid_t     prober;                  /* half open, its call is out; 0 */
    int64_t   probe_until;             /* it may take so long */
    int64_t   open_until;              /* 0: closed */
    int64_t   used_at;
} breaker_t;


typedef struct {
    pthread_mutex_t  lock;
    breaker_t        breakers[BREAKERS_MAX];
} table_t;


static breaker_t *breaker_take(const char *origin);
static void breaker_leave(void);
static int breaker_probing(const breaker_t *b, int64_t now);


static table_t   alone = { .lock = PTHREAD_MUTEX_INITIALIZER };
static table_t  *table = &alone;


voice_rc_t
worker_breaker_share(void)
{
    table_t              *shared;
    pthread_mutexattr_t   attributes;

    shared = mmap(NULL, sizeof(table_t), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return VOICE_FAILED;
    }

    if (pthread_mutexattr_init(&attributes) != 0
        || pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED)
           != 0
        || pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST)
           != 0
        || pthread_mutex_init(&shared->lock, &attributes) != 0)
    {
        munmap(shared, sizeof(table_t));
        return VOICE_FAILED;
    }

    pthread_mutexattr_destroy(&attributes);
    table = shared;

    return VOICE_OK;
}


int
worker_breaker_admits(const char *origin, int longest_ms)
{
    int         admitted;
    int64_t     now;
    breaker_t  *b;

    b = breaker_take(origin);
    now = worker_now_ms();
    admitted = b->open_until == 0;

    if (!admitted && now >= b->open_until && !breaker_probing(b, now)) {
        b->prober = getpid();
        b->probe_until = now + longest_ms + BREAKER_SLACK_MS;
        admitted = 1;
    }

    breaker_leave();

    return admitted;
}


int64_t
worker_breaker_left_ms(const char *origin)
{
    int64_t     now, left;
    breaker_t  *b;

    b = breaker_take(origin);
    now = worker_now_ms();
    left = b->open_until - now;

    if (breaker_probing(b, now)) {
        left = b->probe_until - now;
        left = left > BREAKER_LOOK_MS ? BREAKER_LOOK_MS : left;
    }

    breaker_leave();

    return left > 0 ? left : 0;
}


void
worker_breaker_result(const char *origin, int good, int open_ms)
{
    breaker_t  *b;

    b = breaker_take(origin);

    if (b->open_until != 0 && b->prober != getpid()) {
        breaker_leave();
        return;
    }

    b->prober = 0;

    if (good) {
        b->failures = 0;
        b->open_until = 0;

    } else {
        b->failures++;

        if (b->failures >= WORKER_BREAKER_FAILURES) {
            b->open_until = worker_now_ms() + open_ms;
        }
    }

    breaker_leave();
}


void
worker_breaker_release(const char *origin)
{
    breaker_t  *b;

    b = breaker_take(origin);

    if (b->prober == getpid()) {
        b->prober = 0;
    }

    breaker_leave();
}


void
worker_breaker_reset(void)
{
    memset(alone.breakers, 0, sizeof(alone.breakers));
}


/* Finds one under the lock, which breaker_leave() gives back. */
static breaker_t *
breaker_take(const char *origin)
{
    unsigned    i;
    breaker_t  *b, *found;

    if (pthread_mutex_lock(&table->lock) == EOWNERDEAD) {
        pthread_mutex_consistent(&table->lock);
    }

    found = NULL;
    b = &table->breakers[0];

    for (i = 0; i < BREAKERS_MAX && found == NULL; i++) {
        if (strcmp(table->breakers[i].origin, origin) == 0) {
            found = &table->breakers[i];

        } else if (table->breakers[i].used_at < b->used_at) {
            b = &table->breakers[i];
        }
    }

    if (found == NULL) {
        found = b;
        memset(found, 0, sizeof(breaker_t));
        snprintf(found->origin, sizeof(found->origin), "%s", origin);
    }

    found->used_at = worker_now_ms();

    return found;
}


static void
breaker_leave(void)
{
    pthread_mutex_unlock(&table->lock);
}


static int
breaker_probing(const breaker_t *b, int64_t now)
{
    return b->prober != 0 && now < b->probe_until;
}
