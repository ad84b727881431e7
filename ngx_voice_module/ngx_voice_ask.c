
/*
 * Questions under way, a short list, since there is one for each thing that
 * is not known.  Many who wait are told in portions, so that nobody else
 * waits for all of them.
 */

#include "ngx_voice_ask.h"


#define NGX_VOICE_ASK_PORTION  32          /* requests told at once */


static ngx_voice_ask_t *ngx_voice_ask_find(ngx_voice_main_conf_t *mcf,
    ngx_voice_pg_pool_t *pool, const ngx_voice_question_t *question,
    const u_char *key);
static ngx_voice_ask_t *ngx_voice_ask_begin(ngx_voice_main_conf_t *mcf,
    ngx_voice_pg_pool_t *pool, const ngx_voice_question_t *question,
    const ngx_str_t *params);
static void ngx_voice_ask_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static void ngx_voice_ask_event(ngx_event_t *ev);
static void ngx_voice_ask_tell(ngx_voice_ask_t *ask, ngx_queue_t *q);
static void ngx_voice_ask_free(ngx_voice_ask_t *ask);


ngx_int_t
ngx_voice_ask(ngx_voice_ctx_t *ctx, ngx_voice_pg_pool_t *pool,
    const ngx_voice_question_t *question,
    const u_char key[NGX_VOICE_TABLE_KEY], const ngx_str_t *params)
{
    ngx_voice_ask_t  *ask;

    ask = ngx_voice_ask_find(ctx->conf, pool, question, key);

    if (ask == NULL) {
        ask = ngx_voice_ask_begin(ctx->conf, pool, question, params);
        if (ask == NULL) {
            return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        }

        ngx_memcpy(ask->key, key, NGX_VOICE_TABLE_KEY);
    }

    ctx->asking = 1;
    ngx_queue_insert_tail(&ask->waiting, &ctx->waiter);

    return NGX_AGAIN;
}


void
ngx_voice_ask_cancel(ngx_voice_ctx_t *ctx)
{
    if (ctx->asking) {
        ctx->asking = 0;
        ngx_queue_remove(&ctx->waiter);
    }
}


/*
 * One whose answer is here, or that began before a change which the asker may
 * know of, is too old for him.
 */
static ngx_voice_ask_t *
ngx_voice_ask_find(ngx_voice_main_conf_t *mcf, ngx_voice_pg_pool_t *pool,
    const ngx_voice_question_t *question, const u_char *key)
{
    ngx_queue_t        *q;
    ngx_voice_ask_t    *ask;
    ngx_atomic_uint_t   now;

    now = ngx_voice_watch_now(&mcf->shared->watch);

    for (q = ngx_queue_head(&mcf->asks); q != ngx_queue_sentinel(&mcf->asks);
         q = ngx_queue_next(q))
    {
        ask = ngx_queue_data(q, ngx_voice_ask_t, queue);

        if (!ask->answered && ask->since == now
            && ask->question == question && ask->pool == pool
            && ngx_memcmp(ask->key, key, NGX_VOICE_TABLE_KEY) == 0)
        {
            return ask;
        }
    }

    return NULL;
}


static ngx_voice_ask_t *
ngx_voice_ask_begin(ngx_voice_main_conf_t *mcf, ngx_voice_pg_pool_t *pool,
    const ngx_voice_question_t *question, const ngx_str_t *params)
{
    ngx_voice_ask_t  *ask;

    ask = ngx_calloc(sizeof(ngx_voice_ask_t) + question->size,
                     ngx_cycle->log);
    if (ask == NULL) {
        return NULL;
    }

    ask->conf = mcf;
    ask->question = question;
    ask->pool = pool;
    ask->record = ask + 1;
    ask->since = ngx_voice_watch_now(&mcf->shared->watch);
    ask->event.handler = ngx_voice_ask_event;
    ask->event.data = ask;
    ask->event.log = ngx_cycle->log;

    if (ngx_voice_pg_send(pool, &question->statement, params,
                          ngx_voice_ask_answered, ask)
        == NULL)
    {
        ngx_free(ask);
        return NULL;
    }

    ngx_queue_init(&ask->waiting);
    ngx_queue_insert_head(&mcf->asks, &ask->queue);

    return ask;
}


static void
ngx_voice_ask_answered(void *data, ngx_voice_pg_e outcome, PGresult **result)
{
    ngx_voice_ask_t  *ask = data;

    ask->answered = 1;
    ask->outcome = outcome;
    ask->rc = NGX_ERROR;

    if (outcome == NGX_VOICE_PG_RESULT) {
        ask->rc = ask->question->take(ask->conf, ask, *result, ask->record);

    } else {
        ask->result = *result;
        *result = NULL;
    }

    ngx_voice_ask_event(&ask->event);
}


static void
ngx_voice_ask_event(ngx_event_t *ev)
{
    ngx_uint_t        n;
    ngx_voice_ask_t  *ask = ev->data;

    /* there are no more events in a process that has stopped */

    for (n = 0; n < NGX_VOICE_ASK_PORTION || ask->conf->stopped; n++) {
        if (ngx_queue_empty(&ask->waiting)) {
            ngx_voice_ask_free(ask);
            return;
        }

        ngx_voice_ask_tell(ask, ngx_queue_head(&ask->waiting));
    }

    ngx_post_event(ev, &ngx_posted_next_events);
}


static void
ngx_voice_ask_tell(ngx_voice_ask_t *ask, ngx_queue_t *q)
{
    ngx_voice_ctx_t  *ctx;

    ctx = ngx_queue_data(q, ngx_voice_ctx_t, waiter);
    ngx_voice_ask_cancel(ctx);

    if (ask->rc == NGX_ERROR) {
        (void) ngx_voice_fail_pg(ctx, ask->outcome, ask->result);
    }

    ask->question->done(ctx, ask->rc, ask->record);
}


static void
ngx_voice_ask_free(ngx_voice_ask_t *ask)
{
    ngx_queue_remove(&ask->queue);
    PQclear(ask->result);
    ngx_free(ask);
}
