
/*
 * What the files of the live streams share and nobody else sees.
 */

#ifndef NGX_VOICE_LIVE_PRIVATE_H
#define NGX_VOICE_LIVE_PRIVATE_H


#include "ngx_voice_live.h"


#define NGX_VOICE_LIVE_BUCKETS   1024
#define NGX_VOICE_LIVE_SHARDS    64        /* channels of Redis */
#define NGX_VOICE_LIVE_RING      128       /* messages that wait to be sent */
#define NGX_VOICE_LIVE_SENT      32        /* messages in one write */
#define NGX_VOICE_LIVE_CONTROL   125       /* bytes of a control frame */

#define NGX_VOICE_LIVE_CLOSE_NORMAL    1000    /* RFC 6455, 7.4.1 */
#define NGX_VOICE_LIVE_CLOSE_PROTOCOL  1002
#define NGX_VOICE_LIVE_CLOSE_LATER     1013    /* its registry */


typedef struct ngx_voice_live_stream_s  ngx_voice_live_stream_t;


/* On the heap, counted: many streams send the same bytes. */
typedef struct {
    ngx_uint_t   refs;
    uint64_t     id;                       /* 0: not durable */
    ngx_str_t    socket;                   /* a frame; empty: nothing */
    ngx_str_t    eventsource;
    ngx_str_t    channels[NGX_VOICE_LIVE_NAMES_MAX];
    ngx_uint_t   nchannels;
} ngx_voice_live_message_t;


/* A channel that streams of this process have, on the heap. */
typedef struct {
    ngx_queue_t  queue;                    /* of its bucket */
    ngx_queue_t  links;
    uint64_t     key;
    ngx_uint_t   watched;                  /* links that have it told of */
    size_t       len;
    u_char       name[NGX_VOICE_LIVE_NAME_MAX];
} ngx_voice_live_channel_t;


typedef struct {
    ngx_queue_t                queue;      /* of its channel */
    ngx_voice_live_channel_t  *channel;
    ngx_voice_live_stream_t   *stream;
    ngx_uint_t                 watch;
} ngx_voice_live_link_t;


/* What has come of the client's next frame. */
typedef struct {
    u_char      head[14];
    ngx_uint_t  nhead;
    uint64_t    left;                      /* of its payload */
    ngx_uint_t  at;                        /* bytes of it that came */
    u_char      payload[NGX_VOICE_LIVE_CONTROL];   /* of a control frame */
} ngx_voice_live_input_t;


typedef enum {
    NGX_VOICE_LIVE_WAITS = 0,              /* for Redis's channel */
    NGX_VOICE_LIVE_COLLECTS,               /* until the function answers */
    NGX_VOICE_LIVE_GRANTED,
    NGX_VOICE_LIVE_OPEN,
    NGX_VOICE_LIVE_ENDS                    /* what waits is sent, no more */
} ngx_voice_live_state_e;


/* In the pool of its request, which it leaves when that ends. */
struct ngx_voice_live_stream_s {
    ngx_queue_t                queue;      /* of live->opening, ->streams */
    ngx_queue_t                dirty;      /* of live->dirty */
    ngx_voice_live_t          *live;
    ngx_voice_ctx_t           *ctx;
    ngx_http_request_t        *request;
    ngx_voice_live_state_e     state;
    uint64_t                   head;       /* durable ids that it has */
    ngx_uint_t                 shard;
    ngx_uint_t                 stamp;      /* of the last message met */

    ngx_voice_live_link_t     *links;
    ngx_uint_t                 nlinks;

    ngx_voice_live_message_t  *ring[NGX_VOICE_LIVE_RING];
    ngx_uint_t                 first;
    ngx_uint_t                 count;
    ngx_voice_live_message_t  *sent[NGX_VOICE_LIVE_SENT];
    ngx_uint_t                 nsent;
    ngx_chain_t               *free;
    ngx_chain_t               *busy;

    ngx_event_t                ping;
    ngx_uint_t                 silent;     /* pings since it last spoke */
    ngx_voice_live_input_t     input;

    unsigned                   socket:1;   /* WebSocket, else SSE */
    unsigned                   is_dirty:1;
    unsigned                   counted:1;  /* in live->nstreams */
    unsigned                   overflow:1; /* it must come again */
};


