/*
 * Prints the union of a contract's files as one OpenAPI document, or what is
 * wrong with them.
 */

#include "contract_files.h"


int
main(int argc, char **argv)
{
    unsigned               nfiles;
    voice_span_t           text;
    voice_problem_t        problem;
    voice_contract_t      *contract;
    voice_contract_file_t  files[CONTRACT_FILES_MAX];

    if (argc != 2) {
        fprintf(stderr, "usage: contract DIR\n");
        return 2;
    }

    nfiles = contract_files_read(argv[1], files);
    contract = voice_contract_create(files, nfiles, &problem);

    if (contract == NULL) {
        fprintf(stderr, "contract: %s: %s\n", problem.path, problem.reason);

    } else {
        text = voice_contract_text(contract);
        fwrite(text.ptr, 1, text.len, stdout);
        voice_contract_destroy(contract);
    }

    contract_files_free(files, nfiles);

    return contract == NULL ? 1 : 0;
}
