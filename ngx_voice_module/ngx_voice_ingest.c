
/*
 * The step in place of CALL: a request's packet joins a lane, or is refused
 * by a bound.
 */

#include "ngx_voice_ingest_lane.h"


static ngx_voice_packet_t *ngx_voice_packet_create(ngx_voice_ctx_t *ctx);
static int64_t ngx_voice_packet_number(const json_t *value);
static ngx_int_t ngx_voice_packet_check(ngx_voice_ctx_t *ctx,
    const ngx_voice_packet_t *packet);
static ngx_uint_t ngx_voice_packet_refused(const ngx_voice_ingest_t *ingest,
    const ngx_voice_holder_t *holder, size_t size);


ngx_int_t
ngx_voice_ingest(ngx_voice_ctx_t *ctx)
{
    ngx_voice_lane_t    *lane;
    ngx_voice_packet_t  *packet;
    ngx_voice_ingest_t  *ingest;

    ingest = ctx->conf->ingest;

    packet = ngx_voice_packet_create(ctx);
    if (packet == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (ngx_voice_packet_check(ctx, packet) != NGX_OK) {
        ngx_free(packet);
        return NGX_ERROR;
    }

    lane = ngx_voice_lane(ctx, packet->call);

    if (lane == NULL) {
        ngx_free(packet);
        return NGX_ERROR;
    }

    if (ngx_voice_packet_refused(ingest, lane->holder, packet->size)) {
        ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_ingest_refused, 1);
        ngx_voice_lane_settle(ingest, lane);
        ngx_free(packet);
        return ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE,
                              "Too many packets wait to be stored.");
    }

    /* from here on the arguments are the packet's */

    packet->ctx = ctx;
    ctx->packet = packet;
    ctx->args = NULL;

    ngx_voice_lane_join(ingest, lane, packet);

    return NGX_AGAIN;
}


void
ngx_voice_ingest_leave(ngx_voice_packet_t *packet)
{
    packet->ctx = NULL;
}


void
ngx_voice_packet_free(ngx_voice_ingest_t *ingest, ngx_voice_holder_t *holder,
    ngx_voice_packet_t *packet)
{
    ingest->packets--;
    ingest->size -= packet->size;
    holder->packets--;
    holder->size -= packet->size;

    json_decref(packet->args);
    ngx_free(packet);
}


/* The contract has seen to it that the members are there. */
static ngx_voice_packet_t *
ngx_voice_packet_create(ngx_voice_ctx_t *ctx)
{
    ngx_voice_packet_t  *packet;

    packet = ngx_alloc(sizeof(ngx_voice_packet_t),
                       ctx->request->connection->log);
    if (packet == NULL) {
        return NULL;
    }

    packet->args = ctx->args;
    packet->call = voice_json_text(ctx->args, "call_id");
    packet->data = voice_json_text(ctx->args, "data");
    packet->media = voice_json_text(ctx->args, "media");
    packet->sequence = ngx_voice_packet_number(
                           json_object_get(ctx->args, "sequence"));
    packet->sent = json_number_value(json_object_get(ctx->args,
                                                     "timestamp"));
    packet->joined = ngx_current_msec;
    packet->serial = ctx->conf->ingest->serial++;
    packet->size = packet->call.len + packet->data.len + packet->media.len;

    return packet;
}


/* "integer" of JSON Schema is 1e3, too; INT64_MAX: larger than any. */
static int64_t
ngx_voice_packet_number(const json_t *value)
{
    double  number;

    if (json_is_integer(value)) {
        return json_integer_value(value);
    }

    number = json_real_value(value);

    return number < (double) NGX_MAX_INT32_VALUE + 1 ? (int64_t) number
                                                     : INT64_MAX;
}


static ngx_int_t
ngx_voice_packet_check(ngx_voice_ctx_t *ctx, const ngx_voice_packet_t *packet)
{
    voice_problems_t                problems;
    const ngx_voice_ingest_conf_t  *conf;

    conf = &ctx->conf->ingest_conf;

    if (packet->call.len <= conf->call_id && packet->data.len <= conf->data
        && packet->sequence >= 0
        && packet->sequence <= (int64_t) conf->sequence)
    {
        return NGX_OK;
    }

    problems.count = 0;

    if (packet->call.len > conf->call_id) {
        voice_problem_add(&problems, "/path/call_id",
                          "is longer than %lu bytes", conf->call_id);
    }

    if (packet->data.len > conf->data) {
        voice_problem_add(&problems, "/body/data",
                          "is longer than %lu bytes", conf->data);
    }

    if (packet->sequence < 0 || packet->sequence > (int64_t) conf->sequence) {
        voice_problem_add(&problems, "/body/sequence",
                          "must be between 0 and %lu", conf->sequence);
    }

    return ngx_voice_fail_problems(ctx, &problems);
}


/* An empty process takes any packet. */
static ngx_uint_t
ngx_voice_packet_refused(const ngx_voice_ingest_t *ingest,
    const ngx_voice_holder_t *holder, size_t size)
{
    const ngx_voice_ingest_conf_t  *conf;

    conf = &ingest->conf->ingest_conf;

    if (ingest->packets >= conf->packets
        || holder->packets >= conf->tenant_packets)
    {
        return 1;
    }

    return (ingest->packets > 0 && ingest->size + size > conf->size)
           || (holder->packets > 0 && holder->size + size
                                      > conf->tenant_size);
}
