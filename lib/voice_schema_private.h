/*
 * What the files voice_schema*.c share.  A compiled schema is a list of
 * rules, one for each keyword that checks something; a rule is a row of a
 * keyword table and what its compile function made of the keyword's value.
 */

#ifndef VOICE_SCHEMA_PRIVATE_H
#define VOICE_SCHEMA_PRIVATE_H


#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>

#include "voice_schema.h"


#define SCHEMA_INPLACE_MAX  64         /* schemas applied to one value */
#define SCHEMA_DEPTH_MAX    1024       /* nested checks */
#define SCHEMA_WORK_MAX     10000000   /* checks of one value and schema */


typedef struct schema_rule_s     schema_rule_t;
typedef struct schema_keyword_s  schema_keyword_t;
typedef struct schema_check_s    schema_check_t;
typedef struct schema_place_s    schema_place_t;


typedef int (*schema_format_pt)(voice_span_t text);


/* One schema below a keyword, or one pattern, or both. */
typedef struct {
    const char            *name;       /* the document's; NULL: none */
    const voice_schema_t  *schema;
    pcre2_code            *pattern;    /* owned */
} schema_branch_t;


/*
 * Fills a rule from its value.  On failure the set's problem is written by
 * schema_refuse(), whose result is returned.
 */
typedef voice_rc_t (*schema_compile_pt)(voice_schemas_t *set,
    schema_rule_t *rule);

/* Is the value good?  Otherwise a problem was added with schema_problem(). */
typedef int (*schema_check_pt)(const schema_rule_t *rule,
    schema_check_t *check, const json_t *value, const schema_place_t *place);

/* Sets defaults below a value. */
typedef voice_rc_t (*schema_fill_pt)(const schema_rule_t *rule,
    json_t *value);


struct schema_keyword_s {
    const char         *name;
    schema_compile_pt   compile;       /* NULL: an annotation */
    schema_check_pt     check;         /* NULL: read by another keyword */
    schema_fill_pt      fill;          /* NULL: no defaults below */
    int                 inplace;       /* its schemas see the same value */
};


struct schema_rule_s {
    const schema_keyword_t  *keyword;
    const voice_schema_t    *owner;
    const json_t            *value;
    schema_branch_t         *branches; /* owned */
    size_t                   nbranches;
    size_t                   limit;    /* of the keywords that count */
    const char              *name;     /* of a format */
    schema_format_pt         format;
    unsigned                 types;    /* bit per JSON type */
    schema_rule_t           *next;
};


struct voice_schema_s {
    const json_t    *source;           /* object or boolean */
    char            *place;            /* JSON Pointer, owned */
    schema_rule_t   *rules;
    unsigned         height;           /* of in-place schemas below, + 1 */
    unsigned         visiting:1;
    voice_schema_t  *next;             /* all of the set, as made */
    voice_schema_t  *same_bucket;
};


/* Where in the value we are; the parent lives on the caller's stack. */
struct schema_place_s {
    const schema_place_t  *up;         /* NULL: the root */
    const char            *name;       /* NULL: an array's item */
    size_t                 index;
};


struct schema_check_s {
    voice_problems_t  *problems;       /* NULL: only the answer counts */
    const char        *base;
    unsigned           depth;
    size_t             work;
    size_t             steps;          /* that patterns may have taken */
    const char        *broken;         /* why the answer is unknown */
};


/* The keyword tables; a row without a name ends each. */
extern const schema_keyword_t  schema_value_keywords[];
extern const schema_keyword_t  schema_object_keywords[];
extern const schema_keyword_t  schema_array_keywords[];
extern const schema_keyword_t  schema_logic_keywords[];


/* Compiling (voice_schema.c, voice_schema_rule.c). */

/* Finds or makes the node of a source; NULL: the set's problem says why. */
voice_schema_t *schema_register(voice_schemas_t *set, const json_t *source,
    const char *place);
/* Writes the set's problem; returns rc. */
voice_rc_t schema_fail(voice_schemas_t *set, voice_rc_t rc,
    const char *place, const char *reason);
