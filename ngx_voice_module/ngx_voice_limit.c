
/*
 * How fast: the step takes a token from each bucket of a request, from this
 * node's share or by asking Redis.  Where one refuses, the others get theirs
 * back.
 */

#include "ngx_voice_limit.h"


#define NGX_VOICE_LIMIT_PAUSE  5           /* ms, until the first connection
                                              to Redis is there */
#define NGX_VOICE_LIMIT_TRIES  3           /* of asking for one token */
#define NGX_VOICE_LIMIT_NEVER  -1          /* no time to wait for */


static ngx_voice_limit_t *ngx_voice_limit_begin(ngx_voice_ctx_t *ctx);
static voice_take_e ngx_voice_limit_round(ngx_voice_ctx_t *ctx,
    int64_t *wait);
static int64_t ngx_voice_limit_refusing(ngx_voice_main_conf_t *mcf,
    ngx_voice_limit_t *limit, int64_t now);
static voice_take_e ngx_voice_limit_bucket_take(ngx_voice_main_conf_t *mcf,
    ngx_voice_limit_t *limit, int64_t now, int64_t *wait);
static void ngx_voice_limit_leases(ngx_voice_main_conf_t *mcf,
    ngx_voice_limit_bucket_t *buckets, ngx_uint_t n);
static ngx_int_t ngx_voice_limit_request(ngx_voice_ctx_t *ctx);
static void ngx_voice_limit_unsent(ngx_voice_main_conf_t *mcf,
    const ngx_voice_limit_bucket_t *bucket);
