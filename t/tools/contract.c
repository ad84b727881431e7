
/*
 * Prints the union of a contract's files as one OpenAPI document, or what is
 * wrong with them.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "voice_contract.h"


#define FILES_MAX  128


static unsigned read_files(const char *dir, voice_contract_file_t *files);
static int is_json(const struct dirent *entry);
static voice_span_t read_file(const char *dir, const char *name);


int
main(int argc, char **argv)
{
    unsigned               i, nfiles;
    voice_span_t           text;
    voice_problem_t        problem;
    voice_contract_t      *contract;
    voice_contract_file_t  files[FILES_MAX];

    if (argc != 2) {
        fprintf(stderr, "usage: contract DIR\n");
        return 2;
    }

    nfiles = read_files(argv[1], files);
    contract = voice_contract_create(files, nfiles, &problem);

    if (contract == NULL) {
        fprintf(stderr, "contract: %s: %s\n", problem.path, problem.reason);

    } else {
        text = voice_contract_text(contract);
        fwrite(text.ptr, 1, text.len, stdout);
        voice_contract_destroy(contract);
    }

    for (i = 0; i < nfiles; i++) {
        free((char *) files[i].name);
        free((char *) files[i].text.ptr);
    }

    return contract == NULL ? 1 : 0;
}


static unsigned
read_files(const char *dir, voice_contract_file_t *files)
{
    int              i, found;
    unsigned         nfiles;
    struct dirent  **list;

    found = scandir(dir, &list, is_json, alphasort);
    if (found < 0) {
        perror(dir);
        exit(2);
    }

    nfiles = 0;

    for (i = 0; i < found; i++) {
        if (nfiles < FILES_MAX) {
            files[nfiles].name = strdup(list[i]->d_name);
            files[nfiles].text = read_file(dir, list[i]->d_name);
            nfiles++;
        }
        free(list[i]);
    }

    free(list);

    return nfiles;
}


static int
is_json(const struct dirent *entry)
{
    const char  *end;

    end = strrchr(entry->d_name, '.');

    return end != NULL && strcmp(end, ".json") == 0;
}


static voice_span_t
read_file(const char *dir, const char *name)
{
    FILE    *in;
    char     path[4096], *text;
    size_t   len, size;

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    in = fopen(path, "r");
    if (in == NULL) {
        perror(path);
        exit(2);
    }

    size = 4 * 1024 * 1024;
    text = malloc(size);
    len = text == NULL ? 0 : fread(text, 1, size, in);
    fclose(in);

    return voice_span(text, len);
}
