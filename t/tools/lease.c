
/*
 * Random schedules of several nodes on one Redis: do they ever admit more
 * together than the limit?
 *
 *   lease SOCKET SEED SCHEDULES
 *
 * Time is virtual: the script gets it as an argument, and the run id, too.
 * Everything else is what the edge runs: lib/voice_lease, and the script in a
 * real Redis, which is emptied.
 */

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "voice_lease.h"


#define SECOND        INT64_C(1000000)
#define NODES_MAX     6
#define EVENTS_MAX    262144
#define COMMANDS_MAX  262144
#define ADMITTED_MAX  262144
#define TIMEOUT       SECOND               /* of a command */
#define ALONE         (7 * SECOND)         /* a node that was cut lives by
                                              itself from then on */
#define WORDS         18                   /* of a call of the script */


typedef enum {
    CALM = 0,                              /* nothing fails */
    CUT,                                   /* one node loses Redis for good */
    TIDE,                                  /* rest, then a flood, during which
                                              answers are held up */
    STORM,                                 /* everything fails */
    RESTART,                               /* the same, while the others are
                                              restarted again and again */
    CROWD,                                 /* two nodes more than declared,
                                              one of which is refused; slow
                                              answers */
    KINDS
} kind_e;


typedef enum {
    REQUEST = 0,
    FLOOD,                                 /* one more request */
    HELD,                                  /* another bucket has answered the
                                              request, too */
    REFRESH,
    ARRIVE,                                /* a command, at Redis */
    ANSWER,                                /* its reply, at the node */
    GIVE_UP,                               /* no reply in time */
    FAULT
} event_e;


typedef struct {
    voice_node_t    state;
    voice_bucket_t  bucket;
    unsigned        id;
    unsigned        life;                  /* counts its restarts */
    unsigned        link;                  /* counts its connections */
    unsigned        cut:1;                 /* its commands are lost */
    unsigned        deaf:1;                /* the answers are lost */
    unsigned        down:1;                /* ... and it knows */
    unsigned        greeted:1;             /* the connection's first command
                                              was sent */
    int64_t         offset;                /* of its clock */
    double          speed;
    int64_t         since;                 /* cut for good */
    int64_t         alone;                 /* admitted a while after that */
} node_t;


typedef struct {
    voice_ask_t     ask;
    voice_answer_t  answer;
    voice_limit_t   limit;
    int64_t         deadline;
    unsigned        bucket:1;              /* not only a registration */
    unsigned        done:1;                /* the node waits no more */
    unsigned        check:1;
    unsigned        tries:2;
} command_t;


typedef struct {
    int64_t     time;
    int64_t     good;                      /* HELD: its token, so long */
    event_e     kind;
    unsigned    node;
    unsigned    life;
    unsigned    link;
    command_t  *command;
} event_t;


typedef struct {
    kind_e         kind;
    voice_limit_t  limit;
    voice_limit_t  less;                   /* some nodes know yet, or still */
    unsigned       nodes;
    int64_t        end;
    int64_t        delay;                  /* of a message, at most */
    int64_t        good;                   /* of the event HELD to be put */
    int64_t        gap;                    /* between a node's requests */
    int64_t        held;                   /* answers come no sooner */
    unsigned       ebb:1;                  /* of a tide: nobody asks */
    int64_t        epoch;                  /* of Redis's clock */
    unsigned       run;                    /* of Redis */
    unsigned       ids;
    node_t         node[NODES_MAX];
    event_t        events[EVENTS_MAX];
    size_t         nevents;
    command_t      commands[COMMANDS_MAX];
    size_t         ncommands;
    int64_t        admitted[ADMITTED_MAX];
    size_t         nadmitted;
    size_t         nasked;                 /* of these, after a round trip */
    redisReply    *copy[3];                /* DUMP of the keys */
} world_t;


typedef struct {
    size_t  schedules[KINDS];
    size_t  admitted[KINDS];
    size_t  asked;                         /* calm, from 100 a second */
    size_t  of;
    size_t  calls;
    double  use;                           /* calm: the least of the limit */
    double  share;                         /* cut: the least of its share */
} figures_t;


static const char *const  keys[] = { "voice:limit:clock",
                                     "voice:limit:buckets",
                                     "voice:limit:nodes" };
