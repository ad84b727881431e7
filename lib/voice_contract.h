
/*
 * The contract: what the API is, read from conf/openapi/ (OpenAPI 3.1).
 *
 * Every file there is a partial OpenAPI document; the contract is their
 * union.  A path, a component or an operationId that stands twice is refused
 * by name, and so is a dangling $ref.  A "$ref" is local to the union
 * ("#/components/schemas/TestSuite"), or names one of the files as well
 * ("test_suites.json#/components/..."), which the union has without it.
 *
 * Extensions of an operation:
 *
 *   x-role      "public", or a role name, or a list of them (docs/design.md
 *               "Roles"): a ranked role admits itself and those above it, a
 *               side or machine role admits only itself.  Required.
 *   x-limit     name of a class in the root's "x-limits".  Required.
 *   x-scope     scope that an API key needs; default "<tag>:read" for GET,
 *               "<tag>:write" otherwise, of the first tag.
 *   x-aliases   list of further paths with the same captures
 *   x-shape     "envelope" (default), "flat", "health", "metrics",
 *               "contract", "docs", "packet", "example" or "pages": how the
 *               reply is dressed.  "contract", "docs" and "example" call no
 *               SQL function; the last answers the "example" of its reply
 *               200.  The requests of "packet" are gathered, and the function
 *               takes arrays of their arguments (docs/design.md "Calls").
 *               "pages" calls its function page by page: data is {"lines":
 *               text, "next": cursor}, the lines are sent as they are, and
 *               while next is not null the function is called again with it
 *               as the argument "cursor"
 *   x-errors    "flat": every error of the path is {detail, error,
 *               request_id}; detail is the sentence, for 422 a list of
 *               {type, loc, msg}
 *   x-dropin    true, or "supervisor" for what shows calls: under
 *               "voice_tenancy single" taken without credentials, too
 *   x-slow      true: runs on the pool for slow reads; a GET on the read
 *               replica, where there is one
 *   x-stream    true: the function runs in the access phase and its
 *               data.channel names the nchan channel
 *   x-max-body  bytes, default 64 KiB
 *   x-digest    list of body members that reach SQL only as SHA-256 hex,
 *               under the same name
 *   x-hash      list of body members that reach SQL only as bcrypt hash,
 *               under "<member>_hash"
 *   x-verify    {"member": m, "lookup": f}: api.f gives data.hash; m is
 *               compared with it and reaches SQL as boolean "<m>_ok"; what
 *               else data holds is merged into the arguments; a status from
 *               400 refuses before anything is compared
 *   x-token     JSON Pointer into data where the signed access token goes;
 *               its claims are the reply's column "claims"
 *   x-expires   name of an argument that the edge adds: when the caller's
 *               credential ends (Unix seconds), none if it never does
 *   x-idempotent  false: takes no Idempotency-Key, which every other POST of
 *               identified callers under /api/v1/ takes unless it has
 *               x-token; the document that is served lists the parameter
 *               "IdempotencyKey" of the components and the replies 409 and
 *               422 with it
 *   x-deprecated  "2027-01-01T00:00:00Z": since when the operation is
 *               deprecated (header Deprecation, RFC 9745)
 *   x-sunset    the time after which it may be gone (header Sunset, RFC
 *               8594), not before x-deprecated
 *
 * A class of the root's "x-limits" is {"rate": requests a second, "burst":
 * requests at once}.  With "each": {"by": name, "rate", "burst"} what is
 * identified is limited by the value of that path parameter, too; each
 * operation of the class has it.
 */

#ifndef VOICE_CONTRACT_H
#define VOICE_CONTRACT_H


#include "voice_json.h"
#include "voice_schema.h"


#define VOICE_CAPTURES_MAX  4
#define VOICE_MEMBERS_MAX   4          /* of x-digest and x-hash */


