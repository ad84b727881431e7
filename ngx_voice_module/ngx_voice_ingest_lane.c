
/*
 * Lanes: who waits where, and whose turn it is.
 */

#include "ngx_voice_ingest_lane.h"


#define NGX_VOICE_INGEST_SWEEP  500        /* ms */
#define NGX_VOICE_INGEST_WORTH  24         /* packets; fewer wait for the
                                              tenant's batch in flight */


static ngx_uint_t ngx_voice_lane_number(const ngx_voice_ingest_t *ingest,
    voice_span_t call);
static uint32_t ngx_voice_lane_hash(const ngx_voice_ctx_t *ctx,
    const ngx_voice_road_t *road);
static ngx_uint_t ngx_voice_lane_is(const ngx_voice_lane_t *lane,
    const ngx_voice_ctx_t *ctx);
static ngx_voice_lane_t *ngx_voice_lane_create(ngx_voice_ingest_t *ingest,
    const ngx_voice_ctx_t *ctx);
static ngx_voice_holder_t *ngx_voice_holder(ngx_voice_ingest_t *ingest,
    const ngx_str_t *tenant);
static ngx_voice_road_t *ngx_voice_road(ngx_voice_ctx_t *ctx);
static ngx_uint_t ngx_voice_str_is(const ngx_str_t *a, const ngx_str_t *b);
static ngx_voice_lane_t *ngx_voice_road_next(ngx_voice_road_t *road);
static void ngx_voice_lane_ready(ngx_voice_lane_t *lane);
static void ngx_voice_ingest_dispatch_handler(ngx_event_t *ev);
static void ngx_voice_ingest_sweep_handler(ngx_event_t *ev);
static void ngx_voice_lane_sweep(ngx_voice_ingest_t *ingest,
    ngx_voice_lane_t *lane, ngx_msec_t timeout, ngx_voice_error_e error);
static ngx_uint_t ngx_voice_ingest_each(ngx_voice_ingest_t *ingest,
    ngx_msec_t timeout, ngx_voice_error_e error);


/* What makes an identity, in the order of api.enter(). */
static const size_t  ngx_voice_lane_parts[] = {
    offsetof(ngx_voice_identity_t, tenant),
    offsetof(ngx_voice_identity_t, actor),
    offsetof(ngx_voice_identity_t, kind),
    offsetof(ngx_voice_identity_t, role),
    offsetof(ngx_voice_identity_t, session)
};

#define ngx_voice_lane_part(identity, i)                                     \
    ((ngx_str_t *) ((u_char *) (identity) + ngx_voice_lane_parts[i]))


ngx_voice_ingest_t *
ngx_voice_ingest_create(ngx_voice_main_conf_t *mcf, ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_voice_ingest_t  *ingest;

    ingest = ngx_pcalloc(cycle->pool, sizeof(ngx_voice_ingest_t));
    if (ingest == NULL) {
        return NULL;
    }

    ingest->roads = ngx_pcalloc(cycle->pool, mcf->databases->nelts
                                             * sizeof(ngx_voice_road_t));
    if (ingest->roads == NULL) {
        return NULL;
    }

    ingest->conf = mcf;
    ingest->log = cycle->log;

    for (i = 0; i < mcf->databases->nelts; i++) {
        ingest->roads[i].database = (ngx_voice_database_t *)
                                    mcf->databases->elts + i;
        ngx_queue_init(&ingest->roads[i].ready);
    }

    for (i = 0; i < NGX_VOICE_INGEST_BUCKETS; i++) {
        ngx_queue_init(&ingest->lanes[i]);
        ngx_queue_init(&ingest->holders[i]);
    }

    ingest->dispatch.handler = ngx_voice_ingest_dispatch_handler;
    ingest->dispatch.data = ingest;
    ingest->dispatch.log = cycle->log;

    ingest->sweep.handler = ngx_voice_ingest_sweep_handler;
    ingest->sweep.data = ingest;
    ingest->sweep.log = cycle->log;
    ingest->sweep.cancelable = 1;

    return ingest;
}


