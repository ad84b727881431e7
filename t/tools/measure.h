
/*
 * What programs that make load share: a clock, connections to a server of
 * this machine, and times as a histogram.
 */

#ifndef VOICE_TOOLS_MEASURE_H
#define VOICE_TOOLS_MEASURE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


/* An octave has so many steps, so a time is right to one percent. */
#define MEASURE_STEPS    128
#define MEASURE_OCTAVES  58


typedef struct {
    uint64_t  steps[MEASURE_OCTAVES * MEASURE_STEPS];
    uint64_t  count;
    int64_t   longest;                 /* ns */
} measure_t;


/* Nanoseconds, from any point. */
static inline int64_t
measure_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* Microseconds of CPU that this program has used. */
static inline double
measure_cpu(void)
{
    struct rusage  usage;

    getrusage(RUSAGE_SELF, &usage);

    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6
           + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}


/* A connection that does not block; -1: refused. */
static inline int
measure_connect(int port)
{
    int                 fd, on;
    struct sockaddr_in  address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t) port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return -1;
    }

    if (connect(fd, (struct sockaddr *) &address, sizeof(address)) == -1) {
        close(fd);
        return -1;
    }

    on = 1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void) fcntl(fd, F_SETFL, O_NONBLOCK);

    return fd;
}


static inline void
measure_add(measure_t *measure, int64_t took)
{
    int       shift;
    uint64_t  ns;

    ns = took < 1 ? 1 : (uint64_t) took;
    shift = 63 - __builtin_clzll(ns) - 7;
    shift = shift < 0 ? 0 : shift;

    measure->steps[shift * MEASURE_STEPS + (ns >> shift)]++;
    measure->count++;
    measure->longest = took > measure->longest ? took : measure->longest;
}


/* Microseconds that a share (0 .. 1) of the times did not exceed. */
static inline double
measure_percentile(const measure_t *measure, double share)
{
    size_t    i;
    uint64_t  seen;

    seen = 0;

    for (i = 0; i < MEASURE_OCTAVES * MEASURE_STEPS - 1; i++) {
        seen += measure->steps[i];

        if (seen > (uint64_t) (measure->count * share)) {
            break;
        }
    }

    /* below two octaves a step is a nanosecond */
    if (i < 2 * MEASURE_STEPS || seen == 0) {
        return seen == 0 ? 0 : i / 1e3;
    }

    return (double) ((i % MEASURE_STEPS + MEASURE_STEPS)
                     << (i / MEASURE_STEPS - 1)) / 1e3;
}


#endif /* VOICE_TOOLS_MEASURE_H */
