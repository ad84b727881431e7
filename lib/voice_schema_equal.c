/*
 * Comparing JSON values as JSON Schema does (core, section 4.2.2): numbers
 * by value, objects without order.
 */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "voice_schema_private.h"


/* Below this magnitude a whole real has an int64_t of the same value. */
#define EQUAL_INT_MAX  9223372036854775808.0


typedef struct {
    char    *text;
    size_t   len;
    size_t   size;
    int      failed;
} canonical_t;


typedef struct {
    const char    *name;
    const json_t  *value;
} member_t;


static int object_equal(const json_t *a, const json_t *b);
static int array_equal(const json_t *a, const json_t *b);
static long double number_of(const json_t *value);
static void write_value(canonical_t *out, const json_t *value);
static void write_number(canonical_t *out, const json_t *value);
static void write_string(canonical_t *out, voice_span_t text);
static void write_array(canonical_t *out, const json_t *value);
static void write_object(canonical_t *out, const json_t *value);
static void write_bytes(canonical_t *out, const char *bytes, size_t len);
static int member_order(const void *a, const void *b);


int
schema_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        return schema_compare(a, b) == 0;
    }

    if (json_typeof(a) != json_typeof(b)) {
        return 0;
    }

    switch (json_typeof(a)) {

    case JSON_OBJECT:
        return object_equal(a, b);

    case JSON_ARRAY:
        return array_equal(a, b);

    case JSON_STRING:
        return voice_span_eq(voice_span(json_string_value(a),
                                        json_string_length(a)),
                             voice_span(json_string_value(b),
                                        json_string_length(b)));

    default:
        return 1;
    }
}


int
schema_compare(const json_t *a, const json_t *b)
{
    long double  x, y;

    if (json_is_integer(a) && json_is_integer(b)) {
        return (json_integer_value(a) > json_integer_value(b))
               - (json_integer_value(a) < json_integer_value(b));
    }

    x = number_of(a);
    y = number_of(b);

    return (x > y) - (x < y);
}


int
schema_is_multiple(const json_t *a, const json_t *b)
{
    long double  x, y, q;

    if (json_is_integer(a) && json_is_integer(b)) {
        return json_integer_value(a) % json_integer_value(b) == 0;
    }

    x = number_of(a);
    y = number_of(b);

    if (fmodl(x, y) == 0) {
        return 1;
    }

    /*
     * 0.0075 is a multiple of 0.0001, though not of the binary numbers next
     * to both: allow for the rounding of the two.
     */

    q = fabsl(x / y);

    return q < EQUAL_INT_MAX && fabsl(q - roundl(q)) <= q * 2 * DBL_EPSILON;
}


int
schema_is_whole(const json_t *value)
{
    return json_real_value(value) == floor(json_real_value(value));
}


char *
schema_canonical(const json_t *value, size_t *len)
{
    canonical_t  out;

    memset(&out, 0, sizeof(out));
    write_value(&out, value);

    if (out.failed) {
        free(out.text);
        return NULL;
    }

    *len = out.len;

    return out.text;
}


static int
object_equal(const json_t *a, const json_t *b)
{
    json_t      *value, *other;
    const char  *name;

    if (json_object_size(a) != json_object_size(b)) {
        return 0;
    }

    json_object_foreach((json_t *) a, name, value) {
        other = json_object_get(b, name);

        if (other == NULL || !schema_equal(value, other)) {
            return 0;
        }
    }

    return 1;
}


static int
array_equal(const json_t *a, const json_t *b)
{
    size_t   i;
    json_t  *value;

    if (json_array_size(a) != json_array_size(b)) {
        return 0;
    }

    json_array_foreach(a, i, value) {
        if (!schema_equal(value, json_array_get(b, i))) {
            return 0;
        }
    }

    return 1;
}


/* A long double holds each int64_t and each double exactly. */
static long double
number_of(const json_t *value)
{
    if (json_is_integer(value)) {
        return (long double) json_integer_value(value);
    }

    return (long double) json_real_value(value);
}


static void
write_value(canonical_t *out, const json_t *value)
{
    switch (json_typeof(value)) {

    case JSON_OBJECT:
        write_object(out, value);
        return;

    case JSON_ARRAY:
        write_array(out, value);
        return;

    case JSON_STRING:
        write_string(out, voice_span(json_string_value(value),
                                     json_string_length(value)));
        return;

    case JSON_TRUE:
        write_bytes(out, "t", 1);
        return;

    case JSON_FALSE:
        write_bytes(out, "f", 1);
        return;

    case JSON_NULL:
        write_bytes(out, "n", 1);
        return;

    default:
        write_number(out, value);
    }
}


static void
write_number(canonical_t *out, const json_t *value)
{
    char    text[48];
    double  real;
    size_t  n;

    real = json_number_value(value);

    if (json_is_integer(value)) {
        n = (size_t) snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT ",",
                              json_integer_value(value));

    } else if (real == floor(real) && fabs(real) < EQUAL_INT_MAX) {
        n = (size_t) snprintf(text, sizeof(text), "%lld,", (long long) real);

    } else {
        n = (size_t) snprintf(text, sizeof(text), "%.17g,", real);
    }

    write_bytes(out, text, n);
}


/* The length in front keeps a string's end apart from what follows. */
static void
write_string(canonical_t *out, voice_span_t text)
{
    char    head[32];
    size_t  n;

    n = (size_t) snprintf(head, sizeof(head), "\"%zu:", text.len);
    write_bytes(out, head, n);
    write_bytes(out, text.ptr, text.len);
}


static void
write_array(canonical_t *out, const json_t *value)
{
    size_t   i;
    json_t  *item;

    write_bytes(out, "[", 1);

    json_array_foreach(value, i, item) {
        write_value(out, item);
    }

    write_bytes(out, "]", 1);
}


static void
write_object(canonical_t *out, const json_t *value)
{
    size_t       i, n;
    json_t      *item;
    member_t    *members;
    const char  *name;

    n = json_object_size(value);
    members = calloc(n + 1, sizeof(member_t));

    if (members == NULL) {
        out->failed = 1;
        return;
    }

    i = 0;

    json_object_foreach((json_t *) value, name, item) {
        members[i++] = (member_t) { name, item };
    }

    qsort(members, n, sizeof(member_t), member_order);

    write_bytes(out, "{", 1);

    for (i = 0; i < n; i++) {
        write_string(out, voice_span_str(members[i].name));
        write_value(out, members[i].value);
    }

    write_bytes(out, "}", 1);
    free(members);
}


static void
write_bytes(canonical_t *out, const char *bytes, size_t len)
{
    char    *text;
    size_t   size;

    if (out->failed) {
        return;
    }

    if (out->size - out->len < len) {
        size = (out->size + len) * 2;
        text = realloc(out->text, size);

        if (text == NULL) {
            out->failed = 1;
            return;
        }

        out->text = text;
        out->size = size;
    }

    if (len > 0) {
        memcpy(out->text + out->len, bytes, len);
        out->len += len;
    }
}


static int
member_order(const void *a, const void *b)
{
    return strcmp(((const member_t *) a)->name, ((const member_t *) b)->name);
}
