
/*
 * Objects: bytes that are too large for PostgreSQL, named by their content.
 * The same bytes have the same key, so putting twice is harmless and a key's
 * bytes never change.  One provider struct per kind of store.
 */

#ifndef WORKER_OBJECT_H
#define WORKER_OBJECT_H


#include "worker_settings.h"


#define WORKER_OBJECT_KEY_SIZE  80     /* with the NUL */
#define WORKER_OBJECT_MAX       (256u << 20)


typedef struct {
    const char  *name;                 /* "local" */

    /*
     * Stores bytes, which may be a mapped file, durably (synced before the
     * return) under their key, which is written, too.  Fails as
     * worker_object_key() does; VOICE_FAILED also if the store failed.
     */
    voice_rc_t (*put)(const worker_settings_t *settings, voice_span_t bytes,
        const char *suffix, char key[WORKER_OBJECT_KEY_SIZE]);

    /*
     * Reads an object of at most max bytes; the caller frees *bytes.
     * VOICE_INVALID for what is no key, VOICE_NOTFOUND, VOICE_LIMIT,
     * VOICE_FAILED also when the bytes no longer match the key.
     */
    voice_rc_t (*get)(const worker_settings_t *settings, const char *key,
        size_t max, char **bytes, size_t *len);

    /*
     * Deletes an object durably; good, too, where there is none.
     * VOICE_INVALID for what is no key, VOICE_FAILED if the store failed.
     */
    voice_rc_t (*remove)(const worker_settings_t *settings, const char *key);
} worker_object_store_t;


/* The store that the settings choose. */
const worker_object_store_t *worker_object_store(
    const worker_settings_t *settings);

/*
 * The key that bytes are stored under: "ab/<64 hex digits of
 * SHA-256>.<suffix>", where ab are the first two digits.  suffix: 1 .. 8 of
 * a-z and 0-9, it names the media type ("wav").  VOICE_LIMIT over
 * WORKER_OBJECT_MAX, VOICE_INVALID for the suffix, VOICE_FAILED.
 */
voice_rc_t worker_object_key(voice_span_t bytes, const char *suffix,
    char key[WORKER_OBJECT_KEY_SIZE]) VOICE_MUST_CHECK;

/* Is this the form of a key? */
int worker_object_key_valid(const char *key);


/* provider_object_local.c: files below object_dir; the edge serves them. */
extern const worker_object_store_t  worker_object_local;


#endif /* WORKER_OBJECT_H */
