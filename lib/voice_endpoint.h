
/*
 * Lists of servers: where each one is, by address, never by name.
 */

#ifndef VOICE_ENDPOINT_H
#define VOICE_ENDPOINT_H


#include "voice_base.h"


#define VOICE_ENDPOINTS_MAX  16
#define VOICE_ENDPOINT_HOST  108       /* bytes, with NUL: a socket's path */
#define VOICE_ENDPOINT_TEXT  120       /* bytes of one as text, with NUL */


typedef struct {
    char  host[VOICE_ENDPOINT_HOST];   /* IP address, or path from "/" on */
    int   port;                        /* 1 .. 65535; 0: none was given */
} voice_endpoint_t;


typedef struct {
    voice_endpoint_t  at[VOICE_ENDPOINTS_MAX];
    unsigned          n;
} voice_endpoints_t;


/*
 * "10.0.0.1:6379, [::1]:6379, 10.0.0.2, ::1, /run/redis.sock": split by
 * commas, white space around them; an IPv6 address with a port is in brackets
 * (RFC 3986), a path has no port.  VOICE_INVALID: one is none of these, or
 * there is none; VOICE_LIMIT: too many, or a path is too long.
 */
voice_rc_t voice_endpoints_parse(voice_span_t text, voice_endpoints_t *list)
    VOICE_MUST_CHECK;

/* Gives those without a port this one. */
void voice_endpoints_port(voice_endpoints_t *list, int port);

/* Is it the path of a socket? */
int voice_endpoint_local(const voice_endpoint_t *endpoint);

/* As it would be written in a list. */
void voice_endpoint_text(const voice_endpoint_t *endpoint,
    char text[VOICE_ENDPOINT_TEXT]);


#endif /* VOICE_ENDPOINT_H */
