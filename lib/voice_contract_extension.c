/*
 * Our extensions of an operation, rows of a table; voice_contract.h says
 * what each means.
 */

#include "voice_contract_private.h"


#define EXTENSION_BODY_DEFAULT  (64 * 1024)
#define EXTENSION_BODY_MAX      (1024 * 1024 * 1024)


typedef voice_rc_t (*extension_pt)(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);


static voice_rc_t read_role(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_limit(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_scope(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_aliases(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_shape(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_example(voice_contract_t *contract,
    contract_operation_t *operation);
static voice_rc_t read_errors(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_dropin(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_slow(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_stream(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_max_body(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_digest(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_hash(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_verify(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_token(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t read_expires(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value);
static voice_rc_t refuse(voice_contract_t *contract,
    const contract_operation_t *operation, const char *name,
    const char *reason);
static int role_add(contract_operation_t *operation, const json_t *name);
static int same_captures(const char *a, const char *b);
static voice_rc_t read_members(voice_contract_t *contract,
    contract_operation_t *operation, const json_t *value, const char **out);
static int body_member(const voice_contract_t *contract,
    const contract_operation_t *operation, const char *name);


static const struct {
    const char    *name;
    extension_pt   read;
    int            required;
} extensions[] = {
    { "x-role", read_role, 1 },
    { "x-limit", read_limit, 1 },
    { "x-scope", read_scope, 0 },
    { "x-aliases", read_aliases, 0 },
    { "x-shape", read_shape, 0 },
    { "x-errors", read_errors, 0 },
    { "x-dropin", read_dropin, 0 },
    { "x-slow", read_slow, 0 },
    { "x-stream", read_stream, 0 },
    { "x-max-body", read_max_body, 0 },
    { "x-digest", read_digest, 0 },
    { "x-hash", read_hash, 0 },
    { "x-verify", read_verify, 0 },
    { "x-token", read_token, 0 },
    { "x-expires", read_expires, 0 },
};


/* Rows stand in the order of voice_shape_e. */
static const char *const  extension_shapes[] = {
    "envelope", "flat", "health", "metrics", "contract", "docs", "packet",
    "example", "pages",
};


voice_rc_t
contract_extensions(voice_contract_t *contract,
    contract_operation_t *operation)
{
    size_t         i;
    voice_rc_t     rc;
    const json_t  *value;

    operation->public.max_body = EXTENSION_BODY_DEFAULT;

    for (i = 0; i < VOICE_ARRAY_SIZE(extensions); i++) {
        value = json_object_get(operation->source, extensions[i].name);

        if (value == NULL && !extensions[i].required) {
            continue;
        }

        if (value == NULL) {
            return contract_refuse(contract, operation->place,
                                   "lacks \"%s\"", extensions[i].name);
        }

        rc = extensions[i].read(contract, operation, value);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
read_role(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    size_t         i;
    const char    *name;
    const json_t  *item;

    name = json_string_value(value);

    if (name != NULL && strcmp(name, "public") == 0) {
        operation->public.public = 1;
        return VOICE_OK;
    }

    if (name != NULL && role_add(operation, value)) {
        return VOICE_OK;
    }

    json_array_foreach(value, i, item) {
        if (!role_add(operation, item)) {
            break;
        }
    }

    if (i == 0 || i < json_array_size(value)) {
        return refuse(contract, operation, "x-role",
                      "must be \"public\", a role or a list of roles");
    }

    return VOICE_OK;
}


static voice_rc_t
read_limit(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    unsigned     i;
    const char  *name;

    name = json_string_value(value);

    for (i = 0; name != NULL && i < contract->nlimits; i++) {
        if (strcmp(contract->limits[i].name, name) == 0) {
            operation->public.limit = &contract->limits[i];
            return VOICE_OK;
        }
    }

    return refuse(contract, operation, "x-limit",
                  "must name a class of \"x-limits\"");
}


static voice_rc_t
read_scope(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    if (json_string_length(value) == 0) {
        return refuse(contract, operation, "x-scope", "must be a name");
    }

    operation->public.scope = json_string_value(value);

    return VOICE_OK;
}


static voice_rc_t
read_aliases(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    size_t       i;
    json_t      *item;
    const char  *path;

    if (!json_is_array(value) || json_array_size(value) == 0
        || json_array_size(value) > CONTRACT_ALIASES_MAX)
    {
        return refuse(contract, operation, "x-aliases",
                      "must be a list of a few paths");
    }

    json_array_foreach(value, i, item) {
        path = json_string_value(item);

        if (path == NULL || !same_captures(path, operation->public.path)) {
            return refuse(contract, operation, "x-aliases",
                          "must hold paths with the same captures");
        }

        operation->aliases[operation->naliases++] = path;
    }

    return VOICE_OK;
}


static voice_rc_t
read_shape(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    size_t       i;
    const char  *name;

    name = json_string_value(value);

    for (i = 0; name != NULL && i < VOICE_ARRAY_SIZE(extension_shapes); i++) {
        if (strcmp(extension_shapes[i], name) == 0) {
            operation->public.shape = (voice_shape_e) i;
            return i == VOICE_SHAPE_EXAMPLE
                   ? read_example(contract, operation) : VOICE_OK;
        }
    }

    return refuse(contract, operation, "x-shape", "is no shape we know");
}


static voice_rc_t
read_example(voice_contract_t *contract, contract_operation_t *operation)
{
    const json_t  *reply, *example;

    reply = contract_resolve(contract,
                             voice_json_at(operation->source,
                                           "/responses/200"));
    example = reply == NULL ? NULL
              : voice_json_at(reply, "/content/application~1json/example");

    if (example == NULL) {
        return refuse(contract, operation, "x-shape",
                      "needs an \"example\" of the reply 200");
    }

    operation->example = json_dumps(example, JSON_COMPACT | JSON_ENCODE_ANY);

    if (operation->example == NULL) {
        return contract_nomem(contract);
    }

    operation->public.example = operation->example;

    return VOICE_OK;
}


static voice_rc_t
read_errors(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    if (!json_is_string(value)
        || strcmp(json_string_value(value), "flat") != 0)
    {
        return refuse(contract, operation, "x-errors", "must be \"flat\"");
    }

    operation->public.flat_errors = 1;

    return VOICE_OK;
}


static voice_rc_t
read_dropin(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    if (json_is_true(value)) {
        operation->public.dropin = VOICE_DROPIN_CALLS;
        return VOICE_OK;
    }

    if (json_is_string(value)
        && strcmp(json_string_value(value), "supervisor") == 0)
    {
        operation->public.dropin = VOICE_DROPIN_SUPERVISOR;
        return VOICE_OK;
    }

    return refuse(contract, operation, "x-dropin",
                  "must be true or \"supervisor\"");
}


static voice_rc_t
read_slow(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    if (!json_is_boolean(value)) {
        return refuse(contract, operation, "x-slow", "must be a boolean");
    }

    operation->public.slow = json_is_true(value);

    return VOICE_OK;
}


static voice_rc_t
read_stream(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    if (!json_is_boolean(value)) {
        return refuse(contract, operation, "x-stream", "must be a boolean");
    }

    operation->public.stream = json_is_true(value);

    return VOICE_OK;
}


static voice_rc_t
read_max_body(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    json_int_t  bytes;

    bytes = json_integer_value(value);

    if (bytes < 1 || bytes > EXTENSION_BODY_MAX) {
        return refuse(contract, operation, "x-max-body",
                      "must be an integer of 1 to 1073741824");
    }

    operation->public.max_body = (size_t) bytes;

    return VOICE_OK;
}


static voice_rc_t
read_digest(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    return read_members(contract, operation, value,
                        operation->public.digest);
}


static voice_rc_t
read_hash(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    return read_members(contract, operation, value, operation->public.hash);
}


static voice_rc_t
read_verify(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    voice_span_t  member, lookup;

    member = voice_json_text(value, "member");
    lookup = voice_json_text(value, "lookup");

    if (member.len == 0 || lookup.len == 0 || !contract_is_name(lookup.ptr)
        || !body_member(contract, operation, member.ptr))
    {
        return refuse(contract, operation, "x-verify", "must hold \"member\""
                      " of the body and \"lookup\", a function");
    }

    operation->public.verify_member = member.ptr;
    operation->public.verify_lookup = lookup.ptr;

    return VOICE_OK;
}


static voice_rc_t
read_token(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    const char  *pointer;

    pointer = json_string_value(value);

    if (pointer == NULL || pointer[0] != '/') {
        return refuse(contract, operation, "x-token",
                      "must be a JSON Pointer into \"data\"");
    }

    operation->public.token = pointer;

    return VOICE_OK;
}


static voice_rc_t
read_expires(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value)
{
    const char  *name;

    name = json_string_value(value);

    /* a client could say it, too */

    if (name == NULL || !contract_is_name(name)
        || body_member(contract, operation, name))
    {
        return refuse(contract, operation, "x-expires",
                      "must be a name that the body does not have");
    }

    operation->public.expires = name;

    return VOICE_OK;
}


static voice_rc_t
refuse(voice_contract_t *contract, const contract_operation_t *operation,
    const char *name, const char *reason)
{
    char  place[CONTRACT_PLACE_MAX];

    contract_place(place, operation->place, name);

    return contract_refuse(contract, place, "%s", reason);
}


/* A ranked role admits those above it, too. */
static int
role_add(contract_operation_t *operation, const json_t *name)
{
    unsigned      i;
    voice_role_e  role;

    if (!json_is_string(name)) {
        return 0;
    }

    role = voice_role_parse(voice_span(json_string_value(name),
                                       json_string_length(name)));

    if (role == VOICE_ROLE_COUNT) {
        return 0;
    }

    operation->public.roles |= (uint32_t) 1 << role;

    for (i = role; i < VOICE_ROLE_PLATFORM_ADMIN; i++) {
        operation->public.roles |= (uint32_t) 2 << i;
    }

    return 1;
}


/* In any order. */
static int
same_captures(const char *a, const char *b)
{
    unsigned      i, k, n;
    voice_span_t  left[VOICE_ROUTE_CAPTURES], right[VOICE_ROUTE_CAPTURES];

    n = voice_route_names(a, left);

    if (n > VOICE_ROUTE_CAPTURES || n != voice_route_names(b, right)) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        for (k = 0; k < n && !voice_span_eq(left[i], right[k]); k++) {
            /* look on */
        }

        if (k == n) {
            return 0;
        }
    }

    return 1;
}


/* The names of body members, NULL at the end. */
static voice_rc_t
read_members(voice_contract_t *contract, contract_operation_t *operation,
    const json_t *value, const char **out)
{
    size_t       i;
    json_t      *item;
    const char  *name;

    name = out == operation->public.hash ? "x-hash" : "x-digest";

    if (!json_is_array(value) || json_array_size(value) == 0
        || json_array_size(value) > VOICE_MEMBERS_MAX)
    {
        return refuse(contract, operation, name,
                      "must be a list of a few members of the body");
    }

    json_array_foreach(value, i, item) {
        out[i] = json_string_value(item);

        if (out[i] == NULL || !body_member(contract, operation, out[i])) {
            out[i] = NULL;
            return refuse(contract, operation, name,
                          "names what is no member of the body");
        }
    }

    return VOICE_OK;
}


static int
body_member(const voice_contract_t *contract,
    const contract_operation_t *operation, const char *name)
{
    return operation->body_schema != NULL
           && contract_has_member(contract, operation->body_schema, name);
}
