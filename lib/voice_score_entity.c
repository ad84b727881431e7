
/*
 * Scores of a tested answer: entities.
 */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "voice_score.h"
#include "voice_text.h"


#define NUMBER_MAX  64                 /* bytes of a numeric string */
#define KEY_SHOWN   64                 /* bytes of a key in an error */
#define ERROR_MAX   128


/* A long double holds each integer that JSON texts have here. */
typedef struct {
    long double  value;
    int          whole;                /* written as an integer */
} number_t;


static int same(const json_t *expected, const json_t *actual,
    double tolerance);
static int same_text(const json_t *expected, const json_t *actual);
static int same_list(const json_t *expected, const json_t *actual,
    double tolerance);
static int same_object(const json_t *expected, const json_t *actual,
    double tolerance);
static int number_of(const json_t *value, number_t *number);
static int close_to(const number_t *one, const number_t *two,
    double tolerance);
static voice_span_t trimmed(const json_t *string);
static void report(json_t *errors, const char *key, const json_t *actual);


double
voice_score_entities(const json_t *expected, const json_t *actual,
    const json_t *tolerances, double tolerance, json_t *errors)
{
    double         limit;
    size_t         wanted, found;
    const char    *key;
    json_t        *value;
    const json_t  *there, *own;

    wanted = json_object_size(expected);
    found = 0;

    if (wanted == 0) {
        return 1.0;
    }

    json_object_foreach((json_t *) expected, key, value) {

        there = json_object_get(actual, key);
        own = json_object_get(tolerances, key);
        limit = json_is_number(own) ? json_number_value(own) : tolerance;

        if (there != NULL && same(value, there, limit)) {
            found++;

        } else if (errors != NULL) {
            report(errors, key, there);
        }
    }

    return (double) found / (double) wanted;
}


/* Depth is bounded by the parser that made the trees. */
static int
same(const json_t *expected, const json_t *actual, double tolerance)
{
    number_t  one, two;

    /* two strings are compared as strings */
    if ((json_is_number(expected) || json_is_number(actual))
        && number_of(expected, &one) && number_of(actual, &two))
    {
        return close_to(&one, &two, tolerance);
    }

    if (json_typeof(expected) != json_typeof(actual)) {
        return 0;
    }

    switch (json_typeof(expected)) {

    case JSON_STRING:
        return same_text(expected, actual);

    case JSON_ARRAY:
        return same_list(expected, actual, tolerance);

    case JSON_OBJECT:
        return same_object(expected, actual, tolerance);

    default:
        /* null, true and false are their types */
        return 1;
    }
}


static int
same_text(const json_t *expected, const json_t *actual)
{
    int          equal;
    char        *one, *two;
    size_t       n, m;
    voice_rc_t   rc;

    one = NULL;
    two = NULL;
    n = 0;
    m = 0;

    rc = voice_text_normalise(trimmed(expected), VOICE_TEXT_KEEP_PUNCTUATION,
                              &one, &n);
    if (rc == VOICE_OK) {
        rc = voice_text_normalise(trimmed(actual),
                                  VOICE_TEXT_KEEP_PUNCTUATION, &two, &m);
    }

    equal = rc == VOICE_OK
            && voice_span_eq(voice_span(one, n), voice_span(two, m));

    free(one);
    free(two);

    return equal;
}


static int
same_list(const json_t *expected, const json_t *actual, double tolerance)
{
    size_t  i;

    if (json_array_size(expected) != json_array_size(actual)) {
        return 0;
    }

    for (i = 0; i < json_array_size(expected); i++) {
        if (!same(json_array_get(expected, i), json_array_get(actual, i),
                  tolerance))
        {
            return 0;
        }
    }

    return 1;
}


static int
same_object(const json_t *expected, const json_t *actual, double tolerance)
{
    json_t        *value;
    const char    *key;
    const json_t  *there;

    if (json_object_size(expected) != json_object_size(actual)) {
        return 0;
    }

    json_object_foreach((json_t *) expected, key, value) {

        there = json_object_get(actual, key);

        if (there == NULL || !same(value, there, tolerance)) {
            return 0;
        }
    }

    return 1;
}


/* A number, or a string that is one in JSON's spelling. */
static int
number_of(const json_t *value, number_t *number)
{
    int            found;
    json_t        *parsed;
    voice_span_t   text;

    if (json_is_number(value)) {
        number->whole = json_is_integer(value);
        number->value = number->whole
                        ? (long double) json_integer_value(value)
                        : (long double) json_real_value(value);
        return 1;
    }

    if (!json_is_string(value)) {
        return 0;
    }

    text = trimmed(value);

    if (text.len == 0 || text.len > NUMBER_MAX) {
        return 0;
    }

    parsed = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, NULL);
    found = json_is_number(parsed) && number_of(parsed, number);
    json_decref(parsed);

    return found;
}


static int
close_to(const number_t *one, const number_t *two, double tolerance)
{
    long double  limit, larger;

    limit = tolerance;

    /* 72.01 is within 0.01 of 72, though not quite in binary fractions */
    if (!one->whole || !two->whole) {
        larger = fmaxl(fabsl(one->value), fabsl(two->value));
        limit += 4 * DBL_EPSILON * larger;
    }

    return fabsl(one->value - two->value) <= limit;
}


static voice_span_t
trimmed(const json_t *string)
{
    voice_span_t  text;

    text = voice_span(json_string_value(string), json_string_length(string));

    while (text.len > 0 && (unsigned char) text.ptr[text.len - 1] <= ' ') {
        text.len--;
    }

    while (text.len > 0 && (unsigned char) text.ptr[0] <= ' ') {
        text.ptr++;
        text.len--;
    }

    return text;
}


/* Values stay out of it: they may be a caller's words. */
static void
report(json_t *errors, const char *key, const json_t *actual)
{
    char  text[ERROR_MAX];

    (void) snprintf(text, sizeof(text), "entity \"%.*s\" %s", KEY_SHOWN, key,
                    actual == NULL ? "is missing" : "has another value");

    /* a key cut inside of a character is no JSON string: say it without */
    if (json_array_append_new(errors, json_string(text)) != 0) {
        (void) json_array_append_new(errors,
                                     json_string("an entity does not match"));
    }
}
