
/*
 * The edge's private header: the context of a request and what one file of
 * the module uses of another, by file.
 */

#ifndef NGX_VOICE_H
#define NGX_VOICE_H


#include "ngx_voice_conf.h"


#define NGX_VOICE_VERSION  "1.1.0"

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

typedef struct ngx_voice_ctx_s    ngx_voice_ctx_t;
typedef struct ngx_voice_limit_s  ngx_voice_limit_t;
typedef struct ngx_voice_known_s  ngx_voice_known_t;
typedef struct ngx_voice_lapse_s  ngx_voice_lapse_t;


/*
 * The life of a request.  A step that ends well leads to the next one; a
 * stream goes from ADMITTED to VALIDATE and comes back from RESUME.
 */
typedef enum {
    NGX_VOICE_CORS = 0,                    /* access phase: whose page */
    NGX_VOICE_FIND,                        /* the operation */
    NGX_VOICE_HOST,                        /* whose host */
    NGX_VOICE_IDENTIFY,                    /* who is it */
    NGX_VOICE_TENANT,                      /* what of his tenant */
    NGX_VOICE_PROVE,                       /* locations: does he live */
    NGX_VOICE_ADMIT,                       /* role and scope */
    NGX_VOICE_LIMIT,                       /* how fast */
    NGX_VOICE_ADMITTED,                    /* on to the content phase */
    NGX_VOICE_READ_BODY,
    NGX_VOICE_VALIDATE,                    /* arguments by the contract */
    NGX_VOICE_ONCE,                        /* Idempotency-Key */
    NGX_VOICE_DIGEST,                      /* x-digest */
    NGX_VOICE_LOOKUP,                      /* x-verify: get the hash */
    NGX_VOICE_VERIFY,                      /* x-verify: compare */
    NGX_VOICE_HASH,                        /* x-hash */
    NGX_VOICE_CALL,                        /* the SQL function */
    NGX_VOICE_ANSWER,                      /* reply or grant the stream */
    NGX_VOICE_RESUME,                      /* where may the stream go on */
    NGX_VOICE_DONE
} ngx_voice_state_e;


/* What a client sends to show who he is. */
typedef struct {
    voice_span_t        text;
    u_char              key[NGX_VOICE_TABLE_KEY];   /* what it is known by */
    unsigned            token:1;           /* a JWT, no API key */
    unsigned            ticket:1;          /* for one stream, once */
} ngx_voice_secret_t;


/* Empty strings reach SQL as NULL. */
typedef struct {
    ngx_str_t           kind;              /* ngx_voice_kind_e as text */
    ngx_str_t           tenant;
    ngx_str_t           actor;
    ngx_str_t           role;
    ngx_str_t           session;
    ngx_voice_scopes_t  scopes;            /* held; all of them for a user */
    ngx_voice_rate_t    rate;              /* of an API key; rate 0: none */
} ngx_voice_identity_t;


typedef struct {
    ngx_uint_t   status;                   /* 0: no error */
    ngx_str_t    code;
    ngx_str_t    message;
    ngx_str_t    problems;                 /* JSON array or empty */
    ngx_str_t    service;                  /* "edge", "database" */
    ngx_uint_t   retry_after;              /* seconds, 0: no header */
} ngx_voice_error_t;


/* Of a request with an Idempotency-Key; hex digits all of them. */
typedef struct {
    ngx_str_t    key;                      /* its digest, finds the reply */
    ngx_str_t    fingerprint;              /* of the request, under the key */
    ngx_str_t    secret;                   /* the reply is encrypted with */
    unsigned     replayed:1;
} ngx_voice_once_t;


struct ngx_voice_ctx_s {
    ngx_http_request_t         *request;
    ngx_voice_main_conf_t      *conf;
    ngx_voice_state_e           state;
    ngx_voice_state_e           next;      /* after a step that went well */
    ngx_str_t                   request_id;
    voice_trace_t               trace;     /* with a span of our own */
    ngx_str_t                   traceparent;   /* of it, to pass on */
    ngx_str_t                   trace_id;
    ngx_str_t                   tracestate;    /* the client's, or empty */
    ngx_voice_secret_t          credential;
    ngx_voice_identity_t        identity;
    const ngx_voice_known_t    *known;     /* NULL: nobody is identified */
    ngx_voice_known_t          *rooms[2];  /* for it and the next one */
    ngx_voice_known_t          *federated; /* it, while it is made */
    ngx_str_t                   host_tenant;   /* UUID; empty: nobody's */
    ngx_voice_operation_t      *operation; /* NULL: no route */
    const ngx_voice_policy_t   *policy;    /* of operation or location */
    ngx_voice_tenant_t         *tenant;    /* NULL: none, or not known */
    voice_match_t               match;
    ngx_voice_error_t           error;
    ngx_str_t                   origin;    /* of a page elsewhere, or empty */
    ngx_str_t                   channel;   /* of a granted stream */
    ngx_str_t                   resume;    /* checked id, or empty */

