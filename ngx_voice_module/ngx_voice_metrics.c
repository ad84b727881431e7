
/*
 * /metrics: Prometheus text format 0.0.4 from the zone, and from the
 * database where it answers.
 */

#include "ngx_voice.h"
#include "ngx_voice_metrics.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_METRICS_BLOCK  16384     /* bytes a buffer */
#define NGX_VOICE_METRICS_LINE   1024      /* bytes of one line, at most */
#define NGX_VOICE_METRICS_NAME   64        /* bytes of a name, NUL included */


static void ngx_voice_metrics_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static void ngx_voice_metrics_send(ngx_voice_ctx_t *ctx);
static void ngx_voice_metrics_requests(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared);
static void ngx_voice_metrics_durations(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared);
static void ngx_voice_metrics_duration(ngx_voice_text_t *text,
    const ngx_voice_endpoint_t *endpoint);
static void ngx_voice_metrics_faults(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared);
static void ngx_voice_metrics_counters(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared);
static void ngx_voice_metrics_gauges(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared);
static void ngx_voice_metrics_watch(ngx_voice_text_t *text,
    const ngx_voice_main_conf_t *mcf);


static const ngx_str_t  ngx_voice_metrics_type =
    ngx_string("text/plain; version=0.0.4; charset=utf-8");


void
ngx_voice_metrics(ngx_voice_ctx_t *ctx)
{
    ctx->args = json_object();

    if (ngx_voice_query(ctx, &ctx->operation->statement, ctx->args,
                        ngx_voice_metrics_answered)
        != NGX_AGAIN)
    {
        ngx_memzero(&ctx->error, sizeof(ngx_voice_error_t));
        ngx_voice_metrics_send(ctx);
    }
}


/* Our own figures matter most when the database does not answer. */
static void
ngx_voice_metrics_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result)
{
    ngx_voice_ctx_t  *ctx = data;

    ctx->query = NULL;

    if (outcome == NGX_VOICE_PG_RESULT) {
        ctx->result = *result;
        *result = NULL;
    }

    ngx_voice_metrics_send(ctx);
}


static void
ngx_voice_metrics_send(ngx_voice_ctx_t *ctx)
{
    json_t              *data;
    ngx_voice_text_t     text;
    ngx_voice_shared_t  *shared;
    voice_json_error_t   err;

    ngx_memzero(&text, sizeof(ngx_voice_text_t));
    text.pool = ctx->request->pool;
    text.last = &text.first;
    shared = ctx->conf->shared;

    ngx_voice_figures_update(ctx->conf);

    ngx_voice_metrics_requests(&text, shared);
    ngx_voice_metrics_durations(&text, shared);
    ngx_voice_metrics_faults(&text, shared);
    ngx_voice_metrics_counters(&text, shared);
    ngx_voice_metrics_gauges(&text, shared);
    ngx_voice_metrics_watch(&text, ctx->conf);

    if (ctx->result != NULL) {
        data = voice_json_parse(ngx_voice_column(ctx->result,
                                                 NGX_VOICE_COLUMN_DATA),
                                &err);
        ngx_voice_metrics_database(&text, data);
        json_decref(data);
    }

    if (text.failed || text.buf == NULL) {
        ngx_voice_finish(ctx, NGX_ERROR);
        return;
    }

    text.buf->last_buf = 1;
    text.buf->last_in_chain = 1;

    ngx_voice_finish(ctx, ngx_voice_send(ctx, NGX_HTTP_OK,
                                         &ngx_voice_metrics_type,
                                         text.first));
}


static void
ngx_voice_metrics_requests(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared)
{
    ngx_uint_t             i;
    ngx_voice_endpoint_t  *endpoint;

    ngx_voice_text_head(text, "requests_total", "counter",
                        "Requests that were answered.");

    for (endpoint = shared->endpoints; endpoint != NULL;
         endpoint = endpoint->next)
    {
        for (i = 0; i < NGX_VOICE_STATUSES && endpoint->codes[i] != 0; i++) {
            ngx_voice_text_add(text, "requests_total{method=\"%V\","
                               "endpoint=\"%V\",status=\"%uA\"} %uA\n",
                               &endpoint->method, &endpoint->route,
                               endpoint->codes[i], endpoint->requests[i]);
        }
    }
}


static void
ngx_voice_metrics_durations(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared)
{
    ngx_voice_endpoint_t  *endpoint;

    ngx_voice_text_head(text, "request_duration_seconds", "histogram",
                        "Time from a request's first byte to its end.");

    for (endpoint = shared->endpoints; endpoint != NULL;
         endpoint = endpoint->next)
    {
        ngx_voice_metrics_duration(text, endpoint);
    }
}


/* Endpoints that were never asked for take no room. */
static void
ngx_voice_metrics_duration(ngx_voice_text_t *text,
    const ngx_voice_endpoint_t *endpoint)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  total, counts[NGX_VOICE_BUCKETS + 1];

    total = 0;

    for (i = 0; i <= NGX_VOICE_BUCKETS; i++) {
        total += endpoint->buckets[i];
        counts[i] = total;
    }

    if (total == 0) {
        return;
    }

    for (i = 0; i <= NGX_VOICE_BUCKETS; i++) {
        ngx_voice_text_add(text, "request_duration_seconds_bucket{"
                           "method=\"%V\",endpoint=\"%V\",le=\"%s\"} %uA\n",
                           &endpoint->method, &endpoint->route,
                           i == NGX_VOICE_BUCKETS
                           ? "+Inf" : ngx_voice_bucket_names[i],
                           counts[i]);
    }

    ngx_voice_text_add(text, "request_duration_seconds_sum{method=\"%V\","
                       "endpoint=\"%V\"} %uA.%03uA\n", &endpoint->method,
                       &endpoint->route, endpoint->sum / 1000,
                       endpoint->sum % 1000);
    ngx_voice_text_add(text, "request_duration_seconds_count{method=\"%V\","
                       "endpoint=\"%V\"} %uA\n", &endpoint->method,
                       &endpoint->route, total);
}


