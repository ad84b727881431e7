
/*
 * Server-sent events (WHATWG HTML 9.2.6), from bytes as they come.
 */

#ifndef CTL_STREAM_H
#define CTL_STREAM_H


#include "ctl_buffer.h"


#define CTL_STREAM_EVENT_MAX  (1u << 20)       /* bytes; more is dropped */
#define CTL_STREAM_ID_MAX     256


typedef void (*ctl_stream_pt)(void *user, const char *event,
    voice_span_t data);


/* All zero but on_event and user; release with ctl_stream_release(). */
typedef struct {
    ctl_stream_pt  on_event;           /* "message" where none is named */
    void          *user;
    char           id[CTL_STREAM_ID_MAX];      /* of the last; to resume */
    long           retry;              /* ms that the server asks for; 0 */
    ctl_buffer_t   line;               /* the rest is private */
    ctl_buffer_t   data;
    char           event[64];
    int            carriage;           /* the last byte was a CR */
    int            begun;              /* past a byte order mark */
} ctl_stream_t;


void ctl_stream_feed(ctl_stream_t *stream, voice_span_t bytes);

/* Another connection: what was half there is dropped, the id stays. */
void ctl_stream_restart(ctl_stream_t *stream);
void ctl_stream_release(ctl_stream_t *stream);


#endif /* CTL_STREAM_H */
