
/*
 * Tokens that a request holds while it waits for another bucket: they count
 * as on their way, and are good no longer than such.
 */

#include "ngx_voice_limit.h"


#define NGX_VOICE_LIMIT_ROUNDS  3          /* then Redis is too slow */


static void ngx_voice_limit_return(ngx_voice_main_conf_t *mcf,
    ngx_voice_limit_t *limit, int64_t now);


ngx_int_t
ngx_voice_limit_renew(ngx_voice_main_conf_t *mcf, ngx_voice_limit_t *limit,
    int64_t now)
{
    ngx_uint_t                 i;
    ngx_voice_limit_row_t     *row;
    ngx_voice_limit_bucket_t  *bucket;

    for (i = 0; i < limit->at; i++) {
        bucket = &limit->buckets[i];

        if (now <= bucket->good) {
            continue;
        }

        row = ngx_voice_limit_row_find(mcf->shared->limits, bucket->key,
                                       bucket->len);

        if (row == NULL
            || voice_bucket_take_alone(&row->bucket,
                                       &mcf->shared->limits->node, now)
               != 0)
        {
            ngx_voice_limit_return(mcf, limit, now);
            return ++limit->rounds < NGX_VOICE_LIMIT_ROUNDS ? NGX_OK
                                                            : NGX_DECLINED;
        }

        bucket->good = voice_limit_good(&row->bucket.limit, now);
    }

    return NGX_OK;
}


void
ngx_voice_limit_give_back(ngx_voice_main_conf_t *mcf,
    ngx_voice_limit_t *limit)
{
    if (limit->at == 0) {
        return;
    }

    ngx_shmtx_lock(&mcf->slab->mutex);
    ngx_voice_limit_return(mcf, limit, ngx_voice_limit_now());
    ngx_shmtx_unlock(&mcf->slab->mutex);
}


static void
ngx_voice_limit_return(ngx_voice_main_conf_t *mcf, ngx_voice_limit_t *limit,
    int64_t now)
{
    ngx_uint_t              i;
    ngx_voice_limit_row_t  *row;

    for (i = 0; i < limit->at; i++) {

        if (now > limit->buckets[i].good) {
            continue;
        }

        row = ngx_voice_limit_row_find(mcf->shared->limits,
                                       limit->buckets[i].key,
                                       limit->buckets[i].len);
        if (row != NULL) {
            voice_bucket_give_back(&row->bucket);
        }
    }

    limit->at = 0;
}
