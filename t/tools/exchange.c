
/*
 * Checks logged exchanges against the contract: one JSON object a line
 * {method, path, operation, status, content, type}.  Prints what does not
 * fit; exits 0 if all does.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_json.h"
#include "voice_schema.h"


typedef struct {
    json_t           *contract;
    voice_schemas_t  *schemas;
    unsigned          line;
    unsigned          faults;
} check_t;


static json_t *read_json(const char *name);
static void check_line(check_t *check, const char *text, size_t len);
static const json_t *find_response(const check_t *check, const json_t *item);
static const json_t *follow(const check_t *check, const json_t *node);
static void check_body(check_t *check, const json_t *item,
    const json_t *schema);
static void fault(check_t *check, const json_t *item, const char *path,
    const char *reason);


int
main(int argc, char **argv)
{
    FILE     *log;
    char     *line;
    size_t    size;
    ssize_t   len;
    check_t   check;

    memset(&check, 0, sizeof(check));

    if (argc != 3) {
        fprintf(stderr, "usage: exchange CONTRACT EXCHANGES\n");
        return 2;
    }

    check.contract = read_json(argv[1]);
    log = fopen(argv[2], "r");

    if (check.contract == NULL || log == NULL) {
        fprintf(stderr, "exchange: cannot read \"%s\" or \"%s\"\n",
                argv[1], argv[2]);
        return 2;
    }

    check.schemas = voice_schemas_create(check.contract);
    line = NULL;
    size = 0;

    for (len = getline(&line, &size, log); len > 0;
         len = getline(&line, &size, log))
    {
        check.line++;
        check_line(&check, line, (size_t) len);
    }

    free(line);
    fclose(log);
    voice_schemas_destroy(check.schemas);
    json_decref(check.contract);

    return check.faults == 0 ? 0 : 1;
}


static json_t *
read_json(const char *name)
{
    json_error_t  err;

    return json_load_file(name, JSON_REJECT_DUPLICATES, &err);
}


static void
check_line(check_t *check, const char *text, size_t len)
{
    json_t        *item;
    const json_t  *response, *schema, *content;

    /* recordings have NUL bytes */
    item = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
    if (item == NULL) {
        fprintf(stderr, "line %u: no JSON\n", check->line);
        check->faults++;
        return;
    }

    response = find_response(check, item);

    if (response == NULL) {
        fault(check, item, "", "the contract has no such status");

    } else {
        content = json_object_get(response, "content");
        schema = json_object_get(json_object_get(content, "application/json"),
                                 "schema");

        if (schema != NULL) {
            check_body(check, item, schema);

        } else if (content == NULL
                   && json_string_length(json_object_get(item, "content")))
        {
            fault(check, item, "", "the contract says: no body");
        }
    }

    json_decref(item);
}


static const json_t *
find_response(const check_t *check, const json_t *item)
{
    char           status[16], method[16];
    size_t         i;
    const char    *name;
    const json_t  *operation, *responses, *found;

    name = json_string_value(json_object_get(item, "method"));

    for (i = 0; name[i] != '\0' && i < sizeof(method) - 1; i++) {
        method[i] = (char) (name[i] | 0x20);
    }
    method[i] = '\0';

    snprintf(status, sizeof(status), "%d",
             (int) json_integer_value(json_object_get(item, "status")));

    operation = json_object_get(json_object_get(
                    json_object_get(check->contract, "paths"),
                    json_string_value(json_object_get(item, "path"))),
                method);
    responses = json_object_get(operation, "responses");

    found = json_object_get(responses, status);
    if (found == NULL) {
        found = json_object_get(responses, "default");
    }

    return follow(check, found);
}


static const json_t *
follow(const check_t *check, const json_t *node)
{
    const char  *ref;

    ref = json_string_value(json_object_get(node, "$ref"));

    return ref == NULL ? node : voice_json_at(check->contract, ref + 1);
}


static void
check_body(check_t *check, const json_t *item, const json_t *schema)
{
    json_t                *body;
    unsigned               i;
    voice_problem_t        problem;
    voice_problems_t       problems;
    voice_json_error_t     err;
    const voice_schema_t  *compiled;

    memset(&problems, 0, sizeof(problems));

    compiled = voice_schema_compile(check->schemas, schema, &problem);
    if (compiled == NULL) {
        fault(check, item, problem.path, problem.reason);
        return;
    }

    body = voice_json_parse(
        voice_span_str(json_string_value(json_object_get(item, "content"))),
        &err);
    if (body == NULL) {
        fault(check, item, "", err.reason);
        return;
    }

    if (voice_schema_check(compiled, body, "", &problems) != VOICE_OK) {
        for (i = 0; i < problems.count && i < VOICE_PROBLEMS_MAX; i++) {
            fault(check, item, problems.items[i].path,
                  problems.items[i].reason);
        }
    }

    json_decref(body);
}


static void
fault(check_t *check, const json_t *item, const char *path,
    const char *reason)
{
    check->faults++;

    fprintf(stderr, "line %u: %s, status %d: \"%s\": %s\n", check->line,
            json_string_value(json_object_get(item, "operation")),
            (int) json_integer_value(json_object_get(item, "status")),
            path, reason);
}
