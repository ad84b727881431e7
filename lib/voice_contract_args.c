/*
 * A request's parameters and body as one object of arguments; all that is
 * wrong is reported, not only the first.
 */

#include "voice_contract_private.h"


/* One call of voice_contract_args(). */
typedef struct {
    const voice_operation_t  *operation;
    voice_problems_t         *problems;
    json_t                   *args;
    uint64_t                  seen;    /* bit per parameter */
    int                       failed;  /* out of memory */
} args_t;


static void args_captures(args_t *a, const voice_match_t *match);
static void args_query(args_t *a, voice_span_t query);
static void args_query_pair(args_t *a, voice_span_t name, voice_span_t value);
static void args_headers(args_t *a, voice_header_pt header, void *data);
static void args_absent(args_t *a);
static void args_set(args_t *a, unsigned i, voice_span_t text);
static json_t *args_value(const voice_parameter_t *parameter,
    voice_span_t text);
static json_t *args_list(const voice_parameter_t *parameter,
    voice_span_t text);
static void args_put(args_t *a, const char *name, json_t *value);
static void args_body(args_t *a, json_t *body);
static void args_merge(args_t *a, json_t *body);
static int is_reserved(const voice_operation_t *operation, const char *name);
static int has_suffix(const char *name, const char *stem,
    const char *suffix);
static void parameter_path(char out[CONTRACT_PLACE_MAX],
    const voice_parameter_t *parameter);


static const char *const  args_places[CONTRACT_IN_COUNT] = {
    "/path", "/query", "/header",
};


json_t *
voice_contract_args(const voice_operation_t *operation,
    const voice_match_t *match, voice_span_t query, voice_header_pt header,
    void *data, json_t *body, voice_problems_t *problems)
{
    args_t    a;
    unsigned  before;

    memset(&a, 0, sizeof(a));
    a.operation = operation;
    a.problems = problems;
    a.args = json_object();
    before = problems->count;

    if (a.args == NULL) {
        return NULL;
    }

    args_captures(&a, match);
    args_query(&a, query);
    args_headers(&a, header, data);
    args_absent(&a);
    args_body(&a, body);

    if (a.failed || problems->count != before) {
        json_decref(a.args);
        problems->count = a.failed ? before : problems->count;
        return NULL;
    }

    return a.args;
}


static void
args_captures(args_t *a, const voice_match_t *match)
{
    char                buf[CONTRACT_VALUE_MAX];
    char                path[CONTRACT_PLACE_MAX];
    unsigned            i, n;
    const char         *reason;
    voice_span_t        text;
    voice_parameter_t  *parameter;

    n = 0;

    /* path parameters stand in the order of the captures */

    for (i = 0; i < a->operation->nparameters && n < match->ncaptures; i++) {
        parameter = &a->operation->parameters[i];

        if (parameter->in != CONTRACT_IN_PATH) {
            continue;
        }

        a->seen |= (uint64_t) 1 << i;
        reason = contract_decode(match->captures[n++], 0, buf, &text);

        if (reason == NULL) {
            args_set(a, i, text);
            continue;
        }

        parameter_path(path, parameter);
        voice_problem_add(a->problems, path, "%s", reason);
    }
}


static void
args_query(args_t *a, voice_span_t query)
{
    voice_span_t  name, value;

    while (contract_query_next(&query, &name, &value)) {
        args_query_pair(a, name, value);
    }
}


static void
args_query_pair(args_t *a, voice_span_t name, voice_span_t value)
{
    char           buf[CONTRACT_VALUE_MAX + 1];
    char           path[CONTRACT_PLACE_MAX];
    unsigned       i;
    const char    *reason;
    voice_span_t   text;

    reason = contract_decode(name, 1, buf, &text);

    if (reason != NULL) {
        voice_problem_add(a->problems, "/query", "has a name that %s",
                          reason);
        return;
    }

    buf[text.len] = '\0';
    contract_place(path, args_places[CONTRACT_IN_QUERY], buf);

    for (i = 0; i < a->operation->nparameters; i++) {
        if (a->operation->parameters[i].in == CONTRACT_IN_QUERY
            && strcmp(a->operation->parameters[i].name, buf) == 0)
        {
            break;
        }
    }

    if (i == a->operation->nparameters) {
        voice_problem_add(a->problems, path, "is not a known parameter");
        return;
    }

    reason = contract_decode(value, 1, buf, &text);

    if ((a->seen & (uint64_t) 1 << i) != 0) {
        reason = "is sent twice";
    }

    a->seen |= (uint64_t) 1 << i;

    if (reason != NULL) {
        voice_problem_add(a->problems, path, "%s", reason);
        return;
    }

    args_set(a, i, text);
}


