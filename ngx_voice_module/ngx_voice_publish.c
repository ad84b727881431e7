
/*
 * The pace of packet events.  An event of a call is told at once if the
 * node's pace of that call allows it and nothing of the call waits; otherwise
 * it joins what waits: a row a call, the newest counts of each kind and how
 * many packets they stand for.  A timer, which runs only while something
 * waits, tells what may be told by then.  When Redis is slow the pace is.
 */

#include "ngx_voice_publish_private.h"

#include <ngx_md5.h>


#define NGX_VOICE_PUBLISH_BUCKETS  1024
#define NGX_VOICE_PUBLISH_ROWS     4096    /* calls that wait */
#define NGX_VOICE_PUBLISH_TURN     256     /* calls looked at in a turn */
#define NGX_VOICE_PUBLISH_WINDOW   50      /* ms between two of a call */
#define NGX_VOICE_PUBLISH_SLOW     256     /* events on their way: slower */
#define NGX_VOICE_PUBLISH_SLOWEST  4       /* doublings of the window */
#define NGX_VOICE_PUBLISH_RAW_MAX  768     /* ... raw ones are dropped */


/* Bytes of a span that is gone. */
typedef struct {
    size_t       len;
    u_char       text[NGX_VOICE_PUBLISH_WORD];
} ngx_voice_publish_word_t;


/* The newest packet of a kind, and of how many packets it is. */
typedef struct {
    ngx_uint_t                n;           /* 0: none waits */
    int64_t                   sequence;
    ngx_voice_publish_word_t  total;
    ngx_voice_publish_word_t  missing_count;
    ngx_voice_publish_word_t  state;
    size_t                    missing_len;
    u_char                    missing[NGX_VOICE_PUBLISH_MISSING];
} ngx_voice_publish_latest_t;


/* A call of which something waits, on the heap. */
typedef struct {
    ngx_queue_t                 queue;     /* of the publisher */
    ngx_queue_t                 bucket;
    uint64_t                    key;
    u_char                      tenant[VOICE_UUID_LEN];
    size_t                      len;
    u_char                      call[NGX_VOICE_PUBLISH_CALL];
    u_char                      hex[32];
    ngx_voice_publish_latest_t  latest[NGX_VOICE_PUBLISH_KINDS];
} ngx_voice_publish_row_t;


struct ngx_voice_publisher_s {
    ngx_voice_main_conf_t  *conf;
    ngx_event_t             timer;
    ngx_queue_t             rows;          /* the longest waiting first */
    ngx_queue_t             buckets[NGX_VOICE_PUBLISH_BUCKETS];
    ngx_uint_t              nrows;
};


static void ngx_voice_publish_paced(ngx_voice_publisher_t *publisher,
    const ngx_voice_judged_t *judged, const u_char hex[32]);
static void ngx_voice_publish_raw(ngx_voice_main_conf_t *mcf,
    const ngx_voice_judged_t *judged, const u_char hex[32]);
static ngx_msec_t ngx_voice_publish_gap(ngx_voice_main_conf_t *mcf);
static ngx_voice_publish_row_t *ngx_voice_publish_find(
    ngx_voice_publisher_t *publisher, uint64_t key,
    const ngx_voice_judged_t *judged);
static void ngx_voice_publish_join(ngx_voice_publisher_t *publisher,
    ngx_voice_publish_row_t *row, uint64_t key,
    const ngx_voice_judged_t *judged, const u_char hex[32]);
static void ngx_voice_publish_keep(ngx_voice_publish_word_t *word,
    voice_span_t span);
static voice_span_t ngx_voice_publish_kept(
    const ngx_voice_publish_word_t *word);
static ngx_voice_publish_row_t *ngx_voice_publish_row(
    ngx_voice_publisher_t *publisher, uint64_t key,
    const ngx_voice_judged_t *judged, const u_char hex[32]);
static void ngx_voice_publish_timer(ngx_event_t *ev);
static ngx_uint_t ngx_voice_publish_flush(ngx_voice_publisher_t *publisher,
    ngx_voice_publish_row_t *row, ngx_uint_t paced);