static redisContext  *redis;
static char           sha[64];
static figures_t      figures = { .use = 1e9, .share = 1e9 };
static world_t        world;
static uint64_t       random_state;


static void
die(const char *what)
{
    fprintf(stderr, "lease: %s: %s\n", what, redis ? redis->errstr : "");
    exit(2);
}


/* xorshift64*: the same everywhere for a seed. */
static int64_t
dice(int64_t n)
{
    uint64_t  x = random_state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random_state = x;

    return (int64_t) ((x * UINT64_C(0x2545f4914f6cdd1d) >> 11) % n);
}


static redisReply *
call(int argc, const char **argv, const size_t *lens)
{
    redisReply  *reply;

    reply = redisCommandArgv(redis, argc, argv, lens);

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        die(reply == NULL ? argv[0] : reply->str);
    }

    return reply;
}


/* --- events: a heap ------------------------------------------------------ */

static void
put(int64_t time, event_e kind, unsigned n, command_t *command)
{
    size_t   i, up;
    event_t  event = { time, world.good, kind, n, world.node[n].life,
                       world.node[n].link, command };

    if (world.nevents == EVENTS_MAX) {
        die("too many events");
    }

    for (i = world.nevents++; i > 0; i = up) {
        up = (i - 1) / 2;

        if (world.events[up].time <= time) {
            break;
        }

        world.events[i] = world.events[up];
    }

    world.events[i] = event;
}


static event_t
get(void)
{
    size_t   i, down;
    event_t  first, last;

    first = world.events[0];
    last = world.events[--world.nevents];

    for (i = 0; i * 2 + 1 < world.nevents; i = down) {
        down = i * 2 + 1;

        if (down + 1 < world.nevents
            && world.events[down + 1].time < world.events[down].time)
        {
            down++;
        }

        if (world.events[down].time >= last.time) {
            break;
        }

        world.events[i] = world.events[down];
    }

    world.events[i] = last;

    return first;
}


/* --- the network --------------------------------------------------------- */

static int64_t
clock_of(const node_t *node, int64_t time)
{
    return node->offset + (int64_t) (time * node->speed);
}


/* Now and then something sits in a buffer for seconds. */
static int64_t
delay(void)
{
    int64_t  d;

    d = 50 + dice(world.delay);

    return world.kind == STORM && dice(50) == 0 ? d + dice(5 * SECOND) : d;
}


/* 0: it is sent, with a deadline as the edge gives every command. */
static int
transmit(unsigned n, command_t *command, int64_t time)
{
    node_t  *node = &world.node[n];

    if (node->down) {
        return -1;
    }

    command->deadline = voice_node_deadline(&node->state,
                                            clock_of(node, time));
    voice_node_claim(&node->state, command->deadline);
    command->check = !node->greeted;
    node->greeted = 1;

    put(time + TIMEOUT, GIVE_UP, n, command);

    if (!node->cut) {
        put(time + delay(), ARRIVE, n, command);
    }

    return 0;
}


static void
arrive(const event_t *event)
{
    int           i;
    char          text[12][40];
    int64_t       time;
    node_t       *node = &world.node[event->node];
    command_t    *command = event->command;
    redisReply   *reply;
    const char   *argv[WORDS] = { "EVALSHA", sha, "3", keys[0], keys[1],
                                  keys[2] };

    snprintf(text[0], 40, "%u", (unsigned) command->check);
    snprintf(text[1], 40, "%lld", (long long) world.limit.nodes);
    snprintf(text[2], 40, "%u-%u", event->node, event->life);
    snprintf(text[3], 40, "%lld", (long long) command->deadline);
    snprintf(text[4], 40, "%s", command->bucket ? "bucket" : "");
    snprintf(text[5], 40, "%.17g", command->limit.interval);
    snprintf(text[6], 40, "%.17g", command->limit.capacity);
    snprintf(text[7], 40, "%lld", (long long) command->ask.want);
    snprintf(text[8], 40, "%lld", (long long) command->ask.least);
    snprintf(text[9], 40, "%lld", (long long) command->ask.batch);
    snprintf(text[10], 40, "%lld", (long long) (world.epoch + event->time));
    snprintf(text[11], 40, "run_id:%x", world.run);

    for (i = 0; i < 12; i++) {
        argv[6 + i] = text[i];
    }

    reply = call(WORDS, argv, NULL);
    figures.calls++;

    const voice_answer_t  answer = {
        reply->element[0]->integer, reply->element[1]->integer,
        reply->element[2]->integer, reply->element[3]->integer,
        reply->element[4]->integer, reply->element[5]->integer,
        reply->element[6]->integer
    };

    command->answer = answer;
    freeReplyObject(reply);

    time = event->time + delay();
    time = time > world.held ? time : world.held + dice(50);

    if (node->life == event->life && node->link == event->link
        && !node->deaf)
    {
        put(time, ANSWER, event->node, command);
    }
}


