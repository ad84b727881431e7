
/*
 * Where the master is: one server of a list after another, or the one that a
 * Sentinel names.  Who is found must say himself that he is a master: what a
 * Sentinel knows may be out of date.
 */

#include "ngx_voice_redis_private.h"


static void ngx_voice_redis_introduce(ngx_voice_redis_t *redis);
static void ngx_voice_redis_greeted(void *data, const redisReply *reply);
static void ngx_voice_redis_named(void *data, const redisReply *reply);
static ngx_int_t ngx_voice_redis_read_master(ngx_voice_redis_t *redis,
    const redisReply *reply);
static void ngx_voice_redis_told(void *data, const redisReply *reply);


void
ngx_voice_redis_aim(ngx_voice_redis_t *redis)
{
    const voice_endpoints_t  *list;

    if (redis->found) {
        redis->found = 0;
        redis->asking = 0;

    } else {
        redis->asking = redis->conf->sentinels.n != 0;
        list = redis->asking ? &redis->conf->sentinels
                             : &redis->conf->servers;
        redis->target = list->at[redis->next % list->n];
    }

    voice_endpoint_text(&redis->target, redis->at);
}


ngx_int_t
ngx_voice_redis_miss(ngx_voice_redis_t *redis)
{
    ngx_uint_t  n;

    n = redis->conf->sentinels.n != 0 ? redis->conf->sentinels.n
                                      : redis->conf->servers.n;
    redis->elsewhere = 0;
    redis->next++;
    redis->tried++;

    return redis->tried < n ? NGX_AGAIN : NGX_DECLINED;
}


/* Where a command cannot be sent the timer ends the attempt. */
void
ngx_voice_redis_greet(ngx_voice_redis_t *redis)
{
    ngx_str_t  argv[2];

    redis->state = NGX_VOICE_REDIS_GREETING;

    ngx_str_set(&argv[0], "AUTH");
    argv[1] = redis->asking ? redis->conf->sentinel_password
                            : redis->conf->password;

    if (argv[1].len == 0) {
        ngx_voice_redis_introduce(redis);
        return;
    }

    (void) ngx_voice_redis_ask(redis, 2, argv, ngx_voice_redis_greeted);
}


static void
ngx_voice_redis_greeted(void *data, const redisReply *reply)
{
    ngx_voice_redis_t  *redis = data;

    if (reply == NULL) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_voice_redis_close(redis, "password refused");
        return;
    }

    ngx_voice_redis_introduce(redis);
}


static void
ngx_voice_redis_introduce(ngx_voice_redis_t *redis)
{
    ngx_str_t  argv[3];

    if (!redis->asking) {
        ngx_str_set(&argv[0], "ROLE");
        (void) ngx_voice_redis_ask(redis, 1, argv, ngx_voice_redis_told);
        return;
    }

    ngx_str_set(&argv[0], "SENTINEL");
    ngx_str_set(&argv[1], "get-master-addr-by-name");
    argv[2] = redis->conf->master;

    (void) ngx_voice_redis_ask(redis, 3, argv, ngx_voice_redis_named);
}


/* The connection has done its work: the next goes to the master. */
static void
ngx_voice_redis_named(void *data, const redisReply *reply)
{
    ngx_voice_redis_t  *redis = data;

    if (reply == NULL) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        ngx_voice_redis_close(redis, "this Sentinel knows no such master");
        return;
    }

    if (ngx_voice_redis_read_master(redis, reply) != NGX_OK) {
        ngx_voice_redis_close(redis, "this Sentinel names a master by no IP "
                              "address: \"announce-hostnames no\" is needed");
        return;
    }

    redis->found = 1;
    ngx_voice_redis_close(redis, "asked");
}


static ngx_int_t
ngx_voice_redis_read_master(ngx_voice_redis_t *redis, const redisReply *reply)
{
    char                text[VOICE_ENDPOINT_TEXT];
    const char         *format;
    voice_endpoints_t   list;

    format = ngx_strchr(reply->element[0]->str, ':') == NULL ? "%s:%s%Z"
                                                             : "[%s]:%s%Z";

    (void) ngx_snprintf((u_char *) text, sizeof(text) - 1, format,
                        reply->element[0]->str, reply->element[1]->str);
    text[sizeof(text) - 1] = '\0';

    if (voice_endpoints_parse(voice_span_str(text), &list) != VOICE_OK
        || list.n != 1)
    {
        return NGX_ERROR;
    }

    redis->target = list.at[0];

    return NGX_OK;
}


/* One that may not say what it is says it when it is written to. */
static void
ngx_voice_redis_told(void *data, const redisReply *reply)
{
    ngx_voice_redis_t  *redis = data;

    if (reply == NULL) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {

        if (ngx_strncmp(reply->str, "NOPERM", 6) != 0) {
            ngx_voice_redis_close(redis, "it does not say what it is");
            return;
        }

    } else if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
               || reply->element[0]->type != REDIS_REPLY_STRING
               || ngx_strcmp(reply->element[0]->str, "master") != 0)
    {
        ngx_voice_redis_close(redis, "it is no master");
        return;
    }

    ngx_voice_redis_ready(redis);
}