    ngx_voice_limit_t          *limit;     /* NULL: not judged */
    ngx_voice_once_t           *once;      /* NULL: no key */
    json_t                     *args;      /* owned */
    ngx_voice_packet_t         *packet;    /* whose answer is waited for */
    PGresult                   *result;    /* owned; its bytes are sent */
    json_t                     *page;      /* owned; so are its lines */
    ngx_buf_t                  *pages;     /* two, see ngx_voice_pages.c */
    ngx_str_t                   secret;    /* hash that x-verify looked up */

    /* what is waited for; cancelled when the request ends */
    ngx_voice_pg_query_t       *query;
    ngx_voice_redis_command_t  *command;
    ngx_voice_password_task_t  *task;
    ngx_voice_jwks_wait_t      *keys;      /* of the token's issuer */
    struct ngx_voice_live_stream_s  *live; /* NULL: none is begun */
    ngx_voice_lapse_t          *lapse;     /* NULL: no stream is open */
    ngx_event_t                 timer;     /* of ready, of a stream's begin */
    ngx_queue_t                 waiter;    /* for an answer, with others */

    unsigned                    cors:2;        /* see ngx_voice_cors.c */
    unsigned                    attempts:2;    /* of the CALL */
    unsigned                    databases:5;   /* that do not know the key */
    unsigned                    hashed:3;      /* x-hash members done */
    unsigned                    woken:1;       /* keys were waited for */
    unsigned                    asking:1;      /* waiter is in a queue */
    unsigned                    again:1;       /* judged anew, being open */
    unsigned                    location:1;    /* judged for a location */
    unsigned                    admitted:1;    /* access phase is over */
    unsigned                    identified:1;  /* X-Request-Id is set */
    unsigned                    traced:1;      /* the client began it */
    unsigned                    reading:1;     /* inside the body's read */
    unsigned                    body_ready:1;
    unsigned                    redis_up:1;    /* it has answered */
    unsigned                    pages_turn:1;
    unsigned                    gap:1;         /* the id cannot be used */
    unsigned                    gap_due:1;     /* the event is to be sent */
};


extern ngx_module_t  ngx_voice_module;


/* ngx_voice_ctx.c */
/* The context, also after an internal redirect; NULL: none was made. */
ngx_voice_ctx_t *ngx_voice_ctx(ngx_http_request_t *r);
/* Makes it (request id included); NULL: out of memory. */
ngx_voice_ctx_t *ngx_voice_ctx_create(ngx_http_request_t *r);
/* Nobody waits for answers any more; also when the request ends. */
void ngx_voice_ctx_cancel(void *ctx);

/* Random bytes for ids, never for secrets; len is small. */
ngx_int_t ngx_voice_random(u_char *out, size_t len);

/* ngx_voice_header.c */
/* How often a header came (lower-case name); the first one's value. */
ngx_uint_t ngx_voice_header_count(ngx_http_request_t *r, const char *name,
    voice_span_t *value);

/*
 * Does If-None-Match of a GET or HEAD name the ETag of the reply to come?
 * What is no list of tags is as good as none.
 */
ngx_uint_t ngx_voice_unchanged(ngx_http_request_t *r);

/* ngx_voice_idempotency.c */
/* The step: reads Idempotency-Key; ctx->once is set where there is one. */
ngx_int_t ngx_voice_once(ngx_voice_ctx_t *ctx);
/* The CALL of a request with a key, or of its stored reply. */
ngx_int_t ngx_voice_once_call(ngx_voice_ctx_t *ctx,
    ngx_voice_pg_done_pt done);
/* Does the outcome say that a reply is stored?  Then call again for it. */
ngx_uint_t ngx_voice_once_stored(ngx_voice_ctx_t *ctx,
    ngx_voice_pg_e outcome, const PGresult *result);
/* Marks a stored reply as such. */
ngx_int_t ngx_voice_once_reply(ngx_voice_ctx_t *ctx);

/* ngx_voice_route.c */
/* The step that sets ctx->operation. */
ngx_int_t ngx_voice_find(ngx_voice_ctx_t *ctx);
/* The path as it was sent, without the query; may be empty. */
voice_span_t ngx_voice_path(ngx_http_request_t *r);

