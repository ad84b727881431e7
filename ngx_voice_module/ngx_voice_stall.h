
/*
 * Stalls of the event loop.  Knows no HTTP.
 */

#ifndef NGX_VOICE_STALL_H
#define NGX_VOICE_STALL_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_VOICE_STALL_BOUNDS  4          /* over 1, 5, 20, 100 ms */


/* Of this process since it began. */
typedef struct {
    ngx_uint_t  turns;
    ngx_uint_t  over[NGX_VOICE_STALL_BOUNDS];
} ngx_voice_stall_figures_t;


/* Measures from now on; once a process, when its event method is chosen. */
void ngx_voice_stall_watch(void);
const ngx_voice_stall_figures_t *ngx_voice_stall_figures(void);


#endif /* NGX_VOICE_STALL_H */
