
/*
 * The shared zone: counters without locks, rows made at configuration time
 * or, for errors, at first sight.
 */

#include "ngx_voice_known.h"


#define NGX_VOICE_ZONE_DEFAULT  (16 * 1024 * 1024)
#define NGX_VOICE_ZONE_MIN      (1024 * 1024)
#define NGX_VOICE_UNROUTED      "-"
#define NGX_VOICE_ZONE_HEAR     32         /* 1 / part of the zone */


static ngx_int_t ngx_voice_zone_init(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_voice_zone_tables(ngx_voice_main_conf_t *mcf,
    size_t size);
static ngx_int_t ngx_voice_zone_endpoints(ngx_voice_main_conf_t *mcf);
static void ngx_voice_endpoint_count(ngx_voice_endpoint_t *endpoint,
    ngx_uint_t status, ngx_msec_int_t ms, ngx_uint_t timed);
static ngx_voice_endpoint_t *ngx_voice_endpoint_of(
    ngx_voice_main_conf_t *mcf, ngx_http_request_t *r);
static ngx_voice_fault_t *ngx_voice_fault_find(ngx_voice_shared_t *shared,
    const ngx_str_t *type, const ngx_str_t *service);


const ngx_msec_int_t  ngx_voice_bucket_ms[NGX_VOICE_BUCKETS] = {
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000
};

const char *const  ngx_voice_bucket_names[NGX_VOICE_BUCKETS] = {
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5",
    "10"
};


/* Methods of requests that met no operation; anything else is "OTHER". */
static const struct {
    ngx_uint_t  method;
    ngx_str_t   name;
} ngx_voice_unrouted[NGX_VOICE_UNROUTED_MAX] = {
    { NGX_HTTP_GET, ngx_string("GET") },
    { NGX_HTTP_HEAD, ngx_string("HEAD") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_PUT, ngx_string("PUT") },
    { NGX_HTTP_PATCH, ngx_string("PATCH") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") },
    { NGX_HTTP_OPTIONS, ngx_string("OPTIONS") },
    { 0, ngx_string("OTHER") }
};


char *
ngx_voice_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t                 size;
    ngx_str_t              *value;
    ngx_voice_main_conf_t  *mcf = conf;

    if (mcf->zone != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size < NGX_VOICE_ZONE_MIN) {
        return "must be a size of at least 1m";
    }

    return ngx_voice_zone_add(cf, mcf, size) == NGX_OK ? NGX_CONF_OK
                                                       : NGX_CONF_ERROR;
}


ngx_int_t
ngx_voice_zone_add(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf, size_t size)
{
    ngx_str_t  name = ngx_string("voice");

    mcf->zone = ngx_shared_memory_add(cf, &name,
                                      size == 0 ? NGX_VOICE_ZONE_DEFAULT
                                                : size,
                                      &ngx_voice_module);
    if (mcf->zone == NULL) {
        return NGX_ERROR;
    }

    mcf->zone->init = ngx_voice_zone_init;
    mcf->zone->data = mcf;

    return NGX_OK;
}


void
ngx_voice_count(ngx_voice_main_conf_t *mcf, ngx_voice_counter_e counter,
    ngx_uint_t n)
{
    (void) ngx_atomic_fetch_add(&mcf->shared->counters[counter], n);
}


ngx_int_t
ngx_voice_log_phase(ngx_http_request_t *r)
{
    ngx_uint_t              stream;
    ngx_voice_ctx_t        *ctx;
    ngx_voice_loc_conf_t   *lcf;
    ngx_voice_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_voice_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_voice_module);
    ctx = ngx_voice_ctx(r);

    if (r != r->main
        || (ctx == NULL && !lcf->api && !lcf->stream && !lcf->error))
    {
        return NGX_OK;
    }

    /* how long somebody listened is no duration of a request */
    stream = ctx != NULL && ctx->channel.len != 0;

    ngx_voice_endpoint_count(ngx_voice_endpoint_of(mcf, r),
                             ngx_voice_status(r), ngx_voice_duration(r),
                             !stream);

    return NGX_OK;
}


ngx_uint_t
ngx_voice_status(ngx_http_request_t *r)
{
    if (r->err_status != 0) {
        return r->err_status;
    }

    /* 0 would be a free slot: the connection was closed instead */
    return r->headers_out.status != 0 ? r->headers_out.status
                                      : NGX_HTTP_CLOSE;
}


