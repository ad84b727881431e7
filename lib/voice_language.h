
/*
 * Language tags (BCP 47: RFC 5646, RFC 4647).
 */

#ifndef VOICE_LANGUAGE_H
#define VOICE_LANGUAGE_H


#include "voice_base.h"


#define VOICE_LANGUAGE_MAX  35         /* RFC 5646 4.4.1 */


/*
 * Writes the tag in its usual case: language-Script-REGION-variant, "_"
 * taken for "-"; out is NUL terminated.  Checks the form (RFC 5646 2.1
 * without grandfathered tags), not the registry.  VOICE_INVALID; VOICE_LIMIT
 * if over VOICE_LANGUAGE_MAX bytes.
 */
voice_rc_t voice_language_canonical(voice_span_t tag,
    char out[VOICE_LANGUAGE_MAX + 1]) VOICE_MUST_CHECK;

/*
 * Basic filtering (RFC 4647 3.3.1): is range the tag or a prefix of it that
 * ends at a "-"?  "es" matches "es-MX"; "*" matches all; any case.
 */
int voice_language_matches(voice_span_t range, voice_span_t tag);

/* The primary subtag ("es" of "es-MX"), pointing into tag. */
voice_span_t voice_language_primary(voice_span_t tag);


#endif /* VOICE_LANGUAGE_H */
