
/*
 * The memory of one job: taken piece by piece, released whole when the job
 * has ended.  What is not memory (a file, a decoder) is given a cleanup.
 */

#ifndef WORKER_ARENA_H
#define WORKER_ARENA_H


#include "../lib/voice_base.h"


#define WORKER_ARENA_MAX  (256u << 20)   /* bytes of one arena */


typedef struct worker_arena_s  worker_arena_t;

typedef void (*worker_cleanup_pt)(void *data);


/* NULL: out of memory. */
worker_arena_t *worker_arena_create(void);
/* Runs the cleanups, last one first, then frees all memory. */
void worker_arena_destroy(worker_arena_t *arena);

/* Zeroed, aligned for any type; NULL: out of memory or over the limit. */
void *worker_arena_alloc(worker_arena_t *arena, size_t size)
    VOICE_MUST_CHECK;
/* A NUL terminated copy; NULL as above. */
char *worker_arena_copy(worker_arena_t *arena, voice_span_t text)
    VOICE_MUST_CHECK;
/* NULL as above. */
char *worker_arena_printf(worker_arena_t *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3))) VOICE_MUST_CHECK;

/*
 * Registers a cleanup for data.  VOICE_NOMEM: the cleanup has been run at
 * once, data is gone.
 */
voice_rc_t worker_arena_defer(worker_arena_t *arena,
    worker_cleanup_pt cleanup, void *data) VOICE_MUST_CHECK;


#endif /* WORKER_ARENA_H */
