
/*
 * Asks an HTTP server at a fixed rate, whatever the answers take, and times
 * them: a request that finds every connection busy waits, and its wait
 * counts.  Requests are files with all their bytes, sent in turn.  Prints
 *
 *   figures ANSWERS FAILED UNSENT ELAPSED P50 P99 P999 MAX
 *
 * times in microseconds; FAILED are statuses from 400, lost connections and
 * what was not answered in time.
 */

#define _GNU_SOURCE                    /* ppoll, strcasestr */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define CONNECTIONS_MAX  256
#define REQUESTS_MAX     64
#define REQUEST_MAX      1048576       /* bytes of a request */
#define HEAD_MAX         16384         /* bytes of an answer's head */
#define GRACE            2000000000    /* ns for what is still under way */


typedef struct {
    char    *text;
    size_t   len;
} request_t;


typedef struct {
    int               fd;
    const request_t  *request;         /* under way; NULL: idle */
    size_t            sent;
    int64_t           due;             /* ns */
    char              head[HEAD_MAX];
    size_t            len;             /* of head */
    size_t            left;            /* of the body */
    int               in_body;
    int               status;
} connection_t;


typedef struct {
    int           port;
    double        rate;
    double        seconds;
    int           nconnections;
    request_t     requests[REQUESTS_MAX];
    int           nrequests;
    connection_t  connections[CONNECTIONS_MAX];
    int64_t      *due;                 /* when each request was due, ns */
    size_t        total;
    size_t        begun;
    size_t        noticed;             /* requests that are due by now */
    uint32_t     *times;               /* of answers, us */
    size_t        answers;
    size_t        failed;
    int64_t       elapsed;             /* ns */
} pacer_t;


static int arguments(pacer_t *pacer, int argc, char **argv);
static int read_request(request_t *request, const char *file);
static void run(pacer_t *pacer);
static void wait_until(pacer_t *pacer, int64_t next);
static void begin(pacer_t *pacer);
static int open_connection(int port);
static void handle(pacer_t *pacer, connection_t *c, int events);
static void send_more(pacer_t *pacer, connection_t *c);
static void receive(pacer_t *pacer, connection_t *c);
static int parse_head(connection_t *c);
static void answered(pacer_t *pacer, connection_t *c);
static void lost(pacer_t *pacer, connection_t *c);
static void report(pacer_t *pacer);
static int compare(const void *a, const void *b);
static int64_t now_ns(void);


int
main(int argc, char **argv)
{
    pacer_t             *pacer;
    struct sched_param   urgent = { .sched_priority = 1 };

    pacer = calloc(1, sizeof(pacer_t));

    if (pacer == NULL || !arguments(pacer, argc, argv)) {
        fprintf(stderr, "usage: pacer PORT RATE SECONDS CONNECTIONS "
                "FILE...\n");
        return 2;
    }

    /* what delays us is not the server's: as urgent as we may be */
    (void) prctl(PR_SET_TIMERSLACK, 1);
    (void) sched_setscheduler(0, SCHED_FIFO, &urgent);

    run(pacer);
    report(pacer);

    return 0;
}


static int
arguments(pacer_t *pacer, int argc, char **argv)
{
    int  i;

    if (argc < 6 || argc - 5 > REQUESTS_MAX) {
        return 0;
    }

    pacer->port = (int) strtol(argv[1], NULL, 10);
    pacer->rate = strtod(argv[2], NULL);
    pacer->seconds = strtod(argv[3], NULL);
    pacer->nconnections = (int) strtol(argv[4], NULL, 10);
    pacer->nrequests = argc - 5;

    if (pacer->rate <= 0 || pacer->seconds <= 0 || pacer->nconnections < 1
        || pacer->nconnections > CONNECTIONS_MAX)
    {
        return 0;
    }

    for (i = 0; i < pacer->nrequests; i++) {
        if (!read_request(&pacer->requests[i], argv[5 + i])) {
            return 0;
        }
    }

    pacer->total = (size_t) (pacer->rate * pacer->seconds) + 1;
    pacer->due = calloc(pacer->total, sizeof(int64_t));
    pacer->times = calloc(pacer->total + 1, sizeof(uint32_t));

    return pacer->due != NULL && pacer->times != NULL;
}


static int
read_request(request_t *request, const char *file)
{
    FILE  *in;

    in = fopen(file, "r");
    request->text = malloc(REQUEST_MAX);

    if (in == NULL || request->text == NULL) {
        return 0;
    }

    request->len = fread(request->text, 1, REQUEST_MAX, in);
    fclose(in);

    return request->len != 0;
}


static void
run(pacer_t *pacer)
{
    int      i;
    int64_t  start, now, next, end;

    for (i = 0; i < pacer->nconnections; i++) {
        pacer->connections[i].fd = open_connection(pacer->port);
    }

    start = now_ns();
    end = start + (int64_t) (pacer->seconds * 1e9) + GRACE;

    do {
        now = now_ns();
        next = start + (int64_t) (pacer->noticed * 1e9 / pacer->rate);

        while (pacer->noticed < pacer->total && next <= now) {
            pacer->due[pacer->noticed++] = now;
            next = start + (int64_t) (pacer->noticed * 1e9 / pacer->rate);
        }

        begin(pacer);
        wait_until(pacer, pacer->noticed < pacer->total ? next : end);

    } while (now < end && pacer->answers + pacer->failed < pacer->total);

    pacer->failed = pacer->begun - pacer->answers;
    pacer->elapsed = now - start;
}


