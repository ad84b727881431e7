
/*
 * Sends packets of calls and holds each answer against what is due.  In a
 * closed loop every connection asks again as soon as it is answered; with
 * --rate packets are due at that pace whatever the answers take, and the time
 * that one waits for a connection counts.  A connection has calls of its own
 * and sends their packets in order; with fewer calls than connections several
 * share one.  What a lost connection leaves open is sent again.  Prints
 *
 *   figures ACCEPTED COMPLETED REFUSED LOST FAULTS ELAPSED
 *           P50 P99 P999 MAX CPU
 *
 * of the packets after each call's first one; times in microseconds, CPU
 * is this program's.  REFUSED are 503, which are sent again; FAULTS are
 * answers that are wrong, the first of them goes to stderr.
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

#include "measure.h"


#define CONNECTIONS_MAX  1024
#define ID_MAX           64
#define POOL             65536         /* bytes that payloads are cut from */
#define PAYLOAD_MAX      8192
#define REQUEST_MAX      (PAYLOAD_MAX + 2048)
#define ANSWER_MAX       32768
#define EVENTS           256
#define RECONNECT        50000000      /* ns */
#define GRACE            10000000000   /* ns for what is still under way */
#define BEGIN            60000000000   /* ns for the calls' first packets */


typedef struct {
    char       id[ID_MAX];
    uint32_t   next;                   /* sequence */
    uint32_t   done;                   /* accepted so far */
    uint32_t   length;                 /* packets after which it ends */
    uint8_t   *seen;                   /* totals that were answered, bits */
    size_t     room;                   /* bytes of seen */
} call_t;


typedef struct {
    int        fd;                     /* -1: to be opened */
    int        busy;                   /* a request is under way */
    int        completes;              /* it is a call's completion */
    int        again;                  /* it was sent before */
    int        first;                  /* first packet of its call */
    int        writing;                /* waits for room in the socket */
    int        turn;                   /* of its calls */
    call_t    *call;
    uint32_t   sequence;
    uint32_t   low;                    /* the least total that may come */
    int64_t    due;                    /* ns */
    int64_t    retry;                  /* when to open it again, ns */
    size_t     sent;
    size_t     out_len;
    size_t     in_len;
    char       out[REQUEST_MAX];
    char       in[ANSWER_MAX];
} connection_t;


typedef struct {
    int            status;
    const char    *body;
    size_t         len;
    size_t         all;                /* head and body */
} answer_t;


typedef struct {
    int            port;
    int            nconnections;
    int            ncalls;
    double         seconds;
    double         rate;               /* 0: closed loop */
    size_t         payload;
    int            words;
    uint32_t       length;             /* of a call; 0: never completed */
    const char    *header;
    const char    *prefix;
    FILE          *log;

    int            epoll;
    char           pool[POOL];
    connection_t  *connections;
    call_t        *calls;
    uint32_t       begun_calls;
    int            lost_now;           /* connections to be opened */
    int            idle_from;          /* where to look for an idle one */

    int64_t        start;              /* ns */
    int64_t        stop;               /* ns: nothing is begun any more */
    uint64_t       noticed;            /* packets that are due by now */
    uint64_t       begun;              /* of these */
    int64_t       *due;                /* a ring of what waits */
    size_t         due_size;
    int            busy;               /* connections */

    uint64_t       accepted, completed, refused, lost, faults;
    measure_t      times;
} load_t;


static int arguments(load_t *load, int argc, char **argv);
static int prepare(load_t *load);
static void name_call(load_t *load, call_t *call);
static int begin_calls(load_t *load);
static void run(load_t *load);
static void notice(load_t *load, int64_t now);
static void begin_due(load_t *load);
static void wait_some(load_t *load);
static void next_request(load_t *load, connection_t *c, int64_t due);
static void write_request(load_t *load, connection_t *c);
static void open_connection(load_t *load, connection_t *c);
static void reopen(load_t *load);
static void send_more(load_t *load, connection_t *c);
static void watch(load_t *load, connection_t *c, int writing);
static void receive(load_t *load, connection_t *c);
static int parse(const connection_t *c, answer_t *answer);
static void answered(load_t *load, connection_t *c, const answer_t *answer);
static const char *judge(load_t *load, connection_t *c,
    const answer_t *answer);
