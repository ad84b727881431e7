
/*
 * Opens many WebSockets, publishes at a fixed rate, and times each message
 * to each of them.  Once all are open it prints "ready" with the
 * microseconds that this took and waits for a line on its standard input;
 * after the messages it prints
 *
 *   figures HEARD MISSED TWICE FAILED ELAPSED P50 P99 P999 MAX A50 A99 CPU
 *
 * times in microseconds from the request to publish until a message is
 * there, A50 and A99 until the publisher is answered; CPU is this program's.
 * A message is known by its call_id, "PREFIX-N", and its sequence; publishing
 * is a packet of the call, or with --path one POST of the message itself.
 */

#define _GNU_SOURCE                    /* memmem, epoll_pwait2 */

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "measure.h"


#define OPENING      32                /* handshakes at a time */
#define BUFFER       4096              /* bytes of a subscriber */
#define ANSWER_MAX   16384
#define REQUEST_MAX  2048
#define PUBLISHERS   16                /* connections */
#define EVENTS       512
#define GRACE        5000000000        /* ns for what is still under way */
#define PATIENCE     60000000000       /* ns without a handshake's end */


typedef enum {
    SOCKET_OPENING = 0,
    SOCKET_OPEN,
    SOCKET_LOST
} socket_e;


typedef struct {
    int        fd;
    socket_e   state;
    size_t     len;
    uint8_t   *heard;                  /* messages, bits */
    uint8_t    in[BUFFER];
} hearer_t;


typedef struct {
    int        fd;
    int        busy;
    int64_t    due;
    size_t     len;
    char       in[ANSWER_MAX];
} publisher_t;


typedef struct {
    int           port, publish_port;
    int           nhearers;
    int           ncalls;
    double        rate;
    double        seconds;
    size_t        payload;
    const char   *hear;                /* path of the WebSocket */
    const char   *path;                /* to publish at; NULL: as packets */
    const char   *header;
    const char   *prefix;

    int           epoll;
    hearer_t     *hearers;
    publisher_t   publishers[PUBLISHERS];
    int           open;
    int           begun;               /* handshakes */

    int64_t       start;               /* ns */
    size_t        nmessages;
    size_t        noticed, published;
    int64_t      *sent;                /* when each was published, ns */
    size_t        heard, twice, failed, answered;
    measure_t     times, answers;
} hearers_t;


static int arguments(hearers_t *h, int argc, char **argv);
static int prepare(hearers_t *h);
static int open_all(hearers_t *h);
static int open_hearer(hearers_t *h, hearer_t *hearer);
static void run(hearers_t *h);
static void publish(hearers_t *h);
static void write_message(hearers_t *h, publisher_t *p, size_t n);
static void wait_some(hearers_t *h, int64_t left);
static void receive(hearers_t *h, hearer_t *hearer);
static void handshake(hearers_t *h, hearer_t *hearer);
static void frames(hearers_t *h, hearer_t *hearer);
static void take(hearers_t *h, hearer_t *hearer, const uint8_t *text,
    size_t len);
static void pong(const hearer_t *hearer);
static void lose(hearers_t *h, hearer_t *hearer);
static void receive_answer(hearers_t *h, publisher_t *p);
static int is_whole(const publisher_t *p);
static void report(hearers_t *h);


static const struct option  options[] = {
    { "hearers",      required_argument, NULL, 'n' },
    { "calls",        required_argument, NULL, 'c' },
    { "rate",         required_argument, NULL, 'r' },
    { "seconds",      required_argument, NULL, 's' },
    { "payload",      required_argument, NULL, 'd' },
    { "hear",         required_argument, NULL, 'w' },
    { "path",         required_argument, NULL, 'p' },
    { "header",       required_argument, NULL, 'h' },
    { "prefix",       required_argument, NULL, 'x' },
    { "publish-port", required_argument, NULL, 'o' },
    { NULL, 0, NULL, 0 }
};


static const char  usage[] =
    "usage: hearers [options] PORT\n\n"
    "  --hearers N       WebSockets (100)\n"
    "  --calls N         that the messages are of (4)\n"
    "  --rate R          messages a second (20)\n"
    "  --seconds S       of publishing (5)\n"
    "  --payload N       bytes of a packet's data (32)\n"
    "  --hear PATH       of the WebSocket (/ws/supervisor)\n"
    "  --path PATH       publishes messages there instead of packets\n"
    "  --header TEXT     of each request, \"X-API-Key: ...\"\n"
    "  --prefix TEXT     of the calls' ids (live)\n"
    "  --publish-port N  where it publishes (PORT)\n";


