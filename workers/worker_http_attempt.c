
/*
 * One attempt of an outbound call on libcurl's easy interface.  Two handles
 * are kept, one for calls that may reach private addresses: a connection
 * that one made is never used by the other.
 */

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "worker_address.h"
#include "worker_child.h"
#include "worker_clock.h"
#include "worker_http_attempt.h"
#include "worker_trace.h"


#define HTTP_CONNECT_MS   5000
#define HTTP_TIMEOUT_MS   30000
#define HTTP_HEADERS_MAX  16384        /* bytes of a reply's headers */
#define HTTP_BODY_MIN     4096


/* What the callbacks of one attempt share. */
typedef struct {
    const worker_http_request_t  *request;
    worker_http_reply_t          *reply;
    CURL                         *curl;
    int64_t                       begin_ms;
    size_t                        body_size;
    size_t                        headers_len;
    worker_http_e                 stopped;     /* why a callback ended it */
} attempt_t;


static CURL *attempt_handle(const worker_http_request_t *request);
static int attempt_options(attempt_t *a, struct curl_slist *headers);
static int attempt_limits(attempt_t *a);
static int attempt_body(attempt_t *a);
static struct curl_slist *attempt_headers(
    const worker_http_request_t *request);
static void attempt_reset(worker_http_reply_t *reply);
static void attempt_result(attempt_t *a, CURLcode code, const char *origin);
static void attempt_times(attempt_t *a);
static void attempt_known_headers(attempt_t *a);
static worker_http_e result_of(CURLcode code);
static int on_time(void *data, curl_off_t total, curl_off_t now,
    curl_off_t up_total, curl_off_t up_now);
static size_t on_read(char *buf, size_t size, size_t n, void *data);
static size_t on_body(char *buf, size_t size, size_t n, void *data);
static size_t on_header(char *buf, size_t size, size_t n, void *data);
static curl_socket_t on_socket(void *data, curlsocktype purpose,
    struct curl_sockaddr *address);
static int body_room(attempt_t *a, size_t more);


/* libcurl's handles of this process: [allow_private]. */
static CURL  *handles[2];


static const struct {
    CURLcode       code;
    worker_http_e  result;
} codes[] = {
    { CURLE_OK, WORKER_HTTP_OK },
    { CURLE_COULDNT_RESOLVE_HOST, WORKER_HTTP_CONNECT },
    { CURLE_COULDNT_CONNECT, WORKER_HTTP_CONNECT },
    { CURLE_OPERATION_TIMEDOUT, WORKER_HTTP_TIMEOUT },
    { CURLE_SSL_CONNECT_ERROR, WORKER_HTTP_TLS },
    { CURLE_PEER_FAILED_VERIFICATION, WORKER_HTTP_TLS },
    { CURLE_SSL_CERTPROBLEM, WORKER_HTTP_TLS },
    { CURLE_SSL_CACERT_BADFILE, WORKER_HTTP_TLS },
    { CURLE_SEND_ERROR, WORKER_HTTP_BROKEN },
    { CURLE_RECV_ERROR, WORKER_HTTP_BROKEN },
    { CURLE_GOT_NOTHING, WORKER_HTTP_BROKEN },
    { CURLE_PARTIAL_FILE, WORKER_HTTP_BROKEN },
    { CURLE_WEIRD_SERVER_REPLY, WORKER_HTTP_BROKEN },
    { CURLE_HTTP2, WORKER_HTTP_BROKEN },
    { CURLE_HTTP2_STREAM, WORKER_HTTP_BROKEN },
    { CURLE_UNSUPPORTED_PROTOCOL, WORKER_HTTP_BROKEN },    /* no HTTP/1 */
    { CURLE_URL_MALFORMAT, WORKER_HTTP_REFUSED }
};