static ngx_int_t ngx_voice_publish_latest(ngx_voice_publisher_t *publisher,
    ngx_voice_publish_row_t *row, ngx_voice_packet_e status);
static void ngx_voice_publish_free(ngx_voice_publisher_t *publisher,
    ngx_voice_publish_row_t *row);


ngx_voice_publisher_t *
ngx_voice_publisher_create(ngx_voice_main_conf_t *mcf, ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_voice_publisher_t  *publisher;

    publisher = ngx_pcalloc(cycle->pool, sizeof(ngx_voice_publisher_t));
    if (publisher == NULL) {
        return NULL;
    }

    publisher->conf = mcf;
    ngx_queue_init(&publisher->rows);

    for (i = 0; i < NGX_VOICE_PUBLISH_BUCKETS; i++) {
        ngx_queue_init(&publisher->buckets[i]);
    }

    publisher->timer.handler = ngx_voice_publish_timer;
    publisher->timer.data = publisher;
    publisher->timer.log = cycle->log;
    publisher->timer.cancelable = 1;

    return publisher;
}


void
ngx_voice_publisher_destroy(ngx_voice_publisher_t *publisher)
{
    ngx_voice_publish_row_t  *row;

    while (!ngx_queue_empty(&publisher->rows)) {
        row = ngx_queue_data(ngx_queue_head(&publisher->rows),
                             ngx_voice_publish_row_t, queue);
        (void) ngx_voice_publish_flush(publisher, row, 0);
        ngx_voice_publish_free(publisher, row);
    }

    if (publisher->timer.timer_set) {
        ngx_del_timer(&publisher->timer);
    }
}


ngx_uint_t
ngx_voice_publish_wanted(ngx_voice_main_conf_t *mcf, voice_span_t tenant)
{
    return ngx_voice_heard_any(mcf->shared->hear)
           && ngx_voice_heard(mcf->shared->hear,
                              ngx_voice_hear_key((u_char *) tenant.ptr,
                                                 tenant.len));
}


void
ngx_voice_publish_packet(ngx_voice_main_conf_t *mcf,
    const ngx_voice_judged_t *judged)
{
    u_char     md5[16], hex[32];
    ngx_md5_t  state;

    if (!ngx_voice_publish_wanted(mcf, judged->tenant)
        || judged->status >= NGX_VOICE_PUBLISH_KINDS
        || judged->tenant.len != VOICE_UUID_LEN
        || judged->call.len > NGX_VOICE_PUBLISH_CALL)
    {
        return;
    }

    ngx_md5_init(&state);
    ngx_md5_update(&state, judged->call.ptr, judged->call.len);
    ngx_md5_final(md5, &state);
    ngx_hex_dump(hex, md5, sizeof(md5));

    ngx_voice_publish_paced(mcf->publisher, judged, hex);
    ngx_voice_publish_raw(mcf, judged, hex);
}


static void
ngx_voice_publish_paced(ngx_voice_publisher_t *publisher,
    const ngx_voice_judged_t *judged, const u_char hex[32])
{
    uint64_t                   key;
    ngx_voice_main_conf_t     *mcf;
    ngx_voice_publish_row_t   *row;
    ngx_voice_publish_names_t  names;

    mcf = publisher->conf;
    ngx_voice_publish_name(&names, NGX_VOICE_PUBLISH_PACED, judged, hex);

    if (!ngx_voice_publish_heard(mcf, &names)) {
        return;
    }

    /* the call's channel is what its pace is known by */

    key = ngx_voice_hear_key(names.names[2].data, names.names[2].len);
    row = ngx_voice_publish_find(publisher, key, judged);

    if (row == NULL
        && ngx_voice_pace(mcf->shared->hear, key, ngx_voice_publish_gap(mcf))
        && ngx_voice_publish_tell(mcf, &names, judged, 1) == NGX_OK)
    {
        return;
    }

    ngx_voice_publish_join(publisher, row, key, judged, hex);
}


