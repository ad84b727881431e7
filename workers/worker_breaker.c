
/*
 * Circuit breakers in a small table; a new host takes the place of the one
 * that was used least lately.
 */

#include <stdio.h>
#include <string.h>

#include "worker_breaker.h"
#include "worker_clock.h"


#define BREAKERS_MAX  64


typedef struct {
    char      origin[WORKER_BREAKER_HOST];
    int       failures;
    int       trying;                  /* bool: half open, one call is out */
    int64_t   open_until;              /* 0: closed */
    int64_t   used_at;
} breaker_t;


static breaker_t *breaker_find(const char *origin);


static breaker_t  breakers[BREAKERS_MAX];


int
worker_breaker_admits(const char *origin)
{
    breaker_t  *b;

    b = breaker_find(origin);

    if (b->open_until == 0) {
        return 1;
    }

    if (worker_now_ms() < b->open_until || b->trying) {
        return 0;
    }

    b->trying = 1;

    return 1;
}


int64_t
worker_breaker_left_ms(const char *origin)
{
    int64_t  left;

    left = breaker_find(origin)->open_until - worker_now_ms();

    return left > 0 ? left : 0;
}


void
worker_breaker_result(const char *origin, int good)
{
    breaker_t  *b;

    b = breaker_find(origin);
    b->trying = 0;

    if (good) {
        b->failures = 0;
        b->open_until = 0;
        return;
    }

    b->failures++;

    if (b->failures >= WORKER_BREAKER_FAILURES) {
        b->open_until = worker_now_ms() + WORKER_BREAKER_OPEN_MS;
    }
}


void
worker_breaker_release(const char *origin)
{
    breaker_find(origin)->trying = 0;
}


void
worker_breaker_reset(void)
{
    memset(breakers, 0, sizeof(breakers));
}


static breaker_t *
breaker_find(const char *origin)
{
    unsigned    i;
    breaker_t  *oldest;

    oldest = &breakers[0];

    for (i = 0; i < BREAKERS_MAX; i++) {
        if (strcmp(breakers[i].origin, origin) == 0) {
            breakers[i].used_at = worker_now_ms();
            return &breakers[i];
        }

        if (breakers[i].used_at < oldest->used_at) {
            oldest = &breakers[i];
        }
    }

    memset(oldest, 0, sizeof(breaker_t));
    snprintf(oldest->origin, sizeof(oldest->origin), "%s", origin);
    oldest->used_at = worker_now_ms();

    return oldest;
}
