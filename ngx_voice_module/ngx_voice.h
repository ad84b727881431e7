
/*
 * The edge's private header: configuration, the context of a request and
 * what one file of the module uses of another, by file.
 */

#ifndef NGX_VOICE_H
#define NGX_VOICE_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "voice_code.h"
#include "voice_contract.h"
#include "voice_jwt.h"
#include "ngx_voice_pg.h"
#include "ngx_voice_redis.h"
#include "ngx_voice_password.h"
#include "ngx_voice_zone.h"


#define NGX_VOICE_VERSION  "1.0.0"

/* Columns of api.reply, in the order of every statement. */
enum {
    NGX_VOICE_COLUMN_STATUS = 0,
    NGX_VOICE_COLUMN_DATA,
    NGX_VOICE_COLUMN_MESSAGE,
    NGX_VOICE_COLUMN_PAGINATION,
    NGX_VOICE_COLUMN_CLAIMS,
    NGX_VOICE_COLUMN_WAKE,
    NGX_VOICE_COLUMN_HEADERS,
    NGX_VOICE_COLUMN_COUNT
};

/* Errors that the edge itself makes; their rows stand in "x-errors". */
#define NGX_VOICE_ERRORS(ROW)                                                \
    ROW(BAD_REQUEST)                                                         \
    ROW(AUTH_INVALID_TOKEN)                                                  \
    ROW(AUTH_INSUFFICIENT_PERMISSIONS)                                       \
    ROW(RESOURCE_NOT_FOUND)                                                  \
    ROW(METHOD_NOT_ALLOWED)                                                  \
    ROW(NOT_ACCEPTABLE)                                                      \
    ROW(CONFLICT)                                                            \
    ROW(PAYLOAD_TOO_LARGE)                                                   \
    ROW(UNSUPPORTED_MEDIA_TYPE)                                              \
    ROW(VALIDATION_ERROR)                                                    \
    ROW(RATE_LIMIT_EXCEEDED)                                                 \
    ROW(INTERNAL_ERROR)                                                      \
    ROW(SERVICE_UNAVAILABLE)                                                 \
    ROW(TIMEOUT)

typedef enum {
#define NGX_VOICE_ROW(name)  NGX_VOICE_##name,
    NGX_VOICE_ERRORS(NGX_VOICE_ROW)
#undef NGX_VOICE_ROW
    NGX_VOICE_ERROR_COUNT
} ngx_voice_error_e;


typedef struct ngx_voice_ctx_s  ngx_voice_ctx_t;


/* An operation of the contract with what the edge prepared for it. */
typedef struct {
    const voice_operation_t   *contract;
    ngx_voice_pg_statement_t   statement;
    ngx_voice_pg_statement_t   lookup;     /* x-verify; nparams 0: none */
    ngx_voice_endpoint_t      *endpoint;   /* figures in shared memory */
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
    ngx_voice_operation_t    *operations;  /* by voice_operation_t.index */
    ngx_uint_t                noperations;
    ngx_voice_error_row_t     errors[NGX_VOICE_ERROR_COUNT];
    ngx_voice_pg_statement_t  authenticate_key;
    voice_jwt_keys_t         *keys;
    ngx_str_t                 signing_kid;
    ngx_voice_pg_conf_t       pg_conf;     /* host.len 0: none */
    ngx_voice_pg_conf_t       slow_conf;
    ngx_voice_redis_conf_t    redis_conf;
    ngx_voice_password_conf_t  password_conf;
    ngx_shm_zone_t           *zone;
    ngx_voice_shared_t       *shared;      /* in the zone */
    ngx_voice_endpoint_t     *unrouted[NGX_VOICE_UNROUTED_MAX];
    ngx_slab_pool_t          *slab;

    /* of this process */
    ngx_voice_pg_pool_t      *pg;
    ngx_voice_pg_pool_t      *slow;
    ngx_voice_redis_t        *redis;
    ngx_voice_password_t     *hasher;
    ngx_voice_process_t      *process;     /* its row in the zone */
    ngx_uint_t               *seen;        /* what the zone's counters have */
    ngx_event_t               figures;     /* timer: brings it up to date */
} ngx_voice_main_conf_t;


typedef enum {
    NGX_VOICE_STREAM_OFF = 0,
    NGX_VOICE_STREAM_EVENTSOURCE,
    NGX_VOICE_STREAM_WEBSOCKET
} ngx_voice_stream_e;


typedef struct {
    ngx_flag_t   api;                      /* voice_api */
    ngx_uint_t   stream;                   /* ngx_voice_stream_e */
    ngx_flag_t   error;                    /* voice_error */
    ngx_str_t    docs;                     /* the page, not the path */
} ngx_voice_loc_conf_t;


/*
 * The life of a request.  A step that ends well leads to the next one; a
 * stream goes from ADMITTED to VALIDATE and comes back from RESUME.
 */