void
worker_http_attempt(const worker_http_request_t *request,
    worker_http_reply_t *reply, const char *origin)
{
    attempt_t           a;
    struct curl_slist  *headers;

    memset(&a, 0, sizeof(attempt_t));
    a.request = request;
    a.reply = reply;
    a.curl = attempt_handle(request);

    attempt_reset(reply);
    headers = attempt_headers(request);

    if (a.curl == NULL || headers == NULL || !attempt_options(&a, headers)) {
        worker_http_problem(reply, WORKER_HTTP_INTERNAL,
                            "libcurl cannot be set up");

    } else if (attempt_limits(&a)) {
        a.begin_ms = worker_now_ms();
        attempt_result(&a, curl_easy_perform(a.curl), origin);
    }

    if (a.curl != NULL) {
        /* connections stay; nothing of this call does */
        curl_easy_reset(a.curl);
    }

    curl_slist_free_all(headers);
}


void
worker_http_attempt_cleanup(void)
{
    unsigned  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(handles); i++) {
        curl_easy_cleanup(handles[i]);
        handles[i] = NULL;
    }
}


static CURL *
attempt_handle(const worker_http_request_t *request)
{
    CURL  **handle;

    handle = &handles[request->allow_private];

    if (*handle == NULL) {
        *handle = curl_easy_init();
    }

    return *handle;
}


static int
attempt_options(attempt_t *a, struct curl_slist *headers)
{
    CURL                         *c;
    CURLcode                      code;
    const worker_http_request_t  *request;

    c = a->curl;
    request = a->request;

    code = curl_easy_setopt(c, CURLOPT_URL, request->url);
    code |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    code |= curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, request->method);
    code |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    code |= curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    code |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    code |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    code |= curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    code |= curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    code |= curl_easy_setopt(c, CURLOPT_USERAGENT, "voicegate-worker");
    code |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    code |= curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
    code |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    code |= curl_easy_setopt(c, CURLOPT_HEADERDATA, a);
    code |= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    code |= curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_time);
    code |= curl_easy_setopt(c, CURLOPT_XFERINFODATA, a);

    if (request->unix_socket != NULL) {
        code |= curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH,
                                 request->unix_socket);

    } else if (!request->allow_private) {
        code |= curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
        code |= curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, a);
    }

    return code == CURLE_OK && attempt_body(a);
}


/* 0: there is no time left. */
static int
attempt_limits(attempt_t *a)
{
    int64_t                       left, timeout, connect;
    const worker_http_request_t  *request;

    request = a->request;
    timeout = request->timeout_ms == 0 ? HTTP_TIMEOUT_MS
                                       : request->timeout_ms;
    connect = request->connect_ms == 0 ? HTTP_CONNECT_MS
                                       : request->connect_ms;

    if (request->deadline_ms != 0) {
        left = request->deadline_ms - worker_now_ms();

        if (left <= 0) {
            worker_http_problem(a->reply, WORKER_HTTP_TIMEOUT,
                                "the deadline has passed");
            return 0;
        }

        timeout = left < timeout ? left : timeout;
    }

    curl_easy_setopt(a->curl, CURLOPT_TIMEOUT_MS, (long) timeout);
    curl_easy_setopt(a->curl, CURLOPT_CONNECTTIMEOUT_MS,
                     (long) (connect < timeout ? connect : timeout));

    return 1;
}


static int
attempt_body(attempt_t *a)
{
    CURL                         *c;
    CURLcode                      code;
    const worker_http_request_t  *request;

    c = a->curl;
    request = a->request;

    if (strcmp(request->method, "HEAD") == 0) {
        return curl_easy_setopt(c, CURLOPT_NOBODY, 1L) == CURLE_OK;
    }

    if (request->read != NULL) {
        code = curl_easy_setopt(c, CURLOPT_POST, 1L);
        code |= curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
        code |= curl_easy_setopt(c, CURLOPT_READDATA, a);

        return code == CURLE_OK;
    }

    if (request->body.len > 0 || strcmp(request->method, "POST") == 0) {
        code = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t) request->body.len);
        code |= curl_easy_setopt(c, CURLOPT_POSTFIELDS,
                                 request->body.ptr == NULL
                                 ? "" : request->body.ptr);

        return code == CURLE_OK;
    }

    return 1;
}


