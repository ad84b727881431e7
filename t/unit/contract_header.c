
/*
 * The contract's idempotent, deprecated and ending operations.
 */

#include <stdio.h>

#include "contract.h"
#include "tap.h"


static void idempotent(void);
static void times(void);
static void refusals(void);
static const voice_operation_t *find(const voice_contract_t *contract,
    const char *function);


#define EXTRA(path, method, role, more)                                      \
    "{\"paths\":{\"" path "\":{\"" method "\":{\"operationId\":\"extra\","   \
    "\"x-role\":\"" role "\",\"x-limit\":\"write\"," more REPLY "}}}}"

#define PARAMETER                                                            \
    "\"components\":{\"parameters\":{\"IdempotencyKey\":{\"name\":"          \
    "\"Idempotency-Key\",\"in\":\"header\",\"schema\":"                      \
    "{\"type\":\"string\"}}},\"responses\":{\"Conflict\":"                   \
    "{\"description\":\"Conflict.\"}}},"


int
main(void)
{
    idempotent();
    times();
    refusals();

    return done_testing();
}


static void
idempotent(void)
{
    size_t             i;
    voice_span_t       text;
    voice_problem_t    problem;
    voice_contract_t  *contract;

    static const struct {
        const char  *file;
        unsigned     once;
        const char  *what;
    } rows[] = {
        { EXTRA("/api/v1/x", "post", "viewer", ""), 1, "a POST" },
        { EXTRA("/api/v1/x", "post", "viewer", "\"x-idempotent\":true,"), 1,
          "a POST that says so" },
        { EXTRA("/api/v1/x", "post", "viewer", "\"x-idempotent\":false,"), 0,
          "no POST that opts out" },
        { EXTRA("/api/v1/x", "post", "public", ""), 0, "no public POST" },
        { EXTRA("/x", "post", "viewer", ""), 0, "no POST elsewhere" },
        { EXTRA("/api/v1/x", "put", "viewer", ""), 0, "no PUT" },
        { EXTRA("/api/v1/x", "post", "viewer", "\"x-token\":\"/t\","), 0,
          "no POST that gives a token" },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        contract = create(rows[i].file, &problem);
        ok(contract != NULL && find(contract, "extra")->once == rows[i].once,
           "%s takes a key", rows[i].what);
        voice_contract_destroy(contract);
    }

    contract = create("{" PARAMETER "\"paths\":{\"/api/v1/x\":{\"post\":{"
                      "\"operationId\":\"extra\",\"x-role\":\"viewer\","
                      "\"x-limit\":\"write\"," REPLY "}}}}", &problem);
    text = voice_contract_text(contract);
    ok(strstr(text.ptr, "\"parameters\":[{\"$ref\":"
              "\"#/components/parameters/IdempotencyKey\"}]") != NULL,
       "the document lists the parameter");
    ok(strstr(text.ptr, "\"409\":{\"$ref\":"
              "\"#/components/responses/Conflict\"}") != NULL,
       "and the reply to a request that is under way");
    ok(find(contract, "extra")->nparameters == 0,
       "yet it is no argument of the function");
    voice_contract_destroy(contract);
}


static void
times(void)
{
    voice_problem_t           problem;
    voice_contract_t         *contract;
    const voice_operation_t  *operation;

    contract = create(EXTRA("/x", "get", "viewer",
                            "\"x-deprecated\":\"2023-06-30T23:59:59Z\","
                            "\"x-sunset\":\"2024-06-30T23:59:59Z\","),
                      &problem);
    operation = find(contract, "extra");

    is(operation->deprecation, "@1688169599",
       "the date of the deprecation is as in RFC 9745");
    is(operation->sunset, "Sun, 30 Jun 2024 23:59:59 GMT",
       "the end is an HTTP date");
    ok(strstr(voice_contract_text(contract).ptr, "\"deprecated\":true")
       != NULL, "the document says that it is deprecated");

    operation = find(contract, "list_things");
    ok(operation->deprecation == NULL && operation->sunset == NULL,
       "others are not");
    voice_contract_destroy(contract);
}


static void
refusals(void)
{
    size_t             i;
    voice_problem_t    problem;
    voice_contract_t  *contract;

    static const struct {
        const char  *file;
        const char  *reason;
    } rows[] = {
        { EXTRA("/x", "get", "viewer", "\"x-idempotent\":true,"),
          "\"x-idempotent\" is for a POST of identified callers under "
          "/api/v1/ that gives no token" },
        { EXTRA("/x", "get", "viewer", "\"x-idempotent\":1,"),
          "\"x-idempotent\" must be a boolean" },
        { EXTRA("/x", "get", "viewer", "\"x-sunset\":\"soon\","),
          "\"x-sunset\" must be a time like \"2027-06-30T00:00:00Z\"" },
        { EXTRA("/x", "get", "viewer", "\"x-deprecated\":1,"),
          "\"x-deprecated\" must be a time like \"2027-06-30T00:00:00Z\"" },
        { EXTRA("/x", "get", "viewer",
                "\"x-deprecated\":\"2024-06-30T23:59:59Z\","
                "\"x-sunset\":\"2023-06-30T23:59:59Z\","),
          "\"x-sunset\" is before \"x-deprecated\"" },
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        contract = create(rows[i].file, &problem);
        ok(contract == NULL, "row %zu is refused", i);
        is(problem.reason, rows[i].reason, "with the reason");
        voice_contract_destroy(contract);
    }
}


static const voice_operation_t *
find(const voice_contract_t *contract, const char *function)
{
    unsigned                  i;
    const voice_operation_t  *operation;

    for (i = 0; i < voice_contract_count(contract); i++) {
        operation = voice_contract_operation(contract, i);

        if (strcmp(operation->function, function) == 0) {
            return operation;
        }
    }

    return NULL;
}
