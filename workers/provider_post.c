
/*
 * A POST to the endpoint of a profile.
 */

#include <stdio.h>

#include "provider_post.h"


provider_e
provider_post(const provider_call_t *call, const provider_post_t *post,
    worker_http_reply_t *reply, provider_fault_t *fault)
{
    int                      url_len, key_len;
    char                     url[PROVIDER_LINE], key[PROVIDER_LINE];
    const char              *base;
    worker_http_request_t    request;
    const worker_profile_t  *profile = call->profile;

    memset(reply, 0, sizeof(worker_http_reply_t));

    base = profile->base_url[0] == '\0' ? post->base : profile->base_url;
    if (base == NULL) {
        return provider_fail(fault, PROVIDER_DEAD, "the profile of %s has no "
                             "base_url", post->who);
    }

    url_len = snprintf(url, PROVIDER_LINE, "%s%s", base, post->path);
    key_len = snprintf(key, PROVIDER_LINE, "Authorization: Bearer %s",
                       profile->api_key);

    if (url_len >= PROVIDER_LINE || key_len >= PROVIDER_LINE) {
        return provider_fail(fault, PROVIDER_DEAD, "the settings of the "
                             "profile of %s are too long", post->who);
    }

    worker_http_request_init(&request, profile);
    request.method = "POST";
    request.url = url;
    request.headers[0] = "Content-Type: application/json";
    request.headers[1] = "Accept: application/json";
    request.headers[2] = profile->api_key[0] == '\0' ? NULL : key;
    request.body = post->body;
    request.read = post->read;
    request.read_data = post->read_data;
    request.accept = post->accept;
    request.accept_data = post->accept_data;
    request.retries = 0;
    request.deadline_ms = call->deadline_ms;

    if (worker_http_call(&request, reply) != WORKER_HTTP_OK) {
        return provider_http_fault(post->who, reply, fault);
    }

    return PROVIDER_OK;
}
