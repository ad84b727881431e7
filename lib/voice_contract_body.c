/*
 * Bodies: what an operation takes and what it answers.
 */

#include "voice_contract_private.h"


#define BODY_SEARCH_DEPTH  16          /* schemas in one another */
#define BODY_MEDIA         "application/json"


static voice_rc_t content_compile(voice_contract_t *contract,
    const json_t *content, const char *place);
static voice_rc_t headers_compile(voice_contract_t *contract,
    const json_t *headers, const char *place);
static voice_rc_t schema_compile(voice_contract_t *contract,
    const json_t *schema, const char *place,
    const voice_schema_t **compiled);
static int is_status(const char *text);
static int member_search(const voice_contract_t *contract,
    const json_t *schema, const char *name, unsigned depth);
static int is_object_schema(const voice_contract_t *contract,
    const json_t *schema, unsigned depth);


/* Keywords whose schemas see the same object. */
static const char *const  body_combiners[] = { "allOf", "anyOf", "oneOf" };


voice_rc_t
contract_body(voice_contract_t *contract, contract_operation_t *operation)
{
    char           place[CONTRACT_PLACE_MAX];
    char           below[CONTRACT_PLACE_MAX];
    const json_t  *body, *content, *schema, *required;

    body = json_object_get(operation->source, "requestBody");

    if (body == NULL) {
        return VOICE_OK;
    }

    contract_place(place, operation->place, "requestBody");
    body = contract_resolve(contract, body);
    content = json_object_get(body, "content");
    schema = json_object_get(json_object_get(content, BODY_MEDIA), "schema");
    required = json_object_get(body, "required");

    if (json_object_size(content) != 1 || schema == NULL) {
        return contract_refuse(contract, place, "must have the content \""
                               BODY_MEDIA "\" with a schema, and no other");
    }

    if (required != NULL && !json_is_boolean(required)) {
        return contract_refuse(contract, place,
                               "\"required\" must be a boolean");
    }

    if (!is_object_schema(contract, schema, 0)) {
        return contract_refuse(contract, place,
                               "must have a schema of the type \"object\"");
    }

    operation->body_schema = schema;
    operation->public.has_body = 1;
    operation->public.body_required = json_is_true(required);

    contract_place(below, place, "content");
    contract_place(place, below, BODY_MEDIA);
    contract_place(below, place, "schema");

    return schema_compile(contract, schema, below, &operation->public.body);
}


voice_rc_t
contract_responses(voice_contract_t *contract,
    contract_operation_t *operation)
{
    char           place[CONTRACT_PLACE_MAX];
    char           below[CONTRACT_PLACE_MAX];
    json_t        *response;
    voice_rc_t     rc;
    const char    *status;
    const json_t  *resolved, *responses;

    contract_place(place, operation->place, "responses");
    responses = json_object_get(operation->source, "responses");

    if (json_object_size(responses) == 0) {
        return contract_refuse(contract, place, "must hold a reply");
    }

    json_object_foreach((json_t *) responses, status, response) {
        contract_place(below, place, status);
        resolved = contract_resolve(contract, response);

        if (!is_status(status)) {
            return contract_refuse(contract, below, "is no status");
        }

        if (!json_is_object(resolved)
            || !json_is_string(json_object_get(resolved, "description")))
        {
            return contract_refuse(contract, below,
                                   "must be a reply with a description");
        }

        rc = content_compile(contract, json_object_get(resolved, "content"),
                             below);

        if (rc == VOICE_OK) {
            rc = headers_compile(contract,
                                 json_object_get(resolved, "headers"), below);
        }

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


int
contract_has_member(const voice_contract_t *contract, const json_t *schema,
    const char *name)
{
    return member_search(contract, schema, name, 0);
}


/* place: of the reply that the content belongs to. */
static voice_rc_t
content_compile(voice_contract_t *contract, const json_t *content,
    const char *place)
{
    char                   list[CONTRACT_PLACE_MAX];
    char                   type[CONTRACT_PLACE_MAX];
    char                   below[CONTRACT_PLACE_MAX];
    json_t                *media, *schema;
    voice_rc_t             rc;
    const char            *name;
    const voice_schema_t  *compiled;

    contract_place(list, place, "content");

    json_object_foreach((json_t *) content, name, media) {
        schema = json_object_get(media, "schema");

        if (schema == NULL) {
            continue;
        }

        contract_place(type, list, name);
        contract_place(below, type, "schema");
        rc = schema_compile(contract, schema, below, &compiled);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
headers_compile(voice_contract_t *contract, const json_t *headers,
    const char *place)
{
    char                   below[CONTRACT_PLACE_MAX];
    char                   header[CONTRACT_PLACE_MAX];
    json_t                *value;
    voice_rc_t             rc;
    const char            *name;
    const json_t          *schema;
    const voice_schema_t  *compiled;

    contract_place(below, place, "headers");

    json_object_foreach((json_t *) headers, name, value) {
        schema = json_object_get(contract_resolve(contract, value),
                                 "schema");
        contract_place(header, below, name);

        if (schema == NULL) {
            return contract_refuse(contract, header, "lacks \"schema\"");
        }

        rc = schema_compile(contract, schema, header, &compiled);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
schema_compile(voice_contract_t *contract, const json_t *schema,
    const char *place, const voice_schema_t **compiled)
{
    voice_problem_t  problem;

    *compiled = voice_schema_compile_at(contract->schemas, schema, place,
                                        &problem);

    if (*compiled == NULL) {
        return contract_refuse(contract, problem.path, "%s", problem.reason);
    }

    return VOICE_OK;
}


/* "204", "4XX" or "default". */
static int
is_status(const char *text)
{
    size_t  i;

    if (strcmp(text, "default") == 0) {
        return 1;
    }

    if (strlen(text) != 3 || text[0] < '1' || text[0] > '5') {
        return 0;
    }

    for (i = 1; i < 3; i++) {
        if ((text[i] < '0' || text[i] > '9') && text[i] != 'X') {
            return 0;
        }
    }

    return 1;
}


static int
member_search(const voice_contract_t *contract, const json_t *schema,
    const char *name, unsigned depth)
{
    size_t   i, k;
    json_t  *item;

    schema = contract_resolve(contract, schema);

    if (schema == NULL || depth > BODY_SEARCH_DEPTH) {
        return 0;
    }

    if (json_object_get(json_object_get(schema, "properties"), name) != NULL)
    {
        return 1;
    }

    for (k = 0; k < VOICE_ARRAY_SIZE(body_combiners); k++) {
        json_array_foreach(json_object_get(schema, body_combiners[k]), i,
                           item)
        {
            if (member_search(contract, item, name, depth + 1)) {
                return 1;
            }
        }
    }

    return 0;
}


/* Members of a body become arguments: nothing else can be taken. */
static int
is_object_schema(const voice_contract_t *contract, const json_t *schema,
    unsigned depth)
{
    size_t         i;
    json_t        *item;
    const json_t  *type;

    schema = contract_resolve(contract, schema);
    type = json_object_get(schema, "type");

    if (type != NULL || depth > BODY_SEARCH_DEPTH) {
        return json_is_string(type)
               && strcmp(json_string_value(type), "object") == 0;
    }

    json_array_foreach(json_object_get(schema, "allOf"), i, item) {
        if (is_object_schema(contract, item, depth + 1)) {
            return 1;
        }
    }

    return 0;
}
