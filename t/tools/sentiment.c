
/*
 * Measures sentiment: reads lines, writes "score|confidence|label|line".
 * Its argument is a lexicon; with "--time" after it the cost of a text
 * of 1 MiB instead.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "voice_sentiment.h"


#define FILE_MAX  (1024 * 1024)


static char  file[FILE_MAX], line[FILE_MAX];


static voice_lexicon_t *
read_lexicon(const char *path)
{
    FILE                   *in;
    size_t                  len;
    voice_lexicon_t        *lexicon;
    voice_lines_fault_t   fault;

    in = fopen(path, "r");
    if (in == NULL) {
        perror(path);
        exit(1);
    }

    len = fread(file, 1, sizeof(file), in);
    fclose(in);

    if (voice_lexicon_parse(voice_span(file, len), &lexicon, &fault)
        != VOICE_OK)
    {
        fprintf(stderr, "%s:%u: %s\n", path, fault.line, fault.reason);
        exit(1);
    }

    return lexicon;
}


static int
measure_time(const voice_lexicon_t *lexicon)
{
    size_t                  n, len;
    double                  seconds;
    struct timespec         from, to;
    voice_sentiment_sums_t  sums;

    len = fread(file, 1, 64 * 1024, stdin);
    if (len == 0) {
        return 1;
    }

    for (n = 0; n + len <= sizeof(line); n += len) {
        memcpy(line + n, file, len);
    }

    memset(&sums, 0, sizeof(sums));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);

    if (voice_sentiment_add(lexicon, voice_span(line, n), &sums)
        != VOICE_OK)
    {
        return 1;
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);

    seconds = (double) (to.tv_sec - from.tv_sec)
              + (double) (to.tv_nsec - from.tv_nsec) / 1e9;
    printf("%.1f us a KiB\n", seconds * 1e6 / ((double) n / 1024));

    return 0;
}


int
main(int argc, char **argv)
{
    voice_lexicon_t         *lexicon;
    voice_sentiment_t        sentiment;
    voice_sentiment_sums_t   sums;

    if (argc < 2) {
        fprintf(stderr, "usage: sentiment LEXICON [--time] <TEXT\n");
        return 1;
    }

    lexicon = read_lexicon(argv[1]);

    if (argc > 2) {
        return measure_time(lexicon);
    }

    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        memset(&sums, 0, sizeof(sums));

        if (voice_sentiment_add(lexicon, voice_span_str(line), &sums)
            != VOICE_OK)
        {
            continue;
        }

        voice_sentiment_judge(&sums, &sentiment);
        printf("%+.3f|%.2f|%s|%s\n", sentiment.score, sentiment.confidence,
               voice_sentiment_name(sentiment.label), line);
    }

    voice_lexicon_destroy(lexicon);

    return 0;
}