static const char *judge_total(connection_t *c, uint32_t total);
static int has(const answer_t *answer, const char *name, const char *value);
static uint32_t number(const answer_t *answer, const char *name);
static const char *member(const answer_t *answer, const char *name);
static int completes(load_t *load, connection_t *c);
static void lost(load_t *load, connection_t *c);
static void report(load_t *load, int64_t elapsed);


static const struct option  options[] = {
    { "connections", required_argument, NULL, 'c' },
    { "calls",       required_argument, NULL, 'n' },
    { "seconds",     required_argument, NULL, 's' },
    { "rate",        required_argument, NULL, 'r' },
    { "payload",     required_argument, NULL, 'p' },
    { "words",       no_argument,       NULL, 'w' },
    { "length",      required_argument, NULL, 'l' },
    { "header",      required_argument, NULL, 'h' },
    { "prefix",      required_argument, NULL, 'x' },
    { "log",         required_argument, NULL, 'o' },
    { NULL, 0, NULL, 0 }
};


static const char  usage[] =
    "usage: packets [options] PORT\n\n"
    "  --connections N  kept alive (64)\n"
    "  --calls N        at the same time (64)\n"
    "  --seconds S      after the first packet of each call (2)\n"
    "  --rate R         packets a second; 0: closed loop (0)\n"
    "  --payload N      bytes of a packet's data (32)\n"
    "  --words          data are words; else base64 of noise\n"
    "  --length N       complete a call after so many packets and begin\n"
    "                   another; 0: never (0)\n"
    "  --header TEXT    of each request, \"X-API-Key: ...\"\n"
    "  --prefix TEXT    of the calls' ids (bench)\n"
    "  --log FILE       gets a line for each call: id, packets accepted\n";


