
/*
 * Outbound HTTP: one call with its attempts.  What an attempt tells libcurl
 * is in worker_http_attempt.c; the breakers are in worker_breaker.c.
 */

#include <ctype.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "worker_breaker.h"
#include "worker_child.h"
#include "worker_clock.h"
#include "worker_http_attempt.h"


#define HTTP_BACKOFF_MIN   2000
#define HTTP_BACKOFF_MAX   10000
#define HTTP_RESPONSE      (1 << 20)
#define HTTP_OPEN_MS       30000
#define HTTP_SLICE_MS      200         /* how soon a wait sees a cancel */
#define HTTP_PROBE_MS      30000       /* without a limit of the attempt */


static int request_valid(const worker_http_request_t *request,
    worker_http_reply_t *reply);
static int url_read(const char *url, char *origin, size_t size);
static int headers_valid(const worker_http_request_t *request);
static void call_attempts(worker_http_request_t *request,
    worker_http_reply_t *reply, const char *origin);
static int call_pause(int64_t ms);
static int attempt(worker_http_request_t *request,
    worker_http_reply_t *reply, const char *origin);
static int attempt_longest(const worker_http_request_t *request);
static int attempt_seconds(int64_t ms);
static int attempt_again(const worker_http_request_t *request,
    const worker_http_reply_t *reply);
static int64_t attempt_pause(const worker_http_reply_t *reply);
static int result_retryable(const worker_http_reply_t *reply);


static const struct {
    const char  *reason;
    int          retryable;            /* bool; a status has its own rule */
} results[] = {
    [WORKER_HTTP_OK] = { "ok", 0 },
    [WORKER_HTTP_STATUS] = { "status", 0 },
    [WORKER_HTTP_CONNECT] = { "connect", 1 },
    [WORKER_HTTP_TLS] = { "tls", 0 },
    [WORKER_HTTP_TIMEOUT] = { "timeout", 1 },
    [WORKER_HTTP_BROKEN] = { "broken", 1 },
    [WORKER_HTTP_TOO_LARGE] = { "too_large", 0 },
    [WORKER_HTTP_REFUSED] = { "refused", 0 },
    [WORKER_HTTP_OPEN] = { "circuit_open", 1 },
    [WORKER_HTTP_ABORTED] = { "aborted", 0 },
    [WORKER_HTTP_GARBAGE] = { "garbage", 1 },
    [WORKER_HTTP_INTERNAL] = { "internal", 0 }
};


void
worker_http_request_init(worker_http_request_t *request,
    const worker_profile_t *profile)
{
    memset(request, 0, sizeof(worker_http_request_t));
    request->method = "GET";

    if (profile != NULL) {
        request->connect_ms = profile->connect_ms;
        request->timeout_ms = profile->timeout_ms;
        request->max_response = (size_t) profile->max_response;
        request->retries = profile->retries;
        request->allow_private = profile->allow_private != 0;
        request->open_ms = profile->open_ms;
    }
}


worker_http_e
worker_http_call(worker_http_request_t *request, worker_http_reply_t *reply)
{
    char  origin[WORKER_BREAKER_HOST];

    memset(reply, 0, sizeof(worker_http_reply_t));
    reply->connected_ms = -1;
    reply->sent_ms = -1;
    reply->first_byte_ms = -1;
    reply->total_ms = -1;

    if (request->max_response == 0) {
        request->max_response = HTTP_RESPONSE;
    }

    if (request->unix_socket != NULL) {
        snprintf(origin, sizeof(origin), "unix:%s", request->unix_socket);

    } else if (!url_read(request->url, origin, sizeof(origin))) {
        worker_http_problem(reply, WORKER_HTTP_REFUSED, "the URL is refused");
        return reply->result;
    }

    if (request_valid(request, reply)) {
        call_attempts(request, reply, origin);
    }

    return reply->result;
}


void
worker_http_reply_clear(worker_http_reply_t *reply)
{
    free(reply->body);
    free(reply->headers);
    memset(reply, 0, sizeof(worker_http_reply_t));
}


voice_span_t
worker_http_header(const worker_http_reply_t *reply, const char *name)
{
    size_t       len;
    const char  *line, *end, *value;

    len = strlen(name);

    for (line = reply->headers; line != NULL && *line != '\0';
         line = end + 1)
    {
        end = strchr(line, '\n');      /* each line was ended by one */

        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            value = line + len + 1;
            value += strspn(value, " \t");

            return voice_span(value, (size_t) (end - value));
        }
    }

    return voice_span(NULL, 0);
}


const char *
worker_http_reason(worker_http_e result)
{
    return (unsigned) result < VOICE_ARRAY_SIZE(results)
           ? results[result].reason : "unknown";
}


void
worker_http_cleanup(void)
{
    worker_http_attempt_cleanup();
    worker_breaker_reset();
}


void
worker_http_problem(worker_http_reply_t *reply, worker_http_e result,
    const char *format, ...)
{
    va_list  args;

    reply->result = result;

    va_start(args, format);
    vsnprintf(reply->error, sizeof(reply->error), format, args);
    va_end(args);
}


static int
request_valid(const worker_http_request_t *request,
    worker_http_reply_t *reply)
{
    if (request->max_response > WORKER_HTTP_RESPONSE_MAX
        || request->retries > WORKER_HTTP_RETRIES_MAX
        || request->timeout_ms < 0 || request->connect_ms < 0
        || !headers_valid(request))
    {
        worker_http_problem(reply, WORKER_HTTP_REFUSED,
                            "a limit or header of the request is wrong");
        return 0;
    }

    return 1;
}


