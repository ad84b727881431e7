
/*
 * Buckets of this node: a tree by name in the zone; when it is full the one
 * that was not used the longest gives way, with what it held.
 */

#include "ngx_voice_limit.h"


#define NGX_VOICE_LIMIT_EVICT   4          /* rows given up for a new one */
#define NGX_VOICE_LIMIT_RECENT  1000000    /* us: the order is not finer */


static ngx_voice_limit_row_t *ngx_voice_limit_row_search(
    ngx_voice_limits_t *limits, uint32_t hash, const u_char *key, size_t len);
static ngx_int_t ngx_voice_limit_compare(const ngx_voice_limit_row_t *row,
    const u_char *key, size_t len);
static void ngx_voice_limit_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_uint_t ngx_voice_limit_evict(ngx_voice_limits_t *limits,
    ngx_slab_pool_t *slab);


ngx_int_t
ngx_voice_limit_init(ngx_voice_shared_t *shared, ngx_slab_pool_t *slab)
{
    u_char               random[NGX_VOICE_LIMIT_ID_LEN / 2];
    ngx_voice_limits_t  *limits;

    limits = ngx_slab_calloc(slab, sizeof(ngx_voice_limits_t));

    if (limits == NULL
        || ngx_voice_random(random, sizeof(random)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_hex_dump(limits->id, random, sizeof(random));
    limits->node.started = ngx_voice_limit_now();

    ngx_rbtree_init(&limits->rows, &limits->sentinel, ngx_voice_limit_insert);
    ngx_queue_init(&limits->recent);

    shared->limits = limits;

    return NGX_OK;
}


ngx_uint_t
ngx_voice_limit_yield(ngx_voice_shared_t *shared, ngx_slab_pool_t *slab)
{
    ngx_uint_t  yielded;

    ngx_shmtx_lock(&slab->mutex);
    yielded = ngx_voice_limit_evict(shared->limits, slab);
    ngx_shmtx_unlock(&slab->mutex);

    return yielded;
}


ngx_voice_limit_row_t *
ngx_voice_limit_row_find(ngx_voice_limits_t *limits, const u_char *key,
    size_t len)
{
    return ngx_voice_limit_row_search(limits,
                                      ngx_murmur_hash2((u_char *) key, len),
                                      key, len);
}


ngx_voice_limit_row_t *
ngx_voice_limit_row(ngx_voice_main_conf_t *mcf,
    const ngx_voice_limit_bucket_t *bucket, int64_t now)
{
    uint32_t                hash;
    ngx_uint_t              tries;
    voice_limit_t           limit;
    ngx_voice_limits_t     *limits;
    ngx_voice_limit_row_t  *row;

    limits = mcf->shared->limits;
    hash = ngx_murmur_hash2((u_char *) bucket->key, bucket->len);
    row = ngx_voice_limit_row_search(limits, hash, bucket->key, bucket->len);

    if (row != NULL) {
        limit = row->bucket.limit;

        if (now - row->used > NGX_VOICE_LIMIT_RECENT) {
            row->used = now;
            ngx_queue_remove(&row->queue);
            ngx_queue_insert_head(&limits->recent, &row->queue);
        }

        if (limit.rate != bucket->rate.rate
            || limit.burst != bucket->rate.burst
            || limit.nodes != (int64_t) mcf->limit_nodes)
        {
            voice_limit_set(&limit, bucket->rate.rate, bucket->rate.burst,
                            mcf->limit_nodes);
            voice_bucket_set(&row->bucket, &limit);
        }

        return row;
    }

    row = ngx_slab_alloc_locked(mcf->slab, sizeof(ngx_voice_limit_row_t));

    for (tries = 0; row == NULL && tries < NGX_VOICE_LIMIT_EVICT; tries++) {
        (void) ngx_voice_limit_evict(limits, mcf->slab);
        row = ngx_slab_alloc_locked(mcf->slab, sizeof(ngx_voice_limit_row_t));
    }

    if (row == NULL) {
        return NULL;
    }

    row->node.key = hash;
    row->used = now;
    row->len = bucket->len;
    ngx_memcpy(row->key, bucket->key, bucket->len);

    voice_limit_set(&limit, bucket->rate.rate, bucket->rate.burst,
                    mcf->limit_nodes);
    voice_bucket_init(&row->bucket, &limit, now);

    ngx_rbtree_insert(&limits->rows, &row->node);
    ngx_queue_insert_head(&limits->recent, &row->queue);

    return row;
}


static ngx_voice_limit_row_t *
ngx_voice_limit_row_search(ngx_voice_limits_t *limits, uint32_t hash,
    const u_char *key, size_t len)
{
    ngx_int_t               rc;
    ngx_rbtree_node_t      *node;
    ngx_voice_limit_row_t  *row;

    node = limits->rows.root;

    while (node != limits->rows.sentinel) {

        if (hash != node->key) {
            node = hash < node->key ? node->left : node->right;
            continue;
        }

        row = (ngx_voice_limit_row_t *) node;
        rc = ngx_voice_limit_compare(row, key, len);

        if (rc == 0) {
            return row;
        }

        node = rc < 0 ? node->left : node->right;
    }

    return NULL;
}


static ngx_int_t
ngx_voice_limit_compare(const ngx_voice_limit_row_t *row, const u_char *key,
    size_t len)
{
    return ngx_memn2cmp((u_char *) key, (u_char *) row->key, len, row->len);
}


static void
ngx_voice_limit_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_int_t               left;
    ngx_rbtree_node_t     **p;
    ngx_voice_limit_row_t  *row, *other;

    row = (ngx_voice_limit_row_t *) node;

    for ( ;; ) {
        other = (ngx_voice_limit_row_t *) temp;

        left = node->key != temp->key
               ? node->key < temp->key
               : ngx_voice_limit_compare(other, row->key, row->len) < 0;

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


/* 0: there is none. */
static ngx_uint_t
ngx_voice_limit_evict(ngx_voice_limits_t *limits, ngx_slab_pool_t *slab)
{
    ngx_queue_t            *q;
    ngx_voice_limit_row_t  *row;

    if (ngx_queue_empty(&limits->recent)) {
        return 0;
    }

    q = ngx_queue_last(&limits->recent);
    row = ngx_queue_data(q, ngx_voice_limit_row_t, queue);

    ngx_queue_remove(q);
    ngx_rbtree_delete(&limits->rows, &row->node);
    ngx_slab_free_locked(slab, row);

    return 1;
}
