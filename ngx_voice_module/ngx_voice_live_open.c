
/*
 * How a live stream opens: it listens before its function is asked, so that
 * nothing is told between the answer and the listening; then come what it
 * missed, what was collected meanwhile, and what is told from now on.
 *
 * data of the function: {"channel": "a,b", "watch": ["b"], "head": 17,
 * "replay": [[16, "event", "body"], ...], "gap": "body"}.  watch: channels
 * that are told of only while somebody listens; head: the last durable id
 * that replay takes account of, 0 where nothing is resumed.
 */

#include "ngx_voice_live_private.h"


#define NGX_VOICE_LIVE_WAIT  3000          /* ms for Redis to be there */


static void ngx_voice_live_late(ngx_event_t *ev);
static ngx_int_t ngx_voice_live_links(ngx_voice_live_stream_t *stream,
    voice_span_t names, const json_t *watch);
static ngx_uint_t ngx_voice_live_watched(const json_t *watch,
    voice_span_t name);
static void ngx_voice_live_sort(ngx_voice_live_stream_t *stream);
static ngx_uint_t ngx_voice_live_wants(ngx_voice_live_stream_t *stream,
    const ngx_voice_live_message_t *message);
static void ngx_voice_live_replay(ngx_voice_live_stream_t *stream,
    const json_t *data);
static void ngx_voice_live_past(ngx_voice_live_stream_t *stream,
    const json_t *replay);
static ngx_voice_live_message_t *ngx_voice_live_replayed(const json_t *item);
static ngx_int_t ngx_voice_live_headers(ngx_voice_live_stream_t *stream);


char *
ngx_voice_conf_live(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_voice_loc_conf_t      *lcf = conf;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK && lcf->live) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
        clcf->handler = ngx_voice_live_handler;
    }

    return rv;
}


ngx_uint_t
ngx_voice_live_name_valid(voice_span_t name)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < name.len; i++) {
        c = name.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.'
            && c != '_' && c != '-')
        {
            return 0;
        }
    }

    return name.len != 0 && name.len <= NGX_VOICE_LIVE_NAME_MAX;
}


ngx_uint_t
ngx_voice_live_located(ngx_http_request_t *r)
{
    ngx_voice_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_voice_module);

    return lcf->live;
}


ngx_int_t
ngx_voice_live_begin(ngx_voice_ctx_t *ctx)
{
    ngx_http_cleanup_t       *cln;
    ngx_voice_live_t         *live;
    ngx_voice_loc_conf_t     *lcf;
    ngx_voice_live_stream_t  *stream;

    live = ctx->conf->live;

    cln = ngx_http_cleanup_add(ctx->request, 0);
    stream = ngx_pcalloc(ctx->request->pool, sizeof(ngx_voice_live_stream_t));

    if (cln == NULL || stream == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    lcf = ngx_http_get_module_loc_conf(ctx->request, ngx_voice_module);

    stream->live = live;
    stream->ctx = ctx;
    stream->request = ctx->request;
    stream->socket = lcf->stream == NGX_VOICE_STREAM_WEBSOCKET;
    stream->shard = ngx_voice_live_shard(ctx->identity.tenant.data,
                                         ctx->identity.tenant.len);
    ctx->live = stream;

    ngx_queue_insert_tail(&live->opening, &stream->queue);
    cln->handler = ngx_voice_live_forget;
    cln->data = stream;

    if (ngx_voice_live_ready(live, stream->shard) == NGX_OK) {
        stream->state = NGX_VOICE_LIVE_COLLECTS;
        return NGX_OK;
    }

    ctx->timer.handler = ngx_voice_live_late;
    ctx->timer.data = ctx;
    ctx->timer.log = ctx->request->connection->log;
    ngx_add_timer(&ctx->timer, NGX_VOICE_LIVE_WAIT);

    return NGX_AGAIN;
}


void
ngx_voice_live_continue(ngx_voice_live_stream_t *stream)
{
    stream->state = NGX_VOICE_LIVE_COLLECTS;
    ngx_del_timer(&stream->ctx->timer);

    ngx_voice_resume(stream->ctx, NGX_VOICE_VALIDATE);
}


/* EventSource sends the last id as a header, WebSocket in the query. */
ngx_int_t
ngx_voice_live_args(ngx_voice_ctx_t *ctx)
{
    voice_span_t  id;

    id = ngx_voice_request_header(ctx->request, "last-event-id");

    /* what is no number is a gap */

    return id.len == 0
           || json_object_set_new(ctx->args, "last_event_id",
                  ngx_atoi((u_char *) id.ptr, id.len) == NGX_ERROR
                  ? json_string("-") : json_stringn(id.ptr, id.len))
              == 0
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_voice_live_grant(ngx_voice_ctx_t *ctx, const json_t *data)
{
    ngx_int_t                 rc;
    voice_span_t              names;
    ngx_voice_live_stream_t  *stream;

    stream = ctx->live;
    names = voice_json_text(data, "channel");

    rc = ngx_voice_live_links(stream, names, json_object_get(data, "watch"));

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "function \"api.%s\" gave no channels",
                      ctx->operation->contract->function);
    }

    if (rc != NGX_OK || stream->overflow) {
        return ngx_voice_fail(ctx, rc == NGX_OK ? NGX_VOICE_SERVICE_UNAVAILABLE
                                                : NGX_VOICE_INTERNAL_ERROR,
                              NULL);
    }

    stream->head = json_integer_value(json_object_get(data, "head"));
    stream->state = NGX_VOICE_LIVE_GRANTED;

    ngx_queue_remove(&stream->queue);
    ngx_queue_insert_tail(&stream->live->streams, &stream->queue);

    ngx_voice_live_sort(stream);
    ngx_voice_live_announce(stream->live, stream);

    ctx->next = NGX_VOICE_ADMITTED;

    return NGX_OK;
}


