/*
 * What an operation's requests and replies have in their headers: may it be
 * repeated by a key, when was it deprecated, when does it end.  The document
 * that is served tells it, too.
 */

#include <stdio.h>

#include "voice_contract_private.h"


#define ONCE_PATH       "/api/v1/"
#define ONCE_PARAMETER  "#/components/parameters/IdempotencyKey"


static voice_rc_t times_read(voice_contract_t *contract,
    contract_operation_t *operation);
static voice_rc_t time_read(voice_contract_t *contract,
    contract_operation_t *operation, const char *name, int64_t *seconds);
static voice_rc_t once_tell(voice_contract_t *contract,
    contract_operation_t *operation);
static int reference_add(const voice_contract_t *contract, json_t *into,
    const char *name, const char *reference);


/* Replies that every operation with a key may give. */
static const struct {
    const char  *status;
    const char  *reference;
} once_replies[] = {
    { "409", "#/components/responses/Conflict" },
    { "422", "#/components/responses/ValidationError" },
};


voice_rc_t
contract_headers(voice_contract_t *contract, contract_operation_t *operation)
{
    voice_rc_t          rc;
    const json_t       *value;
    voice_operation_t  *public;

    public = &operation->public;
    value = json_object_get(operation->source, "x-idempotent");

    if (value != NULL && !json_is_boolean(value)) {
        return contract_refuse(contract, operation->place,
                               "\"x-idempotent\" must be a boolean");
    }

    public->once = public->method == VOICE_METHOD_POST && !public->public
                   && !public->stream && public->token == NULL
                   && strncmp(public->path, ONCE_PATH, strlen(ONCE_PATH)) == 0
                   && !json_is_false(value);

    if (json_is_true(value) && !public->once) {
        return contract_refuse(contract, operation->place, "\"x-idempotent\" "
                               "is for a POST of identified callers under "
                               ONCE_PATH " that gives no token");
    }

    rc = times_read(contract, operation);

    return rc == VOICE_OK && public->once ? once_tell(contract, operation)
                                          : rc;
}


static voice_rc_t
times_read(voice_contract_t *contract, contract_operation_t *operation)
{
    int64_t     deprecated, sunset;
    voice_rc_t  rc;

    deprecated = -1;
    sunset = -1;
    rc = time_read(contract, operation, "x-deprecated", &deprecated);

    if (rc == VOICE_OK) {
        rc = time_read(contract, operation, "x-sunset", &sunset);
    }

    if (rc != VOICE_OK) {
        return rc;
    }

    /* RFC 9745, 4 */
    if (sunset >= 0 && deprecated >= 0 && sunset < deprecated) {
        return contract_refuse(contract, operation->place, "\"x-sunset\" is "
                               "before \"x-deprecated\"");
    }

    if (deprecated >= 0) {
        (void) snprintf(operation->deprecation,
                        sizeof(operation->deprecation), "@%lld",
                        (long long) deprecated);
        operation->public.deprecation = operation->deprecation;

        if (json_object_set_new((json_t *) operation->source, "deprecated",
                                json_true())
            != 0)
        {
            return contract_nomem(contract);
        }
    }

    if (sunset >= 0) {
        voice_header_date(sunset, operation->sunset);
        operation->public.sunset = operation->sunset;
    }

    return VOICE_OK;
}


static voice_rc_t
time_read(voice_contract_t *contract, contract_operation_t *operation,
    const char *name, int64_t *seconds)
{
    const json_t  *value;

    value = json_object_get(operation->source, name);

    if (value == NULL) {
        return VOICE_OK;
    }

    if (voice_header_time(voice_span_str(json_string_value(value)), seconds)
        != VOICE_OK)
    {
        return contract_refuse(contract, operation->place, "\"%s\" must be a "
                               "time like \"2027-06-30T00:00:00Z\"", name);
    }

    return VOICE_OK;
}


/* After the operation was read: the key is no argument of its function. */
static voice_rc_t
once_tell(voice_contract_t *contract, contract_operation_t *operation)
{
    size_t   i;
    json_t  *source, *parameters, *responses;

    source = (json_t *) operation->source;
    parameters = json_object_get(source, "parameters");

    if (parameters == NULL) {
        parameters = json_array();

        if (json_object_set_new(source, "parameters", parameters) != 0) {
            return contract_nomem(contract);
        }
    }

    if (!reference_add(contract, parameters, NULL, ONCE_PARAMETER)) {
        return contract_nomem(contract);
    }

    responses = json_object_get(source, "responses");

    for (i = 0; i < VOICE_ARRAY_SIZE(once_replies); i++) {
        if (!reference_add(contract, responses, once_replies[i].status,
                           once_replies[i].reference))
        {
            return contract_nomem(contract);
        }
    }

    return VOICE_OK;
}


/* Where the component exists and the place is free; 0: no memory. */
static int
reference_add(const voice_contract_t *contract, json_t *into,
    const char *name, const char *reference)
{
    json_t  *object;

    if (voice_json_ref(contract->document, reference) == NULL
        || (name != NULL && json_object_get(into, name) != NULL))
    {
        return 1;
    }

    object = json_pack("{s:s}", "$ref", reference);

    if (object == NULL) {
        return 0;
    }

    return (name == NULL ? json_array_append_new(into, object)
                         : json_object_set_new(into, name, object)) == 0;
}
