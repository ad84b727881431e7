/*
 * Fuzz: a byte that chooses one of the API's operations, then what stands in
 * front of a body, one a line: a query and header fields "name: value".  Run
 * from the root: the contract is conf/openapi.
 */

#include "contract_files.h"


#define HEADERS_MAX  8


typedef struct {
    unsigned      count;
    voice_span_t  names[HEADERS_MAX];
    voice_span_t  values[HEADERS_MAX];
} headers_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void load(void);
static voice_span_t line_next(voice_span_t *text);
static void header_add(headers_t *headers, voice_span_t line);
static voice_span_t header_find(void *data, const char *name);
static void call(const voice_operation_t *operation, voice_span_t query,
    headers_t *headers);
static void find(voice_span_t query);


static voice_contract_t  *header_contract;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned      i;
    headers_t     headers;
    voice_span_t  text, query;

    if (header_contract == NULL) {
        load();
    }

    if (size == 0) {
        return 0;
    }

    i = data[0] % voice_contract_count(header_contract);
    text = voice_span((const char *) data + 1, size - 1);
    query = line_next(&text);
    headers.count = 0;

    while (text.len > 0 && headers.count < HEADERS_MAX) {
        header_add(&headers, line_next(&text));
    }

    find(query);
    call(voice_contract_operation(header_contract, i), query, &headers);

    return 0;
}


static void
load(void)
{
    unsigned                nfiles;
    voice_problem_t         problem;
    voice_contract_file_t   files[CONTRACT_FILES_MAX];

    nfiles = contract_files_read("conf/openapi", files);
    header_contract = voice_contract_create(files, nfiles, &problem);
    contract_files_free(files, nfiles);

    if (header_contract == NULL) {
        fprintf(stderr, "%s: %s\n", problem.path, problem.reason);
        exit(2);
    }
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
header_add(headers_t *headers, voice_span_t line)
{
    size_t       len;
    const char  *end;

    end = line.len == 0 ? NULL : memchr(line.ptr, ':', line.len);

    if (end == NULL) {
        return;
    }

    len = (size_t) (end - line.ptr);
    headers->names[headers->count] = voice_span(line.ptr, len);

    for (len++; len < line.len && line.ptr[len] == ' '; len++) {
        /* void */
    }

    headers->values[headers->count] = voice_span(line.ptr + len,
                                                 line.len - len);
    headers->count++;
}


static voice_span_t
header_find(void *data, const char *name)
{
    unsigned    i;
    headers_t  *headers = data;

    for (i = 0; i < headers->count; i++) {
        if (voice_span_eq(headers->names[i], voice_span_str(name))) {
            return headers->values[i];
        }
    }

    return voice_span(NULL, 0);
}


static void
call(const voice_operation_t *operation, voice_span_t query,
    headers_t *headers)
{
    char              *dump;
    json_t            *args, *list;
    unsigned           i;
    voice_match_t      match;
    voice_problems_t   problems;

    memset(&match, 0, sizeof(match));
    memset(&problems, 0, sizeof(problems));
    match.ncaptures = VOICE_CAPTURES_MAX;

    for (i = 0; i < VOICE_CAPTURES_MAX; i++) {
        match.captures[i] = headers->count > i ? headers->values[i] : query;
    }

    args = voice_contract_args(operation, &match, query, header_find,
                               headers, NULL, &problems);
    list = voice_problems_json(&problems);

    if ((args == NULL) != (problems.count > 0) || list == NULL) {
        abort();
    }

    /* what goes to SQL must be a text of JSON */

    dump = json_dumps(args == NULL ? list : args, JSON_COMPACT);

    if (dump == NULL) {
        abort();
    }

    free(dump);
    json_decref(list);
    json_decref(args);
}


/* A parameter that is found fits, and no byte behind it is touched. */
static void
find(voice_span_t query)
{
    char        buf[33];
    size_t      len;
    voice_rc_t  rc;

    buf[32] = '#';
    rc = voice_query_find(query, "access_token", buf, 32, &len);

    if ((rc == VOICE_OK && len > 32) || buf[32] != '#') {
        abort();
    }
}
