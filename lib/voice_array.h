/*
 * Arrays of one dimension as PostgreSQL reads them in binary parameters
 * (array_recv in src/backend/utils/adt/arrayfuncs.c; all numbers in network
 * order): dimensions, flags, type of the elements, their number, the first
 * index; then each as length and bytes, NULL as the length -1.
 */

#ifndef VOICE_ARRAY_H
#define VOICE_ARRAY_H


#include "voice_base.h"


#define VOICE_ARRAY_HEAD  20           /* bytes before the elements */
#define VOICE_ARRAY_ITEM  4            /* bytes before each of them */


/* Types of elements by their OIDs, which never change (pg_type.dat). */
typedef enum {
    VOICE_ARRAY_INT8 = 20,
    VOICE_ARRAY_TEXT = 25,
    VOICE_ARRAY_FLOAT8 = 701
} voice_array_e;


/* An array that is being written into memory of the caller. */
typedef struct {
    unsigned char  *start;
    unsigned char  *next;              /* its end, so far */
} voice_array_t;


/* Bytes that an array of n elements takes, which hold so many themselves. */
static inline size_t
voice_array_size(size_t n, size_t bytes)
{
    return VOICE_ARRAY_HEAD + n * VOICE_ARRAY_ITEM + bytes;
}


/*
 * Begins an array of n elements, at least one and at most INT32_MAX, in buf
 * of voice_array_size() bytes; exactly n calls of the one function that is
 * for its type have to follow.
 */
void voice_array_begin(voice_array_t *array, void *buf, voice_array_e type,
    size_t n);
void voice_array_int8(voice_array_t *array, int64_t value);
void voice_array_float8(voice_array_t *array, double value);
/* text.ptr NULL is SQL NULL; at most INT32_MAX bytes. */
void voice_array_text(voice_array_t *array, voice_span_t text);

/* What has been written. */
static inline voice_span_t
voice_array_bytes(const voice_array_t *array)
{
    return voice_span((const char *) array->start,
                      (size_t) (array->next - array->start));
}


#endif /* VOICE_ARRAY_H */
