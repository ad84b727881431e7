
/*
 * Packets of calls, gathered into batches: operations of x-shape "packet".
 *
 * The function takes, beside its context, one array for each argument of all
 * packets of a batch (call_id, sequence, timestamp, media, data) and how many
 * gaps a call may have; it gives a row for each packet (sql/functions/
 * ingest.sql).
 *
 * A request that is admitted and valid joins a lane; docs/design.md "Calls"
 * says what a lane is.  It is answered when its batch has committed.
 */

#ifndef NGX_VOICE_INGEST_H
#define NGX_VOICE_INGEST_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "voice_base.h"


typedef struct ngx_voice_ingest_s  ngx_voice_ingest_t;
typedef struct ngx_voice_packet_s  ngx_voice_packet_t;


/* voice_ingest; what is held is all that was not answered yet. */
typedef struct {
    unsigned    on:1;                  /* the contract has packets */
    unsigned    told:1;                /* by the directive */
    ngx_uint_t  lanes;                 /* of an identity, at most */
    ngx_uint_t  pool;                  /* connections to each database, and
                                          batches in flight there */
    ngx_uint_t  batch;                 /* packets of a batch */
    ngx_uint_t  batch_size;            /* bytes of their data, unless one */
    ngx_uint_t  tenant_packets;        /* held of a tenant, at most */
    ngx_uint_t  tenant_size;           /* bytes of these */
    ngx_uint_t  packets;               /* held by the process, at most */
    ngx_uint_t  size;
    ngx_uint_t  sequence;              /* the largest one */
    ngx_uint_t  call_id;               /* bytes of it */
    ngx_uint_t  data;                  /* bytes of it */
    ngx_uint_t  gaps;                  /* of a call */
} ngx_voice_ingest_conf_t;


typedef struct {
    ngx_uint_t  lanes;                 /* that have packets */
    ngx_uint_t  held;                  /* packets not answered yet */
    ngx_uint_t  in_flight;             /* batches */
} ngx_voice_ingest_figures_t;


/* By the names that SQL gives them. */
typedef enum {
    NGX_VOICE_PACKET_ACCEPTED = 0,
    NGX_VOICE_PACKET_DUPLICATE,
    NGX_VOICE_PACKET_REJECTED,
    NGX_VOICE_PACKET_GAPS,             /* not taken, the call has too many */
    NGX_VOICE_PACKET_UNKNOWN           /* of another release */
} ngx_voice_packet_e;


/* A packet that was judged and committed; all of it lives during a call. */
typedef struct {
    voice_span_t        tenant;        /* UUID */
    voice_span_t        call;          /* external id */
    int64_t             sequence;
    ngx_voice_packet_e  status;
    voice_span_t        total;         /* packets of the call, digits */
    voice_span_t        missing;       /* members of a JSON array */
    voice_span_t        missing_count; /* digits */
    voice_span_t        gap;           /* first sequence of a gap that it
                                          left, digits, or empty */
    voice_span_t        state;         /* of a call that rejected it */
    unsigned            differs:1;     /* from the one that was first */
} ngx_voice_judged_t;


/* Of the statement's parameters: arrays are binary. */
extern const int  ngx_voice_packet_formats[];


/* ngx_voice_ingest_conf.c */
/* voice_ingest. */
char *ngx_voice_conf_ingest(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* Defaults, before the configuration is read. */
void ngx_voice_ingest_defaults(ngx_voice_ingest_conf_t *conf);
/* At its end: pools for the databases, if the contract has packets. */
void ngx_voice_ingest_configure(const ngx_voice_ingest_conf_t *conf,
    ngx_array_t *databases);

/* ngx_voice_ingest_lane.c */
/* At the end of the process, after the databases are closed: refuses what
 * still waits. */
void ngx_voice_ingest_destroy(ngx_voice_ingest_t *ingest);
void ngx_voice_ingest_figures(const ngx_voice_ingest_t *ingest,
    ngx_voice_ingest_figures_t *figures);

/* ngx_voice_ingest.c */
/* The request of a packet ends; the packet does not. */
void ngx_voice_ingest_leave(ngx_voice_packet_t *packet);


#endif /* NGX_VOICE_INGEST_H */
