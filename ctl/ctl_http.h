
/*
 * HTTP on libcurl: one attempt at a time, certificates verified, redirects
 * not followed, replies bounded.
 */

#ifndef CTL_HTTP_H
#define CTL_HTTP_H


#include <curl/curl.h>

#include "ctl_buffer.h"


#define CTL_HTTP_BODY_MAX      (64u << 20)
#define CTL_HTTP_CONNECT       10      /* seconds */
#define CTL_HTTP_USUAL         60      /* seconds of an attempt */


typedef struct {
    const char         *method;
    const char         *url;
    struct curl_slist  *headers;
    const char         *body;          /* NULL: none */
    long                ms;            /* of the attempt */
} ctl_http_request_t;


typedef struct {
    int           status;              /* 0: there is no reply */
    ctl_buffer_t  body;
    long          retry_after;         /* seconds; -1: not said */
    ctl_exit_e    problem;             /* CTL_OK: there is a reply */
    int           broken;              /* it may have been done */
    char          reason[200];         /* without any secret */
} ctl_http_reply_t;


/* Reads ca_file and such of ctl->profile, fills ctl->http. */
void ctl_http_open(ctl_t *ctl);
void ctl_http_close(ctl_http_t *http);

/* Blocks; always fills the reply, which ctl_http_release() empties. */
void ctl_http_send(ctl_http_t *http, const ctl_http_request_t *request,
    ctl_http_reply_t *reply);
void ctl_http_release(ctl_http_reply_t *reply);

/* What every transfer of ours has, for those who drive one themselves. */
int ctl_http_prepare(const ctl_http_t *http, CURL *curl,
    const ctl_http_request_t *request);

/* What a transfer's end means; a sentence to reply->reason. */
void ctl_http_judge(ctl_http_reply_t *reply, CURLcode code,
    const char *detail);

/* Percent-encodes a part of a URL; the caller frees it. */
char *ctl_http_escape(voice_span_t text);


#endif /* CTL_HTTP_H */
