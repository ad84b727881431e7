
/*
 * Who is in doubt runs the steps of the access phase again, from IDENTIFY to
 * ADMIT, with what the request came with; but a ticket is used up, so that
 * of one the identity stays what it was.  Some run at once, the others wait
 * for their turn.  While the database is away nobody can be judged, and goes
 * on until voice_stale is over.
 */

#include "ngx_voice_known.h"
#include "ngx_voice_lapse.h"


#define NGX_VOICE_LAPSE_TURN    100        /* ms between looks for changes */
#define NGX_VOICE_LAPSE_LOOKS   2          /* a change's number is known a
                                              moment before its place is */
#define NGX_VOICE_LAPSE_PERIOD  60000      /* ms: nobody is unjudged longer */
#define NGX_VOICE_LAPSE_JITTER  10000
#define NGX_VOICE_LAPSE_RETRY   1000       /* ms, at least */
#define NGX_VOICE_LAPSE_ONCE    32         /* judged at the same time */

#define NGX_VOICE_LAPSE_REASON  100        /* bytes */
#define NGX_VOICE_LAPSE_CODES   4000       /* of WebSocket, private use: and
                                              the status */
#define NGX_VOICE_LAPSE_LATER   1013       /* "try again later" */


/* An open stream, in the pool of its request. */
struct ngx_voice_lapse_s {
    ngx_queue_t          queue;            /* of all */
    ngx_queue_t          waiter;           /* of those in doubt */
    ngx_voice_ctx_t     *ctx;
    ngx_event_t          timer;            /* its end, or the next judging */
    ngx_atomic_uint_t    since;            /* later changes may concern it */
    ngx_atomic_uint_t    begun;            /* the same, once it is judged */
    ngx_msec_t           proved;           /* when it was last found good */
    unsigned             waits:1;          /* waiter is in the queue */
    unsigned             over:1;
};


struct ngx_voice_lapses_s {
    ngx_voice_watch_t   *watch;
    ngx_msec_t           stale;
    ngx_queue_t          all;
    ngx_queue_t          doubtful;
    ngx_uint_t           judged;           /* at this moment */
    ngx_atomic_uint_t    seen;             /* the last change that was */
    ngx_uint_t           looks;            /* that it is still good for */
    ngx_event_t          turn;
    ngx_event_t          next;             /* posted: somebody's turn */
};


static void ngx_voice_lapse_first(ngx_voice_lapse_t *lapse);
static void ngx_voice_lapse_leave(void *data);
static void ngx_voice_lapse_turn(ngx_event_t *ev);
static void ngx_voice_lapse_look(ngx_voice_lapses_t *lapses);
static ngx_uint_t ngx_voice_lapse_holds(const ngx_voice_lapse_t *lapse,
    ngx_voice_change_e kind);
static ngx_uint_t ngx_voice_lapse_concerned(const ngx_voice_lapse_t *lapse);
static ngx_uint_t ngx_voice_lapse_replaced(const ngx_voice_lapse_t *lapse);
static void ngx_voice_lapse_doubt(ngx_voice_lapse_t *lapse);
static void ngx_voice_lapse_next(ngx_event_t *ev);
static void ngx_voice_lapse_begin(ngx_voice_lapse_t *lapse);
static void ngx_voice_lapse_judged(ngx_voice_lapse_t *lapse);
static void ngx_voice_lapse_passed(ngx_voice_lapse_t *lapse);
static void ngx_voice_lapse_wait(ngx_voice_lapse_t *lapse, ngx_msec_t most);
static void ngx_voice_lapse_timer(ngx_event_t *ev);
static ngx_uint_t ngx_voice_lapse_renewable(const ngx_voice_ctx_t *ctx);
static void ngx_voice_lapse_end(ngx_voice_lapse_t *lapse);
static ngx_int_t ngx_voice_lapse_text(ngx_voice_ctx_t *ctx, ngx_str_t *text);


