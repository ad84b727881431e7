
/*
 * What a Redis says of itself: memory, fields, errors.
 */

#include "tap.h"
#include "voice_redis.h"


static void memory(void);
static void fields(void);
static void errors(void);
static voice_redis_memory_e verdict(const char *info);


int
main(void)
{
    memory();
    fields();
    errors();

    return done_testing();
}


static void
memory(void)
{
    voice_redis_memory_t  memory;

    ok(verdict("# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n")
       == VOICE_REDIS_KEEPS, "what has no bound evicts nothing");
    ok(verdict("maxmemory:1000\r\nmaxmemory_policy:noeviction\r\n")
       == VOICE_REDIS_KEEPS, "with a bound it keeps by noeviction");
    ok(verdict("maxmemory:1000\r\nmaxmemory_policy:noeviction-lru\r\n")
       == VOICE_REDIS_EVICTS, "by no other policy");
    ok(verdict("maxmemory:1000\r\nmaxmemory_policy:volatile-ttl")
       == VOICE_REDIS_EVICTS, "a policy of keys that expire evicts, too");
    ok(verdict("maxmemory:1000\r\n") == VOICE_REDIS_UNTOLD,
       "without a policy it is not told");
    ok(verdict("maxmemory_policy:noeviction\r\n") == VOICE_REDIS_UNTOLD,
       "nor without the bound");
    ok(verdict("") == VOICE_REDIS_UNTOLD, "nor by nothing");
    ok(voice_redis_memory(voice_span(NULL, 0)).verdict == VOICE_REDIS_UNTOLD,
       "nor by no text");

    memory = voice_redis_memory(VOICE_SPAN("maxmemory_human:1K\r\n"
        "maxmemory:1024\r\nmaxmemory_policy:allkeys-lfu\r\n"));
    ok(voice_span_eq(memory.max, VOICE_SPAN("1024"))
       && voice_span_eq(memory.policy, VOICE_SPAN("allkeys-lfu")),
       "both are shown");
}


static void
fields(void)
{
    static const char  info[] = "# Server\r\nrun_id:abc\r\nempty:\r\nlast:1";

    ok(voice_span_eq(voice_redis_field(VOICE_SPAN(info), "run_id"),
                     VOICE_SPAN("abc")), "a field is found");
    ok(voice_span_eq(voice_redis_field(VOICE_SPAN(info), "last"),
                     VOICE_SPAN("1")), "also at the end without a newline");
    ok(voice_redis_field(VOICE_SPAN(info), "empty").ptr != NULL
       && voice_redis_field(VOICE_SPAN(info), "empty").len == 0,
       "an empty one is there");
    ok(voice_redis_field(VOICE_SPAN(info), "run").ptr == NULL,
       "a part of a name is none");
    ok(voice_redis_field(VOICE_SPAN("a:"), "a").len == 0
       && voice_redis_field(VOICE_SPAN("a"), "a").ptr == NULL,
       "a name alone is no field");
}


static void
errors(void)
{
    size_t  i;

    static const char *const  elsewhere[] = {
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down",
        "NOREPLICAS Not enough good replicas to write.",
        "UNBLOCKED force unblock from blocking operation"
    };
    static const char *const  here[] = {
        "", "READONLY", "ERR READONLY no", "READONLYNESS is bliss",
        "NOGROUP No such key", "OOM command not allowed"
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(elsewhere); i++) {
        ok(voice_redis_elsewhere(voice_span_str(elsewhere[i])),
           "\"%s\" sends us elsewhere", elsewhere[i]);
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(here); i++) {
        ok(!voice_redis_elsewhere(voice_span_str(here[i])),
           "\"%s\" does not", here[i]);
    }
}


static voice_redis_memory_e
verdict(const char *info)
{
    return voice_redis_memory(voice_span_str(info)).verdict;
}
