
/*
 * Makes jobs of the kind `probe` and sees when they are done.
 *
 *   jobs REDIS_PORT TENANT OTHER
 *
 * PostgreSQL is what PG* say, with bench.enqueue() and bench.begun() of
 * bench/Bench/Jobs.pm; REDISCLI_AUTH is the password of Redis.  Commands on
 * stdin, each answered by "figures" and numbers:
 *
 *   fill N EACH            makes N, EACH at a time: us
 *   rate N EACH            and waits until all are done: us to make, us in all
 *   standing B N EACH      behind the B of a fill as many as are done, until
 *                          N are; "warm" when a fifth is: jobs since, us
 *   paced N RATE EACH      EACH at a time, RATE a second: p50, p99, longest
 *                          wait from commit to begin, then from asking
 *   later N SINGLES        behind the N of a fill one now and then of OTHER:
 *                          its wait from commit, then the jobs that began
 *                          meanwhile
 *
 * A job that is to be run at once is told to workers as the edge does it,
 * after its commit.
 */

#define _GNU_SOURCE

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
#define LOOK_US       2000                 /* between looks at what is done */
#define EVERY_US      200000               /* between single jobs of OTHER */
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


static void client_open(char **argv);
static PGconn *db_open(void);
static void make(order_t *order);
static int64_t make_due(order_t *order);
static void lane_send(lane_t *lane, order_t *order);
static void lane_read(lane_t *lane, order_t *order);
static void lanes_wait(int64_t until);
static void wake(int count);
static int ended(long job);
static void wait_for(long job);
static void wait_all(void);
static void begun_read(long count);
static void percentiles(const int64_t *times, long count);
static int64_t between(long count, int64_t from, int64_t to);
static int64_t wall_us(void);
static void fatal(const char *what, const char *why);
static void obey(const char *line);
static int named(const char *name, int arguments);
static void command_fill(const long *n);
static void command_rate(const long *n);
static void command_standing(const long *n);
static void command_paced(const long *n);
static void command_later(const long *n);


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


static const struct {
    const char  *name;
    int          arguments;
    int          follows;                  /* bool: goes on after a fill */
    int          warms;                    /* bool: says when it is warm */
    void       (*run)(const long *n);
} commands[] = {
    { "fill", 2, 0, 0, command_fill },
    { "rate", 2, 0, 0, command_rate },
    { "standing", 3, 1, 1, command_standing },
    { "paced", 3, 0, 0, command_paced },
    { "later", 2, 1, 0, command_later },
    { NULL, 0, 0, 0, NULL }
};


int
main(int argc, char **argv)
{
    char  line[200];

    if (argc != 4) {
        fprintf(stderr, "usage: jobs REDIS_PORT TENANT OTHER\n");
        return 2;
    }

    client_open(argv);
    printf("ready\n");
    fflush(stdout);

    while (fgets(line, sizeof(line), stdin) != NULL) {
        obey(line);
    }

    return 0;
}


static void
obey(const char *line)
{
    int   i;
    char  name[20];
    long  n[3];

    memset(n, 0, sizeof(n));
    i = named(name, sscanf(line, "%19s %ld %ld %ld", name, &n[0], &n[1],
                           &n[2]) - 1);

    if (commands[i].name == NULL || n[0] < 1 || n[1] < 1
        || n[0] + n[1] > JOBS_MAX)
    {
        fatal("not understood", line);
    }

    if (!commands[i].follows) {
        memset(ids, 0, sizeof(ids));
        client.since = wall_us();
    }

    if (!commands[i].warms) {
        printf("figures");
    }

    commands[i].run(n);
    printf("\n");
    fflush(stdout);
}


/* The row of a command; the last, which has no name, where there is none. */
static int
named(const char *name, int arguments)
{
    int  i;

    for (i = 0; commands[i].name != NULL; i++) {
        if (strcmp(commands[i].name, name) == 0
            && arguments == commands[i].arguments)
        {
            break;
        }
    }

    return i;
}


static void
client_open(char **argv)
{
    int          i;
    const char  *password;
    redisReply  *reply;

    client.tenant = argv[2];
    client.other = argv[3];

    client.redis = redisConnect("127.0.0.1", atoi(argv[1]));
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
make_due(order_t *order)
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

    wake(atoi(PQgetvalue(result, 0, 1)));
    PQclear(result);

    while ((result = PQgetResult(lane->db)) != NULL) {
        PQclear(result);
    }

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
wake(int count)
{
    int          i, done;
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


/* Has the job ended?  True for one that is not the last of a batch. */
static int
ended(long job)
{
    int          is;
    PGresult    *result;
    const char  *params[1];

    if (ids[job][0] == '\0') {
        return 1;
    }

    params[0] = ids[job];
    result = PQexecParams(client.watch, "select ended_at is not null"
                          " from core.job where id = $1", 1, NULL, params,
                          NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) {
        fatal("watch", PQerrorMessage(client.watch));
    }

    is = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);

    return is;
}


static void
wait_for(long job)
{
    while (!ended(job)) {
        usleep(LOOK_US);
    }
}


/* Nothing is queued, nothing runs. */
static void
wait_all(void)
{
    int        left;
    PGresult  *result;

    do {
        result = PQexec(client.watch, "select bench.jobs_left()");
        if (PQresultStatus(result) != PGRES_TUPLES_OK) {
            fatal("watch", PQerrorMessage(client.watch));
        }
        left = PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);

        if (left) {
            usleep(LOOK_US);
        }
    } while (left);
}


