
/*
 * Limits by GCRA (ITU-T I.371): one time a key says when the next request
 * would conform.  Keys are (class, tenant), for strangers (class, address).
 */

#include "ngx_voice.h"


#define NGX_VOICE_LIMIT_KEY_MAX  128       /* bytes of class and tenant */
#define NGX_VOICE_LIMIT_EVICT    4         /* rows given up for a new one */


/* Times are microseconds of the clock all processes share. */
typedef struct {
    ngx_rbtree_node_t  node;               /* node.key: hash */
    ngx_queue_t        queue;
    int64_t            conforming;         /* theoretical arrival time */
    u_char             len;
    u_char             key[NGX_VOICE_LIMIT_KEY_MAX];
} ngx_voice_limit_t;


static void ngx_voice_limit_key(ngx_voice_ctx_t *ctx, u_char *key,
    size_t *len);
static ngx_voice_limit_t *ngx_voice_limit_get(ngx_voice_main_conf_t *mcf,
    const u_char *key, size_t len);
static ngx_voice_limit_t *ngx_voice_limit_find(ngx_voice_shared_t *shared,
    uint32_t hash, const u_char *key, size_t len);
static ngx_int_t ngx_voice_limit_compare(const ngx_voice_limit_t *limit,
    const u_char *key, size_t len);
static void ngx_voice_limit_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_voice_limit_evict(ngx_voice_main_conf_t *mcf);
static int64_t ngx_voice_limit_take(ngx_voice_limit_t *limit,
    const voice_limit_class_t *class, int64_t now);


ngx_int_t
ngx_voice_limit(ngx_voice_ctx_t *ctx)
{
    size_t                      len;
    u_char                      key[NGX_VOICE_LIMIT_KEY_MAX];
    int64_t                     wait;
    ngx_voice_limit_t          *limit;
    ngx_voice_main_conf_t      *mcf;
    const voice_limit_class_t  *class;

    mcf = ctx->conf;
    class = ctx->policy->limit;
    wait = 0;

    if (class == NULL) {
        return NGX_OK;
    }

    ngx_voice_limit_key(ctx, key, &len);

    ngx_shmtx_lock(&mcf->slab->mutex);

    limit = ngx_voice_limit_get(mcf, key, len);
    if (limit != NULL) {
        wait = ngx_voice_limit_take(limit, class,
                                    (int64_t) ngx_current_msec * 1000);
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);

    if (limit == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);
    }

    if (wait > 0) {
        (void) ngx_voice_fail(ctx, NGX_VOICE_RATE_LIMIT_EXCEEDED, NULL);
        ctx->error.retry_after = (wait + 999999) / 1000000;
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_voice_limit_init(ngx_voice_shared_t *shared)
{
    ngx_rbtree_init(&shared->limits, &shared->sentinel,
                    ngx_voice_limit_insert);
    ngx_queue_init(&shared->recent);
}


static void
ngx_voice_limit_key(ngx_voice_ctx_t *ctx, u_char *key, size_t *len)
{
    u_char            *p, *last;
    ngx_connection_t  *c;

    c = ctx->request->connection;
    last = key + NGX_VOICE_LIMIT_KEY_MAX;

    p = ngx_slprintf(key, last - 64, "%s:",
                     ctx->policy->limit->name);

    if (ctx->identity.tenant.len != 0) {
        p = ngx_slprintf(p, last, "%V", &ctx->identity.tenant);
    } else {
        p = ngx_slprintf(p, last, "%V", &c->addr_text);
    }

    *len = p - key;
}


static ngx_voice_limit_t *
ngx_voice_limit_get(ngx_voice_main_conf_t *mcf, const u_char *key, size_t len)
{
    uint32_t            hash;
    ngx_uint_t          tries;
    ngx_voice_limit_t  *limit;

    hash = ngx_crc32_short((u_char *) key, len);
    limit = ngx_voice_limit_find(mcf->shared, hash, key, len);

    if (limit != NULL) {
        ngx_queue_remove(&limit->queue);
        ngx_queue_insert_head(&mcf->shared->recent, &limit->queue);
        return limit;
    }

    limit = ngx_slab_alloc_locked(mcf->slab, sizeof(ngx_voice_limit_t));

    for (tries = 0; limit == NULL && tries < NGX_VOICE_LIMIT_EVICT; tries++) {
        ngx_voice_limit_evict(mcf);
        limit = ngx_slab_alloc_locked(mcf->slab, sizeof(ngx_voice_limit_t));
    }

    if (limit == NULL) {
        return NULL;
    }

    limit->node.key = hash;
    limit->conforming = 0;
    limit->len = len;
    ngx_memcpy(limit->key, key, len);

    ngx_rbtree_insert(&mcf->shared->limits, &limit->node);
    ngx_queue_insert_head(&mcf->shared->recent, &limit->queue);

    return limit;
}


static ngx_voice_limit_t *
ngx_voice_limit_find(ngx_voice_shared_t *shared, uint32_t hash,
    const u_char *key, size_t len)
{
    ngx_int_t           rc;
    ngx_rbtree_node_t  *node;
    ngx_voice_limit_t  *limit;

    node = shared->limits.root;

    while (node != shared->limits.sentinel) {

        if (hash != node->key) {
            node = hash < node->key ? node->left : node->right;
            continue;
        }

        limit = (ngx_voice_limit_t *) node;
        rc = ngx_voice_limit_compare(limit, key, len);

        if (rc == 0) {
            return limit;
        }

        node = rc < 0 ? node->left : node->right;
    }

    return NULL;
}


static ngx_int_t
ngx_voice_limit_compare(const ngx_voice_limit_t *limit, const u_char *key,
    size_t len)
{
    return ngx_memn2cmp((u_char *) key, (u_char *) limit->key, len,
                        limit->len);
}


static void
ngx_voice_limit_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_int_t            left;
    ngx_rbtree_node_t  **p;
    ngx_voice_limit_t   *limit, *other;

    limit = (ngx_voice_limit_t *) node;

    for ( ;; ) {
        other = (ngx_voice_limit_t *) temp;

        left = node->key != temp->key
               ? node->key < temp->key
               : ngx_voice_limit_compare(other, limit->key, limit->len) < 0;

        p = left ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


/* Gives up the row that was not asked for the longest. */
static void
ngx_voice_limit_evict(ngx_voice_main_conf_t *mcf)
{
    ngx_queue_t        *q;
    ngx_voice_limit_t  *limit;

    if (ngx_queue_empty(&mcf->shared->recent)) {
        return;
    }

    q = ngx_queue_last(&mcf->shared->recent);
    limit = ngx_queue_data(q, ngx_voice_limit_t, queue);

    ngx_queue_remove(q);
    ngx_rbtree_delete(&mcf->shared->limits, &limit->node);
    ngx_slab_free_locked(mcf->slab, limit);
}


/* 0: taken; otherwise the microseconds until one request would conform. */
static int64_t
ngx_voice_limit_take(ngx_voice_limit_t *limit,
    const voice_limit_class_t *class, int64_t now)
{
    int64_t  interval, tolerance, arrival;

    interval = 1000000 / class->rate;
    tolerance = interval * (class->burst - 1);
    arrival = ngx_max(limit->conforming, now);

    if (arrival - tolerance > now) {
        return arrival - tolerance - now;
    }

    limit->conforming = arrival + interval;

    return 0;
}