int
main(int argc, char **argv)
{
    int              i;
    load_t          *load;
    connection_t    *c;

    load = calloc(1, sizeof(load_t));

    if (load == NULL || !arguments(load, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }

    if (!prepare(load)) {
        fprintf(stderr, "packets: %s\n", strerror(errno));
        return 1;
    }

    if (!begin_calls(load)) {
        return 1;
    }

    run(load);
    report(load, measure_now() - load->start);

    for (i = 0; i < load->ncalls && load->log != NULL; i++) {
        fprintf(load->log, "%s %u\n", load->calls[i].id, load->calls[i].done);
    }

    for (i = 0; i < load->nconnections; i++) {
        c = &load->connections[i];

        if (c->fd != -1) {
            close(c->fd);
        }
    }

    return load->log != NULL && fclose(load->log) != 0;
}


static int
arguments(load_t *load, int argc, char **argv)
{
    int  option;

    load->nconnections = load->ncalls = 64;
    load->seconds = 2;
    load->payload = 32;
    load->header = "X-Bench: 1";
    load->prefix = "bench";

    for ( ;; ) {
        option = getopt_long(argc, argv, "", options, NULL);

        switch (option) {
        case 'c': load->nconnections = (int) strtol(optarg, NULL, 10); break;
        case 'n': load->ncalls = (int) strtol(optarg, NULL, 10); break;
        case 's': load->seconds = strtod(optarg, NULL); break;
        case 'r': load->rate = strtod(optarg, NULL); break;
        case 'p': load->payload = strtoul(optarg, NULL, 10); break;
        case 'w': load->words = 1; break;
        case 'l': load->length = (uint32_t) strtoul(optarg, NULL, 10); break;
        case 'h': load->header = optarg; break;
        case 'x': load->prefix = optarg; break;
        case 'o': load->log = fopen(optarg, "w"); break;
        case -1:
            load->port = optind == argc - 1
                         ? (int) strtol(argv[optind], NULL, 10) : 0;

            /* a call is completed by the connection that it belongs to */
            return load->port > 0 && load->nconnections > 0
                   && load->nconnections <= CONNECTIONS_MAX
                   && load->ncalls > 0 && load->seconds > 0
                   && load->payload > 0 && load->payload <= PAYLOAD_MAX
                   && (load->length == 0
                       || load->ncalls >= load->nconnections);
        default:
            return 0;
        }
    }
}


static int
prepare(load_t *load)
{
    int                  i;
    size_t               n;
    uint64_t             x;
    const char          *from;
    struct sched_param   urgent = { .sched_priority = 1 };

    static const char  noise[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char  words[] = "hello thank you for calling my order has "
                                 "not arrived and i am not happy could you "
                                 "look into it please that is great news ";

    x = 88172645463325252;

    for (n = 0; n < POOL; n++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        from = load->words ? &words[n % (sizeof(words) - 1)] : &noise[x % 64];
        load->pool[n] = *from;
    }

    /* a whole second may wait; who is later than that is not to be saved */
    load->due_size = (size_t) load->rate + 2;
    load->due = calloc(load->due_size, sizeof(int64_t));
    load->connections = calloc(load->nconnections, sizeof(connection_t));
    load->calls = calloc(load->ncalls, sizeof(call_t));
    load->epoll = epoll_create1(0);

    if (load->due == NULL || load->connections == NULL || load->calls == NULL
        || load->epoll == -1)
    {
        return 0;
    }

    /* the first ones are shorter, so that not all end at the same time */
    for (i = 0; i < load->ncalls; i++) {
        name_call(load, &load->calls[i]);
        load->calls[i].length = (uint32_t) ((double) load->length * (i + 1)
                                            / load->ncalls) + 1;
    }

    for (i = 0; i < load->nconnections; i++) {
        load->connections[i].fd = -1;
        load->lost_now++;
    }

    /* at a fixed pace, what delays us is not the server's */
    (void) prctl(PR_SET_TIMERSLACK, 1);

    if (load->rate > 0) {
        (void) sched_setscheduler(0, SCHED_FIFO, &urgent);
    }

    return 1;
}


static void
name_call(load_t *load, call_t *call)
{
    snprintf(call->id, ID_MAX, "%s-%u", load->prefix, load->begun_calls++);
    call->next = call->done = 0;
    call->length = load->length;

    if (call->seen != NULL) {
        memset(call->seen, 0, call->room);
    }
}


/* The first packets of all calls. */
static int
begin_calls(load_t *load)
{
    int      i, n;
    int64_t  end;

    end = measure_now() + BEGIN;

    for (i = 0; i < load->ncalls; i += n) {
        reopen(load);

        for (n = 0; n < load->nconnections && i + n < load->ncalls; n++) {
            next_request(load, &load->connections[n], measure_now());
        }

        while (load->busy > 0) {
            wait_some(load);
            reopen(load);

            if (measure_now() > end) {
                fprintf(stderr, "packets: no answers\n");
                return 0;
            }
        }
    }

    return 1;
}


static void
run(load_t *load)
{
    int      i;
    int64_t  now, end;

    load->start = measure_now();
    load->stop = load->start + (int64_t) (load->seconds * 1e9);
    end = load->stop + GRACE;

    for (i = 0; i < load->nconnections && load->rate == 0; i++) {
        next_request(load, &load->connections[i], load->start);
    }

    do {
        now = measure_now();

        if (load->rate > 0 && now < load->stop) {
            notice(load, now);
        }

        begin_due(load);
        wait_some(load);
        reopen(load);

    } while (now < load->stop
             || (now < end
                 && (load->busy > 0 || load->begun < load->noticed)));

    load->lost += load->busy;
}


static void
notice(load_t *load, int64_t now)
{
    while (load->start + (int64_t) (load->noticed * 1e9 / load->rate) <= now
           && load->noticed - load->begun < load->due_size)
    {
        load->due[load->noticed++ % load->due_size] = now;
    }
}


/* Gives what is due to connections that are idle, in turn. */
static void
begin_due(load_t *load)
{
    int            i;
    connection_t  *c;

    for (i = 0; i < load->nconnections && load->begun < load->noticed; i++) {
        c = &load->connections[load->idle_from];
        load->idle_from = (load->idle_from + 1) % load->nconnections;

        if (!c->busy) {
            next_request(load, c,
                         load->due[load->begun++ % load->due_size]);
        }
    }
}


static void
wait_some(load_t *load)
{
    int                  i, n;
    int64_t              left, next;
    connection_t        *c;
    struct timespec      timeout;
    struct epoll_event   events[EVENTS];

    left = RECONNECT;

    if (load->rate > 0 && load->start != 0
        && load->noticed - load->begun < load->due_size
        && measure_now() < load->stop)
    {
        next = load->start + (int64_t) (load->noticed * 1e9 / load->rate);
        next -= measure_now();
        left = next < left ? (next < 0 ? 0 : next) : left;
    }

    timeout.tv_sec = 0;
    timeout.tv_nsec = left;

    n = epoll_pwait2(load->epoll, events, EVENTS, &timeout, NULL);

    for (i = 0; i < n; i++) {
        c = events[i].data.ptr;

        if (events[i].events & EPOLLOUT) {
            send_more(load, c);
        }

        if (c->fd != -1 && (events[i].events & ~EPOLLOUT)) {
            receive(load, c);
        }
    }
}


/* Makes the connection ask for the next packet of its next call. */
static void
next_request(load_t *load, connection_t *c, int64_t due)
{
    int  i, own;

    i = (int) (c - load->connections);

    if (load->ncalls < load->nconnections) {
        c->call = &load->calls[i % load->ncalls];

    } else {
        own = (load->ncalls - i + load->nconnections - 1)
              / load->nconnections;
        c->call = &load->calls[i + c->turn * load->nconnections];
        c->turn = (c->turn + 1) % own;
    }

    c->completes = load->length != 0 && c->call->done >= c->call->length;
    c->sequence = c->completes ? 0 : c->call->next++;
    c->low = c->call->done + 1;
    c->first = load->start == 0;
    c->again = 0;
    c->due = due;
    c->busy = 1;
    load->busy++;

    write_request(load, c);

    if (c->fd != -1) {
        send_more(load, c);
    }
}


static void
write_request(load_t *load, connection_t *c)
{
    char             body[PAYLOAD_MAX + 128];
    size_t           len, at;
    const char      *kind;
    struct timespec  ts;

    if (c->completes) {
        kind = "complete";
        len = snprintf(body, sizeof(body), "{\"total_packets\":%u}",
                       c->call->length);
    } else {
        kind = "stream";
        clock_gettime(CLOCK_REALTIME, &ts);
        at = (c->sequence * 61 + (size_t) c->call->id[0] * 7)
             % (POOL - load->payload);
        len = snprintf(body, sizeof(body), "{\"sequence\":%u,\"data\":\"",
                       c->sequence);
        memcpy(body + len, load->pool + at, load->payload);
        len += load->payload;
        len += snprintf(body + len, sizeof(body) - len,
                        "\",\"timestamp\":%jd.%03ld}", (intmax_t) ts.tv_sec,
                        ts.tv_nsec / 1000000);
    }

    c->out_len = snprintf(c->out, sizeof(c->out),
                          "POST /v1/call/%s/%s HTTP/1.1\r\n"
                          "Host: bench\r\n%s\r\n"
                          "Content-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n", kind, c->call->id,
                          load->header, len);
    memcpy(c->out + c->out_len, body, len);
    c->out_len += len;
    c->sent = c->in_len = 0;
}


static void
open_connection(load_t *load, connection_t *c)
{
    struct epoll_event  event;

    c->fd = measure_connect(load->port);
    if (c->fd == -1) {
        c->retry = measure_now() + RECONNECT;
        return;
    }

    event.events = EPOLLIN;
    event.data.ptr = c;
    (void) epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event);
    c->writing = 0;
    load->lost_now--;
}


/* What was under way on a lost connection is sent again. */
static void
reopen(load_t *load)
{
    int            i;
    int64_t        now;
    connection_t  *c;

    if (load->lost_now == 0) {
        return;
    }

    now = measure_now();

    for (i = 0; i < load->nconnections; i++) {
        c = &load->connections[i];

        if (c->fd != -1 || c->retry > now) {
            continue;
        }

        open_connection(load, c);

        if (c->fd != -1 && c->busy) {
            send_more(load, c);
        }
    }
}


static void
send_more(load_t *load, connection_t *c)
{
    ssize_t  n;

    n = send(c->fd, c->out + c->sent, c->out_len - c->sent, MSG_NOSIGNAL);

    if (n == -1 && errno != EAGAIN) {
        lost(load, c);
        return;
    }

    c->sent += n > 0 ? n : 0;
    watch(load, c, c->sent < c->out_len);
}


static void
watch(load_t *load, connection_t *c, int writing)
{
    struct epoll_event  event;

    if (c->writing == writing) {
        return;
    }

    c->writing = writing;
    event.events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = c;
    (void) epoll_ctl(load->epoll, EPOLL_CTL_MOD, c->fd, &event);
}


static void
receive(load_t *load, connection_t *c)
{
    ssize_t   n;
    answer_t  answer;

    n = recv(c->fd, c->in + c->in_len, ANSWER_MAX - 1 - c->in_len, 0);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0 || !c->busy) {
        lost(load, c);
        return;
    }

    c->in_len += n;
    c->in[c->in_len] = '\0';

    if (!parse(c, &answer)) {
        return;
    }

    answered(load, c, &answer);
}