static void
ngx_voice_publish_raw(ngx_voice_main_conf_t *mcf,
    const ngx_voice_judged_t *judged, const u_char hex[32])
{
    ngx_voice_publish_names_t  names;

    ngx_voice_publish_name(&names, NGX_VOICE_PUBLISH_RAW, judged, hex);

    if (!ngx_voice_publish_heard(mcf, &names)) {
        return;
    }

    if (ngx_voice_live_backlog(mcf->live) > NGX_VOICE_PUBLISH_RAW_MAX
        || ngx_voice_publish_tell(mcf, &names, judged, 1) != NGX_OK)
    {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_live_dropped, 1);
    }
}


static ngx_msec_t
ngx_voice_publish_gap(ngx_voice_main_conf_t *mcf)
{
    return NGX_VOICE_PUBLISH_WINDOW
           << ngx_min(ngx_voice_live_backlog(mcf->live)
                      / NGX_VOICE_PUBLISH_SLOW, NGX_VOICE_PUBLISH_SLOWEST);
}


static ngx_voice_publish_row_t *
ngx_voice_publish_find(ngx_voice_publisher_t *publisher, uint64_t key,
    const ngx_voice_judged_t *judged)
{
    ngx_queue_t              *bucket, *q;
    ngx_voice_publish_row_t  *row;

    bucket = &publisher->buckets[key % NGX_VOICE_PUBLISH_BUCKETS];

    for (q = ngx_queue_head(bucket); q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        row = ngx_queue_data(q, ngx_voice_publish_row_t, bucket);

        if (row->key == key && row->len == judged->call.len
            && ngx_memcmp(row->call, judged->call.ptr, row->len) == 0
            && ngx_memcmp(row->tenant, judged->tenant.ptr, VOICE_UUID_LEN)
               == 0)
        {
            return row;
        }
    }

    return NULL;
}


/* row: of the call, or NULL. */
static void
ngx_voice_publish_join(ngx_voice_publisher_t *publisher,
    ngx_voice_publish_row_t *row, uint64_t key,
    const ngx_voice_judged_t *judged, const u_char hex[32])
{
    ngx_voice_publish_latest_t  *latest;

    if (row == NULL) {
        row = ngx_voice_publish_row(publisher, key, judged, hex);
    }

    if (row == NULL) {
        ngx_voice_count(publisher->conf, NGX_VOICE_COUNT_live_dropped, 1);
        return;
    }

    latest = &row->latest[judged->status];

    latest->n++;
    latest->sequence = judged->sequence;
    ngx_voice_publish_keep(&latest->total, judged->total);
    ngx_voice_publish_keep(&latest->missing_count, judged->missing_count);
    ngx_voice_publish_keep(&latest->state, judged->state);
    latest->missing_len = ngx_min(judged->missing.len,
                                  sizeof(latest->missing));
    ngx_memcpy(latest->missing, judged->missing.ptr, latest->missing_len);
}


static void
ngx_voice_publish_keep(ngx_voice_publish_word_t *word, voice_span_t span)
{
    word->len = ngx_min(span.len, sizeof(word->text));
    ngx_memcpy(word->text, span.ptr, word->len);
}


static voice_span_t
ngx_voice_publish_kept(const ngx_voice_publish_word_t *word)
{
    return voice_span((char *) word->text, word->len);
}


static ngx_voice_publish_row_t *
ngx_voice_publish_row(ngx_voice_publisher_t *publisher, uint64_t key,
    const ngx_voice_judged_t *judged, const u_char hex[32])
{
    ngx_uint_t                i;
    ngx_voice_publish_row_t  *row;

    if (publisher->nrows == NGX_VOICE_PUBLISH_ROWS) {
        return NULL;
    }

    row = ngx_alloc(sizeof(ngx_voice_publish_row_t), publisher->timer.log);
    if (row == NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_VOICE_PUBLISH_KINDS; i++) {
        row->latest[i].n = 0;
    }

    row->key = key;
    row->len = judged->call.len;
    ngx_memcpy(row->tenant, judged->tenant.ptr, VOICE_UUID_LEN);
    ngx_memcpy(row->call, judged->call.ptr, row->len);
    ngx_memcpy(row->hex, hex, sizeof(row->hex));

    ngx_queue_insert_tail(&publisher->rows, &row->queue);
    ngx_queue_insert_tail(&publisher->buckets[key
                                              % NGX_VOICE_PUBLISH_BUCKETS],
                          &row->bucket);
    publisher->nrows++;

    if (!publisher->timer.timer_set) {
        ngx_add_timer(&publisher->timer, NGX_VOICE_PUBLISH_WINDOW);
    }

    return row;
}


