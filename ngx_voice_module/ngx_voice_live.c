
/*
 * The live streams of a process and its two connections to Redis: one hears
 * what is told, the other tells what is not durable.
 *
 * Who was cut off from Redis may have missed a durable message: his streams
 * end and come again with their last id.
 */

#include "ngx_voice_live_private.h"


#define NGX_VOICE_LIVE_BEAT    1000        /* ms between announcements */
#define NGX_VOICE_LIVE_SILENT  10000       /* ms: Redis is not there */
#define NGX_VOICE_LIVE_ALL     "voice:live"    /* the channel of processes */
#define NGX_VOICE_LIVE_WHO     "?"         /* asks for announcements */


static void ngx_voice_live_up(void *data);
static void ngx_voice_live_lost(void *data);
static void ngx_voice_live_subscribed(void *data, const ngx_str_t *channel);
static void ngx_voice_live_heard(void *data, const ngx_str_t *channel,
    const ngx_str_t *text);
static void ngx_voice_live_beat(ngx_event_t *ev);
static ngx_uint_t ngx_voice_live_astray(const ngx_voice_live_t *live);
static void ngx_voice_live_subscribe(ngx_voice_live_t *live,
    ngx_uint_t shard);
static ngx_uint_t ngx_voice_live_is_all(const ngx_str_t *channel);


static const ngx_voice_redis_listener_t  ngx_voice_live_listener = {
    ngx_voice_live_up, ngx_voice_live_lost, ngx_voice_live_subscribed,
    ngx_voice_live_heard
};


ngx_voice_live_t *
ngx_voice_live_create(ngx_voice_main_conf_t *mcf, ngx_cycle_t *cycle)
{
    ngx_uint_t         i;
    ngx_voice_live_t  *live;

    live = ngx_pcalloc(cycle->pool, sizeof(ngx_voice_live_t));
    if (live == NULL) {
        return NULL;
    }

    live->conf = mcf;
    live->log = cycle->log;
    live->heard = ngx_current_msec;

    ngx_queue_init(&live->opening);
    ngx_queue_init(&live->streams);
    ngx_queue_init(&live->dirty);

    for (i = 0; i < NGX_VOICE_LIVE_BUCKETS; i++) {
        ngx_queue_init(&live->buckets[i]);
    }

    live->in = ngx_voice_redis_create(&mcf->redis_conf, cycle->pool,
                                      cycle->log);
    live->out = ngx_voice_redis_create(&mcf->redis_conf, cycle->pool,
                                       cycle->log);
    if (live->in == NULL || live->out == NULL) {
        return NULL;
    }

    ngx_voice_redis_listen(live->in, &ngx_voice_live_listener, live);

    live->flush.handler = ngx_voice_live_flush;
    live->flush.data = live;
    live->flush.log = cycle->log;

    live->beat.handler = ngx_voice_live_beat;
    live->beat.data = live;
    live->beat.log = cycle->log;
    live->beat.cancelable = 1;
    ngx_add_timer(&live->beat, NGX_VOICE_LIVE_BEAT);

    return live;
}


void
ngx_voice_live_destroy(ngx_voice_live_t *live)
{
    if (live->beat.timer_set) {
        ngx_del_timer(&live->beat);
    }

    if (live->flush.posted) {
        ngx_delete_posted_event(&live->flush);
    }

    ngx_voice_redis_destroy(live->in);
    ngx_voice_redis_destroy(live->out);
}


ngx_uint_t
ngx_voice_live_listeners(const ngx_voice_live_t *live)
{
    return live->nstreams;
}


ngx_uint_t
ngx_voice_live_backlog(const ngx_voice_live_t *live)
{
    ngx_voice_redis_figures_t  figures;

    ngx_voice_redis_figures(live->out, &figures);

    return figures.in_flight;
}


