
/*
 * What every file of lib/ builds on: spans, result codes, small macros.
 */

#ifndef VOICE_BASE_H
#define VOICE_BASE_H


#include <stddef.h>
#include <stdint.h>
#include <string.h>


#define VOICE_MUST_CHECK       __attribute__((warn_unused_result))
#define VOICE_ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))


typedef enum {
    VOICE_OK = 0,
    VOICE_INVALID,            /* the input breaks a rule: the caller's fault */
    VOICE_NOMEM,
    VOICE_NOTFOUND,
    VOICE_LIMIT,              /* the input is over a size or depth bound */
    VOICE_FAILED              /* a library below us failed: our fault */
} voice_rc_t;


/* Bytes that somebody else owns; never NUL terminated by promise. */
typedef struct {
    const char  *ptr;
    size_t       len;
} voice_span_t;


#define VOICE_SPAN(literal)  ((voice_span_t) { literal, sizeof(literal) - 1 })


static inline voice_span_t
voice_span(const char *ptr, size_t len)
{
    return (voice_span_t) { ptr, len };
}


static inline voice_span_t
voice_span_str(const char *str)
{
    return (voice_span_t) { str, str == NULL ? 0 : strlen(str) };
}


static inline int
voice_span_eq(voice_span_t a, voice_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}


#endif /* VOICE_BASE_H */