static struct curl_slist *
attempt_headers(const worker_http_request_t *request)
{
    char                trace[WORKER_TRACE_LINE];
    unsigned            i;
    struct curl_slist  *list, *next;

    /* no waiting for "100 Continue" */
    list = curl_slist_append(NULL, "Expect:");

    if (list != NULL && request->read != NULL) {
        next = curl_slist_append(list, "Transfer-Encoding: chunked");
        if (next == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
    }

    if (list != NULL && worker_trace_line(trace)) {
        next = curl_slist_append(list, trace);
        if (next == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
    }

    for (i = 0; list != NULL && request->headers[i] != NULL; i++) {
        next = curl_slist_append(list, request->headers[i]);

        if (next == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
    }

    return list;
}


/* What an attempt before this one has left. */
static void
attempt_reset(worker_http_reply_t *reply)
{
    free(reply->body);
    free(reply->headers);

    reply->result = WORKER_HTTP_OK;
    reply->status = 0;
    reply->body = NULL;
    reply->len = 0;
    reply->headers = NULL;
    reply->content_type[0] = '\0';
    reply->error[0] = '\0';
    reply->retry_after = 0;
    reply->connected_ms = -1;
    reply->sent_ms = -1;
    reply->first_byte_ms = -1;
    reply->total_ms = -1;
}


static void
attempt_result(attempt_t *a, CURLcode code, const char *origin)
{
    long                  status;
    worker_http_e         result;
    worker_http_reply_t  *reply;

    reply = a->reply;
    status = 0;

    curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int) status;
    attempt_times(a);
    attempt_known_headers(a);

    result = a->stopped != WORKER_HTTP_OK ? a->stopped : result_of(code);

    if (result == WORKER_HTTP_OK && (status < 200 || status > 299)) {
        worker_http_problem(reply, WORKER_HTTP_STATUS,
                            "\"%.100s\" answered with status %d", origin,
                            (int) status);

    } else if (result == WORKER_HTTP_OK) {
        reply->result = WORKER_HTTP_OK;

    } else {
        worker_http_problem(reply, result, "\"%.80s\": %s", origin,
                            a->stopped != WORKER_HTTP_OK
                            ? worker_http_reason(a->stopped)
                            : curl_easy_strerror(code));
    }
}


static void
attempt_times(attempt_t *a)
{
    curl_off_t            us;
    worker_http_reply_t  *reply;

    reply = a->reply;
    reply->total_ms = worker_now_ms() - a->begin_ms;
    us = 0;

    if (curl_easy_getinfo(a->curl, CURLINFO_PRETRANSFER_TIME_T, &us)
        == CURLE_OK && us > 0)
    {
        reply->connected_ms = us / 1000;
    }

    /* a body from memory is handed over as soon as there is a connection */
    if (a->request->read == NULL) {
        reply->sent_ms = reply->connected_ms;
    }
}


static void
attempt_known_headers(attempt_t *a)
{
    curl_off_t            seconds;
    voice_span_t          value;
    worker_http_reply_t  *reply;

    reply = a->reply;
    seconds = 0;

    value = worker_http_header(reply, "Content-Type");
    snprintf(reply->content_type, sizeof(reply->content_type), "%.*s",
             (int) value.len, value.len == 0 ? "" : value.ptr);

    /* seconds or a date */
    if (curl_easy_getinfo(a->curl, CURLINFO_RETRY_AFTER, &seconds)
        == CURLE_OK && seconds > 0 && seconds <= 86400)
    {
        reply->retry_after = (int) seconds;
    }
}


static worker_http_e
result_of(CURLcode code)
{
    unsigned  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(codes); i++) {
        if (codes[i].code == code) {
            return codes[i].result;
        }
    }

    return WORKER_HTTP_INTERNAL;
}


/* Called once a second at least. */
static int
on_time(void *data, curl_off_t total, curl_off_t now, curl_off_t up_total,
    curl_off_t up_now)
{
    attempt_t  *a;

    (void) total; (void) now; (void) up_total; (void) up_now;

    a = data;

    if (worker_child_cancelled()) {
        a->stopped = WORKER_HTTP_ABORTED;
        return 1;
    }

    return 0;
}


static size_t
on_read(char *buf, size_t size, size_t n, void *data)
{
    long        got;
    attempt_t  *a;

    a = data;
    got = a->request->read(a->request->read_data, buf, size * n);

    if (got < 0 || (size_t) got > size * n) {
        a->stopped = WORKER_HTTP_ABORTED;
        return CURL_READFUNC_ABORT;
    }

    if (got == 0) {
        a->reply->sent_ms = worker_now_ms() - a->begin_ms;
    }

    return (size_t) got;
}


static size_t
on_body(char *buf, size_t size, size_t n, void *data)
{
    long        status;
    size_t      len;
    attempt_t  *a;

    a = data;
    len = size * n;

    if (!body_room(a, len)) {
        return 0;
    }

    memcpy(a->reply->body + a->reply->len, buf, len);
    a->reply->len += len;
    a->reply->body[a->reply->len] = '\0';

    status = 0;
    curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);

    if (a->request->piece != NULL && status >= 200 && status <= 299
        && a->request->piece(a->request->piece_data, voice_span(buf, len),
                             worker_now_ms() - a->begin_ms) != 0)
    {
        a->stopped = WORKER_HTTP_ABORTED;
        return 0;
    }

    return len;
}