void
ngx_voice_ingest_destroy(ngx_voice_ingest_t *ingest)
{
    if (ingest->dispatch.posted) {
        ngx_delete_posted_event(&ingest->dispatch);
    }

    if (ingest->sweep.timer_set) {
        ngx_del_timer(&ingest->sweep);
    }

    (void) ngx_voice_ingest_each(ingest, 0, NGX_VOICE_SERVICE_UNAVAILABLE);
}


void
ngx_voice_ingest_figures(const ngx_voice_ingest_t *ingest,
    ngx_voice_ingest_figures_t *figures)
{
    ngx_uint_t  i;

    ngx_memzero(figures, sizeof(ngx_voice_ingest_figures_t));

    if (ingest == NULL) {
        return;
    }

    figures->lanes = ingest->nlanes;
    figures->held = ingest->packets;

    for (i = 0; i < ingest->conf->databases->nelts; i++) {
        figures->in_flight += ingest->roads[i].in_flight;
    }
}


ngx_voice_lane_t *
ngx_voice_lane(ngx_voice_ctx_t *ctx, voice_span_t call)
{
    uint32_t             hash;
    ngx_uint_t           number;
    ngx_queue_t         *q, *bucket;
    ngx_voice_lane_t    *lane;
    ngx_voice_road_t    *road;
    ngx_voice_ingest_t  *ingest;

    ingest = ctx->conf->ingest;

    road = ngx_voice_road(ctx);
    if (road == NULL) {
        return NULL;
    }

    number = ngx_voice_lane_number(ingest, call);
    hash = ngx_voice_lane_hash(ctx, road) + number;
    bucket = &ingest->lanes[hash % NGX_VOICE_INGEST_BUCKETS];

    for (q = ngx_queue_head(bucket); q != bucket; q = ngx_queue_next(q)) {
        lane = ngx_queue_data(q, ngx_voice_lane_t, queue);

        if (lane->hash == hash && lane->number == number
            && lane->road == road && ngx_voice_lane_is(lane, ctx))
        {
            return lane;
        }
    }

    lane = ngx_voice_lane_create(ingest, ctx);

    if (lane == NULL) {
        (void) ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        return NULL;
    }

    lane->hash = hash;
    lane->number = number;
    lane->road = road;
    ngx_queue_insert_tail(bucket, &lane->queue);

    return lane;
}


void
ngx_voice_lane_join(ngx_voice_ingest_t *ingest, ngx_voice_lane_t *lane,
    ngx_voice_packet_t *packet)
{
    ingest->packets++;
    ingest->size += packet->size;
    lane->holder->packets++;
    lane->holder->size += packet->size;

    ngx_queue_insert_tail(&lane->packets, &packet->queue);
    lane->waiting++;

    ngx_voice_lane_ready(lane);

    /* what else has come in this turn of the loop goes with it */

    if (!ingest->dispatch.posted) {
        ngx_post_event(&ingest->dispatch, &ngx_posted_events);
    }

    if (!ingest->sweep.timer_set) {
        ngx_add_timer(&ingest->sweep, NGX_VOICE_INGEST_SWEEP);
    }
}


void
ngx_voice_lane_again(ngx_voice_batch_t *batch)
{
    ngx_uint_t         i;
    ngx_voice_lane_t  *lane;

    lane = batch->lane;

    for (i = batch->count; i > 0; i--) {
        ngx_queue_insert_head(&lane->packets, &batch->packets[i - 1]->queue);
    }

    lane->waiting += batch->count;
    batch->count = 0;
}


void
ngx_voice_lane_settle(ngx_voice_ingest_t *ingest, ngx_voice_lane_t *lane)
{
    if (lane->batch != NULL) {
        return;
    }

    if (lane->waiting > 0) {
        ngx_voice_lane_ready(lane);
        return;
    }

    ngx_voice_holder_leave(lane->holder);

    if (lane->queued) {
        ngx_queue_remove(&lane->ready);
    }

    ngx_queue_remove(&lane->queue);
    ingest->nlanes--;
    ngx_free(lane);
}


void
ngx_voice_holder_leave(ngx_voice_holder_t *holder)
{
    if (--holder->users == 0) {
        ngx_queue_remove(&holder->queue);
        ngx_free(holder);
    }
}