/* --- a node -------------------------------------------------------------- */

/* good: as long as its token is, it may wait for another bucket. */
static void
admit(unsigned n, int64_t time, int64_t good)
{
    node_t  *node = &world.node[n];

    if (world.nadmitted == ADMITTED_MAX) {
        die("too many admissions");
    }

    if (good != 0 && (world.kind == STORM || world.kind == CROWD)
        && dice(8) == 0)
    {
        world.good = good;
        put(time + dice(2 * node->bucket.limit.patience), HELD, n, NULL);
        return;
    }

    world.admitted[world.nadmitted++] = time;

    if (node->since != 0 && time > ALONE) {
        node->alone++;
    }
}


static command_t *
command_new(const voice_ask_t *ask)
{
    command_t  *command;

    if (world.ncommands == COMMANDS_MAX) {
        die("too many commands");
    }

    command = &world.commands[world.ncommands++];
    memset(command, 0, sizeof(command_t));

    if (ask != NULL) {
        command->ask = *ask;
        command->bucket = 1;
    }

    return command;
}


static void
admit_alone(unsigned n, int64_t time)
{
    node_t  *node = &world.node[n];

    if (voice_bucket_take_alone(&node->bucket, &node->state,
                                clock_of(node, time))
        == 0)
    {
        admit(n, time, 0);
    }
}


/* As ngx_voice_limit_renew() and ngx_voice_limit_return(). */
static void
held(const event_t *event)
{
    node_t  *node = &world.node[event->node];

    if (node->life != event->life) {
        return;
    }

    if (clock_of(node, event->time) > event->good) {
        admit_alone(event->node, event->time);

    } else if (dice(2) == 0) {
        voice_bucket_give_back(&node->bucket);

    } else {
        admit(event->node, event->time, 0);
    }
}


static void
request(unsigned n, int64_t time, unsigned tries)
{
    node_t       *node = &world.node[n];
    command_t    *command;
    voice_ask_t   ask;
    voice_take_e  take;

    take = voice_bucket_take(&node->bucket, &node->state,
                             clock_of(node, time), &ask);

    if (take == VOICE_TAKE_LOCAL) {
        admit(n, time, voice_limit_good(&node->bucket.limit,
                                        clock_of(node, time)));
    }

    if (ask.want == 0) {
        return;
    }

    command = command_new(&ask);
    command->tries = tries;
    command->limit = node->bucket.limit;

    if (transmit(n, command, time) == 0) {

        /* the client has gone away */

        if (world.kind == STORM && dice(16) == 0) {
            command->ask.own = 0;
        }

        return;
    }

    voice_bucket_unsent(&node->bucket, &ask);

    if (ask.own) {
        admit_alone(n, time);
    }
}


static void
answered(const event_t *event)
{
    int         rc;
    node_t     *node = &world.node[event->node];
    int64_t     now;
    command_t  *command = event->command;

    now = clock_of(node, event->time);
    command->done = 1;
    voice_node_heard(&node->state, command->answer.redis, now);

    if (!command->bucket) {
        return;
    }

    if (command->answer.status != VOICE_ANSWER_OK) {
        voice_bucket_unsent(&node->bucket, &command->ask);

        if (command->answer.status == VOICE_ANSWER_UNKNOWN
            && command->ask.own && command->tries < 2)
        {
            request(event->node, event->time, command->tries + 1);
        }

        if (command->answer.status == VOICE_ANSWER_CROWDED
            && command->ask.own)
        {
            admit_alone(event->node, event->time);
        }

        return;
    }

    rc = voice_bucket_answered(&node->bucket, &command->ask, &command->answer,
                               now);

    if (rc == 1) {
        admit(event->node, event->time,
              voice_limit_good(&command->limit, command->ask.sent));
        world.nasked++;

    } else if (rc == -1 && command->tries < 2) {
        request(event->node, event->time, command->tries + 1);
    }
}


