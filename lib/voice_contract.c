/*
 * The contract: building, routing, looking up; see voice_contract.h.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "voice_contract_private.h"


_Static_assert(VOICE_ROUTE_METHODS == VOICE_METHOD_COUNT,
               "the router knows as many methods as the contract");
_Static_assert(VOICE_ROUTE_CAPTURES == VOICE_CAPTURES_MAX,
               "the router knows as many captures as the contract");


static voice_rc_t contract_build(voice_contract_t *contract,
    const voice_contract_file_t *files, unsigned nfiles);
static voice_rc_t operations_read(voice_contract_t *contract);
static voice_rc_t item_read(voice_contract_t *contract, const char *path,
    const json_t *item);
static int method_of(const char *name);
static unsigned operations_count(const json_t *paths);
static voice_rc_t id_unique(voice_contract_t *contract,
    const contract_operation_t *operation);
static voice_rc_t routes_add(voice_contract_t *contract,
    const contract_operation_t *operation, const char *template);
static voice_rc_t text_write(voice_contract_t *contract);
static void operation_clear(contract_operation_t *operation);
static void captures_order(const voice_operation_t *operation,
    const voice_route_t *route, voice_span_t *captures);


/* Members of a path item that are no methods. */
static const char *const  contract_item_members[] = {
    "parameters", "summary", "description",
};


voice_contract_t *
voice_contract_create(const voice_contract_file_t *files, unsigned nfiles,
    voice_problem_t *problem)
{
    voice_contract_t  *contract;

    memset(problem, 0, sizeof(voice_problem_t));
    contract = calloc(1, sizeof(voice_contract_t));

    if (contract == NULL) {
        (void) snprintf(problem->reason, sizeof(problem->reason),
                        "out of memory");
        return NULL;
    }

    contract->problem = problem;

    if (contract_build(contract, files, nfiles) != VOICE_OK) {
        voice_contract_destroy(contract);
        return NULL;
    }

    contract->problem = NULL;

    return contract;
}


void
voice_contract_destroy(voice_contract_t *contract)
{
    unsigned  i;

    if (contract == NULL) {
        return;
    }

    for (i = 0; i < contract->noperations; i++) {
        operation_clear(&contract->operations[i]);
    }

    voice_routes_destroy(contract->routes);
    voice_schemas_destroy(contract->schemas);
    free(contract->operations);
    free(contract->limits);
    free(contract->text);
    json_decref(contract->origins);
    json_decref(contract->document);
    free(contract);
}


unsigned
voice_contract_count(const voice_contract_t *contract)
{
    return contract->noperations;
}


const voice_operation_t *
voice_contract_operation(const voice_contract_t *contract, unsigned index)
{
    if (index >= contract->noperations) {
        return NULL;
    }

    return &contract->operations[index].public;
}


const voice_limit_class_t *
voice_contract_limit(const voice_contract_t *contract, unsigned index)
{
    return index < contract->nlimits ? &contract->limits[index] : NULL;
}


voice_span_t
voice_contract_text(const voice_contract_t *contract)
{
    return voice_span(contract->text, contract->text_len);
}


unsigned
voice_contract_error(const voice_contract_t *contract, const char *code,
    const char **message)
{
    const json_t  *row;

    row = json_object_get(json_object_get(contract->document, "x-errors"),
                          code);

    if (row == NULL) {
        return 0;
    }

    *message = json_string_value(json_object_get(row, "message"));

    return (unsigned) json_integer_value(json_object_get(row, "status"));
}


voice_route_e
voice_contract_match(const voice_contract_t *contract, voice_method_e method,
    voice_span_t path, voice_match_t *match)
{
    unsigned              methods;
    const voice_route_t  *route;

    memset(match, 0, sizeof(voice_match_t));
    route = voice_routes_find(contract->routes, path, (unsigned) method,
                              &methods, match->captures);
    match->allow = methods;

    if (route == NULL) {
        return methods == 0 ? VOICE_ROUTE_NO_PATH : VOICE_ROUTE_NO_METHOD;
    }

    match->operation = route->targets[method];
    match->ncaptures = route->ncaptures;
    captures_order(match->operation, route, match->captures);

    return VOICE_ROUTE_FOUND;
}


