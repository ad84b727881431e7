
/*
 * Prints for each line "reference<TAB>hypothesis" of standard input
 *
 *   <matches> <substitutions> <deletions> <insertions> <distance>
 *
 * of the words as they stand, or, with the argument "characters", of the
 * code points.  Ends with 1 at the first line that cannot be measured.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_wer.h"


typedef voice_rc_t (*measure_pt)(const voice_wer_pair_t *pair,
    unsigned flags, voice_alignment_t *alignment);


static int
measure_line(measure_pt measure, voice_span_t line)
{
    const char         *tab;
    voice_wer_pair_t    pair;
    voice_alignment_t   a;

    tab = memchr(line.ptr, '\t', line.len);
    if (tab == NULL) {
        return 0;
    }

    pair.reference = voice_span(line.ptr, (size_t) (tab - line.ptr));
    pair.hypothesis = voice_span(tab + 1, line.len - pair.reference.len - 1);

    if (measure(&pair, VOICE_TEXT_RAW, &a) != VOICE_OK) {
        return 0;
    }

    printf("%zu %zu %zu %zu %zu\n", a.matches, a.substitutions, a.deletions,
           a.insertions, a.distance);
    voice_alignment_release(&a);

    return 1;
}


int
main(int argc, char **argv)
{
    int          good;
    char        *line;
    size_t       size;
    ssize_t      len;
    measure_pt   measure;

    measure = voice_wer_align;

    if (argc > 1 && strcmp(argv[1], "characters") == 0) {
        measure = voice_cer_align;
    }

    line = NULL;
    size = 0;
    good = 1;

    while (good) {

        len = getline(&line, &size, stdin);
        if (len <= 0) {
            break;
        }

        if (line[len - 1] == '\n') {
            len--;
        }

        good = measure_line(measure, voice_span(line, (size_t) len));
    }

    free(line);

    return good ? 0 : 1;
}
