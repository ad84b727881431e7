
/*
 * Fuzz target: Houndify's answers, and the headers of a request.
 */

#include <stdlib.h>

#include "voice_houndify.h"


#define FIELDS  6


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* Reads each byte of a span, so that a stale one is seen. */
static unsigned
touch(voice_span_t text)
{
    size_t    i;
    unsigned  sum;

    sum = 0;

    for (i = 0; i < text.len; i++) {
        sum += (unsigned char) text.ptr[i];
    }

    return sum;
}


static void
check_answer(voice_span_t body)
{
    volatile unsigned        sum;
    voice_houndify_answer_t  answer;

    memset(&answer, 0, sizeof(answer));

    if (voice_houndify_read_all(&answer, body) == VOICE_OK && !answer.final)
    {
        abort();
    }

    sum = touch(answer.partial) + touch(answer.transcription)
          + touch(answer.error) + touch(answer.command_kind)
          + touch(answer.spoken) + touch(answer.written)
          + touch(answer.intent) + touch(answer.audio)
          + (unsigned) json_object_size(answer.entities)
          + (unsigned) json_object_size(answer.conversation_state);
    (void) sum;

    voice_houndify_answer_release(&answer);
}


/* The headers are the lines of the input. */
static void
check_headers(voice_span_t text)
{
    size_t                    i;
    const char               *end;
    voice_span_t              fields[FIELDS];
    voice_houndify_client_t   client;
    voice_houndify_headers_t  headers;

    for (i = 0; i < FIELDS; i++) {
        end = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;
        fields[i] = voice_span(text.ptr, end == NULL
                                         ? text.len
                                         : (size_t) (end - text.ptr));
        text.ptr += fields[i].len + (end != NULL);
        text.len -= fields[i].len + (end != NULL);
    }

    headers = (voice_houndify_headers_t) {
        fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]
    };
    client = (voice_houndify_client_t) {
        VOICE_SPAN("c"), VOICE_SPAN("c2VjcmV0LWtleQ==")
    };

    /* no signature can be guessed */
    if (voice_houndify_verify(&client, &headers, 1600000000, NULL)
        == VOICE_HOUNDIFY_VALID)
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    voice_span_t  text;

    text = voice_span((const char *) data, size);

    check_answer(text);
    check_headers(text);

    return 0;
}
