
/*
 * Memory of a short-lived program: what cannot be had ends it, with
 * CTL_LOCAL and a sentence.  A text that grows.
 */

#ifndef CTL_BUFFER_H
#define CTL_BUFFER_H


#include "ctl.h"


/* All zero is an empty one; release with ctl_buffer_release(). */
typedef struct {
    char    *data;                     /* NUL after; NULL: empty */
    size_t   len;
    size_t   size;
} ctl_buffer_t;


/* Zeroed; never NULL.  The caller frees it (free). */
void *ctl_alloc(size_t size);
void *ctl_grow(void *memory, size_t size);
char *ctl_copy(voice_span_t text);

/* As printf; the caller frees the text (free). */
char *ctl_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

void ctl_buffer_add(ctl_buffer_t *buffer, voice_span_t text);
void ctl_buffer_put(ctl_buffer_t *buffer, const char *text);
void ctl_buffer_fill(ctl_buffer_t *buffer, char c, size_t count);
void ctl_buffer_format(ctl_buffer_t *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The text, "" if it is empty; good until the next change. */
const char *ctl_buffer_text(const ctl_buffer_t *buffer);

/* Empties it; its memory stays. */
void ctl_buffer_reset(ctl_buffer_t *buffer);
void ctl_buffer_release(ctl_buffer_t *buffer);


#endif /* CTL_BUFFER_H */
