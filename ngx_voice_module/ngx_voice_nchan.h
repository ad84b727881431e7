
/*
 * Keeps nchan's process-wide state whole when a reload fails, and its hands
 * off descriptors that are no longer its own.
 */

#ifndef NGX_VOICE_NCHAN_H
#define NGX_VOICE_NCHAN_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "voice_endpoint.h"


/*
 * Remembers nchan's writable memory and gives it back if the configuration
 * that is being read comes to nothing; lets only its hiredis close.  To be
 * called before nchan sees the configuration: from our create_main_conf, our
 * module being loaded before nchan's.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_voice_nchan_guard(ngx_conf_t *cf);

/* The configuration is taken: to be called from init_module. */
void ngx_voice_nchan_taken(void);

/*
 * ngx_voice_nchan_redis.c: memory for the master's address, before processes
 * are made.  NGX_ERROR: there is none.
 */
ngx_int_t ngx_voice_nchan_share(void);
/*
 * The master of Redis is this one now: nchan goes there where it was told to
 * go to 192.0.2.1 or 2001:db8::1.  What it has of the kind with another one,
 * in this process, is cut.
 */
void ngx_voice_nchan_moved(const voice_endpoint_t *now);
/* In the place of nchan's connect(). */
int ngx_voice_nchan_connect(int fd, const struct sockaddr *address,
    socklen_t len);


#endif /* NGX_VOICE_NCHAN_H */
