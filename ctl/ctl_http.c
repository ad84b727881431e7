
/*
 * HTTP on libcurl.
 */

#include <strings.h>
#include <time.h>

#include "ctl_http.h"
#include "ctl_profile.h"
#include "ctl_signal.h"


#define HTTP_RETRY_MAX  86400          /* seconds that a host may ask for */


struct ctl_http_s {
    CURL  *curl;
    char  *ca_file;
    int    loopback;                   /* no proxy leads there */
};


static size_t on_body(char *data, size_t size, size_t count, void *user);
static size_t on_header(char *data, size_t size, size_t count, void *user);
static int on_progress(void *user, curl_off_t down_all, curl_off_t down,
    curl_off_t up_all, curl_off_t up);
static long read_retry(const char *value);


static const struct {
    CURLcode     code;
    ctl_exit_e   problem;
    int          broken;
    const char  *reason;
} codes[] = {
    { CURLE_COULDNT_RESOLVE_HOST, CTL_UNREACHABLE, 0,
      "there is no such host" },
    { CURLE_COULDNT_RESOLVE_PROXY, CTL_UNREACHABLE, 0,
      "there is no such proxy" },
    { CURLE_COULDNT_CONNECT, CTL_UNREACHABLE, 0, "nobody answers there" },
    { CURLE_OPERATION_TIMEDOUT, CTL_TIMEOUT, 1,
      "the answer took too long" },
    { CURLE_SSL_CONNECT_ERROR, CTL_UNREACHABLE, 0, "TLS failed" },
    { CURLE_PEER_FAILED_VERIFICATION, CTL_UNREACHABLE, 0,
      "the certificate is not trusted" },
    { CURLE_SSL_CACERT_BADFILE, CTL_USAGE, 0,
      "the file of certificates cannot be read" },
    { CURLE_SEND_ERROR, CTL_UNREACHABLE, 1, "the connection broke" },
    { CURLE_RECV_ERROR, CTL_UNREACHABLE, 1, "the connection broke" },
    { CURLE_GOT_NOTHING, CTL_UNREACHABLE, 1, "the connection broke" },
    { CURLE_PARTIAL_FILE, CTL_UNREACHABLE, 1, "the reply was cut short" },
    { CURLE_HTTP2, CTL_UNREACHABLE, 1, "the connection broke" },
    { CURLE_HTTP2_STREAM, CTL_UNREACHABLE, 1, "the connection broke" },
    { CURLE_ABORTED_BY_CALLBACK, CTL_INTERRUPTED, 0, "interrupted" },
    { CURLE_WRITE_ERROR, CTL_SERVICE, 0, "the reply is too large" },
    { CURLE_WEIRD_SERVER_REPLY, CTL_SERVICE, 0, "that is no HTTP" },
    { CURLE_UNSUPPORTED_PROTOCOL, CTL_SERVICE, 0, "that is no HTTP" }
};


void
ctl_http_open(ctl_t *ctl)
{
    const char  *host;
    ctl_http_t  *http;

    http = ctl_alloc(sizeof(ctl_http_t));
    http->curl = curl_easy_init();

    if (ctl->profile->ca_file != NULL) {
        http->ca_file = ctl_copy(voice_span_str(ctl->profile->ca_file));
    }

    host = strstr(ctl->profile->url, "://") + 3;
    http->loopback = strncmp(host, "127.", 4) == 0
                     || strncmp(host, "[::1]", 5) == 0
                     || strncmp(host, "localhost", 9) == 0;
    ctl->http = http;
}


void
ctl_http_close(ctl_http_t *http)
{
    if (http != NULL) {
        curl_easy_cleanup(http->curl);
        free(http->ca_file);
        free(http);
    }
}


void
ctl_http_send(ctl_http_t *http, const ctl_http_request_t *request,
    ctl_http_reply_t *reply)
{
    char      detail[CURL_ERROR_SIZE] = "";
    CURLcode  code;

    memset(reply, 0, sizeof(ctl_http_reply_t));
    reply->retry_after = -1;

    if (http->curl == NULL || !ctl_http_prepare(http, http->curl, request)
        || curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, on_body)
        || curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, reply)
        || curl_easy_setopt(http->curl, CURLOPT_HEADERFUNCTION, on_header)
        || curl_easy_setopt(http->curl, CURLOPT_HEADERDATA, reply)
        || curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, request->ms)
        || curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, detail))
    {
        code = CURLE_FAILED_INIT;

    } else {
        code = curl_easy_perform(http->curl);
    }

    ctl_http_judge(reply, code, detail);

    if (reply->problem == CTL_OK) {
        long  status = 0;

        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
        reply->status = (int) status;
    }

    if (http->curl != NULL) {
        /* the connection stays, nothing else does */
        curl_easy_reset(http->curl);
    }
}