const voice_operation_t *
voice_contract_nearest(const voice_contract_t *contract, voice_span_t path)
{
    return voice_routes_nearest(contract->routes, path);
}


voice_rc_t
contract_refuse(voice_contract_t *contract, const char *place,
    const char *reason, ...)
{
    va_list           args;
    voice_problem_t  *problem;

    problem = contract->problem;

    (void) snprintf(problem->path, sizeof(problem->path), "%s#%s",
                    contract_origin(contract, place), place);

    va_start(args, reason);
    (void) vsnprintf(problem->reason, sizeof(problem->reason), reason, args);
    va_end(args);

    return VOICE_INVALID;
}


voice_rc_t
contract_nomem(voice_contract_t *contract)
{
    (void) contract_refuse(contract, "", "out of memory");

    return VOICE_NOMEM;
}


int
contract_is_name(const char *text)
{
    size_t  i;

    for (i = 0; text[i] != '\0'; i++) {
        if (text[i] >= 'a' && text[i] <= 'z') {
            continue;
        }

        if (i == 0 || (text[i] != '_' && (text[i] < '0' || text[i] > '9'))) {
            return 0;
        }
    }

    return i > 0 && i < CONTRACT_NAME_MAX;
}


static voice_rc_t
contract_build(voice_contract_t *contract, const voice_contract_file_t *files,
    unsigned nfiles)
{
    voice_rc_t  rc;

    rc = contract_union(contract, files, nfiles);

    if (rc != VOICE_OK) {
        return rc;
    }

    contract->schemas = voice_schemas_create(contract->document);
    contract->routes = voice_routes_create();

    if (contract->schemas == NULL || contract->routes == NULL) {
        return contract_nomem(contract);
    }

    rc = contract_document(contract);

    if (rc == VOICE_OK) {
        rc = operations_read(contract);
    }

    return rc == VOICE_OK ? text_write(contract) : rc;
}


