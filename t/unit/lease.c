
/*
 * The arithmetic of leases: the parts of a bucket, what a node may do when,
 * and what it does with an answer.
 */

#include "tap.h"
#include "voice_lease.h"


#define SECOND  INT64_C(1000000)
#define START   (5 * SECOND)               /* of the node */
#define REDIS   (INT64_C(1700000000) * SECOND)


static void
is_int(int64_t got, int64_t expected, const char *name)
{
    if (!ok(got == expected, "%s", name)) {
        printf("#      got: %lld\n# expected: %lld\n", (long long) got,
               (long long) expected);
    }
}


static void
parts(void)
{
    int            whole, share, granular;
    double         most;
    int64_t        rate, burst, nodes;
    voice_limit_t  limit;

    whole = 1;
    share = 1;
    granular = 1;

    for (rate = 1; rate <= 2000; rate += 1 + rate / 3) {
        for (burst = 1; burst <= 4000; burst += 1 + burst / 3) {
            for (nodes = 1; nodes <= 40; nodes += 3) {
                voice_limit_set(&limit, rate, burst, nodes);

                most = (nodes + 1) * limit.share + limit.capacity;

                if (limit.interval * rate < SECOND * 1.001) {
                    most += rate * (double) limit.patience / SECOND;
                }

                whole = whole && most <= burst + 1e-6;
                share = share && (limit.share >= 1) == (burst >= nodes + 2);
                granular = granular && limit.capacity >= 1
                           && limit.alone * rate >= nodes * SECOND;
            }
        }
    }

    ok(whole, "shares, Redis's part and what is on its way are the burst");
    ok(share, "each node has a share where there is a token for each");
    ok(granular, "a token fits into Redis, none is earned too soon");

    voice_limit_set(&limit, 200, 400, 1);
    is_int(limit.share, 50, "a share is a quarter of a second's rate");
    is_int(limit.batch, 25, "from 100 a second tokens are leased ahead");

    voice_limit_set(&limit, 99, 400, 1);
    is_int(limit.batch, 0, "below that each request asks");

    voice_limit_set(&limit, 1, 1, 1);
    ok(limit.interval == SECOND + limit.patience,
       "where nothing can be reserved tokens are given further apart");
}


static void
registration(void)
{
    voice_node_t  node;

    memset(&node, 0, sizeof(voice_node_t));
    node.started = START;

    is_int(voice_node_deadline(&node, START), 0,
           "before Redis has answered there is no deadline");
    ok(voice_node_alone(&node) > START + VOICE_LEASE_TERM,
       "a new node earns nothing while the one before may be registered");

    voice_node_heard(&node, REDIS, START);
    is_int(voice_node_deadline(&node, START) - REDIS, VOICE_LEASE_TERM,
           "a deadline is a term ahead of Redis's time");
    ok(voice_node_deadline(&node, START + SECOND)
       <= REDIS + SECOND + VOICE_LEASE_TERM,
       "and never further, also when the answer is old");

    voice_node_claim(&node, REDIS + VOICE_LEASE_TERM);
    is_int(voice_node_deadline(&node, START + SECOND / 2) - REDIS,
           VOICE_LEASE_TERM, "one that lasts is sent again");
    ok(voice_node_deadline(&node, START + SECOND * 3 / 2)
       > REDIS + 3 * SECOND, "one that does not is renewed");
    ok(voice_node_alone(&node) > START + VOICE_LEASE_TERM,
       "a node that is registered is not alone");

    voice_node_claim(&node, REDIS + SECOND);
    is_int(node.deadline - REDIS, VOICE_LEASE_TERM,
           "an earlier deadline does not take back a later one");

    voice_node_heard(&node, REDIS + 10 * SECOND, START + 10 * SECOND);
    ok(voice_node_alone(&node) <= START + 11 * SECOND,
       "it is alone when Redis's time has passed the latest");

    voice_node_heard(&node, REDIS - 60 * SECOND, START + 20 * SECOND);
    ok(voice_node_alone(&node) > START + 80 * SECOND,
       "and not while a clock that was put back has to reach it");
    is_int(voice_node_deadline(&node, START + 20 * SECOND) - REDIS,
           -60 * SECOND + VOICE_LEASE_TERM,
           "by which the next deadline is made");

    is_int(voice_node_deadline(&node, START + 23 * SECOND), 0,
           "who hears nothing of Redis lets its registration end");
}


