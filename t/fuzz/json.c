/*
 * Fuzz: a pointer, a line feed, a JSON text.  What is read must come back
 * from its own dump.
 */

#include <stdlib.h>

#include "voice_json.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void round_trip(const json_t *value);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                *pointer;
    size_t               len;
    json_t              *value;
    const uint8_t       *end;
    voice_json_error_t   err;

    end = size == 0 ? NULL : memchr(data, '\n', size);
    len = end == NULL ? 0 : (size_t) (end - data);
    pointer = strndup((const char *) data, len);

    if (pointer == NULL) {
        return 0;
    }

    len += end != NULL;
    value = voice_json_parse(voice_span((const char *) data + len,
                                        size - len), &err);

    if (value != NULL) {
        round_trip(value);
        (void) voice_json_at(value, pointer);
        (void) voice_json_ref(value, pointer);
    }

    /* "-" is the place behind the last item: none, once something is set */

    if (voice_json_set(value, pointer, json_integer(7)) == VOICE_OK
        && voice_json_at(value, pointer) == NULL
        && pointer[strlen(pointer) - 1] != '-')
    {
        abort();
    }

    json_decref(value);
    free(pointer);

    return 0;
}


static void
round_trip(const json_t *value)
{
    char                *text;
    json_t              *back;
    voice_json_error_t   err;

    text = json_dumps(value, JSON_COMPACT|JSON_ENCODE_ANY);

    if (text == NULL) {
        abort();
    }

    back = voice_json_parse(voice_span_str(text), &err);

    if (back == NULL || !json_equal(value, back)) {
        abort();
    }

    json_decref(back);
    free(text);
}
