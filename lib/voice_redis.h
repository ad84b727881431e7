
/*
 * What the edge and the pool read alike in what a Redis says of itself.
 */

#ifndef VOICE_REDIS_H
#define VOICE_REDIS_H


#include "voice_base.h"


typedef enum {
    VOICE_REDIS_KEEPS = 0,             /* it refuses writes when it is full */
    VOICE_REDIS_EVICTS,                /* ... it throws away what it holds */
    VOICE_REDIS_UNTOLD                 /* it does not say */
} voice_redis_memory_e;


/* Spans of the text that it was read in. */
typedef struct {
    voice_redis_memory_e  verdict;
    voice_span_t          policy;      /* "allkeys-lru" */
    voice_span_t          max;         /* bytes, "0": no bound */
} voice_redis_memory_t;


/*
 * By the reply to INFO memory, which servers give that forbid CONFIG.  What
 * has no bound evicts nothing.
 */
voice_redis_memory_t voice_redis_memory(voice_span_t info);

/* The value of a field in a reply to INFO; ptr NULL: it is not there. */
voice_span_t voice_redis_field(voice_span_t info, const char *name);

/*
 * Does this error reply say that another server is to be asked: that this one
 * is no master, is cut off from its replicas, or still reads its data?
 */
int voice_redis_elsewhere(voice_span_t error);


#endif /* VOICE_REDIS_H */