/* Keeps the lines of the last header block, each ended by a line feed. */
static size_t
on_header(char *buf, size_t size, size_t n, void *data)
{
    char                 *grown;
    size_t                len;
    attempt_t            *a;
    worker_http_reply_t  *reply;

    a = data;
    reply = a->reply;
    len = size * n;

    if (len >= 5 && memcmp(buf, "HTTP/", 5) == 0) {
        a->headers_len = 0;
    }

    if (reply->first_byte_ms == -1) {
        reply->first_byte_ms = worker_now_ms() - a->begin_ms;
    }

    while (len > 0 && isspace((unsigned char) buf[len - 1])) {
        len--;
    }

    if (len == 0 || memchr(buf, '\0', len) != NULL) {
        return size * n;
    }

    if (a->headers_len + len + 2 > HTTP_HEADERS_MAX) {
        a->stopped = WORKER_HTTP_TOO_LARGE;
        return 0;
    }

    grown = realloc(reply->headers, a->headers_len + len + 2);
    if (grown == NULL) {
        a->stopped = WORKER_HTTP_INTERNAL;
        return 0;
    }

    reply->headers = grown;
    memcpy(grown + a->headers_len, buf, len);
    a->headers_len += len;
    memcpy(grown + a->headers_len, "\n", 2);
    a->headers_len++;

    return size * n;
}


/* The address is known here, whatever the name said before. */
static curl_socket_t
on_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    attempt_t  *a;

    (void) purpose;

    a = data;

    if (worker_address_private(&address->addr)) {
        a->stopped = WORKER_HTTP_REFUSED;
        return CURL_SOCKET_BAD;
    }

    /* another address of the host may have been refused before */
    a->stopped = WORKER_HTTP_OK;

    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}


static int
body_room(attempt_t *a, size_t more)
{
    char    *grown;
    size_t   need, size;

    if (more > a->request->max_response
        || a->reply->len > a->request->max_response - more)
    {
        a->stopped = WORKER_HTTP_TOO_LARGE;
        return 0;
    }

    need = a->reply->len + more + 1;
    if (need <= a->body_size) {
        return 1;
    }

    size = a->body_size < HTTP_BODY_MIN ? HTTP_BODY_MIN : a->body_size;

    while (size < need) {
        size *= 2;
    }

    grown = realloc(a->reply->body, size);
    if (grown == NULL) {
        a->stopped = WORKER_HTTP_INTERNAL;
        return 0;
    }

    a->reply->body = grown;
    a->body_size = size;

    return 1;
}
