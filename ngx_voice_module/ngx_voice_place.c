
/*
 * Whose request is it: the steps that find the tenant of the host and the
 * record of the tenant, and judge what stands in it.
 */

#include "ngx_voice_ask.h"


static ngx_int_t ngx_voice_host_take(ngx_voice_main_conf_t *mcf,
    const ngx_voice_ask_t *ask, const PGresult *result, void *record);
static void ngx_voice_host_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record);
static ngx_uint_t ngx_voice_host_wanted(ngx_voice_ctx_t *ctx,
    ngx_str_t *host);
static ngx_uint_t ngx_voice_host_known(const ngx_voice_shared_t *shared,
    ngx_voice_table_t *table, const u_char *key, const ngx_str_t *host,
    ngx_voice_host_t *record);
static ngx_int_t ngx_voice_host_found(ngx_voice_ctx_t *ctx,
    const ngx_voice_host_t *host);
static ngx_int_t ngx_voice_tenant_take(ngx_voice_main_conf_t *mcf,
    const ngx_voice_ask_t *ask, const PGresult *result, void *record);
static void ngx_voice_tenant_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record);
static ngx_voice_tenant_t *ngx_voice_tenant_room(ngx_voice_ctx_t *ctx);
static void ngx_voice_tenant_found(ngx_voice_ctx_t *ctx,
    ngx_voice_tenant_t *tenant);
static ngx_int_t ngx_voice_tenant_known(ngx_voice_ctx_t *ctx,
    const ngx_str_t *id, const u_char *key, ngx_voice_tenant_t *tenant);
static ngx_int_t ngx_voice_tenant_judge(ngx_voice_ctx_t *ctx);
static void ngx_voice_tenant_key(u_char key[NGX_VOICE_TABLE_KEY],
    const ngx_str_t *id);


/* What comes where the request has a record already. */
static ngx_voice_tenant_t  ngx_voice_tenant_spare;


static const ngx_voice_question_t  ngx_voice_host_question = {
    { ngx_string("edge_host"), ngx_string("select api.edge_host($1)"), 1,
      NULL },
    sizeof(ngx_voice_host_t), ngx_voice_host_take, ngx_voice_host_answered
};

static const ngx_voice_question_t  ngx_voice_tenant_question = {
    { ngx_string("edge_tenant"), ngx_string("select api.edge_tenant($1)"),
      1, NULL },
    sizeof(ngx_voice_tenant_t), ngx_voice_tenant_take,
    ngx_voice_tenant_answered
};


