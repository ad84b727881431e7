
/*
 * A live stream that is open: what waits for it, and its sending.
 *
 * A message goes to thousands of streams: they are only marked, and some are
 * sent to in each turn of the loop, each as much as it has.  Who reads too
 * slowly loses what is not durable; a durable message for which there is no
 * room ends the stream, and its client comes again with his last id.
 */

#include "ngx_voice_lapse.h"
#include "ngx_voice_live_private.h"


#define NGX_VOICE_LIVE_TURN    128         /* streams sent to in a turn */
#define NGX_VOICE_LIVE_SEND    15000       /* ms that a write may take */
#define NGX_VOICE_LIVE_PING    15000       /* ms between pings, about */
#define NGX_VOICE_LIVE_JITTER  2000
#define NGX_VOICE_LIVE_SILENT  3           /* pings without an answer */


static void ngx_voice_live_close(ngx_voice_live_stream_t *stream,
    ngx_uint_t code, const ngx_str_t *reason);
static void ngx_voice_live_dirty(ngx_voice_live_stream_t *stream);
static ngx_uint_t ngx_voice_live_room(ngx_voice_live_stream_t *stream);
static void ngx_voice_live_send(ngx_voice_live_stream_t *stream);
static ngx_chain_t *ngx_voice_live_chain(ngx_voice_live_stream_t *stream);
static void ngx_voice_live_written(ngx_voice_live_stream_t *stream,
    ngx_int_t rc, ngx_chain_t *out);
static void ngx_voice_live_write(ngx_http_request_t *r);
static void ngx_voice_live_ping_handler(ngx_event_t *ev);
static void ngx_voice_live_finish(ngx_voice_live_stream_t *stream,
    ngx_int_t rc);


void
ngx_voice_live_put(ngx_voice_live_stream_t *stream,
    ngx_voice_live_message_t *message)
{
    if (stream->state == NGX_VOICE_LIVE_ENDS
        || (message->id != 0 && stream->state >= NGX_VOICE_LIVE_GRANTED
            && message->id <= stream->head))
    {
        return;
    }

    if (stream->count == NGX_VOICE_LIVE_RING
        && (message->id == 0 || !ngx_voice_live_room(stream)))
    {
        if (message->id == 0) {
            ngx_voice_count(stream->live->conf,
                            NGX_VOICE_COUNT_live_dropped, 1);
            return;
        }

        stream->overflow = 1;

        if (stream->state == NGX_VOICE_LIVE_OPEN) {
            ngx_voice_live_end(stream, NGX_VOICE_LIVE_CLOSE_LATER);
        }

        return;
    }

    message->refs++;
    ngx_voice_live_give(stream, message);
}


void
ngx_voice_live_give(ngx_voice_live_stream_t *stream,
    ngx_voice_live_message_t *message)
{
    if (message == NULL) {
        return;
    }

    if (stream->count == NGX_VOICE_LIVE_RING) {
        stream->overflow |= message->id != 0;
        ngx_voice_live_release(message);
        return;
    }

    stream->ring[(stream->first + stream->count) % NGX_VOICE_LIVE_RING] =
        message;
    stream->count++;

    if (stream->state >= NGX_VOICE_LIVE_OPEN) {
        ngx_voice_live_dirty(stream);
    }
}


void
ngx_voice_live_start(ngx_voice_live_stream_t *stream)
{
    ngx_http_request_t  *r;

    r = stream->request;
    r->write_event_handler = ngx_voice_live_write;

    stream->state = NGX_VOICE_LIVE_OPEN;
    stream->counted = 1;
    stream->live->nstreams++;

    stream->ping.handler = ngx_voice_live_ping_handler;
    stream->ping.data = stream;
    stream->ping.log = r->connection->log;
    stream->ping.cancelable = 1;
    ngx_add_timer(&stream->ping, NGX_VOICE_LIVE_PING - NGX_VOICE_LIVE_JITTER
                                 + ngx_random() % NGX_VOICE_LIVE_JITTER);

    if (stream->overflow) {
        ngx_voice_live_end(stream, NGX_VOICE_LIVE_CLOSE_LATER);
    }

    /* the headers leave, though there may be nothing to say */
    (void) ngx_http_send_special(r, NGX_HTTP_FLUSH);
    ngx_voice_live_dirty(stream);

    r->read_event_handler = stream->socket ? ngx_voice_live_read
                                           : ngx_http_test_reading;

    /* what came already, or that the client went, is looked at later: the
     * request must outlive its content handler */

    if (r->http_version < NGX_HTTP_VERSION_20) {
        ngx_post_event(r->connection->read, &ngx_posted_next_events);
    }
}


