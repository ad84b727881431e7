
/*
 * Health, readiness, the contract's text, its page and its examples.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_READY_TIME  1000         /* ms */


static void ngx_voice_ready(ngx_voice_ctx_t *ctx);
static void ngx_voice_ready_ask(ngx_voice_ctx_t *ctx);
static void ngx_voice_ready_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static void ngx_voice_ready_ponged(void *data, const redisReply *reply);
static void ngx_voice_ready_timeout(ngx_event_t *ev);
static void ngx_voice_ready_known(ngx_voice_ctx_t *ctx);
static void ngx_voice_ready_send(ngx_voice_ctx_t *ctx);
static json_t *ngx_voice_health_body(const char *status,
    json_t *dependencies);
static ngx_int_t ngx_voice_health_send(ngx_voice_ctx_t *ctx,
    ngx_uint_t status, json_t *body);
static ngx_str_t ngx_voice_docs_plain(ngx_voice_ctx_t *ctx);


static const ngx_str_t  ngx_voice_html_type =
    ngx_string("text/html; charset=utf-8");


/*
 * The operation "health" says that this process answers and asks nobody; any
 * other one of x-shape "health" says what it depends on.
 */
void
ngx_voice_health(ngx_voice_ctx_t *ctx)
{
    if (!ngx_voice_is_liveness(ctx->operation->contract)) {
        ngx_voice_ready(ctx);
        return;
    }

    ngx_voice_finish(ctx, ngx_voice_health_send(ctx, NGX_HTTP_OK,
                              ngx_voice_health_body("healthy",
                                                    json_object())));
}


void
ngx_voice_openapi(ngx_voice_ctx_t *ctx)
{
    ngx_str_t     text;
    voice_span_t  span;

    span = voice_contract_text(ctx->conf->contract);
    text.data = (u_char *) span.ptr;
    text.len = span.len;

    ngx_voice_finish(ctx, ngx_voice_send_text(ctx, NGX_HTTP_OK,
                                              &ngx_voice_json_type, &text));
}


void
ngx_voice_example(ngx_voice_ctx_t *ctx)
{
    ngx_str_t  text;

    text.data = (u_char *) ctx->operation->contract->example;
    text.len = ngx_strlen(text.data);

    ngx_voice_finish(ctx, ngx_voice_send_text(ctx, NGX_HTTP_OK,
                                              &ngx_voice_json_type, &text));
}


void
ngx_voice_docs(ngx_voice_ctx_t *ctx)
{
    ngx_str_t              page;
    ngx_voice_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(ctx->request, ngx_voice_module);

    page = lcf->docs.len != 0 ? lcf->docs : ngx_voice_docs_plain(ctx);

    if (page.len == 0) {
        (void) ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_finish(ctx, ngx_voice_send_text(ctx, NGX_HTTP_OK,
                                              &ngx_voice_html_type, &page));
}


/*
 * Both are asked at once and get a short time: who asks wants an answer, also
 * where they hang.  ctx->result and ctx->redis_up keep theirs.
 */
static void
ngx_voice_ready(ngx_voice_ctx_t *ctx)
{
    static const ngx_str_t  ping[] = { ngx_string("PING") };

    ctx->args = json_object();

    ctx->timer.handler = ngx_voice_ready_timeout;
    ctx->timer.data = ctx;
    ctx->timer.log = ctx->request->connection->log;
    ngx_add_timer(&ctx->timer, NGX_VOICE_READY_TIME);

    ctx->command = ngx_voice_redis_send(ctx->conf->redis, 1, ping,
                                        ngx_voice_ready_ponged, ctx);
    ngx_voice_ready_ask(ctx);
}


static void
ngx_voice_ready_ask(ngx_voice_ctx_t *ctx)
{
    ctx->attempts++;

    if (ngx_voice_query(ctx, &ctx->operation->statement, ctx->args,
                        ngx_voice_ready_answered)
        != NGX_AGAIN)
    {
        ngx_voice_ready_known(ctx);
    }
}


static void
ngx_voice_ready_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result)
{
    ngx_voice_ctx_t  *ctx = data;

    ctx->query = NULL;

    /* one lost connection is not yet a database that is down */

    if (outcome == NGX_VOICE_PG_DOWN && ctx->attempts == 1
        && !ctx->conf->stopped)
    {
        ngx_voice_ready_ask(ctx);
        return;
    }

    if (outcome == NGX_VOICE_PG_RESULT) {
        ctx->result = *result;
        *result = NULL;
    }

    ngx_voice_ready_known(ctx);
}


static void
ngx_voice_ready_ponged(void *data, const redisReply *reply)
{
    ngx_voice_ctx_t  *ctx = data;

    ctx->command = NULL;
    ctx->redis_up = reply != NULL && reply->type == REDIS_REPLY_STATUS;

    ngx_voice_ready_known(ctx);
}


static void
ngx_voice_ready_timeout(ngx_event_t *ev)
{
    ngx_voice_ready_send(ev->data);
}


