
/*
 * The edge's configuration, what reads it, and the process's clients that
 * come from it.
 */

#ifndef NGX_VOICE_CONF_H
#define NGX_VOICE_CONF_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "voice_code.h"
#include "voice_contract.h"
#include "voice_jwt.h"
#include "voice_header.h"
#include "voice_trace.h"
#include "ngx_voice_database.h"
#include "ngx_voice_ingest.h"
#include "ngx_voice_jwks.h"
#include "ngx_voice_redis.h"
#include "ngx_voice_password.h"
#include "ngx_voice_policy.h"
#include "ngx_voice_tenant.h"
#include "ngx_voice_zone.h"


typedef struct ngx_voice_limiter_s  ngx_voice_limiter_t;
typedef struct ngx_voice_tenancy_s  ngx_voice_tenancy_t;
typedef struct ngx_voice_live_s     ngx_voice_live_t;
typedef struct ngx_voice_publisher_s  ngx_voice_publisher_t;
typedef struct ngx_voice_lapses_s   ngx_voice_lapses_t;


/* Errors that the edge itself makes; their rows stand in "x-errors". */
#define NGX_VOICE_ERRORS(ROW)                                                \
    ROW(BAD_REQUEST)                                                         \
    ROW(AUTH_INVALID_TOKEN)                                                  \
    ROW(AUTH_INSUFFICIENT_PERMISSIONS)                                       \
    ROW(TENANT_SUSPENDED)                                                    \
    ROW(ADDRESS_NOT_ALLOWED)                                                 \
    ROW(RESOURCE_NOT_FOUND)                                                  \
    ROW(METHOD_NOT_ALLOWED)                                                  \
    ROW(NOT_ACCEPTABLE)                                                      \
    ROW(CONFLICT)                                                            \
    ROW(IDEMPOTENCY_IN_PROGRESS)                                             \
    ROW(PAYLOAD_TOO_LARGE)                                                   \
    ROW(UNSUPPORTED_MEDIA_TYPE)                                              \
    ROW(VALIDATION_ERROR)                                                    \
    ROW(RATE_LIMIT_EXCEEDED)                                                 \
    ROW(INTERNAL_ERROR)                                                      \
    ROW(NOT_IMPLEMENTED)                                                     \
    ROW(SERVICE_UNAVAILABLE)                                                 \
    ROW(TIMEOUT)                                                             \
    ROW(HTTP_VERSION_NOT_SUPPORTED)

typedef enum {
#define NGX_VOICE_ROW(name)  NGX_VOICE_##name,
    NGX_VOICE_ERRORS(NGX_VOICE_ROW)
#undef NGX_VOICE_ROW
    NGX_VOICE_ERROR_COUNT
} ngx_voice_error_e;


#define NGX_VOICE_NAME_MAX  63             /* bytes of an SQL identifier */


/* An operation of the contract with what the edge prepared for it. */
typedef struct {
    const voice_operation_t   *contract;
    ngx_voice_pg_statement_t   statement;
    ngx_voice_pg_statement_t   once;       /* with an Idempotency-Key;
                                              nparams 0: takes none */
    ngx_voice_pg_statement_t   lookup;     /* x-verify; nparams 0: none */
    ngx_voice_endpoint_t      *endpoint;   /* figures in shared memory */
    ngx_voice_policy_t         policy;
} ngx_voice_operation_t;


/* Row of "x-errors" for an error that the edge makes. */
typedef struct {
    ngx_str_t    code;
    ngx_uint_t   status;
    ngx_str_t    message;
} ngx_voice_error_row_t;