static void
alone(void)
{
    int64_t         now, last;
    unsigned        n;
    voice_node_t    node;
    voice_limit_t   limit;
    voice_bucket_t  bucket;

    memset(&node, 0, sizeof(voice_node_t));
    node.started = START;
    voice_limit_set(&limit, 100, 200, 2);
    voice_bucket_init(&bucket, &limit, START);

    last = voice_node_alone(&node);
    now = last - 1;
    ok(voice_bucket_take_alone(&bucket, &node, now) > 0,
       "nothing is earned before it is alone");

    for (n = 0; now < last + 10 * SECOND; now += SECOND / 200) {
        n += voice_bucket_take_alone(&bucket, &node, now) == 0;
    }

    ok(n <= 500 && n > 480, "then it is the node's part of the rate");

    now += 100 * SECOND;
    for (n = 0; voice_bucket_take_alone(&bucket, &node, now) == 0; n++) {
        /* void */
    }

    is_int(n, limit.share, "and at most its share");

    voice_node_heard(&node, REDIS, now);
    voice_node_claim(&node, voice_node_deadline(&node, now));
    ok(voice_bucket_take_alone(&bucket, &node, now + SECOND) > SECOND,
       "a node that registers again earns no more");

    voice_limit_set(&limit, 1, 1, 1);
    voice_bucket_init(&bucket, &limit, START);
    is_int(voice_bucket_take_alone(&bucket, &node, now), -1,
           "without a share there is no time to wait for");
}


static void
leases(void)
{
    voice_ask_t     ask, other;
    voice_node_t    node;
    voice_limit_t   limit;
    voice_answer_t  answer = { 0, REDIS, 50, 0, 100, 5000, 0 };
    voice_bucket_t  bucket;

    memset(&node, 0, sizeof(voice_node_t));
    node.started = START;
    voice_limit_set(&limit, 200, 400, 1);
    voice_bucket_init(&bucket, &limit, START);

    is_int(voice_bucket_take(&bucket, &node, START, &ask), VOICE_TAKE_ASK,
           "a bucket that holds nothing asks");
    is_int(ask.want, 50, "for a share");
    is_int(voice_bucket_take(&bucket, &node, START, &other), VOICE_TAKE_ASK,
           "another request asks, too");
    ok(other.want == 1 && other.lease == 0, "for itself only");

    is_int(voice_bucket_answered(&bucket, &ask, &answer, START + 1000), 1,
           "the answer has the request's token");
    is_int(bucket.tokens, 49, "the others are held");

    while (bucket.tokens > 25) {
        (void) voice_bucket_take(&bucket, &node, START, &ask);
    }

    is_int(ask.want, 0, "nothing is asked for while half is there");
    is_int(voice_bucket_take(&bucket, &node, START, &ask), VOICE_TAKE_LOCAL,
           "below half a request has its token");
    is_int(ask.want, 26, "and behind its back the rest is asked for");
    ok(!ask.own, "for nobody");

    voice_bucket_give_back(&bucket);
    is_int(bucket.tokens, 24, "held and on its way are never over a share");

    is_int(voice_bucket_answered(&bucket, &ask, &answer,
                                 START + 3 * SECOND), 0,
           "a lease that comes when it was given up");
    is_int(bucket.tokens, 24, "is lost");
}


static void
refusals(void)
{
    voice_ask_t     ask;
    voice_node_t    node;
    voice_limit_t   limit;
    voice_answer_t  none = { 0, REDIS, 0, 200000, 0, 200000, 0 };
    voice_answer_t  two = { 0, REDIS, 2, 0, 5, 200000, 0 };
    voice_bucket_t  bucket;

    memset(&node, 0, sizeof(voice_node_t));
    node.started = START;
    voice_limit_set(&limit, 5, 20, 1);
    voice_bucket_init(&bucket, &limit, START);

    (void) voice_bucket_take(&bucket, &node, START, &ask);
    is_int(ask.want, 2, "a small limit asks for one and the reserve");
    is_int(voice_bucket_answered(&bucket, &ask, &two, START), 1,
           "one is the request's");
    is_int(voice_bucket_take(&bucket, &node, START, &ask), VOICE_TAKE_ASK,
           "the reserve is kept while Redis gives");
    is_int(voice_bucket_answered(&bucket, &ask, &none, START), 1,
           "and taken when it does not");
    is_int(voice_bucket_take(&bucket, &node, START, &ask),
           VOICE_TAKE_REFUSED, "then nobody is asked");
    is_int(ask.wait, 200000, "before the time that Redis named");

    (void) voice_bucket_take(&bucket, &node, START + 200000, &ask);
    is_int(voice_bucket_take(&bucket, &node, START + 200000, &ask),
           VOICE_TAKE_REFUSED, "one request finds out for all");

    voice_bucket_unsent(&bucket, &ask);
    (void) voice_bucket_take(&bucket, &node, START + 200000, &ask);
    is_int(voice_bucket_answered(&bucket, &ask, &two,
                                 START + 200000 + limit.patience), -1,
           "a token that comes too late is no good");
}


int
main(void)
{
    parts();
    registration();
    alone();
    leases();
    refusals();

    return done_testing();
}
