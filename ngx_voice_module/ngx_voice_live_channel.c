
/*
 * Which streams of this process have which channels, and what is said about
 * it to the other processes and nodes.
 */

#include "ngx_voice_live_private.h"


#define NGX_VOICE_LIVE_SHOUT  4000         /* bytes of an announcement */


static ngx_voice_live_channel_t *ngx_voice_live_channel_get(
    ngx_voice_live_t *live, const ngx_str_t *name);
static u_char *ngx_voice_live_announce_name(ngx_voice_live_t *live,
    u_char *start, u_char *p, const ngx_str_t *name);
static void ngx_voice_live_mark(ngx_voice_live_t *live,
    const ngx_str_t *name);


ngx_int_t
ngx_voice_live_link(ngx_voice_live_stream_t *stream,
    ngx_voice_live_link_t *link, voice_span_t span, ngx_uint_t watch)
{
    ngx_str_t  name;

    name.data = (u_char *) span.ptr;
    name.len = span.len;

    link->channel = ngx_voice_live_channel_get(stream->live, &name);
    if (link->channel == NULL) {
        return NGX_ERROR;
    }

    link->stream = stream;
    link->watch = watch;
    link->channel->watched += watch;
    ngx_queue_insert_tail(&link->channel->links, &link->queue);

    return NGX_OK;
}


void
ngx_voice_live_unlink(ngx_voice_live_link_t *link)
{
    ngx_queue_remove(&link->queue);
    link->channel->watched -= link->watch;

    if (ngx_queue_empty(&link->channel->links)) {
        ngx_queue_remove(&link->channel->queue);
        ngx_free(link->channel);
    }
}


ngx_voice_live_channel_t *
ngx_voice_live_channel_find(ngx_voice_live_t *live, const ngx_str_t *name)
{
    uint64_t                   key;
    ngx_queue_t               *bucket, *q;
    ngx_voice_live_channel_t  *channel;

    key = ngx_voice_hear_key(name->data, name->len);
    bucket = &live->buckets[key % NGX_VOICE_LIVE_BUCKETS];

    for (q = ngx_queue_head(bucket); q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        channel = ngx_queue_data(q, ngx_voice_live_channel_t, queue);

        if (channel->key == key && channel->len == name->len
            && ngx_memcmp(channel->name, name->data, name->len) == 0)
        {
            return channel;
        }
    }

    return NULL;
}


/* A stream may have several of the channels. */
void
ngx_voice_live_spread(ngx_voice_live_t *live,
    ngx_voice_live_message_t *message)
{
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_voice_live_link_t     *link;
    ngx_voice_live_channel_t  *channel;

    live->stamp++;

    for (i = 0; i < message->nchannels; i++) {
        channel = ngx_voice_live_channel_find(live, &message->channels[i]);

        if (channel == NULL) {
            continue;
        }

        for (q = ngx_queue_head(&channel->links);
             q != ngx_queue_sentinel(&channel->links);
             q = ngx_queue_next(q))
        {
            link = ngx_queue_data(q, ngx_voice_live_link_t, queue);

            if (link->stream->stamp != live->stamp) {
                link->stream->stamp = live->stamp;
                ngx_voice_live_put(link->stream, message);
            }
        }
    }
}


void
ngx_voice_live_announce(ngx_voice_live_t *live,
    const ngx_voice_live_stream_t *stream)
{
    u_char                    *p;
    u_char                     text[NGX_VOICE_LIVE_SHOUT];
    ngx_str_t                  name;
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_voice_live_channel_t  *channel;

    p = text;

    for (i = 0; stream != NULL && i < stream->nlinks; i++) {
        if (stream->links[i].watch) {
            name.data = stream->links[i].channel->name;
            name.len = stream->links[i].channel->len;
            p = ngx_voice_live_announce_name(live, text, p, &name);
        }
    }

    for (i = 0; stream == NULL && i < NGX_VOICE_LIVE_BUCKETS; i++) {
        for (q = ngx_queue_head(&live->buckets[i]);
             q != ngx_queue_sentinel(&live->buckets[i]);
             q = ngx_queue_next(q))
        {
            channel = ngx_queue_data(q, ngx_voice_live_channel_t, queue);

            if (channel->watched != 0) {
                name.data = channel->name;
                name.len = channel->len;
                p = ngx_voice_live_announce_name(live, text, p, &name);
            }
        }
    }

    /* an empty one, too: who hears nothing for long thinks Redis dead */

    if (p != text || stream == NULL) {
        name.data = text;
        name.len = p - text;
        ngx_voice_live_shout(live, &name);
    }
}


void
ngx_voice_live_announced(ngx_voice_live_t *live, const ngx_str_t *text)
{
    u_char     *p, *last, *end;
    ngx_str_t   name;

    p = text->data;
    last = p + text->len;

    while (p < last) {
        end = ngx_strlchr(p, last, ' ');
        end = end == NULL ? last : end;

        name.data = p;
        name.len = end - p;

        if (name.len != 0) {
            ngx_voice_live_mark(live, &name);
        }

        p = end + 1;
    }
}


static ngx_voice_live_channel_t *
ngx_voice_live_channel_get(ngx_voice_live_t *live, const ngx_str_t *name)
{
    ngx_voice_live_channel_t  *channel;

    channel = ngx_voice_live_channel_find(live, name);

    if (channel != NULL || name->len > NGX_VOICE_LIVE_NAME_MAX) {
        return channel;
    }

    channel = ngx_alloc(sizeof(ngx_voice_live_channel_t), live->log);
    if (channel == NULL) {
        return NULL;
    }

    channel->key = ngx_voice_hear_key(name->data, name->len);
    channel->watched = 0;
    channel->len = name->len;
    ngx_memcpy(channel->name, name->data, name->len);

    ngx_queue_init(&channel->links);
    ngx_queue_insert_tail(&live->buckets[channel->key
                                         % NGX_VOICE_LIVE_BUCKETS],
                          &channel->queue);

    return channel;
}


/* Adds it to the text, which is sent when it is full; where to go on. */
static u_char *
ngx_voice_live_announce_name(ngx_voice_live_t *live, u_char *start,
    u_char *p, const ngx_str_t *name)
{
    ngx_str_t  text;

    ngx_voice_live_mark(live, name);

    if (p + name->len + 1 > start + NGX_VOICE_LIVE_SHOUT) {
        text.data = start;
        text.len = p - start;
        ngx_voice_live_shout(live, &text);
        p = start;
    }

    return ngx_sprintf(p, "%V ", name);
}


/* The root, too: who makes messages asks for that first. */
static void
ngx_voice_live_mark(ngx_voice_live_t *live, const ngx_str_t *name)
{
    u_char                 *dot;
    ngx_voice_main_conf_t  *mcf;

    mcf = live->conf;
    dot = ngx_strlchr(name->data, name->data + name->len, '.');

    ngx_voice_hear_mark(mcf->shared->hear, mcf->slab,
                        ngx_voice_hear_key(name->data, name->len));

    if (dot != NULL) {
        ngx_voice_hear_mark(mcf->shared->hear, mcf->slab,
                            ngx_voice_hear_key(name->data,
                                               dot - name->data));
    }
}
