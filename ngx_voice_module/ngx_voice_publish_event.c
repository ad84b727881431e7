
/*
 * A packet event as text, and the names of its channels.
 */

#include "ngx_voice_publish_private.h"


/* Why packets are rejected, as their sender is told. */
#define NGX_VOICE_PUBLISH_REASON                                             \
    "Call already completed, no longer accepting packets"


static u_char *ngx_voice_publish_body(u_char *p,
    const ngx_voice_judged_t *judged, ngx_uint_t n);


static const ngx_str_t  ngx_voice_publish_events[NGX_VOICE_PUBLISH_KINDS] = {
    ngx_string("packet_received"),
    ngx_string("packet_duplicate"),
    ngx_string("packet_rejected")
};


void
ngx_voice_publish_name(ngx_voice_publish_names_t *names,
    ngx_voice_publish_e rate, const ngx_voice_judged_t *judged,
    const u_char hex[32])
{
    u_char           *p;
    size_t            len;
    ngx_uint_t        i;
    const ngx_str_t  *word;

    static const ngx_str_t  words[NGX_VOICE_PUBLISH_COUNT][2] = {
        { ngx_string("packets"), ngx_string("packet") },
        { ngx_string("raw"), ngx_string("rawcall") }
    };

    /* all calls; the call; both with the event's name, too */

    for (i = 0; i < 4; i++) {
        word = &words[rate][i / 2];
        len = ngx_min(judged->tenant.len, VOICE_UUID_LEN);
        p = ngx_cpymem(names->text[i], judged->tenant.ptr, len);
        p = ngx_sprintf(p, ".%V", word);

        if (i / 2) {
            p = ngx_sprintf(p, ".%*s", (size_t) 32, hex);
        }

        if (i % 2) {
            p = ngx_sprintf(p, ".%V",
                            &ngx_voice_publish_events[judged->status]);
        }

        names->names[i].data = names->text[i];
        names->names[i].len = p - names->text[i];
    }
}


ngx_uint_t
ngx_voice_publish_heard(ngx_voice_main_conf_t *mcf,
    const ngx_voice_publish_names_t *names)
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        if (ngx_voice_heard(mcf->shared->hear,
                            ngx_voice_hear_key(names->names[i].data,
                                               names->names[i].len)))
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_voice_publish_tell(ngx_voice_main_conf_t *mcf,
    const ngx_voice_publish_names_t *names,
    const ngx_voice_judged_t *judged, ngx_uint_t n)
{
    u_char                  body[NGX_VOICE_PUBLISH_BODY];
    ngx_voice_live_event_t  live;

    live.id = 0;
    live.event = ngx_voice_publish_events[judged->status];
    live.nchannels = 4;
    ngx_memcpy(live.channels, names->names, sizeof(names->names));

    live.body.data = body;
    live.body.len = ngx_voice_publish_body(body, judged, n) - body;

    if (ngx_voice_live_tell(mcf->live, &live, NULL, NULL) == NULL) {
        return NGX_DECLINED;
    }

    ngx_voice_count(mcf, NGX_VOICE_COUNT_live_published, 1);

    if (n > 1) {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_live_coalesced, n - 1);
    }

    return NGX_OK;
}


/* The keys are the source document's, in its order; ours follow. */
static u_char *
ngx_voice_publish_body(u_char *p, const ngx_voice_judged_t *judged,
    ngx_uint_t n)
{
    size_t  missing;

    p = ngx_sprintf(p, "{\"event\":\"%V\",\"call_id\":\"",
                    &ngx_voice_publish_events[judged->status]);
    p = (u_char *) ngx_escape_json(p, (u_char *) judged->call.ptr,
                                   judged->call.len);
    p = ngx_sprintf(p, "\",\"sequence\":%L", judged->sequence);

    if (judged->status == NGX_VOICE_PACKET_REJECTED) {
        p = ngx_sprintf(p, ",\"reason\":\"%s\",\"state\":\"%*s\"",
                        NGX_VOICE_PUBLISH_REASON, judged->state.len,
                        judged->state.ptr);

    } else {
        missing = ngx_min(judged->missing.len, NGX_VOICE_PUBLISH_MISSING);

        p = ngx_sprintf(p, ",\"total_received\":%*s,\"missing_sequences\":"
                        "[%*s],\"missing_count\":%*s",
                        judged->total.len, judged->total.ptr,
                        missing, judged->missing.ptr,
                        judged->missing_count.len,
                        judged->missing_count.ptr);
    }

    if (n > 1) {
        p = ngx_sprintf(p, ",\"coalesced\":%ui", n);
    }

    return ngx_sprintf(p, "}");
}
