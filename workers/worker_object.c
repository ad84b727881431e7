
/*
 * The choice of the object store, and the form of keys.
 */

#include "../lib/voice_code.h"
#include "worker_object.h"


#define KEY_DIGITS  64


const worker_object_store_t *
worker_object_store(const worker_settings_t *settings)
{
    (void) settings;                   /* one kind of store so far */

    return &worker_object_local;
}


voice_rc_t
worker_object_key(voice_span_t bytes, const char *suffix,
    char key[WORKER_OBJECT_KEY_SIZE])
{
    char  hex[VOICE_SHA256_LEN * 2 + 1];

    if (bytes.len > WORKER_OBJECT_MAX) {
        return VOICE_LIMIT;
    }

    if (voice_sha256_hex(hex, bytes) != VOICE_OK) {
        return VOICE_FAILED;
    }

    snprintf(key, WORKER_OBJECT_KEY_SIZE, "%.2s/%s.%.9s", hex, hex, suffix);

    return worker_object_key_valid(key) ? VOICE_OK : VOICE_INVALID;
}


int
worker_object_key_valid(const char *key)
{
    size_t       len;
    const char  *digits, *suffix;

    static const char  hex[] = "0123456789abcdef";

    if (strlen(key) >= WORKER_OBJECT_KEY_SIZE || strspn(key, hex) != 2
        || key[2] != '/')
    {
        return 0;
    }

    digits = key + 3;

    if (strspn(digits, hex) != KEY_DIGITS || digits[KEY_DIGITS] != '.'
        || strncmp(key, digits, 2) != 0)
    {
        return 0;
    }

    suffix = digits + KEY_DIGITS + 1;
    len = strspn(suffix, "abcdefghijklmnopqrstuvwxyz0123456789");

    return len >= 1 && len <= 8 && suffix[len] == '\0';
}
