/*
 * Reading the parameters of an operation.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_contract_private.h"


/* What is being read. */
typedef struct {
    voice_contract_t      *contract;
    contract_operation_t  *operation;
    char                   place[CONTRACT_PLACE_MAX];
} reader_t;


static voice_rc_t list_read(reader_t *reader, const json_t *list,
    const char *place);
static voice_rc_t one_read(reader_t *reader, const json_t *source);
static voice_rc_t members_check(reader_t *reader, const json_t *source);
static voice_rc_t name_read(reader_t *reader, const json_t *source,
    voice_parameter_t *parameter);
static voice_rc_t schema_read(reader_t *reader, const json_t *source,
    voice_parameter_t *parameter);
static voice_rc_t default_check(reader_t *reader,
    const voice_parameter_t *parameter);
static voice_rc_t list_style_check(reader_t *reader, const json_t *source,
    const voice_parameter_t *parameter);
static voice_rc_t parameter_add(reader_t *reader,
    const voice_parameter_t *parameter);
static voice_rc_t captures_check(reader_t *reader);
static void captures_sort(voice_operation_t *operation,
    const voice_span_t *names, unsigned n);
static voice_rc_t names_check(reader_t *reader);
static voice_rc_t each_find(reader_t *reader);
static const char *schema_type(const voice_contract_t *contract,
    const json_t *schema);


/* Rows stand in the order of contract_in_e. */
static const char *const  parameter_places[CONTRACT_IN_COUNT] = {
    "path", "query", "header",
};


static const char *const  parameter_members[] = {
    "name", "in", "required", "schema", "style", "explode", "description",
    "example", "examples", "deprecated",
};


/* OpenAPI 3.1, "Parameter Object": these belong to HTTP itself. */
static const char *const  parameter_headers[] = {
    "accept", "authorization", "content-type",
};


voice_rc_t
contract_parameters(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *item)
{
    char         place[CONTRACT_PLACE_MAX];
    reader_t     reader;
    voice_rc_t   rc;

    reader.contract = contract;
    reader.operation = operation;

    /* those of the path item hold for all its operations */

    contract_place(place, "/paths", operation->public.path);
    rc = list_read(&reader, json_object_get(item, "parameters"), place);

    if (rc == VOICE_OK) {
        rc = list_read(&reader,
                       json_object_get(operation->source, "parameters"),
                       operation->place);
    }

    if (rc == VOICE_OK) {
        rc = captures_check(&reader);
    }

    if (rc == VOICE_OK) {
        rc = names_check(&reader);
    }

    return rc == VOICE_OK ? each_find(&reader) : rc;
}


