
/*
 * What jobs.c makes jobs with: connections to PostgreSQL and Redis, and orders
 * that say how many, how many at a time and how fast.
 */

#ifndef VOICE_TOOLS_JOBS_MAKE_H
#define VOICE_TOOLS_JOBS_MAKE_H

#include <errno.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"


#define LANES         16                   /* connections for single jobs */
#define LANES_BATCH   2                    /* and for many at a time */
#define JOBS_MAX      2000000
#define ID_SIZE       37


typedef struct {
    PGconn   *db;
    int       busy;
    long      first;
    long      count;
    int64_t   asked;
} lane_t;


/* What one command makes. */
typedef struct {
    const char  *tenant;
    long         count;
    long         each;
    long         rate;                     /* a second; 0: at once */
    long         next;
    long         answered;
    int64_t      start;
} order_t;


static PGconn *db_open(void);
static int64_t make_due(const order_t *order);
static void lane_send(lane_t *lane, order_t *order);
static void lane_read(lane_t *lane, order_t *order);
static void lanes_wait(int64_t until);
static void wake(long count);
static int64_t wall_us(void);
static long whole(const char *text);
static void fatal(const char *what, const char *why);


static struct {
    redisContext  *redis;
    const char    *tenant;
    const char    *other;
    PGconn        *watch;
    lane_t         lanes[LANES];
    int            pending;                /* wake-ups not answered yet */
    int64_t        since;                  /* when what is counted began */
} client;

/* By the job's number; times are microseconds since the epoch. */
static char     ids[JOBS_MAX][ID_SIZE];    /* of a batch's last job, else "" */
static int64_t  asked[JOBS_MAX];
static int64_t  sent[JOBS_MAX];
static int64_t  begun[JOBS_MAX];


static void
client_open(char **argv)
{
    int          i;
    const char  *password;
    redisReply  *reply;

    client.tenant = argv[2];
    client.other = argv[3];

    client.redis = redisConnect("127.0.0.1",
                                (int) strtol(argv[1], NULL, 10));
    if (client.redis == NULL || client.redis->err) {
        fatal("redis", "no connection");
    }

    password = getenv("REDISCLI_AUTH");
    reply = redisCommand(client.redis, "AUTH %s",
                         password == NULL ? "" : password);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        fatal("redis", "refuses the password");
    }
    freeReplyObject(reply);

    client.watch = db_open();
    for (i = 0; i < LANES; i++) {
        client.lanes[i].db = db_open();
    }
}


static PGconn *
db_open(void)
{
    PGconn    *db;
    PGresult  *result;

    db = PQconnectdb("");
    if (PQstatus(db) != CONNECTION_OK) {
        fatal("connect", PQerrorMessage(db));
    }

    result = PQprepare(db, "enqueue", "select last, wakes"
                       " from bench.enqueue($1, $2, $3)", 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fatal("prepare", PQerrorMessage(db));
    }
    PQclear(result);

    return db;
}


/* All that an order says, until the last is committed. */
static void
make(order_t *order)
{
    int      i, lanes;
    int64_t  due;

    lanes = order->each == 1 ? LANES : LANES_BATCH;
    order->start = wall_us();

    while (order->answered < order->count) {
        due = make_due(order);

        for (i = 0; i < lanes && order->next < order->count; i++) {
            if (!client.lanes[i].busy && due <= wall_us()) {
                lane_send(&client.lanes[i], order);
                due = make_due(order);
            }
        }

        lanes_wait(due);

        for (i = 0; i < lanes; i++) {
            if (client.lanes[i].busy) {
                lane_read(&client.lanes[i], order);
            }
        }
    }
}


/* When the next batch of an order is to be asked for. */
static int64_t
make_due(const order_t *order)
{
    if (order->next >= order->count) {
        return INT64_MAX;
    }

    return order->rate == 0 ? 0
           : order->start + order->next * 1000000 / order->rate;
}


