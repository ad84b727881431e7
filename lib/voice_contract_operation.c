/*
 * Reading one operation: its members are rows of a table.
 */

#include <stdio.h>

#include "voice_contract_private.h"


typedef voice_rc_t (*member_pt)(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);


static voice_rc_t read_id(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_tags(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static int is_known(const char *name);


/* Members that are read here or elsewhere; others must begin with "x-". */
static const struct {
    const char  *name;
    member_pt    read;                 /* NULL: elsewhere or for readers */
    int          required;
} operation_members[] = {
    { "operationId", read_id, 1 },
    { "tags", read_tags, 1 },
    { "responses", NULL, 1 },
    { "requestBody", NULL, 0 },
    { "parameters", NULL, 0 },
    { "summary", NULL, 0 },
    { "description", NULL, 0 },
    { "externalDocs", NULL, 0 },
    { "deprecated", NULL, 0 },
    { "security", NULL, 0 },
};


voice_rc_t
contract_operation(voice_contract_t *contract,
    contract_operation_t *operation)
{
    size_t         i;
    json_t        *member;
    voice_rc_t     rc;
    const char    *name;
    const json_t  *value;

    if (!json_is_object(operation->source)) {
        return contract_refuse(contract, operation->place,
                               "must be an object");
    }

    json_object_foreach((json_t *) operation->source, name, member) {
        if (!is_known(name)) {
            return contract_refuse(contract, operation->place,
                                   "has the unknown member \"%s\"", name);
        }
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(operation_members); i++) {
        name = operation_members[i].name;
        value = json_object_get(operation->source, name);

        if (value == NULL && operation_members[i].required) {
            return contract_refuse(contract, operation->place,
                                   "lacks \"%s\"", name);
        }

        if (value == NULL || operation_members[i].read == NULL) {
            continue;
        }

        rc = operation_members[i].read(contract, operation, value);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    rc = contract_body(contract, operation);

    if (rc == VOICE_OK) {
        rc = contract_responses(contract, operation);
    }

    return rc == VOICE_OK ? contract_extensions(contract, operation) : rc;
}


static voice_rc_t
read_id(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    const char  *id;

    id = json_string_value(value);

    if (id == NULL || !contract_is_name(id)) {
        return contract_refuse(contract, operation->place, "\"operationId\" "
                               "must be like ^[a-z][a-z0-9_]{0,62}$");
    }

    operation->public.function = id;

    return VOICE_OK;
}


/* The first tag names the default scope. */
static voice_rc_t
read_tags(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    const char  *tag;

    tag = json_string_value(json_array_get(value, 0));

    if (tag == NULL || tag[0] == '\0' || strlen(tag) >= CONTRACT_NAME_MAX) {
        return contract_refuse(contract, operation->place,
                               "\"tags\" must be a list of short names");
    }

    (void) snprintf(operation->scope, sizeof(operation->scope), "%s:%s", tag,
                    operation->public.method == VOICE_METHOD_GET ? "read"
                                                                 : "write");
    operation->public.scope = operation->scope;

    return VOICE_OK;
}


static int
is_known(const char *name)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(operation_members); i++) {
        if (strcmp(operation_members[i].name, name) == 0) {
            return 1;
        }
    }

    return strncmp(name, "x-", 2) == 0;
}
