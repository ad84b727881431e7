
/*
 * The life of one request: the access phase runs the machine up to ADMITTED,
 * the content phase runs the rest.  A step returns
 *
 *   NGX_OK        done, the step of ctx->next follows
 *   NGX_AGAIN     waits; a callback calls ngx_voice_resume() or _refuse()
 *   NGX_ERROR     ctx->error is sent
 *   NGX_DECLINED  on to the next phase of nginx
 *   NGX_DONE      the step has ended the request
 */

#include "ngx_voice_lapse.h"
#include "ngx_voice_live.h"
#include "ngx_voice_send.h"


typedef ngx_int_t (*ngx_voice_step_pt)(ngx_voice_ctx_t *ctx);
/* Ends the request, now or later. */
typedef void (*ngx_voice_content_pt)(ngx_voice_ctx_t *ctx);


static ngx_int_t ngx_voice_begin(ngx_http_request_t *r);
static ngx_int_t ngx_voice_run(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_wait(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_admitted(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_call(ngx_voice_ctx_t *ctx);
static void ngx_voice_called(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static ngx_uint_t ngx_voice_call_again(ngx_voice_ctx_t *ctx,
    ngx_voice_pg_e outcome);


static const ngx_voice_step_pt  ngx_voice_steps[] = {
    ngx_voice_cors,                        /* NGX_VOICE_CORS */
    ngx_voice_find,                        /* NGX_VOICE_FIND */
    ngx_voice_find_host,                   /* NGX_VOICE_HOST */
    ngx_voice_identify,                    /* NGX_VOICE_IDENTIFY */
    ngx_voice_find_tenant,                 /* NGX_VOICE_TENANT */
    ngx_voice_prove,                       /* NGX_VOICE_PROVE */
    ngx_voice_admit,                       /* NGX_VOICE_ADMIT */
    ngx_voice_limit,                       /* NGX_VOICE_LIMIT */
    ngx_voice_admitted,                    /* NGX_VOICE_ADMITTED */
    ngx_voice_read_body,                   /* NGX_VOICE_READ_BODY */
    ngx_voice_validate,                    /* NGX_VOICE_VALIDATE */
    ngx_voice_once,                        /* NGX_VOICE_ONCE */
    ngx_voice_digest,                      /* NGX_VOICE_DIGEST */
    ngx_voice_lookup,                      /* NGX_VOICE_LOOKUP */
    ngx_voice_verify,                      /* NGX_VOICE_VERIFY */
    ngx_voice_hash,                        /* NGX_VOICE_HASH */
    ngx_voice_call,                        /* NGX_VOICE_CALL */
    ngx_voice_answer,                      /* NGX_VOICE_ANSWER */
    ngx_voice_resume_check                 /* NGX_VOICE_RESUME */
};


/* Shapes that do not run the machine, by voice_shape_e. */
static const ngx_voice_content_pt  ngx_voice_shapes[] = {
    NULL,                                  /* VOICE_SHAPE_ENVELOPE */
    NULL,                                  /* VOICE_SHAPE_FLAT */
    ngx_voice_health,                      /* VOICE_SHAPE_HEALTH */
    ngx_voice_metrics,                     /* VOICE_SHAPE_METRICS */
    ngx_voice_openapi,                     /* VOICE_SHAPE_CONTRACT */
    ngx_voice_docs,                        /* VOICE_SHAPE_DOCS */
    NULL,                                  /* VOICE_SHAPE_PACKET */
    ngx_voice_example,                     /* VOICE_SHAPE_EXAMPLE */
    NULL                                   /* VOICE_SHAPE_PAGES */
};


/* Before anything can be logged: log lines never hold a query. */
ngx_int_t
ngx_voice_post_read_handler(ngx_http_request_t *r)
{
    r->log_handler = ngx_voice_log_handler;
    ngx_voice_leave_request(r);

    return NGX_DECLINED;
}


ngx_int_t
ngx_voice_access_handler(ngx_http_request_t *r)
{
    ngx_voice_ctx_t       *ctx;
    ngx_voice_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_voice_module);

    if (!lcf->api && !lcf->stream && !ngx_voice_location_judged(lcf)) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);

    if (ctx == NULL) {

        if (!lcf->api && !lcf->stream) {
            return ngx_voice_location_begin(r, lcf);
        }

        /* nchan aborts where it gets a subscriber while it exits; a client
         * whose connection ends connects anew */
        return lcf->stream && ngx_exiting ? NGX_HTTP_CLOSE
                                          : ngx_voice_begin(r);
    }

    if (ctx->state == NGX_VOICE_DONE && ctx->location) {
        return ctx->error.status;
    }

    return ctx->admitted ? NGX_OK : NGX_AGAIN;
}


ngx_int_t
ngx_voice_content_handler(ngx_http_request_t *r)
{
    ngx_voice_ctx_t      *ctx;
    ngx_voice_content_pt  handler;

    /* the access phase is not for subrequests: nor are we */
    ctx = ngx_http_get_module_ctx(r, ngx_voice_module);

    if (r != r->main || ctx == NULL || !ctx->admitted) {
        return NGX_HTTP_FORBIDDEN;
    }

    /* ours, until the reply is finalized */
    r->main->count++;

    handler = ngx_voice_shapes[ctx->operation->contract->shape];

    if (handler != NULL) {
        handler(ctx);
        return NGX_DONE;
    }

    ctx->state = NGX_VOICE_READ_BODY;
    (void) ngx_voice_run(ctx);

    return NGX_DONE;
}


void
ngx_voice_resume(ngx_voice_ctx_t *ctx, ngx_voice_state_e state)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    if (ctx->again) {
        ngx_voice_lapse_resume(ctx, state);
        return;
    }

    r = ctx->request;
    c = r->connection;

    if (ctx->conf->stopped) {
        (void) ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);
        ngx_voice_refuse(ctx);
        return;
    }

    ctx->state = state;

    switch (ngx_voice_run(ctx)) {

    case NGX_DECLINED:
    case NGX_ABORT:
        ngx_http_core_run_phases(r);
        break;

    default:
        break;
    }

    ngx_http_run_posted_requests(c);
}


