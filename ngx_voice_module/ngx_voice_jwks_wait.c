
/*
 * Requests whose key is unknown wait for a fetch, which may be another
 * process's: they look at the shared row several times a second.
 */

#include "ngx_voice_jwks_private.h"


#define NGX_VOICE_JWKS_POLL  20            /* ms */


static ngx_uint_t ngx_voice_jwks_ready(ngx_voice_issuer_t *issuer,
    ngx_voice_jwks_wait_t *wait);
static void ngx_voice_jwks_tell(ngx_queue_t *ready);
static void ngx_voice_jwks_poll_handler(ngx_event_t *ev);


ngx_int_t
ngx_voice_jwks_wait(ngx_voice_issuer_t *issuer, voice_span_t kid,
    ngx_voice_jwks_done_pt done, void *data, ngx_voice_jwks_wait_t **wait)
{
    ngx_int_t               rc;
    ngx_atomic_uint_t       finished;
    ngx_voice_jwks_wait_t  *new;

    rc = issuer->set == NULL ? NGX_ERROR : NGX_DECLINED;

    /* a file is looked at by the clock, a token without kid names no key */

    if (issuer->url.len == 0 || issuer->jwks == NULL
        || kid.len > VOICE_JWK_KID_MAX
        || (rc == NGX_DECLINED && kid.len == 0)
        || (rc == NGX_DECLINED && ngx_voice_jwks_is_unknown(issuer, kid))
        || issuer->nwaiting >= NGX_VOICE_JWKS_WAITING)
    {
        return rc;
    }

    finished = issuer->row->finished;

    switch (ngx_voice_jwks_elect(issuer, NGX_VOICE_JWKS_ASKED)) {

    case NGX_OK:
        ngx_voice_jwks_begin(issuer);
        break;

    case NGX_AGAIN:
        break;

    default:
        return rc;
    }

    new = ngx_calloc(sizeof(ngx_voice_jwks_wait_t), issuer->jwks->log);
    if (new == NULL) {
        return rc;
    }

    new->issuer = issuer;
    new->finished = finished;
    new->deadline = ngx_current_msec + issuer->timeout;
    new->done = done;
    new->data = data;
    new->kid_len = kid.len;
    ngx_memcpy(new->kid, kid.ptr, kid.len);

    ngx_queue_insert_tail(&issuer->waiting, &new->queue);
    issuer->nwaiting++;

    /* not cancelable: a process that exits answers its requests */

    if (!issuer->poll.timer_set) {
        issuer->poll.handler = ngx_voice_jwks_poll_handler;
        issuer->poll.data = issuer;
        issuer->poll.log = issuer->jwks->log;
        ngx_add_timer(&issuer->poll, NGX_VOICE_JWKS_POLL);
    }

    *wait = new;

    return NGX_AGAIN;
}


void
ngx_voice_jwks_cancel(ngx_voice_jwks_wait_t *wait)
{
    ngx_queue_remove(&wait->queue);
    wait->issuer->nwaiting--;
    ngx_free(wait);
}


void
ngx_voice_jwks_wake(ngx_voice_issuer_t *issuer)
{
    ngx_queue_t            *q, *next, ready;
    ngx_voice_jwks_wait_t  *wait;

    ngx_voice_jwks_set_refresh(issuer);
    ngx_queue_init(&ready);

    for (q = ngx_queue_head(&issuer->waiting);
         q != ngx_queue_sentinel(&issuer->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        wait = ngx_queue_data(q, ngx_voice_jwks_wait_t, queue);

        if (ngx_voice_jwks_ready(issuer, wait)) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&ready, q);
        }
    }

    ngx_voice_jwks_tell(&ready);

    if (issuer->nwaiting == 0 && issuer->poll.timer_set) {
        ngx_del_timer(&issuer->poll);
    }
}


void
ngx_voice_jwks_wake_all(ngx_voice_issuer_t *issuer)
{
    ngx_queue_t             ready, *q;
    ngx_voice_jwks_wait_t  *wait;

    ngx_queue_init(&ready);

    while (!ngx_queue_empty(&issuer->waiting)) {
        q = ngx_queue_head(&issuer->waiting);
        wait = ngx_queue_data(q, ngx_voice_jwks_wait_t, queue);
        wait->rc = NGX_ERROR;

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ready, q);
    }

    ngx_voice_jwks_tell(&ready);

    if (issuer->poll.timer_set) {
        ngx_del_timer(&issuer->poll);
    }
}


/* Is it over?  Then wait->rc is set. */
static ngx_uint_t
ngx_voice_jwks_ready(ngx_voice_issuer_t *issuer, ngx_voice_jwks_wait_t *wait)
{
    voice_span_t  kid;

    kid = voice_span((char *) wait->kid, wait->kid_len);

    if (issuer->set != NULL
        && (kid.len == 0 || ngx_voice_jwks_note(issuer->set, kid) != NULL))
    {
        wait->rc = NGX_OK;
        return 1;
    }

    wait->rc = issuer->set == NULL ? NGX_ERROR : NGX_DECLINED;

    if (issuer->row->finished != wait->finished) {
        ngx_voice_jwks_set_unknown(issuer, kid);
        return 1;
    }

    return (ngx_msec_int_t) (wait->deadline - ngx_current_msec) <= 0;
}


/* Taken one by one: a receiver may cancel any other. */
static void
ngx_voice_jwks_tell(ngx_queue_t *ready)
{
    void                    *data;
    ngx_int_t                rc;
    ngx_queue_t             *q;
    ngx_voice_jwks_wait_t   *wait;
    ngx_voice_jwks_done_pt   done;

    while (!ngx_queue_empty(ready)) {
        q = ngx_queue_head(ready);
        wait = ngx_queue_data(q, ngx_voice_jwks_wait_t, queue);

        done = wait->done;
        data = wait->data;
        rc = wait->rc;

        ngx_voice_jwks_cancel(wait);
        done(data, rc);
    }
}


static void
ngx_voice_jwks_poll_handler(ngx_event_t *ev)
{
    ngx_voice_issuer_t  *issuer = ev->data;

    ngx_voice_jwks_wake(issuer);

    if (issuer->nwaiting != 0 && !ev->timer_set) {
        ngx_add_timer(ev, NGX_VOICE_JWKS_POLL);
    }
}
