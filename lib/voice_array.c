/*
 * PostgreSQL's binary arrays, see voice_array.h.
 */

#include "voice_array.h"


#define ARRAY_FLAGS  4                 /* where the flags stand */


static void put32(voice_array_t *array, uint32_t value);
static void put64(voice_array_t *array, uint64_t value);


void
voice_array_begin(voice_array_t *array, void *buf, voice_array_e type,
    size_t n)
{
    array->start = buf;
    array->next = buf;

    put32(array, 1);                   /* dimensions */
    put32(array, 0);                   /* flags: no NULL so far */
    put32(array, (uint32_t) type);
    put32(array, (uint32_t) n);
    put32(array, 1);                   /* index of the first one */
}


void
voice_array_int8(voice_array_t *array, int64_t value)
{
    put32(array, sizeof(value));
    put64(array, (uint64_t) value);
}


void
voice_array_float8(voice_array_t *array, double value)
{
    uint64_t  bits;

    memcpy(&bits, &value, sizeof(bits));

    put32(array, sizeof(bits));
    put64(array, bits);
}


void
voice_array_text(voice_array_t *array, voice_span_t text)
{
    if (text.ptr == NULL) {
        array->start[ARRAY_FLAGS + 3] = 1;
        put32(array, UINT32_MAX);
        return;
    }

    put32(array, (uint32_t) text.len);
    memcpy(array->next, text.ptr, text.len);
    array->next += text.len;
}


static void
put32(voice_array_t *array, uint32_t value)
{
    unsigned char  *p;

    p = array->next;
    p[0] = (unsigned char) (value >> 24);
    p[1] = (unsigned char) (value >> 16);
    p[2] = (unsigned char) (value >> 8);
    p[3] = (unsigned char) value;
    array->next = p + 4;
}


static void
put64(voice_array_t *array, uint64_t value)
{
    put32(array, (uint32_t) (value >> 32));
    put32(array, (uint32_t) value);
}