typedef ngx_int_t (*ngx_voice_lapse_step_pt)(ngx_voice_ctx_t *ctx);

/* From NGX_VOICE_IDENTIFY on. */
static const ngx_voice_lapse_step_pt  ngx_voice_lapse_steps[] = {
    ngx_voice_identify,
    ngx_voice_find_tenant,
    ngx_voice_prove,
    ngx_voice_admit
};


ngx_voice_lapses_t *
ngx_voice_lapses_create(ngx_voice_main_conf_t *mcf, ngx_cycle_t *cycle)
{
    ngx_voice_lapses_t  *lapses;

    lapses = ngx_pcalloc(cycle->pool, sizeof(ngx_voice_lapses_t));
    if (lapses == NULL) {
        return NULL;
    }

    lapses->watch = &mcf->shared->watch;
    lapses->stale = mcf->stale;

    ngx_queue_init(&lapses->all);
    ngx_queue_init(&lapses->doubtful);

    lapses->turn.handler = ngx_voice_lapse_turn;
    lapses->turn.data = lapses;
    lapses->turn.log = cycle->log;
    lapses->turn.cancelable = 1;

    lapses->next.handler = ngx_voice_lapse_next;
    lapses->next.data = lapses;
    lapses->next.log = cycle->log;

    return lapses;
}


