
/*
 * The record of a tenant: made of what the database answers, and its lists
 * of addresses.
 */

#include "ngx_voice_tenant.h"


static voice_rc_t ngx_voice_tenant_name(const json_t *answer,
    const char *member, u_char name[NGX_VOICE_NAME_SIZE]);
static void ngx_voice_tenant_limits(const voice_contract_t *contract,
    const json_t *figures, ngx_voice_rate_t *limits);
static voice_rc_t ngx_voice_tenant_ranges(ngx_voice_tenant_t *tenant,
    const json_t *list, uint8_t deny);
static voice_rc_t ngx_voice_tenant_origins(ngx_voice_tenant_t *tenant,
    const json_t *list);
static uint32_t ngx_voice_tenant_figure(const json_t *figures,
    const char *member);


voice_rc_t
ngx_voice_tenant_parse(const voice_contract_t *contract, voice_span_t text,
    ngx_voice_tenant_t *tenant)
{
    json_t              *answer;
    voice_rc_t           rc;
    voice_span_t         id, status;
    voice_json_error_t   err;

    ngx_memzero(tenant, sizeof(ngx_voice_tenant_t));

    answer = voice_json_parse(text, &err);
    id = voice_json_text(answer, "id");
    status = voice_json_text(answer, "status");
    rc = VOICE_INVALID;

    if (id.len != VOICE_UUID_LEN || status.len == 0) {
        goto done;
    }

    ngx_memcpy(tenant->id, id.ptr, VOICE_UUID_LEN);
    tenant->active = voice_span_eq(status, VOICE_SPAN("active"));

    ngx_voice_tenant_limits(contract, json_object_get(answer, "limits"),
                            tenant->limits);
    ngx_voice_tenant_limits(contract, json_object_get(answer, "user_limits"),
                            tenant->user_limits);

    if (ngx_voice_tenant_name(answer, "plan", tenant->plan) == VOICE_OK
        && ngx_voice_tenant_name(answer, "upstream", tenant->upstream)
           == VOICE_OK
        && ngx_voice_tenant_name(answer, "shard", tenant->shard) == VOICE_OK
        && ngx_voice_tenant_ranges(tenant, json_object_get(answer, "allow"),
                                   0)
           == VOICE_OK
        && ngx_voice_tenant_ranges(tenant, json_object_get(answer, "deny"),
                                   1)
           == VOICE_OK)
    {
        rc = ngx_voice_tenant_origins(tenant,
                                      json_object_get(answer, "origins"));
    }

done:

    json_decref(answer);

    return rc;
}


ngx_uint_t
ngx_voice_tenant_admits(const ngx_voice_tenant_t *tenant,
    const struct sockaddr *address)
{
    u_char                    bytes[VOICE_ADDRESS_LEN];
    ngx_uint_t                i, allowed;
    const ngx_voice_range_t  *range;

    if (tenant->nranges == 0) {
        return 1;
    }

    if (ngx_voice_address_bytes(address, bytes) != NGX_OK) {
        return 0;
    }

    allowed = tenant->ranges[0].deny;

    for (i = 0; i < tenant->nranges; i++) {
        range = &tenant->ranges[i];

        if (voice_range_holds(&range->range, bytes)) {
            if (range->deny) {
                return 0;
            }

            allowed = 1;
        }
    }

    return allowed;
}


ngx_int_t
ngx_voice_address_bytes(const struct sockaddr *address,
    u_char bytes[VOICE_ADDRESS_LEN])
{
    const struct sockaddr_in   *sin;
    const struct sockaddr_in6  *sin6;

    if (address->sa_family == AF_INET) {
        sin = (const struct sockaddr_in *) address;
        voice_address_map(bytes, (const u_char *) &sin->sin_addr);
        return NGX_OK;
    }

    if (address->sa_family == AF_INET6) {
        sin6 = (const struct sockaddr_in6 *) address;
        ngx_memcpy(bytes, &sin6->sin6_addr, VOICE_ADDRESS_LEN);
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static voice_rc_t
ngx_voice_tenant_name(const json_t *answer, const char *member,
    u_char name[NGX_VOICE_NAME_SIZE])
{
    voice_span_t  text;

    text = voice_json_text(answer, member);

    if (text.len >= NGX_VOICE_NAME_SIZE) {
        return VOICE_INVALID;
    }

    if (text.len != 0) {
        ngx_memcpy(name, text.ptr, text.len);
    }

    return VOICE_OK;
}


/* A figure of no class that we know, or of no use, is passed by. */
static void
ngx_voice_tenant_limits(const voice_contract_t *contract,
    const json_t *figures, ngx_voice_rate_t *limits)
{
    size_t                      i;
    json_t                     *figure;
    ngx_voice_rate_t            rate;
    const voice_limit_class_t  *class;

    for (i = 0; i < NGX_VOICE_CLASSES_MAX; i++) {
        class = voice_contract_limit(contract, i);
        if (class == NULL) {
            break;
        }

        figure = json_object_get(figures, class->name);
        rate.rate = ngx_voice_tenant_figure(figure, "rate");
        rate.burst = ngx_voice_tenant_figure(figure, "burst");

        if (rate.rate != 0) {
            rate.burst = ngx_max(rate.burst, 1);
            limits[i] = rate;
        }
    }
}


static voice_rc_t
ngx_voice_tenant_ranges(ngx_voice_tenant_t *tenant, const json_t *list,
    uint8_t deny)
{
    size_t              i;
    json_t             *item;
    voice_span_t        text;
    ngx_voice_range_t  *range;

    json_array_foreach(list, i, item) {
        text = voice_span(json_string_value(item), json_string_length(item));

        if (tenant->nranges == NGX_VOICE_ADDRESSES_MAX) {
            return VOICE_INVALID;
        }

        range = &tenant->ranges[tenant->nranges++];
        range->deny = deny;

        if (voice_range_parse(text, &range->range) != VOICE_OK) {
            return VOICE_INVALID;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
ngx_voice_tenant_origins(ngx_voice_tenant_t *tenant, const json_t *list)
{
    size_t        i, len;
    json_t       *item;
    const char   *text;

    json_array_foreach(list, i, item) {
        text = json_string_value(item);
        len = json_string_length(item);

        if (text == NULL || len >= NGX_VOICE_ORIGIN_MAX
            || tenant->norigins == NGX_VOICE_ORIGINS_MAX)
        {
            return VOICE_INVALID;
        }

        ngx_memcpy(tenant->origins[tenant->norigins], text, len + 1);
        tenant->norigins++;
    }

    return VOICE_OK;
}


/* 0: there is none. */
static uint32_t
ngx_voice_tenant_figure(const json_t *figures, const char *member)
{
    json_int_t  value;

    value = json_integer_value(json_object_get(figures, member));

    return value > 0 && value <= 1000000000 ? (uint32_t) value : 0;
}