static voice_rc_t
operations_read(voice_contract_t *contract)
{
    json_t      *paths, *item;
    unsigned     count;
    voice_rc_t   rc;
    const char  *path;

    paths = json_object_get(contract->document, "paths");
    count = operations_count(paths);
    contract->operations = calloc(count + 1, sizeof(contract_operation_t));

    if (contract->operations == NULL) {
        return contract_nomem(contract);
    }

    json_object_foreach(paths, path, item) {
        rc = item_read(contract, path, item);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
item_read(voice_contract_t *contract, const char *path, const json_t *item)
{
    int                    method;
    char                   place[CONTRACT_PLACE_MAX];
    json_t                *source;
    unsigned               i;
    voice_rc_t             rc;
    const char            *name;
    contract_operation_t  *operation;

    contract_place(place, "/paths", path);

    json_object_foreach((json_t *) item, name, source) {
        method = method_of(name);

        if (method < 0) {
            continue;
        }

        if (method >= VOICE_METHOD_COUNT) {
            return contract_refuse(contract, place,
                                   "has the unknown member \"%s\"", name);
        }

        operation = &contract->operations[contract->noperations];
        operation->public.index = contract->noperations++;
        operation->public.method = (voice_method_e) method;
        operation->public.path = path;
        operation->source = source;
        contract_place(operation->place, place, name);

        rc = contract_operation(contract, operation);

        if (rc == VOICE_OK) {
            rc = contract_parameters(contract, operation, item);
        }

        if (rc == VOICE_OK) {
            rc = contract_headers(contract, operation);
        }

        if (rc == VOICE_OK) {
            rc = id_unique(contract, operation);
        }

        if (rc == VOICE_OK) {
            rc = routes_add(contract, operation, path);
        }

        for (i = 0; rc == VOICE_OK && i < operation->naliases; i++) {
            rc = routes_add(contract, operation, operation->aliases[i]);
        }

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


/* -1: not a method but known; VOICE_METHOD_COUNT: unknown. */
static int
method_of(const char *name)
{
    size_t  i;

    static const char *const  methods[VOICE_METHOD_COUNT] = {
        "get", "post", "put", "patch", "delete",
    };

    for (i = 0; i < VOICE_METHOD_COUNT; i++) {
        if (strcmp(name, methods[i]) == 0) {
            return (int) i;
        }
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(contract_item_members); i++) {
        if (strcmp(name, contract_item_members[i]) == 0) {
            return -1;
        }
    }

    return strncmp(name, "x-", 2) == 0 ? -1 : VOICE_METHOD_COUNT;
}


/* An upper bound: all members of all path items. */
static unsigned
operations_count(const json_t *paths)
{
    json_t      *item;
    unsigned     n;
    const char  *path;

    n = 0;

    json_object_foreach((json_t *) paths, path, item) {
        n += (unsigned) json_object_size(item);
    }

    return n;
}


static voice_rc_t
id_unique(voice_contract_t *contract, const contract_operation_t *operation)
{
    char                         place[CONTRACT_PLACE_MAX];
    unsigned                     i;
    const contract_operation_t  *other;

    for (i = 0; i < operation->public.index; i++) {
        other = &contract->operations[i];

        if (strcmp(other->public.function, operation->public.function) == 0) {
            contract_place(place, operation->place, "operationId");
            return contract_refuse(contract, place,
                                   "\"%s\" stands at %s in %s, too",
                                   other->public.function, other->place,
                                   contract_origin(contract, other->place));
        }
    }

    return VOICE_OK;
}


static voice_rc_t
routes_add(voice_contract_t *contract, const contract_operation_t *operation,
    const char *template)
{
    voice_rc_t           rc;
    voice_route_fault_t  fault;

    rc = voice_routes_add(contract->routes, template,
                          operation->public.method, &operation->public,
                          &fault);

    if (rc == VOICE_NOMEM) {
        return contract_nomem(contract);
    }

    if (rc != VOICE_OK) {
        return contract_refuse(contract, operation->place,
                               "the path \"%s\" %s%s%s", template,
                               fault.reason, fault.other == NULL ? "" : " ",
                               fault.other == NULL ? "" : fault.other);
    }

    return VOICE_OK;
}


static voice_rc_t
text_write(voice_contract_t *contract)
{
    contract->text = json_dumps(contract->document, JSON_COMPACT);

    if (contract->text == NULL) {
        return contract_nomem(contract);
    }

    contract->text_len = strlen(contract->text);

    return VOICE_OK;
}


static void
operation_clear(contract_operation_t *operation)
{
    free(operation->public.parameters);
    free(operation->example);
}


/*
 * An alias may name the captures in another order than the path, whose order
 * the path parameters have.
 */
static void
captures_order(const voice_operation_t *operation, const voice_route_t *route,
    voice_span_t *captures)
{
    unsigned      i, k;
    voice_span_t  names[VOICE_CAPTURES_MAX], own[VOICE_CAPTURES_MAX];
    voice_span_t  found[VOICE_CAPTURES_MAX];

    if (route->template == operation->path || route->ncaptures < 2) {
        return;
    }

    (void) voice_route_names(route->template, names);
    (void) voice_route_names(operation->path, own);

    for (i = 0; i < route->ncaptures; i++) {
        for (k = 0; k < route->ncaptures; k++) {
            if (voice_span_eq(own[i], names[k])) {
                found[i] = captures[k];
            }
        }
    }

    memcpy(captures, found, route->ncaptures * sizeof(voice_span_t));
}