typedef struct {
    ngx_str_t                 directory;   /* voice_contract */
    ngx_array_t              *functions;   /* ngx_str_t, sorted */
    ngx_str_t                 functions_file;
    ngx_str_t                 issuer;
    time_t                    token_lifetime;
    time_t                    stream_window;
    ngx_str_t                 stream_store;

    voice_contract_t         *contract;
    ngx_array_t              *scopes;      /* const char *, by number */
    ngx_voice_operation_t    *operations;  /* by voice_operation_t.index */
    ngx_uint_t                noperations;
    ngx_str_t                 contract_version;
    char                      contract_digest[VOICE_SHA256_LEN * 2 + 1];
    ngx_voice_error_row_t     errors[NGX_VOICE_ERROR_COUNT];
    ngx_voice_pg_statement_t  recall;      /* is a reply stored? */
    ngx_voice_pg_statement_t  replay;      /* gives it */
    voice_jwt_keys_t         *keys;
    ngx_str_t                 signing_kid;
    ngx_array_t              *issuers;     /* ngx_voice_issuer_t, or NULL */
    ngx_array_t              *databases;   /* ngx_voice_database_t; NULL:
                                              none */
    ngx_voice_redis_conf_t    redis_conf;
    ngx_voice_password_conf_t  password_conf;
    ngx_voice_ingest_conf_t   ingest_conf;
    ngx_msec_t                stale;       /* voice_stale */
    ngx_voice_tenancy_t      *tenancy;     /* voice_tenancy; NULL: multi */
    ngx_uint_t                tenancy_set;
    uint64_t                  generation;  /* a hash of what copies in shared
                                              memory depend on */
    ngx_uint_t                limit_nodes; /* voice_limit_nodes */
    ngx_flag_t                limit_dry_run;
    const voice_limit_class_t  *limit_failure; /* of the contract, or NULL */
    ngx_shm_zone_t           *zone;
    ngx_voice_shared_t       *shared;      /* in the zone */
    ngx_voice_endpoint_t     *unrouted[NGX_VOICE_UNROUTED_MAX];
    ngx_slab_pool_t          *slab;
    ngx_uint_t                loads;       /* of a configuration, so far */
    time_t                    loaded;      /* when this one was */

    /* of this process */
    ngx_voice_pg_pool_t      *pg;          /* of the main database */
    ngx_voice_redis_t        *redis;
    ngx_voice_password_t     *hasher;
    ngx_voice_jwks_t         *jwks;
    ngx_voice_watcher_t      *watcher;
    ngx_queue_t               asks;        /* ngx_voice_ask_t under way */
    ngx_voice_lapses_t       *lapses;      /* of open streams */
    ngx_voice_limiter_t      *limiter;
    ngx_voice_ingest_t       *ingest;      /* NULL: no packets */
    ngx_voice_live_t         *live;
    ngx_voice_publisher_t    *publisher;
    ngx_voice_process_t      *process;     /* its row in the zone */
    ngx_uint_t               *seen;        /* what the zone's counters have */
    ngx_uint_t                stopped;     /* the process exits */
    ngx_event_t               figures;     /* timer: brings it up to date */
} ngx_voice_main_conf_t;


typedef enum {
    NGX_VOICE_STREAM_OFF = 0,
    NGX_VOICE_STREAM_EVENTSOURCE,
    NGX_VOICE_STREAM_WEBSOCKET
} ngx_voice_stream_e;


typedef enum {
    NGX_VOICE_AUTH_OFF = 0,
    NGX_VOICE_AUTH_ON,
    NGX_VOICE_AUTH_OPTIONAL
} ngx_voice_auth_e;


typedef struct {
    ngx_voice_policy_t  policy;            /* voice_auth, voice_limit */
    ngx_str_t           limit;             /* class; "": as outside */
    ngx_uint_t          limit_dry_run;
    ngx_uint_t          auth;              /* ngx_voice_auth_e */
    ngx_flag_t          hosts;             /* voice_hosts */
    ngx_flag_t          api;               /* voice_api */
    ngx_uint_t          stream;            /* ngx_voice_stream_e */
    ngx_flag_t          live;              /* voice_live */
    ngx_flag_t          publish;           /* voice_publish */
    ngx_flag_t          error;             /* voice_error */
    ngx_flag_t          status;            /* voice_status */
    ngx_str_t           docs;              /* the page, not the path */
} ngx_voice_loc_conf_t;


/* ngx_voice_conf.c: handlers of directives with several values. */
char *ngx_voice_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_voice_conf_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_voice_conf_docs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* ngx_voice_location.c: voice_auth. */
char *ngx_voice_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_voice_location_merge(ngx_conf_t *cf,
    const ngx_voice_loc_conf_t *parent, ngx_voice_loc_conf_t *child);

/* ngx_voice_tenancy.c: voice_tenancy. */
char *ngx_voice_conf_tenancy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* At the end of the configuration: are its sockets such that it may be? */
ngx_int_t ngx_voice_tenancy_check(ngx_conf_t *cf,
    const ngx_voice_main_conf_t *mcf);

/* ngx_voice_limit_conf.c: voice_limit. */
char *ngx_voice_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_voice_limit_merge(ngx_conf_t *cf,
    const ngx_voice_loc_conf_t *parent, ngx_voice_loc_conf_t *child);
/* At the end of the configuration. */
ngx_int_t ngx_voice_limit_configure(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf);

/*
 * ngx_voice_generation.c: what copies in shared memory depend on goes into
 * mcf->generation; the last call is at the end of the configuration.
 */
void ngx_voice_generation_add(ngx_voice_main_conf_t *mcf, const void *data,
    size_t len);
void ngx_voice_generation_end(ngx_voice_main_conf_t *mcf);

/* ngx_voice_api.c: loads the contract; both refuse with a logged reason. */
char *ngx_voice_conf_contract(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_voice_conf_functions(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_voice_api_init(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf);
/*
 * The number of a scope, a new one if need be; scope lives as long as the
 * configuration.  NGX_VOICE_NO_SCOPE: too many, or out of memory.
 */
ngx_uint_t ngx_voice_scope_number(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf,
    const char *scope);
/* Is it the health check that asks nobody?  It has no SQL function. */
ngx_uint_t ngx_voice_is_liveness(const voice_operation_t *operation);

/* ngx_voice_zone.c */
char *ngx_voice_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* The default zone, where the directive is absent. */
ngx_int_t ngx_voice_zone_add(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf,
    size_t size);


#endif /* NGX_VOICE_CONF_H */
