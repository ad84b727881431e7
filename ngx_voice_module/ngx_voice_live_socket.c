
/*
 * The client's side of a WebSocket (RFC 6455): the handshake, and frames, of
 * which only pings and the close mean anything to us.
 */

#include "ngx_voice_live_private.h"
#include "ngx_voice_send.h"

#include <ngx_sha1.h>


#define NGX_VOICE_LIVE_GUID   "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define NGX_VOICE_LIVE_KEY    24           /* bytes of 16 in base64 */
#define NGX_VOICE_LIVE_READ   4096
#define NGX_VOICE_LIVE_READS  8            /* in one turn */

#define NGX_VOICE_LIVE_MASK   0x80         /* of a frame's second byte */
#define NGX_VOICE_LIVE_FIN    0x80
#define NGX_VOICE_LIVE_RSV    0x70


typedef enum {
    NGX_VOICE_LIVE_CONTINUED = 0x0,
    NGX_VOICE_LIVE_TEXT = 0x1,
    NGX_VOICE_LIVE_BINARY = 0x2,
    NGX_VOICE_LIVE_CLOSE = 0x8,
    NGX_VOICE_LIVE_PING = 0x9,
    NGX_VOICE_LIVE_PONG = 0xa
} ngx_voice_live_opcode_e;


static void ngx_voice_live_gone(ngx_voice_live_stream_t *stream);
static ngx_int_t ngx_voice_live_take(ngx_voice_live_stream_t *stream,
    u_char *p, u_char *last);
static ngx_uint_t ngx_voice_live_head_size(const ngx_voice_live_input_t *in);
static ngx_int_t ngx_voice_live_begins(ngx_voice_live_input_t *in);
static void ngx_voice_live_payload(ngx_voice_live_input_t *in, u_char *p,
    size_t len);
static ngx_int_t ngx_voice_live_came(ngx_voice_live_stream_t *stream);


ngx_int_t
ngx_voice_live_handshake(ngx_http_request_t *r)
{
    u_char        *p;
    ngx_str_t      digest, accept;
    u_char         sha1[20];
    ngx_sha1_t     state;
    voice_span_t   key;

    static const ngx_str_t  websocket = ngx_string("websocket");

    key = ngx_voice_request_header(r, "sec-websocket-key");

    ngx_sha1_init(&state);
    ngx_sha1_update(&state, key.ptr, key.len);
    ngx_sha1_update(&state, NGX_VOICE_LIVE_GUID,
                    sizeof(NGX_VOICE_LIVE_GUID) - 1);
    ngx_sha1_final(sha1, &state);

    p = ngx_pnalloc(r->pool, ngx_base64_encoded_length(sizeof(sha1)));
    if (p == NULL) {
        return NGX_ERROR;
    }

    digest.data = sha1;
    digest.len = sizeof(sha1);
    accept.data = p;
    ngx_encode_base64(&accept, &digest);

    return ngx_voice_header(r, "Upgrade", &websocket) == NGX_OK
           && ngx_voice_header(r, "Sec-WebSocket-Accept", &accept) == NGX_OK
           ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_voice_live_socket_valid(ngx_http_request_t *r)
{
    voice_span_t  key;

    key = ngx_voice_request_header(r, "sec-websocket-key");

    return key.len == NGX_VOICE_LIVE_KEY
           && voice_span_eq(ngx_voice_request_header(
                                r, "sec-websocket-version"),
                            VOICE_SPAN("13"));
}


void
ngx_voice_live_read(ngx_http_request_t *r)
{
    u_char                    buf[NGX_VOICE_LIVE_READ];
    ssize_t                   n;
    ngx_uint_t                i;
    ngx_voice_ctx_t          *ctx;
    ngx_connection_t         *c;
    ngx_voice_live_stream_t  *stream;

    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);
    stream = ctx->live;
    c = r->connection;

    /* what came with the request's head */

    if (r->header_in->pos < r->header_in->last) {
        if (ngx_voice_live_take(stream, r->header_in->pos,
                                r->header_in->last)
            != NGX_OK)
        {
            ngx_voice_live_end(stream, NGX_VOICE_LIVE_CLOSE_PROTOCOL);
        }

        r->header_in->pos = r->header_in->last;
    }

    for (i = 0; i < NGX_VOICE_LIVE_READS; i++) {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_voice_live_gone(stream);
            }

            return;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_voice_live_gone(stream);
            return;
        }

        stream->silent = 0;

        if (stream->state != NGX_VOICE_LIVE_ENDS
            && ngx_voice_live_take(stream, buf, buf + n) != NGX_OK)
        {
            ngx_voice_live_end(stream, NGX_VOICE_LIVE_CLOSE_PROTOCOL);
        }
    }

    /* who sends without end does not keep the others waiting */
    ngx_post_event(c->read, &ngx_posted_next_events);
}