int
main(int argc, char **argv)
{
    char        line[16];
    hearers_t  *h;

    h = calloc(1, sizeof(hearers_t));

    if (h == NULL || !arguments(h, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }

    if (!prepare(h)) {
        fprintf(stderr, "hearers: %s\n", strerror(errno));
        return 1;
    }

    if (!open_all(h)) {
        fprintf(stderr, "hearers: %d of %d are open\n", h->open, h->nhearers);
        return 1;
    }

    if (fgets(line, sizeof(line), stdin) == NULL) {
        return 1;
    }

    run(h);
    report(h);

    return 0;
}


static int
arguments(hearers_t *h, int argc, char **argv)
{
    int  option;

    h->nhearers = 100;
    h->ncalls = 4;
    h->rate = 20;
    h->seconds = 5;
    h->payload = 32;
    h->hear = "/ws/supervisor";
    h->header = "X-Bench: 1";
    h->prefix = "live";

    for ( ;; ) {
        option = getopt_long(argc, argv, "", options, NULL);

        switch (option) {
        case 'n': h->nhearers = (int) strtol(optarg, NULL, 10); break;
        case 'c': h->ncalls = (int) strtol(optarg, NULL, 10); break;
        case 'r': h->rate = strtod(optarg, NULL); break;
        case 's': h->seconds = strtod(optarg, NULL); break;
        case 'd': h->payload = strtoul(optarg, NULL, 10); break;
        case 'w': h->hear = optarg; break;
        case 'p': h->path = optarg; break;
        case 'h': h->header = optarg; break;
        case 'x': h->prefix = optarg; break;
        case 'o': h->publish_port = (int) strtol(optarg, NULL, 10); break;
        case -1:
            h->port = optind == argc - 1
                      ? (int) strtol(argv[optind], NULL, 10) : 0;
            h->publish_port = h->publish_port ? h->publish_port : h->port;

            return h->port > 0 && h->nhearers > 0 && h->ncalls > 0
                   && h->rate > 0 && h->seconds > 0 && h->payload > 0
                   && h->payload < REQUEST_MAX / 2;
        default:
            return 0;
        }
    }
}


static int
prepare(hearers_t *h)
{
    int                  i;
    struct rlimit        files;
    struct epoll_event   event;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &files);
    }

    h->nmessages = (size_t) (h->rate * h->seconds);
    h->sent = calloc(h->nmessages + 1, sizeof(int64_t));
    h->hearers = calloc(h->nhearers, sizeof(hearer_t));
    h->epoll = epoll_create1(0);

    if (h->sent == NULL || h->hearers == NULL || h->epoll == -1) {
        return 0;
    }

    for (i = 0; i < h->nhearers; i++) {
        h->hearers[i].fd = -1;
        h->hearers[i].heard = calloc(1, h->nmessages / 8 + 1);

        if (h->hearers[i].heard == NULL) {
            return 0;
        }
    }

    for (i = 0; i < PUBLISHERS; i++) {
        h->publishers[i].fd = measure_connect(h->publish_port);
        event.events = EPOLLIN;
        event.data.ptr = &h->publishers[i];

        if (h->publishers[i].fd == -1
            || epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->publishers[i].fd, &event)
               == -1)
        {
            return 0;
        }
    }

    (void) prctl(PR_SET_TIMERSLACK, 1);

    return 1;
}


/* A few handshakes at a time, as a storm of them is not what is timed. */
static int
open_all(hearers_t *h)
{
    int      open;
    int64_t  from, last;

    from = last = measure_now();
    open = 0;

    while (h->open < h->nhearers) {

        while (h->begun < h->nhearers && h->begun - h->open < OPENING) {
            if (!open_hearer(h, &h->hearers[h->begun++])) {
                return 0;
            }
        }

        wait_some(h, 50000000);

        if (h->failed != 0) {
            return 0;
        }

        if (h->open != open) {
            open = h->open;
            last = measure_now();
        }

        if (measure_now() - last > PATIENCE) {
            return 0;
        }
    }

    printf("ready %jd\n", (intmax_t) (measure_now() - from) / 1000);
    fflush(stdout);

    return 1;
}


static int
open_hearer(hearers_t *h, hearer_t *hearer)
{
    int                 len;
    char                request[REQUEST_MAX];
    struct epoll_event  event;

    hearer->fd = measure_connect(h->port);
    if (hearer->fd == -1) {
        return 0;
    }

    event.events = EPOLLIN;
    event.data.ptr = hearer;
    (void) epoll_ctl(h->epoll, EPOLL_CTL_ADD, hearer->fd, &event);

    len = snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n"
                   "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                   h->hear, h->header);

    return send(hearer->fd, request, len, MSG_NOSIGNAL) == len;
}


