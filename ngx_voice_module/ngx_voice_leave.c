
/*
 * A process that exits closes its idle connections at once, also those on
 * which a request is already under way: its client learns nothing but that
 * the connection broke.  Here they get a moment more, and who goes on is
 * answered with "Connection: close" (RFC 9112 section 9.6).
 *
 * Streams would be cut when the process is gone, at any byte: they are ended
 * as their protocol does it, and their clients connect anew.
 *
 * nginx asks no module before it closes, but it goes through the connections
 * in their order: one of ours, taken before there are clients, comes first.
 */

#include "ngx_voice_lapse.h"

#include <sys/eventfd.h>


#define NGX_VOICE_LEAVE_TIME  2000         /* ms */
#define NGX_VOICE_LEAVE_YOUNG  5000        /* ms: nchan may lose who comes in
                                              the first of a process */
#define NGX_VOICE_LEAVE_AGAIN  8000        /* ms: then those come again */


/* A live stream, in the pool of its request. */
typedef struct {
    ngx_queue_t          queue;
    ngx_http_request_t  *request;
    ngx_uint_t           young;            /* its process was, at its begin */
} ngx_voice_leave_stream_t;


static void ngx_voice_leave_streams(void);
static void ngx_voice_leave_streams_end(ngx_event_t *ev);
static void ngx_voice_leave_young_end(ngx_event_t *ev);
static void ngx_voice_leave_late(ngx_event_t *ev);
static void ngx_voice_leave_stream_end(ngx_http_request_t *r);
static u_char *ngx_voice_leave_frame(u_char *p,
    const ngx_voice_farewell_t *farewell);
static u_char *ngx_voice_leave_event(const ngx_http_request_t *r, u_char *p,
    const ngx_voice_farewell_t *farewell);
static void ngx_voice_leave_cut(ngx_http_request_t *r,
    const ngx_str_t *bytes);
#if (NGX_HTTP_V2)
static void ngx_voice_leave_reset(ngx_http_request_t *r,
    const ngx_str_t *bytes);
#endif
static void ngx_voice_leave_stream_forget(void *data);
static void ngx_voice_leave_handler(ngx_event_t *ev);


/* Of this process; the timer keeps it until nchan has let go of them. */
static ngx_queue_t  ngx_voice_leave_list;
static ngx_event_t  ngx_voice_leave_timer;
static ngx_event_t  ngx_voice_leave_again;
static ngx_msec_t   ngx_voice_leave_began;


ngx_int_t
ngx_voice_leave_prepare(ngx_cycle_t *cycle)
{
    ngx_socket_t       fd;
    ngx_connection_t  *c;

    ngx_queue_init(&ngx_voice_leave_list);

    ngx_voice_leave_began = ngx_current_msec;
    ngx_voice_leave_again.handler = ngx_voice_leave_young_end;
    ngx_voice_leave_again.log = cycle->log;
    ngx_voice_leave_again.cancelable = 1;
    ngx_add_timer(&ngx_voice_leave_again, NGX_VOICE_LEAVE_AGAIN);

    fd = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);
    if (fd == -1) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    c->idle = 1;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_voice_leave_handler;

    return NGX_OK;
}


void
ngx_voice_leave_request(ngx_http_request_t *r)
{
    if (ngx_exiting) {
        r->keepalive = 0;
    }
}