/* Ranked roles first, lowest to highest; see voice_role_name(). */
typedef enum {
    VOICE_ROLE_VIEWER = 0,
    VOICE_ROLE_OPERATOR,
    VOICE_ROLE_SUPERVISOR,
    VOICE_ROLE_ADMIN,
    VOICE_ROLE_OWNER,
    VOICE_ROLE_PLATFORM_ADMIN,
    VOICE_ROLE_QA_LEAD,
    VOICE_ROLE_VALIDATOR,
    VOICE_ROLE_BILLING,
    VOICE_ROLE_API_CLIENT,
    VOICE_ROLE_SERVICE,
    VOICE_ROLE_COUNT
} voice_role_e;


typedef enum {
    VOICE_SHAPE_ENVELOPE = 0,
    VOICE_SHAPE_FLAT,
    VOICE_SHAPE_HEALTH,
    VOICE_SHAPE_METRICS,
    VOICE_SHAPE_CONTRACT,
    VOICE_SHAPE_DOCS,
    VOICE_SHAPE_PACKET,
    VOICE_SHAPE_EXAMPLE,
    VOICE_SHAPE_PAGES
} voice_shape_e;


/* Who is let in without credentials, where the edge is of one tenant. */
typedef enum {
    VOICE_DROPIN_NONE = 0,
    VOICE_DROPIN_CALLS,
    VOICE_DROPIN_SUPERVISOR
} voice_dropin_e;


typedef enum {
    VOICE_METHOD_GET = 0,              /* answers HEAD, too */
    VOICE_METHOD_POST,
    VOICE_METHOD_PUT,
    VOICE_METHOD_PATCH,
    VOICE_METHOD_DELETE,
    VOICE_METHOD_COUNT
} voice_method_e;


typedef struct voice_contract_s   voice_contract_t;
typedef struct voice_parameter_s  voice_parameter_t;


typedef struct {
    const char  *name;                 /* "rate" class, NUL terminated */
    unsigned     index;                /* 0 .. classes - 1 */
    unsigned     rate;                 /* requests in a second */
    unsigned     burst;                /* requests at once */
    const char  *by;                   /* "each": a path parameter, or NULL */
    unsigned     each_rate;
    unsigned     each_burst;
} voice_limit_class_t;


typedef struct {
    unsigned               index;      /* 0 .. operations - 1 */
    voice_method_e         method;
    const char            *path;       /* template "/api/v1/x/{id}" */
    const char            *function;   /* operationId: api.<function> */
    uint32_t               roles;      /* bit per voice_role_e */
    unsigned               public:1;   /* needs no credentials */
    unsigned               slow:1;
    unsigned               stream:1;
    unsigned               body_required:1;
    unsigned               has_body:1;
    unsigned               once:1;     /* takes an Idempotency-Key */
    unsigned               flat_errors:1;
    voice_dropin_e         dropin;
    const char            *scope;
    const voice_limit_class_t *limit;
    unsigned               each;       /* capture that limit->by names */
    voice_shape_e          shape;
    size_t                 max_body;
    const char            *digest[VOICE_MEMBERS_MAX + 1];  /* NULL ends */
    const char            *hash[VOICE_MEMBERS_MAX + 1];
    const char            *verify_member;      /* NULL: none */
    const char            *verify_lookup;
    const char            *token;      /* JSON Pointer or NULL */
    const char            *expires;    /* name or NULL */
    const char            *example;    /* JSON; NULL: another shape */
    const char            *deprecation;        /* values of headers, */
    const char            *sunset;     /* or NULL */
    const voice_schema_t  *body;       /* NULL: takes no body */
    voice_parameter_t     *parameters; /* private */
    unsigned               nparameters;
} voice_operation_t;


typedef struct {
    const char    *name;               /* "test_suites.json" for messages */
    voice_span_t   text;
} voice_contract_file_t;


typedef enum {
    VOICE_ROUTE_FOUND = 0,
    VOICE_ROUTE_NO_PATH,               /* 404 */
    VOICE_ROUTE_NO_METHOD              /* 405, allow holds what there is */
} voice_route_e;