static void
run(hearers_t *h)
{
    int64_t             now, next, end;
    struct sched_param  urgent = { .sched_priority = 1 };

    /* what delays us is not the server's: as urgent as we may be */
    (void) sched_setscheduler(0, SCHED_FIFO, &urgent);

    h->start = measure_now();
    end = h->start + (int64_t) (h->seconds * 1e9) + GRACE;

    do {
        now = measure_now();
        next = h->start + (int64_t) (h->noticed * 1e9 / h->rate);

        while (h->noticed < h->nmessages && next <= now) {
            h->sent[h->noticed++] = now;
            next = h->start + (int64_t) (h->noticed * 1e9 / h->rate);
        }

        publish(h);
        wait_some(h, (h->noticed < h->nmessages ? next : end) - now);

    } while (now < end
             && (h->heard + h->failed < h->nmessages * (size_t) h->nhearers
                 || h->answered < h->nmessages));
}


static void
publish(hearers_t *h)
{
    int  i;

    for (i = 0; i < PUBLISHERS && h->published < h->noticed; i++) {
        if (!h->publishers[i].busy) {
            write_message(h, &h->publishers[i], h->published++);
        }
    }
}


static void
write_message(hearers_t *h, publisher_t *p, size_t n)
{
    int     len, all;
    char    path[256], body[REQUEST_MAX / 2 + 256];
    char    request[REQUEST_MAX * 2];
    size_t  call, sequence;

    call = n % h->ncalls;
    sequence = n / h->ncalls;

    if (h->path != NULL) {
        snprintf(path, sizeof(path), "%s", h->path);
        len = snprintf(body, sizeof(body),
                       "{\"event\":\"packet_received\",\"call_id\":\"%s-%zu\","
                       "\"sequence\":%zu,\"total_received\":%zu,"
                       "\"missing_sequences\":[],\"missing_count\":0,"
                       "\"timestamp\":\"2026-01-01T00:00:00.000Z\"}",
                       h->prefix, call, sequence, sequence + 1);
    } else {
        snprintf(path, sizeof(path), "/v1/call/stream/%s-%zu", h->prefix,
                 call);
        len = snprintf(body, sizeof(body),
                       "{\"sequence\":%zu,\"timestamp\":1700000000.5,"
                       "\"data\":\"%0*d\"}", sequence, (int) h->payload, 0);
    }

    all = snprintf(request, sizeof(request),
                   "POST %s HTTP/1.1\r\nHost: bench\r\n%s\r\n"
                   "Content-Type: application/json\r\n"
                   "Content-Length: %d\r\n\r\n%s", path, h->header, len, body);

    p->busy = 1;
    p->len = 0;
    p->due = h->sent[n];

    if (send(p->fd, request, all, MSG_NOSIGNAL) != all) {
        fprintf(stderr, "hearers: a message is not published\n");
        exit(1);
    }
}


static void
wait_some(hearers_t *h, int64_t left)
{
    int                  i, n;
    char                *what;
    struct timespec      timeout;
    struct epoll_event   events[EVENTS];

    left = left < 0 ? 0 : left;
    timeout.tv_sec = left / 1000000000;
    timeout.tv_nsec = left % 1000000000;

    n = epoll_pwait2(h->epoll, events, EVENTS, &timeout, NULL);

    for (i = 0; i < n; i++) {
        what = events[i].data.ptr;

        if (what >= (char *) h->publishers
            && what < (char *) (h->publishers + PUBLISHERS))
        {
            receive_answer(h, (publisher_t *) what);
        } else {
            receive(h, (hearer_t *) what);
        }
    }
}


static void
receive(hearers_t *h, hearer_t *hearer)
{
    ssize_t  n;

    n = recv(hearer->fd, hearer->in + hearer->len, BUFFER - hearer->len, 0);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        lose(h, hearer);
        return;
    }

    hearer->len += n;

    if (hearer->state == SOCKET_OPENING) {
        handshake(h, hearer);
    }

    if (hearer->state == SOCKET_OPEN) {
        frames(h, hearer);
    }
}


static void
handshake(hearers_t *h, hearer_t *hearer)
{
    uint8_t  *end;

    end = memmem(hearer->in, hearer->len, "\r\n\r\n", 4);

    if (end == NULL) {
        return;
    }

    if (memcmp(hearer->in, "HTTP/1.1 101", 12) != 0) {
        fprintf(stderr, "hearers: refused: %.*s\n", (int) hearer->len,
                hearer->in);
        lose(h, hearer);
        return;
    }

    end += 4;
    hearer->len -= end - hearer->in;
    memmove(hearer->in, end, hearer->len);
    hearer->state = SOCKET_OPEN;
    h->open++;
}