void
ngx_voice_lane_dispatch(ngx_voice_ingest_t *ingest)
{
    ngx_uint_t         i;
    ngx_voice_lane_t  *lane;
    ngx_voice_road_t  *road;

    for (i = 0; i < ingest->conf->databases->nelts; i++) {
        road = &ingest->roads[i];

        while (road->in_flight < ingest->conf->ingest_conf.pool) {
            lane = ngx_voice_road_next(road);
            if (lane == NULL) {
                break;
            }

            ngx_queue_remove(&lane->ready);
            lane->queued = 0;

            /* no memory: the sweep tries again */

            if (ngx_voice_batch_send(ingest, lane) != NGX_OK) {
                ngx_voice_lane_ready(lane);
                break;
            }
        }
    }
}


/*
 * Whose turn it is; NULL: nobody's.  What a batch costs is mostly its own, so
 * a tenant with a batch in flight has another only for many packets.
 */
static ngx_voice_lane_t *
ngx_voice_road_next(ngx_voice_road_t *road)
{
    ngx_queue_t       *q;
    ngx_voice_lane_t  *lane;

    for (q = ngx_queue_head(&road->ready); q != &road->ready;
         q = ngx_queue_next(q))
    {
        lane = ngx_queue_data(q, ngx_voice_lane_t, ready);

        if (lane->holder->batches == 0
            || lane->waiting >= NGX_VOICE_INGEST_WORTH)
        {
            return lane;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_voice_lane_number(const ngx_voice_ingest_t *ingest, voice_span_t call)
{
    return ngx_murmur_hash2((u_char *) call.ptr, call.len)
           % ingest->conf->ingest_conf.lanes;
}


static uint32_t
ngx_voice_lane_hash(const ngx_voice_ctx_t *ctx, const ngx_voice_road_t *road)
{
    uint32_t          hash;
    ngx_uint_t        i;
    const ngx_str_t  *part;

    hash = (uint32_t) (uintptr_t) road;

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_lane_parts); i++) {
        part = ngx_voice_lane_part(&ctx->identity, i);
        hash = hash * 31 + ngx_murmur_hash2(part->data, part->len);
    }

    return hash;
}


static ngx_uint_t
ngx_voice_lane_is(const ngx_voice_lane_t *lane, const ngx_voice_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_lane_parts); i++) {
        if (!ngx_voice_str_is(ngx_voice_lane_part(&lane->identity, i),
                              ngx_voice_lane_part(&ctx->identity, i)))
        {
            return 0;
        }
    }

    return lane->statement == &ctx->operation->statement;
}


/* With copies of the identity's strings behind it. */
static ngx_voice_lane_t *
ngx_voice_lane_create(ngx_voice_ingest_t *ingest, const ngx_voice_ctx_t *ctx)
{
    u_char            *p;
    size_t             size;
    ngx_str_t         *to;
    ngx_uint_t         i;
    const ngx_str_t   *from;
    ngx_voice_lane_t  *lane;

    size = sizeof(ngx_voice_lane_t);

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_lane_parts); i++) {
        size += ngx_voice_lane_part(&ctx->identity, i)->len;
    }

    lane = ngx_alloc(size, ingest->log);
    if (lane == NULL) {
        return NULL;
    }

    ngx_memzero(lane, sizeof(ngx_voice_lane_t));

    lane->holder = ngx_voice_holder(ingest, &ctx->identity.tenant);
    if (lane->holder == NULL) {
        ngx_free(lane);
        return NULL;
    }

    p = (u_char *) lane + sizeof(ngx_voice_lane_t);

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_lane_parts); i++) {
        from = ngx_voice_lane_part(&ctx->identity, i);

        /* an empty one reaches SQL as NULL */

        if (from->len != 0) {
            to = ngx_voice_lane_part(&lane->identity, i);
            to->data = p;
            to->len = from->len;
            p = ngx_cpymem(p, from->data, from->len);
        }
    }

    ngx_queue_init(&lane->packets);
    lane->statement = &ctx->operation->statement;
    lane->holder->users++;
    ingest->nlanes++;

    return lane;
}