/* The edge closes a connection on which a command got no answer. */
static void
give_up(const event_t *event)
{
    node_t     *node = &world.node[event->node];
    command_t  *command = event->command;

    if (command->done || node->life != event->life) {
        return;
    }

    command->done = 1;

    if (node->link == event->link) {
        node->link++;
        node->greeted = 0;
        node->down = node->cut || node->deaf;
    }

    if (command->bucket) {
        voice_bucket_unsent(&node->bucket, &command->ask);

        if (command->ask.own) {
            admit_alone(event->node, event->time);
        }
    }
}


static void
start(unsigned n, int64_t time)
{
    node_t  *node = &world.node[n];

    node->life++;
    node->link++;
    node->greeted = 0;
    node->offset = dice(1000 * SECOND);
    node->speed = 0.995 + dice(1000) / 100000.0;

    memset(&node->state, 0, sizeof(voice_node_t));
    node->state.started = clock_of(node, time);
    voice_bucket_init(&node->bucket, &world.limit, node->state.started);

    put(time, REFRESH, n, NULL);
}


/* --- faults -------------------------------------------------------------- */

static void
redis_empty(void)
{
    const char  *argv[] = { "DEL", keys[0], keys[1], keys[2] };

    freeReplyObject(call(4, argv, NULL));
}


static void
redis_keep(void)
{
    int          i;
    const char  *argv[2] = { "DUMP" };

    for (i = 0; i < 3; i++) {
        argv[1] = keys[i];
        freeReplyObject(world.copy[i]);
        world.copy[i] = call(2, argv, NULL);
    }
}


/* With what it had when it was kept last, a second ago perhaps. */
static void
redis_restart(void)
{
    int           i;
    unsigned      n;
    const char   *argv[4] = { "RESTORE", NULL, "0", NULL };
    size_t        lens[4] = { 7, 0, 1, 0 };

    redis_empty();
    world.run++;

    for (i = 0; i < 3; i++) {
        if (world.copy[i] != NULL && world.copy[i]->str != NULL) {
            argv[1] = keys[i];
            lens[1] = strlen(keys[i]);
            argv[3] = world.copy[i]->str;
            lens[3] = world.copy[i]->len;
            freeReplyObject(call(4, argv, lens));
        }
    }

    for (n = 0; n < world.nodes; n++) {
        world.node[n].link++;
        world.node[n].greeted = 0;
    }
}


/* A rest fills all that can be filled; then all come at once. */
static void
tide(int64_t time)
{
    unsigned  n;
    int64_t   full = world.limit.burst * SECOND / world.limit.rate + SECOND;

    world.ebb = !world.ebb;

    if (world.ebb) {
        put(time + dice(2 * full), FAULT, 0, NULL);
        return;
    }

    world.held = dice(3) == 0 ? time + dice(TIMEOUT) : 0;

    for (n = 0; n < world.nodes; n++) {
        put(time + dice(SECOND / world.limit.rate), REQUEST, n, NULL);
    }

    put(time + dice(full), FAULT, 0, NULL);
}


static void
flood(int64_t time)
{
    int64_t  i;

    for (i = 0; i < world.limit.burst + world.limit.rate / 8; i++) {
        put(time + dice(30000), FLOOD, dice(world.nodes), NULL);
    }
}