/* ngx_voice_cors.c: the step, before it is known who asks. */
ngx_int_t ngx_voice_cors(ngx_voice_ctx_t *ctx);
/* Was it sent by a page elsewhere that the tenant does not list? */
ngx_uint_t ngx_voice_cors_foreign(ngx_voice_ctx_t *ctx);
/* Adds what a preflight asks for to the reply. */
ngx_int_t ngx_voice_cors_preflight(ngx_voice_ctx_t *ctx,
    const ngx_str_t *methods);
/* Puts the filter that tells browsers in front of the others. */
void ngx_voice_cors_filters(void);

/* ngx_voice_trace.c */
/* Sets ctx->trace and what is made of it. */
ngx_int_t ngx_voice_trace(ngx_voice_ctx_t *ctx);
/* Adds "traceparent" to the reply of a request that came with one. */
ngx_int_t ngx_voice_trace_reply(ngx_voice_ctx_t *ctx);

/* ngx_voice_request.c: phase handlers and the machine. */
/* Begins it in a state, inside a phase handler, whose result it gives. */
ngx_int_t ngx_voice_enter(ngx_voice_ctx_t *ctx, ngx_voice_state_e state);
ngx_int_t ngx_voice_post_read_handler(ngx_http_request_t *r);
ngx_int_t ngx_voice_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_voice_content_handler(ngx_http_request_t *r);
/* Goes on in a state after a wait; the request may be gone afterwards. */
void ngx_voice_resume(ngx_voice_ctx_t *ctx, ngx_voice_state_e state);
/* The same where ctx->error is set: sends it and ends the request. */
void ngx_voice_refuse(ngx_voice_ctx_t *ctx);
/* Ends the request after a wait with the result of a send. */
void ngx_voice_finish(ngx_voice_ctx_t *ctx, ngx_int_t rc);
/*
 * Runs a statement of the common parameters; ctx->query is the handle.
 * NGX_AGAIN, or NGX_ERROR with the error set.
 */
ngx_int_t ngx_voice_query(ngx_voice_ctx_t *ctx,
    const ngx_voice_pg_statement_t *statement, const json_t *args,
    ngx_voice_pg_done_pt done);

/* The database of the request's tenant; NULL: the error is set. */
ngx_voice_database_t *ngx_voice_shard(ngx_voice_ctx_t *ctx);

