/*
 * Soundness of the whole document: its root, its references, its components.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_contract_private.h"


static voice_rc_t root_check(voice_contract_t *contract);
static voice_rc_t limits_read(voice_contract_t *contract);
static int rate_read(const json_t *row, unsigned *rate, unsigned *burst);
static int each_read(const json_t *row, voice_limit_class_t *limit);
static voice_rc_t errors_check(voice_contract_t *contract);
static voice_rc_t reference_check(voice_contract_t *contract, json_t *value,
    const char *place);
static voice_rc_t references_check(voice_contract_t *contract,
    const json_t *value, const char *place);
static voice_rc_t schemas_check(voice_contract_t *contract);
static int is_sample(const char *name);


void
contract_place(char out[CONTRACT_PLACE_MAX], const char *place,
    const char *token)
{
    size_t       n;
    const char  *p;

    (void) snprintf(out, CONTRACT_PLACE_MAX, "%s/", place);
    n = strlen(out);

    for (p = token; *p != '\0' && n + 2 < CONTRACT_PLACE_MAX; p++) {
        if (*p == '~' || *p == '/') {
            out[n++] = '~';
            out[n++] = *p == '~' ? '0' : '1';
            continue;
        }

        out[n++] = *p;
    }

    out[n] = '\0';
}


const json_t *
contract_resolve(const voice_contract_t *contract, const json_t *value)
{
    unsigned      hops;
    voice_span_t  ref;

    /* a reference may lead to another, but not in a circle */

    for (hops = 0; hops < 8; hops++) {
        ref = voice_json_text(value, "$ref");

        if (ref.ptr == NULL) {
            return value;
        }

        value = voice_json_ref(contract->document, ref.ptr);
    }

    return NULL;
}


voice_rc_t
contract_document(voice_contract_t *contract)
{
    voice_rc_t  rc;

    rc = root_check(contract);

    if (rc == VOICE_OK) {
        rc = limits_read(contract);
    }

    if (rc == VOICE_OK) {
        rc = errors_check(contract);
    }

    if (rc == VOICE_OK) {
        rc = references_check(contract, contract->document, "");
    }

    return rc == VOICE_OK ? schemas_check(contract) : rc;
}


static voice_rc_t
root_check(voice_contract_t *contract)
{
    char           place[CONTRACT_PLACE_MAX];
    size_t         i;
    json_t        *item;
    const char    *path;
    voice_span_t   version;

    static const char *const  objects[] = { "info", "paths" };

    version = voice_json_text(contract->document, "openapi");

    if (version.len < 4 || memcmp(version.ptr, "3.1.", 4) != 0) {
        return contract_refuse(contract, "/openapi", "must be \"3.1.x\"");
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(objects); i++) {
        if (!json_is_object(json_object_get(contract->document, objects[i])))
        {
            contract_place(place, "", objects[i]);
            return contract_refuse(contract, place, "must be an object");
        }
    }

    json_object_foreach(json_object_get(contract->document, "paths"), path,
                        item)
    {
        if (!json_is_object(item)) {
            contract_place(place, "/paths", path);
            return contract_refuse(contract, place, "must be an object");
        }
    }

    return VOICE_OK;
}


static voice_rc_t
limits_read(voice_contract_t *contract)
{
    char                  place[CONTRACT_PLACE_MAX];
    json_t               *limits, *row;
    const char           *name;
    voice_limit_class_t  *limit;

    limits = json_object_get(contract->document, "x-limits");
    contract->limits = calloc(json_object_size(limits) + 1,
                              sizeof(voice_limit_class_t));

    if (contract->limits == NULL) {
        return contract_nomem(contract);
    }

    json_object_foreach(limits, name, row) {
        contract_place(place, "/x-limits", name);

        limit = &contract->limits[contract->nlimits];
        limit->index = contract->nlimits++;
        limit->name = name;

        if (!rate_read(row, &limit->rate, &limit->burst)) {
            return contract_refuse(contract, place, "must hold \"rate\" and "
                                   "\"burst\", integers of at least 1");
        }

        if (!each_read(json_object_get(row, "each"), limit)) {
            return contract_refuse(contract, place, "\"each\" must hold "
                                   "\"by\", a path parameter, \"rate\" and "
                                   "\"burst\"");
        }
    }

    return VOICE_OK;
}


static int
rate_read(const json_t *row, unsigned *rate, unsigned *burst)
{
    json_int_t  r, b;

    r = json_integer_value(json_object_get(row, "rate"));
    b = json_integer_value(json_object_get(row, "burst"));

    if (r < 1 || b < 1 || r > INT32_MAX || b > INT32_MAX) {
        return 0;
    }

    *rate = (unsigned) r;
    *burst = (unsigned) b;

    return 1;
}