ngx_voice_redis_command_t *
ngx_voice_live_tell(ngx_voice_live_t *live,
    const ngx_voice_live_event_t *event, ngx_voice_redis_done_pt done,
    void *data)
{
    u_char                      channel[sizeof(NGX_VOICE_LIVE_ALL ":")
                                        + NGX_INT_T_LEN];
    ngx_str_t                   text;
    ngx_voice_redis_command_t  *command;

    ngx_str_t  argv[] = {
        ngx_string("PUBLISH"),
        { 0, channel },
        ngx_null_string
    };

    text = ngx_voice_live_text(event);
    if (text.len == 0) {
        return NULL;
    }

    argv[1].len = ngx_sprintf(channel, NGX_VOICE_LIVE_ALL ":%ui",
                              ngx_voice_live_shard(event->channels[0].data,
                                                   event->channels[0].len))
                  - channel;
    argv[2] = text;

    command = ngx_voice_redis_send(event->id != 0 ? live->conf->redis
                                                  : live->out,
                                   VOICE_ARRAY_SIZE(argv), argv, done, data);
    ngx_free(text.data);

    return command;
}


ngx_int_t
ngx_voice_live_ready(ngx_voice_live_t *live, ngx_uint_t shard)
{
    if (live->ready & ((uint64_t) 1 << shard)) {
        return NGX_OK;
    }

    ngx_voice_live_subscribe(live, shard);

    return NGX_AGAIN;
}


/* By the name's root. */
ngx_uint_t
ngx_voice_live_shard(const u_char *name, size_t len)
{
    u_char  *dot;

    dot = ngx_strlchr((u_char *) name, (u_char *) name + len, '.');

    return ngx_voice_hear_key(name, dot == NULL ? len : (size_t) (dot - name))
           % NGX_VOICE_LIVE_SHARDS;
}


void
ngx_voice_live_shout(ngx_voice_live_t *live, const ngx_str_t *text)
{
    ngx_str_t  argv[] = {
        ngx_string("PUBLISH"),
        ngx_string(NGX_VOICE_LIVE_ALL),
        *text
    };

    (void) ngx_voice_redis_send(live->out, VOICE_ARRAY_SIZE(argv), argv,
                                NULL, NULL);
}


/* There are no channels on a connection that is new. */
static void
ngx_voice_live_up(void *data)
{
    ngx_str_t                 all, who;
    ngx_uint_t                shard;
    ngx_queue_t              *q;
    ngx_voice_live_t         *live = data;
    ngx_voice_live_stream_t  *stream;

    live->in_up = 1;
    live->heard = ngx_current_msec;

    ngx_str_set(&all, NGX_VOICE_LIVE_ALL);
    (void) ngx_voice_redis_subscribe(live->in, &all);

    for (shard = 0; shard < NGX_VOICE_LIVE_SHARDS; shard++) {
        if (live->asked & ((uint64_t) 1 << shard)) {
            live->asked &= ~((uint64_t) 1 << shard);
            ngx_voice_live_subscribe(live, shard);
        }
    }

    for (q = ngx_queue_head(&live->streams);
         q != ngx_queue_sentinel(&live->streams);
         q = ngx_queue_next(q))
    {
        stream = ngx_queue_data(q, ngx_voice_live_stream_t, queue);
        ngx_voice_live_end(stream, NGX_VOICE_LIVE_CLOSE_LATER);
    }

    for (q = ngx_queue_head(&live->opening);
         q != ngx_queue_sentinel(&live->opening);
         q = ngx_queue_next(q))
    {
        stream = ngx_queue_data(q, ngx_voice_live_stream_t, queue);
        stream->overflow = stream->state == NGX_VOICE_LIVE_COLLECTS;
    }

    ngx_str_set(&who, NGX_VOICE_LIVE_WHO);
    ngx_voice_live_shout(live, &who);
}


static void
ngx_voice_live_lost(void *data)
{
    ngx_voice_live_t  *live = data;

    live->in_up = 0;
    live->ready = 0;
}


