
/*
 * Digests of credentials, without computing one twice.  Knows no HTTP.
 */

#ifndef NGX_VOICE_RECENT_H
#define NGX_VOICE_RECENT_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "voice_code.h"


/* The SHA-256 of a credential; NGX_ERROR: OpenSSL failed. */
ngx_int_t ngx_voice_recent_key(u_char key[VOICE_SHA256_LEN],
    voice_span_t text);


#endif /* NGX_VOICE_RECENT_H */
