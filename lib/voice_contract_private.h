/*
 * What the files voice_contract*.c share.
 */

#ifndef VOICE_CONTRACT_PRIVATE_H
#define VOICE_CONTRACT_PRIVATE_H


#include "voice_contract.h"
#include "voice_header.h"
#include "voice_route.h"


#define CONTRACT_NAME_MAX        64    /* bytes of a name and a NUL */
#define CONTRACT_PLACE_MAX       256
#define CONTRACT_VALUE_MAX       8192  /* bytes of a decoded parameter */
#define CONTRACT_PARAMETERS_MAX  64    /* of one operation */
#define CONTRACT_ALIASES_MAX     8     /* of one operation */


typedef enum {
    CONTRACT_IN_PATH = 0,
    CONTRACT_IN_QUERY,
    CONTRACT_IN_HEADER,
    CONTRACT_IN_COUNT
} contract_in_e;


/* A parameter's text as a value; NULL: it is none of that type. */
typedef json_t *(*contract_convert_pt)(voice_span_t text);


/* A row of the table of types. */
typedef struct {
    const char           *name;
    contract_convert_pt   convert;
    const char           *reason;
} contract_type_t;


struct voice_parameter_s {
    contract_in_e            in;
    char                     name[CONTRACT_NAME_MAX];  /* as sent; of a */
                                       /* header: in lower case */
    char                     argument[CONTRACT_NAME_MAX];
    unsigned                 required:1;
    unsigned                 list:1;   /* comma separated */
    const contract_type_t   *type;     /* of the items of a list */
    const voice_schema_t    *schema;
    const json_t            *fallback; /* default, NULL: none */
};


typedef struct {
    voice_operation_t  public;         /* must be first */
    const json_t      *source;
    char               place[CONTRACT_PLACE_MAX];
    const json_t      *body_schema;
    const char        *aliases[CONTRACT_ALIASES_MAX];
    unsigned           naliases;
    char              *example;        /* owned, or NULL */
    char               scope[CONTRACT_NAME_MAX + 8];
    char               deprecation[24];
    char               sunset[VOICE_HTTP_DATE_LEN + 1];
} contract_operation_t;


struct voice_contract_s {
    json_t                *document;
    json_t                *origins;    /* pointer -> name of its file */
    char                  *text;
    size_t                 text_len;
    voice_schemas_t       *schemas;
    voice_limit_class_t   *limits;
    unsigned               nlimits;
    contract_operation_t  *operations;
    unsigned               noperations;
    voice_routes_t        *routes;
    voice_problem_t       *problem;    /* while it is built */
};


/* Writes the problem; the result is VOICE_INVALID.  place: a pointer. */
voice_rc_t contract_refuse(voice_contract_t *contract, const char *place,
    const char *reason, ...) __attribute__((format(printf, 3, 4)));
voice_rc_t contract_nomem(voice_contract_t *contract);
/* place, "/", the token, escaped; cut to fit. */
void contract_place(char out[CONTRACT_PLACE_MAX], const char *place,
    const char *token);
/* The object that a Reference Object stands for; NULL: nothing. */
const json_t *contract_resolve(const voice_contract_t *contract,
    const json_t *value);


/* Builds contract->document from the files (voice_contract_union.c). */
voice_rc_t contract_union(voice_contract_t *contract,
    const voice_contract_file_t *files, unsigned nfiles);
/* The file that a pointer's value came from. */
const char *contract_origin(const voice_contract_t *contract,
    const char *place);

/* Are root and references sound?  (voice_contract_document.c) */
voice_rc_t contract_document(voice_contract_t *contract);

/* Reads what belongs to one operation (voice_contract_operation.c). */
voice_rc_t contract_operation(voice_contract_t *contract,
    contract_operation_t *operation);
/* Its x- members (voice_contract_extension.c). */
voice_rc_t contract_extensions(voice_contract_t *contract,
    contract_operation_t *operation);
/* Its parameters (voice_contract_parameter.c). */
voice_rc_t contract_parameters(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *item);
/* After all that: x-idempotent; x-deprecated, x-sunset
   (voice_contract_header.c). */
voice_rc_t contract_headers(voice_contract_t *contract,
    contract_operation_t *operation);
/* Body and replies (voice_contract_body.c). */
voice_rc_t contract_body(voice_contract_t *contract,
    contract_operation_t *operation);
voice_rc_t contract_responses(voice_contract_t *contract,
    contract_operation_t *operation);
/* Has the schema, as far as can be told, a member of that name? */
int contract_has_member(const voice_contract_t *contract,
    const json_t *schema, const char *name);

/* The types of parameters (voice_contract_convert.c). */
const contract_type_t *contract_type(const char *name);

/*
 * Percent-decodes into buf of CONTRACT_VALUE_MAX bytes (voice_contract_
 * query.c); plus: "+" is a space.  NULL: the reason why not otherwise.
 */
const char *contract_decode(voice_span_t in, int plus, char *buf,
    voice_span_t *out);
/* Takes "name=value" off the query's front; 0 at its end. */
int contract_query_next(voice_span_t *query, voice_span_t *name,
    voice_span_t *value);

/* Is it a name as SQL functions have them: ^[a-z][a-z0-9_]{0,62}$ ? */
int contract_is_name(const char *text);


#endif /* VOICE_CONTRACT_PRIVATE_H */