static void
ngx_voice_live_gone(ngx_voice_live_stream_t *stream)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = stream->request;
    c = r->connection;
    c->error = 1;

    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    ngx_http_run_posted_requests(c);
}


/* NGX_ERROR: it breaks the protocol. */
static ngx_int_t
ngx_voice_live_take(ngx_voice_live_stream_t *stream, u_char *p, u_char *last)
{
    size_t                   len;
    ngx_voice_live_input_t  *in;

    in = &stream->input;

    while (p < last) {
        if (in->nhead < ngx_voice_live_head_size(in)) {
            in->head[in->nhead++] = *p++;

            if (in->nhead < ngx_voice_live_head_size(in)) {
                continue;
            }

            if (ngx_voice_live_begins(in) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        len = ngx_min((uint64_t) (last - p), in->left);
        ngx_voice_live_payload(in, p, len);
        p += len;
        in->left -= len;

        if (in->left == 0) {
            if (ngx_voice_live_came(stream) != NGX_OK) {
                return NGX_ERROR;
            }

            in->nhead = 0;
        }
    }

    return NGX_OK;
}


/* Of a client's frame, as far as it is known: the mask is always there. */
static ngx_uint_t
ngx_voice_live_head_size(const ngx_voice_live_input_t *in)
{
    u_char  len;

    if (in->nhead < 2) {
        return 2;
    }

    len = in->head[1] & 0x7f;

    return len < 126 ? 6 : len == 126 ? 8 : 14;
}


static ngx_int_t
ngx_voice_live_begins(ngx_voice_live_input_t *in)
{
    u_char      opcode;
    ngx_uint_t  i;

    opcode = in->head[0] & 0x0f;
    in->left = in->head[1] & 0x7f;
    in->at = 0;

    if ((in->head[0] & NGX_VOICE_LIVE_RSV)
        || !(in->head[1] & NGX_VOICE_LIVE_MASK)
        || (opcode > NGX_VOICE_LIVE_BINARY && opcode < NGX_VOICE_LIVE_CLOSE)
        || opcode > NGX_VOICE_LIVE_PONG)
    {
        return NGX_ERROR;
    }

    if (opcode >= NGX_VOICE_LIVE_CLOSE
        && (in->left > NGX_VOICE_LIVE_CONTROL
            || !(in->head[0] & NGX_VOICE_LIVE_FIN)))
    {
        return NGX_ERROR;
    }

    if (in->left >= 126) {
        in->left = 0;

        for (i = 2; i < in->nhead - 4; i++) {
            in->left = in->left << 8 | in->head[i];
        }
    }

    return in->left >> 63 ? NGX_ERROR : NGX_OK;
}


/* That of control frames is kept, without its mask. */
static void
ngx_voice_live_payload(ngx_voice_live_input_t *in, u_char *p, size_t len)
{
    size_t         i;
    const u_char  *mask;

    if ((in->head[0] & 0x0f) < NGX_VOICE_LIVE_CLOSE) {
        return;
    }

    mask = in->head + in->nhead - 4;

    for (i = 0; i < len; i++, in->at++) {
        in->payload[in->at] = p[i] ^ mask[in->at % 4];
    }
}


/* A whole frame: what a client says by text is ignored. */
static ngx_int_t
ngx_voice_live_came(ngx_voice_live_stream_t *stream)
{
    ngx_voice_live_input_t    *in;
    ngx_voice_live_message_t  *pong;

    in = &stream->input;

    switch (in->head[0] & 0x0f) {

    case NGX_VOICE_LIVE_CLOSE:
        ngx_voice_live_end(stream, in->at < 2 ? NGX_VOICE_LIVE_CLOSE_NORMAL
                           : (ngx_uint_t) in->payload[0] << 8
                             | in->payload[1]);
        return NGX_OK;

    case NGX_VOICE_LIVE_PING:
        pong = ngx_voice_live_frame(NGX_VOICE_LIVE_PONG, in->payload, in->at);

        if (pong != NULL) {
            ngx_voice_live_put(stream, pong);
            ngx_voice_live_release(pong);
        }

        return NGX_OK;

    default:
        return NGX_OK;
    }
}
