
/*
 * JSON Schema (draft 2020-12, the part that OpenAPI 3.1 needs) on jansson
 * trees: compiled once, then checked in time linear in the input.
 */

#ifndef VOICE_SCHEMA_H
#define VOICE_SCHEMA_H


#include "voice_json.h"


#define VOICE_PROBLEMS_MAX  20         /* further problems only count */


/* One thing that is wrong with a value. */
typedef struct {
    char  path[256];                   /* JSON Pointer, "" is the whole */
    char  reason[192];                 /* a sentence without the value */
} voice_problem_t;


typedef struct {
    voice_problem_t  items[VOICE_PROBLEMS_MAX];
    unsigned         count;            /* may be above VOICE_PROBLEMS_MAX */
} voice_problems_t;


typedef struct voice_schemas_s  voice_schemas_t;
typedef struct voice_schema_s   voice_schema_t;


/*
 * A set of compiled schemas over one document; "$ref" values are looked up
 * in it ("#/components/schemas/X").  The document is borrowed and must
 * outlive the set.  NULL: out of memory.
 */
voice_schemas_t *voice_schemas_create(const json_t *document);
void voice_schemas_destroy(voice_schemas_t *set);

/*
 * Compiles one schema, which is a part of the document or a value of its
 * own that outlives the set; each distinct schema is compiled once, so
 * recursion is fine.  The set owns the result.  NULL on failure, with
 * problem filled: path is where in the schema, reason what is wrong there
 * (unknown keyword, dangling $ref, bad pattern, wrong type of a keyword).
 * After a failure the set refuses all further schemas with that problem.
 */
const voice_schema_t *voice_schema_compile(voice_schemas_t *set,
    const json_t *schema, voice_problem_t *problem) VOICE_MUST_CHECK;
/* The same for a part of the document: place is the pointer to it. */
const voice_schema_t *voice_schema_compile_at(voice_schemas_t *set,
    const json_t *schema, const char *place, voice_problem_t *problem)
    VOICE_MUST_CHECK;

/*
 * Checks a value.  Adds what is wrong to problems, each path prefixed by
 * base (may be "").  VOICE_OK if nothing was added, VOICE_INVALID otherwise.
 */
voice_rc_t voice_schema_check(const voice_schema_t *schema,
    const json_t *value, const char *base, voice_problems_t *problems)
    VOICE_MUST_CHECK;

/*
 * Sets the absent object members that have a "default" (descends into
 * properties, items and $ref).  VOICE_NOMEM on failure.
 */
voice_rc_t voice_schema_defaults(const voice_schema_t *schema, json_t *value)
    VOICE_MUST_CHECK;

/*
 * Adds one problem; path and reason are cut to fit, reason as printf.  What
 * is not UTF-8 in them or a control becomes "?".
 */
void voice_problem_add(voice_problems_t *problems, const char *path,
    const char *reason, ...) __attribute__((format(printf, 3, 4)));

/* The problems as a JSON array of {path, reason}; the caller owns it. */
json_t *voice_problems_json(const voice_problems_t *problems);


#endif /* VOICE_SCHEMA_H */