ngx_int_t
ngx_voice_leave_stream(ngx_http_request_t *r, ngx_uint_t lost)
{
    ngx_http_cleanup_t        *cln;
    ngx_voice_leave_stream_t  *stream;

    if (ngx_exiting) {
        return NGX_DECLINED;
    }

    cln = ngx_http_cleanup_add(r, sizeof(ngx_voice_leave_stream_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    stream = cln->data;
    stream->request = r;
    stream->young = lost
                    && ngx_current_msec - ngx_voice_leave_began
                       < NGX_VOICE_LEAVE_YOUNG;
    cln->handler = ngx_voice_leave_stream_forget;

    ngx_queue_insert_tail(&ngx_voice_leave_list, &stream->queue);

    return NGX_OK;
}


static void
ngx_voice_leave_stream_forget(void *data)
{
    ngx_voice_leave_stream_t  *stream = data;

    ngx_queue_remove(&stream->queue);

    if (ngx_voice_leave_timer.timer_set
        && ngx_queue_empty(&ngx_voice_leave_list))
    {
        ngx_del_timer(&ngx_voice_leave_timer);
    }
}


/*
 * Not at once: their clients come back in no time, and the nchan of a process
 * that has just begun may lose them.
 */
static void
ngx_voice_leave_streams(void)
{
    if (ngx_queue_empty(&ngx_voice_leave_list)) {
        return;
    }

    ngx_voice_leave_timer.handler = ngx_voice_leave_streams_end;
    ngx_voice_leave_timer.log = ngx_cycle->log;
    ngx_add_timer(&ngx_voice_leave_timer, NGX_VOICE_LEAVE_TIME);
}


static void
ngx_voice_leave_streams_end(ngx_event_t *ev)
{
    ngx_queue_t               *q;
    ngx_voice_leave_stream_t  *stream;

    for (q = ngx_queue_head(&ngx_voice_leave_list);
         q != ngx_queue_sentinel(&ngx_voice_leave_list);
         q = ngx_queue_next(q))
    {
        stream = ngx_queue_data(q, ngx_voice_leave_stream_t, queue);
        ngx_voice_leave_stream_end(stream->request);
    }

    ev->handler = ngx_voice_leave_late;
    ngx_add_timer(ev, NGX_VOICE_LEAVE_TIME);
}


/*
 * A subscriber that nchan has lost hears nothing and cannot tell.  Who
 * connects again, with his last id, gets what he missed.
 */
static void
ngx_voice_leave_young_end(ngx_event_t *ev)
{
    ngx_queue_t               *q;
    ngx_voice_leave_stream_t  *stream;

    for (q = ngx_queue_head(&ngx_voice_leave_list);
         q != ngx_queue_sentinel(&ngx_voice_leave_list);
         q = ngx_queue_next(q))
    {
        stream = ngx_queue_data(q, ngx_voice_leave_stream_t, queue);

        if (stream->young) {
            ngx_voice_leave_stream_end(stream->request);
        }
    }
}


static void
ngx_voice_leave_late(ngx_event_t *ev)
{
    ngx_log_error(NGX_LOG_NOTICE, ev->log, 0, "some streams are cut");
}


static void
ngx_voice_leave_stream_end(ngx_http_request_t *r)
{
    ngx_str_t              bytes;
    ngx_voice_loc_conf_t  *lcf;

    /* a frame of WebSocket: close, 1001 "going away" (RFC 6455, 7.4.1) */
    static u_char  close_frame[] = { 0x88, 0x02, 0x03, 0xe9 };
    static u_char  last_chunk[] = "0" CRLF CRLF;

#if (NGX_HTTP_V2)
    if (r->stream != NULL) {
        return;
    }
#endif

    lcf = ngx_http_get_module_loc_conf(r, ngx_voice_module);
    ngx_str_null(&bytes);

    if (lcf->stream == NGX_VOICE_STREAM_WEBSOCKET) {
        bytes.data = close_frame;
        bytes.len = sizeof(close_frame);

    } else if (r->chunked) {
        bytes.data = last_chunk;
        bytes.len = sizeof(last_chunk) - 1;
    }

    ngx_voice_leave_cut(r, &bytes);
}


void
ngx_voice_leave_end(ngx_http_request_t *r,
    const ngx_voice_farewell_t *farewell)
{
    u_char                *p;
    ngx_str_t              bytes;
    ngx_voice_loc_conf_t  *lcf;

    static const size_t  room = NGX_SIZE_T_LEN
                                + sizeof(CRLF "event: end\ndata: \n\n" CRLF
                                         "0" CRLF CRLF);

    lcf = ngx_http_get_module_loc_conf(r, ngx_voice_module);
    bytes.len = 0;
    bytes.data = ngx_pnalloc(r->pool, room + farewell->reason.len
                                      + farewell->event.len);
    if (bytes.data != NULL) {
        p = lcf->stream == NGX_VOICE_STREAM_WEBSOCKET
            ? ngx_voice_leave_frame(bytes.data, farewell)
            : ngx_voice_leave_event(r, bytes.data, farewell);
        bytes.len = p - bytes.data;
    }

#if (NGX_HTTP_V2)
    if (r->stream != NULL) {
        ngx_voice_leave_reset(r, &bytes);
        return;
    }
#endif

    ngx_voice_leave_cut(r, &bytes);
}


/* Close, with a code and a reason. */
static u_char *
ngx_voice_leave_frame(u_char *p, const ngx_voice_farewell_t *farewell)
{
    *p++ = 0x88;
    *p++ = (u_char) (2 + farewell->reason.len);
    *p++ = (u_char) (farewell->code >> 8);
    *p++ = (u_char) farewell->code;

    return ngx_cpymem(p, farewell->reason.data, farewell->reason.len);
}


/* In a chunk, and the last one, where the answer is in chunks. */
static u_char *
ngx_voice_leave_event(const ngx_http_request_t *r, u_char *p,
    const ngx_voice_farewell_t *farewell)
{
    if (!r->chunked) {
        return ngx_sprintf(p, "event: end\ndata: %V\n\n", &farewell->event);
    }

    return ngx_sprintf(p, "%xz" CRLF "event: end\ndata: %V\n\n" CRLF "0" CRLF
                       CRLF, sizeof("event: end\ndata: \n\n") - 1
                             + farewell->event.len, &farewell->event);
}


/*
 * nchan is told as if the client had gone, which it is used to.  What says
 * goodbye is sent only between two messages.
 */
static void
ngx_voice_leave_cut(ngx_http_request_t *r, const ngx_str_t *bytes)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (r->header_sent && !c->buffered && !c->error && bytes->len != 0) {
        (void) c->send(c, bytes->data, bytes->len);
    }

    if (shutdown(c->fd, SHUT_RD) == -1 && ngx_socket_errno != NGX_ENOTCONN) {
        ngx_log_error(NGX_LOG_ERR, c->log, ngx_socket_errno,
                      "shutdown() of a stream failed");
    }
}


#if (NGX_HTTP_V2)

/* The connection has other requests: this one ends as if it were reset. */
static void
ngx_voice_leave_reset(ngx_http_request_t *r, const ngx_str_t *bytes)
{
    ngx_buf_t         *b;
    ngx_chain_t       *out;
    ngx_connection_t  *c;

    c = r->connection;
    b = ngx_calloc_buf(r->pool);
    out = ngx_alloc_chain_link(r->pool);

    if (b != NULL && out != NULL && bytes->len != 0
        && r->header_sent && !c->buffered && !c->error)
    {
        b->pos = bytes->data;
        b->last = b->pos + bytes->len;
        b->memory = 1;
        b->flush = 1;
        b->last_buf = 1;

        out->buf = b;
        out->next = NULL;

        (void) ngx_http_output_filter(r, out);
    }

    c->error = 1;

    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    ngx_http_run_posted_requests(c);
}

#endif


/* Called once, when the process begins to exit. */
static void
ngx_voice_leave_handler(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = ev->data;

    (void) close(c->fd);
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ngx_voice_leave_streams();

    for (i = 0; i < ngx_cycle->connection_n; i++) {
        c = &ngx_cycle->connections[i];

        /* of a client: libpq's have no listening socket, and the relay's
         * unix socket leads to nchan, which takes nothing while it exits */
        if (c->fd == (ngx_socket_t) -1 || !c->idle || c->listening == NULL
            || c->listening->sockaddr->sa_family == AF_UNIX)
        {
            continue;
        }

        c->idle = 0;
        ngx_add_timer(c->read, NGX_VOICE_LEAVE_TIME);
    }
}
