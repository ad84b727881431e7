
/*
 * Scores of a tested answer: response patterns.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                    /* memmem */
#endif

#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "voice_score.h"
#include "voice_text.h"


#define MATCH_LIMIT    1000000         /* of PCRE2, about 50 ms */
#define DEPTH_LIMIT    20000
#define HEAP_LIMIT     16384           /* KiB */
#define PATTERN_SHOWN  64              /* bytes of a pattern in an error */
#define ERROR_MAX      192


typedef enum {
    FOUND = 0,
    ABSENT,
    BROKEN,                            /* the pattern is at fault */
    NO_MEMORY
} found_e;


/* The answer in both forms that are searched. */
typedef struct {
    voice_span_t   text;               /* as it stands */
    char          *folded;             /* any case, single spaces */
    size_t         len;
} answer_t;


typedef found_e (*find_pt)(const answer_t *answer, voice_span_t pattern);


/* A list of patterns, how one is looked for, and what is wrong then. */
typedef struct {
    const char  *name;
    find_pt      find;
    found_e      wrong;
    const char  *reason;
} rule_t;


static voice_rc_t check_list(const rule_t *rule, const json_t *list,
    const answer_t *answer, json_t *errors);
static found_e find_phrase(const answer_t *answer, voice_span_t pattern);
static found_e find_regex(const answer_t *answer, voice_span_t pattern);
static found_e match(pcre2_code *code, voice_span_t text);
static int asked(const json_t *content, const json_t *forbidden);
static int is_list(const json_t *value);
static voice_rc_t report(json_t *errors, const char *reason,
    voice_span_t pattern);


static const rule_t  rules[] = {
    { "contains", find_phrase, ABSENT, "the answer does not contain" },
    { "not_contains", find_phrase, FOUND, "the answer must not contain" },
    { "regex", find_regex, ABSENT, "the answer does not match" },
    { "regex_not_match", find_regex, FOUND, "the answer must not match" }
};

static const rule_t  forbidden_rule = {
    "forbidden_phrases", find_phrase, FOUND,
    "the answer has the forbidden phrase"
};


voice_rc_t
voice_score_patterns(const json_t *content, const json_t *forbidden,
    voice_span_t answer, json_t *errors, int *passed)
{
    size_t      i, before;
    answer_t    forms;
    voice_rc_t  rc;

    *passed = 0;

    if (!json_is_array(errors) || !is_list(forbidden)
        || (content != NULL && !json_is_null(content)
            && !json_is_object(content)))
    {
        return VOICE_INVALID;
    }

    before = json_array_size(errors);
    forms.text = answer;

    rc = voice_text_normalise(answer, VOICE_TEXT_KEEP_PUNCTUATION,
                              &forms.folded, &forms.len);
    if (rc != VOICE_OK) {
        return rc;
    }

    if (forms.len == 0 && asked(content, forbidden)) {
        rc = report(errors, "the answer is empty", voice_span(NULL, 0));
    }

    for (i = 0; rc == VOICE_OK && i < VOICE_ARRAY_SIZE(rules); i++) {
        rc = check_list(&rules[i], json_object_get(content, rules[i].name),
                        &forms, errors);
    }

    if (rc == VOICE_OK) {
        rc = check_list(&forbidden_rule, forbidden, &forms, errors);
    }

    *passed = rc == VOICE_OK && json_array_size(errors) == before;
    free(forms.folded);

    return rc;
}


static voice_rc_t
check_list(const rule_t *rule, const json_t *list, const answer_t *answer,
    json_t *errors)
{
    size_t         i;
    found_e        found;
    voice_rc_t     rc;
    voice_span_t   pattern;
    const json_t  *item;

    if (!is_list(list)) {
        return VOICE_INVALID;
    }

    if (json_array_size(list) > VOICE_SCORE_PATTERNS_MAX) {
        return VOICE_LIMIT;
    }

    rc = VOICE_OK;

    for (i = 0; rc == VOICE_OK && i < json_array_size(list); i++) {

        item = json_array_get(list, i);
        if (!json_is_string(item)) {
            return VOICE_INVALID;
        }

        pattern = voice_span(json_string_value(item),
                             json_string_length(item));
        found = pattern.len > VOICE_SCORE_PATTERN_MAX
                ? BROKEN : rule->find(answer, pattern);

        if (found == NO_MEMORY) {
            return VOICE_NOMEM;
        }

        if (found == BROKEN) {
            rc = report(errors, "this pattern cannot be used", pattern);

        } else if (found == rule->wrong) {
            rc = report(errors, rule->reason, pattern);
        }
    }

    return rc;
}


