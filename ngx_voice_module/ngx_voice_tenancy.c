
/*
 * The edge of one tenant: operations that the contract marks with x-dropin
 * take requests without credentials as that tenant's, from addresses that
 * are let in.
 */

#include "ngx_voice_field.h"
#include "ngx_voice_known.h"


#define NGX_VOICE_TENANCY_ALLOW_MAX  64    /* ranges of addresses */


struct ngx_voice_tenancy_s {
    unsigned           supervisor:1;       /* open to all who are let in */
    ngx_array_t        allow;              /* voice_range_t; none: all */
    ngx_voice_known_t  known;              /* whoever sends no credentials */
};


/* The directive's parameters. */
typedef struct {
    ngx_str_t    tenant;
    ngx_str_t    supervisor;
    ngx_str_t    allow;
} ngx_voice_tenancy_conf_t;


static char *ngx_voice_tenancy_tenant(ngx_conf_t *cf,
    ngx_voice_tenancy_t *tenancy, const ngx_str_t *tenant);
static char *ngx_voice_tenancy_supervisor(ngx_conf_t *cf,
    ngx_voice_tenancy_t *tenancy, const ngx_str_t *supervisor);
static char *ngx_voice_tenancy_allow(ngx_conf_t *cf,
    ngx_voice_tenancy_t *tenancy, const ngx_str_t *allow);
static ngx_uint_t ngx_voice_tenancy_local(const struct sockaddr *address);
static ngx_uint_t ngx_voice_tenancy_admits(
    const ngx_voice_tenancy_t *tenancy, const struct sockaddr *address);


static const ngx_voice_field_t  ngx_voice_tenancy_fields[] = {
    { ngx_string("tenant"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_tenancy_conf_t, tenant), 0, 0 },
    { ngx_string("supervisor"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_tenancy_conf_t, supervisor), 0, 0 },
    { ngx_string("allow"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_tenancy_conf_t, allow), 0, 0 },
    { ngx_null_string, 0, 0, 0, 0 }
};


char *
ngx_voice_conf_tenancy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_voice_tenancy_t       *tenancy;
    ngx_voice_main_conf_t     *mcf = conf;
    ngx_voice_tenancy_conf_t   set;

    (void) cmd;

    if (mcf->tenancy_set) {
        return "is duplicate";
    }

    mcf->tenancy_set = 1;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "multi") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "single") != 0) {
        return "must be \"multi\" or \"single\" with a tenant";
    }

    ngx_memzero(&set, sizeof(ngx_voice_tenancy_conf_t));
    tenancy = ngx_pcalloc(cf->pool, sizeof(ngx_voice_tenancy_t));

    if (tenancy == NULL
        || ngx_voice_conf_fields_from(cf, 2, ngx_voice_tenancy_fields, &set)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_voice_tenancy_tenant(cf, tenancy, &set.tenant);

    if (rv == NGX_CONF_OK) {
        rv = ngx_voice_tenancy_supervisor(cf, tenancy, &set.supervisor);
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_voice_tenancy_allow(cf, tenancy, &set.allow);
    }

    mcf->tenancy = tenancy;

    return rv;
}


