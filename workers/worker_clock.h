
/*
 * The two clocks of the pool.
 */

#ifndef WORKER_CLOCK_H
#define WORKER_CLOCK_H


#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>


/*
 * For durations and deadlines.  CLOCK_BOOTTIME is CLOCK_MONOTONIC that goes on
 * while the machine sleeps: leases in PostgreSQL do not sleep either.
 */
static inline int64_t
worker_now_ms(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_BOOTTIME, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


/* The same in microseconds. */
static inline int64_t
worker_now_us(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_BOOTTIME, &now);

    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}


/* For time stamps: milliseconds since 1970 UTC. */
static inline int64_t
worker_wall_ms(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_REALTIME, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


/* The same in microseconds. */
static inline int64_t
worker_wall_us(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_REALTIME, &now);

    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}


/* Once in each process: waits differ from those of all others by random(). */
static inline void
worker_clock_seed(void)
{
    srandom((unsigned) (worker_wall_us() ^ ((int64_t) getpid() << 16)));
}


#endif /* WORKER_CLOCK_H */
