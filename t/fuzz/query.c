/*
 * Fuzz: the parts of a request, one a line: path, query, header, body.
 */

#include <stdlib.h>

#include "contract.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static voice_span_t line_next(voice_span_t *text);
static void call(const voice_operation_t *operation,
    const voice_match_t *match, voice_span_t query, voice_span_t header,
    voice_span_t body);
static voice_span_t header_of(void *data, const char *name);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                      buf[64];
    size_t                    len;
    unsigned                  i;
    voice_span_t              text, path, query, header;
    voice_match_t             match;
    voice_problem_t           problem;
    static voice_contract_t  *contract;

    if (contract == NULL) {
        contract = create(NULL, &problem);
    }

    text = voice_span((const char *) data, size);
    path = line_next(&text);
    query = line_next(&text);
    header = line_next(&text);

    (void) voice_query_find(query, "access_token", buf, sizeof(buf), &len);

    for (i = 0; i < VOICE_METHOD_COUNT; i++) {
        if (voice_contract_match(contract, (voice_method_e) i, path, &match)
            == VOICE_ROUTE_FOUND)
        {
            call(match.operation, &match, query, header, text);
        }
    }

    return 0;
}


static voice_span_t
line_next(voice_span_t *text)
{
    size_t        len;
    const char   *end;
    voice_span_t  line;

    end = text->len == 0 ? NULL : memchr(text->ptr, '\n', text->len);
    len = end == NULL ? text->len : (size_t) (end - text->ptr);
    line = voice_span(text->ptr, len);
    len += end != NULL;
    *text = voice_span(text->ptr + len, text->len - len);

    return line;
}


static void
call(const voice_operation_t *operation, const voice_match_t *match,
    voice_span_t query, voice_span_t header, voice_span_t body)
{
    char                *dump;
    json_t              *args, *list, *tree;
    voice_problems_t     problems;
    voice_json_error_t   err;

    memset(&problems, 0, sizeof(problems));
    tree = voice_json_parse(body, &err);
    args = voice_contract_args(operation, match, query, header_of, &header,
                               tree, &problems);
    list = voice_problems_json(&problems);

    if ((args == NULL) != (problems.count > 0) || list == NULL) {
        abort();
    }

    /* what goes to SQL must be a text of JSON */

    dump = args == NULL ? NULL : json_dumps(args, 0);

    if (args != NULL && dump == NULL) {
        abort();
    }

    free(dump);
    json_decref(list);
    json_decref(args);
    json_decref(tree);
}


static voice_span_t
header_of(void *data, const char *name)
{
    (void) name;

    return *(voice_span_t *) data;
}