ngx_voice_endpoint_t *
ngx_voice_endpoint_get(ngx_voice_shared_t *shared, ngx_slab_pool_t *slab,
    const ngx_str_t *method, const ngx_str_t *route)
{
    u_char                *p;
    ngx_voice_endpoint_t  *endpoint;

    for (endpoint = shared->endpoints; endpoint != NULL;
         endpoint = endpoint->next)
    {
        if (endpoint->method.len == method->len
            && endpoint->route.len == route->len
            && ngx_memcmp(endpoint->method.data, method->data, method->len)
               == 0
            && ngx_memcmp(endpoint->route.data, route->data, route->len) == 0)
        {
            return endpoint;
        }
    }

    /* buckets may have filled the zone before a reload brings operations */

    do {
        endpoint = ngx_slab_calloc(slab, sizeof(ngx_voice_endpoint_t)
                                         + method->len + route->len);
    } while (endpoint == NULL
             && ngx_voice_limit_yield(shared, slab));

    if (endpoint == NULL) {
        return NULL;
    }

    p = (u_char *) endpoint + sizeof(ngx_voice_endpoint_t);

    endpoint->method.data = p;
    endpoint->method.len = method->len;
    p = ngx_cpymem(p, method->data, method->len);

    endpoint->route.data = p;
    endpoint->route.len = route->len;
    ngx_memcpy(p, route->data, route->len);

    /* old processes read the list meanwhile: linked when it is whole */

    endpoint->next = shared->endpoints;
    ngx_memory_barrier();
    shared->endpoints = endpoint;

    return endpoint;
}


void
ngx_voice_fault_count(ngx_voice_shared_t *shared, ngx_slab_pool_t *slab,
    const ngx_str_t *type, const ngx_str_t *service)
{
    ngx_voice_fault_t  *fault;

    fault = ngx_voice_fault_find(shared, type, service);

    if (fault == NULL) {
        ngx_shmtx_lock(&slab->mutex);
        fault = ngx_voice_fault_find(shared, type, service);

        if (fault == NULL && shared->nfaults < NGX_VOICE_FAULTS) {
            fault = &shared->faults[shared->nfaults];
            ngx_cpystrn(fault->type, type->data,
                        ngx_min(type->len + 1, sizeof(fault->type)));
            ngx_cpystrn(fault->service, service->data,
                        ngx_min(service->len + 1, sizeof(fault->service)));
            ngx_memory_barrier();
            shared->nfaults++;
        }

        ngx_shmtx_unlock(&slab->mutex);
    }

    /* a full table: codes are a short list, so this is no loss */

    if (fault != NULL) {
        (void) ngx_atomic_fetch_add(&fault->count, 1);
    }
}


