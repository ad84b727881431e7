
/*
 * Variables for the configuration and the logs, and the end of our error log
 * lines.
 */

#include "ngx_voice.h"


static ngx_int_t ngx_voice_var_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_voice_var_tenant_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_voice_var_tenant(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_voice_var_request_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_voice_var_limit(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_voice_var_route(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_voice_var_last_event_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_voice_var_duration(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_voice_var_set(ngx_http_variable_value_t *v,
    const ngx_str_t *text);
static u_char *ngx_voice_log_text(u_char *p, u_char *last, const char *name,
    const ngx_str_t *text);


static ngx_http_variable_t  ngx_voice_variables[] = {

    /* the request's id, ours or the client's */
    { ngx_string("voice_request_id"), NULL, ngx_voice_var_request_id, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* W3C Trace Context: what a service behind us is to get, and its id */
    { ngx_string("voice_traceparent"), NULL, ngx_voice_var_text,
      offsetof(ngx_voice_ctx_t, traceparent), NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("voice_tracestate"), NULL, ngx_voice_var_text,
      offsetof(ngx_voice_ctx_t, tracestate), NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("voice_trace_id"), NULL, ngx_voice_var_text,
      offsetof(ngx_voice_ctx_t, trace_id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* the tenant of the caller or of the host, else empty */
    { ngx_string("voice_tenant"), NULL, ngx_voice_var_tenant_id, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* user or key, and role of an identified caller, else empty */
    { ngx_string("voice_actor"), NULL, ngx_voice_var_text,
      offsetof(ngx_voice_ctx_t, identity.actor),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("voice_role"), NULL, ngx_voice_var_text,
      offsetof(ngx_voice_ctx_t, identity.role),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* of the tenant's record, empty where it is not known or says nothing */
    { ngx_string("voice_plan"), NULL, ngx_voice_var_tenant,
      offsetof(ngx_voice_tenant_t, plan), NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("voice_upstream"), NULL, ngx_voice_var_tenant,
      offsetof(ngx_voice_tenant_t, upstream), NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("voice_shard"), NULL, ngx_voice_var_tenant,
      offsetof(ngx_voice_tenant_t, shard), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* admitted, refused or dry_run by its limit; off: it has none */
    { ngx_string("voice_limit_status"), NULL, ngx_voice_var_limit, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* template of the operation's path, "-" without one */
    { ngx_string("voice_route"), NULL, ngx_voice_var_route, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* what a stream's caller may hear; empty until it is granted */
    { ngx_string("voice_channel"), NULL, ngx_voice_var_text,
      offsetof(ngx_voice_ctx_t, channel), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* the id to resume from, checked; not found where there is none */
    { ngx_string("voice_last_event_id"), NULL, ngx_voice_var_last_event_id,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* code and sentence of the error that was sent, else empty */
    { ngx_string("voice_error_code"), NULL, ngx_voice_var_text,
      offsetof(ngx_voice_ctx_t, error.code), NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("voice_error_message"), NULL, ngx_voice_var_text,
      offsetof(ngx_voice_ctx_t, error.message), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* whole milliseconds since the request began */
    { ngx_string("voice_duration_ms"), NULL, ngx_voice_var_duration, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_voice_vars_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_voice_variables; v->name.len != 0; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


u_char *
ngx_voice_log_handler(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len)
{
    u_char           *p, *last, *end;
    ngx_str_t         path;
    ngx_voice_ctx_t  *ctx;

    last = buf + len;
    p = buf;

    if (r->headers_in.server.len != 0) {
        p = ngx_voice_log_text(p, last, "server", &r->headers_in.server);
    }

    path = r->unparsed_uri;
    end = ngx_strlchr(path.data, path.data + path.len, '?');

    if (path.len != 0 && end != NULL) {
        path.len = end - path.data;
    }

    p = ngx_voice_log_text(p, last, "method", &r->method_name);
    p = ngx_voice_log_text(p, last, "path", &path);

    ctx = ngx_voice_ctx(r);

    if (ctx != NULL) {
        p = ngx_voice_log_text(p, last, "request_id", &ctx->request_id);
    }

    return p;
}


ngx_msec_int_t
ngx_voice_duration(ngx_http_request_t *r)
{
    ngx_time_t      *now;
    ngx_msec_int_t   ms;

    now = ngx_timeofday();
    ms = (ngx_msec_int_t) ((now->sec - r->start_sec) * 1000
                           + (now->msec - r->start_msec));

    return ngx_max(ms, 0);
}


static ngx_int_t
ngx_voice_var_text(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_voice_ctx_t  *ctx;

    static const ngx_str_t  none = ngx_string("");

    ctx = ngx_voice_ctx(r);
    ngx_voice_var_set(v, ctx == NULL ? &none
                                     : (ngx_str_t *) ((u_char *) ctx + data));

    return NGX_OK;
}


static ngx_int_t
ngx_voice_var_tenant_id(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_voice_ctx_t  *ctx;

    static const ngx_str_t  none = ngx_string("");

    ctx = ngx_voice_ctx(r);
    ngx_voice_var_set(v, ctx == NULL ? &none
                         : ctx->identity.tenant.len != 0
                           ? &ctx->identity.tenant : &ctx->host_tenant);

    return NGX_OK;
}


/* A name of the tenant's record, at offset data. */
static ngx_int_t
ngx_voice_var_tenant(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t         text;
    ngx_voice_ctx_t  *ctx;

    ctx = ngx_voice_ctx(r);
    ngx_str_set(&text, "");

    if (ctx != NULL && ctx->tenant != NULL) {
        text.data = (u_char *) ctx->tenant + data;
        text.len = ngx_strlen(text.data);
    }

    ngx_voice_var_set(v, &text);

    return NGX_OK;
}


/* A request that failed before our phases gets its id here. */
static ngx_int_t
ngx_voice_var_request_id(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    static const ngx_str_t  name = ngx_string("request_id");

    ngx_uint_t                  key;
    ngx_str_t                   copy;
    ngx_voice_ctx_t            *ctx;
    ngx_http_variable_value_t  *own;

    ctx = ngx_voice_ctx(r);

    if (ctx != NULL) {
        ngx_voice_var_set(v, &ctx->request_id);
        return NGX_OK;
    }

    copy = name;
    key = ngx_hash_key(copy.data, copy.len);
    own = ngx_http_get_variable(r, &copy, key);

    if (own == NULL || own->not_found) {
        v->not_found = 1;
        return NGX_OK;
    }

    *v = *own;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_var_limit(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t  status;

    status = ngx_voice_limit_status(ngx_voice_ctx(r));
    ngx_voice_var_set(v, &status);

    return NGX_OK;
}


static ngx_int_t
ngx_voice_var_route(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t         route;
    ngx_voice_ctx_t  *ctx;

    ngx_str_set(&route, "-");
    ctx = ngx_voice_ctx(r);

    if (ctx != NULL && ctx->operation != NULL) {
        route.data = (u_char *) ctx->operation->contract->path;
        route.len = ngx_strlen(route.data);
    }

    ngx_voice_var_set(v, &route);

    return NGX_OK;
}


static ngx_int_t
ngx_voice_var_last_event_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_voice_ctx_t  *ctx;

    ctx = ngx_voice_ctx(r);

    if (ctx == NULL || ctx->resume.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_voice_var_set(v, &ctx->resume);

    return NGX_OK;
}


static ngx_int_t
ngx_voice_var_duration(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char     *p;
    ngx_str_t   text;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text.data = p;
    text.len = ngx_sprintf(p, "%M", (ngx_msec_t) ngx_voice_duration(r)) - p;
    ngx_voice_var_set(v, &text);

    return NGX_OK;
}


static void
ngx_voice_var_set(ngx_http_variable_value_t *v, const ngx_str_t *text)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = text->len;
    v->data = text->data;
}


static u_char *
ngx_voice_log_text(u_char *p, u_char *last, const char *name,
    const ngx_str_t *text)
{
    size_t  i;
    u_char  c;

    if (text->len == 0) {
        return p;
    }

    p = ngx_slprintf(p, last, ", %s: \"", name);

    /* what a client sends ends no field and drives no terminal */

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        p = c < 0x20 || c > 0x7e || c == '"' || c == '\\'
            ? ngx_slprintf(p, last, "\\x%02Xd", c)
            : ngx_slprintf(p, last, "%c", c);
    }

    return ngx_slprintf(p, last, "\"");
}
