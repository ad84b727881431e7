
/*
 * The shared zone of issuers: of one size whatever is configured, so that
 * every reload keeps it.  An issuer finds its row by a digest of its name and
 * source.
 */

#include "ngx_voice_jwks_private.h"


#define NGX_VOICE_JWKS_ZONE  (8 * 1024 * 1024)
#define NGX_VOICE_JWKS_ROWS  (NGX_VOICE_ISSUERS_MAX * 2)


static ngx_int_t ngx_voice_jwks_zone_init(ngx_shm_zone_t *zone, void *data);
static ngx_voice_jwks_row_t *ngx_voice_jwks_row_get(
    ngx_voice_jwks_row_t *rows, ngx_array_t *issuers,
    ngx_voice_issuer_t *issuer);
static ngx_uint_t ngx_voice_jwks_row_wanted(const ngx_voice_jwks_row_t *row,
    ngx_array_t *issuers);


ngx_int_t
ngx_voice_jwks_configure(ngx_conf_t *cf, ngx_array_t *issuers,
    const ngx_str_t *own)
{
    ngx_str_t            name = ngx_string("voice_issuers");
    ngx_uint_t           i;
    ngx_shm_zone_t      *zone;
    ngx_voice_issuer_t  *issuer;

    if (issuers == NULL) {
        return NGX_OK;
    }

    if (ngx_voice_issuer_find(issuers, voice_span((char *) own->data,
                                                  own->len))
        != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"voice_jwt_issuer\": \"%V\" is "
                           "\"voice_token_issuer\", our own", own);
        return NGX_ERROR;
    }

    zone = ngx_shared_memory_add(cf, &name, NGX_VOICE_JWKS_ZONE,
                                 &ngx_voice_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_voice_jwks_zone_init;
    zone->data = issuers;

    issuer = issuers->elts;

    for (i = 0; i < issuers->nelts; i++) {
        issuer[i].zone = zone;
    }

    return NGX_OK;
}


/* data is the list of issuers that had the zone before a reload. */
static ngx_int_t
ngx_voice_jwks_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_uint_t             i;
    ngx_array_t           *issuers;
    ngx_slab_pool_t       *slab;
    ngx_voice_issuer_t    *issuer;
    ngx_voice_jwks_row_t  *rows;

    issuers = zone->data;
    slab = (ngx_slab_pool_t *) zone->shm.addr;

    if (data == NULL && !zone->shm.exists) {
        slab->log_nomem = 0;
        slab->data = ngx_slab_calloc(slab, NGX_VOICE_JWKS_ROWS
                                           * sizeof(ngx_voice_jwks_row_t));
    }

    rows = slab->data;
    if (rows == NULL) {
        return NGX_ERROR;
    }

    issuer = issuers->elts;

    for (i = 0; i < issuers->nelts; i++) {
        if (issuer[i].url.len == 0 && issuer[i].file.len == 0) {
            continue;
        }

        issuer[i].row = ngx_voice_jwks_row_get(rows, issuers, &issuer[i]);

        /* somebody wants keys out: what does the set have now? */

        if (issuer[i].url.len != 0 && issuer[i].overlap == 0) {
            issuer[i].row->next = ngx_current_msec;
        }

        /* the configuration has just read it, as a user who may */

        if (issuer[i].file.len != 0
            && ngx_voice_jwks_publish(&issuer[i],
                   voice_span((char *) issuer[i].text.data,
                              issuer[i].text.len),
                   0, zone->shm.log)
               == NGX_OK)
        {
            issuer[i].row->mtime = issuer[i].mtime;
            issuer[i].row->size = issuer[i].size;
        }
    }

    return NGX_OK;
}


/* Its own, a free one, or that of an issuer which is gone; never NULL. */
static ngx_voice_jwks_row_t *
ngx_voice_jwks_row_get(ngx_voice_jwks_row_t *rows, ngx_array_t *issuers,
    ngx_voice_issuer_t *issuer)
{
    ngx_uint_t             i;
    ngx_slab_pool_t       *slab;
    ngx_voice_jwks_row_t  *row;

    row = NULL;

    for (i = 0; i < NGX_VOICE_JWKS_ROWS; i++) {
        if (rows[i].used && ngx_memcmp(rows[i].source, issuer->source,
                                       VOICE_SHA256_LEN)
                            == 0)
        {
            return &rows[i];
        }

        /* there are twice as many rows as issuers */

        if (!rows[i].used ? row == NULL || row->used
            : row == NULL && !ngx_voice_jwks_row_wanted(&rows[i], issuers))
        {
            row = &rows[i];
        }
    }

    slab = (ngx_slab_pool_t *) issuer->zone->shm.addr;

    ngx_shmtx_lock(&slab->mutex);

    if (row->text != NULL) {
        ngx_slab_free_locked(slab, row->text);
    }

    ngx_memzero(row, sizeof(ngx_voice_jwks_row_t));
    ngx_memcpy(row->source, issuer->source, VOICE_SHA256_LEN);
    row->used = 1;
    row->next = ngx_current_msec;

    ngx_shmtx_unlock(&slab->mutex);

    return row;
}


static ngx_uint_t
ngx_voice_jwks_row_wanted(const ngx_voice_jwks_row_t *row,
    ngx_array_t *issuers)
{
    ngx_uint_t           i;
    ngx_voice_issuer_t  *issuer;

    issuer = issuers->elts;

    for (i = 0; i < issuers->nelts; i++) {
        if (ngx_memcmp(row->source, issuer[i].source, VOICE_SHA256_LEN) == 0)
        {
            return 1;
        }
    }

    return 0;
}