typedef enum {
    NGX_VOICE_IDENTIFY = 0,                /* access phase: who is it */
    NGX_VOICE_ADMIT,                       /* role, scope, limit */
    NGX_VOICE_ADMITTED,                    /* on to the content phase */
    NGX_VOICE_READ_BODY,
    NGX_VOICE_VALIDATE,                    /* arguments by the contract */
    NGX_VOICE_DIGEST,                      /* x-digest */
    NGX_VOICE_LOOKUP,                      /* x-verify: get the hash */
    NGX_VOICE_VERIFY,                      /* x-verify: compare */
    NGX_VOICE_HASH,                        /* x-hash */
    NGX_VOICE_CALL,                        /* the SQL function */
    NGX_VOICE_ANSWER,                      /* reply or grant the stream */
    NGX_VOICE_RESUME,                      /* where may the stream go on */
    NGX_VOICE_DONE
} ngx_voice_state_e;


/* Empty strings reach SQL as NULL. */
typedef struct {
    ngx_str_t   kind;                      /* user, api_key, anonymous */
    ngx_str_t   tenant;
    ngx_str_t   actor;
    ngx_str_t   role;
    ngx_str_t   session;
} ngx_voice_identity_t;


typedef struct {
    ngx_uint_t   status;                   /* 0: no error */
    ngx_str_t    code;
    ngx_str_t    message;
    ngx_str_t    problems;                 /* JSON array or empty */
    ngx_str_t    service;                  /* "edge", "database" */
    ngx_uint_t   retry_after;              /* seconds, 0: no header */
} ngx_voice_error_t;


struct ngx_voice_ctx_s {
    ngx_http_request_t         *request;
    ngx_voice_main_conf_t      *conf;
    ngx_voice_state_e           state;
    ngx_voice_state_e           next;      /* after a step that went well */
    ngx_str_t                   request_id;
    ngx_voice_identity_t        identity;
    ngx_voice_operation_t      *operation; /* NULL: no route */
    voice_match_t               match;
    ngx_voice_error_t           error;
    ngx_str_t                   channel;   /* of a granted stream */
    ngx_str_t                   resume;    /* checked id, or empty */

    json_t                     *args;      /* owned */
    json_t                     *scopes;    /* owned; of an API key */
    PGresult                   *result;    /* owned; its bytes are sent */
    ngx_str_t                   secret;    /* hash that x-verify looked up */

    /* what is waited for; cancelled when the request ends */
    ngx_voice_pg_query_t       *query;
    ngx_voice_redis_command_t  *command;
    ngx_voice_password_task_t  *task;

    unsigned                    attempts:2;    /* of the CALL */
    unsigned                    hashed:3;      /* x-hash members done */
    unsigned                    admitted:1;    /* access phase is over */
    unsigned                    identified:1;  /* X-Request-Id is set */
    unsigned                    reading:1;     /* inside the body's read */
    unsigned                    body_ready:1;
    unsigned                    gap:1;         /* the id cannot be used */
    unsigned                    gap_due:1;     /* the event is to be sent */
};


extern ngx_module_t  ngx_voice_module;


