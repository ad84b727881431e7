
/*
 * nchan 1.3 keeps the addresses of its shared memory and settings in static
 * variables, which it sets while it reads a configuration, from the pool of
 * the new cycle.  If that cycle fails (a raw HUP with a broken file), nginx
 * frees the pool and goes on with the old cycle, but nchan's variables stay:
 * every process born later reads freed memory and dies, hundreds of times a
 * second.  So the master takes a copy of nchan's writable segments first and
 * puts it back when the pool of the new cycle dies before it was taken.
 *
 * What nchan holds on the heap must outlive the attempt, too: it frees the
 * addresses of its Redis servers first of all.  It is shown none, which costs
 * some hundred bytes a reload.
 *
 * Its timers keep the log of the cycle that is current while a configuration
 * is read, that is of the one before, whose pool dies when the new one is
 * taken; as soon as the freed bytes look like a debug level, a process dies
 * in the middle of a timer.  Meanwhile the current cycle shows a log of ours
 * that lives for ever and writes nothing.
 *
 * nchan also closes each descriptor of Redis that it loses twice: itself,
 * then by its hiredis.  In between it connects anew, gets the same number and
 * so closes the new one; two seconds later it closes that number again, by
 * then perhaps a client's or PostgreSQL's.  Its function that does the first
 * close is known to hiredis by a pointer in nchan's relocated data, which is
 * made to point to ours: hiredis alone closes.
 *
 * Where its connections go is the matter of ngx_voice_nchan_redis.c.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include "ngx_voice_nchan.h"


#define NGX_VOICE_NCHAN_OBJECT    "ngx_nchan_module.so"
#define NGX_VOICE_NCHAN_SERVERS   "redis_nodeset_count"
#define NGX_VOICE_NCHAN_CLEANUP   "redis_nginx_cleanup"
#define NGX_VOICE_NCHAN_SEGMENTS  4


typedef void (*ngx_voice_nchan_cleanup_pt)(void *connection);


typedef struct {
    u_char  *memory;
    u_char  *copy;
    size_t   len;
} ngx_voice_nchan_segment_t;


typedef struct {
    ngx_voice_nchan_segment_t  segments[NGX_VOICE_NCHAN_SEGMENTS];
    ngx_uint_t                 nsegments;
} ngx_voice_nchan_state_t;


static int ngx_voice_nchan_find(struct dl_phdr_info *info, size_t size,
    void *data);
static ngx_uint_t ngx_voice_nchan_is(const struct dl_phdr_info *info);
static void ngx_voice_nchan_restore(void *data);
static int ngx_voice_nchan_hook(struct dl_phdr_info *info, size_t size,
    void *data);
static void ngx_voice_nchan_point(struct dl_phdr_info *info, void *from,
    void *to);
static void ngx_voice_nchan_cleanup(void *data);
static void ngx_voice_nchan_hide_log(void);
static void ngx_voice_nchan_show_log(void);


/* The copy that is given back if its cycle fails; of the master only. */
static ngx_voice_nchan_state_t  *ngx_voice_nchan_pending;

/* Level 0: nothing is written. */
static ngx_log_t  ngx_voice_nchan_log;

/* The log of the current cycle while nchan is shown ours, else NULL. */
static ngx_log_t  *ngx_voice_nchan_hidden;

/* What nchan does when hiredis frees a connection. */
static ngx_voice_nchan_cleanup_pt  ngx_voice_nchan_original;