/* Serves the sockets that are ready, at the latest until next, ns. */
static void
wait_until(pacer_t *pacer, int64_t next)
{
    int              i;
    int64_t          left;
    connection_t    *c;
    struct pollfd    fds[CONNECTIONS_MAX];
    struct timespec  timeout;

    for (i = 0; i < pacer->nconnections; i++) {
        c = &pacer->connections[i];
        fds[i].fd = c->fd;
        fds[i].events = POLLIN;
        fds[i].revents = 0;

        if (c->request != NULL && c->sent < c->request->len) {
            fds[i].events |= POLLOUT;
        }
    }

    left = next - now_ns();
    left = left < 0 ? 0 : left;
    timeout.tv_sec = left / 1000000000;
    timeout.tv_nsec = left % 1000000000;

    if (ppoll(fds, pacer->nconnections, &timeout, NULL) <= 0) {
        return;
    }

    for (i = 0; i < pacer->nconnections; i++) {
        if (fds[i].revents) {
            handle(pacer, &pacer->connections[i], fds[i].revents);
        }
    }
}


/* Gives what is due to idle connections. */
static void
begin(pacer_t *pacer)
{
    int            i;
    connection_t  *c;

    for (i = 0; i < pacer->nconnections && pacer->begun < pacer->noticed; i++)
    {
        c = &pacer->connections[i];

        if (c->request != NULL) {
            continue;
        }

        if (c->fd == -1) {
            c->fd = open_connection(pacer->port);
        }

        c->request = &pacer->requests[pacer->begun % pacer->nrequests];
        c->due = pacer->due[pacer->begun++];
        c->sent = c->len = c->left = 0;
        c->in_body = 0;

        if (c->fd == -1) {
            lost(pacer, c);
            continue;
        }

        send_more(pacer, c);
    }
}


/* -1: refused. */
static int
open_connection(int port)
{
    int                 fd, on;
    struct sockaddr_in  address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t) port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM, 0);
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


static void
handle(pacer_t *pacer, connection_t *c, int events)
{
    if ((events & POLLOUT) && c->request != NULL) {
        send_more(pacer, c);
    }

    if (events & (POLLIN | POLLHUP | POLLERR)) {
        receive(pacer, c);
    }
}


static void
send_more(pacer_t *pacer, connection_t *c)
{
    ssize_t  n;

    n = send(c->fd, c->request->text + c->sent, c->request->len - c->sent,
             MSG_NOSIGNAL);

    if (n > 0) {
        c->sent += n;

    } else if (errno != EAGAIN) {
        lost(pacer, c);
    }
}


static void
receive(pacer_t *pacer, connection_t *c)
{
    char     rest[65536];
    ssize_t  n;

    if (c->in_body) {
        n = recv(c->fd, rest, sizeof(rest), 0);
    } else {
        n = recv(c->fd, c->head + c->len, HEAD_MAX - 1 - c->len, 0);
    }

    if (n <= 0 || c->request == NULL) {
        if (n == 0 || c->request == NULL || errno != EAGAIN) {
            lost(pacer, c);
        }

        return;
    }

    if (c->in_body) {
        c->left -= (size_t) n < c->left ? (size_t) n : c->left;

    } else {
        c->len += n;

        if (!parse_head(c)) {
            return;
        }
    }

    if (c->left == 0) {
        answered(pacer, c);
    }
}


/* 1: the head is complete; status and left are known. */
static int
parse_head(connection_t *c)
{
    char    *end, *length;
    size_t   body, have;

    c->head[c->len] = '\0';

    end = strstr(c->head, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }

    *end = '\0';
    length = strcasestr(c->head, "\r\nContent-Length:");
    body = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
    have = c->len - (size_t) (end + 4 - c->head);

    c->status = c->len > 12 ? (int) strtol(c->head + 9, NULL, 10) : 0;
    c->left = body > have ? body - have : 0;
    c->in_body = 1;

    return 1;
}


static void
answered(pacer_t *pacer, connection_t *c)
{
    c->request = NULL;

    if (c->status >= 400) {
        pacer->failed++;
        return;
    }

    pacer->times[pacer->answers++] = (uint32_t) ((now_ns() - c->due) / 1000);
}


static void
lost(pacer_t *pacer, connection_t *c)
{
    if (c->fd != -1) {
        close(c->fd);
        c->fd = -1;
    }

    if (c->request != NULL) {
        c->request = NULL;
        pacer->failed++;
    }
}


static void
report(pacer_t *pacer)
{
    size_t  n;

    n = pacer->answers;
    qsort(pacer->times, n, sizeof(uint32_t), compare);

    printf("figures %zu %zu %zu %jd", n, pacer->failed,
           pacer->total - pacer->begun, (intmax_t) pacer->elapsed / 1000);

    /* without an answer all are the 0 at the beginning */
    printf(" %u %u %u %u\n", pacer->times[n / 2], pacer->times[n * 99 / 100],
           pacer->times[n * 999 / 1000], pacer->times[n == 0 ? 0 : n - 1]);
}


static int
compare(const void *a, const void *b)
{
    uint32_t  x, y;

    x = *(const uint32_t *) a;
    y = *(const uint32_t *) b;

    return x < y ? -1 : x > y;
}


static int64_t
now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