static void
ngx_voice_metrics_faults(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared)
{
    ngx_uint_t  i;

    ngx_voice_text_head(text, "errors_total", "counter",
                        "Error replies by code and by who found the error.");

    for (i = 0; i < shared->nfaults; i++) {
        ngx_voice_text_add(text, "errors_total{type=\"%s\",service=\"%s\"} "
                           "%uA\n", shared->faults[i].type,
                           shared->faults[i].service,
                           shared->faults[i].count);
    }
}


static void
ngx_voice_metrics_counters(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared)
{
    u_char      name[NGX_VOICE_METRICS_NAME];
    size_t      len;
    ngx_uint_t  i;

    static const struct {
        const char  *name;
        const char  *help;
    } rows[] = {
#define NGX_VOICE_ROW(id, name, help)  { name, help },
        NGX_VOICE_COUNTERS(NGX_VOICE_ROW)
#undef NGX_VOICE_ROW
    };

    /* what differs by a label only has one head */

    name[0] = '\0';

    for (i = 0; i < NGX_VOICE_COUNTER_COUNT; i++) {
        len = strcspn(rows[i].name, "{");

        if (ngx_strncmp(name, rows[i].name, len) != 0 || name[len] != '\0') {
            ngx_cpystrn(name, (u_char *) rows[i].name,
                        ngx_min(len + 1, sizeof(name)));
            ngx_voice_text_head(text, (char *) name, "counter", rows[i].help);
        }

        ngx_voice_text_add(text, "%s %uA\n", rows[i].name,
                           shared->counters[i]);
    }
}


static void
ngx_voice_metrics_gauges(ngx_voice_text_t *text,
    const ngx_voice_shared_t *shared)
{
    ngx_uint_t         i, j;
    ngx_atomic_uint_t  pid, sums[NGX_VOICE_GAUGE_COUNT];

    static const struct {
        const char  *name;
        const char  *help;
    } rows[] = {
#define NGX_VOICE_ROW(id, name, help)  { name, help },
        NGX_VOICE_GAUGES(NGX_VOICE_ROW)
#undef NGX_VOICE_ROW
    };

    ngx_memzero(sums, sizeof(sums));

    for (i = 0; i < NGX_VOICE_PROCESSES; i++) {
        pid = shared->processes[i].pid;

        if (pid == 0 || !ngx_voice_process_alive(pid)) {
            continue;
        }

        for (j = 0; j < NGX_VOICE_GAUGE_COUNT; j++) {
            sums[j] += shared->processes[i].gauges[j];
        }
    }

    for (i = 0; i < NGX_VOICE_GAUGE_COUNT; i++) {
        ngx_voice_text_head(text, rows[i].name, "gauge", rows[i].help);
        ngx_voice_text_add(text, "%s %uA\n", rows[i].name, sums[i]);
    }
}


static void
ngx_voice_metrics_watch(ngx_voice_text_t *text,
    const ngx_voice_main_conf_t *mcf)
{
    ngx_msec_t             lag;
    ngx_uint_t             i;
    ngx_voice_database_t  *database;

    static const char  name[] = "voice_watch_lag_seconds";

    database = mcf->databases->elts;

    ngx_voice_text_head(text, name, "gauge",
                        "Time since the database was asked for changes.");

    for (i = 0; i < mcf->databases->nelts; i++) {
        lag = ngx_voice_watch_lag(&mcf->shared->watch, i);
        ngx_voice_text_add(text, "%s{database=\"%V\"} %M.%03M\n", name,
                           &database[i].name, lag / 1000, lag % 1000);
    }
}


void
ngx_voice_text_head(ngx_voice_text_t *text, const char *name,
    const char *type, const char *help)
{
    ngx_voice_text_add(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                       type);
}


void
ngx_voice_text_add(ngx_voice_text_t *text, const char *format, ...)
{
    va_list       args;
    ngx_chain_t  *cl;

    if (text->failed) {
        return;
    }

    if (text->buf == NULL
        || text->buf->end - text->buf->last < NGX_VOICE_METRICS_LINE)
    {
        text->buf = ngx_create_temp_buf(text->pool, NGX_VOICE_METRICS_BLOCK);
        cl = ngx_alloc_chain_link(text->pool);

        if (text->buf == NULL || cl == NULL) {
            text->failed = 1;
            return;
        }

        cl->buf = text->buf;
        cl->next = NULL;
        *text->last = cl;
        text->last = &cl->next;
    }

    va_start(args, format);
    text->buf->last = ngx_vslprintf(text->buf->last,
                                    text->buf->last + NGX_VOICE_METRICS_LINE,
                                    format, args);
    va_end(args);
}


u_char *
ngx_voice_label_escape(u_char *p, u_char *last, const ngx_str_t *value)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < value->len && last - p > 2; i++) {
        c = value->data[i];

        if (c == '\\' || c == '"' || c == '\n') {
            *p++ = '\\';
            c = c == '\n' ? 'n' : c;
        }

        *p++ = c;
    }

    return p;
}
