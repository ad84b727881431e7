
/*
 * Values of header fields: Idempotency-Key, entity tags, dates.
 */

#ifndef VOICE_HEADER_H
#define VOICE_HEADER_H


#include "voice_base.h"


#define VOICE_KEY_MAX        255       /* bytes of an idempotency key */
#define VOICE_HTTP_DATE_LEN  29        /* "Sun, 06 Nov 1994 08:49:37 GMT" */


/*
 * An Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-06): a
 * string of RFC 8941, or its inside alone as most clients send it; 1 to
 * VOICE_KEY_MAX visible ASCII characters.  Writes them without a NUL.
 * VOICE_INVALID: it is none.
 */
voice_rc_t voice_header_key(voice_span_t value, char out[VOICE_KEY_MAX],
    size_t *len) VOICE_MUST_CHECK;

/*
 * Does a list of entity tags ("*", or RFC 9110 8.8.3 with commas) name the
 * tag?  Weak comparison (8.8.3.2).  VOICE_OK: it does; VOICE_NOTFOUND: not;
 * VOICE_INVALID: it is no such list.
 */
voice_rc_t voice_header_tags(voice_span_t list, voice_span_t tag)
    VOICE_MUST_CHECK;

/*
 * Does an Accept (RFC 9110 12.5.1) take the media type ("text/html", lower
 * case)?  The range that fits best decides by its quality; parameters of the
 * type do not count.  Nothing in it takes anything.
 */
int voice_header_accepts(voice_span_t list, voice_span_t type);

/*
 * "2027-06-30T12:00:00Z" (that form only, years 1970 to 9999) in seconds
 * since 1970.  VOICE_INVALID: it is none.
 */
voice_rc_t voice_header_time(voice_span_t text, int64_t *seconds)
    VOICE_MUST_CHECK;

/* The same as an HTTP date (RFC 9110 5.6.7), NUL after. */
void voice_header_date(int64_t seconds, char out[VOICE_HTTP_DATE_LEN + 1]);


#endif /* VOICE_HEADER_H */
