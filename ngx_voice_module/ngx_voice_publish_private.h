
/*
 * What the files of the publisher share and nobody else sees.
 */

#ifndef NGX_VOICE_PUBLISH_PRIVATE_H
#define NGX_VOICE_PUBLISH_PRIVATE_H


#include "ngx_voice_publish.h"


#define NGX_VOICE_PUBLISH_CALL     255     /* bytes of a call's id */
#define NGX_VOICE_PUBLISH_WORD     24      /* bytes of a state, of a number */
#define NGX_VOICE_PUBLISH_KINDS    3       /* of packets that are told of:
                                              ngx_voice_packet_e below it */
#define NGX_VOICE_PUBLISH_MISSING  1200    /* a hundred numbers */
#define NGX_VOICE_PUBLISH_BODY     4096


typedef enum {
    NGX_VOICE_PUBLISH_PACED = 0,           /* T.packets, T.packet.C */
    NGX_VOICE_PUBLISH_RAW,                 /* T.raw, T.rawcall.C */
    NGX_VOICE_PUBLISH_COUNT
} ngx_voice_publish_e;


/* Names of the channels of a packet event, and their bytes. */
typedef struct {
    ngx_str_t   names[4];
    u_char      text[4][NGX_VOICE_LIVE_NAME_MAX];
} ngx_voice_publish_names_t;


/* ngx_voice_publish_event.c */
/* Of the call whose md5 in hex is given. */
void ngx_voice_publish_name(ngx_voice_publish_names_t *names,
    ngx_voice_publish_e rate, const ngx_voice_judged_t *judged,
    const u_char hex[32]);
/* Does anybody listen to one of them? */
ngx_uint_t ngx_voice_publish_heard(ngx_voice_main_conf_t *mcf,
    const ngx_voice_publish_names_t *names);
/*
 * Tells it, as n packets in one, to who listens.  NGX_DECLINED: Redis does
 * not take it.
 */
ngx_int_t ngx_voice_publish_tell(ngx_voice_main_conf_t *mcf,
    const ngx_voice_publish_names_t *names,
    const ngx_voice_judged_t *judged, ngx_uint_t n);


#endif /* NGX_VOICE_PUBLISH_PRIVATE_H */
