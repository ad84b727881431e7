
/*
 * Guards in front of nchan: the channel that a caller may hear, an id to
 * resume from that cannot hurt nchan, and the "gap" event for a client who
 * cannot resume.
 *
 * nchan 1.3 aborts the process when subscribers resume with an id that has
 * expired by time, so only ids of its own form and younger than
 * voice_stream_window pass.  A WebSocket gets no gap event: nchan writes its
 * frames itself; its clients compare the ids of the events and refetch.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_ID_MAX       256         /* bytes of an id */
#define NGX_VOICE_TAGS_MAX     32          /* channels of one stream */
#define NGX_VOICE_TAG_DIGITS   5
#define NGX_VOICE_SKEW         5           /* seconds ahead of our clock */


static ngx_int_t ngx_voice_accept_eventsource(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_accept_websocket(ngx_voice_ctx_t *ctx);
static ngx_str_t ngx_voice_resume_given(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_resume_valid(ngx_voice_ctx_t *ctx,
    const ngx_str_t *id);
static ngx_uint_t ngx_voice_resume_tags(u_char *p, u_char *last);
static ngx_uint_t ngx_voice_channel_count(const ngx_str_t *channel);
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
    json_decref(data);

    if (ctx->channel.data == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    /* before nchan's first byte, so that the gap event comes first */
    (void) ngx_voice_resume_id(ctx);

    ctx->next = NGX_VOICE_ADMITTED;

    return NGX_OK;
}


ngx_int_t
ngx_voice_stream_acceptable(ngx_voice_ctx_t *ctx)
{
    ngx_voice_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(ctx->request, ngx_voice_module);

    return lcf->stream == NGX_VOICE_STREAM_WEBSOCKET
           ? ngx_voice_accept_websocket(ctx)
           : ngx_voice_accept_eventsource(ctx);
}


ngx_str_t
ngx_voice_resume_id(ngx_voice_ctx_t *ctx)
{
    ngx_str_t  id;

    if (ctx->resume_checked) {
        return ctx->resume;
    }

    ctx->resume_checked = 1;
    ngx_str_null(&ctx->resume);

    id = ngx_voice_resume_given(ctx);

    if (id.len == 0) {
        return ctx->resume;
    }

    if (ngx_voice_resume_valid(ctx, &id)) {
        ctx->resume = id;

    } else {
        ctx->gap = 1;
        ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_stream_gaps, 1);
    }

    return ctx->resume;
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
 * anything gets it said for him.
 */
static ngx_int_t
ngx_voice_accept_eventsource(ngx_voice_ctx_t *ctx)
{
    ngx_str_t            value;
    voice_span_t         accept;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    static const ngx_str_t  type = ngx_string("text/event-stream");

    r = ctx->request;
    accept = ngx_voice_request_header(r, "accept");
    value.data = (u_char *) accept.ptr;
    value.len = accept.len;

    if (value.len >= type.len
        && ngx_strlcasestrn(value.data, value.data + value.len,
                            type.data, type.len - 1)
           != NULL)
    {
        return NGX_OK;
    }

    if (value.len != 0
        && ngx_strlcasestrn(value.data, value.data + value.len,
                            (u_char *) "*/*", 2)
           == NULL)
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


/* "time:tag,tag,[tag]" with one tag a channel, younger than the window. */
static ngx_uint_t
ngx_voice_resume_valid(ngx_voice_ctx_t *ctx, const ngx_str_t *id)
{
    u_char     *colon, *last;
    time_t      time, now;
    ngx_int_t   n;

    last = id->data + id->len;
    colon = ngx_strlchr(id->data, last, ':');

    if (id->len > NGX_VOICE_ID_MAX || colon == NULL
        || colon - id->data > 10)
    {
        return 0;
    }

    n = ngx_atoi(id->data, colon - id->data);
    if (n == NGX_ERROR) {
        return 0;
    }

    time = n;
    now = ngx_time();

    if (time <= now - ctx->conf->stream_window || time > now + NGX_VOICE_SKEW)
    {
        return 0;
    }

    return ngx_voice_resume_tags(colon + 1, last)
           == ngx_voice_channel_count(&ctx->channel);
}


/* How many tags; 0: one is malformed.  At most one stands in brackets. */
static ngx_uint_t
ngx_voice_resume_tags(u_char *p, u_char *last)
{
    ngx_uint_t  tags, active, digits, open;

    active = 0;

    for (tags = 1; tags <= NGX_VOICE_TAGS_MAX; tags++) {
        open = p < last && *p == '[';
        p += open;
        active += open;

        for (digits = 0; p < last && *p >= '0' && *p <= '9'; digits++) {
            p++;
        }

        if (digits == 0 && p < last && *p == '-') {
            p++;
            digits = 1;
        }

        if (digits == 0 || digits > NGX_VOICE_TAG_DIGITS || active > 1
            || (open && (p == last || *p++ != ']')))
        {
            return 0;
        }

        if (p == last) {
            return tags;
        }

        if (*p++ != ',') {
            return 0;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_voice_channel_count(const ngx_str_t *channel)
{
    size_t      i;
    ngx_uint_t  count;

    count = 1;

    for (i = 0; i < channel->len; i++) {
        count += channel->data[i] == ',';
    }

    return count;
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