/* The tenant of the host, where the location asks for it. */
ngx_int_t
ngx_voice_find_host(ngx_voice_ctx_t *ctx)
{
    u_char               key[NGX_VOICE_TABLE_KEY];
    ngx_str_t            host;
    ngx_voice_host_t     record;
    ngx_voice_shared_t  *shared;

    if (!ngx_voice_host_wanted(ctx, &host)) {
        return NGX_OK;
    }

    if (voice_sha256(key, voice_span((char *) host.data, host.len))
        != VOICE_OK)
    {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    shared = ctx->conf->shared;

    if (ngx_voice_host_known(shared, shared->hosts, key, &host, &record)
        || ngx_voice_host_known(shared, shared->nohosts, key, &host, &record))
    {
        ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_host_hits, 1);
        return ngx_voice_host_found(ctx, &record);
    }

    ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_host_misses, 1);

    /* names that are nobody's cost a query each */

    if (ngx_voice_limit_failure_allowed(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_voice_ask(ctx, ctx->conf->pg, &ngx_voice_host_question, key,
                         &host);
}


/* The record of the tenant, of the credentials or else of the host. */
ngx_int_t
ngx_voice_find_tenant(ngx_voice_ctx_t *ctx)
{
    u_char               key[NGX_VOICE_TABLE_KEY];
    ngx_str_t            id;
    ngx_voice_tenant_t  *tenant;

    id = ctx->identity.tenant.len != 0 ? ctx->identity.tenant
                                       : ctx->host_tenant;

    if (id.len != VOICE_UUID_LEN) {
        return NGX_OK;
    }

    if (ctx->host_tenant.len != 0
        && ngx_memcmp(id.data, ctx->host_tenant.data, VOICE_UUID_LEN) != 0)
    {
        return ngx_voice_fail(ctx, NGX_VOICE_AUTH_INSUFFICIENT_PERMISSIONS,
                              "The credentials are of another tenant than "
                              "the host.");
    }

    tenant = ngx_voice_tenant_room(ctx);
    if (tenant == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    ngx_voice_tenant_key(key, &id);

    if (ngx_voice_tenant_known(ctx, &id, key, tenant) == NGX_OK) {
        ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_tenant_hits, 1);
        ngx_voice_tenant_found(ctx, tenant);
        return ngx_voice_tenant_judge(ctx);
    }

    ngx_voice_count(ctx->conf, NGX_VOICE_COUNT_tenant_misses, 1);

    return ngx_voice_ask(ctx, ctx->conf->pg, &ngx_voice_tenant_question, key,
                         &id);
}


static ngx_int_t
ngx_voice_host_take(ngx_voice_main_conf_t *mcf, const ngx_voice_ask_t *ask,
    const PGresult *result, void *record)
{
    voice_span_t       id;
    ngx_voice_host_t  *host = record;

    id = ngx_voice_column(result, 0);
    host->since = ask->since;

    if (id.len != VOICE_UUID_LEN) {
        ngx_voice_table_put(mcf->shared->nohosts, mcf->slab, ask->key, host);
        return NGX_DECLINED;
    }

    ngx_memcpy(host->tenant, id.ptr, VOICE_UUID_LEN);
    ngx_voice_table_put(mcf->shared->hosts, mcf->slab, ask->key, host);

    return NGX_OK;
}


static void
ngx_voice_host_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record)
{
    if (rc == NGX_DECLINED) {
        ngx_voice_limit_failed(ctx);
        rc = NGX_OK;

    } else if (rc == NGX_OK) {
        rc = ngx_voice_host_found(ctx, record);
    }

    if (rc != NGX_OK) {
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_resume(ctx, NGX_VOICE_IDENTIFY);
}


/*
 * nginx has checked the name and made it lower case.  What cannot be in the
 * map is nobody's: so are addresses in brackets.
 */
static ngx_uint_t
ngx_voice_host_wanted(ngx_voice_ctx_t *ctx, ngx_str_t *host)
{
    u_char                 c;
    size_t                 i;
    ngx_voice_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(ctx->request, ngx_voice_module);

    if (!lcf->hosts
        || (ctx->policy->public && ctx->operation != NULL
            && ctx->operation->contract->shape != VOICE_SHAPE_ENVELOPE))
    {
        return 0;
    }

    *host = ctx->request->headers_in.server;

    for (i = 0; i < host->len; i++) {
        c = host->data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.'
            && c != '-' && c != '_')
        {
            return 0;
        }
    }

    return host->len > 0 && host->len <= NGX_VOICE_HOST_MAX;
}


/* The tables do not know of each other: an old record may stay in one. */
static ngx_uint_t
ngx_voice_host_known(const ngx_voice_shared_t *shared,
    ngx_voice_table_t *table, const u_char *key, const ngx_str_t *host,
    ngx_voice_host_t *record)
{
    return ngx_voice_table_get(table, key, record) == NGX_OK
           && ngx_voice_watch_holds(&shared->watch, NGX_VOICE_CHANGE_HOST,
                                    host->data, host->len, record->since);
}