typedef struct {
    const voice_operation_t  *operation;   /* NULL unless found */
    uint32_t                  allow;       /* bit per voice_method_e; whole
                                              unless found */
    voice_span_t              captures[VOICE_CAPTURES_MAX];
    unsigned                  ncaptures;
} voice_match_t;


/* Header of a request by lower-case name; an empty span if absent. */
typedef voice_span_t (*voice_header_pt)(void *data, const char *name);


/*
 * Builds the contract from all files of conf/openapi/.  Nothing is borrowed
 * after the return.  NULL on failure, problem says which file, where in it
 * and what.
 */
voice_contract_t *voice_contract_create(const voice_contract_file_t *files,
    unsigned nfiles, voice_problem_t *problem) VOICE_MUST_CHECK;
void voice_contract_destroy(voice_contract_t *contract);

unsigned voice_contract_count(const voice_contract_t *contract);
const voice_operation_t *voice_contract_operation(
    const voice_contract_t *contract, unsigned index);

/* The classes of "x-limits"; NULL for an index that there is none of. */
const voice_limit_class_t *voice_contract_limit(
    const voice_contract_t *contract, unsigned index);

/* The union as one OpenAPI 3.1 text; the contract owns it. */
voice_span_t voice_contract_text(const voice_contract_t *contract);

/*
 * An error code's row in "x-errors" ({status, sqlstate, message}): its HTTP
 * status (0: no such code) and sentence (NUL terminated, contract's).
 */
unsigned voice_contract_error(const voice_contract_t *contract,
    const char *code, const char **message);

/*
 * Finds the operation for a method and a path (no query; percent-encoding
 * intact).  Captures point into path.  HEAD is looked up as GET; with
 * VOICE_METHOD_COUNT only match->allow is of use.
 */
voice_route_e voice_contract_match(const voice_contract_t *contract,
    voice_method_e method, voice_span_t path, voice_match_t *match);

/*
 * An operation whose path goes along with this one for most segments, which
 * may well be all of them; NULL: there is none.
 */
const voice_operation_t *voice_contract_nearest(
    const voice_contract_t *contract, voice_span_t path);

/*
 * Arguments for the SQL function: captures, query and header parameters
 * (percent-decoded, converted to the type that their schema asks for,
 * defaults set) and the members of the body in one object.  A header's
 * argument is its lower-case name with "-" as "_".  Lists are comma
 * separated; "+" in a query is a space.  Unknown and repeated query
 * parameters are refused, and so are body members that have the name of a
 * parameter or of what x-hash and x-verify give.  body may be NULL; its
 * defaults are set in it, and the result shares its members.  Where none is
 * expected an empty object is ignored.  All problems are added, not
 * only the first; their paths: "/path/id", "/query/page",
 * "/header/if_match", "/body/...".
 * Returns an object that the caller owns; NULL if problems were added or
 * memory is out (then problems->count is 0).
 */
json_t *voice_contract_args(const voice_operation_t *operation,
    const voice_match_t *match, voice_span_t query, voice_header_pt header,
    void *data, json_t *body, voice_problems_t *problems)
    VOICE_MUST_CHECK;

/*
 * A capture of a match, percent-decoded into buf of size bytes or as it
 * stands in the path.  VOICE_INVALID: it is broken, VOICE_LIMIT: too long.
 */
voice_rc_t voice_capture(const voice_match_t *match, unsigned index,
    char *buf, size_t size, voice_span_t *text) VOICE_MUST_CHECK;

/* One query parameter, decoded into buf; VOICE_NOTFOUND, VOICE_LIMIT. */
voice_rc_t voice_query_find(voice_span_t query, const char *name, char *buf,
    size_t size, size_t *len);

const char *voice_role_name(voice_role_e role);
/* VOICE_ROLE_COUNT if the name is unknown. */
voice_role_e voice_role_parse(voice_span_t name);
/* Does the operation admit this role? */
int voice_role_admitted(const voice_operation_t *operation,
    voice_role_e role);
const char *voice_method_name(voice_method_e method);


#endif /* VOICE_CONTRACT_H */
