
/*
 * What the edge knows of a tenant: read from the database, kept in shared
 * memory, forgotten when it changes.
 */

#ifndef NGX_VOICE_TENANT_H
#define NGX_VOICE_TENANT_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_VOICE_CLASSES_MAX    16        /* limit classes of the contract */
#define NGX_VOICE_ADDRESSES_MAX  32        /* address ranges of a tenant */
#define NGX_VOICE_ORIGINS_MAX    8
#define NGX_VOICE_ORIGIN_MAX     96        /* bytes of "https://host:port" */
#define NGX_VOICE_NAME_SIZE      64        /* bytes of plan, upstream, shard,
                                              NUL included */


/* Figures of a limit; rate 0: the contract's own hold. */
typedef struct {
    uint32_t  rate;                        /* requests in a second */
    uint32_t  burst;                       /* requests at once */
} ngx_voice_rate_t;


/* IPv6, an IPv4 one mapped into it (RFC 4291 2.5.5.2). */
typedef struct {
    u_char    address[16];
    uint8_t   bits;                        /* of the prefix, 0 to 128 */
    uint8_t   deny;
} ngx_voice_range_t;


/* A plain copyable record: fixed size, no pointers. */
typedef struct {
    u_char             id[36];             /* UUID as text */
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
} ngx_voice_tenant_t;


#endif /* NGX_VOICE_TENANT_H */