/* The frames that are complete; a server does not mask. */
static void
frames(hearers_t *h, hearer_t *hearer)
{
    size_t          len, head;
    const uint8_t  *p;

    p = hearer->in;

    while (hearer->state == SOCKET_OPEN) {
        len = hearer->in + hearer->len - p;

        if (len < 2 || (p[1] == 126 && len < 4)) {
            break;
        }

        head = p[1] == 126 ? 4 : 2;
        len -= head;

        /* a frame that our buffer does not hold is none of ours */
        if (p[1] > 126) {
            lose(h, hearer);
            return;
        }

        if (len < (head == 4 ? (size_t) p[2] << 8 | p[3] : p[1])) {
            break;
        }

        len = head == 4 ? (size_t) p[2] << 8 | p[3] : p[1];

        switch (p[0] & 0x0f) {
        case 1: take(h, hearer, p + head, len); break;
        case 8: lose(h, hearer); return;
        case 9: pong(hearer); break;
        default: break;
        }

        p += head + len;
    }

    hearer->len -= p - hearer->in;
    memmove(hearer->in, p, hearer->len);
}


static void
take(hearers_t *h, hearer_t *hearer, const uint8_t *text, size_t len)
{
    int             id_len;
    char            id[128];
    size_t          n;
    const uint8_t  *call, *sequence;

    id_len = snprintf(id, sizeof(id), "\"call_id\":\"%s-", h->prefix);
    call = memmem(text, len, id, id_len);
    sequence = memmem(text, len, "\"sequence\":", 11);

    /* another event, of a call's state */
    if (call == NULL || sequence == NULL
        || memmem(text, len, "\"packet_received\"", 17) == NULL)
    {
        return;
    }

    n = strtoul((const char *) sequence + 11, NULL, 10) * h->ncalls
        + strtoul((const char *) call + id_len, NULL, 10);

    if (n >= h->nmessages || (hearer->heard[n / 8] & (1 << n % 8))) {
        h->twice++;
        return;
    }

    hearer->heard[n / 8] |= 1 << n % 8;
    h->heard++;
    measure_add(&h->times, measure_now() - h->sent[n]);
}


static void
pong(const hearer_t *hearer)
{
    static const uint8_t  frame[] = { 0x8a, 0x80, 0, 0, 0, 0 };

    (void) send(hearer->fd, frame, sizeof(frame), MSG_NOSIGNAL);
}


static void
lose(hearers_t *h, hearer_t *hearer)
{
    close(hearer->fd);
    hearer->fd = -1;
    hearer->state = SOCKET_LOST;
    h->failed++;
}


static void
receive_answer(hearers_t *h, publisher_t *p)
{
    ssize_t  n;

    n = recv(p->fd, p->in + p->len, ANSWER_MAX - 1 - p->len, 0);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        fprintf(stderr, "hearers: the publisher's connection is lost\n");
        exit(1);
    }

    p->len += n;
    p->in[p->len] = '\0';

    if (!is_whole(p)) {
        return;
    }

    if (p->in[9] != '2') {
        fprintf(stderr, "hearers: not published: %s\n", p->in);
        exit(1);
    }

    p->busy = 0;
    h->answered++;
    measure_add(&h->answers, measure_now() - p->due);
}


static int
is_whole(const publisher_t *p)
{
    size_t       length;
    const char  *end, *name;

    end = strstr(p->in, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }

    name = strcasestr(p->in, "\r\nContent-Length:");
    length = name == NULL ? 0 : strtoul(name + 17, NULL, 10);

    return p->len >= (size_t) (end + 4 - p->in) + length;
}


static void
report(hearers_t *h)
{
    size_t  due;

    due = h->published * (size_t) h->nhearers;

    printf("figures %zu %zu %zu %zu %jd %.1f %.1f %.1f %.1f %.1f %.1f %.0f\n",
           h->heard, due - h->heard, h->twice, h->failed,
           (intmax_t) (measure_now() - h->start) / 1000,
           measure_percentile(&h->times, 0.5),
           measure_percentile(&h->times, 0.99),
           measure_percentile(&h->times, 0.999), h->times.longest / 1e3,
           measure_percentile(&h->answers, 0.5),
           measure_percentile(&h->answers, 0.99), measure_cpu());
}