ngx_int_t
ngx_voice_nchan_guard(ngx_conf_t *cf)
{
    int                        *servers;
    ngx_uint_t                  i;
    ngx_pool_cleanup_t         *cln;
    ngx_voice_nchan_state_t    *state;
    ngx_voice_nchan_segment_t  *segment;

    cln = ngx_pool_cleanup_add(cf->cycle->pool,
                               sizeof(ngx_voice_nchan_state_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    state = cln->data;
    state->nsegments = 0;

    (void) dl_iterate_phdr(ngx_voice_nchan_find, state);

    for (i = 0; i < state->nsegments; i++) {
        segment = &state->segments[i];
        segment->copy = ngx_palloc(cf->cycle->pool, segment->len);
        if (segment->copy == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(segment->copy, segment->memory, segment->len);
    }

    if (ngx_voice_nchan_share() != NGX_OK) {
        return NGX_ERROR;
    }

    (void) dl_iterate_phdr(ngx_voice_nchan_hook, NULL);

    cln->handler = ngx_voice_nchan_restore;
    ngx_voice_nchan_pending = state;

    ngx_voice_nchan_hide_log();

    servers = dlsym(RTLD_DEFAULT, NGX_VOICE_NCHAN_SERVERS);
    if (servers != NULL) {
        *servers = 0;
    }

    return NGX_OK;
}


void
ngx_voice_nchan_taken(void)
{
    ngx_voice_nchan_pending = NULL;
    ngx_voice_nchan_show_log();
}


static void
ngx_voice_nchan_hide_log(void)
{
    ngx_cycle_t  *current;

    current = (ngx_cycle_t *) ngx_cycle;

    /* of the first of all cycles the log is static anyway */
    if (ngx_is_init_cycle(current) || ngx_voice_nchan_hidden != NULL) {
        return;
    }

    ngx_voice_nchan_hidden = current->log;
    current->log = &ngx_voice_nchan_log;
}


static void
ngx_voice_nchan_show_log(void)
{
    ngx_cycle_t  *current;

    current = (ngx_cycle_t *) ngx_cycle;

    if (ngx_voice_nchan_hidden != NULL) {
        current->log = ngx_voice_nchan_hidden;
        ngx_voice_nchan_hidden = NULL;
    }
}


/*
 * The writable segments of nchan's object (.data and .bss), without the part
 * that the loader made read-only after relocation (PT_GNU_RELRO).
 */

static int
ngx_voice_nchan_find(struct dl_phdr_info *info, size_t size, void *data)
{
    u_char                     *start, *end, *protected;
    ngx_uint_t                  i;
    const ElfW(Phdr)           *header;
    ngx_voice_nchan_state_t    *state = data;
    ngx_voice_nchan_segment_t  *segment;

    (void) size;

    if (!ngx_voice_nchan_is(info)) {
        return 0;
    }

    protected = NULL;

    for (i = 0; i < info->dlpi_phnum; i++) {
        header = &info->dlpi_phdr[i];
        if (header->p_type == PT_GNU_RELRO) {
            protected = (u_char *) info->dlpi_addr + header->p_vaddr
                        + header->p_memsz;
        }
    }

    for (i = 0; i < info->dlpi_phnum; i++) {
        header = &info->dlpi_phdr[i];

        if (header->p_type != PT_LOAD || (header->p_flags & PF_W) == 0
            || state->nsegments == NGX_VOICE_NCHAN_SEGMENTS)
        {
            continue;
        }

        start = (u_char *) info->dlpi_addr + header->p_vaddr;
        end = start + header->p_memsz;

        if (protected > start && protected < end) {
            start = protected;
        }

        segment = &state->segments[state->nsegments++];
        segment->memory = start;
        segment->len = end - start;
    }

    return 1;
}


static ngx_uint_t
ngx_voice_nchan_is(const struct dl_phdr_info *info)
{
    size_t  len;

    static const size_t  size = sizeof(NGX_VOICE_NCHAN_OBJECT) - 1;

    len = ngx_strlen(info->dlpi_name);

    return len >= size
           && ngx_strcmp(info->dlpi_name + len - size, NGX_VOICE_NCHAN_OBJECT)
              == 0;
}


static void
ngx_voice_nchan_restore(void *data)
{
    ngx_uint_t                  i;
    ngx_voice_nchan_state_t    *state = data;
    ngx_voice_nchan_segment_t  *segment;

    if (ngx_voice_nchan_pending != state) {
        return;
    }

    ngx_voice_nchan_pending = NULL;
    ngx_voice_nchan_show_log();

    for (i = 0; i < state->nsegments; i++) {
        segment = &state->segments[i];
        ngx_memcpy(segment->memory, segment->copy, segment->len);
    }
}


/* Once is enough: nchan stays loaded over reloads. */
static int
ngx_voice_nchan_hook(struct dl_phdr_info *info, size_t size, void *data)
{
    if (!ngx_voice_nchan_is(info) || ngx_voice_nchan_original != NULL) {
        return 0;
    }

    ngx_voice_nchan_original = (ngx_voice_nchan_cleanup_pt)
                               dlsym(RTLD_DEFAULT, NGX_VOICE_NCHAN_CLEANUP);

    if (ngx_voice_nchan_original == NULL) {
        return 1;
    }

    ngx_voice_nchan_point(info, (void *) ngx_voice_nchan_original,
                          (void *) ngx_voice_nchan_cleanup);
    ngx_voice_nchan_point(info, (void *) connect,
                          (void *) ngx_voice_nchan_connect);

    return 1;
}


/* Looks through what was made read-only after relocation for a pointer. */
static void
ngx_voice_nchan_point(struct dl_phdr_info *info, void *from, void *to)
{
    void              **slot, **end;
    size_t              page;
    u_char             *start;
    ngx_uint_t          i;
    const ElfW(Phdr)   *header;

    page = (size_t) sysconf(_SC_PAGESIZE);

    for (i = 0; i < info->dlpi_phnum; i++) {
        header = &info->dlpi_phdr[i];

        if (header->p_type != PT_GNU_RELRO) {
            continue;
        }

        start = (u_char *) info->dlpi_addr + header->p_vaddr;
        slot = (void **) start;
        end = (void **) (start + header->p_memsz);

        while (slot < end && *slot != from) {
            slot++;
        }

        start = (u_char *) ((uintptr_t) slot & ~(uintptr_t) (page - 1));

        if (slot < end && mprotect(start, page, PROT_READ|PROT_WRITE) == 0) {
            *slot = to;
            (void) mprotect(start, page, PROT_READ);
        }
    }
}


/* ngx_close_connection() without the close: nchan then does not, either. */
static void
ngx_voice_nchan_cleanup(void *data)
{
    ngx_connection_t  *c = data;

    if (c != NULL && c->fd != (ngx_socket_t) -1) {
        (void) ngx_del_conn(c, NGX_CLOSE_EVENT);

        if (c->read->posted) {
            ngx_delete_posted_event(c->read);
        }

        if (c->write->posted) {
            ngx_delete_posted_event(c->write);
        }

        c->read->closed = 1;
        c->write->closed = 1;
        c->fd = (ngx_socket_t) -1;
    }

    ngx_voice_nchan_original(data);
}
