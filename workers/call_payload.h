
/*
 * What was sent of a call: packets come from SQL in pages and are not kept,
 * so that a long call takes no more memory than a short one.  Texts are
 * joined by single spaces; sound goes to a recording.
 */

#ifndef CALL_PAYLOAD_H
#define CALL_PAYLOAD_H


#include "call_recording.h"
#include "provider.h"


typedef struct {
    const worker_settings_t  *settings;
    const worker_job_t       *job;

    char                     *text;    /* not NUL terminated; NULL: empty */
    size_t                    text_len;        /* call_text_max at most */
    size_t                    text_size;
    int64_t                   text_cut;        /* bytes left out */

    call_recording_t         *recording;       /* NULL: a call of text */
    voice_span_t              wav;     /* of it; empty: no sound came */

    int64_t                   packets;
    double                    first_at;        /* seconds, the sender's */
    double                    last_at;         /* clock */
} call_payload_t;


/*
 * Reads all packets of the job's call.  PROVIDER_OK, or PROVIDER_RETRY and
 * PROVIDER_DEAD with a fault.  The caller releases it whatever came.
 */
provider_e call_payload_gather(call_payload_t *payload,
    const worker_settings_t *settings, const worker_job_t *job,
    provider_fault_t *fault) VOICE_MUST_CHECK;
void call_payload_release(call_payload_t *payload);


#endif /* CALL_PAYLOAD_H */
