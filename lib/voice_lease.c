
/*
 * The arithmetic of leases, and one bucket of one node.
 */

#include "voice_lease.h"


#define SECOND        1000000
#define DRIFT         100                  /* 1/n: clocks differ by less */
#define MARGIN        500000               /* a step back of Redis's clock
                                              that nobody saw */
#define PATIENCE_MIN  5000
#define PATIENCE_MAX  500000
#define LEASE_LIFE    1000000              /* then it is lost */
#define SHARE_TIME    4                    /* 1/n s of the rate is a share */
#define FLIGHT_PART   16                   /* 1/n of the burst may be on its
                                              way to requests */


static int bucket_own(voice_bucket_t *bucket, const voice_ask_t *ask,
    int64_t *granted, int64_t now);
static void bucket_stretch(voice_bucket_t *bucket);
static void bucket_earn(voice_bucket_t *bucket, const voice_node_t *node,
    int64_t now);
static void bucket_lease(voice_bucket_t *bucket, int64_t least,
    voice_ask_t *ask);
static int64_t bucket_room(const voice_bucket_t *bucket);
static int64_t least_of(int64_t a, int64_t b);
static int64_t most_of(int64_t a, int64_t b);


void
voice_limit_set(voice_limit_t *limit, int64_t rate, int64_t burst,
    int64_t nodes)
{
    double   room;
    int64_t  holders;

    /* a node that was restarted, and the one before it */
    holders = nodes + 1;

    limit->rate = rate;
    limit->burst = burst;
    limit->nodes = nodes;

    limit->share = least_of(rate / SHARE_TIME, burst / (2 * holders));

    if (limit->share == 0 && burst > holders) {
        limit->share = 1;
    }

    limit->batch = rate >= VOICE_LEASE_AHEAD ? limit->share / 2 : 0;

    limit->patience = most_of(PATIENCE_MIN,
                              least_of(burst * SECOND / FLIGHT_PART / rate,
                                       PATIENCE_MAX));
    limit->alone = SECOND * nodes / rate;
    limit->alone += limit->alone / DRIFT + 1;

    /*
     * What is on its way to requests is not in Redis any more and not spent
     * yet: up to patience seconds of the rate.  Where there is no room for
     * that beside one token, tokens are given so much further apart.
     */
    limit->interval = (double) SECOND / rate;
    room = burst - holders * limit->share - limit->patience / limit->interval;
    limit->capacity = room;

    if (room < 1) {
        limit->capacity = 1;
        limit->interval += limit->patience;
    }
}


int64_t
voice_limit_good(const voice_limit_t *limit, int64_t got)
{
    return got + limit->patience - limit->patience / DRIFT;
}


void
voice_node_heard(voice_node_t *node, int64_t redis, int64_t now)
{
    node->redis = redis;
    node->heard = now;
}


int64_t
voice_node_deadline(const voice_node_t *node, int64_t now)
{
    int64_t  time, passed;

    if (node->redis == 0) {
        return 0;
    }

    passed = now - node->heard;

    /* whom Redis does not answer lets its registration end, to earn */

    if (passed > VOICE_LEASE_TERM) {
        return 0;
    }

    time = node->redis + passed - passed / DRIFT;

    /* one that lasts is kept: later ones keep the node from earning */

    if (node->deadline >= time + VOICE_LEASE_TERM / 4 * 3
        && node->deadline <= time + VOICE_LEASE_TERM)
    {
        return node->deadline;
    }

    return time + VOICE_LEASE_TERM;
}


void
voice_node_claim(voice_node_t *node, int64_t deadline)
{
    node->deadline = most_of(node->deadline, deadline);
}


int64_t
voice_node_alone(const voice_node_t *node)
{
    int64_t  first, last;

    /* whoever was here before may still be registered */
    first = VOICE_LEASE_TERM + MARGIN;
    first += node->started + first / (DRIFT - 1) + 1;

    if (node->deadline == 0) {
        return first;
    }

    last = most_of(node->deadline - node->redis, 0) + MARGIN;
    last += node->heard + last / (DRIFT - 1) + 1;

    return most_of(first, last);
}


void
voice_bucket_init(voice_bucket_t *bucket, const voice_limit_t *limit,
    int64_t now)
{
    memset(bucket, 0, sizeof(voice_bucket_t));

    bucket->limit = *limit;
    bucket->earned = now;

    /* no lease of an earlier bucket of this name has such a number */
    bucket->lease = (uint64_t) now;
}


void
voice_bucket_set(voice_bucket_t *bucket, const voice_limit_t *limit)
{
    bucket->limit = *limit;
    bucket->tokens = least_of(bucket->tokens, limit->share);
    bucket->quiet = 0;
    bucket->leased = 0;
}


voice_take_e
voice_bucket_take(voice_bucket_t *bucket, const voice_node_t *node,
    int64_t now, voice_ask_t *ask)
{
    const voice_limit_t  *limit = &bucket->limit;

    memset(ask, 0, sizeof(voice_ask_t));
    ask->sent = now;

    if (now >= bucket->overdue) {
        bucket->leased = 0;
    }

    ask->wait = voice_bucket_refusing(bucket, node, now);

    if (ask->wait > 0) {

        /* soon there is enough: who is refused fetches it for the next */

        if (limit->batch > 0
            && ask->wait < limit->share / 4 * bucket->pace)
        {
            bucket_lease(bucket, most_of(limit->batch / 2, 1), ask);
        }

        return VOICE_TAKE_REFUSED;
    }

    /* small limits keep what they hold for when Redis has nothing */

    if (bucket->tokens > 0 && (limit->batch > 0 || now < bucket->quiet)) {
        bucket->tokens--;

        if (bucket->tokens < limit->share / 2 && now >= bucket->quiet) {
            bucket_lease(bucket, most_of(limit->batch / 2, 1), ask);
        }

        return VOICE_TAKE_LOCAL;
    }

    ask->own = 1;
    bucket_lease(bucket, 1, ask);

    if (ask->lease == 0 || limit->batch == 0) {
        ask->want++;
        ask->least = 1;
        ask->batch = most_of(limit->batch, 1);
    }

    /* there may be one token again: one request finds out for all */

    if (bucket->empty) {
        bucket->quiet = now + limit->patience;
    }

    return VOICE_TAKE_ASK;
}