struct ngx_voice_live_s {
    ngx_voice_main_conf_t     *conf;
    ngx_log_t                 *log;
    ngx_voice_redis_t         *in;         /* listens */
    ngx_voice_redis_t         *out;        /* what is not durable */
    ngx_queue_t                buckets[NGX_VOICE_LIVE_BUCKETS];
    ngx_queue_t                opening;    /* those not granted yet */
    ngx_queue_t                streams;
    ngx_queue_t                dirty;
    ngx_event_t                flush;
    ngx_event_t                beat;
    ngx_msec_t                 heard;      /* when Redis last spoke */
    uint64_t                   asked;      /* shards, a bit each */
    uint64_t                   ready;
    ngx_uint_t                 stamp;
    ngx_uint_t                 nstreams;   /* open ones */
    unsigned                   in_up:1;
};


/* ngx_voice_live_message.c */
/* The text of Redis into a message with one reference; NULL: it is none. */
ngx_voice_live_message_t *ngx_voice_live_message_read(const ngx_str_t *text);
/* One of an event, for one stream; NULL: out of memory. */
ngx_voice_live_message_t *ngx_voice_live_message(
    const ngx_voice_live_event_t *event);
/* The bytes of all of them in one; NULL: out of memory. */
ngx_voice_live_message_t *ngx_voice_live_join(
    ngx_voice_live_message_t *const *messages, ngx_uint_t n);
/* A frame of WebSocket; nothing for SSE. */
ngx_voice_live_message_t *ngx_voice_live_frame(ngx_uint_t opcode,
    const u_char *payload, size_t len);
/* Keeps a connection awake, in both forms; it is never freed. */
ngx_voice_live_message_t *ngx_voice_live_ping(void);
void ngx_voice_live_release(ngx_voice_live_message_t *message);
/* The text for Redis, which the caller frees; len 0: out of memory. */
ngx_str_t ngx_voice_live_text(const ngx_voice_live_event_t *event);

/* ngx_voice_live_channel.c */
ngx_int_t ngx_voice_live_link(ngx_voice_live_stream_t *stream,
    ngx_voice_live_link_t *link, voice_span_t name, ngx_uint_t watch);
void ngx_voice_live_unlink(ngx_voice_live_link_t *link);
ngx_voice_live_channel_t *ngx_voice_live_channel_find(ngx_voice_live_t *live,
    const ngx_str_t *name);
/* Hands a message to all who have one of its channels. */
void ngx_voice_live_spread(ngx_voice_live_t *live,
    ngx_voice_live_message_t *message);
/* Marks and tells all nodes what is listened to here; one stream's or all. */
void ngx_voice_live_announce(ngx_voice_live_t *live,
    const ngx_voice_live_stream_t *stream);
/* What another process announced. */
void ngx_voice_live_announced(ngx_voice_live_t *live, const ngx_str_t *text);

/* ngx_voice_live.c */
/* The Redis channel of a root is subscribed: NGX_OK; NGX_AGAIN: not yet. */
ngx_int_t ngx_voice_live_ready(ngx_voice_live_t *live, ngx_uint_t shard);
ngx_uint_t ngx_voice_live_shard(const u_char *name, size_t len);
/* Text on a channel of Redis of all processes. */
void ngx_voice_live_shout(ngx_voice_live_t *live, const ngx_str_t *text);

/* ngx_voice_live_open.c */
/* The stream's Redis channel is there. */
void ngx_voice_live_continue(ngx_voice_live_stream_t *stream);

/* ngx_voice_live_stream.c */
/* Takes a reference of its own, or not: a slow one must come again. */
void ngx_voice_live_put(ngx_voice_live_stream_t *stream,
    ngx_voice_live_message_t *message);
/* The same with the caller's reference; message may be NULL. */
void ngx_voice_live_give(ngx_voice_live_stream_t *stream,
    ngx_voice_live_message_t *message);
/* Begins to send, soon. */
void ngx_voice_live_start(ngx_voice_live_stream_t *stream);
/* Sends what waits, says goodbye and ends, later. */
void ngx_voice_live_end(ngx_voice_live_stream_t *stream, ngx_uint_t code);
/* Sends to some of those for whom something waits. */
void ngx_voice_live_flush(ngx_event_t *ev);
/* Frees what the stream holds outside of its pool. */
void ngx_voice_live_forget(void *data);

/* ngx_voice_live_socket.c */
/* Headers of the answer; NGX_DECLINED: it is no handshake of ours. */
ngx_int_t ngx_voice_live_handshake(ngx_http_request_t *r);
/* Takes what the client has sent and ignores most of it. */
void ngx_voice_live_read(ngx_http_request_t *r);


#endif /* NGX_VOICE_LIVE_PRIVATE_H */
