
/*
 * A thin face over jansson: strict flags, bounds, error positions.
 */

#ifndef VOICE_JSON_H
#define VOICE_JSON_H


#include <jansson.h>

#include "voice_base.h"


#define VOICE_JSON_DEPTH  64           /* nesting that we read, at most */


typedef struct {
    size_t  line;                      /* from 1 */
    size_t  column;                    /* from 1 */
    int     well_formed;               /* it is JSON, which we do not take */
    char    reason[128];               /* no byte of the input is quoted */
} voice_json_error_t;


/*
 * Parses one JSON text (RFC 8259): UTF-8 only, no duplicate names, no NUL in
 * strings, nesting up to VOICE_JSON_DEPTH.  Scalars are texts, too.  Returns
 * a value that the caller owns; NULL on failure, with *err filled.  What is
 * right by the grammar but has a name twice or a NUL is err->well_formed.
 */
json_t *voice_json_parse(voice_span_t text, voice_json_error_t *err)
    VOICE_MUST_CHECK;

/*
 * The same for a text of so many values at most, itself included; one that
 * seems to have more is not read (err->well_formed, though nobody looked).
 * Small values cost most: a microsecond each.
 */
json_t *voice_json_parse_bounded(voice_span_t text, size_t values,
    voice_json_error_t *err) VOICE_MUST_CHECK;

/*
 * The quick way of both (voice_json_plain.c): the same value, or NULL, which
 * says nothing about the text.  Strings cost a cycle for each byte or two.
 */
json_t *voice_json_plain(voice_span_t text, size_t values) VOICE_MUST_CHECK;

/*
 * The value at a JSON Pointer (RFC 6901) below root; borrowed, NULL if there
 * is none.
 */
json_t *voice_json_at(const json_t *root, const char *pointer);

/*
 * The same for a local reference: "#" and a percent-encoded JSON Pointer
 * (RFC 6901 section 6).
 */
json_t *voice_json_ref(const json_t *root, const char *ref);

/*
 * Sets the value at a JSON Pointer, all but the last member must exist.
 * Takes over the reference of value, also on failure.
 */
voice_rc_t voice_json_set(json_t *root, const char *pointer, json_t *value)
    VOICE_MUST_CHECK;

/* A string member of an object; an empty span if absent or no string. */
voice_span_t voice_json_text(const json_t *object, const char *name);


#endif /* VOICE_JSON_H */