static void
fault(int64_t time)
{
    unsigned  n;
    node_t   *node;

    n = dice(world.nodes);
    node = &world.node[n];

    if (world.kind == CROWD) {
        world.gap = dice(2) ? SECOND : 1000;
        world.delay = dice(2) ? 900000 : 1000;
        flood(time);
        put(time + 1 + dice(5 * SECOND), FAULT, 0, NULL);
        return;
    }

    if (world.kind == RESTART) {
        n = 1 + dice(world.nodes - 1);
        start(n, time);
        world.node[n].cut = dice(6) == 0;
        put(time + SECOND + dice(SECOND), FAULT, 0, NULL);
        return;
    }

    switch (dice(12)) {

    case 0:
        redis_empty();
        break;

    case 1:
        redis_restart();
        break;

    case 2:
        start(n, time);
        break;

    case 3:
        world.gap = 500 + dice(4 * SECOND * world.nodes / world.limit.rate);
        break;

    case 4:
        node->deaf = 1;
        break;

    case 5:
        node->cut = 1;
        break;

    case 6:
        flood(time);
        break;

    case 7:
        voice_bucket_set(&node->bucket, dice(2) ? &world.limit : &world.less);
        break;

    case 8:
        /* its zone is full */
        voice_bucket_init(&node->bucket, &world.limit, clock_of(node, time));
        break;

    default:
        node->cut = 0;
        node->deaf = 0;
        node->down = 0;
        break;
    }

    if (dice(2) == 0) {
        redis_keep();
    }

    put(time + 1 + dice(3 * SECOND), FAULT, 0, NULL);
}


/* --- a schedule ---------------------------------------------------------- */

static void
create(kind_e kind)
{
    unsigned  n;

    static const int64_t  rates[] = { 1, 2, 5, 10, 20, 50, 99, 100, 200,
                                      500, 1000 };

    int64_t  rate = rates[dice(11)];

    memset(&world, 0, offsetof(world_t, copy));
    world.kind = kind;
    world.nodes = kind == CROWD ? 1 + dice(NODES_MAX - 2)
                  : kind == RESTART ? 2 + dice(2) : 1 + dice(NODES_MAX);
    world.end = (8 + dice(12)) * SECOND;
    world.delay = kind == STORM ? 1 + dice(30000) : 1000;
    world.epoch = INT64_C(1700000000) * SECOND + dice(SECOND);
    world.run = 1;

    voice_limit_set(&world.limit, rate, kind >= TIDE
                    ? 1 + dice(3 * rate) : rate + 4 + dice(2 * rate),
                    world.nodes);

    voice_limit_set(&world.less, (rate + 1) / 2, (world.limit.burst + 1) / 2,
                    world.nodes);

    if (kind == CROWD) {
        world.nodes += 2;
    }

    /* more than may be admitted; a storm also has quiet and floods */
    world.gap = SECOND * world.nodes / rate / 4;

    redis_empty();

    for (n = 0; n < world.nodes; n++) {
        start(n, 0);
        put(dice(world.gap + 1), REQUEST, n, NULL);
    }

    if (kind == STORM || kind == TIDE || kind == RESTART || kind == CROWD) {
        put(dice(SECOND), FAULT, 0, NULL);
    }

    if (kind == CUT || kind == RESTART) {
        world.node[0].since = 2 * SECOND;
    }
}


static void
step(const event_t *event)
{
    node_t     *node = &world.node[event->node];
    command_t  *command;

    switch (event->kind) {

    case REQUEST:
        if (node->since != 0 && event->time >= node->since) {
            node->cut = 1;
        }

        request(event->node, event->time, 0);

        if (world.ebb) {
            break;
        }

        put(event->time + 1 + dice(2 * world.gap + 1), REQUEST, event->node,
            NULL);
        break;

    case FLOOD:
        request(event->node, event->time, 0);
        break;

    case HELD:
        held(event);
        break;

    case REFRESH:
        if (node->life == event->life) {
            command = command_new(NULL);
            (void) transmit(event->node, command, event->time);
            put(event->time + VOICE_LEASE_REFRESH, REFRESH, event->node,
                NULL);
        }
        break;

    case ARRIVE:
        arrive(event);
        break;

    case ANSWER:
        if (node->life == event->life && node->link == event->link
            && !event->command->done)
        {
            answered(event);
        }
        break;

    case GIVE_UP:
        give_up(event);
        break;

    case FAULT:
        if (world.kind == TIDE) {
            tide(event->time);
        } else {
            fault(event->time);
        }
        break;
    }
}


/* The whole sequence by GCRA: the same as every window. */
static int
conforms(void)
{
    size_t  i;
    double  full, interval, over;

    full = 0;
    interval = (double) SECOND / world.limit.rate;

    for (i = 0; i < world.nadmitted; i++) {
        full = (full > world.admitted[i] ? full : world.admitted[i])
               + interval;
        over = (full - world.admitted[i]) / interval - world.limit.burst;

        if (over > 1e-3) {
            printf("too many: kind %d, rate %lld, burst %lld, nodes %u: "
                   "%.3f over the limit at %lld us\n", (int) world.kind,
                   (long long) world.limit.rate,
                   (long long) world.limit.burst, world.nodes, over,
                   (long long) world.admitted[i]);
            return 0;
        }
    }

    return 1;
}


