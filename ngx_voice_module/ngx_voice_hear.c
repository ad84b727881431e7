
/*
 * Marks are read without a lock: a slot's key is written after its time ran
 * out, and one of another name at worst publishes for nobody.
 */

#include "ngx_voice_hear.h"
#include "ngx_voice_zone.h"


#define NGX_VOICE_HEAR_WAYS   8            /* slots that a key may have */
#define NGX_VOICE_PACE_TRIES  16
#define NGX_VOICE_PACE_ONCE   (NGX_VOICE_PACE_MAX / 2)
#define NGX_VOICE_SECOND      1000


typedef struct {
    uint64_t      key;
    ngx_atomic_t  until;                   /* ngx_current_msec */
} ngx_voice_hear_slot_t;


typedef struct {
    ngx_atomic_t  lock;                    /* pid of who has it */
    uint64_t      key;
    uint32_t      last;                    /* index of the latest time */
    uint32_t      times[NGX_VOICE_PACE_MAX];   /* ms, low bits */
} ngx_voice_pace_t;


struct ngx_voice_hear_s {
    ngx_atomic_t            any;           /* until, of the latest mark */
    ngx_atomic_t            all;           /* until: no slot was free */
    ngx_uint_t              nslots;        /* a power of two, and more */
    ngx_voice_hear_slot_t  *slots;
    ngx_uint_t              npaces;
    ngx_voice_pace_t       *paces;
};


static ngx_uint_t ngx_voice_hear_over(ngx_atomic_uint_t until);
static ngx_uint_t ngx_voice_pace_lock(ngx_voice_pace_t *pace);
static ngx_uint_t ngx_voice_pace_allows(ngx_voice_pace_t *pace, uint64_t key,
    ngx_msec_t gap);


ngx_voice_hear_t *
ngx_voice_hear_create(ngx_slab_pool_t *slab, size_t bytes)
{
    ngx_voice_hear_t  *hear;

    hear = ngx_slab_calloc(slab, sizeof(ngx_voice_hear_t));
    if (hear == NULL) {
        return NULL;
    }

    hear->nslots = bytes / 2 / sizeof(ngx_voice_hear_slot_t);
    hear->npaces = bytes / 2 / sizeof(ngx_voice_pace_t);

    hear->slots = ngx_slab_calloc(slab, (hear->nslots + NGX_VOICE_HEAR_WAYS)
                                        * sizeof(ngx_voice_hear_slot_t));
    hear->paces = ngx_slab_calloc(slab, hear->npaces
                                        * sizeof(ngx_voice_pace_t));

    return hear->slots == NULL || hear->paces == NULL ? NULL : hear;
}


/* FNV-1a. */
uint64_t
ngx_voice_hear_key(const u_char *name, size_t len)
{
    size_t    i;
    uint64_t  key;

    key = 0xcbf29ce484222325u;

    for (i = 0; i < len; i++) {
        key = (key ^ name[i]) * 0x100000001b3u;
    }

    return key;
}


void
ngx_voice_hear_mark(ngx_voice_hear_t *hear, ngx_slab_pool_t *slab,
    uint64_t key)
{
    ngx_uint_t              i;
    ngx_msec_t              until;
    ngx_voice_hear_slot_t  *slot, *found;

    until = ngx_current_msec + NGX_VOICE_HEAR_LIFE;
    slot = &hear->slots[key % hear->nslots];
    found = NULL;

    ngx_shmtx_lock(&slab->mutex);

    for (i = 0; i < NGX_VOICE_HEAR_WAYS; i++) {

        if (slot[i].key == key) {
            found = &slot[i];
            break;
        }

        if (found == NULL && ngx_voice_hear_over(slot[i].until)) {
            found = &slot[i];
        }
    }

    if (found == NULL) {
        hear->all = until;

    } else {
        found->key = key;
        ngx_memory_barrier();
        found->until = until;
    }

    hear->any = until;

    ngx_shmtx_unlock(&slab->mutex);
}


ngx_uint_t
ngx_voice_heard_any(const ngx_voice_hear_t *hear)
{
    return !ngx_voice_hear_over(hear->any);
}


ngx_uint_t
ngx_voice_heard(const ngx_voice_hear_t *hear, uint64_t key)
{
    ngx_uint_t                    i;
    const ngx_voice_hear_slot_t  *slot;

    slot = &hear->slots[key % hear->nslots];

    for (i = 0; i < NGX_VOICE_HEAR_WAYS; i++) {
        if (slot[i].key == key && !ngx_voice_hear_over(slot[i].until)) {
            return 1;
        }
    }

    return !ngx_voice_hear_over(hear->all);
}


ngx_uint_t
ngx_voice_pace(ngx_voice_hear_t *hear, uint64_t key, ngx_msec_t gap)
{
    ngx_uint_t         allowed;
    ngx_voice_pace_t  *pace;

    pace = &hear->paces[key % hear->npaces];

    if (!ngx_voice_pace_lock(pace)) {
        return 0;
    }

    allowed = ngx_voice_pace_allows(pace, key, gap);

    ngx_memory_barrier();
    pace->lock = 0;

    return allowed;
}


/* 0 is the time of what was never marked. */
static ngx_uint_t
ngx_voice_hear_over(ngx_atomic_uint_t until)
{
    return until == 0 || (ngx_msec_int_t) (until - ngx_current_msec) <= 0;
}


/* Held for some nanoseconds, unless its holder was killed meanwhile. */
static ngx_uint_t
ngx_voice_pace_lock(ngx_voice_pace_t *pace)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  pid;

    for (i = 0; i < NGX_VOICE_PACE_TRIES; i++) {
        if (ngx_atomic_cmp_set(&pace->lock, 0, ngx_pid)) {
            return 1;
        }

        ngx_cpu_pause();
    }

    pid = pace->lock;

    return pid != 0 && !ngx_voice_process_alive(pid)
           && ngx_atomic_cmp_set(&pace->lock, pid, ngx_pid);
}


/*
 * Two names may share a row: the one of now takes it over once the other has
 * been silent for a second, until then they share the rate.
 */
static ngx_uint_t
ngx_voice_pace_allows(ngx_voice_pace_t *pace, uint64_t key, ngx_msec_t gap)
{
    uint32_t    now, latest, oldest, middle;
    ngx_uint_t  i;

    now = (uint32_t) ngx_current_msec;
    latest = now - pace->times[pace->last];

    if (pace->key != key && (pace->key == 0 || latest >= NGX_VOICE_SECOND)) {
        pace->key = key;

        for (i = 0; i < NGX_VOICE_PACE_MAX; i++) {
            pace->times[i] = now - 2 * NGX_VOICE_SECOND;
        }

        latest = 2 * NGX_VOICE_SECOND;
    }

    i = (pace->last + 1) % NGX_VOICE_PACE_MAX;
    oldest = now - pace->times[i];
    middle = now - pace->times[(pace->last + 1 + NGX_VOICE_PACE_MAX
                                - NGX_VOICE_PACE_ONCE)
                               % NGX_VOICE_PACE_MAX];

    if (oldest < NGX_VOICE_SECOND
        || (middle < NGX_VOICE_SECOND && latest < gap))
    {
        return 0;
    }

    pace->times[i] = now;
    pace->last = i;

    return 1;
}