/* ngx_voice_conf.c: handlers of directives with several values. */
char *ngx_voice_conf_postgres(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_voice_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_voice_conf_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_voice_conf_docs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* Reads a whole file of at most max bytes into cf->pool, NUL after. */
ngx_int_t ngx_voice_conf_read(ngx_conf_t *cf, const ngx_str_t *path,
    size_t max, ngx_str_t *text);

/* ngx_voice_api.c: loads the contract; both refuse with a logged reason. */
char *ngx_voice_conf_contract(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_voice_conf_functions(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_voice_api_init(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf);
/* Is it the health check that asks nobody?  It has no SQL function. */
ngx_uint_t ngx_voice_is_liveness(const voice_operation_t *operation);

/* ngx_voice_request.c: phase handlers and the machine. */
ngx_int_t ngx_voice_post_read_handler(ngx_http_request_t *r);
ngx_int_t ngx_voice_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_voice_content_handler(ngx_http_request_t *r);
/* The context, also after an internal redirect; NULL: none was made. */
ngx_voice_ctx_t *ngx_voice_ctx(ngx_http_request_t *r);
/* Makes it (request id included); NULL: out of memory. */
ngx_voice_ctx_t *ngx_voice_ctx_create(ngx_http_request_t *r);
/* Goes on in a state after a wait; the request may be gone afterwards. */
void ngx_voice_resume(ngx_voice_ctx_t *ctx, ngx_voice_state_e state);
/* The same where ctx->error is set: sends it and ends the request. */
void ngx_voice_refuse(ngx_voice_ctx_t *ctx);
/* Ends the request after a wait with the result of a send. */
void ngx_voice_finish(ngx_voice_ctx_t *ctx, ngx_int_t rc);
/*
 * Runs a statement of the common eight parameters; ctx->query is the handle.
 * NGX_AGAIN, or NGX_ERROR with the error set.
 */
ngx_int_t ngx_voice_query(ngx_voice_ctx_t *ctx,
    const ngx_voice_pg_statement_t *statement, const json_t *args,
    ngx_voice_pg_done_pt done);

/* ngx_voice_auth.c: steps. */
ngx_int_t ngx_voice_identify(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_admit(ngx_voice_ctx_t *ctx);
/* A header of the request by lower-case name (voice_header_pt). */
voice_span_t ngx_voice_request_header(void *data, const char *name);
ngx_table_elt_t *ngx_voice_header_find(ngx_http_request_t *r,
    const char *name);

/* ngx_voice_limit.c: NGX_OK, or NGX_ERROR with the error set. */
ngx_int_t ngx_voice_limit(ngx_voice_ctx_t *ctx);

/* ngx_voice_body.c: steps. */
ngx_int_t ngx_voice_read_body(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_validate(ngx_voice_ctx_t *ctx);

/* ngx_voice_secret.c: steps. */
ngx_int_t ngx_voice_digest(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_lookup(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_verify(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_hash(ngx_voice_ctx_t *ctx);

/* ngx_voice_reply.c */
/* The step: takes the reply row apart and sends it. */
ngx_int_t ngx_voice_answer(ngx_voice_ctx_t *ctx);
/* A column of the one row; empty when it is NULL or there is no row. */
voice_span_t ngx_voice_column(const PGresult *result, int column);
ngx_str_t ngx_voice_column_str(const PGresult *result, int column);

/* ngx_voice_token.c: puts a signed token into data, if there are claims. */
ngx_int_t ngx_voice_token(ngx_voice_ctx_t *ctx, ngx_str_t *data);

/* ngx_voice_error.c: each fills ctx->error and returns NGX_ERROR. */
ngx_int_t ngx_voice_fail(ngx_voice_ctx_t *ctx, ngx_voice_error_e error,
    const char *message);              /* NULL: the code's own sentence */
ngx_int_t ngx_voice_fail_status(ngx_voice_ctx_t *ctx, ngx_uint_t status);
ngx_int_t ngx_voice_fail_problems(ngx_voice_ctx_t *ctx,
    const voice_problems_t *problems);
ngx_int_t ngx_voice_fail_pg(ngx_voice_ctx_t *ctx, ngx_voice_pg_e outcome,
    const PGresult *result);
/* An error that SQL committed: status >= 400 with {"code","message"}. */
ngx_int_t ngx_voice_fail_reply(ngx_voice_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *data);
/* May the statement that failed so be sent again at once? */
ngx_uint_t ngx_voice_error_retry(const PGresult *result);

/* ngx_voice_after.c: wakes the queues of a reply ("{a,b}"). */
void ngx_voice_after(ngx_voice_ctx_t *ctx, const ngx_str_t *wake);

/* ngx_voice_vars.c */
ngx_int_t ngx_voice_vars_add(ngx_conf_t *cf);
/* Writes the end of every error log line of a request: no query, ever. */
u_char *ngx_voice_log_handler(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len);
/* Milliseconds since the request began. */
ngx_msec_int_t ngx_voice_duration(ngx_http_request_t *r);
ngx_str_t ngx_voice_route(ngx_http_request_t *r);

/* ngx_voice_status.c: content handlers by shape; each ends the request. */
void ngx_voice_health(ngx_voice_ctx_t *ctx);
void ngx_voice_openapi(ngx_voice_ctx_t *ctx);
void ngx_voice_docs(ngx_voice_ctx_t *ctx);

/* ngx_voice_metrics.c */
void ngx_voice_metrics(ngx_voice_ctx_t *ctx);

/* ngx_voice_zone.c */
char *ngx_voice_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* The default zone, where the directive is absent. */
ngx_int_t ngx_voice_zone_add(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf,
    size_t size);
void ngx_voice_count(ngx_voice_main_conf_t *mcf, ngx_voice_counter_e counter,
    ngx_uint_t n);
/* Log phase: counts a request and its duration once. */
ngx_int_t ngx_voice_log_phase(ngx_http_request_t *r);
/* The status that the client saw or will see. */
ngx_uint_t ngx_voice_status(ngx_http_request_t *r);

/* ngx_voice_figures.c: what this process reports of its clients. */
ngx_int_t ngx_voice_figures_start(ngx_cycle_t *cycle,
    ngx_voice_main_conf_t *mcf);
void ngx_voice_figures_update(ngx_voice_main_conf_t *mcf);
void ngx_voice_figures_stop(ngx_voice_main_conf_t *mcf);

/* ngx_voice_stream.c */
/* The step for streams: takes the channel from the reply. */
ngx_int_t ngx_voice_grant(ngx_voice_ctx_t *ctx);
/* Can the client take a stream of the location's kind? */
ngx_int_t ngx_voice_stream_acceptable(ngx_voice_ctx_t *ctx);
/* The step after: ctx->resume is the id to go on from, or ctx->gap is set. */
ngx_int_t ngx_voice_resume_check(ngx_voice_ctx_t *ctx);
/* Puts the filter that tells a gap in front of the others. */
void ngx_voice_stream_filters(void);


#endif /* NGX_VOICE_H */