/* Figures of schedules that are long enough for their limit. */
static void
judge(void)
{
    double   use, could;
    node_t  *node = &world.node[0];

    figures.schedules[world.kind]++;
    figures.admitted[world.kind] += world.nadmitted;

    /* the Redis was emptied: all begin with nothing */
    could = (double) world.end / SECOND * world.limit.rate;

    if (world.kind == CALM && could >= 100) {
        use = world.nadmitted / could;
        figures.use = use < figures.use ? use : figures.use;
    }

    if (world.kind == CALM && world.limit.batch > 0) {
        figures.asked += world.nasked;
        figures.of += world.nadmitted;
    }

    could = (double) (world.end - ALONE) / SECOND * world.limit.rate
            / world.nodes;

    if (world.kind == CUT && world.limit.share > 1 && could >= 20) {
        use = node->alone / could;
        figures.share = use < figures.share ? use : figures.share;
    }
}


static int
schedule(kind_e kind)
{
    event_t  event;

    create(kind);

    for ( ;; ) {
        event = get();

        if (event.time > world.end) {
            break;
        }

        step(&event);
    }

    judge();

    return conforms();
}


static void
load(void)
{
    int          i;
    char         script[8192], *p;
    redisReply  *reply;
    const char  *argv[] = { "SCRIPT", "LOAD", script };

    static const char *const  swaps[][2] = {
        { "redis.call('TIME')",
          "{math.floor(ARGV[11] / 1e6), ARGV[11] % 1e6}" },
        { "redis.call('INFO', 'server')", "ARGV[12]" }
    };

    snprintf(script, sizeof(script), "%s", voice_lease_script);

    for (i = 0; i < 2; i++) {
        char  rest[8192];

        p = strstr(script, swaps[i][0]);
        if (p == NULL) {
            die("the script asks for no time or run id");
        }

        snprintf(rest, sizeof(rest), "%s", p + strlen(swaps[i][0]));
        snprintf(p, sizeof(script) - (p - script), "%s%s", swaps[i][1], rest);
    }

    reply = call(3, argv, NULL);
    snprintf(sha, sizeof(sha), "%s", reply->str);
    freeReplyObject(reply);
}


int
main(int argc, char **argv)
{
    long           i, n, bad;
    unsigned long  seed;

    static const kind_e  kinds[] = { STORM, TIDE, STORM, CALM, CROWD, CUT,
                                     TIDE, RESTART };

    if (argc != 4) {
        fprintf(stderr, "usage: lease SOCKET SEED SCHEDULES\n");
        return 2;
    }

    redis = redisConnectUnix(argv[1]);
    if (redis == NULL || redis->err) {
        die("no Redis");
    }

    load();

    seed = strtoul(argv[2], NULL, 10);
    n = strtol(argv[3], NULL, 10);
    bad = 0;

    for (i = 0; i < n; i++) {
        random_state = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) + 1;

        if (!schedule(kinds[(seed + i) % 8])) {
            printf("    in the schedule of seed %lu\n", seed + i);
            bad++;
        }
    }

    printf("schedules=%ld over=%ld calm=%zu cut=%zu tide=%zu storm=%zu "
           "crowd=%zu restart=%zu calls=%zu\n", n, bad,
           figures.schedules[CALM], figures.schedules[CUT],
           figures.schedules[TIDE], figures.schedules[STORM],
           figures.schedules[CROWD], figures.schedules[RESTART],
           figures.calls);
    printf("admitted: calm=%zu cut=%zu tide=%zu storm=%zu crowd=%zu\n",
           figures.admitted[CALM], figures.admitted[CUT],
           figures.admitted[TIDE], figures.admitted[STORM],
           figures.admitted[CROWD]);
    printf("use=%.4f share=%.4f asked=%.4f of %zu\n", figures.use,
           figures.share, (double) figures.asked
                          / (figures.of ? figures.of : 1), figures.of);

    redis_empty();
    redisFree(redis);

    return bad == 0 ? 0 : 1;
}