void
ctl_http_release(ctl_http_reply_t *reply)
{
    if (reply->body.data != NULL) {
        explicit_bzero(reply->body.data, reply->body.len);
    }

    ctl_buffer_release(&reply->body);
}


int
ctl_http_prepare(const ctl_http_t *http, CURL *curl,
    const ctl_http_request_t *request)
{
    int  bad;

    bad = curl_easy_setopt(curl, CURLOPT_URL, request->url)
          || curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https")
          || curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L)
          || curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L)
          || curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L)
          || curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L)
          || curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L)
          || curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress)
          || curl_easy_setopt(curl, CURLOPT_USERAGENT,
                              "voicectl/" CTL_VERSION)
          || curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT,
                              (long) CTL_HTTP_CONNECT)
          || curl_easy_setopt(curl, CURLOPT_HTTPHEADER, request->headers);

    if (http->loopback) {
        bad |= curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") != CURLE_OK;
    }

    if (http->ca_file != NULL) {
        bad |= curl_easy_setopt(curl, CURLOPT_CAINFO, http->ca_file)
               != CURLE_OK;
    }

    if (request->body != NULL) {
        bad |= curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, request->body)
               != CURLE_OK;
    }

    bad |= curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method)
           != CURLE_OK;

    return !bad;
}


void
ctl_http_judge(ctl_http_reply_t *reply, CURLcode code, const char *detail)
{
    size_t       i;
    const char  *reason;

    if (code == CURLE_OK) {
        return;
    }

    reply->problem = CTL_LOCAL;
    reason = curl_easy_strerror(code);

    for (i = 0; i < VOICE_ARRAY_SIZE(codes); i++) {
        if (codes[i].code == code) {
            reply->problem = codes[i].problem;
            reply->broken = codes[i].broken;
            reason = codes[i].reason;
        }
    }

    if (detail == NULL || detail[0] == '\0') {
        snprintf(reply->reason, sizeof(reply->reason), "%s", reason);

    } else {
        snprintf(reply->reason, sizeof(reply->reason), "%s (%.150s)", reason,
                 detail);
    }
}


char *
ctl_http_escape(voice_span_t text)
{
    size_t         i;
    ctl_buffer_t   out = { 0 };
    unsigned char  c;

    ctl_buffer_put(&out, "");

    for (i = 0; i < text.len; i++) {
        c = (unsigned char) text.ptr[i];

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
            || (c >= 'a' && c <= 'z')
            || (c != '\0' && strchr("-._~,", c) != NULL))
        {
            ctl_buffer_add(&out, voice_span(text.ptr + i, 1));

        } else {
            ctl_buffer_format(&out, "%%%02X", c);
        }
    }

    return out.data;
}


static size_t
on_body(char *data, size_t size, size_t count, void *user)
{
    ctl_http_reply_t  *reply;

    reply = user;
    size *= count;

    if (reply->body.len + size > CTL_HTTP_BODY_MAX) {
        return 0;
    }

    ctl_buffer_add(&reply->body, voice_span(data, size));

    return size;
}


static size_t
on_header(char *data, size_t size, size_t count, void *user)
{
    char               value[64];
    ctl_http_reply_t  *reply;

    reply = user;
    size *= count;

    if (size > 12 && strncasecmp(data, "retry-after:", 12) == 0) {
        snprintf(value, sizeof(value), "%.*s", (int) (size - 12), data + 12);
        reply->retry_after = read_retry(value);
    }

    return size;
}


/* Ends the transfer when we are asked to. */
static int
on_progress(void *user, curl_off_t down_all, curl_off_t down,
    curl_off_t up_all, curl_off_t up)
{
    (void) user;
    (void) down_all;
    (void) down;
    (void) up_all;
    (void) up;

    return ctl_interrupted();
}


/* Seconds, or an HTTP date (RFC 9110 10.2.3); -1: neither. */
static long
read_retry(const char *value)
{
    char    *end;
    long     seconds;
    time_t   when;

    value += strspn(value, " \t");
    seconds = strtol(value, &end, 10);

    if (end == value || (*end != '\0' && strchr(" \t\r\n", *end) == NULL)) {
        when = curl_getdate(value, NULL);

        if (when == -1) {
            return -1;
        }

        seconds = (long) (when - time(NULL));
    }

    return seconds < 0 ? 0
           : seconds > HTTP_RETRY_MAX ? HTTP_RETRY_MAX : seconds;
}