/* Whoever reaches a socket is let in: it must be of this machine. */
ngx_int_t
ngx_voice_tenancy_check(ngx_conf_t *cf, const ngx_voice_main_conf_t *mcf)
{
    ngx_uint_t                  i, k;
    ngx_http_conf_port_t       *port;
    ngx_http_conf_addr_t       *addr;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (mcf->tenancy == NULL || mcf->tenancy->allow.nelts != 0
        || cmcf->ports == NULL)
    {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {
        addr = port[i].addrs.elts;

        for (k = 0; k < port[i].addrs.nelts; k++) {
            if (!ngx_voice_tenancy_local(addr[k].opt.sockaddr)) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"voice_tenancy single\" needs \"allow\","
                                   " since \"listen %V\" is not of this "
                                   "machine alone", &addr[k].opt.addr_text);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_dropin(ngx_voice_ctx_t *ctx)
{
    voice_dropin_e              dropin;
    const ngx_voice_tenancy_t  *tenancy;

    tenancy = ctx->conf->tenancy;
    dropin = ctx->operation == NULL || ctx->location
             ? VOICE_DROPIN_NONE : ctx->operation->contract->dropin;

    if (tenancy == NULL || dropin == VOICE_DROPIN_NONE
        || (dropin == VOICE_DROPIN_SUPERVISOR && !tenancy->supervisor))
    {
        return NGX_DECLINED;
    }

    if (!ngx_voice_tenancy_admits(tenancy,
                                  ctx->request->connection->sockaddr))
    {
        return ngx_voice_fail(ctx, NGX_VOICE_ADDRESS_NOT_ALLOWED, NULL);
    }

    ngx_voice_known_take(ctx, &tenancy->known);

    return NGX_OK;
}


static char *
ngx_voice_tenancy_tenant(ngx_conf_t *cf, ngx_voice_tenancy_t *tenancy,
    const ngx_str_t *tenant)
{
    ngx_voice_known_t  *known;

    if (!voice_uuid_valid(voice_span((char *) tenant->data, tenant->len))) {
        return ngx_voice_conf_refuse(cf, "\"tenant\" must be the id of a "
                                     "tenant, a UUID");
    }

    known = &tenancy->known;
    known->kind = NGX_VOICE_KIND_DROPIN;
    known->role = VOICE_ROLE_SERVICE;
    ngx_strlow(known->tenant, tenant->data, VOICE_UUID_LEN);

    return NGX_CONF_OK;
}


static char *
ngx_voice_tenancy_supervisor(ngx_conf_t *cf, ngx_voice_tenancy_t *tenancy,
    const ngx_str_t *supervisor)
{
    if (supervisor->len == 0
        || ngx_strcmp(supervisor->data, "token") == 0)
    {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(supervisor->data, "open") != 0) {
        return ngx_voice_conf_refuse(cf, "\"supervisor\" must be \"token\" or "
                                     "\"open\"");
    }

    tenancy->supervisor = 1;

    return NGX_CONF_OK;
}


/* "10.0.0.0/8,192.0.2.7" */
static char *
ngx_voice_tenancy_allow(ngx_conf_t *cf, ngx_voice_tenancy_t *tenancy,
    const ngx_str_t *allow)
{
    u_char         *p, *last, *comma;
    voice_range_t  *range;

    if (ngx_array_init(&tenancy->allow, cf->pool, 4, sizeof(voice_range_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    last = allow->data + allow->len;

    for (p = allow->data; p < last; p = comma + 1) {
        comma = ngx_strlchr(p, last, ',');
        if (comma == NULL) {
            comma = last;
        }

        range = ngx_array_push(&tenancy->allow);
        if (range == NULL) {
            return NGX_CONF_ERROR;
        }

        if (tenancy->allow.nelts > NGX_VOICE_TENANCY_ALLOW_MAX
            || voice_range_parse(voice_span((char *) p, comma - p), range)
               != VOICE_OK)
        {
            return ngx_voice_conf_refuse(cf, "\"allow\" must be up to 64 "
                                         "addresses or ranges of them, with "
                                         "commas between");
        }
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_voice_tenancy_local(const struct sockaddr *address)
{
    u_char         bytes[VOICE_ADDRESS_LEN];
    voice_range_t  range;
    ngx_uint_t     i;

    static const voice_span_t  ranges[] = {
        { "127.0.0.0/8", 11 }, { "::1", 3 }
    };

    if (address->sa_family == AF_UNIX) {
        return 1;
    }

    if (ngx_voice_address_bytes(address, bytes) != NGX_OK) {
        return 0;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(ranges); i++) {
        if (voice_range_parse(ranges[i], &range) == VOICE_OK
            && voice_range_holds(&range, bytes))
        {
            return 1;
        }
    }

    return 0;
}


/* Who reaches a socket in the file system is of this machine. */
static ngx_uint_t
ngx_voice_tenancy_admits(const ngx_voice_tenancy_t *tenancy,
    const struct sockaddr *address)
{
    u_char                bytes[VOICE_ADDRESS_LEN];
    ngx_uint_t            i;
    const voice_range_t  *range;

    if (tenancy->allow.nelts == 0 || address->sa_family == AF_UNIX) {
        return 1;
    }

    if (ngx_voice_address_bytes(address, bytes) != NGX_OK) {
        return 0;
    }

    range = tenancy->allow.elts;

    for (i = 0; i < tenancy->allow.nelts; i++) {
        if (voice_range_holds(&range[i], bytes)) {
            return 1;
        }
    }

    return 0;
}
