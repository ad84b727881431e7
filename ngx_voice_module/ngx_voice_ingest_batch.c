
/*
 * A batch: packets off a lane, sorted, as arrays, in one statement.
 */

#include "ngx_voice_ingest_lane.h"


/* Parameters after those of api.enter(), all but the last are arrays. */
enum {
    NGX_VOICE_BATCH_CALL = NGX_VOICE_INGEST_WHO,
    NGX_VOICE_BATCH_SEQUENCE,
    NGX_VOICE_BATCH_SENT,
    NGX_VOICE_BATCH_MEDIA,
    NGX_VOICE_BATCH_DATA,
    NGX_VOICE_BATCH_GAPS,
    NGX_VOICE_BATCH_COUNT
};


static ngx_voice_batch_t *ngx_voice_batch_create(ngx_voice_ingest_t *ingest,
    ngx_voice_lane_t *lane);
static ngx_uint_t ngx_voice_batch_room(
    const ngx_voice_ingest_conf_t *conf, const ngx_voice_lane_t *lane);
static int ngx_voice_batch_compare(const void *one, const void *two);
static u_char *ngx_voice_batch_arrays(const ngx_voice_batch_t *batch,
    ngx_str_t *params);
static void ngx_voice_batch_param(ngx_str_t *param,
    const voice_array_t *array);
static void ngx_voice_batch_who(const ngx_voice_batch_t *batch,
    ngx_str_t *params);
