/*
 * PostgreSQL's binary arrays, byte for byte.
 */

#include <stdlib.h>

#include "tap.h"
#include "voice_array.h"


static void numbers(void);
static void texts(void);
static int same(const voice_array_t *array, const char *hex);


int
main(void)
{
    numbers();
    texts();

    return done_testing();
}


/* What "select array_send(...)" gives for each. */
static void
numbers(void)
{
    char           buf[64];
    voice_array_t  array;

    voice_array_begin(&array, buf, VOICE_ARRAY_INT8, 2);
    voice_array_int8(&array, 1);
    voice_array_int8(&array, -2);

    ok(same(&array, "0000000100000000000000140000000200000001"
            "000000080000000000000001" "00000008fffffffffffffffe"),
       "an array of bigint is array[1, -2]");
    ok(voice_array_bytes(&array).len == voice_array_size(2, 16),
       "and as long as was told");

    voice_array_begin(&array, buf, VOICE_ARRAY_FLOAT8, 1);
    voice_array_float8(&array, 1732600000.25);

    ok(same(&array, "0000000100000000000002bd0000000100000001"
            "0000000841d9d15830100000"),
       "an array of float8 is array[1732600000.25]");
}


static void
texts(void)
{
    char           buf[64];
    voice_array_t  array;

    voice_array_begin(&array, buf, VOICE_ARRAY_TEXT, 3);
    voice_array_text(&array, VOICE_SPAN("a\"\\{,"));
    voice_array_text(&array, VOICE_SPAN(""));
    voice_array_text(&array, VOICE_SPAN("\xc3\xa9"));

    ok(same(&array, "0000000100000000000000190000000300000001"
            "0000000561225c7b2c" "00000000" "00000002c3a9"),
       "texts stand as they are, whatever they hold");
    ok(voice_array_bytes(&array).len == voice_array_size(3, 7),
       "and as long as was told");

    voice_array_begin(&array, buf, VOICE_ARRAY_TEXT, 2);
    voice_array_text(&array, VOICE_SPAN("a"));
    voice_array_text(&array, voice_span(NULL, 0));

    ok(same(&array, "0000000100000001000000190000000200000001"
            "0000000161" "ffffffff"),
       "a NULL is told by its length and by the flag");
}


static int
same(const voice_array_t *array, const char *hex)
{
    char          got[256];
    size_t        i;
    voice_span_t  bytes;

    bytes = voice_array_bytes(array);

    for (i = 0; i < bytes.len && i < sizeof(got) / 2 - 1; i++) {
        (void) snprintf(got + 2 * i, 3, "%02x",
                        (unsigned char) bytes.ptr[i]);
    }

    if (strcmp(got, hex) == 0) {
        return 1;
    }

    printf("#      got: %s\n# expected: %s\n", got, hex);

    return 0;
}
