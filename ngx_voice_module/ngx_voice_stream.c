
/*
 * Guards in front of nchan: the channel that a caller may hear, an id to
 * resume from that cannot hurt nchan, and the "gap" event for a client who
 * cannot resume.
 *
 * nchan 1.3 aborts the process when two subscribers resume with an id on a
 * channel that holds no message: after all have expired, after Redis lost
 * them, or with an id that never was.  So an id passes only in nchan's own
 * form, younger than voice_stream_window, and if its message is there: we
 * look for nchan's key.  Should a later nchan name its keys differently,
 * every resume becomes a gap, which is safe.
 *
 * A WebSocket gets no gap event: nchan writes its frames itself; its clients
 * compare the ids of the events and refetch.
 */

#include "ngx_voice_live.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_ID_MAX       256         /* bytes of an id */
#define NGX_VOICE_TIME_DIGITS  10
#define NGX_VOICE_SKEW         5           /* seconds ahead of our clock */

#define NGX_VOICE_RESUME_WAIT   3000       /* ms for Redis to be there */
#define NGX_VOICE_RESUME_PAUSE  50


/* The message that an id names. */
typedef struct {
    time_t      time;
    ngx_uint_t  tag;
    ngx_str_t   channel;
} ngx_voice_resume_t;


static ngx_int_t ngx_voice_accept_eventsource(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_accept_websocket(ngx_voice_ctx_t *ctx);
static ngx_str_t ngx_voice_resume_given(ngx_voice_ctx_t *ctx);
static void ngx_voice_resume_later(ngx_event_t *ev);
static void ngx_voice_resume_checked(void *data, const redisReply *reply);
static void ngx_voice_resume_gap(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_resume_parse(ngx_voice_ctx_t *ctx,
    const ngx_str_t *id, ngx_voice_resume_t *resume);
static ngx_uint_t ngx_voice_resume_tags(ngx_voice_ctx_t *ctx, u_char *p,
    u_char *last, ngx_voice_resume_t *resume);
static ngx_uint_t ngx_voice_resume_tag(u_char **p, u_char *last,
    ngx_int_t *tag);
static void ngx_voice_channel_next(ngx_str_t *channels, ngx_str_t *channel);
static ngx_uint_t ngx_voice_channel_valid(voice_span_t channel);
static ngx_int_t ngx_voice_gap_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_voice_gap_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_voice_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_voice_next_body_filter;


static ngx_str_t  ngx_voice_gap_event = ngx_string(
    "event: gap\n"
    "data: {\"event_type\":\"gap\",\"refetch\":\"/api/v1/events?after=\"}\n"
    "\n");


ngx_int_t
ngx_voice_grant(ngx_voice_ctx_t *ctx)
{
    json_t              *data;
    ngx_int_t            rc;
    ngx_str_t            copy;
    voice_span_t         span;
    voice_json_error_t   err;

    span = ngx_voice_column(ctx->result, NGX_VOICE_COLUMN_DATA);
    data = voice_json_parse(span, &err);
    span = voice_json_text(data, "channel");

    if (!ngx_voice_channel_valid(span)) {
        json_decref(data);
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "function \"api.%s\" gave no channel",
                      ctx->operation->contract->function);
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    copy.data = (u_char *) span.ptr;
    copy.len = span.len;

    ctx->channel.data = ngx_pstrdup(ctx->request->pool, &copy);
    ctx->channel.len = copy.len;

    if (ctx->channel.data == NULL) {
        json_decref(data);
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    ctx->next = NGX_VOICE_RESUME;
    rc = ctx->live == NULL ? NGX_OK : ngx_voice_live_grant(ctx, data);
    json_decref(data);

    return rc;
}


ngx_int_t
ngx_voice_stream_acceptable(ngx_voice_ctx_t *ctx)
{
    ngx_voice_loc_conf_t  *lcf;

    static const ngx_str_t  allow = ngx_string("GET, OPTIONS");

    /* nchan ends the connection of a HEAD without a word */
    if (ctx->request->method != NGX_HTTP_GET) {
        return ngx_voice_header(ctx->request, "Allow", &allow) == NGX_OK
               ? ngx_voice_fail(ctx, NGX_VOICE_METHOD_NOT_ALLOWED, NULL)
               : ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    lcf = ngx_http_get_module_loc_conf(ctx->request, ngx_voice_module);

    return lcf->stream == NGX_VOICE_STREAM_WEBSOCKET
           ? ngx_voice_accept_websocket(ctx)
           : ngx_voice_accept_eventsource(ctx);
}


ngx_int_t
ngx_voice_resume_check(ngx_voice_ctx_t *ctx)
{
    u_char                *key;
    ngx_str_t              id, argv[2];
    ngx_voice_resume_t     resume;

    ctx->next = NGX_VOICE_ADMITTED;
    id = ngx_voice_resume_given(ctx);

    if (id.len == 0) {
        return NGX_OK;
    }

    if (!ngx_voice_resume_parse(ctx, &id, &resume)
        || ctx->conf->stream_store.len == 0)
    {
        ngx_voice_resume_gap(ctx);
        return NGX_OK;
    }

    key = ngx_pnalloc(ctx->request->pool, NGX_VOICE_ID_MAX
                      + ctx->channel.len + ctx->conf->stream_store.len);
    if (key == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    ngx_str_set(&argv[0], "EXISTS");
    argv[1].data = key;
    argv[1].len = ngx_sprintf(key, "%V:{channel:/%V}:msg:%T:%ui",
                              &ctx->conf->stream_store, &resume.channel,
                              resume.time, resume.tag) - key;

    ctx->resume = id;
    ctx->command = ngx_voice_redis_send(ctx->conf->redis, 2, argv,
                                        ngx_voice_resume_checked, ctx);
    if (ctx->command != NULL) {
        return NGX_AGAIN;
    }

    /* a process that has just begun is not yet connected */
    if (ngx_voice_duration(ctx->request) < NGX_VOICE_RESUME_WAIT) {
        ctx->timer.handler = ngx_voice_resume_later;
        ctx->timer.data = ctx;
        ctx->timer.log = ctx->request->connection->log;
        ngx_add_timer(&ctx->timer, NGX_VOICE_RESUME_PAUSE);
        return NGX_AGAIN;
    }

    ngx_voice_resume_gap(ctx);

    return NGX_OK;
}


void
ngx_voice_stream_filters(void)
{
    ngx_voice_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_voice_gap_header_filter;

    ngx_voice_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_voice_gap_body_filter;
}


/*
 * nchan wants to read text/event-stream in the header Accept; who accepts
 * it in other words gets it said for him.
 */
static ngx_int_t
ngx_voice_accept_eventsource(ngx_voice_ctx_t *ctx)
{
    voice_span_t         accept;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    static const ngx_str_t  type = ngx_string("text/event-stream");

    r = ctx->request;
    accept = ngx_voice_request_header(r, "accept");

    if (!voice_header_accepts(accept, voice_span((char *) type.data,
                                                 type.len)))
    {
        return ngx_voice_fail(ctx, NGX_VOICE_NOT_ACCEPTABLE, NULL);
    }

    h = ngx_voice_header_find(r, "accept");

    if (h == NULL) {
        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        }

        h->hash = 1;
        ngx_str_set(&h->key, "Accept");
        h->lowcase_key = (u_char *) "accept";
#if (NGX_HTTP_HEADERS)
        r->headers_in.accept = h;
#endif
    }

    h->value = type;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_accept_websocket(ngx_voice_ctx_t *ctx)
{
    voice_span_t  upgrade;

    if (ngx_voice_live_located(ctx->request)
        && !ngx_voice_live_socket_valid(ctx->request))
    {
        return ngx_voice_fail(ctx, NGX_VOICE_BAD_REQUEST,
                              "This resource is a WebSocket (RFC 6455).");
    }

    upgrade = ngx_voice_request_header(ctx->request, "upgrade");

    if (upgrade.len == 9
        && ngx_strncasecmp((u_char *) upgrade.ptr, (u_char *) "websocket", 9)
           == 0)
    {
        return NGX_OK;
    }

    return ngx_voice_fail(ctx, NGX_VOICE_BAD_REQUEST,
                          "This resource is a WebSocket.");
}


/* Last-Event-ID, or the argument last_event_id; empty: neither. */
static ngx_str_t
ngx_voice_resume_given(ngx_voice_ctx_t *ctx)
{
    char                *buf;
    size_t               len;
    ngx_str_t            id;
    voice_span_t         header, query;
    ngx_http_request_t  *r;

    r = ctx->request;
    header = ngx_voice_request_header(r, "last-event-id");

    id.data = (u_char *) header.ptr;
    id.len = header.len;

    if (id.len != 0) {
        return id;
    }

    query = voice_span((char *) r->args.data, r->args.len);
    buf = ngx_pnalloc(r->pool, NGX_VOICE_ID_MAX);

    if (buf == NULL
        || voice_query_find(query, "last_event_id", buf, NGX_VOICE_ID_MAX,
                            &len)
           != VOICE_OK)
    {
        ngx_str_null(&id);
        return id;
    }

    id.data = (u_char *) buf;
    id.len = len;

    return id;
}


static void
ngx_voice_resume_later(ngx_event_t *ev)
{
    ngx_voice_resume(ev->data, NGX_VOICE_RESUME);
}


static void
ngx_voice_resume_checked(void *data, const redisReply *reply)
{
    ngx_voice_ctx_t  *ctx = data;

    ctx->command = NULL;

    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER
        || reply->integer != 1)
    {
        ngx_voice_resume_gap(ctx);
    }

    ngx_voice_resume(ctx, NGX_VOICE_ADMITTED);
}


static void
ngx_voice_resume_gap(ngx_voice_ctx_t *ctx)
{
    ngx_str_null(&ctx->resume);

    ctx->gap = 1;
    ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_stream_gaps, 1);
}


/* "time:tag,tag,[tag]" with one tag a channel, younger than the window. */
static ngx_uint_t
ngx_voice_resume_parse(ngx_voice_ctx_t *ctx, const ngx_str_t *id,
    ngx_voice_resume_t *resume)
{
    u_char     *colon, *last;
    time_t      now;
    ngx_int_t   n;

    last = id->data + id->len;
    colon = ngx_strlchr(id->data, last, ':');

    if (id->len >= NGX_VOICE_ID_MAX || colon == NULL
        || colon - id->data > NGX_VOICE_TIME_DIGITS)
    {
        return 0;
    }

    n = ngx_atoi(id->data, colon - id->data);
    if (n == NGX_ERROR) {
        return 0;
    }

    now = ngx_time();
    resume->time = n;

    if (resume->time <= now - ctx->conf->stream_window
        || resume->time > now + NGX_VOICE_SKEW)
    {
        return 0;
    }

    return ngx_voice_resume_tags(ctx, colon + 1, last, resume);
}


/*
 * A tag is a number, or "-" for a channel without messages; the one of the
 * message itself stands in brackets where there are several.
 */
static ngx_uint_t
ngx_voice_resume_tags(ngx_voice_ctx_t *ctx, u_char *p, u_char *last,
    ngx_voice_resume_t *resume)
{
    ngx_int_t     tag;
    ngx_uint_t    open, found;
    ngx_str_t     channels, channel;

    channels = ctx->channel;
    found = 0;

    for ( ;; ) {
        ngx_voice_channel_next(&channels, &channel);

        open = p < last && *p == '[';
        p += open;

        if (!ngx_voice_resume_tag(&p, last, &tag)
            || (open && (p == last || *p++ != ']')))
        {
            return 0;
        }

        if (tag >= 0 && (open || !found)) {
            resume->channel = channel;
            resume->tag = tag;
            found = 1;
        }

        if (p == last || channels.len == 0) {
            return found && p == last && channels.len == 0;
        }

        if (*p++ != ',') {
            return 0;
        }
    }
}


static ngx_uint_t
ngx_voice_resume_tag(u_char **p, u_char *last, ngx_int_t *tag)
{
    u_char  *start;

    start = *p;

    if (start < last && *start == '-') {
        *p = start + 1;
        *tag = -1;
        return 1;
    }

    while (*p < last && **p >= '0' && **p <= '9') {
        (*p)++;
    }

    /* 16 bits, signed, in nchan */
    *tag = ngx_atoi(start, *p - start);

    return *tag >= 0 && *tag <= 0x7fff;
}


/* Takes the first channel off a list that "," joins. */
static void
ngx_voice_channel_next(ngx_str_t *channels, ngx_str_t *channel)
{
    u_char  *p;

    *channel = *channels;
    p = ngx_strlchr(channels->data, channels->data + channels->len, ',');

    if (p == NULL) {
        channels->len = 0;
        return;
    }

    channel->len = p - channels->data;
    channels->len -= channel->len + 1;
    channels->data = p + 1;
}


/* Names and what joins them: nothing that nchan would read as syntax. */
static ngx_uint_t
ngx_voice_channel_valid(voice_span_t channel)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < channel.len; i++) {
        c = channel.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.'
            && c != '_' && c != '-' && c != ',')
        {
            return 0;
        }
    }

    return channel.len != 0;
}


static ngx_int_t
ngx_voice_gap_header_filter(ngx_http_request_t *r)
{
    ngx_voice_ctx_t  *ctx;

    static const ngx_str_t  type = ngx_string("text/event-stream");

    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);

    if (ctx != NULL && ctx->channel.len != 0) {

        if (ctx->gap && r->headers_out.content_type.len >= type.len
            && ngx_strncasecmp(r->headers_out.content_type.data, type.data,
                               type.len) == 0)
        {
            ctx->gap_due = 1;
        }

        if (ngx_voice_header_id(ctx) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_voice_next_header_filter(r);
}


/* Puts the event before the first bytes of the stream. */
static ngx_int_t
ngx_voice_gap_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t        *b;
    ngx_chain_t      *cl;
    ngx_voice_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);

    if (ctx == NULL || !ctx->gap_due || in == NULL) {
        return ngx_voice_next_body_filter(r, in);
    }

    ctx->gap_due = 0;

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    b->pos = ngx_voice_gap_event.data;
    b->last = b->pos + ngx_voice_gap_event.len;
    b->memory = 1;

    cl->buf = b;
    cl->next = in;

    return ngx_voice_next_body_filter(r, cl);
}
