/*
 * The files of a contract's folder, for programs of the tests.
 */

#ifndef CONTRACT_FILES_H
#define CONTRACT_FILES_H


#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "voice_contract.h"


#define CONTRACT_FILES_MAX  128
#define CONTRACT_FILE_SIZE  (4 * 1024 * 1024)


static inline int
contract_file_is_json(const struct dirent *entry)
{
    const char  *end;

    end = strrchr(entry->d_name, '.');

    return end != NULL && strcmp(end, ".json") == 0;
}


/* Ends the program if the file cannot be read. */
static inline voice_span_t
contract_file_read(const char *dir, const char *name)
{
    FILE    *in;
    char     path[4096], *text;
    size_t   len;

    (void) snprintf(path, sizeof(path), "%s/%s", dir, name);

    in = fopen(path, "r");

    if (in == NULL) {
        perror(path);
        exit(2);
    }

    text = malloc(CONTRACT_FILE_SIZE);
    len = text == NULL ? 0 : fread(text, 1, CONTRACT_FILE_SIZE, in);
    (void) fclose(in);

    return voice_span(text, len);
}


/* Fills CONTRACT_FILES_MAX rows at most, in the order of their names. */
static inline unsigned
contract_files_read(const char *dir, voice_contract_file_t *files)
{
    int              i, found;
    unsigned         nfiles;
    struct dirent  **list;

    found = scandir(dir, &list, contract_file_is_json, alphasort);

    if (found < 0) {
        perror(dir);
        exit(2);
    }

    nfiles = 0;

    for (i = 0; i < found; i++) {
        if (nfiles < CONTRACT_FILES_MAX) {
            files[nfiles].name = strdup(list[i]->d_name);
            files[nfiles].text = contract_file_read(dir, list[i]->d_name);
            nfiles++;
        }

        free(list[i]);
    }

    free(list);

    return nfiles;
}


static inline void
contract_files_free(voice_contract_file_t *files, unsigned nfiles)
{
    unsigned  i;

    for (i = 0; i < nfiles; i++) {
        free((char *) files[i].name);
        free((char *) files[i].text.ptr);
    }
}


#endif /* CONTRACT_FILES_H */