/* 1: the answer is complete. */
static int
parse(const connection_t *c, answer_t *answer)
{
    size_t       length;
    const char  *p, *end;

    end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    length = 0;

    for (p = memchr(c->in, '\n', c->in_len); p < end;
         p = memchr(p, '\n', c->in_len - (p - c->in)))
    {
        p++;

        if ((*p == 'C' || *p == 'c')
            && strncasecmp(p, "Content-Length:", 15) == 0)
        {
            length = strtoul(p + 15, NULL, 10);
            break;
        }
    }

    answer->status = (int) strtol(c->in + 9, NULL, 10);
    answer->body = end + 4;
    answer->len = length;
    answer->all = end + 4 - c->in + length;

    return c->in_len >= answer->all;
}


static void
answered(load_t *load, connection_t *c, const answer_t *answer)
{
    int64_t      now;
    const char  *fault;

    if (answer->status == 503) {
        load->refused++;
        c->sent = c->in_len = 0;
        send_more(load, c);
        return;
    }

    now = measure_now();
    fault = c->in_len != answer->all ? "more than one answer"
                                     : judge(load, c, answer);

    if (fault != NULL && load->faults++ == 0) {
        fprintf(stderr, "packets: %s: packet %u of %s (%u accepted):\n%s\n",
                fault, c->sequence, c->call->id, c->call->done, c->in);
    }

    if (!c->first && !c->completes && fault == NULL) {
        load->accepted++;
        measure_add(&load->times, now - c->due);
    }

    c->busy = 0;
    load->busy--;

    if (c->completes) {
        load->completed++;

        if (load->log != NULL) {
            fprintf(load->log, "%s %u\n", c->call->id, c->call->done);
        }

        name_call(load, c->call);
    }

    if (load->start != 0 && load->rate == 0 && now < load->stop) {
        next_request(load, c, now);
    } else if (load->start != 0 && completes(load, c)) {
        next_request(load, c, now);
    }
}


