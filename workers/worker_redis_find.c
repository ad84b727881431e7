
/*
 * Where the master of Redis is: by a list of addresses, or by Sentinels (as
 * Redis's "Guidelines for Redis clients with support for Redis Sentinel" says
 * it).  Who is found must say himself that he is a master: what a Sentinel
 * knows may be out of date.
 */

#include <stdio.h>
#include <stdlib.h>

#include "worker_clock.h"
#include "worker_redis_private.h"


static redisContext *find_by_sentinel(worker_redis_t *redis,
    const voice_endpoint_t *sentinel);
static int ask_sentinel(worker_redis_t *redis, redisContext *sentinel,
    voice_endpoint_t *master);
static redisContext *find_at(worker_redis_t *redis,
    const voice_endpoint_t *endpoint);
static redisContext *dial(worker_redis_t *redis,
    const voice_endpoint_t *endpoint, const char *user, const char *password);
static int log_in(worker_redis_t *redis, redisContext *context,
    const char *user, const char *password);
static int is_master(worker_redis_t *redis, redisContext *context);
static redisReply *ask(worker_redis_t *redis, redisContext *context, int n,
    const char **words);


redisContext *
worker_redis_find(worker_redis_t *redis)
{
    int                       by_sentinel;
    int64_t                   end;
    unsigned                  i;
    redisContext             *context;
    const voice_endpoints_t  *list;

    by_sentinel = redis->settings->sentinels.n > 0;
    list = by_sentinel ? &redis->settings->sentinels
                       : &redis->settings->redis;
    end = worker_now_ms() + redis->settings->redis_timeout_ms;

    for (i = 0; i < list->n; i++) {
        redis->next %= list->n;

        context = by_sentinel
                  ? find_by_sentinel(redis, &list->at[redis->next])
                  : find_at(redis, &list->at[redis->next]);
        if (context != NULL) {
            return context;
        }

        redis->next++;

        if (worker_now_ms() >= end) {
            break;
        }
    }

    return NULL;
}


void
worker_redis_problem(worker_redis_t *redis, const char *reason)
{
    snprintf(redis->problem, sizeof(redis->problem), "%s: %.*s", redis->at,
             (int) strcspn(reason, "\r\n"), reason);
}


static redisContext *
find_by_sentinel(worker_redis_t *redis, const voice_endpoint_t *sentinel)
{
    int                       found;
    redisContext             *context;
    voice_endpoint_t          master;
    const worker_settings_t  *settings;

    settings = redis->settings;

    context = dial(redis, sentinel, settings->sentinel_user,
                   settings->sentinel_password);
    if (context == NULL) {
        return NULL;
    }

    found = ask_sentinel(redis, context, &master);
    redisFree(context);

    return found ? find_at(redis, &master) : NULL;
}


static int
ask_sentinel(worker_redis_t *redis, redisContext *sentinel,
    voice_endpoint_t *master)
{
    char                text[VOICE_ENDPOINT_TEXT];
    redisReply         *reply;
    const char         *words[3];
    voice_endpoints_t   list;

    words[0] = "SENTINEL";
    words[1] = "get-master-addr-by-name";
    words[2] = redis->settings->redis_master;

    reply = ask(redis, sentinel, 3, words);
    if (reply == NULL) {
        return 0;
    }

    list.n = 0;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        worker_redis_problem(redis, "this Sentinel knows no such master");

    } else {
        snprintf(text, sizeof(text), strchr(reply->element[0]->str, ':')
                 == NULL ? "%.100s:%.5s" : "[%.100s]:%.5s",
                 reply->element[0]->str, reply->element[1]->str);

        if (voice_endpoints_parse(voice_span_str(text), &list) != VOICE_OK) {
            worker_redis_problem(redis, "this Sentinel names a master by no "
                                 "IP address (\"announce-hostnames no\" is "
                                 "needed)");
            list.n = 0;
        }
    }

    freeReplyObject(reply);
    *master = list.at[0];

    return list.n == 1;
}


static redisContext *
find_at(worker_redis_t *redis, const voice_endpoint_t *endpoint)
{
    redisContext             *context;
    const worker_settings_t  *settings;

    settings = redis->settings;

    context = dial(redis, endpoint, settings->redis_user,
                   settings->redis_password);

    if (context != NULL && !is_master(redis, context)) {
        redisFree(context);
        context = NULL;
    }

    return context;
}


static redisContext *
dial(worker_redis_t *redis, const voice_endpoint_t *endpoint,
    const char *user, const char *password)
{
    redisContext    *context;
    struct timeval   timeout;

    timeout.tv_sec = redis->settings->redis_timeout_ms / 1000;
    timeout.tv_usec = redis->settings->redis_timeout_ms % 1000 * 1000;

    voice_endpoint_text(endpoint, redis->at);

    context = voice_endpoint_local(endpoint)
              ? redisConnectUnixWithTimeout(endpoint->host, timeout)
              : redisConnectWithTimeout(endpoint->host, endpoint->port,
                                        timeout);

    if (context == NULL || context->err != 0) {
        worker_redis_problem(redis, context == NULL ? "out of memory"
                                                    : context->errstr);

    } else if (redisSetTimeout(context, timeout) != REDIS_OK) {
        worker_redis_problem(redis, "no timeout can be set");

    } else if (log_in(redis, context, user, password)) {
        return context;
    }

    if (context != NULL) {
        redisFree(context);
    }

    return NULL;
}


static int
log_in(worker_redis_t *redis, redisContext *context, const char *user,
    const char *password)
{
    int          n;
    redisReply  *reply;
    const char  *words[3];

    if (password[0] == '\0') {
        return 1;
    }

    n = 0;
    words[n++] = "AUTH";

    if (user[0] != '\0') {
        words[n++] = user;
    }

    words[n++] = password;

    reply = ask(redis, context, n, words);
    if (reply == NULL) {
        return 0;
    }

    freeReplyObject(reply);

    return 1;
}


/* One that does not say what it is will say so when it is written to. */
static int
is_master(worker_redis_t *redis, redisContext *context)
{
    int          good;
    redisReply  *reply;
    const char  *words[1];

    words[0] = "ROLE";

    reply = ask(redis, context, 1, words);
    if (reply == NULL) {
        return context->err == 0 && strstr(redis->problem, "NOPERM") != NULL;
    }

    good = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
           && reply->element[0]->type == REDIS_REPLY_STRING
           && strcmp(reply->element[0]->str, "master") == 0;

    if (!good) {
        worker_redis_problem(redis, "it is no master");
    }

    freeReplyObject(reply);

    return good;
}


/* NULL: lost, or refused; the problem is noted. */
static redisReply *
ask(worker_redis_t *redis, redisContext *context, int n, const char **words)
{
    redisReply  *reply;

    reply = redisCommandArgv(context, n, words, NULL);

    if (reply == NULL) {
        worker_redis_problem(redis, context->errstr);
        return NULL;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        worker_redis_problem(redis, reply->str);
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}
