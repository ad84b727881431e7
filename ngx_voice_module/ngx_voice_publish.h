
/*
 * Packet events for live streams: made after the commit, for who listens and
 * nobody else.  Up to 20 a second of a call are told one by one; of more the
 * newest counts are told, and how many packets they are of.
 */

#ifndef NGX_VOICE_PUBLISH_H
#define NGX_VOICE_PUBLISH_H


#include "ngx_voice_ingest.h"
#include "ngx_voice_live.h"


/* Of this process; NULL: out of memory. */
ngx_voice_publisher_t *ngx_voice_publisher_create(ngx_voice_main_conf_t *mcf,
    ngx_cycle_t *cycle);
/* What waits is told once more, if it can be. */
void ngx_voice_publisher_destroy(ngx_voice_publisher_t *publisher);

/* Does anybody, on any node, listen to a tenant's calls?  Costs nothing. */
ngx_uint_t ngx_voice_publish_wanted(ngx_voice_main_conf_t *mcf,
    voice_span_t tenant);

/* Never waits, never fails: what cannot be told is counted. */
void ngx_voice_publish_packet(ngx_voice_main_conf_t *mcf,
    const ngx_voice_judged_t *judged);


#endif /* NGX_VOICE_PUBLISH_H */