ngx_int_t
ngx_voice_live_handler(ngx_http_request_t *r)
{
    json_t                   *data;
    ngx_int_t                 rc;
    ngx_voice_ctx_t          *ctx;
    voice_json_error_t        err;
    ngx_voice_live_stream_t  *stream;

    /* the access phase is not for subrequests: nor are we */
    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);

    if (r != r->main || ctx == NULL || !ctx->admitted || ctx->live == NULL) {
        return NGX_HTTP_FORBIDDEN;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    stream = ctx->live;
    rc = ngx_voice_live_headers(stream);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    data = voice_json_parse(ngx_voice_column(ctx->result,
                                             NGX_VOICE_COLUMN_DATA), &err);
    ngx_voice_live_replay(stream, data);
    json_decref(data);

    /* a stream lives long: it keeps nothing that it does not need */

    json_decref(ctx->args);
    ctx->args = NULL;
    PQclear(ctx->result);
    ctx->result = NULL;

    /* ours, until the stream ends */
    r->main->count++;
    ngx_voice_live_start(stream);

    return NGX_DONE;
}


static void
ngx_voice_live_late(ngx_event_t *ev)
{
    ngx_voice_ctx_t  *ctx = ev->data;

    /* the request may live on for as long as the refusal is sent */
    ctx->live->state = NGX_VOICE_LIVE_ENDS;

    (void) ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);
    ngx_voice_refuse(ctx);
}