static found_e
find_phrase(const answer_t *answer, voice_span_t pattern)
{
    char        *folded;
    size_t       len;
    found_e      found;
    voice_rc_t   rc;

    rc = voice_text_normalise(pattern, VOICE_TEXT_KEEP_PUNCTUATION, &folded,
                              &len);
    if (rc != VOICE_OK) {
        return rc == VOICE_NOMEM ? NO_MEMORY : BROKEN;
    }

    found = ABSENT;

    if (len == 0) {
        found = BROKEN;

    } else if (memmem(answer->folded, answer->len, folded, len) != NULL) {
        found = FOUND;
    }

    free(folded);

    return found;
}


static found_e
find_regex(const answer_t *answer, voice_span_t pattern)
{
    int          error;
    size_t       offset;
    found_e      found;
    pcre2_code  *code;

    if (pattern.len == 0) {
        return BROKEN;
    }

    code = pcre2_compile((PCRE2_SPTR) pattern.ptr, pattern.len,
                         PCRE2_UTF | PCRE2_UCP | PCRE2_CASELESS
                         | PCRE2_NEVER_BACKSLASH_C, &error, &offset, NULL);
    if (code == NULL) {
        return error == PCRE2_ERROR_HEAP_FAILED ? NO_MEMORY : BROKEN;
    }

    found = match(code, answer->text);
    pcre2_code_free(code);

    return found;
}


static found_e
match(pcre2_code *code, voice_span_t text)
{
    int                   n;
    found_e               found;
    pcre2_match_data     *data;
    pcre2_match_context  *context;

    found = NO_MEMORY;
    data = pcre2_match_data_create(1, NULL);
    context = pcre2_match_context_create(NULL);

    if (data != NULL && context != NULL) {

        (void) pcre2_set_match_limit(context, MATCH_LIMIT);
        (void) pcre2_set_depth_limit(context, DEPTH_LIMIT);
        (void) pcre2_set_heap_limit(context, HEAP_LIMIT);

        n = pcre2_match(code, (PCRE2_SPTR) (text.len > 0 ? text.ptr : ""),
                        text.len, 0, 0, data, context);
        found = n >= 0 ? FOUND : n == PCRE2_ERROR_NOMATCH ? ABSENT : BROKEN;
    }

    pcre2_match_data_free(data);
    pcre2_match_context_free(context);

    return found;
}


/* Is there any pattern at all? */
static int
asked(const json_t *content, const json_t *forbidden)
{
    size_t  i, sum;

    sum = json_array_size(forbidden);

    for (i = 0; i < VOICE_ARRAY_SIZE(rules); i++) {
        sum += json_array_size(json_object_get(content, rules[i].name));
    }

    return sum > 0;
}


static int
is_list(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_array(value);
}


/* Patterns are the author's words, not the caller's: they may be shown. */
static voice_rc_t
report(json_t *errors, const char *reason, voice_span_t pattern)
{
    int      len;
    char     text[ERROR_MAX];
    json_t  *error;

    if (pattern.len == 0) {
        error = json_string(reason);

    } else {
        len = pattern.len < PATTERN_SHOWN ? (int) pattern.len
                                          : PATTERN_SHOWN;
        (void) snprintf(text, sizeof(text), "%s \"%.*s\"", reason, len,
                        pattern.ptr);
        error = json_string(text);

        /* cut inside of a character */
        error = error == NULL ? json_string(reason) : error;
    }

    return json_array_append_new(errors, error) == 0 ? VOICE_OK
                                                     : VOICE_NOMEM;
}