/* When the first jobs of what was made since the last fill began. */
static void
begun_read(long count)
{
    int          i;
    char         since[24];
    long         job;
    PGresult    *result;
    const char  *params[] = { since };

    snprintf(since, sizeof(since), "%ld", (long) client.since);

    result = PQexecParams(client.watch, "select seq, begun"
                          " from bench.begun($1)", 1, NULL, params, NULL,
                          NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fatal("begun", PQerrorMessage(client.watch));
    }

    memset(begun, 0, (size_t) count * sizeof(int64_t));

    for (i = 0; i < PQntuples(result); i++) {
        job = atol(PQgetvalue(result, i, 0));
        if (job < count) {
            begun[job] = atoll(PQgetvalue(result, i, 1));
        }
    }

    PQclear(result);

    for (job = 0; job < count; job++) {
        if (begun[job] == 0) {
            fatal("begun", "a job was not run");
        }
    }
}


/* p50, p99 and the longest; less than nothing counts as nothing. */
static void
percentiles(const int64_t *times, long count)
{
    long              i;
    static measure_t  measure;

    memset(&measure, 0, sizeof(measure_t));

    for (i = 0; i < count; i++) {
        measure_add(&measure, times[i] * 1000);
    }

    printf(" %.0f %.0f %.0f", measure_percentile(&measure, 0.5),
           measure_percentile(&measure, 0.99), measure.longest / 1e3);
}


static void
command_fill(const long *n)
{
    order_t  order;

    order = (order_t) { client.tenant, n[0], n[1], 0, 0, 0, 0 };
    make(&order);
    printf(" %ld", (long) (wall_us() - order.start));
}


static void
command_rate(const long *n)
{
    order_t  order;

    order = (order_t) { client.tenant, n[0], n[1], 0, 0, 0, 0 };
    make(&order);
    printf(" %ld", (long) (wall_us() - order.start));

    wait_for(n[0] - 1);
    wait_all();
    printf(" %ld", (long) (wall_us() - order.start));
}


/* Jobs of one tenant begin in their order, so the last of each batch tells
   how many are done. */
static void
command_standing(const long *n)
{
    long     done, warm;
    int64_t  start;
    order_t  order;

    done = 0;
    warm = 0;
    start = 0;
    order = (order_t) { client.tenant, n[0], n[2], 0, n[0], n[0], 0 };

    while (done < n[1]) {
        wait_for(done);

        do {
            done++;
        } while (ids[done - 1][0] == '\0' || ended(done));

        if (warm == 0 && done > n[1] / 5) {
            printf("warm\nfigures");
            fflush(stdout);
            warm = done;
            start = wall_us();
        }

        order.count = n[0] + done;
        make(&order);
    }

    printf(" %ld %ld", done - warm, (long) (wall_us() - start));
}


static void
command_paced(const long *n)
{
    long     i;
    order_t  order;

    order = (order_t) { client.tenant, n[0], n[2], n[1], 0, 0, 0 };
    make(&order);
    wait_for(n[0] - 1);
    wait_all();
    begun_read(n[0]);

    for (i = 0; i < n[0]; i++) {
        sent[i] = begun[i] - sent[i];
        asked[i] = begun[i] - asked[i];
    }

    percentiles(sent, n[0]);
    percentiles(asked, n[0]);
}


static void
command_later(const long *n)
{
    long     i, all;
    order_t  order;

    all = n[0] + n[1];
    order = (order_t) { client.other, n[0], 1, 0, n[0], n[0], 0 };

    while (order.count < all) {
        order.count++;
        make(&order);
        usleep(EVERY_US);
    }

    wait_all();
    begun_read(all);

    for (i = n[0]; i < all; i++) {
        asked[i] = between(n[0], sent[i], begun[i]);
        sent[i] = begun[i] - sent[i];
    }

    percentiles(sent + n[0], n[1]);
    percentiles(asked + n[0], n[1]);
}


/* How many of the first jobs began in a time. */
static int64_t
between(long count, int64_t from, int64_t to)
{
    long     i;
    int64_t  some;

    for (i = 0, some = 0; i < count; i++) {
        some += begun[i] > from && begun[i] < to;
    }

    return some;
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