/* ngx_voice_place.c: steps. */
ngx_int_t ngx_voice_find_host(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_find_tenant(ngx_voice_ctx_t *ctx);

/* ngx_voice_auth.c: steps. */
ngx_int_t ngx_voice_identify(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_prove(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_admit(ngx_voice_ctx_t *ctx);
/* Fails with 401 and counts against the address. */
ngx_int_t ngx_voice_unauthorized(ngx_voice_ctx_t *ctx, const char *message);

/* ngx_voice_tenancy.c */
/*
 * A request without credentials becomes the one tenant's; NGX_DECLINED: there
 * is none, or the operation is not for that.  NGX_ERROR: the error is set.
 */
ngx_int_t ngx_voice_dropin(ngx_voice_ctx_t *ctx);

/* ngx_voice_location.c */
/* Is a request judged for the location, being no operation of the API? */
ngx_uint_t ngx_voice_location_judged(const ngx_voice_loc_conf_t *lcf);
/* The access phase of such a request. */
ngx_int_t ngx_voice_location_begin(ngx_http_request_t *r,
    ngx_voice_loc_conf_t *lcf);
/*
 * Ends the request with ctx->error: NGX_DONE; or, where the location wants
 * it, leaves that to nginx: NGX_ABORT, go on by ctx->error.status.
 */
ngx_int_t ngx_voice_location_refuse(ngx_voice_ctx_t *ctx);

/*
 * ngx_voice_known.c: x-expires, when the credential ends; the argument is not
 * there if it never does.
 */
ngx_int_t ngx_voice_known_args(ngx_voice_ctx_t *ctx);

/* ngx_voice_ticket.c: identifies by a ticket, which that uses up. */
ngx_int_t ngx_voice_ticket(ngx_voice_ctx_t *ctx);

/* ngx_voice_federate.c: identifies by a foreign token. */
ngx_int_t ngx_voice_federate(ngx_voice_ctx_t *ctx,
    ngx_voice_issuer_t *issuer, voice_span_t kid);

/* ngx_voice_credential.c */
/* Sets ctx->credential; NGX_DECLINED: there is none. */
ngx_int_t ngx_voice_credential(ngx_voice_ctx_t *ctx);
/* A header of the request by lower-case name (voice_header_pt). */
voice_span_t ngx_voice_request_header(void *data, const char *name);
ngx_table_elt_t *ngx_voice_header_find(ngx_http_request_t *r,
    const char *name);

/* ngx_voice_limit.c: the step. */
ngx_int_t ngx_voice_limit(ngx_voice_ctx_t *ctx);
/*
 * May the client's address show another credential that nobody knows?
 * NGX_ERROR: the error is set.
 */
ngx_int_t ngx_voice_limit_failure_allowed(ngx_voice_ctx_t *ctx);
/* A credential was missing or no good. */
void ngx_voice_limit_failed(ngx_voice_ctx_t *ctx);

/* ngx_voice_limit_lease.c */
/* What a process has to do with Redis's tokens; NULL: out of memory. */
ngx_voice_limiter_t *ngx_voice_limiter_create(ngx_voice_main_conf_t *mcf,
    ngx_cycle_t *cycle);
void ngx_voice_limiter_destroy(ngx_voice_limiter_t *limiter);
/* The request ends: nobody waits for its token any more. */
void ngx_voice_limit_cancel(ngx_voice_limit_t *limit);

/* ngx_voice_limit_header.c */
/* Puts the filter that adds RateLimit fields in front of the others. */
void ngx_voice_limit_filters(void);
/* "admitted", "refused", "dry_run", "off". */
ngx_str_t ngx_voice_limit_status(const ngx_voice_ctx_t *ctx);

/* ngx_voice_body.c: steps. */
ngx_int_t ngx_voice_read_body(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_validate(ngx_voice_ctx_t *ctx);
/* Puts the filter that keeps bodies off the disk in front of the others. */
void ngx_voice_body_filters(void);

/* ngx_voice_secret.c: steps. */
ngx_int_t ngx_voice_digest(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_lookup(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_verify(ngx_voice_ctx_t *ctx);
ngx_int_t ngx_voice_hash(ngx_voice_ctx_t *ctx);

/* ngx_voice_ingest.c */
/* The step in place of CALL: NGX_AGAIN, or NGX_ERROR with the error set. */
ngx_int_t ngx_voice_ingest(ngx_voice_ctx_t *ctx);
/* ngx_voice_ingest_lane.c: of this process; NULL: out of memory. */
ngx_voice_ingest_t *ngx_voice_ingest_create(ngx_voice_main_conf_t *mcf,
    ngx_cycle_t *cycle);

/* ngx_voice_reply.c */
/* "Cache-Control" of a reply that was not an error. */
ngx_int_t ngx_voice_answer_cache(ngx_voice_ctx_t *ctx);
/* The step: takes the reply row apart and sends it. */
ngx_int_t ngx_voice_answer(ngx_voice_ctx_t *ctx);
/* A column of the one row; empty when it is NULL or there is no row. */
voice_span_t ngx_voice_column(const PGresult *result, int column);
ngx_str_t ngx_voice_column_str(const PGresult *result, int column);

/*
 * ngx_voice_pages.c: sends the page in data; NGX_OK: on to the call for the
 * next one.
 */
ngx_int_t ngx_voice_pages(ngx_voice_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *data);

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

/* ngx_voice_flat.c */
/* Is an error of this request to be flat? */
ngx_uint_t ngx_voice_flat(ngx_voice_ctx_t *ctx);
/* The JSON of its member "detail", in the request's pool. */
ngx_int_t ngx_voice_flat_detail(ngx_voice_ctx_t *ctx, ngx_str_t *detail);

/* ngx_voice_after.c: wakes the queues of a reply ("{a,b}"). */
void ngx_voice_after(ngx_voice_ctx_t *ctx, const ngx_str_t *wake);

/* ngx_voice_vars.c */
ngx_int_t ngx_voice_vars_add(ngx_conf_t *cf);
/* Writes the end of every error log line of a request: no query, ever. */
u_char *ngx_voice_log_handler(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len);
/* Milliseconds since the request began. */
ngx_msec_int_t ngx_voice_duration(ngx_http_request_t *r);

/* ngx_voice_status.c: content handlers by shape; each ends the request. */
void ngx_voice_health(ngx_voice_ctx_t *ctx);
void ngx_voice_openapi(ngx_voice_ctx_t *ctx);
void ngx_voice_docs(ngx_voice_ctx_t *ctx);
void ngx_voice_example(ngx_voice_ctx_t *ctx);

/* ngx_voice_metrics.c */
void ngx_voice_metrics(ngx_voice_ctx_t *ctx);

/* ngx_voice_zone.c */
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

/* ngx_voice_leave.c: connections of a process that exits. */
ngx_int_t ngx_voice_leave_prepare(ngx_cycle_t *cycle);
/* A request that still comes is the last of its connection. */
void ngx_voice_leave_request(ngx_http_request_t *r);
/*
 * A stream that begins: it is ended when the process exits, which NGX_DECLINED
 * says that it does already.  lost: a young process may lose it.
 */
ngx_int_t ngx_voice_leave_stream(ngx_http_request_t *r, ngx_uint_t lost);

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