ngx_int_t
ngx_voice_lapse_join(ngx_voice_ctx_t *ctx)
{
    ngx_voice_lapse_t   *lapse;
    ngx_http_cleanup_t  *cln;
    ngx_voice_lapses_t  *lapses;

    if (ctx->known == NULL || ctx->tenant == NULL) {
        return NGX_OK;
    }

    cln = ngx_http_cleanup_add(ctx->request, sizeof(ngx_voice_lapse_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    lapses = ctx->conf->lapses;
    lapse = cln->data;
    ngx_memzero(lapse, sizeof(ngx_voice_lapse_t));

    lapse->ctx = ctx;
    lapse->proved = ngx_current_msec;
    lapse->timer.handler = ngx_voice_lapse_timer;
    lapse->timer.data = lapse;
    lapse->timer.log = ctx->request->connection->log;
    lapse->timer.cancelable = 1;

    ctx->lapse = lapse;
    cln->handler = ngx_voice_lapse_leave;
    ngx_queue_insert_tail(&lapses->all, &lapse->queue);

    ngx_voice_lapse_wait(lapse, NGX_VOICE_LAPSE_PERIOD);
    ngx_voice_lapse_first(lapse);

    if (!lapses->turn.timer_set) {
        ngx_add_timer(&lapses->turn, NGX_VOICE_LAPSE_TURN);
    }

    return NGX_OK;
}


void
ngx_voice_lapse_resume(ngx_voice_ctx_t *ctx, ngx_voice_state_e state)
{
    ngx_int_t  rc;

    if (ctx->lapse->over) {
        return;
    }

    for ( /* void */ ; state <= NGX_VOICE_ADMIT; state++) {
        rc = ngx_voice_lapse_steps[state - NGX_VOICE_IDENTIFY](ctx);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc != NGX_OK) {
            ngx_voice_lapse_refuse(ctx);
            return;
        }
    }

    ngx_voice_lapse_passed(ctx->lapse);
}


void
ngx_voice_lapse_refuse(ngx_voice_ctx_t *ctx)
{
    ngx_voice_lapse_t  *lapse;

    lapse = ctx->lapse;

    if (lapse->over) {
        return;
    }

    ngx_voice_lapse_judged(lapse);

    /* the process exits, which ends all streams */
    if (ctx->conf->stopped) {
        return;
    }

    if (ctx->error.status == NGX_HTTP_UNAUTHORIZED
        || ctx->error.status == NGX_HTTP_FORBIDDEN
        || ngx_current_msec - lapse->proved
           > NGX_VOICE_LAPSE_PERIOD + ctx->conf->lapses->stale)
    {
        ngx_voice_lapse_end(lapse);
        return;
    }

    /* nothing is known of it now; one whose time is over waits, too */
    ngx_memzero(&ctx->error, sizeof(ngx_voice_error_t));
    ngx_add_timer(&lapse->timer, NGX_VOICE_LAPSE_RETRY
                                 + ngx_random() % NGX_VOICE_LAPSE_RETRY);
}


/* What changed while it was let in? */
static void
ngx_voice_lapse_first(ngx_voice_lapse_t *lapse)
{
    ngx_voice_ctx_t    *ctx;
    ngx_atomic_uint_t   now;

    ctx = lapse->ctx;
    now = ngx_voice_watch_now(ctx->conf->lapses->watch);

    lapse->since = ctx->tenant->since;

    if (!ngx_voice_lapse_holds(lapse, NGX_VOICE_CHANGE_TENANT)) {
        ngx_voice_lapse_doubt(lapse);
        return;
    }

    lapse->since = ctx->known->since;

    if (ngx_voice_lapse_replaced(lapse)) {
        ngx_voice_lapse_doubt(lapse);
        return;
    }

    lapse->since = now;
}


/* The request ends. */
static void
ngx_voice_lapse_leave(void *data)
{
    ngx_voice_lapse_t  *lapse = data;

    ngx_queue_remove(&lapse->queue);

    if (lapse->waits) {
        ngx_queue_remove(&lapse->waiter);
    }

    if (lapse->timer.timer_set) {
        ngx_del_timer(&lapse->timer);
    }

    ngx_voice_lapse_judged(lapse);
    lapse->ctx->lapse = NULL;
}


static void
ngx_voice_lapse_turn(ngx_event_t *ev)
{
    ngx_atomic_uint_t    now;
    ngx_voice_lapses_t  *lapses = ev->data;

    if (ngx_queue_empty(&lapses->all)) {
        return;
    }

    now = ngx_voice_watch_now(lapses->watch);

    if (now != lapses->seen) {
        lapses->seen = now;
        lapses->looks = NGX_VOICE_LAPSE_LOOKS;
    }

    if (lapses->looks > 0) {
        lapses->looks--;
        ngx_voice_lapse_look(lapses);
    }

    ngx_add_timer(ev, NGX_VOICE_LAPSE_TURN);
}


static void
ngx_voice_lapse_look(ngx_voice_lapses_t *lapses)
{
    ngx_queue_t        *q;
    ngx_voice_lapse_t  *lapse;

    for (q = ngx_queue_head(&lapses->all);
         q != ngx_queue_sentinel(&lapses->all);
         q = ngx_queue_next(q))
    {
        lapse = ngx_queue_data(q, ngx_voice_lapse_t, queue);

        if (ngx_voice_lapse_concerned(lapse)) {
            ngx_voice_lapse_doubt(lapse);
        }
    }
}


/* Did nothing of that kind change that concerns it? */
static ngx_uint_t
ngx_voice_lapse_holds(const ngx_voice_lapse_t *lapse, ngx_voice_change_e kind)
{
    const u_char             *id;
    const ngx_voice_known_t  *known;

    known = lapse->ctx->known;
    id = kind == NGX_VOICE_CHANGE_TENANT ? known->tenant
         : kind == NGX_VOICE_CHANGE_ACTOR ? known->actor : known->session;

    return ngx_voice_watch_holds(lapse->ctx->conf->lapses->watch, kind, id,
                                 VOICE_UUID_LEN, lapse->since);
}


static ngx_uint_t
ngx_voice_lapse_concerned(const ngx_voice_lapse_t *lapse)
{
    return !ngx_voice_lapse_holds(lapse, NGX_VOICE_CHANGE_TENANT)
           || ngx_voice_lapse_replaced(lapse);
}


/* Is its credential perhaps not what it was? */
static ngx_uint_t
ngx_voice_lapse_replaced(const ngx_voice_lapse_t *lapse)
{
    ngx_uint_t  kind;

    kind = lapse->ctx->known->kind;

    return (kind != NGX_VOICE_KIND_DROPIN
            && !ngx_voice_lapse_holds(lapse, NGX_VOICE_CHANGE_ACTOR))
           || (kind == NGX_VOICE_KIND_USER
               && !ngx_voice_lapse_holds(lapse, NGX_VOICE_CHANGE_SESSION));
}


/* Who is judged already is looked at once more when that is over. */
static void
ngx_voice_lapse_doubt(ngx_voice_lapse_t *lapse)
{
    ngx_voice_lapses_t  *lapses;

    if (lapse->waits || lapse->over || lapse->ctx->again) {
        return;
    }

    lapses = lapse->ctx->conf->lapses;
    lapse->waits = 1;
    ngx_queue_insert_tail(&lapses->doubtful, &lapse->waiter);

    if (!lapses->next.posted) {
        ngx_post_event(&lapses->next, &ngx_posted_next_events);
    }
}


static void
ngx_voice_lapse_next(ngx_event_t *ev)
{
    ngx_queue_t         *q;
    ngx_voice_lapse_t   *lapse;
    ngx_voice_lapses_t  *lapses = ev->data;

    while (lapses->judged < NGX_VOICE_LAPSE_ONCE
           && !ngx_queue_empty(&lapses->doubtful))
    {
        q = ngx_queue_head(&lapses->doubtful);
        lapse = ngx_queue_data(q, ngx_voice_lapse_t, waiter);

        ngx_queue_remove(q);
        lapse->waits = 0;
        ngx_voice_lapse_begin(lapse);
    }
}


/* The request may be gone afterwards. */
static void
ngx_voice_lapse_begin(ngx_voice_lapse_t *lapse)
{
    ngx_voice_ctx_t  *ctx;

    ctx = lapse->ctx;
    lapse->begun = ngx_voice_watch_now(ctx->conf->lapses->watch);

    ctx->conf->lapses->judged++;
    ctx->again = 1;
    ctx->woken = 0;
    ctx->databases = 0;

    /* a key's secret is not known any more: its ticket is made anew */

    if (ctx->credential.ticket && ctx->known->kind == NGX_VOICE_KIND_API_KEY
        && !ngx_voice_lapse_holds(lapse, NGX_VOICE_CHANGE_ACTOR))
    {
        (void) ngx_voice_fail(ctx, NGX_VOICE_AUTH_INVALID_TOKEN,
                              "The API key may have changed.");
        ngx_voice_lapse_refuse(ctx);
        return;
    }

    ngx_voice_lapse_resume(ctx, ctx->credential.text.len == 0
                                || ctx->credential.ticket
                                ? NGX_VOICE_TENANT : NGX_VOICE_IDENTIFY);
}


/* Somebody else may be. */
static void
ngx_voice_lapse_judged(ngx_voice_lapse_t *lapse)
{
    ngx_voice_lapses_t  *lapses;

    if (!lapse->ctx->again) {
        return;
    }

    lapses = lapse->ctx->conf->lapses;
    lapse->ctx->again = 0;
    lapses->judged--;

    if (!lapses->next.posted && !ngx_queue_empty(&lapses->doubtful)) {
        ngx_post_event(&lapses->next, &ngx_posted_next_events);
    }
}


static void
ngx_voice_lapse_passed(ngx_voice_lapse_t *lapse)
{
    ngx_voice_lapse_judged(lapse);

    lapse->since = lapse->begun;
    lapse->proved = ngx_current_msec;
    ngx_voice_lapse_wait(lapse, NGX_VOICE_LAPSE_PERIOD
                                - ngx_random() % NGX_VOICE_LAPSE_JITTER);

    if (ngx_voice_lapse_concerned(lapse)) {
        ngx_voice_lapse_doubt(lapse);
    }
}


/* For so many ms, or until its credential runs out. */
static void
ngx_voice_lapse_wait(ngx_voice_lapse_t *lapse, ngx_msec_t most)
{
    int64_t  left;

    if (lapse->ctx->known->expires != 0) {
        left = lapse->ctx->known->expires - ngx_time();
        left = ngx_max(left, 0);

        if (left < (int64_t) (most / 1000)) {
            most = left * 1000 + 1;
        }
    }

    ngx_add_timer(&lapse->timer, most);
}


static void
ngx_voice_lapse_timer(ngx_event_t *ev)
{
    ngx_voice_ctx_t    *ctx;
    ngx_voice_lapse_t  *lapse = ev->data;

    ctx = lapse->ctx;

    if (ctx->known->expires != 0 && ctx->known->expires <= ngx_time()
        && !ngx_voice_lapse_renewable(ctx))
    {
        (void) ngx_voice_fail(ctx, NGX_VOICE_AUTH_INVALID_TOKEN,
                              "The credential has expired.");
        ngx_voice_lapse_end(lapse);
        return;
    }

    ngx_voice_lapse_doubt(lapse);
}


/* What is known of a key that was replaced is good for a moment only. */
static ngx_uint_t
ngx_voice_lapse_renewable(const ngx_voice_ctx_t *ctx)
{
    return ctx->known->kind == NGX_VOICE_KIND_API_KEY
           && !ctx->credential.ticket;
}


/* By ctx->error.  The request may be gone afterwards. */
static void
ngx_voice_lapse_end(ngx_voice_lapse_t *lapse)
{
    ngx_voice_ctx_t       *ctx;
    ngx_voice_farewell_t   farewell;

    ctx = lapse->ctx;
    lapse->over = 1;

    if (lapse->timer.timer_set) {
        ngx_del_timer(&lapse->timer);
    }

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "stream of \"%V\" is ended: %V", &ctx->identity.actor,
                  &ctx->error.message);
    ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_stream_lapses, 1);

    farewell.reason = ctx->error.code;
    farewell.reason.len = ngx_min(farewell.reason.len,
                                  NGX_VOICE_LAPSE_REASON);
    farewell.code = ctx->error.status >= NGX_HTTP_INTERNAL_SERVER_ERROR
                    ? NGX_VOICE_LAPSE_LATER
                    : NGX_VOICE_LAPSE_CODES + ctx->error.status;

    if (ngx_voice_lapse_text(ctx, &farewell.event) != NGX_OK) {
        ngx_str_set(&farewell.event, "{}");
    }

    if (ctx->live != NULL) {
        ngx_voice_live_dismiss(ctx, &farewell);

    } else {
        ngx_voice_leave_end(ctx->request, &farewell);
    }
}


/* Each kind of stream names its events by a member of its own. */
static ngx_int_t
ngx_voice_lapse_text(ngx_voice_ctx_t *ctx, ngx_str_t *text)
{
    u_char       *p;
    size_t        len;
    ngx_str_t    *message;
    const char   *format;

    format = ctx->live != NULL
             ? "{\"event\":\"end\",\"status\":%ui,\"code\":\"%V\","
               "\"message\":\""
             : "{\"event_type\":\"end\",\"status\":%ui,\"code\":\"%V\","
               "\"message\":\"";

    message = &ctx->error.message;
    len = message->len + ngx_escape_json(NULL, message->data, message->len);

    text->data = ngx_pnalloc(ctx->request->pool, ngx_strlen(format)
                             + NGX_INT_T_LEN + ctx->error.code.len + len
                             + sizeof("\"}"));
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text->data, format, ctx->error.status, &ctx->error.code);
    p = (u_char *) ngx_escape_json(p, message->data, message->len);
    p = ngx_cpymem(p, "\"}", 2);
    text->len = p - text->data;

    return NGX_OK;
}
