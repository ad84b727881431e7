/*
 * Fuzz: a byte that chooses one of the API's operations that take a body,
 * then the body.  What comes out is what SQL can read, and nothing is
 * refused that was made good already.  Run from the root: the contract is
 * conf/openapi.
 */

#include "contract_files.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void load(void);
static void send_body(const voice_operation_t *operation, voice_span_t text);
static void refused(voice_span_t text, const voice_json_error_t *err);
static void checked(const voice_operation_t *operation,
    json_t *body);
static voice_span_t no_header(void *data, const char *name);


static voice_contract_t         *body_contract;
static const voice_operation_t  *body_operations[256];
static unsigned                  body_count;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (body_contract == NULL) {
        load();
    }

    if (size > 0) {
        send_body(body_operations[data[0] % body_count],
                  voice_span((const char *) data + 1, size - 1));
    }

    return 0;
}


static void
load(void)
{
    unsigned                  i, nfiles;
    voice_problem_t           problem;
    voice_contract_file_t     files[CONTRACT_FILES_MAX];
    const voice_operation_t  *operation;

    nfiles = contract_files_read("conf/openapi", files);
    body_contract = voice_contract_create(files, nfiles, &problem);
    contract_files_free(files, nfiles);

    if (body_contract == NULL) {
        fprintf(stderr, "%s: %s\n", problem.path, problem.reason);
        exit(2);
    }

    for (i = 0; i < voice_contract_count(body_contract); i++) {
        operation = voice_contract_operation(body_contract, i);

        if (operation->has_body
            && body_count < VOICE_ARRAY_SIZE(body_operations))
        {
            body_operations[body_count++] = operation;
        }
    }
}


static void
send_body(const voice_operation_t *operation, voice_span_t text)
{
    json_t              *body;
    voice_json_error_t   err;

    body = voice_json_parse(text, &err);

    if (body == NULL) {
        refused(text, &err);
        return;
    }

    checked(operation, body);
    json_decref(body);
}


/* What is called well-formed is read by whoever is less strict. */
static void
refused(voice_span_t text, const voice_json_error_t *err)
{
    json_t        *value;
    json_error_t   error;

    if (err->reason[0] == '\0' || err->line == 0 || err->column == 0) {
        abort();
    }

    value = json_loadb(text.ptr == NULL ? "" : text.ptr, text.len,
                       JSON_DECODE_ANY|JSON_ALLOW_NUL, &error);

    if (value == NULL && err->well_formed
        && json_error_code(&error) != json_error_null_byte_in_key)
    {
        abort();
    }

    json_decref(value);
}


static void
checked(const voice_operation_t *operation, json_t *body)
{
    char                *dump;
    json_t              *args, *list, *back;
    voice_match_t        match;
    voice_problems_t     problems;
    voice_json_error_t   err;

    memset(&match, 0, sizeof(match));
    memset(&problems, 0, sizeof(problems));

    args = voice_contract_args(operation, &match, voice_span(NULL, 0),
                               no_header, NULL, body, &problems);
    list = voice_problems_json(&problems);
    dump = json_dumps(args == NULL ? list : args, JSON_COMPACT);

    if ((args == NULL) != (problems.count > 0) || list == NULL
        || dump == NULL)
    {
        abort();
    }

    back = voice_json_parse(voice_span_str(dump), &err);

    if (back == NULL || !json_equal(back, args == NULL ? list : args)) {
        abort();
    }

    json_decref(back);
    json_decref(list);
    json_decref(args);
    free(dump);
}


static voice_span_t
no_header(void *data, const char *name)
{
    (void) data;
    (void) name;

    return voice_span(NULL, 0);
}