void
ngx_voice_refuse(ngx_voice_ctx_t *ctx)
{
    ngx_connection_t  *c;

    if (ctx->again) {
        ngx_voice_lapse_refuse(ctx);
        return;
    }

    c = ctx->request->connection;

    if (ngx_voice_location_refuse(ctx) == NGX_ABORT) {
        ngx_http_core_run_phases(ctx->request);
    }

    ngx_http_run_posted_requests(c);
}


void
ngx_voice_finish(ngx_voice_ctx_t *ctx, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = ctx->request->connection;

    ctx->state = NGX_VOICE_DONE;
    ngx_http_finalize_request(ctx->request, rc);
    ngx_http_run_posted_requests(c);
}


ngx_int_t
ngx_voice_query(ngx_voice_ctx_t *ctx,
    const ngx_voice_pg_statement_t *statement, const json_t *args,
    ngx_voice_pg_done_pt done)
{
    char                  *text;
    ngx_str_t              params[12];
    ngx_connection_t      *c;
    ngx_voice_pg_pool_t   *pool;
    ngx_voice_database_t  *database;

    c = ctx->request->connection;
    database = ngx_voice_shard(ctx);

    if (database == NULL) {
        return NGX_ERROR;
    }

    text = json_dumps(args, JSON_COMPACT);

    if (text == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    params[0] = ctx->identity.tenant;
    params[1] = ctx->identity.actor;
    params[2] = ctx->identity.kind;
    params[3] = ctx->identity.role;
    params[4] = ctx->identity.session;
    params[5] = ctx->request_id;
    params[6] = c->addr_text;
    params[7] = ctx->traceparent;
    params[8].data = (u_char *) text;
    params[8].len = ngx_strlen(text);

    if (ctx->once != NULL) {
        params[9] = ctx->once->key;
        params[10] = ctx->once->fingerprint;
        params[11] = ctx->once->secret;
    }

    if (c->sockaddr->sa_family == AF_UNIX) {
        ngx_str_null(&params[6]);
    }

    pool = ngx_voice_database_pool(database, ctx->operation->contract->slow,
                                   ctx->attempts > 1);
    ctx->query = ngx_voice_pg_send(pool, statement, params, done, ctx);

    ngx_explicit_memzero(text, params[8].len);
    free(text);

    if (ctx->query == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    return NGX_AGAIN;
}


ngx_voice_database_t *
ngx_voice_shard(ngx_voice_ctx_t *ctx)
{
    ngx_voice_database_t  *database;

    database = ngx_voice_database_find(ctx->conf->databases,
                                       ctx->tenant == NULL ? ""
                                       : (char *) ctx->tenant->shard);

    if (database == NULL) {
        ngx_log_error(NGX_LOG_ALERT, ctx->request->connection->log, 0,
                      "no \"voice_postgres\" has the name \"%s\", the shard "
                      "of tenant \"%V\"", ctx->tenant->shard,
                      &ctx->identity.tenant);
        (void) ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);
    }

    return database;
}


ngx_int_t
ngx_voice_enter(ngx_voice_ctx_t *ctx, ngx_voice_state_e state)
{
    ngx_int_t  rc;

    ctx->state = state;
    rc = ngx_voice_run(ctx);

    return rc == NGX_DECLINED ? NGX_OK
           : rc == NGX_ABORT ? (ngx_int_t) ctx->error.status : rc;
}


static ngx_int_t
ngx_voice_begin(ngx_http_request_t *r)
{
    ngx_voice_ctx_t  *ctx;

    ctx = ngx_voice_ctx_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_voice_enter(ctx, NGX_VOICE_CORS);
}


/*
 * Runs steps until one waits or ends; DONE: the request may be gone; ABORT:
 * refused, nginx goes on by ctx->error.status.
 */
static ngx_int_t
ngx_voice_run(ngx_voice_ctx_t *ctx)
{
    ngx_int_t  rc;

    for ( ;; ) {
        ctx->next = ctx->state + 1;
        rc = ngx_voice_steps[ctx->state](ctx);

        switch (rc) {

        case NGX_OK:
            ctx->state = ctx->next;
            break;

        case NGX_AGAIN:
            return ngx_voice_wait(ctx);

        case NGX_ERROR:
            return ngx_voice_location_refuse(ctx);

        default:
            return rc;
        }
    }
}


/* While we wait, a client that goes away ends the request. */
static ngx_int_t
ngx_voice_wait(ngx_voice_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    /* a body that is read, or thrown away, has its own handler */
    if (ctx->state == NGX_VOICE_READ_BODY || r->discard_body) {
        return NGX_AGAIN;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DONE;
    }

    r->read_event_handler = ngx_http_test_reading;

    return NGX_AGAIN;
}


/* The end of the access phase; a stream calls its function in it. */
static ngx_int_t
ngx_voice_admitted(ngx_voice_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!ctx->location && ctx->operation->contract->stream
        && ctx->channel.len == 0)
    {
        ctx->next = NGX_VOICE_VALIDATE;
        rc = ngx_voice_stream_acceptable(ctx);

        return rc == NGX_OK && ngx_voice_live_located(r)
               ? ngx_voice_live_begin(ctx) : rc;
    }

    /* nchan aborts where it gets a subscriber while it exits */
    if (ctx->channel.len > 0
        && (ngx_voice_leave_stream(r, ctx->live == NULL) != NGX_OK
            || ngx_voice_lapse_join(ctx) != NGX_OK))
    {
        return ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);
    }

    r->read_event_handler = ngx_http_block_reading;

    ctx->admitted = 1;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_voice_call(ngx_voice_ctx_t *ctx)
{
    if (ctx->operation->contract->shape == VOICE_SHAPE_PACKET) {
        return ngx_voice_ingest(ctx);
    }

    ctx->attempts++;

    if (ctx->live != NULL && ngx_voice_live_args(ctx) != NGX_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (ctx->operation->contract->expires != NULL
        && ngx_voice_known_args(ctx) != NGX_OK)
    {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (ctx->once != NULL) {
        return ngx_voice_once_call(ctx, ngx_voice_called);
    }

    return ngx_voice_query(ctx, &ctx->operation->statement, ctx->args,
                           ngx_voice_called);
}


static void
ngx_voice_called(void *data, ngx_voice_pg_e outcome, PGresult **result)
{
    ngx_voice_ctx_t  *ctx = data;

    ctx->query = NULL;

    if (outcome == NGX_VOICE_PG_RESULT) {
        ctx->result = *result;
        *result = NULL;
        ngx_voice_resume(ctx, NGX_VOICE_ANSWER);
        return;
    }

    if (ngx_voice_once_stored(ctx, outcome, *result)
        || ngx_voice_call_again(ctx, outcome))
    {
        ngx_voice_resume(ctx, NGX_VOICE_CALL);
        return;
    }

    (void) ngx_voice_fail_pg(ctx, outcome, *result);
    ngx_voice_refuse(ctx);
}


/*
 * The pool itself repeats what was surely rolled back.  A lost connection may
 * have committed: here only what changes nothing is sent again.  What a
 * replica does not know yet, the primary may.
 */
static ngx_uint_t
ngx_voice_call_again(ngx_voice_ctx_t *ctx, ngx_voice_pg_e outcome)
{
    const voice_operation_t  *contract;

    contract = ctx->operation->contract;

    if (ctx->attempts != 1) {
        return 0;
    }

    /* under a key nothing is done twice */
    if (ctx->once != NULL) {
        return outcome == NGX_VOICE_PG_DOWN;
    }

    if (contract->method != VOICE_METHOD_GET) {
        return 0;
    }

    return outcome == NGX_VOICE_PG_DOWN
           || (outcome == NGX_VOICE_PG_ERROR && contract->slow);
}