static void ngx_voice_batch_done(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static ngx_uint_t ngx_voice_batch_spoilt(ngx_voice_pg_e outcome,
    const PGresult *result);


const int  ngx_voice_packet_formats[NGX_VOICE_BATCH_COUNT] = {
    [NGX_VOICE_BATCH_CALL] = 1,
    [NGX_VOICE_BATCH_SEQUENCE] = 1,
    [NGX_VOICE_BATCH_SENT] = 1,
    [NGX_VOICE_BATCH_MEDIA] = 1,
    [NGX_VOICE_BATCH_DATA] = 1
};


ngx_int_t
ngx_voice_batch_send(ngx_voice_ingest_t *ingest, ngx_voice_lane_t *lane)
{
    u_char                *arrays, number[NGX_INT_T_LEN];
    ngx_str_t              params[NGX_VOICE_BATCH_COUNT];
    ngx_voice_batch_t     *batch;
    ngx_voice_pg_query_t  *query;

    batch = ngx_voice_batch_create(ingest, lane);
    if (batch == NULL) {
        return NGX_ERROR;
    }

    query = NULL;
    arrays = ngx_voice_batch_arrays(batch, params);

    if (arrays != NULL) {
        ngx_voice_batch_who(batch, params);

        params[NGX_VOICE_BATCH_GAPS].data = number;
        params[NGX_VOICE_BATCH_GAPS].len =
            ngx_sprintf(number, "%ui", ingest->conf->ingest_conf.gaps)
            - number;

        query = ngx_voice_pg_send(lane->road->database->ingest,
                                  lane->statement, params,
                                  ngx_voice_batch_done, batch);
        ngx_free(arrays);
    }

    if (query == NULL) {
        ngx_voice_lane_again(batch);
        ngx_free(batch);
        return NGX_ERROR;
    }

    lane->batch = batch;
    lane->holder->users++;
    lane->holder->batches++;
    lane->road->in_flight++;

    return NGX_OK;
}


/* Takes its packets off the lane. */
static ngx_voice_batch_t *
ngx_voice_batch_create(ngx_voice_ingest_t *ingest, ngx_voice_lane_t *lane)
{
    ngx_uint_t           i, n;
    ngx_queue_t         *q;
    ngx_voice_batch_t   *batch;
    ngx_voice_packet_t  *packet;

    n = ngx_voice_batch_room(&ingest->conf->ingest_conf, lane);

    batch = ngx_alloc(sizeof(ngx_voice_batch_t)
                      + n * sizeof(ngx_voice_packet_t *), ingest->log);
    if (batch == NULL) {
        return NULL;
    }

    ngx_memzero(batch, sizeof(ngx_voice_batch_t));

    batch->ingest = ingest;
    batch->lane = lane;
    batch->holder = lane->holder;
    batch->count = n;
    lane->waiting -= n;

    for (i = 0; i < n; i++) {
        q = ngx_queue_head(&lane->packets);
        ngx_queue_remove(q);

        packet = ngx_queue_data(q, ngx_voice_packet_t, queue);
        batch->packets[i] = packet;
        batch->call_size += packet->call.len;
        batch->media_size += packet->media.len;
        batch->data_size += packet->data.len;
    }

    /* all batches lock calls in one order */
    qsort(batch->packets, n, sizeof(ngx_voice_packet_t *),
          ngx_voice_batch_compare);

    return batch;
}


/* How many packets may go; one of any size. */
static ngx_uint_t
ngx_voice_batch_room(const ngx_voice_ingest_conf_t *conf,
    const ngx_voice_lane_t *lane)
{
    size_t               size;
    ngx_uint_t           n, most;
    ngx_queue_t         *q;
    ngx_voice_packet_t  *packet;

    most = lane->alone > 0 ? 1 : ngx_min(conf->batch, lane->waiting);
    size = 0;
    n = 0;

    for (q = ngx_queue_head(&lane->packets); n < most;
         q = ngx_queue_next(q))
    {
        packet = ngx_queue_data(q, ngx_voice_packet_t, queue);
        size += packet->size;

        if (n > 0 && size > conf->batch_size) {
            break;
        }

        n++;
    }

    return n;
}


/* By the bytes of the call's id, as SQL does; then as they came. */
static int
ngx_voice_batch_compare(const void *one, const void *two)
{
    int                        rc;
    const ngx_voice_packet_t  *a, *b;

    a = *(ngx_voice_packet_t *const *) one;
    b = *(ngx_voice_packet_t *const *) two;

    rc = ngx_memcmp(a->call.ptr, b->call.ptr,
                    ngx_min(a->call.len, b->call.len));

    if (rc != 0) {
        return rc;
    }

    if (a->call.len != b->call.len) {
        return a->call.len < b->call.len ? -1 : 1;
    }

    /* the number may have run over */
    return (ngx_int_t) (a->serial - b->serial) < 0 ? -1 : 1;
}


/* The memory of all arrays; NULL: there is none. */
static u_char *
ngx_voice_batch_arrays(const ngx_voice_batch_t *batch, ngx_str_t *params)
{
    size_t                     numbers, calls, media, data;
    u_char                    *p;
    ngx_uint_t                 i, n;
    voice_array_t              call, sequence, sent, medium, bytes;
    const ngx_voice_packet_t  *packet;

    n = batch->count;
    numbers = voice_array_size(n, n * sizeof(int64_t));
    calls = voice_array_size(n, batch->call_size);
    media = voice_array_size(n, batch->media_size);
    data = voice_array_size(n, batch->data_size);

    p = ngx_alloc(2 * numbers + calls + media + data, batch->ingest->log);
    if (p == NULL) {
        return NULL;
    }

    voice_array_begin(&call, p, VOICE_ARRAY_TEXT, n);
    voice_array_begin(&sequence, p + calls, VOICE_ARRAY_INT8, n);
    voice_array_begin(&sent, p + calls + numbers, VOICE_ARRAY_FLOAT8, n);
    voice_array_begin(&medium, p + calls + 2 * numbers, VOICE_ARRAY_TEXT, n);
    voice_array_begin(&bytes, p + calls + 2 * numbers + media,
                      VOICE_ARRAY_TEXT, n);

    for (i = 0; i < n; i++) {
        packet = batch->packets[i];

        voice_array_text(&call, packet->call);
        voice_array_int8(&sequence, packet->sequence);
        voice_array_float8(&sent, packet->sent);
        voice_array_text(&medium, packet->media);
        voice_array_text(&bytes, packet->data);
    }

    ngx_voice_batch_param(&params[NGX_VOICE_BATCH_CALL], &call);
    ngx_voice_batch_param(&params[NGX_VOICE_BATCH_SEQUENCE], &sequence);
    ngx_voice_batch_param(&params[NGX_VOICE_BATCH_SENT], &sent);
    ngx_voice_batch_param(&params[NGX_VOICE_BATCH_MEDIA], &medium);
    ngx_voice_batch_param(&params[NGX_VOICE_BATCH_DATA], &bytes);

    return p;
}


static void
ngx_voice_batch_param(ngx_str_t *param, const voice_array_t *array)
{
    voice_span_t  bytes;

    bytes = voice_array_bytes(array);
    param->data = (u_char *) bytes.ptr;
    param->len = bytes.len;
}


/* One identity for all; request, address and trace are the first one's. */
static void
ngx_voice_batch_who(const ngx_voice_batch_t *batch, ngx_str_t *params)
{
    ngx_uint_t                   i;
    ngx_connection_t            *c;
    const ngx_voice_ctx_t       *ctx;
    const ngx_voice_identity_t  *identity;

    identity = &batch->lane->identity;

    params[0] = identity->tenant;
    params[1] = identity->actor;
    params[2] = identity->kind;
    params[3] = identity->role;
    params[4] = identity->session;
    ngx_str_null(&params[5]);
    ngx_str_null(&params[6]);
    ngx_str_null(&params[7]);

    for (i = 0; i < batch->count; i++) {
        ctx = batch->packets[i]->ctx;

        if (ctx == NULL) {
            continue;
        }

        c = ctx->request->connection;
        params[5] = ctx->request_id;
        params[7] = ctx->traceparent;

        if (c->sockaddr->sa_family != AF_UNIX) {
            params[6] = c->addr_text;
        }

        return;
    }
}


static void
ngx_voice_batch_done(void *data, ngx_voice_pg_e outcome, PGresult **result)
{
    ngx_voice_lane_t    *lane;
    ngx_voice_batch_t   *batch = data;
    ngx_voice_ingest_t  *ingest;

    lane = batch->lane;
    ingest = batch->ingest;

    lane->batch = NULL;
    lane->road->in_flight--;
    batch->holder->batches--;

    if (lane->alone > 0) {
        lane->alone--;

    } else if (batch->count > 1 && ngx_voice_batch_spoilt(outcome, *result)) {
        lane->alone = batch->count;
        ngx_voice_lane_again(batch);
    }

    ngx_voice_lane_settle(ingest, lane);

    /* the database works while the answers are written */

    if (!ingest->conf->stopped) {
        ngx_voice_lane_dispatch(ingest);
    }

    ngx_voice_batch_answer(batch, outcome, *result);
    ngx_voice_holder_leave(batch->holder);
    ngx_free(batch);
}


/*
 * Did values of one packet spoil it for all?  Then each goes by itself; the
 * checks before leave nothing that we know of.
 */
static ngx_uint_t
ngx_voice_batch_spoilt(ngx_voice_pg_e outcome, const PGresult *result)
{
    const char  *sqlstate;

    if (outcome != NGX_VOICE_PG_ERROR) {
        return 0;
    }

    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    /* data exception, integrity, a limit of the program */
    return sqlstate != NULL && (ngx_strncmp(sqlstate, "22", 2) == 0
                                || ngx_strncmp(sqlstate, "23", 2) == 0
                                || ngx_strncmp(sqlstate, "54", 2) == 0);
}
