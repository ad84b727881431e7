
/*
 * The built-in voice agent: an HTTP server (libmicrohttpd, a thread for each
 * connection) that speaks Houndify's protocol to the rest of the world, the
 * pool's own tests included.
 *
 *   POST /v1/audio          sound in the body
 *   GET, POST /v1/text      query in the address or the body
 *
 * Both signature schemes are taken; who does not sign, signs wrongly or with
 * an old time stamp is refused before the body is read.
 */

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "agent_mind.h"
#include "agent_speech.h"
#include "worker_child.h"
#include "worker_clock.h"
#include "worker_log.h"


#define SERVER_PROFILE        "builtin"
#define SERVER_CONNECTIONS    64
#define SERVER_IDLE_SECONDS   30
#define SERVER_MEMORY         (96 * 1024)      /* headers of a connection */
#define SERVER_BLOCK          (64 * 1024)      /* of an answer */
#define SERVER_LAST_MS        5000             /* for calls at the end */
#define SERVER_SLICE_MS       200
#define SERVER_LAST_SLICE_MS  20


typedef struct {
    agent_mind_t             *mind;
    voice_houndify_client_t   client;  /* who may call */
    atomic_int                calls;
} server_t;


/* One request, from its first header to the end of its answer. */
typedef struct {
    char         *body;
    size_t        len;
    size_t        size;
    int           refused;
    atomic_int   *calls;
} exchange_t;


static struct MHD_Daemon *server_start(server_t *server);
static void server_end(struct MHD_Daemon *daemon, server_t *server);
static enum MHD_Result on_request(void *data, struct MHD_Connection *c,
    const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_len, void **state);
static void on_end(void *data, struct MHD_Connection *c, void **state,
    enum MHD_RequestTerminationCode code);
static enum MHD_Result request_begin(server_t *server,
    struct MHD_Connection *c, const char *url, const char *method,
    void **state);
static unsigned request_check(const server_t *server,
    struct MHD_Connection *c, const char *url, const char *method,
    const char **reason);
static unsigned signature_check(const server_t *server,
    struct MHD_Connection *c, const char **reason);
static voice_span_t header(struct MHD_Connection *c, const char *name);
static enum MHD_Result body_add(exchange_t *exchange, const char *bytes,
    size_t *len);
static enum MHD_Result request_answer(server_t *server,
    struct MHD_Connection *c, const char *url, exchange_t *exchange);
static ssize_t on_read(void *data, uint64_t position, char *buf, size_t max);
static void on_leave(void *data);
static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status,
    const char *reason);


static const struct {
    const char  *url;
    const char  *method;
} roads[] = {
    { "/v1/audio", "POST" },
    { "/v1/text", "POST" },
    { "/v1/text", "GET" },
    { NULL, NULL }
};


int
agent_main(const worker_settings_t *settings)
{
    server_t                 server;
    struct MHD_Daemon       *daemon;
    const worker_profile_t  *profile;

    memset(&server, 0, sizeof(server_t));

    profile = worker_settings_profile(settings, WORKER_PROFILE_AGENT,
                                      SERVER_PROFILE);
    if (profile == NULL || profile->client_id[0] == '\0'
        || profile->client_key[0] == '\0')
    {
        worker_log(WORKER_LOG_ERROR, "agent: section [agent " SERVER_PROFILE
                   "] has no client_id or client_key_file");
        return 1;
    }

    server.client.client_id = voice_span_str(profile->client_id);
    server.client.client_key = voice_span_str(profile->client_key);

    server.mind = agent_mind_create(settings);
    if (server.mind == NULL) {
        worker_log(WORKER_LOG_ERROR, "agent: the recogniser could not be "
                   "started");
        return 1;
    }

    daemon = server_start(&server);

    while (daemon != NULL && !worker_stopping()) {
        worker_child_sleep(SERVER_SLICE_MS);
    }

    server_end(daemon, &server);
    agent_mind_destroy(server.mind);

    return daemon == NULL;
}


static struct MHD_Daemon *
server_start(server_t *server)
{
    int                 fd;
    struct MHD_Daemon  *daemon;

    /* the daemon closes its own */
    fd = dup(worker_child_listen_fd());

    daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION
        | MHD_USE_POLL | MHD_USE_ITC,
        0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, server,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned) SERVER_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) SERVER_IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) SERVER_MEMORY,
        MHD_OPTION_END);

    if (daemon == NULL) {
        worker_log(WORKER_LOG_ERROR, "agent: the server could not be "
                   "started");
    }

    return daemon;
}


/* New callers wait in the backlog for the next agent. */

static void
server_end(struct MHD_Daemon *daemon, server_t *server)
{
    int      fd;
    int64_t  last;

    if (daemon == NULL) {
        return;
    }

    fd = MHD_quiesce_daemon(daemon);
    last = worker_now_ms() + SERVER_LAST_MS;

    /* worker_child_sleep() no longer sleeps */
    while (atomic_load(&server->calls) > 0 && worker_now_ms() < last) {
        (void) poll(NULL, 0, SERVER_LAST_SLICE_MS);
    }

    MHD_stop_daemon(daemon);

    if (fd != MHD_INVALID_SOCKET) {
        close(fd);
    }
}


static enum MHD_Result
on_request(void *data, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *upload,
    size_t *upload_len, void **state)
{
    server_t    *server = data;
    exchange_t  *exchange = *state;

    (void) version;

    if (exchange == NULL) {
        return request_begin(server, c, url, method, state);
    }

    if (*upload_len > 0) {
        return body_add(exchange, upload, upload_len);
    }

    if (exchange->refused) {
        return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE,
                      "The body is too large.");
    }

    return request_answer(server, c, url, exchange);
}


