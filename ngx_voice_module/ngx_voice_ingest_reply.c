
/*
 * What became of the packets of a batch: counted, told to each request, and
 * logged where somebody should look.
 */

#include "ngx_voice_ingest_lane.h"
#include "ngx_voice_publish.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_INGEST_LINES  20         /* of the log, in a second */
#define NGX_VOICE_INGEST_SHOWN  64         /* bytes of a call's id there */
#define NGX_VOICE_PACKET_BODY   320        /* bytes of a reply without what
                                              differs in length */


#define ngx_voice_put_text(p, text)  ngx_cpymem(p, text, sizeof(text) - 1)


/* Columns of a row. */
enum {
    NGX_VOICE_ROW_STATUS = 0,
    NGX_VOICE_ROW_TOTAL,
    NGX_VOICE_ROW_MISSING_COUNT,
    NGX_VOICE_ROW_MISSING,
    NGX_VOICE_ROW_GAP,
    NGX_VOICE_ROW_DIFFERS,
    NGX_VOICE_ROW_STATE,
    NGX_VOICE_ROW_COLUMNS
};


static void ngx_voice_batch_rows(ngx_voice_batch_t *batch,
    const PGresult *result);
static void ngx_voice_batch_tell(ngx_voice_batch_t *batch,
    const PGresult *result);
static void ngx_voice_batch_fail(ngx_voice_batch_t *batch,
    ngx_voice_pg_e outcome, const PGresult *result);
static ngx_voice_ctx_t *ngx_voice_packet_take(ngx_voice_packet_t *packet);
static void ngx_voice_packet_judged(const ngx_voice_batch_t *batch,
    ngx_uint_t i, const PGresult *result, ngx_voice_judged_t *judged);
static voice_span_t ngx_voice_row_span(const PGresult *result, int row,
    int column);
static ngx_voice_packet_e ngx_voice_packet_status(voice_span_t name);
static void ngx_voice_packet_count(ngx_uint_t *counts,
    const ngx_voice_judged_t *judged);
static void ngx_voice_packet_answer(ngx_voice_ctx_t *ctx,
    const ngx_voice_judged_t *judged);
static ngx_chain_t *ngx_voice_packet_body(ngx_voice_ctx_t *ctx,
    const ngx_voice_judged_t *judged);
static u_char *ngx_voice_put(u_char *p, voice_span_t text);
static void ngx_voice_packet_log(ngx_voice_ingest_t *ingest,
    const ngx_voice_ctx_t *ctx, const ngx_voice_judged_t *judged);
static ngx_str_t ngx_voice_packet_shown(voice_span_t call, u_char *buf);


/* By ngx_voice_packet_e. */
static const struct {
    voice_span_t         name;             /* as SQL says it */
    ngx_voice_counter_e  counter;
    voice_span_t         message;          /* as clients are told */
} ngx_voice_packet_rows[] = {
    { { "accepted", 8 }, NGX_VOICE_COUNT_packets_accepted,
      { "Packet received successfully", 28 } },
    { { "duplicate", 9 }, NGX_VOICE_COUNT_packets_duplicate,
      { "Packet already received", 23 } },
    { { "rejected", 8 }, NGX_VOICE_COUNT_packets_rejected,
      { "Call already completed, no longer accepting packets", 51 } },
    { { "gaps", 4 }, NGX_VOICE_COUNT_packets_gaps,
      { NULL, 0 } }
};


void
ngx_voice_batch_answer(ngx_voice_batch_t *batch, ngx_voice_pg_e outcome,
    const PGresult *result)
{
    ngx_uint_t              i;
    ngx_voice_main_conf_t  *mcf;

    mcf = batch->ingest->conf;

    if (batch->count == 0) {
        return;
    }

    if (outcome == NGX_VOICE_PG_RESULT
        && PQntuples(result) == (int) batch->count
        && PQnfields(result) == NGX_VOICE_ROW_COLUMNS)
    {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_ingest_batches, 1);
        ngx_voice_batch_rows(batch, result);

    } else {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_ingest_failed, 1);
        ngx_voice_batch_fail(batch, outcome, result);
    }

    for (i = 0; i < batch->count; i++) {
        ngx_voice_packet_free(batch->ingest, batch->holder,
                              batch->packets[i]);
    }
}


void
ngx_voice_packet_refuse(ngx_voice_packet_t *packet, ngx_voice_error_e error)
{
    ngx_voice_ctx_t  *ctx;

    ctx = ngx_voice_packet_take(packet);

    if (ctx != NULL) {
        (void) ngx_voice_fail(ctx, error, NULL);
        ngx_voice_refuse(ctx);
    }
}


