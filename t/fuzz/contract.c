/*
 * Fuzz: a file of a contract beside two good ones.  A problem must name a
 * reason; a contract must find its own paths.
 */

#include <stdlib.h>

#include "contract.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void use(const voice_contract_t *contract);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    voice_problem_t         problem;
    voice_contract_t       *contract;
    voice_contract_file_t   files[3] = {
        { "root.json", VOICE_SPAN(root_json) },
        { "things.json", VOICE_SPAN(things_json) },
        { "extra.json", voice_span((const char *) data, size) },
    };

    contract = voice_contract_create(files, 3, &problem);

    if (contract == NULL) {
        if (problem.reason[0] == '\0') {
            abort();
        }

        return 0;
    }

    use(contract);
    voice_contract_destroy(contract);

    return 0;
}


static void
use(const voice_contract_t *contract)
{
    json_t                   *args;
    unsigned                  i;
    voice_match_t             match;
    voice_problems_t          problems;
    const voice_operation_t  *operation;

    for (i = 0; i < voice_contract_count(contract); i++) {
        operation = voice_contract_operation(contract, i);

        /* a template is a path, too */

        if (voice_contract_match(contract, operation->method,
                                 voice_span_str(operation->path), &match)
            == VOICE_ROUTE_NO_PATH)
        {
            abort();
        }

        memset(&problems, 0, sizeof(problems));

        if (match.operation != NULL) {
            args = voice_contract_args(match.operation, &match,
                                       VOICE_SPAN("page=1&x=%41"), NULL,
                                       NULL, NULL, &problems);
            json_decref(args);
        }
    }
}