static voice_rc_t
list_read(reader_t *reader, const json_t *list, const char *place)
{
    char           below[CONTRACT_PLACE_MAX];
    char           number[24];
    size_t         i;
    json_t        *item;
    voice_rc_t     rc;

    contract_place(below, place, "parameters");

    if (list != NULL && !json_is_array(list)) {
        return contract_refuse(reader->contract, below, "must be a list");
    }

    json_array_foreach(list, i, item) {
        (void) snprintf(number, sizeof(number), "%zu", i);
        contract_place(reader->place, below, number);
        rc = one_read(reader, contract_resolve(reader->contract, item));

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
one_read(reader_t *reader, const json_t *source)
{
    voice_rc_t          rc;
    const json_t       *required;
    voice_parameter_t   parameter;

    memset(&parameter, 0, sizeof(parameter));
    rc = members_check(reader, source);

    if (rc == VOICE_OK) {
        rc = name_read(reader, source, &parameter);
    }

    if (rc == VOICE_OK) {
        rc = schema_read(reader, source, &parameter);
    }

    if (rc == VOICE_OK && parameter.list) {
        rc = list_style_check(reader, source, &parameter);
    }

    if (rc != VOICE_OK) {
        return rc;
    }

    required = json_object_get(source, "required");

    if (required != NULL && !json_is_boolean(required)) {
        return contract_refuse(reader->contract, reader->place,
                               "\"required\" must be a boolean");
    }

    if (parameter.in == CONTRACT_IN_PATH && !json_is_true(required)) {
        return contract_refuse(reader->contract, reader->place,
                               "is in the path and must be required");
    }

    parameter.required = json_is_true(required);

    return parameter_add(reader, &parameter);
}


static voice_rc_t
members_check(reader_t *reader, const json_t *source)
{
    size_t       i;
    json_t      *value;
    const char  *name;

    if (!json_is_object(source)) {
        return contract_refuse(reader->contract, reader->place,
                               "must be a parameter");
    }

    json_object_foreach((json_t *) source, name, value) {
        for (i = 0; i < VOICE_ARRAY_SIZE(parameter_members); i++) {
            if (strcmp(parameter_members[i], name) == 0) {
                break;
            }
        }

        if (i == VOICE_ARRAY_SIZE(parameter_members)
            && strncmp(name, "x-", 2) != 0)
        {
            return contract_refuse(reader->contract, reader->place,
                                   "has the unknown member \"%s\"", name);
        }
    }

    return VOICE_OK;
}


static voice_rc_t
name_read(reader_t *reader, const json_t *source,
    voice_parameter_t *parameter)
{
    char           c;
    size_t         i;
    voice_span_t   in, name;

    in = voice_json_text(source, "in");
    name = voice_json_text(source, "name");

    for (i = 0; i < CONTRACT_IN_COUNT; i++) {
        if (voice_span_eq(in, voice_span_str(parameter_places[i]))) {
            break;
        }
    }

    if (i == CONTRACT_IN_COUNT) {
        return contract_refuse(reader->contract, reader->place, "\"in\" must "
                               "be \"path\", \"query\" or \"header\"");
    }

    parameter->in = (contract_in_e) i;

    for (i = 0; i < name.len && i + 1 < CONTRACT_NAME_MAX; i++) {
        c = name.ptr[i];

        if (parameter->in == CONTRACT_IN_HEADER) {
            c = c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
        }

        parameter->name[i] = c;
        parameter->argument[i] = c == '-' && parameter->in
                                             == CONTRACT_IN_HEADER ? '_' : c;
    }

    if (i < name.len || !contract_is_name(parameter->argument)) {
        return contract_refuse(reader->contract, reader->place, "\"name\" "
                               "must be a name of lower-case letters, digits "
                               "and \"_\"");
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(parameter_headers); i++) {
        if (parameter->in == CONTRACT_IN_HEADER
            && strcmp(parameter->name, parameter_headers[i]) == 0)
        {
            return contract_refuse(reader->contract, reader->place,
                                   "\"%s\" belongs to HTTP itself",
                                   parameter_headers[i]);
        }
    }

    return VOICE_OK;
}


static voice_rc_t
schema_read(reader_t *reader, const json_t *source,
    voice_parameter_t *parameter)
{
    char              place[CONTRACT_PLACE_MAX];
    const char       *type;
    const json_t     *schema, *items;
    voice_problem_t   problem;

    contract_place(place, reader->place, "schema");
    schema = json_object_get(source, "schema");

    if (schema == NULL) {
        return contract_refuse(reader->contract, reader->place,
                               "lacks \"schema\"");
    }

    parameter->schema = voice_schema_compile_at(reader->contract->schemas,
                                                schema, place, &problem);

    if (parameter->schema == NULL) {
        return contract_refuse(reader->contract, problem.path, "%s",
                               problem.reason);
    }

    type = schema_type(reader->contract, schema);
    schema = contract_resolve(reader->contract, schema);
    parameter->fallback = json_object_get(schema, "default");

    if (type != NULL && strcmp(type, "array") == 0) {
        items = json_object_get(schema, "items");
        type = schema_type(reader->contract, items);
        parameter->list = 1;
    }

    parameter->type = contract_type(type);

    if (parameter->type == NULL) {
        return contract_refuse(reader->contract, place, "must have one "
                               "scalar type, or be a list of such");
    }

    return default_check(reader, parameter);
}


/* A default reaches SQL without another check. */
static voice_rc_t
default_check(reader_t *reader, const voice_parameter_t *parameter)
{
    voice_problems_t  problems;

    memset(&problems, 0, sizeof(problems));

    if (parameter->fallback != NULL
        && voice_schema_check(parameter->schema, parameter->fallback, "",
                              &problems)
           != VOICE_OK)
    {
        return contract_refuse(reader->contract, reader->place,
                               "has a default that %s",
                               problems.items[0].reason);
    }

    return VOICE_OK;
}


/* Lists are comma separated everywhere: the one form that all places have. */
static voice_rc_t
list_style_check(reader_t *reader, const json_t *source,
    const voice_parameter_t *parameter)
{
    const char    *wanted;
    voice_span_t   style;

    wanted = parameter->in == CONTRACT_IN_QUERY ? "form" : "simple";
    style = voice_json_text(source, "style");

    if ((style.ptr != NULL && !voice_span_eq(style, voice_span_str(wanted)))
        || (parameter->in == CONTRACT_IN_QUERY
            && !json_is_false(json_object_get(source, "explode"))))
    {
        return contract_refuse(reader->contract, reader->place, "is a list: "
                               "\"style\" must be \"%s\", \"explode\" false",
                               wanted);
    }

    return VOICE_OK;
}


/*
 * OpenAPI lets an operation replace a parameter of its path item; we do not:
 * a reader would have to look in two places.
 */
static voice_rc_t
parameter_add(reader_t *reader, const voice_parameter_t *parameter)
{
    unsigned            i;
    voice_operation_t  *operation;
    voice_parameter_t  *list;

    operation = &reader->operation->public;

    for (i = 0; i < operation->nparameters; i++) {
        if (strcmp(operation->parameters[i].argument, parameter->argument)
            == 0)
        {
            return contract_refuse(reader->contract, reader->place,
                                   "\"%s\" stands twice",
                                   parameter->argument);
        }
    }

    if (operation->nparameters == CONTRACT_PARAMETERS_MAX) {
        return contract_refuse(reader->contract, reader->place,
                               "is one parameter too many");
    }

    list = realloc(operation->parameters,
                   (operation->nparameters + 1) * sizeof(voice_parameter_t));

    if (list == NULL) {
        return contract_nomem(reader->contract);
    }

    list[operation->nparameters++] = *parameter;
    operation->parameters = list;

    return VOICE_OK;
}


/* The captures of the path and its path parameters are the same names. */
static voice_rc_t
captures_check(reader_t *reader)
{
    unsigned            i, n, found;
    voice_span_t        names[VOICE_ROUTE_CAPTURES];
    voice_operation_t  *operation;

    found = 0;
    operation = &reader->operation->public;
    n = voice_route_names(operation->path, names);

    if (n > VOICE_ROUTE_CAPTURES) {
        return contract_refuse(reader->contract, reader->operation->place,
                               "has too many captures in its path");
    }

    captures_sort(operation, names, n);

    for (i = 0; i < operation->nparameters; i++) {
        if (operation->parameters[i].in != CONTRACT_IN_PATH) {
            continue;
        }

        if (found == n
            || !voice_span_eq(names[found],
                              voice_span_str(operation->parameters[i].name)))
        {
            return contract_refuse(reader->contract,
                                   reader->operation->place,
                                   "the path parameter \"%s\" is no capture "
                                   "of the path",
                                   operation->parameters[i].name);
        }

        found++;
    }

    if (found < n) {
        return contract_refuse(reader->contract, reader->operation->place,
                               "the capture \"%.*s\" of the path is no "
                               "parameter", (int) names[found].len,
                               names[found].ptr);
    }

    return VOICE_OK;
}


/* Brings the path parameters into the order of the captures, in front. */
static void
captures_sort(voice_operation_t *operation, const voice_span_t *names,
    unsigned n)
{
    unsigned            i, k;
    voice_parameter_t   parameter, *list;

    list = operation->parameters;

    for (i = 0; i < n; i++) {
        for (k = i; k < operation->nparameters; k++) {
            if (list[k].in == CONTRACT_IN_PATH
                && voice_span_eq(names[i], voice_span_str(list[k].name)))
            {
                parameter = list[i];
                list[i] = list[k];
                list[k] = parameter;
                break;
            }
        }
    }
}


/* All arguments are members of one object. */
static voice_rc_t
names_check(reader_t *reader)
{
    unsigned            i;
    voice_operation_t  *operation;

    operation = &reader->operation->public;

    for (i = 0; i < operation->nparameters; i++) {
        if (reader->operation->body_schema != NULL
            && contract_has_member(reader->contract,
                                   reader->operation->body_schema,
                                   operation->parameters[i].argument))
        {
            return contract_refuse(reader->contract,
                                   reader->operation->place,
                                   "the body has a member \"%s\" as a "
                                   "parameter has",
                                   operation->parameters[i].argument);
        }
    }

    return VOICE_OK;
}


/* Which capture is it that the limit counts by? */
static voice_rc_t
each_find(reader_t *reader)
{
    unsigned            i, n;
    const char         *place;
    voice_span_t        names[VOICE_ROUTE_CAPTURES];
    voice_operation_t  *operation;

    operation = &reader->operation->public;
    place = reader->operation->place;

    if (operation->limit->by == NULL) {
        return VOICE_OK;
    }

    n = voice_route_names(operation->path, names);

    for (i = 0; i < n; i++) {
        if (voice_span_eq(names[i], voice_span_str(operation->limit->by))) {
            operation->each = i;
            return VOICE_OK;
        }
    }

    return contract_refuse(reader->contract, place, "has no path parameter "
                           "\"%s\", by which its limit counts",
                           operation->limit->by);
}


static const char *
schema_type(const voice_contract_t *contract, const json_t *schema)
{
    return voice_json_text(contract_resolve(contract, schema), "type").ptr;
}