static void
ngx_voice_batch_rows(ngx_voice_batch_t *batch, const PGresult *result)
{
    ngx_uint_t              i;
    ngx_uint_t              counts[NGX_VOICE_COUNTER_COUNT] = { 0 };
    ngx_voice_ctx_t        *ctx;
    ngx_voice_judged_t      judged;
    ngx_voice_ingest_t     *ingest;

    ingest = batch->ingest;

    for (i = 0; i < batch->count; i++) {
        ngx_voice_packet_judged(batch, i, result, &judged);
        ngx_voice_packet_count(counts, &judged);

        ctx = ngx_voice_packet_take(batch->packets[i]);

        if (judged.differs || judged.gap.len != 0) {
            ngx_voice_packet_log(ingest, ctx, &judged);
        }

        if (ctx != NULL) {
            ngx_voice_packet_answer(ctx, &judged);
        }
    }

    for (i = 0; i < NGX_VOICE_COUNTER_COUNT; i++) {
        if (counts[i] != 0) {
            ngx_voice_count(ingest->conf, i, counts[i]);
        }
    }

    ngx_voice_batch_tell(batch, result);
}


/* Who watches hears of it after the senders. */
static void
ngx_voice_batch_tell(ngx_voice_batch_t *batch, const PGresult *result)
{
    ngx_uint_t              i;
    const ngx_str_t        *tenant;
    ngx_voice_judged_t      judged;
    ngx_voice_main_conf_t  *mcf;

    mcf = batch->ingest->conf;
    tenant = &batch->holder->id;

    if (!ngx_voice_publish_wanted(mcf, voice_span((char *) tenant->data,
                                                  tenant->len)))
    {
        return;
    }

    for (i = 0; i < batch->count; i++) {
        ngx_voice_packet_judged(batch, i, result, &judged);
        ngx_voice_publish_packet(mcf, &judged);
    }
}


/* Each request has an error of its own; the log is told once what broke. */
static void
ngx_voice_batch_fail(ngx_voice_batch_t *batch, ngx_voice_pg_e outcome,
    const PGresult *result)
{
    ngx_uint_t          i, told;
    ngx_voice_ctx_t    *ctx;
    ngx_voice_error_t   error = { 0 };

    told = 0;

    for (i = 0; i < batch->count; i++) {
        ctx = ngx_voice_packet_take(batch->packets[i]);

        if (ctx == NULL) {
            continue;
        }

        if (told) {
            ctx->error = error;

        } else {
            (void) ngx_voice_fail_pg(ctx, outcome, result);

            /* no string of it is in the request's pool */
            told = outcome != NGX_VOICE_PG_ERROR;
            error = ctx->error;
        }

        ngx_voice_refuse(ctx);
    }
}


/* The request that waits for it, for the last time; NULL: none does. */
static ngx_voice_ctx_t *
ngx_voice_packet_take(ngx_voice_packet_t *packet)
{
    ngx_voice_ctx_t  *ctx;

    ctx = packet->ctx;

    if (ctx != NULL) {
        packet->ctx = NULL;
        ctx->packet = NULL;
    }

    return ctx;
}


static void
ngx_voice_packet_judged(const ngx_voice_batch_t *batch, ngx_uint_t i,
    const PGresult *result, ngx_voice_judged_t *judged)
{
    const ngx_str_t           *tenant;
    const ngx_voice_packet_t  *packet;

    packet = batch->packets[i];
    tenant = &batch->holder->id;

    judged->tenant = voice_span((char *) tenant->data, tenant->len);
    judged->call = packet->call;
    judged->sequence = packet->sequence;
    judged->status = ngx_voice_packet_status(
                         ngx_voice_row_span(result, i, NGX_VOICE_ROW_STATUS));
    judged->total = ngx_voice_row_span(result, i, NGX_VOICE_ROW_TOTAL);
    judged->missing = ngx_voice_row_span(result, i, NGX_VOICE_ROW_MISSING);
    judged->missing_count = ngx_voice_row_span(result, i,
                                               NGX_VOICE_ROW_MISSING_COUNT);
    judged->gap = ngx_voice_row_span(result, i, NGX_VOICE_ROW_GAP);
    judged->state = ngx_voice_row_span(result, i, NGX_VOICE_ROW_STATE);
    judged->differs = PQgetvalue(result, (int) i,
                                 NGX_VOICE_ROW_DIFFERS)[0] == 't';
}


/* Empty for NULL. */
static voice_span_t
ngx_voice_row_span(const PGresult *result, int row, int column)
{
    return voice_span(PQgetvalue(result, row, column),
                      PQgetlength(result, row, column));
}


static ngx_voice_packet_e
ngx_voice_packet_status(voice_span_t name)
{
    ngx_uint_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_packet_rows); i++) {
        if (voice_span_eq(ngx_voice_packet_rows[i].name, name)) {
            break;
        }
    }

    return i;
}


static void
ngx_voice_packet_count(ngx_uint_t *counts, const ngx_voice_judged_t *judged)
{
    if (judged->gap.len != 0) {
        counts[NGX_VOICE_COUNT_packet_gaps]++;
    }

    if (judged->differs) {
        counts[NGX_VOICE_COUNT_packets_differing]++;

    } else if (judged->status < NGX_VOICE_PACKET_UNKNOWN) {
        counts[ngx_voice_packet_rows[judged->status].counter]++;
    }
}