/* The last answer ends it. */
static void
ngx_voice_ready_known(ngx_voice_ctx_t *ctx)
{
    if (ctx->query == NULL && ctx->command == NULL) {
        ngx_voice_ready_send(ctx);
    }
}


/*
 * Without the database nothing works; without Redis or workers requests are
 * still answered and jobs wait.
 */
static void
ngx_voice_ready_send(ngx_voice_ctx_t *ctx)
{
    json_t              *data, *body;
    ngx_uint_t           database, redis;
    const char          *status, *workers;
    voice_json_error_t   err;

    ngx_voice_ctx_cancel(ctx);

    data = NULL;

    if (ctx->result != NULL) {
        data = voice_json_parse(ngx_voice_column(ctx->result,
                                                 NGX_VOICE_COLUMN_DATA),
                                &err);
    }

    database = data != NULL;
    redis = ctx->redis_up;
    workers = json_string_value(json_object_get(data, "workers"));

    if (workers == NULL) {
        workers = "down";
    }

    status = !database ? "unhealthy"
             : redis && ngx_strcmp(workers, "ok") == 0 ? "healthy"
             : "degraded";

    body = ngx_voice_health_body(status,
                                 json_pack("{s:s, s:s, s:s}",
                                           "database",
                                           database ? "ok" : "down",
                                           "redis", redis ? "ok" : "down",
                                           "workers", workers));
    json_decref(data);

    ngx_voice_finish(ctx, ngx_voice_health_send(ctx, database
                              ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE,
                              body));
}


/* Takes over dependencies; NULL: out of memory. */
static json_t *
ngx_voice_health_body(const char *status, json_t *dependencies)
{
    u_char       text[sizeof("2000-01-01T00:00:00Z")];
    ngx_tm_t     tm;

    ngx_gmtime(ngx_time(), &tm);

    *ngx_snprintf(text, sizeof(text) - 1, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                  tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                  tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec) = '\0';

    return json_pack("{s:s, s:s, s:o, s:s}", "status", status,
                     "version", NGX_VOICE_VERSION,
                     "dependencies", dependencies,
                     "timestamp", (char *) text);
}


/* Takes over body, which may be NULL. */
static ngx_int_t
ngx_voice_health_send(ngx_voice_ctx_t *ctx, ngx_uint_t status, json_t *body)
{
    char             *dump;
    ngx_str_t         text;
    static ngx_str_t  second = ngx_string("1");

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_voice_header(ctx->request, "Retry-After", &second) != NGX_OK)
    {
        json_decref(body);
        return NGX_ERROR;
    }

    dump = json_dumps(body, JSON_COMPACT);
    json_decref(body);

    if (dump == NULL) {
        return NGX_ERROR;
    }

    text.len = ngx_strlen(dump);
    text.data = ngx_pnalloc(ctx->request->pool, text.len);

    if (text.data != NULL) {
        ngx_memcpy(text.data, dump, text.len);
    }

    free(dump);

    return text.data == NULL ? NGX_ERROR
                             : ngx_voice_send_text(ctx, status,
                                                   &ngx_voice_json_type,
                                                   &text);
}


/* A list of the operations; nothing in a contract needs escaping here. */
static ngx_str_t
ngx_voice_docs_plain(ngx_voice_ctx_t *ctx)
{
    size_t                    size;
    u_char                   *p, *last;
    ngx_str_t                 page;
    ngx_uint_t                i;
    const voice_operation_t  *operation;

    static const char  head[] =
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<title>Voicegate API</title><style>"
        ":root{color-scheme:light dark}"
        "body{font:15px/1.45 system-ui,sans-serif;max-width:60em;"
        "margin:2em auto;padding:0 1em}"
        "th,td{text-align:left;padding:.2em 1.5em .2em 0}"
        "</style><h1>Voicegate API</h1>"
        "<p>The contract: <a href=\"/openapi.json\">/openapi.json</a></p>"
        "<table><tr><th>Method<th>Path<th>Operation</tr>";
    static const char  row[] = "<tr><td>%s<td>%s<td>%s</tr>";
    static const char  tail[] = "</table></html>";

    size = sizeof(head) + sizeof(tail);

    for (i = 0; i < ctx->conf->noperations; i++) {
        operation = ctx->conf->operations[i].contract;
        size += sizeof(row) + 8 + ngx_strlen(operation->path)
                + ngx_strlen(operation->function);
    }

    ngx_str_null(&page);

    p = ngx_pnalloc(ctx->request->pool, size);
    if (p == NULL) {
        return page;
    }

    page.data = p;
    last = p + size;
    p = ngx_slprintf(p, last, "%s", head);

    for (i = 0; i < ctx->conf->noperations; i++) {
        operation = ctx->conf->operations[i].contract;
        p = ngx_slprintf(p, last, row, voice_method_name(operation->method),
                         operation->path, operation->function);
    }

    p = ngx_slprintf(p, last, "%s", tail);
    page.len = p - page.data;

    return page;
}