/* Has the connection's next call come to its end? */
static int
completes(load_t *load, connection_t *c)
{
    call_t  *call;

    call = &load->calls[(c - load->connections)
                        + c->turn * load->nconnections];

    return load->length != 0 && call->done >= call->length;
}


/* What is wrong with an answer; NULL: nothing. */
static const char *
judge(load_t *load, connection_t *c, const answer_t *answer)
{
    call_t  *call;

    call = c->call;

    if (answer->status != 202 || !has(answer, "call_id", call->id)) {
        return "not what is due";
    }

    if (c->completes) {
        return has(answer, "status", "accepted") ? NULL : "not completed";
    }

    if (number(answer, "sequence") != c->sequence) {
        return "another sequence";
    }

    if (c->again && has(answer, "status", "duplicate")) {
        call->done++;
        return NULL;
    }

    if (!has(answer, "status", "accepted")) {
        return "not accepted";
    }

    call->done++;

    if (load->ncalls >= load->nconnections
        && memmem(answer->body, answer->len, "\"missing_sequences\":[]", 22)
           == NULL)
    {
        return "something is missing";
    }

    return judge_total(c, number(answer, "total_received"));
}


/* Each packet has a total of its own, from what was answered to what was
 * sent. */
static const char *
judge_total(connection_t *c, uint32_t total)
{
    size_t    room;
    call_t   *call;
    uint8_t  *seen;

    call = c->call;

    if (total < c->low || total > call->next) {
        return "a total that cannot be";
    }

    if (total / 8 >= call->room) {
        room = total / 4 + 1024;
        seen = realloc(call->seen, room);

        if (seen == NULL) {
            return "out of memory";
        }

        memset(seen + call->room, 0, room - call->room);
        call->seen = seen;
        call->room = room;
    }

    if (call->seen[total / 8] & (1 << total % 8)) {
        return "the total of another packet";
    }

    call->seen[total / 8] |= 1 << total % 8;

    return NULL;
}