int64_t
voice_bucket_refusing(voice_bucket_t *bucket, const voice_node_t *node,
    int64_t now)
{
    bucket_earn(bucket, node, now);

    if (bucket->tokens > 0 || now >= bucket->quiet) {
        return 0;
    }

    bucket_stretch(bucket);

    return bucket->quiet - now;
}


void
voice_bucket_unsent(voice_bucket_t *bucket, const voice_ask_t *ask)
{
    if (ask->lease != 0 && ask->lease == bucket->lease) {
        bucket->leased = 0;
    }

    bucket->quiet = 0;
}


int
voice_bucket_answered(voice_bucket_t *bucket, const voice_ask_t *ask,
    const voice_answer_t *answer, int64_t now)
{
    int      own;
    int64_t  granted;

    bucket->rest = answer->rest;
    bucket->pace = answer->pace;
    bucket->asked = now;
    bucket->short_of = 0;
    bucket->empty = answer->wait > 0;
    bucket->quiet = bucket->empty ? now + answer->wait : 0;

    granted = answer->granted;
    own = ask->lease == 0 || bucket->limit.batch == 0
          ? bucket_own(bucket, ask, &granted, now) : 0;

    /* an older lease was given up for lost, and is */

    if (ask->lease != 0 && ask->lease == bucket->lease && bucket->leased > 0
        && now < bucket->overdue)
    {
        bucket->leased = 0;
        bucket->tokens += least_of(granted, bucket_room(bucket));
    }

    if (own != 1 && ask->own && bucket->tokens > 0) {
        bucket->tokens--;
        return 1;
    }

    return own;
}


void
voice_bucket_give_back(voice_bucket_t *bucket)
{
    bucket->tokens += least_of(1, bucket_room(bucket));
}


int64_t
voice_bucket_take_alone(voice_bucket_t *bucket, const voice_node_t *node,
    int64_t now)
{
    int64_t  since;

    bucket_earn(bucket, node, now);

    if (bucket->tokens > 0) {
        bucket->tokens--;
        return 0;
    }

    if (bucket->limit.share == 0) {
        return -1;
    }

    since = most_of(bucket->earned, voice_node_alone(node));

    return most_of(since + bucket->limit.alone - now, 1);
}


int64_t
voice_bucket_left(const voice_bucket_t *bucket, int64_t now)
{
    double  rest;

    rest = bucket->rest
           + (now - bucket->asked) / bucket->limit.interval;

    if (rest > bucket->limit.capacity) {
        rest = bucket->limit.capacity;
    }

    return bucket->asked == 0 ? bucket->tokens
                              : bucket->tokens + (int64_t) rest;
}


/* The first of the granted tokens is one request's. */
static int
bucket_own(voice_bucket_t *bucket, const voice_ask_t *ask, int64_t *granted,
    int64_t now)
{
    if (*granted == 0) {
        return 0;
    }

    (*granted)--;

    if (now > voice_limit_good(&bucket->limit, ask->sent)) {
        return -1;
    }

    if (!ask->own) {
        voice_bucket_give_back(bucket);
        return 0;
    }

    return 1;
}


/*
 * More is asked for than the rate gives: the next lease is to be a whole
 * share, so that few requests have to wait for one.
 */
static void
bucket_stretch(voice_bucket_t *bucket)
{
    const voice_limit_t  *limit = &bucket->limit;

    if (limit->batch == 0 || !bucket->empty || bucket->short_of) {
        return;
    }

    bucket->short_of = 1;
    bucket->quiet += (limit->share - limit->batch) * bucket->pace;
}


/* What a node that Redis does not count is paid. */
static void
bucket_earn(voice_bucket_t *bucket, const voice_node_t *node, int64_t now)
{
    int64_t  n, room, since;

    since = voice_node_alone(node);

    if (now < since) {
        return;
    }

    bucket->earned = most_of(bucket->earned, since);
    n = (now - bucket->earned) / bucket->limit.alone;
    room = bucket_room(bucket);

    if (n >= room) {
        bucket->tokens += room;
        bucket->earned = now;
        return;
    }

    bucket->tokens += n;
    bucket->earned += n * bucket->limit.alone;
}


/* Asks for what is missing of the share, unless that is on its way. */
static void
bucket_lease(voice_bucket_t *bucket, int64_t least, voice_ask_t *ask)
{
    int64_t  room;

    room = bucket_room(bucket);

    if (bucket->leased > 0 || room == 0) {
        return;
    }

    bucket->leased = room;
    bucket->overdue = ask->sent + LEASE_LIFE;
    bucket->lease++;

    ask->want = room;
    ask->least = least;
    ask->batch = most_of(bucket->limit.batch, 1);
    ask->lease = bucket->lease;
}


/* Held and on its way are the node's share together. */
static int64_t
bucket_room(const voice_bucket_t *bucket)
{
    return most_of(bucket->limit.share - bucket->tokens - bucket->leased, 0);
}


static int64_t
least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


static int64_t
most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}
