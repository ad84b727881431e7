
/*
 * Makes calls with worker_http and prints each reply as a JSON line: what
 * t/30-pool-http.t drives.
 *
 *   http-call URL [name=value]...
 */

#include <curl/curl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "../../workers/worker_child.h"
#include "../../workers/worker_clock.h"
#include "../../workers/worker_http.h"


typedef struct {
    worker_http_request_t  request;
    int                    calls;
    int                    pieces;     /* of the streamed body, yet to send */
    int                    pause_ms;   /* before each piece */
    int                    prepared;   /* how often prepare was called */
    int                    abort;      /* bool: prepare refuses */
    int                    cancel_ms;  /* the job is cancelled then; 0 */
    char                   header[256];
} call_t;


static int call_option(call_t *call, const char *name, const char *value);
static int call_special(call_t *call, const char *name, const char *value);
static void call_cancel(int ms);
static void on_alarm(int number);
static void call_print(const call_t *call, const worker_http_reply_t *reply);
static long on_read(void *data, char *buf, size_t size);
static int on_prepare(void *data, worker_http_request_t *request,
    int attempt);


/* Where the job is that this process runs. */
static worker_held_t  held;


int
main(int argc, char **argv)
{
    int                  i, n;
    char                *value;
    call_t               call;
    worker_http_reply_t  reply;

    memset(&call, 0, sizeof(call_t));
    worker_http_request_init(&call.request, NULL);
    call.calls = 1;

    for (i = 2; i < argc; i++) {
        value = strchr(argv[i], '=');
        if (value == NULL) {
            return 2;
        }

        *value++ = '\0';

        if (!call_option(&call, argv[i], value)) {
            fprintf(stderr, "http-call: no option \"%s\"\n", argv[i]);
            return 2;
        }
    }

    if (argc < 2) {
        return 2;
    }

    call.request.url = argv[1];
    curl_global_init(CURL_GLOBAL_DEFAULT);

    call_cancel(call.cancel_ms);

    for (n = 0; n < call.calls; n++) {
        worker_http_call(&call.request, &reply);
        call_print(&call, &reply);
        worker_http_reply_clear(&reply);
    }

    worker_http_cleanup();
    curl_global_cleanup();

    return 0;
}


/* A job that the supervisor, a timer here, cancels. */
static void
call_cancel(int ms)
{
    struct itimerval     timer;
    static worker_job_t  job;

    if (ms == 0) {
        return;
    }

    worker_held_fill(&held, "job", 1);
    job.held = &held;
    worker_child_job(&job);

    memset(&timer, 0, sizeof(timer));
    timer.it_value.tv_sec = ms / 1000;
    timer.it_value.tv_usec = ms % 1000 * 1000;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &timer, NULL);
}


static void
on_alarm(int number)
{
    (void) number;
    worker_held_cancel_own(&held);
}


static int
call_option(call_t *call, const char *name, const char *value)
{
    unsigned                i;
    worker_http_request_t  *r;

    r = &call->request;

    const struct {
        const char  *name;
        int         *number;
    } numbers[] = {
        { "timeout_ms", &r->timeout_ms },
        { "connect_ms", &r->connect_ms },
        { "retries", &r->retries },
        { "calls", &call->calls },
        { "pause_ms", &call->pause_ms },
        { "abort", &call->abort },
        { "cancel_ms", &call->cancel_ms }
    };

    const struct {
        const char   *name;
        const char  **text;
    } texts[] = {
        { "method", &r->method },
        { "unix", &r->unix_socket },
        { "header", &r->headers[0] }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(numbers); i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            *numbers[i].number = (int) strtol(value, NULL, 10);
            return 1;
        }
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(texts); i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].text = value;
            return 1;
        }
    }

    return call_special(call, name, value);
}


/* Options that are no plain members of the request. */
static int
call_special(call_t *call, const char *name, const char *value)
{
    worker_http_request_t  *r;

    r = &call->request;

    if (strcmp(name, "body") == 0) {
        r->body = voice_span_str(value);
        return 1;
    }

    if (strcmp(name, "private") == 0) {
        r->allow_private = value[0] == '1';
        return 1;
    }

    if (strcmp(name, "max") == 0) {
        r->max_response = (size_t) strtol(value, NULL, 10);
        return 1;
    }

    if (strcmp(name, "deadline") == 0) {
        r->deadline_ms = worker_now_ms() + strtol(value, NULL, 10);
        return 1;
    }

    if (strcmp(name, "pieces") == 0) {
        call->pieces = (int) strtol(value, NULL, 10);
        r->read = on_read;
        r->read_data = call;
        return 1;
    }

    if (strcmp(name, "prepare") == 0) {
        r->prepare = on_prepare;
        r->prepare_data = call;
        return 1;
    }

    return 0;
}


static void
call_print(const call_t *call, const worker_http_reply_t *reply)
{
    json_t        *line;
    voice_span_t   echo;

    echo = worker_http_header(reply, "x-echo");

    line = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, "
                     "s:s, s:s, s:s#, s:s#}",
                     "result", worker_http_reason(reply->result),
                     "status", reply->status,
                     "attempts", reply->attempts,
                     "retryable", reply->retryable,
                     "retry_after", reply->retry_after,
                     "prepared", call->prepared,
                     "connected_ms", (json_int_t) reply->connected_ms,
                     "sent_ms", (json_int_t) reply->sent_ms,
                     "first_byte_ms", (json_int_t) reply->first_byte_ms,
                     "total_ms", (json_int_t) reply->total_ms,
                     "type", reply->content_type,
                     "error", reply->error,
                     "body", reply->body == NULL ? "" : reply->body,
                     (int) reply->len,
                     "echo", echo.len == 0 ? "" : echo.ptr, (int) echo.len);

    if (line == NULL) {
        printf("{}\n");
        return;
    }

    json_dumpf(line, stdout, JSON_COMPACT);
    printf("\n");
    json_decref(line);
}


static long
on_read(void *data, char *buf, size_t size)
{
    call_t  *call;

    call = data;

    if (call->pieces == 0) {
        return 0;
    }

    poll(NULL, 0, call->pause_ms);
    call->pieces--;

    return snprintf(buf, size, "piece;");
}


static int
on_prepare(void *data, worker_http_request_t *request, int attempt)
{
    call_t  *call;

    call = data;
    call->prepared++;
    snprintf(call->header, sizeof(call->header), "X-Attempt: %d", attempt);
    request->headers[0] = call->header;

    return call->abort;
}
