
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

#include "jobs_make.h"


#define LOOK_US       2000                 /* between looks at what is done */
#define EVERY_US      200000               /* between single jobs of OTHER */
#define LONGEST_US    600000000            /* that is waited for a job */


static int ended(long job);
static void wait_for(long job);
static void wait_until(int64_t end);
static long batch_last(long job);
static void wait_all(void);
static void begun_read(long count);
static void percentiles(const int64_t *times, long count);
static int64_t between(long count, int64_t from, int64_t to);
static void obey(const char *line);
static int named(const char *name, int arguments);
static void command_fill(const long *n);
static void command_rate(const long *n);
static void command_standing(const long *n);
static void command_paced(const long *n);
static void command_later(const long *n);


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
    int64_t  end;

    end = wall_us() + LONGEST_US;

    while (!ended(job)) {
        wait_until(end);
    }
}


/* Waits a little, not past the end. */
static void
wait_until(int64_t end)
{
    if (wall_us() >= end) {
        fatal("watch", "a job has not ended");
    }

    usleep(LOOK_US);
}


/* The last of the batch in which a job was made. */
static long
batch_last(long job)
{
    while (ids[job][0] == '\0') {
        job++;
    }

    return job;
}


/* Nothing is queued, nothing runs. */
static void
wait_all(void)
{
    int        left;
    int64_t    end;
    PGresult  *result;

    end = wall_us() + LONGEST_US;

    do {
        result = PQexec(client.watch, "select bench.jobs_left()");
        if (PQresultStatus(result) != PGRES_TUPLES_OK) {
            fatal("watch", PQerrorMessage(client.watch));
        }
        left = PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);

        if (left) {
            wait_until(end);
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
        job = whole(PQgetvalue(result, i, 0));
        if (job < count) {
            begun[job] = whole(PQgetvalue(result, i, 1));
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
        wait_for(batch_last(done));

        do {
            done = batch_last(done) + 1;
        } while (done < order.next && ended(batch_last(done)));

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