/* Rows that may not be told of yet go to the end. */
static void
ngx_voice_publish_timer(ngx_event_t *ev)
{
    ngx_uint_t                i, n;
    ngx_queue_t              *q;
    ngx_voice_publisher_t    *publisher = ev->data;
    ngx_voice_publish_row_t  *row;

    n = ngx_min(publisher->nrows, NGX_VOICE_PUBLISH_TURN);

    for (i = 0; i < n; i++) {
        q = ngx_queue_head(&publisher->rows);
        row = ngx_queue_data(q, ngx_voice_publish_row_t, queue);

        if (ngx_voice_publish_flush(publisher, row, 1)) {
            ngx_voice_publish_free(publisher, row);

        } else {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&publisher->rows, q);
        }
    }

    if (publisher->nrows == 0) {
        return;
    }

    /* a table that is long is gone through in pieces */
    ngx_add_timer(ev, publisher->nrows > NGX_VOICE_PUBLISH_TURN ? 1
                      : NGX_VOICE_PUBLISH_WINDOW / 5);
}


/* 1: nothing of the call waits any more. */
static ngx_uint_t
ngx_voice_publish_flush(ngx_voice_publisher_t *publisher,
    ngx_voice_publish_row_t *row, ngx_uint_t paced)
{
    ngx_uint_t              i;
    ngx_voice_main_conf_t  *mcf;

    mcf = publisher->conf;

    for (i = 0; i < NGX_VOICE_PUBLISH_KINDS; i++) {

        if (row->latest[i].n == 0) {
            continue;
        }

        if (paced && !ngx_voice_pace(mcf->shared->hear, row->key,
                                     ngx_voice_publish_gap(mcf)))
        {
            return 0;
        }

        if (ngx_voice_publish_latest(publisher, row, i) != NGX_OK) {
            return 0;
        }

        row->latest[i].n = 0;
    }

    return 1;
}


static ngx_int_t
ngx_voice_publish_latest(ngx_voice_publisher_t *publisher,
    ngx_voice_publish_row_t *row, ngx_voice_packet_e status)
{
    ngx_voice_judged_t           judged;
    ngx_voice_publish_names_t    names;
    ngx_voice_publish_latest_t  *latest;

    latest = &row->latest[status];
    ngx_memzero(&judged, sizeof(ngx_voice_judged_t));

    judged.tenant = voice_span((char *) row->tenant, VOICE_UUID_LEN);
    judged.call = voice_span((char *) row->call, row->len);
    judged.sequence = latest->sequence;
    judged.status = status;
    judged.total = ngx_voice_publish_kept(&latest->total);
    judged.missing_count = ngx_voice_publish_kept(&latest->missing_count);
    judged.state = ngx_voice_publish_kept(&latest->state);
    judged.missing = voice_span((char *) latest->missing,
                                latest->missing_len);

    ngx_voice_publish_name(&names, NGX_VOICE_PUBLISH_PACED, &judged,
                           row->hex);

    return ngx_voice_publish_tell(publisher->conf, &names, &judged,
                                  latest->n);
}


static void
ngx_voice_publish_free(ngx_voice_publisher_t *publisher,
    ngx_voice_publish_row_t *row)
{
    ngx_queue_remove(&row->queue);
    ngx_queue_remove(&row->bucket);
    ngx_free(row);
    publisher->nrows--;
}
