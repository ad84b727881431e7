
/*
 * What a Redis says of itself, see voice_redis.h.
 */

#include "voice_redis.h"


voice_redis_memory_t
voice_redis_memory(voice_span_t info)
{
    voice_redis_memory_t  memory;

    memory.policy = voice_redis_field(info, "maxmemory_policy");
    memory.max = voice_redis_field(info, "maxmemory");
    memory.verdict = VOICE_REDIS_EVICTS;

    if (memory.policy.len == 0 || memory.max.len == 0) {
        memory.verdict = VOICE_REDIS_UNTOLD;

    } else if (voice_span_eq(memory.policy, VOICE_SPAN("noeviction"))
               || voice_span_eq(memory.max, VOICE_SPAN("0")))
    {
        memory.verdict = VOICE_REDIS_KEEPS;
    }

    return memory;
}


voice_span_t
voice_redis_field(voice_span_t info, const char *name)
{
    size_t       len, size;
    const char  *p, *end, *line;

    p = info.ptr;
    end = info.ptr + info.len;
    len = strlen(name);

    while (p < end) {
        line = memchr(p, '\n', (size_t) (end - p));
        size = (size_t) ((line == NULL ? end : line) - p);

        if (size > len && memcmp(p, name, len) == 0 && p[len] == ':') {
            size -= p[size - 1] == '\r';
            return voice_span(p + len + 1, size - len - 1);
        }

        if (line == NULL) {
            break;
        }

        p = line + 1;
    }

    return voice_span(NULL, 0);
}


int
voice_redis_elsewhere(voice_span_t error)
{
    size_t  i;

    static const voice_span_t  codes[] = {
        VOICE_SPAN("READONLY "),
        VOICE_SPAN("LOADING "),
        VOICE_SPAN("MASTERDOWN "),
        VOICE_SPAN("NOREPLICAS "),
        VOICE_SPAN("UNBLOCKED ")       /* it was a master when it was asked */
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(codes); i++) {
        if (error.len >= codes[i].len
            && memcmp(error.ptr, codes[i].ptr, codes[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
