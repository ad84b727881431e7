
/*
 * Lexicons and the words of languages, kept as long as the process lives.
 */

#include <stdio.h>
#include <stdlib.h>

#include "analysis_files.h"
#include "worker_log.h"


#define FILES_MAX  32                  /* languages that are kept */
#define PATH_SIZE  4096


/* A language that was asked for. */
typedef struct {
    char              language[VOICE_LANGUAGE_MAX + 1];
    voice_lexicon_t  *lexicon;         /* NULL: there is none */
} known_t;


static voice_lexicon_t *lexicon_read(const worker_settings_t *settings,
    const char *language);
static char *file_read(const char *path, size_t *len);
static void file_wrong(const char *path, const voice_lines_fault_t *fault);


const voice_lexicon_t *
analysis_lexicon(const worker_settings_t *settings, voice_span_t language)
{
    size_t           i;
    char             name[VOICE_LANGUAGE_MAX + 1];
    static known_t   known[FILES_MAX];
    static size_t    count;

    /* the form of a tag makes it safe in a path */
    if (voice_language_canonical(voice_language_primary(language), name)
        != VOICE_OK)
    {
        return NULL;
    }

    for (i = 0; i < count; i++) {
        if (strcmp(known[i].language, name) == 0) {
            return known[i].lexicon;
        }
    }

    if (count == FILES_MAX) {
        return NULL;
    }

    memcpy(known[count].language, name, sizeof(name));
    known[count].lexicon = lexicon_read(settings, name);

    return known[count++].lexicon;
}


const voice_detector_t *
analysis_detector(const worker_settings_t *settings)
{
    char                      *file, path[PATH_SIZE];
    size_t                     len;
    voice_rc_t                 rc;
    voice_lines_fault_t      fault;
    static voice_detector_t   *detector;

    if (detector != NULL) {
        return detector;
    }

    snprintf(path, sizeof(path), "%s/languages.txt", settings->analysis_dir);

    file = file_read(path, &len);
    if (file == NULL) {
        worker_log(WORKER_LOG_ERROR, "\"%s\" cannot be read", path);
        return NULL;
    }

    rc = voice_detector_parse(voice_span(file, len), &detector, &fault);
    free(file);

    if (rc != VOICE_OK) {
        file_wrong(path, &fault);
    }

    return detector;
}


static voice_lexicon_t *
lexicon_read(const worker_settings_t *settings, const char *language)
{
    char                   *file, path[PATH_SIZE];
    size_t                  len;
    voice_rc_t              rc;
    voice_lexicon_t        *lexicon;
    voice_lines_fault_t   fault;

    snprintf(path, sizeof(path), "%s/sentiment/%s.txt",
             settings->analysis_dir, language);

    file = file_read(path, &len);
    if (file == NULL) {
        worker_log(WORKER_LOG_INFO, "no lexicon \"%s\"", path);
        return NULL;
    }

    rc = voice_lexicon_parse(voice_span(file, len), &lexicon, &fault);
    free(file);

    if (rc != VOICE_OK) {
        file_wrong(path, &fault);
    }

    return lexicon;
}


static char *
file_read(const char *path, size_t *len)
{
    FILE  *in;
    char  *bytes;

    in = fopen(path, "re");
    if (in == NULL) {
        return NULL;
    }

    /* a byte more, so that a longer file is seen as too long */
    bytes = malloc(VOICE_LINES_MAX + 1);

    if (bytes != NULL) {
        *len = fread(bytes, 1, VOICE_LINES_MAX + 1, in);

        if (ferror(in)) {
            free(bytes);
            bytes = NULL;
        }
    }

    fclose(in);

    return bytes;
}


static void
file_wrong(const char *path, const voice_lines_fault_t *fault)
{
    worker_log(WORKER_LOG_ERROR, "\"%s\", line %u: %s", path, fault->line,
               fault->reason);
}
