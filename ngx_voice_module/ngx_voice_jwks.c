
/*
 * Foreign issuers in a process: looks several times a second whether a key
 * set is due, and fetches it if no other process of the node does.
 */

#include "ngx_voice_jwks_private.h"


#define NGX_VOICE_JWKS_TICK    200         /* ms */
#define NGX_VOICE_JWKS_ACCEPT  "application/jwk-set+json, application/json"


static void ngx_voice_jwks_tick_handler(ngx_event_t *ev);
static void ngx_voice_jwks_due(ngx_voice_issuer_t *issuer);
static void ngx_voice_jwks_done(void *data,
    const ngx_voice_fetch_reply_t *reply);


ngx_voice_jwks_t *
ngx_voice_jwks_create(ngx_array_t *issuers, ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_voice_jwks_t    *jwks;
    ngx_voice_issuer_t  *issuer;

    jwks = ngx_pcalloc(cycle->pool, sizeof(ngx_voice_jwks_t));

    if (jwks == NULL || issuers == NULL) {
        return jwks;
    }

    jwks->issuers = issuers;
    jwks->log = cycle->log;

    jwks->fetcher = ngx_voice_fetcher_create(cycle->pool, cycle->log);
    if (jwks->fetcher == NULL) {
        return NULL;
    }

    issuer = issuers->elts;

    for (i = 0; i < issuers->nelts; i++) {
        issuer[i].jwks = jwks;
        ngx_queue_init(&issuer[i].waiting);
    }

    jwks->tick.handler = ngx_voice_jwks_tick_handler;
    jwks->tick.data = jwks;
    jwks->tick.log = cycle->log;
    jwks->tick.cancelable = 1;

    ngx_add_timer(&jwks->tick, 0);

    return jwks;
}


void
ngx_voice_jwks_destroy(ngx_voice_jwks_t *jwks)
{
    ngx_uint_t           i;
    ngx_voice_issuer_t  *issuer;

    if (jwks == NULL || jwks->issuers == NULL) {
        return;
    }

    if (jwks->tick.timer_set) {
        ngx_del_timer(&jwks->tick);
    }

    issuer = jwks->issuers->elts;

    for (i = 0; i < jwks->issuers->nelts; i++) {
        if (issuer[i].fetch != NULL) {
            ngx_voice_fetch_cancel(issuer[i].fetch);
            issuer[i].fetch = NULL;
            ngx_voice_jwks_resign(&issuer[i]);
        }

        /* whoever comes now is not let wait any more */

        issuer[i].jwks = NULL;
        ngx_voice_jwks_wake_all(&issuer[i]);
    }

    ngx_voice_fetcher_destroy(jwks->fetcher);
}


ngx_voice_issuer_t *
ngx_voice_issuer_find(ngx_array_t *issuers, voice_span_t iss)
{
    ngx_uint_t           i;
    ngx_voice_issuer_t  *issuer;

    if (issuers == NULL) {
        return NULL;
    }

    issuer = issuers->elts;

    for (i = 0; i < issuers->nelts; i++) {
        if (voice_span_eq(iss, voice_span((char *) issuer[i].name.data,
                                          issuer[i].name.len)))
        {
            return &issuer[i];
        }
    }

    return NULL;
}


void
ngx_voice_jwks_begin(ngx_voice_issuer_t *issuer)
{
    ngx_voice_fetch_conf_t  conf;

    ngx_memzero(&conf, sizeof(ngx_voice_fetch_conf_t));
    conf.url = issuer->url;
    conf.accept = NGX_VOICE_JWKS_ACCEPT;
    conf.max = VOICE_JWK_SET_MAX;
    conf.connect_timeout = issuer->timeout;
    conf.timeout = issuer->timeout;
    conf.trust = issuer->trust;

    issuer->fetch = ngx_voice_fetch(issuer->jwks->fetcher, &conf,
                                    ngx_voice_jwks_done, issuer);

    if (issuer->fetch == NULL) {
        ngx_voice_jwks_fail(issuer, "out of memory", issuer->jwks->log);
    }
}


static void
ngx_voice_jwks_tick_handler(ngx_event_t *ev)
{
    ngx_uint_t           i;
    ngx_voice_jwks_t    *jwks = ev->data;
    ngx_voice_issuer_t  *issuer;

    issuer = jwks->issuers->elts;

    for (i = 0; i < jwks->issuers->nelts; i++) {
        ngx_voice_jwks_set_refresh(&issuer[i]);

        if (issuer[i].row != NULL && !ngx_exiting) {
            ngx_voice_jwks_due(&issuer[i]);
        }
    }

    ngx_add_timer(ev, NGX_VOICE_JWKS_TICK);
}


/* The row is looked at without its lock first: mostly nothing is due. */
static void
ngx_voice_jwks_due(ngx_voice_issuer_t *issuer)
{
    if (issuer->fetch != NULL
        || (ngx_msec_int_t) (ngx_current_msec - issuer->row->next) < 0
        || ngx_voice_jwks_elect(issuer, NGX_VOICE_JWKS_DUE) != NGX_OK)
    {
        return;
    }

    if (issuer->url.len != 0) {
        ngx_voice_jwks_begin(issuer);

    } else {
        ngx_voice_jwks_reread(issuer, issuer->jwks->log);
    }
}


static void
ngx_voice_jwks_done(void *data, const ngx_voice_fetch_reply_t *reply)
{
    u_char               reason[NGX_VOICE_JWKS_ERROR];
    ngx_log_t           *log;
    ngx_voice_issuer_t  *issuer = data;

    issuer->fetch = NULL;
    log = issuer->jwks->log;

    if (reply->error != NULL) {
        ngx_voice_jwks_fail(issuer, reply->error, log);

    } else if (reply->status != 200) {
        *ngx_snprintf(reason, sizeof(reason) - 1, "the status is %ui",
                      reply->status)
            = '\0';
        ngx_voice_jwks_fail(issuer, (char *) reason, log);

    } else {
        (void) ngx_voice_jwks_publish(issuer,
                                      voice_span((char *) reply->body.data,
                                                 reply->body.len),
                                      reply->max_age, log);
    }

    ngx_voice_jwks_wake(issuer);
}