/*
 * "scheme://host:port" of a URL for breakers and messages; 0: the scheme is
 * another one, or it holds credentials, or is too long.
 */
static int
url_read(const char *url, char *origin, size_t size)
{
    size_t       len;
    const char  *host;

    if (strncasecmp(url, "http://", 7) == 0) {
        host = url + 7;

    } else if (strncasecmp(url, "https://", 8) == 0) {
        host = url + 8;

    } else {
        return 0;
    }

    len = strcspn(host, "/?#");

    if (len == 0 || memchr(host, '@', len) != NULL
        || (size_t) (host - url) + len >= size)
    {
        return 0;
    }

    len += (size_t) (host - url);
    memcpy(origin, url, len);
    origin[len] = '\0';

    return 1;
}


static int
headers_valid(const worker_http_request_t *request)
{
    unsigned     i;
    const char  *p;

    for (i = 0; request->headers[i] != NULL; i++) {
        if (i == WORKER_HTTP_HEADERS_MAX) {
            return 0;
        }

        for (p = request->headers[i]; *p != '\0'; p++) {
            if (iscntrl((unsigned char) *p) && *p != '\t') {
                return 0;
            }
        }
    }

    return 1;
}


static void
call_attempts(worker_http_request_t *request, worker_http_reply_t *reply,
    const char *origin)
{
    int64_t  pause;

    for ( ;; ) {
        if (!attempt(request, reply, origin)
            || !attempt_again(request, reply))
        {
            return;
        }

        pause = attempt_pause(reply);

        /* what cannot be waited for is not waited for */
        if (request->deadline_ms != 0
            && worker_now_ms() + pause >= request->deadline_ms)
        {
            return;
        }

        if (!call_pause(pause)) {
            worker_http_problem(reply, WORKER_HTTP_ABORTED,
                                "the job was cancelled");
            reply->retryable = 0;
            return;
        }
    }
}


/* 0: the job was cancelled meanwhile. */
static int
call_pause(int64_t ms)
{
    int64_t  end, left;

    end = worker_now_ms() + ms;

    for ( ;; ) {
        left = end - worker_now_ms();

        if (left <= 0 || worker_child_cancelled()) {
            return left <= 0;
        }

        poll(NULL, 0, left < HTTP_SLICE_MS ? (int) left : HTTP_SLICE_MS);
    }
}


/* 0: there is nothing that could be tried. */
static int
attempt(worker_http_request_t *request, worker_http_reply_t *reply,
    const char *origin)
{
    int  good;

    reply->attempts++;

    if (!request->no_breaker
        && !worker_breaker_admits(origin, attempt_longest(request)))
    {
        worker_http_problem(reply, WORKER_HTTP_OPEN,
                            "too many calls have failed: \"%s\" is left "
                            "alone for a while", origin);
        reply->retryable = 1;
        reply->retry_after = attempt_seconds(worker_breaker_left_ms(origin));
        return 0;
    }

    if (request->prepare != NULL
        && request->prepare(request->prepare_data, request, reply->attempts)
           != 0)
    {
        worker_http_problem(reply, WORKER_HTTP_ABORTED,
                            "the request could not be prepared");
        worker_breaker_release(origin);
        return 0;
    }

    /* headers may be new ones */
    if (!request_valid(request, reply)) {
        worker_breaker_release(origin);
        return 0;
    }

    worker_http_attempt(request, reply, origin);

    if (reply->result == WORKER_HTTP_OK && request->accept != NULL
        && !request->accept(request->accept_data, reply))
    {
        reply->result = WORKER_HTTP_GARBAGE;
    }

    reply->retryable = result_retryable(reply);

    /* a host that answers "no" is a healthy one */
    good = !reply->retryable && reply->result != WORKER_HTTP_TLS;

    if (worker_child_cancelled()) {
        worker_breaker_release(origin);        /* it says nothing */

    } else if (!request->no_breaker) {
        worker_breaker_result(origin, good, request->open_ms == 0
                                            ? HTTP_OPEN_MS
                                            : request->open_ms);
    }

    return 1;
}


/* How long an attempt can take, in ms. */
static int
attempt_longest(const worker_http_request_t *request)
{
    return request->timeout_ms == 0 ? HTTP_PROBE_MS : request->timeout_ms;
}


/* Rounded up, at least one. */
static int
attempt_seconds(int64_t ms)
{
    return ms <= 1000 ? 1 : (int) ((ms + 999) / 1000);
}


static int
attempt_again(const worker_http_request_t *request,
    const worker_http_reply_t *reply)
{
    return reply->retryable && reply->attempts <= request->retries
           && (request->read == NULL || request->prepare != NULL);
}


/* 2, 4, 8, 10, 10 .. seconds, or what the host asked for up to the last. */
static int64_t
attempt_pause(const worker_http_reply_t *reply)
{
    int      i;
    int64_t  pause;

    pause = HTTP_BACKOFF_MIN;

    for (i = 1; i < reply->attempts && pause < HTTP_BACKOFF_MAX; i++) {
        pause *= 2;
    }

    if (reply->retry_after > 0) {
        pause = (int64_t) reply->retry_after * 1000;
    }

    return pause > HTTP_BACKOFF_MAX ? HTTP_BACKOFF_MAX : pause;
}


static int
result_retryable(const worker_http_reply_t *reply)
{
    if (reply->result != WORKER_HTTP_STATUS) {
        return results[reply->result].retryable;
    }

    return reply->status == 408 || reply->status == 425
           || reply->status == 429 || reply->status == 500
           || reply->status == 502 || reply->status == 503
           || reply->status == 504;
}
