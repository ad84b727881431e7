
/*
 * Files that a unit test reads; it runs at the root of the tree.
 */

#ifndef SLURP_H
#define SLURP_H


#include <stdio.h>
#include <stdlib.h>

#include "voice_base.h"


/* The caller frees ptr.  Ends the program if the file cannot be read. */
static inline voice_span_t
slurp(const char *path)
{
    FILE    *in;
    char    *text;
    size_t   len;

    const size_t  max = 4 * 1024 * 1024;

    in = fopen(path, "r");
    text = malloc(max);

    if (in == NULL || text == NULL) {
        printf("Bail out! %s cannot be read\n", path);
        exit(1);
    }

    len = fread(text, 1, max, in);
    fclose(in);

    return voice_span(text, len);
}


/* Takes a line off the text; 0: none is left. */
static inline int
next_line(voice_span_t *text, voice_span_t *line)
{
    const char  *end;

    if (text->len == 0) {
        return 0;
    }

    end = memchr(text->ptr, '\n', text->len);
    *line = voice_span(text->ptr, end == NULL ? text->len
                                              : (size_t) (end - text->ptr));
    text->len -= line->len + (end == NULL ? 0 : 1);
    text->ptr += line->len + (end == NULL ? 0 : 1);

    return 1;
}


#endif /* SLURP_H */
