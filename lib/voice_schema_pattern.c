/*
 * Regular expressions of schemas, on PCRE2 as near to ECMA-262 as it goes.
 */

#include <stdio.h>

#include "voice_schema_private.h"


/*
 * Bounds, so that an expression cannot stall the event loop: a match gets
 * few steps for each byte, which is enough for nearly all, then once more
 * many; both are taken from the budget of the whole check.
 */
#define PATTERN_STEPS_BASE   200
#define PATTERN_STEPS_BYTE   20        /* for each byte of the text */
#define PATTERN_STEPS_MANY   100000
#define PATTERN_STEPS_TOTAL  50000000  /* of one check */
#define PATTERN_HEAP_LIMIT   4096      /* KiB, for backtracking */
#define PATTERN_TEXT_MAX     65536     /* bytes of a string */


static int pattern_match(const pcre2_code *code, voice_span_t text,
    uint32_t steps);
static pcre2_code *pattern_create(const char *pattern, int *error);


voice_rc_t
schema_pattern_branch(voice_schemas_t *set, schema_rule_t *rule,
    const char *pattern)
{
    int               error;
    char              reason[128];
    schema_branch_t  *branch;

    branch = schema_branch_add(set, rule);

    if (branch == NULL) {
        return VOICE_NOMEM;
    }

    branch->pattern = pattern_create(pattern, &error);

    if (branch->pattern != NULL) {
        return VOICE_OK;
    }

    if (pcre2_get_error_message(error, (PCRE2_UCHAR *) reason,
                                sizeof(reason))
        < 0)
    {
        (void) snprintf(reason, sizeof(reason), "is no regular expression");
    }

    return schema_refuse(set, rule, VOICE_INVALID, reason);
}


int
schema_pattern_check(const schema_branch_t *branch, schema_check_t *check,
    voice_span_t text)
{
    int       rc;
    uint32_t  steps;

    rc = PCRE2_ERROR_MATCHLIMIT;

    if (text.len <= PATTERN_TEXT_MAX && check->steps < PATTERN_STEPS_TOTAL) {
        steps = PATTERN_STEPS_BASE
                + (uint32_t) text.len * PATTERN_STEPS_BYTE;
        check->steps += steps;
        rc = pattern_match(branch->pattern, text, steps);

        if (rc == PCRE2_ERROR_MATCHLIMIT) {
            check->steps += PATTERN_STEPS_MANY;
            rc = pattern_match(branch->pattern, text, PATTERN_STEPS_MANY);
        }
    }

    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) {
        check->broken = "has a text that takes too long to check";
    }

    /* 0 is a match whose groups did not fit into the data */

    return rc >= 0;
}


static int
pattern_match(const pcre2_code *code, voice_span_t text, uint32_t steps)
{
    int                   rc;
    pcre2_match_data     *data;
    pcre2_match_context  *bounds;

    rc = PCRE2_ERROR_NOMEMORY;
    data = pcre2_match_data_create(1, NULL);
    bounds = pcre2_match_context_create(NULL);

    if (data != NULL && bounds != NULL) {
        (void) pcre2_set_match_limit(bounds, steps);
        (void) pcre2_set_heap_limit(bounds, PATTERN_HEAP_LIMIT);

        rc = pcre2_match(code, (PCRE2_SPTR) text.ptr, text.len, 0,
                         PCRE2_NO_UTF_CHECK, data, bounds);
    }

    pcre2_match_context_free(bounds);
    pcre2_match_data_free(data);

    return rc;
}


static pcre2_code *
pattern_create(const char *pattern, int *error)
{
    pcre2_code             *code;
    PCRE2_SIZE              where;
    pcre2_compile_context  *context;

    *error = PCRE2_ERROR_NOMEMORY;
    context = pcre2_compile_context_create(NULL);

    if (context == NULL) {
        return NULL;
    }

    (void) pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
    (void) pcre2_set_parens_nest_limit(context, 64);

    code = pcre2_compile((PCRE2_SPTR) pattern, PCRE2_ZERO_TERMINATED,
                         PCRE2_UTF|PCRE2_DOLLAR_ENDONLY
                         |PCRE2_MATCH_UNSET_BACKREF|PCRE2_NEVER_BACKSLASH_C
                         |PCRE2_ALLOW_EMPTY_CLASS,
                         error, &where, context);

    pcre2_compile_context_free(context);

    return code;
}