void
ngx_voice_live_end(ngx_voice_live_stream_t *stream, ngx_uint_t code)
{
    ngx_str_t  reason;

    ngx_str_null(&reason);
    ngx_voice_live_close(stream, code, &reason);
}


/* The event is the last that waits, whatever waits. */
void
ngx_voice_live_dismiss(ngx_voice_ctx_t *ctx,
    const ngx_voice_farewell_t *farewell)
{
    ngx_voice_live_event_t    event;
    ngx_voice_live_stream_t  *stream;

    stream = ctx->live;

    if (!stream->socket && stream->state == NGX_VOICE_LIVE_OPEN) {
        ngx_memzero(&event, sizeof(ngx_voice_live_event_t));
        ngx_str_set(&event.event, "end");
        event.body = farewell->event;

        (void) ngx_voice_live_room(stream);
        ngx_voice_live_give(stream, ngx_voice_live_message(&event));
    }

    ngx_voice_live_close(stream, farewell->code, &farewell->reason);
}


static void
ngx_voice_live_close(ngx_voice_live_stream_t *stream, ngx_uint_t code,
    const ngx_str_t *reason)
{
    size_t  len;
    u_char  payload[NGX_VOICE_LIVE_CONTROL];

    if (stream->state != NGX_VOICE_LIVE_OPEN) {
        stream->overflow = 1;
        return;
    }

    len = ngx_min(reason->len, sizeof(payload) - 2);
    payload[0] = (u_char) (code >> 8);
    payload[1] = (u_char) code;

    if (len != 0) {
        ngx_memcpy(payload + 2, reason->data, len);
    }

    if (stream->socket) {
        (void) ngx_voice_live_room(stream);
        ngx_voice_live_give(stream, ngx_voice_live_frame(0x08, payload,
                                                         2 + len));
    }

    stream->state = NGX_VOICE_LIVE_ENDS;
    ngx_voice_live_dirty(stream);
}


