
/*
 * Private to the files ngx_voice_ingest*.c.
 */

#ifndef NGX_VOICE_INGEST_LANE_H
#define NGX_VOICE_INGEST_LANE_H


#include "ngx_voice.h"
#include "ngx_voice_ingest.h"
#include "voice_array.h"


#define NGX_VOICE_INGEST_BUCKETS  256      /* of lanes and of tenants */
#define NGX_VOICE_INGEST_WHO      8        /* parameters of api.enter() */


typedef struct ngx_voice_lane_s   ngx_voice_lane_t;
typedef struct ngx_voice_batch_s  ngx_voice_batch_t;


/* Of no pool: it outlives a request that is cancelled. */
struct ngx_voice_packet_s {
    ngx_queue_t       queue;               /* of its lane */
    ngx_voice_ctx_t  *ctx;                 /* NULL: nobody waits for it */
    json_t           *args;                /* owned; call, media and data
                                              point into it */
    voice_span_t      call;
    voice_span_t      media;               /* ptr NULL: not told */
    voice_span_t      data;
    int64_t           sequence;
    double            sent;
    ngx_msec_t        joined;
    ngx_uint_t        serial;              /* in the order of arrival */
    size_t            size;
};


/* What is held of a tenant; it lives while lanes or batches use it. */
typedef struct {
    ngx_queue_t  queue;                    /* in a bucket */
    uint32_t     hash;
    ngx_uint_t   users;
    ngx_uint_t   batches;                  /* in flight */
    ngx_uint_t   packets;
    size_t       size;
    ngx_str_t    id;
} ngx_voice_holder_t;


/* A database's connections and the lanes that wait for one. */
typedef struct {
    ngx_voice_database_t  *database;
    ngx_queue_t            ready;          /* lanes, the first is next */
    ngx_uint_t             in_flight;      /* batches */
} ngx_voice_road_t;


/*
 * It lives while it has packets or a batch.  Ready: it has packets and no
 * batch.
 */
struct ngx_voice_lane_s {
    ngx_queue_t           queue;           /* in a bucket */
    ngx_queue_t           ready;           /* in the road's queue */
    ngx_queue_t           packets;         /* that wait */
    ngx_uint_t            waiting;
    uint32_t              hash;
    ngx_uint_t            number;          /* by the call, 0 .. lanes - 1 */
    ngx_uint_t            alone;           /* so many go one by one */
    ngx_voice_road_t     *road;
    ngx_voice_holder_t   *holder;
    ngx_voice_batch_t    *batch;           /* in flight, or NULL */
    const ngx_voice_pg_statement_t  *statement;
    ngx_voice_identity_t  identity;        /* strings of the lane's own */
    unsigned              queued:1;        /* in road->ready */
};


struct ngx_voice_batch_s {
    ngx_voice_ingest_t     *ingest;
    ngx_voice_lane_t       *lane;          /* may be gone once it is over */
    ngx_voice_holder_t     *holder;
    ngx_uint_t              count;
    size_t                  call_size;     /* bytes of all ids */
    size_t                  media_size;
    size_t                  data_size;
    ngx_voice_packet_t     *packets[];     /* sorted by call */
};


struct ngx_voice_ingest_s {
    ngx_voice_main_conf_t  *conf;
    ngx_log_t              *log;
    ngx_queue_t             lanes[NGX_VOICE_INGEST_BUCKETS];
    ngx_queue_t             holders[NGX_VOICE_INGEST_BUCKETS];
    ngx_voice_road_t       *roads;         /* by database */
    ngx_event_t             dispatch;      /* posted: after this turn */
    ngx_event_t             sweep;         /* timer, while anything waits */
    ngx_uint_t              serial;
    ngx_uint_t              nlanes;
    ngx_uint_t              packets;       /* held */
    size_t                  size;
    time_t                  second;        /* of the log lines */
    ngx_uint_t              lines;         /* in it */
};


/* ngx_voice_ingest_lane.c */
/* Finds or makes the lane of a request's packet; NULL: out of memory. */
ngx_voice_lane_t *ngx_voice_lane(ngx_voice_ctx_t *ctx, voice_span_t call);
/* The packet waits in the lane. */
void ngx_voice_lane_join(ngx_voice_ingest_t *ingest, ngx_voice_lane_t *lane,
    ngx_voice_packet_t *packet);
/* Packets of a batch that was not taken wait again, before all others. */
void ngx_voice_lane_again(ngx_voice_batch_t *batch);
/* Its batch is over; the lane may be gone after it. */
void ngx_voice_lane_settle(ngx_voice_ingest_t *ingest,
    ngx_voice_lane_t *lane);
void ngx_voice_holder_leave(ngx_voice_holder_t *holder);
/* Sends what may be sent. */
void ngx_voice_lane_dispatch(ngx_voice_ingest_t *ingest);

/* ngx_voice_ingest_batch.c */
/*
 * Takes packets off the lane and sends them.  NGX_ERROR: out of memory, and
 * they wait as before.
 */
ngx_int_t ngx_voice_batch_send(ngx_voice_ingest_t *ingest,
    ngx_voice_lane_t *lane);

/* ngx_voice_ingest_reply.c */
/* Answers all requests of a batch. */
void ngx_voice_batch_answer(ngx_voice_batch_t *batch, ngx_voice_pg_e outcome,
    const PGresult *result);
/* Refuses the request of a packet, if there is one. */
void ngx_voice_packet_refuse(ngx_voice_packet_t *packet,
    ngx_voice_error_e error);

/* ngx_voice_ingest.c */
/* It is answered, or nobody waits for it: no longer held. */
void ngx_voice_packet_free(ngx_voice_ingest_t *ingest,
    ngx_voice_holder_t *holder, ngx_voice_packet_t *packet);


#endif /* NGX_VOICE_INGEST_LANE_H */