static int64_t ngx_voice_limit_alone(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_limit_pause(ngx_voice_ctx_t *ctx);
static void ngx_voice_limit_pause_over(ngx_event_t *ev);
static ngx_int_t ngx_voice_limit_admitted(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_limit_refused(ngx_voice_ctx_t *ctx, int64_t wait);


ngx_int_t
ngx_voice_limit(ngx_voice_ctx_t *ctx)
{
    int64_t             wait;
    ngx_voice_limit_t  *limit;

    if (ctx->policy->limit == NULL) {
        return NGX_OK;
    }

    limit = ctx->limit;

    if (limit == NULL) {
        limit = ngx_voice_limit_begin(ctx);

        if (limit == NULL) {
            return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        }
    }

    /* an internal redirect does not pay twice */

    if (limit->status != NGX_VOICE_LIMIT_JUDGING) {
        return NGX_OK;
    }

    for ( ;; ) {

        switch (ngx_voice_limit_round(ctx, &wait)) {

        case VOICE_TAKE_LOCAL:
            return ngx_voice_limit_admitted(ctx);

        case VOICE_TAKE_REFUSED:
            return ngx_voice_limit_refused(ctx, wait);

        case VOICE_TAKE_ASK:
            break;
        }

        if (ngx_voice_limit_request(ctx) == NGX_OK) {
            return NGX_AGAIN;
        }

        if (ngx_voice_limit_connecting(ctx->conf)) {
            return ngx_voice_limit_pause(ctx);
        }

        wait = ngx_voice_limit_alone(ctx);

        if (wait != 0) {
            return ngx_voice_limit_refused(ctx, wait);
        }
    }
}


ngx_int_t
ngx_voice_limit_failure_allowed(ngx_voice_ctx_t *ctx)
{
    int64_t                 now, wait;
    ngx_voice_limit_t      *limit;
    ngx_voice_limit_row_t  *row;

    if (ctx->conf->limit_failure == NULL) {
        return NGX_OK;
    }

    limit = ngx_pcalloc(ctx->request->pool, sizeof(ngx_voice_limit_t));
    if (limit == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    limit->nbuckets = 1;
    ngx_voice_limit_failures(ctx, &limit->buckets[0]);

    now = ngx_voice_limit_now();
    wait = 0;

    ngx_shmtx_lock(&ctx->conf->slab->mutex);

    row = ngx_voice_limit_row_find(ctx->conf->shared->limits,
                                   limit->buckets[0].key,
                                   limit->buckets[0].len);

    if (row != NULL) {
        wait = voice_bucket_refusing(&row->bucket,
                                     &ctx->conf->shared->limits->node, now);
    }

    ngx_shmtx_unlock(&ctx->conf->slab->mutex);

    if (wait <= 0) {
        return NGX_OK;
    }

    ctx->limit = limit;

    if (ngx_voice_limit_refused(ctx, wait) != NGX_OK) {
        return NGX_ERROR;
    }

    /* rehearsed: its own limit is still to be judged */
    ctx->limit = NULL;

    return NGX_OK;
}


void
ngx_voice_limit_failed(ngx_voice_ctx_t *ctx)
{
    int64_t                    now, wait;
    ngx_voice_main_conf_t     *mcf;
    ngx_voice_limit_row_t     *row;
    ngx_voice_limit_bucket_t   bucket;

    mcf = ctx->conf;

    /* that a stream ends is nobody's attempt to guess */
    if (mcf->limit_failure == NULL || ctx->again) {
        return;
    }

    ngx_voice_limit_failures(ctx, &bucket);
    now = ngx_voice_limit_now();

    ngx_shmtx_lock(&mcf->slab->mutex);

    bucket.ask.want = 0;
    row = ngx_voice_limit_row(mcf, &bucket, now);

    if (row != NULL) {
        (void) voice_bucket_take(&row->bucket, &mcf->shared->limits->node,
                                 now, &bucket.ask);
        bucket.limit = row->bucket.limit;
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);

    if (bucket.ask.want == 0
        || ngx_voice_limit_ask(mcf, NULL, &bucket) == NGX_OK)
    {
        return;
    }

    /* without Redis this node's share counts, and then time */

    ngx_shmtx_lock(&mcf->slab->mutex);

    row = ngx_voice_limit_row(mcf, &bucket, now);

    if (row != NULL) {
        voice_bucket_unsent(&row->bucket, &bucket.ask);
        wait = !bucket.ask.own ? 0
               : voice_bucket_take_alone(&row->bucket,
                                         &mcf->shared->limits->node, now);
        row->bucket.quiet = wait == 0 ? 0
                            : now + (wait > 0 ? wait : bucket.limit.alone);
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);
}


void
ngx_voice_limit_told(ngx_voice_ctx_t *ctx, int rc, int64_t wait)
{
    ngx_voice_limit_t         *limit;
    ngx_voice_limit_bucket_t  *bucket;

    limit = ctx->limit;

    if (rc == 1) {
        bucket = &limit->buckets[limit->at];
        bucket->good = voice_limit_good(&bucket->limit, bucket->ask.sent);
        limit->asked = 1;
        limit->tries = 0;
        limit->at++;
        ngx_voice_resume(ctx, NGX_VOICE_LIMIT);
        return;
    }

    if (rc == -1 && ++limit->tries < NGX_VOICE_LIMIT_TRIES) {
        ngx_voice_resume(ctx, NGX_VOICE_LIMIT);
        return;
    }

    limit->tightest = limit->at;

    if (ngx_voice_limit_refused(ctx, ngx_max(wait, 1)) == NGX_OK) {
        ngx_voice_resume(ctx, NGX_VOICE_ADMITTED);
        return;
    }

    ngx_voice_refuse(ctx);
}


void
ngx_voice_limit_untold(ngx_voice_ctx_t *ctx)
{
    int64_t  wait;

    wait = ngx_voice_limit_alone(ctx);

    if (wait == 0) {
        ngx_voice_resume(ctx, NGX_VOICE_LIMIT);
        return;
    }

    if (ngx_voice_limit_refused(ctx, wait) == NGX_OK) {
        ngx_voice_resume(ctx, NGX_VOICE_ADMITTED);
        return;
    }

    ngx_voice_refuse(ctx);
}


void
ngx_voice_limit_report(ngx_voice_limit_t *limit, const voice_bucket_t *bucket,
    int64_t now)
{
    int64_t  left;

    left = voice_bucket_left(bucket, now);

    if (left > limit->left) {
        return;
    }

    limit->left = left;
    limit->tightest = limit->at;
    limit->reset = ngx_max((bucket->limit.burst - left
                            + bucket->limit.rate - 1) / bucket->limit.rate,
                           0);
}


static ngx_voice_limit_t *
ngx_voice_limit_begin(ngx_voice_ctx_t *ctx)
{
    ngx_voice_limit_t  *limit;

    limit = ngx_palloc(ctx->request->pool, sizeof(ngx_voice_limit_t));
    if (limit == NULL) {
        return NULL;
    }

    /* names and questions are filled in where they count */
    ngx_memzero(limit, offsetof(ngx_voice_limit_t, buckets));

    limit->status = NGX_VOICE_LIMIT_JUDGING;
    limit->left = INT64_MAX;
    ngx_voice_limit_buckets(ctx, limit);

    ctx->limit = limit;

    return limit;
}


/* ASK: the bucket that limit->at says is to be asked for. */
static voice_take_e
ngx_voice_limit_round(ngx_voice_ctx_t *ctx, int64_t *wait)
{
    int64_t                 now;
    ngx_uint_t              first;
    voice_take_e            take;
    ngx_voice_limit_t      *limit;
    ngx_voice_main_conf_t  *mcf;

    mcf = ctx->conf;
    limit = ctx->limit;
    take = VOICE_TAKE_LOCAL;
    now = ngx_voice_limit_now();

    ngx_shmtx_lock(&mcf->slab->mutex);

    if (limit->at > 0 && ngx_voice_limit_renew(mcf, limit, now) != NGX_OK) {
        ngx_shmtx_unlock(&mcf->slab->mutex);
        *wait = 1;
        return VOICE_TAKE_REFUSED;
    }

    first = limit->at;
    *wait = ngx_voice_limit_refusing(mcf, limit, now);

    if (*wait > 0) {
        ngx_shmtx_unlock(&mcf->slab->mutex);
        return VOICE_TAKE_REFUSED;
    }

    while (limit->at < limit->nbuckets) {
        take = ngx_voice_limit_bucket_take(mcf, limit, now, wait);

        if (take != VOICE_TAKE_LOCAL) {
            break;
        }

        limit->at++;
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);

    ngx_voice_limit_leases(mcf, &limit->buckets[first], limit->at - first
                           + (take == VOICE_TAKE_REFUSED && *wait > 0));

    return take;
}


/*
 * What a later bucket has refused lately costs the ones before nothing.  The
 * time until none refuses, or 0.
 */
static int64_t
ngx_voice_limit_refusing(ngx_voice_main_conf_t *mcf, ngx_voice_limit_t *limit,
    int64_t now)
{
    int64_t                 wait, longest;
    ngx_uint_t              i;
    ngx_voice_limit_row_t  *row;

    longest = 0;

    for (i = limit->nbuckets - 1; i > limit->at || longest > 0; i--) {
        row = ngx_voice_limit_row_find(mcf->shared->limits,
                                       limit->buckets[i].key,
                                       limit->buckets[i].len);
        wait = row == NULL ? 0
               : voice_bucket_refusing(&row->bucket,
                                       &mcf->shared->limits->node, now);

        if (wait > longest) {
            limit->tightest = i;
            longest = wait;
        }

        if (i <= limit->at) {
            break;
        }
    }

    return longest;
}


static voice_take_e
ngx_voice_limit_bucket_take(ngx_voice_main_conf_t *mcf,
    ngx_voice_limit_t *limit, int64_t now, int64_t *wait)
{
    voice_take_e               take;
    ngx_voice_limit_row_t     *row;
    ngx_voice_limit_bucket_t  *bucket;

    bucket = &limit->buckets[limit->at];
    row = ngx_voice_limit_row(mcf, bucket, now);

    if (row == NULL) {
        *wait = NGX_VOICE_LIMIT_NEVER;
        return VOICE_TAKE_REFUSED;
    }

    take = voice_bucket_take(&row->bucket, &mcf->shared->limits->node, now,
                             &bucket->ask);

    if (bucket->ask.want != 0) {
        bucket->limit = row->bucket.limit;
    }

    *wait = bucket->ask.wait;

    if (take == VOICE_TAKE_LOCAL) {
        bucket->good = voice_limit_good(&row->bucket.limit, now);
        ngx_voice_limit_report(limit, &row->bucket, now);

    } else {
        limit->tightest = limit->at;
    }

    return take;
}


/* Nobody waits for these. */
static void
ngx_voice_limit_leases(ngx_voice_main_conf_t *mcf,
    ngx_voice_limit_bucket_t *buckets, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (buckets[i].ask.want != 0
            && ngx_voice_limit_ask(mcf, NULL, &buckets[i]) != NGX_OK)
        {
            ngx_voice_limit_unsent(mcf, &buckets[i]);
        }
    }
}


static ngx_int_t
ngx_voice_limit_request(ngx_voice_ctx_t *ctx)
{
    ngx_voice_limit_bucket_t  *bucket;

    bucket = &ctx->limit->buckets[ctx->limit->at];

    if (ngx_voice_limit_ask(ctx->conf, ctx, bucket) == NGX_OK) {
        return NGX_OK;
    }

    ngx_voice_limit_unsent(ctx->conf, bucket);

    return NGX_DECLINED;
}


static void
ngx_voice_limit_unsent(ngx_voice_main_conf_t *mcf,
    const ngx_voice_limit_bucket_t *bucket)
{
    ngx_voice_limit_row_t  *row;

    ngx_shmtx_lock(&mcf->slab->mutex);

    row = ngx_voice_limit_row_find(mcf->shared->limits, bucket->key,
                                   bucket->len);
    if (row != NULL) {
        voice_bucket_unsent(&row->bucket, &bucket->ask);
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);
}


/* 0: the token is there; else the time to wait, or NEVER. */
static int64_t
ngx_voice_limit_alone(ngx_voice_ctx_t *ctx)
{
    int64_t                 now, wait;
    ngx_voice_limit_t      *limit;
    ngx_voice_limit_row_t  *row;
    ngx_voice_main_conf_t  *mcf;

    mcf = ctx->conf;
    limit = ctx->limit;
    now = ngx_voice_limit_now();
    wait = NGX_VOICE_LIMIT_NEVER;

    ngx_shmtx_lock(&mcf->slab->mutex);

    row = ngx_voice_limit_row(mcf, &limit->buckets[limit->at], now);

    if (row != NULL) {
        wait = voice_bucket_take_alone(&row->bucket,
                                       &mcf->shared->limits->node, now);
        limit->buckets[limit->at].good = voice_limit_good(&row->bucket.limit,
                                                          now);
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);

    if (wait == 0) {
        limit->alone = 1;
        limit->at++;

    } else {
        limit->tightest = limit->at;
    }

    return wait;
}


/* A process that has just begun: its connection will be there in a moment. */
static ngx_int_t
ngx_voice_limit_pause(ngx_voice_ctx_t *ctx)
{
    ctx->timer.handler = ngx_voice_limit_pause_over;
    ctx->timer.data = ctx;
    ctx->timer.log = ctx->request->connection->log;

    ngx_add_timer(&ctx->timer, NGX_VOICE_LIMIT_PAUSE);

    return NGX_AGAIN;
}


static void
ngx_voice_limit_pause_over(ngx_event_t *ev)
{
    ngx_voice_resume(ev->data, NGX_VOICE_LIMIT);
}


static ngx_int_t
ngx_voice_limit_admitted(ngx_voice_ctx_t *ctx)
{
    ngx_voice_limit_t  *limit;

    limit = ctx->limit;
    limit->status = NGX_VOICE_LIMIT_ADMITTED;

    ngx_voice_count(ctx->conf,
                    limit->asked ? NGX_VOICE_COUNT_limit_asked
                    : limit->alone ? NGX_VOICE_COUNT_limit_alone
                    : NGX_VOICE_COUNT_limit_local, 1);

    return NGX_OK;
}


/* NGX_OK: it is only a rehearsal. */
static ngx_int_t
ngx_voice_limit_refused(ngx_voice_ctx_t *ctx, int64_t wait)
{
    ngx_voice_limit_t         *limit;
    ngx_voice_limit_bucket_t  *bucket;

    limit = ctx->limit;
    bucket = &limit->buckets[limit->tightest];
    limit->left = 0;
    limit->reset = ngx_max((wait + 999999) / 1000000, 1);

    ngx_voice_limit_give_back(ctx->conf, limit);

    if (ctx->policy->dry_run || ctx->conf->limit_dry_run) {
        limit->status = NGX_VOICE_LIMIT_DRY_RUN;
        ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_limit_dry_run, 1);
        ngx_log_error(NGX_LOG_NOTICE, ctx->request->connection->log, 0,
                      "dry run: the limit \"%s%s\" would refuse the request",
                      bucket->class, bucket->suffix);
        return NGX_OK;
    }

    limit->status = NGX_VOICE_LIMIT_REFUSED;
    ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_limit_refused, 1);

    if (wait == NGX_VOICE_LIMIT_NEVER) {
        return ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);
    }

    (void) ngx_voice_fail(ctx, NGX_VOICE_RATE_LIMIT_EXCEEDED, NULL);
    ctx->error.retry_after = limit->reset;

    return NGX_ERROR;
}
