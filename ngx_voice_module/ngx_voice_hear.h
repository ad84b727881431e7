
/*
 * Which live channels somebody listens to, on whatever node, and how often a
 * call was told of: nothing is made for nobody, and no call fills the line.
 *
 * Both lie in shared memory.  A listener's process marks its channels again
 * and again; a mark runs out by itself, so that nobody has to be told of a
 * process that died.
 */

#ifndef NGX_VOICE_HEAR_H
#define NGX_VOICE_HEAR_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_VOICE_HEAR_LIFE  5000          /* ms that a mark is good for */
#define NGX_VOICE_PACE_MAX   20            /* times a second */


typedef struct ngx_voice_hear_s  ngx_voice_hear_t;


/* Of about so many bytes of a new zone; NULL: the zone is full. */
ngx_voice_hear_t *ngx_voice_hear_create(ngx_slab_pool_t *slab, size_t bytes);

/* What a name is known by. */
uint64_t ngx_voice_hear_key(const u_char *name, size_t len);

/* Somebody listens to it for NGX_VOICE_HEAR_LIFE from now on. */
void ngx_voice_hear_mark(ngx_voice_hear_t *hear, ngx_slab_pool_t *slab,
    uint64_t key);

/* Does anybody listen to anything; to this? */
ngx_uint_t ngx_voice_heard_any(const ngx_voice_hear_t *hear);
ngx_uint_t ngx_voice_heard(const ngx_voice_hear_t *hear, uint64_t key);

/*
 * May what key names be told of now?  At most NGX_VOICE_PACE_MAX times in any
 * second and node, half of these at once; then gap ms (50 at least) apart.
 */
ngx_uint_t ngx_voice_pace(ngx_voice_hear_t *hear, uint64_t key,
    ngx_msec_t gap);


#endif /* NGX_VOICE_HEAR_H */