static void
args_headers(args_t *a, voice_header_pt header, void *data)
{
    unsigned            i;
    voice_span_t        text;
    voice_parameter_t  *parameter;

    for (i = 0; header != NULL && i < a->operation->nparameters; i++) {
        parameter = &a->operation->parameters[i];

        if (parameter->in != CONTRACT_IN_HEADER) {
            continue;
        }

        text = header(data, parameter->name);

        if (text.len > 0) {
            a->seen |= (uint64_t) 1 << i;
            args_set(a, i, text);
        }
    }
}


static void
args_absent(args_t *a)
{
    char                path[CONTRACT_PLACE_MAX];
    unsigned            i;
    voice_parameter_t  *parameter;

    for (i = 0; i < a->operation->nparameters; i++) {
        parameter = &a->operation->parameters[i];

        if ((a->seen & (uint64_t) 1 << i) != 0) {
            continue;
        }

        if (parameter->fallback != NULL) {
            args_put(a, parameter->argument,
                     json_deep_copy(parameter->fallback));

        } else if (parameter->required) {
            parameter_path(path, parameter);
            voice_problem_add(a->problems, path, "is required");
        }
    }
}


static void
args_set(args_t *a, unsigned i, voice_span_t text)
{
    char                path[CONTRACT_PLACE_MAX];
    json_t             *value;
    voice_parameter_t  *parameter;

    parameter = &a->operation->parameters[i];
    parameter_path(path, parameter);
    value = args_value(parameter, text);

    if (value == NULL) {
        voice_problem_add(a->problems, path, "%s%s",
                          parameter->list ? "each item " : "",
                          parameter->type->reason);
        return;
    }

    if (voice_schema_check(parameter->schema, value, path, a->problems)
        != VOICE_OK)
    {
        json_decref(value);
        return;
    }

    args_put(a, parameter->argument, value);
}


static json_t *
args_value(const voice_parameter_t *parameter, voice_span_t text)
{
    if (parameter->list) {
        return args_list(parameter, text);
    }

    return parameter->type->convert(text);
}


static json_t *
args_list(const voice_parameter_t *parameter, voice_span_t text)
{
    size_t   i, start;
    json_t  *list;

    start = 0;
    list = json_array();

    for (i = 0; text.len > 0 && i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != ',') {
            continue;
        }

        if (json_array_append_new(list, parameter->type->convert(
                               voice_span(text.ptr + start, i - start)))
            != 0)
        {
            json_decref(list);
            return NULL;
        }

        start = i + 1;
    }

    return list;
}


/* Takes over the reference. */
static void
args_put(args_t *a, const char *name, json_t *value)
{
    if (json_object_set_new(a->args, name, value) != 0) {
        a->failed = 1;
    }
}


static void
args_body(args_t *a, json_t *body)
{
    if (body == NULL) {
        if (a->operation->body_required) {
            voice_problem_add(a->problems, "/body", "is required");
        }

        return;
    }

    if (a->operation->body == NULL) {
        if (!json_is_object(body) || json_object_size(body) > 0) {
            voice_problem_add(a->problems, "/body", "is not expected");
        }

        return;
    }

    if (voice_schema_check(a->operation->body, body, "/body", a->problems)
        != VOICE_OK)
    {
        return;
    }

    if (voice_schema_defaults(a->operation->body, body) != VOICE_OK) {
        a->failed = 1;
        return;
    }

    args_merge(a, body);
}


/*
 * A schema that takes unknown members must not let a client overwrite a
 * parameter, nor send what only the edge may put there.
 */
static void
args_merge(args_t *a, json_t *body)
{
    char         path[CONTRACT_PLACE_MAX];
    json_t      *value;
    const char  *name;

    json_object_foreach(body, name, value) {
        if (json_object_get(a->args, name) != NULL
            || is_reserved(a->operation, name))
        {
            contract_place(path, "/body", name);
            voice_problem_add(a->problems, path, "is not allowed");
            continue;
        }

        args_put(a, name, json_incref(value));
    }
}


/* Is it a name that x-hash or x-verify give, or that of a parameter? */
static int
is_reserved(const voice_operation_t *operation, const char *name)
{
    unsigned  i;

    for (i = 0; i < operation->nparameters; i++) {
        if (strcmp(operation->parameters[i].argument, name) == 0) {
            return 1;
        }
    }

    for (i = 0; operation->hash[i] != NULL; i++) {
        if (has_suffix(name, operation->hash[i], "_hash")) {
            return 1;
        }
    }

    return operation->verify_member != NULL
           && has_suffix(name, operation->verify_member, "_ok");
}


static int
has_suffix(const char *name, const char *stem, const char *suffix)
{
    size_t  len;

    len = strlen(stem);

    return strncmp(name, stem, len) == 0 && strcmp(name + len, suffix) == 0;
}


/* A header's is that of its argument. */
static void
parameter_path(char out[CONTRACT_PLACE_MAX],
    const voice_parameter_t *parameter)
{
    contract_place(out, args_places[parameter->in],
                   parameter->in == CONTRACT_IN_HEADER ? parameter->argument
                                                       : parameter->name);
}
