
/*
 * The operators' page, voice_status: figures as a tree of JSON, sent as it
 * is or drawn as HTML.
 */

#ifndef NGX_VOICE_PAGE_H
#define NGX_VOICE_PAGE_H


#include "ngx_voice.h"


/* voice_status; ngx_voice_page.c */
char *ngx_voice_conf_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * ngx_voice_overview.c: an object of scalars, objects of scalars, and arrays
 * of objects of scalars; no secret is in it.  NULL: out of memory.
 */
json_t *ngx_voice_overview(ngx_voice_main_conf_t *mcf);
/* What it tells of the contract, made once. */
ngx_int_t ngx_voice_overview_configure(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf);


#endif /* NGX_VOICE_PAGE_H */
