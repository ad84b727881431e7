
/*
 * The table: sets of slots, each guarded by a sequence number that is odd
 * while its record is written.  A writer that dies leaves an odd number:
 * readers pass the slot by, the next writer that needs it takes it over.
 */

#include "ngx_voice_table.h"


typedef struct {
    ngx_atomic_t  sequence;                /* 0: never used; odd: written */
    ngx_atomic_t  read;                    /* since a writer looked */
    u_char        key[NGX_VOICE_TABLE_KEY];
    /* the record follows */
} ngx_voice_slot_t;


static ngx_voice_slot_t *ngx_voice_table_slot(const ngx_voice_table_t *table,
    const u_char *key, ngx_uint_t way);
static ngx_voice_slot_t *ngx_voice_table_victim(ngx_voice_table_t *table,
    const u_char *key);


ngx_voice_table_t *
ngx_voice_table_create(ngx_slab_pool_t *slab, size_t bytes, size_t size)
{
    size_t              slot;
    ngx_uint_t          nsets;
    ngx_voice_table_t  *table;

    slot = ngx_align(sizeof(ngx_voice_slot_t) + size, sizeof(uint64_t));
    nsets = ngx_max(bytes / (slot * NGX_VOICE_TABLE_WAYS), 1);

    table = ngx_slab_calloc(slab, sizeof(ngx_voice_table_t));
    if (table == NULL) {
        return NULL;
    }

    table->slots = ngx_slab_calloc(slab,
                                   nsets * NGX_VOICE_TABLE_WAYS * slot);
    if (table->slots == NULL) {
        return NULL;
    }

    table->nsets = nsets;
    table->size = size;
    table->slot = slot;

    return table;
}


ngx_uint_t
ngx_voice_table_room(const ngx_voice_table_t *table)
{
    return table->nsets * NGX_VOICE_TABLE_WAYS;
}


ngx_uint_t
ngx_voice_table_used(const ngx_voice_table_t *table)
{
    ngx_uint_t               i, used;
    const ngx_voice_slot_t  *slot;

    used = 0;

    for (i = 0; i < ngx_voice_table_room(table); i++) {
        slot = (ngx_voice_slot_t *) (table->slots + i * table->slot);
        used += slot->sequence != 0;
    }

    return used;
}


ngx_int_t
ngx_voice_table_get(ngx_voice_table_t *table,
    const u_char key[NGX_VOICE_TABLE_KEY], void *record)
{
    ngx_uint_t          way;
    ngx_voice_slot_t   *slot;
    ngx_atomic_uint_t   before;

    for (way = 0; way < NGX_VOICE_TABLE_WAYS; way++) {
        slot = ngx_voice_table_slot(table, key, way);
        before = slot->sequence;
        ngx_memory_barrier();

        if (before == 0 || before % 2 != 0
            || ngx_memcmp(slot->key, key, NGX_VOICE_TABLE_KEY) != 0)
        {
            continue;
        }

        ngx_memcpy(record, slot + 1, table->size);
        ngx_memory_barrier();

        if (slot->sequence != before) {
            return NGX_DECLINED;
        }

        /* the line stays shared while nothing changes */
        if (slot->read == 0) {
            slot->read = 1;
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


void
ngx_voice_table_put(ngx_voice_table_t *table, ngx_slab_pool_t *slab,
    const u_char key[NGX_VOICE_TABLE_KEY], const void *record)
{
    ngx_voice_slot_t  *slot;

    ngx_shmtx_lock(&slab->mutex);

    slot = ngx_voice_table_victim(table, key);

    slot->sequence |= 1;
    ngx_memory_barrier();

    ngx_memcpy(slot->key, key, NGX_VOICE_TABLE_KEY);
    ngx_memcpy(slot + 1, record, table->size);
    slot->read = 1;

    ngx_memory_barrier();
    slot->sequence++;

    ngx_shmtx_unlock(&slab->mutex);
}


/* Keys are digests, or random for the most part: a multiply spreads them. */
static ngx_voice_slot_t *
ngx_voice_table_slot(const ngx_voice_table_t *table, const u_char *key,
    ngx_uint_t way)
{
    uint64_t    word[2];
    ngx_uint_t  set;

    ngx_memcpy(word, key, sizeof(word));
    word[0] = (word[0] ^ word[1] * 0x9e3779b97f4a7c15u)
              * 0xbf58476d1ce4e5b9u;
    set = (word[0] >> 24) % table->nsets;

    return (ngx_voice_slot_t *)
           (table->slots + (set * NGX_VOICE_TABLE_WAYS + way) * table->slot);
}


/* The key's own slot, a free one, or the first that nobody read; then all
 * begin anew. */
static ngx_voice_slot_t *
ngx_voice_table_victim(ngx_voice_table_t *table, const u_char *key)
{
    ngx_uint_t         way;
    ngx_voice_slot_t  *slot, *victim;

    victim = NULL;

    for (way = 0; way < NGX_VOICE_TABLE_WAYS; way++) {
        slot = ngx_voice_table_slot(table, key, way);

        if (slot->sequence != 0
            && ngx_memcmp(slot->key, key, NGX_VOICE_TABLE_KEY) == 0)
        {
            return slot;
        }

        if (victim == NULL && (slot->sequence == 0 || slot->read == 0)) {
            victim = slot;
        }
    }

    if (victim != NULL) {
        return victim;
    }

    for (way = 0; way < NGX_VOICE_TABLE_WAYS; way++) {
        ngx_voice_table_slot(table, key, way)->read = 0;
    }

    /* the low bits of the time are as good as a die */
    return ngx_voice_table_slot(table, key,
                                ngx_current_msec % NGX_VOICE_TABLE_WAYS);
}