static ngx_int_t
ngx_voice_host_found(ngx_voice_ctx_t *ctx, const ngx_voice_host_t *host)
{
    u_char  *p;

    if (host->tenant[0] == '\0') {
        return NGX_OK;
    }

    p = ngx_pnalloc(ctx->request->pool, VOICE_UUID_LEN);
    if (p == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    ngx_memcpy(p, host->tenant, VOICE_UUID_LEN);
    ctx->host_tenant.data = p;
    ctx->host_tenant.len = VOICE_UUID_LEN;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_tenant_take(ngx_voice_main_conf_t *mcf, const ngx_voice_ask_t *ask,
    const PGresult *result, void *record)
{
    voice_span_t         text;
    ngx_voice_tenant_t  *tenant = record;

    text = ngx_voice_column(result, 0);

    if (text.len == 0) {
        return NGX_DECLINED;
    }

    if (ngx_voice_tenant_parse(mcf->contract, text, tenant) != VOICE_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "function \"api.edge_tenant\" gave no tenant");
        return NGX_ERROR;
    }

    tenant->generation = mcf->generation;
    tenant->since = ask->since;
    ngx_voice_table_put(mcf->shared->tenants, mcf->slab, ask->key, tenant);

    return NGX_OK;
}


static void
ngx_voice_tenant_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record)
{
    ngx_voice_tenant_t  *tenant;

    if (rc == NGX_OK) {
        tenant = ngx_voice_tenant_room(ctx);

        if (tenant == NULL) {
            rc = ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);

        } else {
            ngx_memcpy(tenant, record, sizeof(ngx_voice_tenant_t));
            ngx_voice_tenant_found(ctx, tenant);
            rc = ngx_voice_tenant_judge(ctx);
        }

    } else if (rc == NGX_DECLINED && ctx->identity.tenant.len != 0) {
        rc = ngx_voice_unauthorized(ctx, "The tenant does not exist.");

    } else if (rc == NGX_DECLINED) {
        ngx_str_null(&ctx->host_tenant);
        rc = NGX_OK;
    }

    if (rc != NGX_OK) {
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_voice_resume(ctx, NGX_VOICE_PROVE);
}


/* For a record: a stream is judged often, and has room for one. */
static ngx_voice_tenant_t *
ngx_voice_tenant_room(ngx_voice_ctx_t *ctx)
{
    return ctx->tenant == NULL
           ? ngx_palloc(ctx->request->pool, sizeof(ngx_voice_tenant_t))
           : &ngx_voice_tenant_spare;
}


static void
ngx_voice_tenant_found(ngx_voice_ctx_t *ctx, ngx_voice_tenant_t *tenant)
{
    if (ctx->tenant == NULL) {
        ctx->tenant = tenant;

    } else {
        ngx_memcpy(ctx->tenant, tenant, sizeof(ngx_voice_tenant_t));
    }
}


static ngx_int_t
ngx_voice_tenant_known(ngx_voice_ctx_t *ctx, const ngx_str_t *id,
    const u_char *key, ngx_voice_tenant_t *tenant)
{
    ngx_voice_shared_t  *shared;

    shared = ctx->conf->shared;

    return ngx_voice_table_get(shared->tenants, key, tenant) == NGX_OK
           && tenant->generation == ctx->conf->generation
           && ngx_voice_watch_holds(&shared->watch, NGX_VOICE_CHANGE_TENANT,
                                    id->data, id->len, tenant->since)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_voice_tenant_judge(ngx_voice_ctx_t *ctx)
{
    /* a shard does not know, so that a login there would not, either */
    if (!ctx->tenant->active
        && (!ctx->policy->public || ctx->tenant->shard[0] != '\0'))
    {
        return ngx_voice_fail(ctx, NGX_VOICE_TENANT_SUSPENDED, NULL);
    }

    if (!ngx_voice_tenant_admits(ctx->tenant,
                                 ctx->request->connection->sockaddr))
    {
        return ngx_voice_fail(ctx, NGX_VOICE_ADDRESS_NOT_ALLOWED, NULL);
    }

    return NGX_OK;
}


/* The digits of the UUID are as many as a key has bytes. */
static void
ngx_voice_tenant_key(u_char key[NGX_VOICE_TABLE_KEY], const ngx_str_t *id)
{
    size_t      i;
    ngx_uint_t  n;

    n = 0;

    for (i = 0; i < id->len && n < NGX_VOICE_TABLE_KEY; i++) {
        if (id->data[i] != '-') {
            key[n++] = id->data[i];
        }
    }
}