/* There need not be one. */
static int
each_read(const json_t *row, voice_limit_class_t *limit)
{
    if (row == NULL) {
        return 1;
    }

    limit->by = voice_json_text(row, "by").ptr;

    return limit->by != NULL
           && rate_read(row, &limit->each_rate, &limit->each_burst);
}


static voice_rc_t
errors_check(voice_contract_t *contract)
{
    char           place[CONTRACT_PLACE_MAX];
    char           digits[8];
    json_t        *row;
    json_int_t     status;
    const char    *code;
    voice_span_t   sqlstate;

    json_object_foreach(json_object_get(contract->document, "x-errors"), code,
                        row)
    {
        contract_place(place, "/x-errors", code);
        status = json_integer_value(json_object_get(row, "status"));

        if (status < 400 || status > 599) {
            return contract_refuse(contract, place,
                                   "must hold a \"status\" of 400 to 599");
        }

        if (voice_json_text(row, "message").len == 0) {
            return contract_refuse(contract, place,
                                   "must hold a \"message\"");
        }

        (void) snprintf(digits, sizeof(digits), "%d", (int) status);
        sqlstate = voice_json_text(row, "sqlstate");

        if (sqlstate.len != 5 || memcmp(sqlstate.ptr + 2, digits, 3) != 0) {
            return contract_refuse(contract, place, "must hold a "
                                   "\"sqlstate\" that ends with the status");
        }
    }

    return VOICE_OK;
}


/* As deep as a text may be nested. */
static voice_rc_t
references_check(voice_contract_t *contract, const json_t *value,
    const char *place)
{
    char          below[CONTRACT_PLACE_MAX];
    char          number[24];
    size_t        i;
    json_t       *member;
    voice_rc_t    rc;
    const char   *name;

    rc = reference_check(contract, (json_t *) value, place);

    if (rc != VOICE_OK) {
        return rc;
    }

    json_object_foreach((json_t *) value, name, member) {
        if (is_sample(name)) {
            continue;
        }

        contract_place(below, place, name);
        rc = references_check(contract, member, below);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    json_array_foreach(value, i, member) {
        (void) snprintf(number, sizeof(number), "%zu", i);
        contract_place(below, place, number);
        rc = references_check(contract, member, below);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


/*
 * "file.json#/components/..." names what another file of the contract holds:
 * in the union it is "#/components/...".
 */
static voice_rc_t
reference_check(voice_contract_t *contract, json_t *value, const char *place)
{
    const char    *origin, *pointer;
    voice_span_t   ref, file;

    ref = voice_json_text(value, "$ref");

    if (ref.ptr == NULL) {
        return VOICE_OK;
    }

    pointer = strchr(ref.ptr, '#');
    pointer = pointer == NULL ? ref.ptr : pointer;
    file = voice_span(ref.ptr, (size_t) (pointer - ref.ptr));

    if (file.len > 2 && memcmp(file.ptr, "./", 2) == 0) {
        file = voice_span(file.ptr + 2, file.len - 2);
    }

    origin = *pointer == '\0' ? "" : contract_origin(contract, pointer + 1);

    if (voice_json_ref(contract->document, pointer) == NULL
        || (file.len > 0 && !voice_span_eq(file, voice_span_str(origin))))
    {
        return contract_refuse(contract, place,
                               "\"$ref\" \"%s\" points to nothing", ref.ptr);
    }

    if (file.len > 0
        && json_object_set_new(value, "$ref", json_string(pointer)) != 0)
    {
        return contract_nomem(contract);
    }

    return VOICE_OK;
}


/* Values of these are data, also where a member is named "$ref". */
static int
is_sample(const char *name)
{
    size_t  i;

    static const char *const  samples[] = {
        "const", "default", "enum", "example", "examples",
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(samples); i++) {
        if (strcmp(samples[i], name) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Also those that no operation uses yet. */
static voice_rc_t
schemas_check(voice_contract_t *contract)
{
    char              place[CONTRACT_PLACE_MAX];
    json_t           *schema;
    const char       *name;
    voice_problem_t   problem;

    json_object_foreach(voice_json_at(contract->document,
                                      "/components/schemas"),
                        name, schema)
    {
        contract_place(place, "/components/schemas", name);

        if (voice_schema_compile_at(contract->schemas, schema, place,
                                    &problem)
            == NULL)
        {
            return contract_refuse(contract, problem.path, "%s",
                                   problem.reason);
        }
    }

    return VOICE_OK;
}
