
/*
 * A POST to the endpoint of a profile, with its key: what providers that
 * speak JSON share.
 */

#ifndef PROVIDER_POST_H
#define PROVIDER_POST_H


#include "provider.h"


#define PROVIDER_LINE  2048


typedef struct {
    const char             *who;       /* "the analysis": begins reasons */
    const char             *base;      /* where the profile has none; NULL:
                                          it must have one */
    const char             *path;
    voice_span_t            body;      /* JSON */
    worker_http_read_pt     read;      /* instead of body; NULL */
    void                   *read_data;
    worker_http_accept_pt   accept;    /* of the reply; NULL */
    void                   *accept_data;
} provider_post_t;


/*
 * One attempt, whatever the profile says of retries.  The caller clears
 * *reply, which is always filled.
 */
provider_e provider_post(const provider_call_t *call,
    const provider_post_t *post, worker_http_reply_t *reply,
    provider_fault_t *fault) VOICE_MUST_CHECK;


#endif /* PROVIDER_POST_H */