void
ngx_voice_live_flush(ngx_event_t *ev)
{
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_voice_live_t         *live = ev->data;
    ngx_voice_live_stream_t  *stream;

    for (n = 0; n < NGX_VOICE_LIVE_TURN && !ngx_queue_empty(&live->dirty);
         n++)
    {
        q = ngx_queue_head(&live->dirty);
        stream = ngx_queue_data(q, ngx_voice_live_stream_t, dirty);

        ngx_queue_remove(q);
        stream->is_dirty = 0;
        ngx_voice_live_send(stream);
    }

    if (!ngx_queue_empty(&live->dirty)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


void
ngx_voice_live_forget(void *data)
{
    ngx_uint_t                i;
    ngx_voice_live_stream_t  *stream = data;

    ngx_queue_remove(&stream->queue);

    if (stream->is_dirty) {
        ngx_queue_remove(&stream->dirty);
        stream->is_dirty = 0;
    }

    if (stream->ping.timer_set) {
        ngx_del_timer(&stream->ping);
    }

    for (i = 0; i < stream->nlinks; i++) {
        ngx_voice_live_unlink(&stream->links[i]);
    }

    for (i = 0; i < stream->count; i++) {
        ngx_voice_live_release(stream->ring[(stream->first + i)
                                            % NGX_VOICE_LIVE_RING]);
    }

    for (i = 0; i < stream->nsent; i++) {
        ngx_voice_live_release(stream->sent[i]);
    }

    if (stream->counted) {
        stream->live->nstreams--;
    }

    stream->ctx->live = NULL;
}


static void
ngx_voice_live_dirty(ngx_voice_live_stream_t *stream)
{
    if (stream->is_dirty) {
        return;
    }

    stream->is_dirty = 1;
    ngx_queue_insert_tail(&stream->live->dirty, &stream->dirty);
    ngx_post_event(&stream->live->flush, &ngx_posted_next_events);
}


/* Throws the oldest away that is not durable; 0: there is none. */
static ngx_uint_t
ngx_voice_live_room(ngx_voice_live_stream_t *stream)
{
    ngx_uint_t                 i, n;
    ngx_voice_live_message_t  *message;

    for (i = 0; i < stream->count; i++) {
        n = (stream->first + i) % NGX_VOICE_LIVE_RING;
        message = stream->ring[n];

        if (message->id != 0) {
            continue;
        }

        ngx_voice_live_release(message);
        ngx_voice_count(stream->live->conf, NGX_VOICE_COUNT_live_dropped, 1);

        for ( /* void */ ; i + 1 < stream->count; i++) {
            n = (stream->first + i) % NGX_VOICE_LIVE_RING;
            stream->ring[n] = stream->ring[(n + 1) % NGX_VOICE_LIVE_RING];
        }

        stream->count--;
        return 1;
    }

    return 0;
}


/* The request may be gone afterwards. */
static void
ngx_voice_live_send(ngx_voice_live_stream_t *stream)
{
    ngx_int_t     rc;
    ngx_chain_t  *out;

    /* the write handler goes on */
    if (stream->busy != NULL) {
        return;
    }

    if (stream->count == 0) {
        if (stream->state == NGX_VOICE_LIVE_ENDS) {
            ngx_voice_live_finish(stream, NGX_OK);
        }

        return;
    }

    out = ngx_voice_live_chain(stream);

    if (out == NULL) {
        ngx_voice_live_finish(stream, NGX_ERROR);
        return;
    }

    rc = ngx_http_output_filter(stream->request, out);
    ngx_voice_live_written(stream, rc, out);
}


static ngx_chain_t *
ngx_voice_live_chain(ngx_voice_live_stream_t *stream)
{
    ngx_buf_t                 *b;
    ngx_str_t                 *text;
    ngx_chain_t               *out, *cl, **last;
    ngx_voice_live_message_t  *message;

    out = NULL;
    b = NULL;
    last = &out;

    while (stream->count != 0 && stream->nsent < NGX_VOICE_LIVE_SENT) {
        cl = ngx_chain_get_free_buf(stream->request->pool, &stream->free);
        if (cl == NULL) {
            return NULL;
        }

        message = stream->ring[stream->first];
        stream->first = (stream->first + 1) % NGX_VOICE_LIVE_RING;
        stream->count--;
        stream->sent[stream->nsent++] = message;

        text = stream->socket ? &message->socket : &message->eventsource;
        b = cl->buf;
        ngx_memzero(b, sizeof(ngx_buf_t));

        b->start = text->data;
        b->pos = text->data;
        b->last = text->data + text->len;
        b->end = b->last;
        b->memory = 1;
        b->tag = (ngx_buf_tag_t) &ngx_voice_module;

        *last = cl;
        last = &cl->next;
    }

    *last = NULL;

    if (b != NULL) {
        b->flush = 1;
    }

    return out;
}


static void
ngx_voice_live_written(ngx_voice_live_stream_t *stream, ngx_int_t rc,
    ngx_chain_t *out)
{
    ngx_event_t         *wev;
    ngx_http_request_t  *r;

    r = stream->request;
    wev = r->connection->write;

    if (rc == NGX_ERROR) {
        ngx_voice_live_finish(stream, NGX_ERROR);
        return;
    }

    ngx_chain_update_chains(r->pool, &stream->free, &stream->busy, &out,
                            (ngx_buf_tag_t) &ngx_voice_module);

    if (stream->busy != NULL) {
        if (!wev->timer_set) {
            ngx_add_timer(wev, NGX_VOICE_LIVE_SEND);
        }

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_voice_live_finish(stream, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    while (stream->nsent > 0) {
        ngx_voice_live_release(stream->sent[--stream->nsent]);
    }

    if (stream->count != 0 || stream->state == NGX_VOICE_LIVE_ENDS) {
        ngx_voice_live_dirty(stream);
    }
}


static void
ngx_voice_live_write(ngx_http_request_t *r)
{
    ngx_voice_ctx_t          *ctx;
    ngx_voice_live_stream_t  *stream;

    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);
    stream = ctx->live;

    if (r->connection->write->timedout) {
        r->connection->timedout = 1;
        ngx_voice_live_finish(stream, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (stream->busy != NULL) {
        ngx_voice_live_written(stream, ngx_http_output_filter(r, NULL), NULL);
    }
}


static void
ngx_voice_live_ping_handler(ngx_event_t *ev)
{
    ngx_voice_live_stream_t  *stream = ev->data;

    if (stream->socket && stream->silent++ == NGX_VOICE_LIVE_SILENT) {
        ngx_voice_live_finish(stream, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    ngx_voice_live_put(stream, ngx_voice_live_ping());

    ngx_add_timer(ev, NGX_VOICE_LIVE_PING - NGX_VOICE_LIVE_JITTER
                      + ngx_random() % NGX_VOICE_LIVE_JITTER);
}


static void
ngx_voice_live_finish(ngx_voice_live_stream_t *stream, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = stream->request;
    c = r->connection;

    if (stream->ping.timer_set) {
        ngx_del_timer(&stream->ping);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}