static ngx_voice_holder_t *
ngx_voice_holder(ngx_voice_ingest_t *ingest, const ngx_str_t *tenant)
{
    uint32_t             hash;
    ngx_queue_t         *q, *bucket;
    ngx_voice_holder_t  *holder;

    hash = ngx_murmur_hash2(tenant->data, tenant->len);
    bucket = &ingest->holders[hash % NGX_VOICE_INGEST_BUCKETS];

    for (q = ngx_queue_head(bucket); q != bucket; q = ngx_queue_next(q)) {
        holder = ngx_queue_data(q, ngx_voice_holder_t, queue);

        if (holder->hash == hash && ngx_voice_str_is(&holder->id, tenant)) {
            return holder;
        }
    }

    holder = ngx_alloc(sizeof(ngx_voice_holder_t) + tenant->len, ingest->log);
    if (holder == NULL) {
        return NULL;
    }

    ngx_memzero(holder, sizeof(ngx_voice_holder_t));

    holder->hash = hash;
    holder->id.data = (u_char *) holder + sizeof(ngx_voice_holder_t);
    holder->id.len = tenant->len;
    ngx_memcpy(holder->id.data, tenant->data, tenant->len);
    ngx_queue_insert_tail(bucket, &holder->queue);

    return holder;
}


/* NULL: the error is set. */
static ngx_voice_road_t *
ngx_voice_road(ngx_voice_ctx_t *ctx)
{
    ngx_voice_database_t  *database;

    database = ngx_voice_shard(ctx);

    return database == NULL ? NULL
           : &ctx->conf->ingest->roads[database
                - (ngx_voice_database_t *) ctx->conf->databases->elts];
}


static ngx_uint_t
ngx_voice_str_is(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}


static void
ngx_voice_lane_ready(ngx_voice_lane_t *lane)
{
    if (lane->queued || lane->batch != NULL || lane->waiting == 0) {
        return;
    }

    lane->queued = 1;
    ngx_queue_insert_tail(&lane->road->ready, &lane->ready);
}


static void
ngx_voice_ingest_dispatch_handler(ngx_event_t *ev)
{
    ngx_voice_lane_dispatch(ev->data);
}


/* Nobody waits for ever, whatever becomes of the batches before. */
static void
ngx_voice_ingest_sweep_handler(ngx_event_t *ev)
{
    ngx_voice_ingest_t    *ingest = ev->data;
    ngx_voice_database_t  *database;

    database = ingest->conf->databases->elts;

    if (ngx_voice_ingest_each(ingest, database->ingest_conf.query_timeout,
                              NGX_VOICE_TIMEOUT)
        > 0)
    {
        ngx_add_timer(ev, NGX_VOICE_INGEST_SWEEP);
    }

    ngx_voice_lane_dispatch(ingest);
}


/* Refuses what has waited that long; how many lanes there are. */
static ngx_uint_t
ngx_voice_ingest_each(ngx_voice_ingest_t *ingest, ngx_msec_t timeout,
    ngx_voice_error_e error)
{
    ngx_uint_t         i;
    ngx_queue_t       *q, *next;
    ngx_voice_lane_t  *lane;

    for (i = 0; i < NGX_VOICE_INGEST_BUCKETS; i++) {

        for (q = ngx_queue_head(&ingest->lanes[i]); q != &ingest->lanes[i];
             q = next)
        {
            next = ngx_queue_next(q);
            lane = ngx_queue_data(q, ngx_voice_lane_t, queue);

            ngx_voice_lane_sweep(ingest, lane, timeout, error);
            ngx_voice_lane_settle(ingest, lane);
        }
    }

    return ingest->nlanes;
}


static void
ngx_voice_lane_sweep(ngx_voice_ingest_t *ingest, ngx_voice_lane_t *lane,
    ngx_msec_t timeout, ngx_voice_error_e error)
{
    ngx_queue_t         *q;
    ngx_voice_packet_t  *packet;

    while (!ngx_queue_empty(&lane->packets)) {
        q = ngx_queue_head(&lane->packets);
        packet = ngx_queue_data(q, ngx_voice_packet_t, queue);

        if (ngx_current_msec - packet->joined < timeout) {
            return;
        }

        ngx_queue_remove(q);
        lane->waiting--;

        ngx_voice_packet_refuse(packet, error);
        ngx_voice_packet_free(ingest, lane->holder, packet);
    }
}