/* data is the configuration that had the zone before a reload. */
static ngx_int_t
ngx_voice_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_voice_main_conf_t  *mcf, *old;

    mcf = zone->data;
    old = data;
    mcf->slab = (ngx_slab_pool_t *) zone->shm.addr;

    if (old != NULL) {
        mcf->shared = old->shared;

    } else if (zone->shm.exists) {
        mcf->shared = mcf->slab->data;

    } else {
        mcf->shared = ngx_slab_calloc(mcf->slab, sizeof(ngx_voice_shared_t));
        if (mcf->shared == NULL) {
            return NGX_ERROR;
        }

        mcf->slab->data = mcf->shared;
        mcf->slab->log_nomem = 0;
        mcf->shared->born = ngx_time();
        ngx_voice_watch_init(&mcf->shared->watch);

        if (ngx_voice_zone_tables(mcf, zone->shm.size) != NGX_OK
            || ngx_voice_limit_init(mcf->shared, mcf->slab) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    mcf->loads = ++mcf->shared->loads;
    mcf->loaded = ngx_time();

    if (ngx_voice_zone_endpoints(mcf) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"voice_zone\" is too small for the contract");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Parts of the zone; the rest is for figures and limits. */
static ngx_int_t
ngx_voice_zone_tables(ngx_voice_main_conf_t *mcf, size_t size)
{
    ngx_uint_t           i;
    ngx_voice_shared_t  *shared;

    shared = mcf->shared;

    const struct {
        ngx_voice_table_t  **table;
        size_t               part;         /* 1 / part of the zone */
        size_t               size;
    } tables[] = {
        { &shared->known, 4, sizeof(ngx_voice_known_t) },
        { &shared->tenants, 8, sizeof(ngx_voice_tenant_t) },
        { &shared->hosts, 32, sizeof(ngx_voice_host_t) },
        { &shared->nohosts, 64, sizeof(ngx_voice_host_t) }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(tables); i++) {
        *tables[i].table = ngx_voice_table_create(mcf->slab,
                                                  size / tables[i].part,
                                                  tables[i].size);
        if (*tables[i].table == NULL) {
            return NGX_ERROR;
        }
    }

    shared->hear = ngx_voice_hear_create(mcf->slab,
                                         size / NGX_VOICE_ZONE_HEAR);

    return shared->hear == NULL ? NGX_ERROR : NGX_OK;
}


/* Finds or makes the row of each operation. */
static ngx_int_t
ngx_voice_zone_endpoints(ngx_voice_main_conf_t *mcf)
{
    ngx_str_t               method, route;
    ngx_uint_t              i;
    ngx_voice_operation_t  *operation;

    ngx_str_set(&route, NGX_VOICE_UNROUTED);

    for (i = 0; i < NGX_VOICE_UNROUTED_MAX; i++) {
        mcf->unrouted[i] = ngx_voice_endpoint_get(mcf->shared, mcf->slab,
                                                  &ngx_voice_unrouted[i].name,
                                                  &route);
        if (mcf->unrouted[i] == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < mcf->noperations; i++) {
        operation = &mcf->operations[i];

        route.data = (u_char *) operation->contract->path;
        route.len = ngx_strlen(route.data);
        method.data = (u_char *)
                      voice_method_name(operation->contract->method);
        method.len = ngx_strlen(method.data);

        operation->endpoint = ngx_voice_endpoint_get(mcf->shared, mcf->slab,
                                                     &method, &route);
        if (operation->endpoint == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_voice_endpoint_t *
ngx_voice_endpoint_of(ngx_voice_main_conf_t *mcf, ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_voice_ctx_t  *ctx;

    ctx = ngx_voice_ctx(r);

    if (ctx != NULL && ctx->operation != NULL) {
        return ctx->operation->endpoint;
    }

    for (i = 0; i < NGX_VOICE_UNROUTED_MAX - 1; i++) {
        if (ngx_voice_unrouted[i].method == r->method) {
            break;
        }
    }

    return mcf->unrouted[i];
}


static void
ngx_voice_endpoint_count(ngx_voice_endpoint_t *endpoint, ngx_uint_t status,
    ngx_msec_int_t ms, ngx_uint_t timed)
{
    ngx_uint_t  i;

    /* a status keeps the slot that it took first */

    for (i = 0; i < NGX_VOICE_STATUSES; i++) {
        if (endpoint->codes[i] == status
            || ngx_atomic_cmp_set(&endpoint->codes[i], 0, status)
            || endpoint->codes[i] == status)
        {
            (void) ngx_atomic_fetch_add(&endpoint->requests[i], 1);
            break;
        }
    }

    if (!timed) {
        return;
    }

    for (i = 0; i < NGX_VOICE_BUCKETS; i++) {
        if (ms <= ngx_voice_bucket_ms[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&endpoint->buckets[i], 1);
    (void) ngx_atomic_fetch_add(&endpoint->sum, ms);
}


static ngx_voice_fault_t *
ngx_voice_fault_find(ngx_voice_shared_t *shared, const ngx_str_t *type,
    const ngx_str_t *service)
{
    size_t              n, m;
    ngx_uint_t          i;
    ngx_voice_fault_t  *fault;

    n = ngx_min(type->len, sizeof(fault->type) - 1);
    m = ngx_min(service->len, sizeof(fault->service) - 1);

    for (i = 0; i < shared->nfaults; i++) {
        fault = &shared->faults[i];

        if (ngx_memcmp(fault->type, type->data, n) == 0
            && fault->type[n] == '\0'
            && ngx_memcmp(fault->service, service->data, m) == 0
            && fault->service[m] == '\0')
        {
            return fault;
        }
    }

    return NULL;
}
