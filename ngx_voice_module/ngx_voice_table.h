
/*
 * A table of fixed-size records in shared memory: set-associative, so that
 * it never fills, allocates or grows.  A reader takes no lock; writers hold
 * the mutex of the zone, which nginx frees if one of them dies.
 */

#ifndef NGX_VOICE_TABLE_H
#define NGX_VOICE_TABLE_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_VOICE_TABLE_KEY  32            /* bytes of a key: a digest */
#define NGX_VOICE_TABLE_WAYS  8            /* records of a set */


typedef struct {
    ngx_uint_t   nsets;
    size_t       size;                     /* bytes of a record */
    size_t       slot;                     /* ... with its key and state */
    u_char      *slots;
} ngx_voice_table_t;


/*
 * A table of records of size bytes in about so many bytes of a new zone;
 * NULL: the zone is full.
 */
ngx_voice_table_t *ngx_voice_table_create(ngx_slab_pool_t *slab,
    size_t bytes, size_t size);

/* How many records there is room for. */
ngx_uint_t ngx_voice_table_room(const ngx_voice_table_t *table);

/* How many there are, by now. */
ngx_uint_t ngx_voice_table_used(const ngx_voice_table_t *table);

/* Copies the record out; NGX_DECLINED: there is none. */
ngx_int_t ngx_voice_table_get(ngx_voice_table_t *table,
    const u_char key[NGX_VOICE_TABLE_KEY], void *record);

/*
 * Stores a copy, over an older one of this key or one that was not read
 * lately.
 */
void ngx_voice_table_put(ngx_voice_table_t *table, ngx_slab_pool_t *slab,
    const u_char key[NGX_VOICE_TABLE_KEY], const void *record);


#endif /* NGX_VOICE_TABLE_H */
