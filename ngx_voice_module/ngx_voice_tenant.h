
/*
 * What the edge knows of a tenant: read from the database, kept in shared
 * memory, forgotten when it changes; and which hosts are whose.
 */

#ifndef NGX_VOICE_TENANT_H
#define NGX_VOICE_TENANT_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "voice_address.h"
#include "voice_code.h"
#include "voice_contract.h"


#define NGX_VOICE_CLASSES_MAX    16        /* limit classes of the contract */
#define NGX_VOICE_ADDRESSES_MAX  32        /* address ranges of a tenant */
#define NGX_VOICE_ORIGINS_MAX    8
#define NGX_VOICE_ORIGIN_MAX     96        /* bytes of "https://host:port" */
#define NGX_VOICE_NAME_SIZE      64        /* bytes of plan, upstream, shard,
                                              NUL included */
#define NGX_VOICE_HOST_MAX       253       /* bytes of a host name */


/* Figures of a limit; rate 0: the contract's own hold. */
typedef struct {
    uint32_t  rate;                        /* requests in a second */
    uint32_t  burst;                       /* requests at once */
} ngx_voice_rate_t;


typedef struct {
    voice_range_t  range;
    uint8_t        deny;
} ngx_voice_range_t;


/* A plain copyable record: fixed size, no pointers. */
typedef struct {
    u_char             id[VOICE_UUID_LEN];
    unsigned           active:1;           /* 0: suspended */
    u_char             plan[NGX_VOICE_NAME_SIZE];
    u_char             upstream[NGX_VOICE_NAME_SIZE];   /* "": none */
    u_char             shard[NGX_VOICE_NAME_SIZE];      /* "": the main one */
    ngx_voice_rate_t   limits[NGX_VOICE_CLASSES_MAX];   /* of the tenant, by
                                              voice_limit_class_t.index */
    ngx_voice_rate_t   user_limits[NGX_VOICE_CLASSES_MAX];  /* of each user
                                              or key; rate 0: none */
    ngx_uint_t         nranges;            /* allow ranges first */
    ngx_voice_range_t  ranges[NGX_VOICE_ADDRESSES_MAX];
    ngx_uint_t         norigins;
    char               origins[NGX_VOICE_ORIGINS_MAX][NGX_VOICE_ORIGIN_MAX];

    uint64_t           generation;         /* of the configuration */
    ngx_atomic_uint_t  since;              /* change when its making began */
} ngx_voice_tenant_t;


/* Whose a host is; tenant "": nobody's. */
typedef struct {
    u_char             tenant[VOICE_UUID_LEN];
    ngx_atomic_uint_t  since;              /* as above */
} ngx_voice_host_t;


/*
 * The record of api.edge_tenant()'s answer but its last two members.
 * VOICE_INVALID: it is not what that function gives.
 */
voice_rc_t ngx_voice_tenant_parse(const voice_contract_t *contract,
    voice_span_t text, ngx_voice_tenant_t *tenant) VOICE_MUST_CHECK;

/* Do the tenant's lists let a client of this address in? */
ngx_uint_t ngx_voice_tenant_admits(const ngx_voice_tenant_t *tenant,
    const struct sockaddr *address);

/* An address as ranges have them; NGX_DECLINED: it is none of IP. */
ngx_int_t ngx_voice_address_bytes(const struct sockaddr *address,
    u_char bytes[VOICE_ADDRESS_LEN]);


#endif /* NGX_VOICE_TENANT_H */