const json_t *schema_document(const voice_schemas_t *set);

/* The same for the place of a keyword. */
voice_rc_t schema_refuse(voice_schemas_t *set, const schema_rule_t *rule,
    voice_rc_t rc, const char *reason);
/* The compiled form of a schema below a keyword; name NULL: the keyword. */
voice_rc_t schema_branch(voice_schemas_t *set, schema_rule_t *rule,
    const char *name, const json_t *schema);
/* An empty branch for the rule; NULL: out of memory. */
schema_branch_t *schema_branch_add(voice_schemas_t *set,
    schema_rule_t *rule);
/* Gives the branch added last its name and schema. */
voice_rc_t schema_branch_fill(voice_schemas_t *set, schema_rule_t *rule,
    const char *name, const json_t *schema);
/* The schemas of an object or array keyword, one branch for each. */
voice_rc_t schema_branches(voice_schemas_t *set, schema_rule_t *rule);
/* The one schema of a keyword. */
voice_rc_t schema_compile_one(voice_schemas_t *set, schema_rule_t *rule);
/* The keyword's value as rule->limit: an integer of at least 0. */
voice_rc_t schema_compile_limit(voice_schemas_t *set, schema_rule_t *rule);
/* The schema that a "$ref" points to. */
voice_rc_t schema_compile_ref(voice_schemas_t *set, schema_rule_t *rule);
/* The value of a neighbour keyword, NULL if there is none. */
const json_t *schema_beside(const schema_rule_t *rule, const char *keyword);
/* The rule of a neighbour keyword, NULL if there is none. */
const schema_rule_t *schema_rule_beside(const schema_rule_t *rule,
    const char *keyword);
/* The number of a neighbour keyword that counts. */
size_t schema_limit_beside(const schema_rule_t *rule, const char *keyword,
    size_t absent);


/* Checking (voice_schema_check.c). */

int schema_check_value(const voice_schema_t *schema, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
/* The same without adding problems. */
int schema_probe(const voice_schema_t *schema, schema_check_t *check,
    const json_t *value, const schema_place_t *place);
/* Adds a problem; always 0, for the check function to return. */
int schema_problem(schema_check_t *check, const schema_place_t *place,
    const char *reason, ...) __attribute__((format(printf, 3, 4)));
voice_rc_t schema_fill_value(const voice_schema_t *schema, json_t *value);
/* The default of a schema, also behind "$ref"; NULL if there is none. */
json_t *schema_default(const voice_schema_t *schema);
/*
 * Writes "/", the token, escaped as RFC 6901 asks, and a NUL; cuts to fit.
 * Returns the length.
 */
size_t schema_token_write(char *out, size_t size, const char *token);


/* Values (voice_schema_equal.c). */

/* Equality of JSON values: 1 and 1.0 are one number. */
int schema_equal(const json_t *a, const json_t *b);
/* Less than, 0 or above 0; both are numbers. */
int schema_compare(const json_t *a, const json_t *b);
/* Both are numbers, b above 0; exact to the precision of a double. */
int schema_is_multiple(const json_t *a, const json_t *b);
/* Has this real no fraction? */
int schema_is_whole(const json_t *value);
/* A text that two values share if and only if they are equal; free(). */
char *schema_canonical(const json_t *value, size_t *len);


/* Patterns (voice_schema_pattern.c). */

/* Adds a branch with the compiled pattern. */
voice_rc_t schema_pattern_branch(voice_schemas_t *set, schema_rule_t *rule,
    const char *pattern);
/* Does the string match?  No, and check->broken, past the bounds. */
int schema_pattern_check(const schema_branch_t *branch,
    schema_check_t *check, voice_span_t text);


/* Formats (voice_schema_format.c). */

/* The format's function, NULL if the name is only an annotation. */
schema_format_pt schema_format(const char *name);
int schema_format_ipv6(voice_span_t text);
/* (voice_schema_uri.c) */
int schema_format_uri(voice_span_t text);


#endif /* VOICE_SCHEMA_PRIVATE_H */