/* NGX_DECLINED: there are no names, or some that are none. */
static ngx_int_t
ngx_voice_live_links(ngx_voice_live_stream_t *stream, voice_span_t names,
    const json_t *watch)
{
    size_t         i, most;
    const char    *comma;
    voice_span_t   name;

    most = 1;

    for (i = 0; i < names.len; i++) {
        most += names.ptr[i] == ',';
    }

    most = ngx_min(most, NGX_VOICE_LIVE_LINKS_MAX);
    stream->links = ngx_pcalloc(stream->request->pool,
                                most * sizeof(ngx_voice_live_link_t));
    if (stream->links == NULL) {
        return NGX_ERROR;
    }

    while (names.len != 0) {
        comma = memchr(names.ptr, ',', names.len);
        name = voice_span(names.ptr, comma == NULL ? names.len
                                     : (size_t) (comma - names.ptr));

        if (!ngx_voice_live_name_valid(name)
            || stream->nlinks == most)
        {
            return NGX_DECLINED;
        }

        if (ngx_voice_live_link(stream, &stream->links[stream->nlinks], name,
                                ngx_voice_live_watched(watch, name))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        stream->nlinks++;
        names = voice_span(names.ptr + name.len + (comma != NULL),
                           names.len - name.len - (comma != NULL));
    }

    return stream->nlinks != 0 ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_voice_live_watched(const json_t *watch, voice_span_t name)
{
    size_t         i;
    const json_t  *item;

    json_array_foreach(watch, i, item) {
        if (voice_span_eq(voice_span(json_string_value(item),
                                     json_string_length(item)), name))
        {
            return 1;
        }
    }

    return 0;
}


/* Of what was collected stays what it may hear and has not got. */
static void
ngx_voice_live_sort(ngx_voice_live_stream_t *stream)
{
    ngx_uint_t                 i, n;
    ngx_voice_live_message_t  *message;

    n = stream->count;
    stream->count = 0;

    for (i = 0; i < n; i++) {
        message = stream->ring[i];

        if (message->id > stream->head
            && ngx_voice_live_wants(stream, message))
        {
            stream->ring[stream->count++] = message;
            continue;
        }

        ngx_voice_live_release(message);
    }
}


static ngx_uint_t
ngx_voice_live_wants(ngx_voice_live_stream_t *stream,
    const ngx_voice_live_message_t *message)
{
    ngx_uint_t                 i, n;
    ngx_voice_live_channel_t  *channel;

    for (i = 0; i < message->nchannels; i++) {
        channel = ngx_voice_live_channel_find(stream->live,
                                              &message->channels[i]);

        for (n = 0; channel != NULL && n < stream->nlinks; n++) {
            if (stream->links[n].channel == channel) {
                return 1;
            }
        }
    }

    return 0;
}


/* In front of what was collected. */
static void
ngx_voice_live_replay(ngx_voice_live_stream_t *stream, const json_t *data)
{
    const json_t              *gap;
    ngx_uint_t                 n, count;
    ngx_voice_live_event_t     event;
    ngx_voice_live_message_t  *later[NGX_VOICE_LIVE_RING];

    count = stream->count;

    for (n = 0; n < count; n++) {
        later[n] = stream->ring[n];
    }

    stream->count = 0;
    gap = json_object_get(data, "gap");

    if (json_is_string(gap)) {
        ngx_memzero(&event, sizeof(ngx_voice_live_event_t));
        ngx_str_set(&event.event, "gap");
        event.body.data = (u_char *) json_string_value(gap);
        event.body.len = json_string_length(gap);

        ngx_voice_live_give(stream, ngx_voice_live_message(&event));
        ngx_voice_count(stream->live->conf, NGX_VOICE_COUNT_stream_gaps, 1);
    }

    ngx_voice_live_past(stream, json_object_get(data, "replay"));

    for (n = 0; n < count; n++) {
        ngx_voice_live_give(stream, later[n]);
    }
}


/* As one message, which takes one place however much it is. */
static void
ngx_voice_live_past(ngx_voice_live_stream_t *stream, const json_t *replay)
{
    size_t                      i, n;
    const json_t               *item;
    ngx_voice_live_message_t  **all, *message;

    if (json_array_size(replay) == 0) {
        return;
    }

    n = 0;
    all = ngx_alloc(json_array_size(replay)
                    * sizeof(ngx_voice_live_message_t *), stream->live->log);

    json_array_foreach(replay, i, item) {
        message = all == NULL ? NULL : ngx_voice_live_replayed(item);

        if (message != NULL) {
            all[n++] = message;
        }
    }

    /* without memory nothing can be resumed: the client comes again */

    message = n == json_array_size(replay) ? ngx_voice_live_join(all, n)
                                           : NULL;
    stream->overflow |= message == NULL;
    ngx_voice_live_give(stream, message);

    while (n > 0) {
        ngx_voice_live_release(all[--n]);
    }

    ngx_free(all);
}


/* [id, event, body] */
static ngx_voice_live_message_t *
ngx_voice_live_replayed(const json_t *item)
{
    json_t                  *name, *body;
    ngx_voice_live_event_t   event;

    ngx_memzero(&event, sizeof(ngx_voice_live_event_t));

    name = json_array_get(item, 1);
    body = json_array_get(item, 2);

    event.id = json_integer_value(json_array_get(item, 0));
    event.event.data = (u_char *) json_string_value(name);
    event.event.len = json_string_length(name);
    event.body.data = (u_char *) json_string_value(body);
    event.body.len = json_string_length(body);

    return ngx_voice_live_message(&event);
}


static ngx_int_t
ngx_voice_live_headers(ngx_voice_live_stream_t *stream)
{
    ngx_http_request_t  *r;

    static ngx_str_t  type = ngx_string("text/event-stream");

    r = stream->request;
    r->keepalive = 0;
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);

    if (stream->socket) {
        if (ngx_voice_live_handshake(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
        ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");

    } else {
        r->headers_out.status = NGX_HTTP_OK;
        r->headers_out.content_type = type;
        r->headers_out.content_type_len = type.len;
    }

    return ngx_http_send_header(r);
}