static void
on_end(void *data, struct MHD_Connection *c, void **state,
    enum MHD_RequestTerminationCode code)
{
    exchange_t  *exchange = *state;

    (void) data;
    (void) c;
    (void) code;

    if (exchange != NULL) {
        atomic_fetch_sub(exchange->calls, 1);
        free(exchange->body);
        free(exchange);
        *state = NULL;
    }
}


/* The headers are there: refuses, or lets the body come. */

static enum MHD_Result
request_begin(server_t *server, struct MHD_Connection *c, const char *url,
    const char *method, void **state)
{
    unsigned     status;
    const char  *reason;
    exchange_t  *exchange;

    exchange = calloc(1, sizeof(exchange_t));
    if (exchange == NULL) {
        return MHD_NO;
    }

    exchange->calls = &server->calls;
    atomic_fetch_add(&server->calls, 1);
    *state = exchange;

    status = request_check(server, c, url, method, &reason);

    return status == 0 ? MHD_YES : refuse(c, status, reason);
}


/* 0: go on. */

static unsigned
request_check(const server_t *server, struct MHD_Connection *c,
    const char *url, const char *method, const char **reason)
{
    int     known = 0;
    size_t  i;

    for (i = 0; roads[i].url != NULL; i++) {
        if (strcmp(roads[i].url, url) != 0) {
            continue;
        }

        known = 1;

        if (strcmp(roads[i].method, method) == 0) {
            return signature_check(server, c, reason);
        }
    }

    *reason = known ? "The method is not allowed." : "There is no such road.";

    return known ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND;
}


static unsigned
signature_check(const server_t *server, struct MHD_Connection *c,
    const char **reason)
{
    voice_houndify_auth_e     result;
    voice_houndify_headers_t  headers;

    headers.request_authentication
        = header(c, "Hound-Request-Authentication");
    headers.client_authentication = header(c, "Hound-Client-Authentication");
    headers.client_id = header(c, "Hound-Client-ID");
    headers.request_id = header(c, "Hound-Request-ID");
    headers.timestamp = header(c, "Hound-Request-Timestamp");
    headers.signature = header(c, "Hound-Request-Signature");

    result = voice_houndify_verify(&server->client, &headers,
                                   worker_wall_ms() / 1000, NULL);
    if (result == VOICE_HOUNDIFY_VALID) {
        return 0;
    }

    *reason = voice_houndify_reason(result);

    return voice_houndify_status(result);
}


static voice_span_t
header(struct MHD_Connection *c, const char *name)
{
    return voice_span_str(MHD_lookup_connection_value(c, MHD_HEADER_KIND,
                                                      name));
}


/* A body that is too large is read to its end and not kept. */

static enum MHD_Result
body_add(exchange_t *exchange, const char *bytes, size_t *len)
{
    char    *body;
    size_t   size;

    if (exchange->refused || *len > AGENT_BODY_MAX - exchange->len) {
        exchange->refused = 1;
        *len = 0;
        return MHD_YES;
    }

    if (exchange->len + *len > exchange->size) {
        size = (exchange->len + *len) * 2;

        body = realloc(exchange->body, size);
        if (body == NULL) {
            return MHD_NO;
        }

        exchange->body = body;
        exchange->size = size;
    }

    memcpy(exchange->body + exchange->len, bytes, *len);
    exchange->len += *len;
    *len = 0;

    return MHD_YES;
}


static enum MHD_Result
request_answer(server_t *server, struct MHD_Connection *c, const char *url,
    exchange_t *exchange)
{
    const char            *problem;
    agent_parts_t          parts;
    enum MHD_Result        rc;
    agent_thought_t       *thought;
    agent_question_t       question;
    struct MHD_Response   *response;

    memset(&question, 0, sizeof(agent_question_t));

    parts.audio = strcmp(url, "/v1/audio") == 0;
    parts.info = header(c, "Hound-Request-Info");
    parts.info_length = header(c, "Hound-Request-Info-Length");
    parts.language = header(c, "Hound-Input-Language-IETF-Tag");
    parts.query = voice_span_str(MHD_lookup_connection_value(c,
                                             MHD_GET_ARGUMENT_KIND, "query"));
    parts.body = voice_span(exchange->body, exchange->len);

    problem = agent_question_read(&parts, &question);
    if (problem != NULL) {
        agent_question_release(&question);
        return refuse(c, MHD_HTTP_BAD_REQUEST, problem);
    }

    thought = agent_mind_ask(server->mind, &question, exchange->body);
    if (thought == NULL) {
        agent_question_release(&question);
        return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE,
                      "Too many questions wait.");
    }

    exchange->body = NULL;

    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
                                                 SERVER_BLOCK, on_read,
                                                 thought, on_leave);
    if (response == NULL) {
        agent_thought_leave(thought);
        return MHD_NO;
    }

    (void) MHD_add_response_header(response, "Content-Type",
                                   "application/json");
    rc = MHD_queue_response(c, MHD_HTTP_OK, response);
    MHD_destroy_response(response);

    return rc;
}


static ssize_t
on_read(void *data, uint64_t position, char *buf, size_t max)
{
    long  n;

    (void) position;

    n = agent_thought_read(data, buf, max);

    if (n == 0) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }

    return n < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : (ssize_t) n;
}


static void
on_leave(void *data)
{
    agent_thought_leave(data);
}


static enum MHD_Result
refuse(struct MHD_Connection *c, unsigned status, const char *reason)
{
    char                 *text;
    enum MHD_Result       rc;
    struct MHD_Response  *response;

    text = agent_speech_error(reason);
    if (text == NULL) {
        return MHD_NO;
    }

    response = MHD_create_response_from_buffer(strlen(text), text,
                                               MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }

    (void) MHD_add_response_header(response, "Content-Type",
                                   "application/json");
    rc = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);

    return rc;
}
