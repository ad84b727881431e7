
/*
 * Keeps nchan's process-wide state whole when a reload fails, and its hands
 * off descriptors that are no longer its own.
 */

#ifndef NGX_VOICE_NCHAN_H
#define NGX_VOICE_NCHAN_H


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Remembers nchan's writable memory and gives it back if the configuration
 * that is being read comes to nothing; lets only its hiredis close.  To be
 * called before nchan sees the configuration: from our create_main_conf, our
 * module being loaded before nchan's.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_voice_nchan_guard(ngx_conf_t *cf);

/* The configuration is taken: to be called from init_module. */
void ngx_voice_nchan_taken(void);


#endif /* NGX_VOICE_NCHAN_H */
