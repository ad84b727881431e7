
/*
 * The reader of text files that people write: lines, without those that are
 * empty or begin with "#", and what is wrong with one.
 */

#ifndef VOICE_LINES_H
#define VOICE_LINES_H


#include "voice_base.h"


#define VOICE_LINES_MAX     (1024 * 1024)      /* bytes of a file */
#define VOICE_LINES_REASON  120


/* Where a file is wrong, and why. */
typedef struct {
    unsigned  line;                    /* from 1; 0: the whole */
    char      reason[VOICE_LINES_REASON];
} voice_lines_fault_t;


typedef struct {
    voice_span_t          left;
    unsigned              line;        /* the number of the last one */
    voice_lines_fault_t  *fault;
} voice_lines_t;


/*
 * Begins with the bytes of a file, which the caller keeps.  VOICE_LIMIT,
 * VOICE_INVALID: no UTF-8; both with the fault, which is cleared otherwise.
 */
voice_rc_t voice_lines_begin(voice_lines_t *lines, voice_span_t file,
    voice_lines_fault_t *fault) VOICE_MUST_CHECK;

/* The next line, trimmed; 0: there is none, and faults are of the whole. */
int voice_lines_next(voice_lines_t *lines, voice_span_t *line);

/* Writes the fault; gives rc back. */
voice_rc_t voice_lines_wrong(voice_lines_t *lines, voice_rc_t rc,
    const char *reason, ...) __attribute__((format(printf, 3, 4)));

/* Takes what stands before a byte, trimmed, and the byte, off a text. */
voice_span_t voice_lines_cut(voice_span_t *text, char at);

/* Without blanks at its ends. */
voice_span_t voice_lines_trim(voice_span_t text);


#endif /* VOICE_LINES_H */
