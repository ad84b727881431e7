
/*
 * Files named by what they were made of, kept below the cache directory.  A
 * file is complete or absent: it is written aside and renamed.  The
 * directory may be emptied at any time.
 */

#ifndef SPEECH_CACHE_H
#define SPEECH_CACHE_H


#include "../lib/voice_base.h"


#define SPEECH_CACHE_MAX  (16u * 1024 * 1024)  /* bytes of a file */


/*
 * Reads the file for a recipe; the caller frees *bytes.  VOICE_NOTFOUND also
 * when it cannot be read.
 */
voice_rc_t speech_cache_get(const char *dir, voice_span_t recipe,
    char **bytes, size_t *len) VOICE_MUST_CHECK;

/* Keeps a file; VOICE_FAILED: it is not kept, which harms nobody. */
voice_rc_t speech_cache_put(const char *dir, voice_span_t recipe,
    voice_span_t bytes) VOICE_MUST_CHECK;


#endif /* SPEECH_CACHE_H */
