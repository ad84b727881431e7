
/*
 * Text of /metrics, in the format that Prometheus reads (0.0.4).
 */

#ifndef NGX_VOICE_METRICS_H
#define NGX_VOICE_METRICS_H


#include "ngx_voice.h"


/* Text that grows by buffers; failed is set once memory is out. */
typedef struct {
    ngx_pool_t    *pool;
    ngx_chain_t   *first;
    ngx_chain_t  **last;
    ngx_buf_t     *buf;
    unsigned       failed:1;
} ngx_voice_text_t;


/* The lines HELP and TYPE of a family. */
void ngx_voice_text_head(ngx_voice_text_t *text, const char *name,
    const char *type, const char *help);

/* Adds a piece of a line; the format is ngx_sprintf()'s. */
void ngx_voice_text_add(ngx_voice_text_t *text, const char *format, ...);

/*
 * Copies a label's value; what it may not hold as it is (backslash, quote,
 * newline) is escaped.  Returns the end of the copy, at most last.
 */
u_char *ngx_voice_label_escape(u_char *p, u_char *last,
    const ngx_str_t *value);

/* What api.metrics() told; NULL: nothing. */
void ngx_voice_metrics_database(ngx_voice_text_t *text, const json_t *data);


#endif /* NGX_VOICE_METRICS_H */