/* Who waits for a channel goes on. */
static void
ngx_voice_live_subscribed(void *data, const ngx_str_t *channel)
{
    ngx_int_t                 shard;
    ngx_queue_t              *q, *next;
    ngx_voice_live_t         *live = data;
    ngx_voice_live_stream_t  *stream;

    static const size_t  prefix = sizeof(NGX_VOICE_LIVE_ALL);

    live->heard = ngx_current_msec;

    if (channel->len <= prefix) {
        return;
    }

    shard = ngx_atoi(channel->data + prefix, channel->len - prefix);

    if (shard == NGX_ERROR || shard >= NGX_VOICE_LIVE_SHARDS) {
        return;
    }

    live->ready |= (uint64_t) 1 << shard;

    for (q = ngx_queue_head(&live->opening);
         q != ngx_queue_sentinel(&live->opening);
         q = next)
    {
        next = ngx_queue_next(q);
        stream = ngx_queue_data(q, ngx_voice_live_stream_t, queue);

        if (stream->state == NGX_VOICE_LIVE_WAITS
            && stream->shard == (ngx_uint_t) shard)
        {
            ngx_voice_live_continue(stream);
        }
    }
}


static void
ngx_voice_live_heard(void *data, const ngx_str_t *channel,
    const ngx_str_t *text)
{
    ngx_uint_t                 shard;
    ngx_queue_t               *q;
    ngx_voice_live_t          *live = data;
    ngx_voice_live_stream_t   *stream;
    ngx_voice_live_message_t  *message;

    live->heard = ngx_current_msec;

    if (ngx_voice_live_is_all(channel)) {
        if (text->len == 1 && text->data[0] == NGX_VOICE_LIVE_WHO[0]) {
            ngx_voice_live_announce(live, NULL);

        } else {
            ngx_voice_live_announced(live, text);
        }

        return;
    }

    message = ngx_voice_live_message_read(text);
    if (message == NULL) {
        ngx_log_error(NGX_LOG_ERR, live->log, 0,
                      "what was told on \"%V\" is no message", channel);
        return;
    }

    /* what a stream may hear is not known yet, it is sorted out then; a flood
     * of another shard's tenants does not fill it */

    shard = ngx_voice_live_shard(message->channels[0].data,
                                 message->channels[0].len);

    for (q = ngx_queue_head(&live->opening);
         message->id != 0 && q != ngx_queue_sentinel(&live->opening);
         q = ngx_queue_next(q))
    {
        stream = ngx_queue_data(q, ngx_voice_live_stream_t, queue);

        if (stream->state == NGX_VOICE_LIVE_COLLECTS
            && stream->shard == shard)
        {
            ngx_voice_live_put(stream, message);
        }
    }

    ngx_voice_live_spread(live, message);
    ngx_voice_live_release(message);
}


static void
ngx_voice_live_beat(ngx_event_t *ev)
{
    ngx_voice_live_t  *live = ev->data;

    /* our own announcements come back to us */

    if (live->in_up && ngx_voice_live_astray(live)) {
        ngx_voice_redis_drop(live->in, "the master is another one");

    } else if (live->in_up
        && ngx_current_msec - live->heard > NGX_VOICE_LIVE_SILENT)
    {
        ngx_voice_redis_drop(live->in, "it has been silent for too long");
    }

    ngx_voice_live_announce(live, NULL);
    ngx_add_timer(ev, NGX_VOICE_LIVE_BEAT);
}


/* Who was the master may be silent for long before it is gone. */
static ngx_uint_t
ngx_voice_live_astray(const ngx_voice_live_t *live)
{
    ngx_voice_redis_figures_t  in, out;

    ngx_voice_redis_figures(live->in, &in);
    ngx_voice_redis_figures(live->out, &out);

    return in.connected && out.connected
           && ngx_strcmp(in.server, out.server) != 0;
}


static void
ngx_voice_live_subscribe(ngx_voice_live_t *live, ngx_uint_t shard)
{
    u_char     name[sizeof(NGX_VOICE_LIVE_ALL ":") + NGX_INT_T_LEN];
    ngx_str_t  channel;

    if (live->asked & ((uint64_t) 1 << shard)) {
        return;
    }

    live->asked |= (uint64_t) 1 << shard;

    channel.data = name;
    channel.len = ngx_sprintf(name, NGX_VOICE_LIVE_ALL ":%ui", shard) - name;

    /* not open: all that were asked for are, when it opens */
    (void) ngx_voice_redis_subscribe(live->in, &channel);
}


static ngx_uint_t
ngx_voice_live_is_all(const ngx_str_t *channel)
{
    return channel->len == sizeof(NGX_VOICE_LIVE_ALL) - 1;
}
