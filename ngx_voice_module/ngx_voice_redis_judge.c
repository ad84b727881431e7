
/*
 * Whether Redis may throw away what it holds: an entry that wakes a worker, a
 * limit, a live message.
 */

#include "ngx_voice_redis_private.h"


static void ngx_voice_redis_judged(void *data, const redisReply *reply);


void
ngx_voice_redis_judge(ngx_voice_redis_t *redis)
{
    static const ngx_str_t  argv[] = {
        ngx_string("INFO"), ngx_string("memory")
    };

    if (redis->conf->judge == redis) {
        (void) ngx_voice_redis_ask(redis, VOICE_ARRAY_SIZE(argv), argv,
                                   ngx_voice_redis_judged);
    }
}


/* Only what is new is logged. */
static void
ngx_voice_redis_judged(void *data, const redisReply *reply)
{
    ngx_uint_t               known;
    ngx_voice_redis_t       *redis = data;
    voice_redis_memory_t     memory;
    voice_redis_memory_e     before;
    ngx_voice_redis_conf_t  *conf;

    if (reply == NULL) {
        return;
    }

    conf = redis->conf;
    before = conf->verdict;
    known = conf->judged;

    memory = voice_redis_memory(reply->type == REDIS_REPLY_STRING
                                ? voice_span(reply->str, reply->len)
                                : voice_span(NULL, 0));

    conf->verdict = memory.verdict;
    conf->judged = 1;

    if (known && before == conf->verdict) {
        return;
    }

    switch (conf->verdict) {

    case VOICE_REDIS_EVICTS:
        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "voice redis \"%s\": may evict what it holds: maxmemory "
                      "is %*s and maxmemory-policy is %*s; set "
                      "\"maxmemory-policy noeviction\"", redis->at,
                      memory.max.len, memory.max.ptr,
                      memory.policy.len, memory.policy.ptr);
        break;

    case VOICE_REDIS_UNTOLD:
        ngx_log_error(NGX_LOG_WARN, redis->log, 0,
                      "voice redis \"%s\": does not tell by INFO memory "
                      "whether it may evict what it holds; maxmemory-policy "
                      "must be noeviction", redis->at);
        break;

    case VOICE_REDIS_KEEPS:
        if (known) {
            ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                          "voice redis \"%s\": evicts nothing", redis->at);
        }
        break;
    }
}
