
/*
 * Directives of the form "name key=value ...": one table a directive says
 * which keys there are, where they go and within what bounds.
 */

#ifndef NGX_VOICE_FIELD_H
#define NGX_VOICE_FIELD_H


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_VOICE_FIELD_TEXT = 0,
    NGX_VOICE_FIELD_LIST,                  /* ngx_array_t of ngx_str_t, that
                                              was initialized; may repeat */
    NGX_VOICE_FIELD_SECRET,                /* content of the named file */
    NGX_VOICE_FIELD_NUMBER,
    NGX_VOICE_FIELD_SIZE,                  /* bytes, "1m" */
    NGX_VOICE_FIELD_MSEC,
    NGX_VOICE_FIELD_PORT,
    NGX_VOICE_FIELD_SERVERS                /* voice_endpoints_t: addresses
                                              and paths, never names, which
                                              would block to be resolved */
} ngx_voice_field_e;


typedef struct {
    ngx_str_t          key;
    ngx_voice_field_e  type;
    size_t             offset;
    ngx_int_t          min;
    ngx_int_t          max;
} ngx_voice_field_t;


/*
 * Reads the arguments of the directive into conf by a table that ends with
 * an empty key.  NGX_ERROR: the reason is logged.
 */
ngx_int_t ngx_voice_conf_fields(ngx_conf_t *cf,
    const ngx_voice_field_t *fields, void *conf);
/* The same from an argument on: those before it are read already. */
ngx_int_t ngx_voice_conf_fields_from(ngx_conf_t *cf, ngx_uint_t first,
    const ngx_voice_field_t *fields, void *conf);

/* Reads a whole file of at most max bytes into cf->pool, NUL after. */
ngx_int_t ngx_voice_conf_read(ngx_conf_t *cf, const ngx_str_t *path,
    size_t max, ngx_str_t *text);

/* Logs why the directive is refused; gives NGX_CONF_ERROR. */
char *ngx_voice_conf_refuse(ngx_conf_t *cf, const char *reason);


#endif /* NGX_VOICE_FIELD_H */