static int
has(const answer_t *answer, const char *name, const char *value)
{
    size_t       len;
    const char  *p;

    len = strlen(value);
    p = member(answer, name);

    return p != NULL && p[0] == '"' && strncmp(p + 1, value, len) == 0
           && p[len + 1] == '"';
}


/* UINT32_MAX: it is not there. */
static uint32_t
number(const answer_t *answer, const char *name)
{
    const char  *p;

    p = member(answer, name);

    return p == NULL ? UINT32_MAX : (uint32_t) strtoul(p, NULL, 10);
}


/* The value of a member, with or without a space before; NULL: none. */
static const char *
member(const answer_t *answer, const char *name)
{
    int          len;
    char         text[32];
    const char  *p;

    len = snprintf(text, sizeof(text), "\"%s\":", name);
    p = memmem(answer->body, answer->len, text, len);

    return p == NULL ? NULL : p + len + (p[len] == ' ');
}


static void
lost(load_t *load, connection_t *c)
{
    close(c->fd);
    c->fd = -1;
    c->retry = measure_now() + RECONNECT;
    c->again = 1;
    c->sent = c->in_len = 0;
    load->lost_now++;
    load->lost += c->busy;
}


static void
report(load_t *load, int64_t elapsed)
{
    measure_t  *times;

    times = &load->times;

    printf("figures %ju %ju %ju %ju %ju %jd %.1f %.1f %.1f %.1f %.0f\n",
           (uintmax_t) load->accepted, (uintmax_t) load->completed,
           (uintmax_t) load->refused, (uintmax_t) load->lost,
           (uintmax_t) load->faults, (intmax_t) elapsed / 1000,
           measure_percentile(times, 0.5), measure_percentile(times, 0.99),
           measure_percentile(times, 0.999), times->longest / 1e3,
           measure_cpu());
}