/* The request may be gone afterwards. */
static void
ngx_voice_packet_answer(ngx_voice_ctx_t *ctx,
    const ngx_voice_judged_t *judged)
{
    ngx_chain_t       *chain;
    voice_problems_t   problems;

    if (judged->status == NGX_VOICE_PACKET_GAPS) {
        problems.count = 0;
        voice_problem_add(&problems, "/body/sequence",
                          "leaves a gap, and the call has too many gaps");
        (void) ngx_voice_fail_problems(ctx, &problems);
        ngx_voice_refuse(ctx);
        return;
    }

    chain = judged->status == NGX_VOICE_PACKET_UNKNOWN
            ? NULL : ngx_voice_packet_body(ctx, judged);

    if (chain == NULL || ngx_voice_answer_cache(ctx) != NGX_OK) {
        (void) ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_finish(ctx, ngx_voice_send(ctx, NGX_HTTP_ACCEPTED,
                                         &ngx_voice_json_type, chain));
}


static ngx_chain_t *
ngx_voice_packet_body(ngx_voice_ctx_t *ctx, const ngx_voice_judged_t *judged)
{
    u_char       *p;
    size_t        escaped;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    escaped = ngx_escape_json(NULL, (u_char *) judged->call.ptr,
                              judged->call.len);

    b = ngx_create_temp_buf(ctx->request->pool,
                            NGX_VOICE_PACKET_BODY + judged->call.len
                            + escaped + judged->missing.len);
    cl = ngx_alloc_chain_link(ctx->request->pool);

    if (b == NULL || cl == NULL) {
        return NULL;
    }

    p = ngx_voice_put_text(b->last, "{\"status\":\"");
    p = ngx_voice_put(p, ngx_voice_packet_rows[judged->status].name);
    p = ngx_voice_put_text(p, "\",\"message\":\"");
    p = ngx_voice_put(p, ngx_voice_packet_rows[judged->status].message);
    p = ngx_voice_put_text(p, "\",\"call_id\":\"");
    p = escaped == 0 ? ngx_voice_put(p, judged->call)
                     : (u_char *) ngx_escape_json(p,
                                                  (u_char *) judged->call.ptr,
                                                  judged->call.len);
    p = ngx_sprintf(p, "\",\"sequence\":%L", judged->sequence);
    p = ngx_voice_put_text(p, ",\"total_received\":");
    p = ngx_voice_put(p, judged->total);
    p = ngx_voice_put_text(p, ",\"missing_sequences\":[");
    p = ngx_voice_put(p, judged->missing);
    p = ngx_voice_put_text(p, "],\"missing_count\":");
    p = ngx_voice_put(p, judged->missing_count);
    p = ngx_voice_put_text(p, ",\"duplicate\":");
    b->last = judged->status == NGX_VOICE_PACKET_DUPLICATE
              ? ngx_voice_put_text(p, "true}")
              : ngx_voice_put_text(p, "false}");
    b->last_buf = 1;
    b->last_in_chain = 1;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


static u_char *
ngx_voice_put(u_char *p, voice_span_t text)
{
    return ngx_cpymem(p, text.ptr, text.len);
}


/* So many lines a second and no more: /metrics counts all of them. */
static void
ngx_voice_packet_log(ngx_voice_ingest_t *ingest, const ngx_voice_ctx_t *ctx,
    const ngx_voice_judged_t *judged)
{
    u_char      buf[3 * NGX_VOICE_INGEST_SHOWN];
    ngx_log_t  *log;
    ngx_str_t   call;

    if (ingest->second != ngx_time()) {
        ingest->second = ngx_time();
        ingest->lines = 0;
    }

    if (++ingest->lines > NGX_VOICE_INGEST_LINES) {
        return;
    }

    log = ctx != NULL ? ctx->request->connection->log : ingest->log;
    call = ngx_voice_packet_shown(judged->call, buf);

    if (judged->differs) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "packet %L of call \"%V\" came again with other data, "
                      "tenant \"%*s\"", judged->sequence, &call,
                      judged->tenant.len, judged->tenant.ptr);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "call \"%V\" lacks the packets %*s to %L, tenant \"%*s\"",
                  &call, judged->gap.len, judged->gap.ptr,
                  judged->sequence - 1, judged->tenant.len,
                  judged->tenant.ptr);
}


/* A caller's own text: percent-encoded but for plain characters, and cut. */
static ngx_str_t
ngx_voice_packet_shown(voice_span_t call, u_char *buf)
{
    ngx_str_t  shown;

    shown.data = buf;
    shown.len = (u_char *) ngx_escape_uri(buf, (u_char *) call.ptr,
                                          ngx_min(call.len,
                                                  NGX_VOICE_INGEST_SHOWN),
                                          NGX_ESCAPE_URI_COMPONENT)
                - buf;

    return shown;
}