static void
lane_send(lane_t *lane, order_t *order)
{
    char  first[24], count[24];

    const char *const  params[] = { order->tenant, first, count };

    lane->first = order->next;
    lane->count = order->count - order->next;
    lane->count = lane->count < order->each ? lane->count : order->each;
    lane->asked = wall_us();
    lane->busy = 1;
    order->next += lane->count;

    snprintf(first, sizeof(first), "%ld", lane->first);
    snprintf(count, sizeof(count), "%ld", lane->count);

    if (!PQsendQueryPrepared(lane->db, "enqueue", 3, params, NULL, NULL, 0)) {
        fatal("enqueue", PQerrorMessage(lane->db));
    }
}


/* Has the batch of a lane been committed? */
static void
lane_read(lane_t *lane, order_t *order)
{
    long       i, last;
    int64_t    now;
    PGresult  *result;

    if (!PQconsumeInput(lane->db)) {
        fatal("enqueue", PQerrorMessage(lane->db));
    }

    if (PQisBusy(lane->db)) {
        return;
    }

    result = PQgetResult(lane->db);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) {
        fatal("enqueue", PQerrorMessage(lane->db));
    }

    now = wall_us();
    last = lane->first + lane->count - 1;
    snprintf(ids[last], ID_SIZE, "%s", PQgetvalue(result, 0, 0));

    for (i = lane->first; i <= last; i++) {
        asked[i] = lane->asked;
        sent[i] = now;
        begun[i] = 0;
    }

    wake(whole(PQgetvalue(result, 0, 1)));
    PQclear(result);

    do {
        result = PQgetResult(lane->db);
        PQclear(result);
    } while (result != NULL);

    lane->busy = 0;
    order->answered += lane->count;
}


/* Until a lane has an answer, or it is time for the next batch and a lane is
   free. */
static void
lanes_wait(int64_t until)
{
    int              i, busy;
    int64_t          left;
    struct pollfd    fds[LANES];
    struct timespec  ts;

    busy = 0;

    for (i = 0; i < LANES; i++) {
        if (client.lanes[i].busy) {
            fds[busy].fd = PQsocket(client.lanes[i].db);
            fds[busy].events = POLLIN;
            busy++;
        }
    }

    left = until - wall_us();

    if (left <= 0) {
        /* all lanes may be busy; else there is no need to wait */
        left = busy == 0 ? 0 : 1000;
    }

    left = left > 1000000 ? 1000000 : left;
    ts.tv_sec = left / 1000000;
    ts.tv_nsec = left % 1000000 * 1000;

    if (ppoll(fds, (nfds_t) busy, &ts, NULL) == -1 && errno != EINTR) {
        fatal("poll", strerror(errno));
    }
}


/* Answers are read when there are many, so that this does not wait. */
static void
wake(long count)
{
    int          done;
    long         i;
    redisReply  *reply;

    for (i = 0; i < count; i++) {
        if (redisAppendCommand(client.redis,
                               "XADD voice:queue:probe MAXLEN ~ 10000 *"
                               " wake 1") != REDIS_OK)
        {
            fatal("redis", client.redis->errstr);
        }
        client.pending++;
    }

    for (done = 0; !done; ) {
        if (redisBufferWrite(client.redis, &done) != REDIS_OK) {
            fatal("redis", client.redis->errstr);
        }
    }

    while (client.pending > 1000) {
        if (redisGetReply(client.redis, (void **) &reply) != REDIS_OK) {
            fatal("redis", client.redis->errstr);
        }
        freeReplyObject(reply);
        client.pending--;
    }
}


static int64_t
wall_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void
fatal(const char *what, const char *why)
{
    fprintf(stderr, "jobs: %s: %s\n", what, why);
    exit(1);
}


static long
whole(const char *text)
{
    return strtol(text, NULL, 10);
}


#endif /* VOICE_TOOLS_JOBS_MAKE_H */
