
/*
 * What the keeper does for a queue's stream in Redis.
 */

#ifndef KEEPER_STREAM_H
#define KEEPER_STREAM_H


#include "worker_redis.h"


/*
 * Makes the stream and its group where they are not, removes entries that
 * nobody acknowledged for a minute and readers that are long gone, and keeps
 * it short.  What Redis does not answer to is left for the next time.
 */
void keeper_stream_tidy(worker_redis_t *redis, const char *stream);


#endif /* KEEPER_STREAM_H */
