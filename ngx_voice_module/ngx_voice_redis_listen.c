
/*
 * Channels of Redis (SUBSCRIBE).  hiredis 0.14 forgets a channel that is
 * unsubscribed and subscribed again at once, so nobody unsubscribes: a
 * connection that listens does nothing else and keeps what it has.
 */

#include "ngx_voice_redis_private.h"


static void ngx_voice_redis_heard(redisAsyncContext *context, void *reply,
    void *data);


void
ngx_voice_redis_listen(ngx_voice_redis_t *redis,
    const ngx_voice_redis_listener_t *listener, void *data)
{
    redis->listener = listener;
    redis->listener_data = data;
}


ngx_int_t
ngx_voice_redis_subscribe(ngx_voice_redis_t *redis, const ngx_str_t *channel)
{
    size_t       lens[2];
    const char  *args[2];

    if (redis->state != NGX_VOICE_REDIS_READY) {
        return NGX_ERROR;
    }

    args[0] = "SUBSCRIBE";
    lens[0] = sizeof("SUBSCRIBE") - 1;
    args[1] = (const char *) channel->data;
    lens[1] = channel->len;

    return redisAsyncCommandArgv(redis->context, ngx_voice_redis_heard,
                                 redis, 2, args, lens)
           == REDIS_OK ? NGX_OK : NGX_ERROR;
}


void
ngx_voice_redis_drop(ngx_voice_redis_t *redis, const char *reason)
{
    if (redis->state == NGX_VOICE_REDIS_READY) {
        ngx_voice_redis_close(redis, reason);
    }
}


/* [what, channel, text or number]; NULL: the connection is lost. */
static void
ngx_voice_redis_heard(redisAsyncContext *context, void *reply, void *data)
{
    ngx_str_t           channel, text;
    const redisReply   *r = reply;
    ngx_voice_redis_t  *redis = data;

    if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 3
        || r->element[0]->type != REDIS_REPLY_STRING
        || r->element[1]->type != REDIS_REPLY_STRING)
    {
        return;
    }

    channel.data = (u_char *) r->element[1]->str;
    channel.len = r->element[1]->len;

    if (r->element[2]->type == REDIS_REPLY_INTEGER) {
        redis->listener->subscribed(redis->listener_data, &channel);
        return;
    }

    if (r->element[2]->type == REDIS_REPLY_STRING) {
        text.data = (u_char *) r->element[2]->str;
        text.len = r->element[2]->len;
        redis->listener->message(redis->listener_data, &channel, &text);
    }
}
