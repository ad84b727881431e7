
/*
 * The memory of one job: blocks in a list, cleanups in another.
 */

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker_arena.h"


#define ARENA_BLOCK  (16u << 10)       /* bytes of a common block */


typedef struct arena_block_s    arena_block_t;
typedef struct arena_cleanup_s  arena_cleanup_t;


struct arena_block_s {
    arena_block_t  *next;
    size_t          size;
    size_t          used;
    alignas(max_align_t) unsigned char  bytes[];
};


struct arena_cleanup_s {
    arena_cleanup_t   *next;
    worker_cleanup_pt  cleanup;
    void              *data;
};


struct worker_arena_s {
    arena_block_t    *blocks;
    arena_cleanup_t  *cleanups;
    size_t            total;
};


static arena_block_t *arena_grow(worker_arena_t *arena, size_t size);


worker_arena_t *
worker_arena_create(void)
{
    return calloc(1, sizeof(worker_arena_t));
}


void
worker_arena_destroy(worker_arena_t *arena)
{
    arena_block_t    *block, *next;
    arena_cleanup_t  *c;

    if (arena == NULL) {
        return;
    }

    for (c = arena->cleanups; c != NULL; c = c->next) {
        c->cleanup(c->data);
    }

    for (block = arena->blocks; block != NULL; block = next) {
        next = block->next;
        free(block);
    }

    free(arena);
}


void *
worker_arena_alloc(worker_arena_t *arena, size_t size)
{
    void           *p;
    arena_block_t  *block;

    if (size > WORKER_ARENA_MAX) {
        return NULL;
    }

    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    block = arena->blocks;

    if (block == NULL || block->size - block->used < size) {
        block = arena_grow(arena, size);
        if (block == NULL) {
            return NULL;
        }
    }

    p = block->bytes + block->used;
    block->used += size;

    return p;
}


char *
worker_arena_copy(worker_arena_t *arena, voice_span_t text)
{
    char  *p;

    if (text.len >= WORKER_ARENA_MAX) {
        return NULL;
    }

    p = worker_arena_alloc(arena, text.len + 1);
    if (p != NULL && text.len > 0) {
        memcpy(p, text.ptr, text.len);
    }

    return p;
}


char *
worker_arena_printf(worker_arena_t *arena, const char *format, ...)
{
    int      n;
    char    *p;
    va_list  args;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);

    if (n < 0) {
        return NULL;
    }

    p = worker_arena_alloc(arena, (size_t) n + 1);
    if (p == NULL) {
        return NULL;
    }

    va_start(args, format);
    vsnprintf(p, (size_t) n + 1, format, args);
    va_end(args);

    return p;
}


voice_rc_t
worker_arena_defer(worker_arena_t *arena, worker_cleanup_pt cleanup,
    void *data)
{
    arena_cleanup_t  *c;

    c = worker_arena_alloc(arena, sizeof(arena_cleanup_t));
    if (c == NULL) {
        cleanup(data);
        return VOICE_NOMEM;
    }

    c->cleanup = cleanup;
    c->data = data;
    c->next = arena->cleanups;
    arena->cleanups = c;

    return VOICE_OK;
}


static arena_block_t *
arena_grow(worker_arena_t *arena, size_t size)
{
    size_t          room;
    arena_block_t  *block;

    room = size > ARENA_BLOCK ? size : ARENA_BLOCK;

    if (arena->total + room > WORKER_ARENA_MAX) {
        return NULL;
    }

    block = calloc(1, sizeof(arena_block_t) + room);
    if (block == NULL) {
        return NULL;
    }

    block->size = room;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->total += room;

    return block;
}
