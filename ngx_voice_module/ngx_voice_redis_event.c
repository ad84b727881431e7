
/*
 * hiredis's hooks for nginx's loop.
 */

#include "ngx_voice_redis_private.h"


static void ngx_voice_redis_read_handler(ngx_event_t *ev);
static void ngx_voice_redis_write_handler(ngx_event_t *ev);
static void ngx_voice_redis_add_read(void *data);
static void ngx_voice_redis_del_read(void *data);
static void ngx_voice_redis_add_write(void *data);
static void ngx_voice_redis_del_write(void *data);
static void ngx_voice_redis_cleanup(void *data);


ngx_int_t
ngx_voice_redis_attach(ngx_voice_redis_t *redis)
{
    ngx_connection_t   *c;
    redisAsyncContext  *context;

    c = ngx_get_connection(redis->context->c.fd, redis->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = redis;
    c->log = redis->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->read->handler = ngx_voice_redis_read_handler;
    c->write->handler = ngx_voice_redis_write_handler;

    redis->connection = c;

    context = redis->context;
    context->data = redis;
    context->ev.data = redis;
    context->ev.addRead = ngx_voice_redis_add_read;
    context->ev.delRead = ngx_voice_redis_del_read;
    context->ev.addWrite = ngx_voice_redis_add_write;
    context->ev.delWrite = ngx_voice_redis_del_write;
    context->ev.cleanup = ngx_voice_redis_cleanup;

    return NGX_OK;
}


static void
ngx_voice_redis_read_handler(ngx_event_t *ev)
{
    ngx_connection_t   *c;
    ngx_voice_redis_t  *redis;

    c = ev->data;
    redis = c->data;

    redisAsyncHandleRead(redis->context);
}


static void
ngx_voice_redis_write_handler(ngx_event_t *ev)
{
    ngx_connection_t   *c;
    ngx_voice_redis_t  *redis;

    c = ev->data;
    redis = c->data;

    redisAsyncHandleWrite(redis->context);
}


static void
ngx_voice_redis_add_read(void *data)
{
    ngx_event_t        *rev;
    ngx_voice_redis_t  *redis;

    redis = data;
    rev = redis->connection->read;

    if (!rev->active) {
        (void) ngx_add_event(rev, NGX_READ_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_voice_redis_del_read(void *data)
{
    ngx_event_t        *rev;
    ngx_voice_redis_t  *redis;

    redis = data;
    rev = redis->connection->read;

    if (rev->active) {
        (void) ngx_del_event(rev, NGX_READ_EVENT, 0);
    }
}


static void
ngx_voice_redis_add_write(void *data)
{
    ngx_event_t        *wev;
    ngx_voice_redis_t  *redis;

    redis = data;
    wev = redis->connection->write;

    if (!wev->active) {
        (void) ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_voice_redis_del_write(void *data)
{
    ngx_event_t        *wev;
    ngx_voice_redis_t  *redis;

    redis = data;
    wev = redis->connection->write;

    if (wev->active) {
        (void) ngx_del_event(wev, NGX_WRITE_EVENT, 0);
    }
}


/* The last that hiredis says of a context, before it closes and frees it. */
static void
ngx_voice_redis_cleanup(void *data)
{
    const char         *reason;
    ngx_connection_t   *c;
    redisAsyncContext  *context;
    ngx_voice_redis_t  *redis;

    redis = data;
    context = redis->context;
    c = redis->connection;

    ngx_voice_redis_del_read(redis);
    ngx_voice_redis_del_write(redis);

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    redis->context = NULL;
    redis->connection = NULL;

    reason = redis->reason;

    if (reason == NULL) {
        reason = context->err ? context->errstr : "closed";
    }

    if (redis->opened != 0 && redis->listener != NULL && !redis->destroyed) {
        redis->listener->lost(redis->listener_data);
    }

    ngx_voice_redis_retry(redis, reason);
}
