
/*
 * The relay: publishes durable events to nchan, in the order in which
 * PostgreSQL numbered them, and tells the edge's own streams those that have
 * a flat shape.  An event is marked as published after all took it, so it is
 * published at least once.  A session lock makes one relay of
 * all pools' the leader.
 */

#include <poll.h>
#include <stdlib.h>

#include "worker_child.h"
#include "worker_clock.h"
#include "worker_db.h"
#include "worker_http.h"
#include "worker_log.h"


#define RELAY_LOCK         "7310592012"
#define RELAY_URL          "http://localhost/publish?channels="
#define RELAY_FLAT_URL     "http://localhost/live?id=%s&event=%s&channels="
#define RELAY_URL_MAX      1024
#define RELAY_TYPE_MAX     128
#define RELAY_TIMEOUT_MS   5000
#define RELAY_BACKOFF_MIN  100
#define RELAY_BACKOFF_MAX  2000
#define RELAY_SLICE_MS     200
#define RELAY_LIST_SIZE    (1000 * 40 + 3)


typedef struct {
    const worker_settings_t  *settings;
    worker_db_t              *db;
    unsigned                  generation;      /* of the leading connection */
    int                       backoff_ms;
    int                       told;            /* bool: the log knows */
    char                      url[RELAY_URL_MAX];
    char                      tenants[RELAY_LIST_SIZE];
    char                      seqs[RELAY_LIST_SIZE];
    size_t                    tenants_len;
    size_t                    seqs_len;
} relay_t;


static void relay_round(relay_t *r);
static int relay_leads(relay_t *r);
static int relay_batch(relay_t *r);
static int relay_event(relay_t *r, const PGresult *rows, int row);
static int relay_flat(relay_t *r, const PGresult *rows, int row,
    const char *seq);
static int relay_post(relay_t *r, const char *channels, const char *type,
    const char *body);
static int relay_publish(relay_t *r, const char *type, const char *body);
static int publish_answer(relay_t *r, const worker_http_reply_t *reply);
static void url_channel(void *data, const char *channel);
static void relay_list(relay_t *r, const char *tenant, const char *seq);
static int relay_done(relay_t *r);
static void relay_wait(relay_t *r);
static PGresult *relay_query(relay_t *r, const char *sql,
    const char *const *params, int nparams);


int
relay_main(const worker_settings_t *settings)
{
    relay_t  *r;

    r = calloc(1, sizeof(relay_t));
    if (r == NULL) {
        worker_log(WORKER_LOG_ERROR, "out of memory");
        return 1;
    }

    r->settings = settings;
    r->db = worker_db_create(settings);
    if (r->db == NULL) {
        worker_log(WORKER_LOG_ERROR, "out of memory");
        free(r);
        return 1;
    }

    while (!worker_stopping()) {
        relay_round(r);
    }

    worker_http_cleanup();
    worker_db_destroy(r->db);
    free(r);

    return 0;
}


static void
relay_round(relay_t *r)
{
    worker_child_alive();

    if (!relay_leads(r)) {
        worker_child_sleep(r->settings->relay_ms);
        return;
    }

    /* a full batch: there may be more */
    while (!worker_stopping() && relay_batch(r)) {
        worker_child_alive();
    }

    if (!worker_stopping()) {
        relay_wait(r);
    }
}


static int
relay_leads(relay_t *r)
{
    int        got;
    PGresult  *result;

    const char *const  lock[] = { RELAY_LOCK };

    if (r->generation != 0 && worker_db_socket(r->db) != -1
        && r->generation == worker_db_generation(r->db))
    {
        return 1;
    }

    r->generation = 0;

    result = relay_query(r, worker_sql_lock, lock, 1);
    if (result == NULL) {
        return 0;
    }

    got = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);

    if (!got) {
        return 0;
    }

    result = relay_query(r, worker_sql_listen, NULL, 0);
    if (result == NULL) {
        return 0;
    }

    PQclear(result);
    r->generation = worker_db_generation(r->db);
    worker_log(WORKER_LOG_INFO, "this relay leads");

    return 1;
}


/* Publishes what there is; 1: the batch was full and all went well. */
static int
relay_batch(relay_t *r)
{
    int        row, n;
    char       max[16];
    PGresult  *rows;

    const char *const  params[] = { max };

    snprintf(max, sizeof(max), "%d", r->settings->relay_batch);

    rows = relay_query(r, worker_sql_relay_take, params, 1);
    if (rows == NULL) {
        return 0;
    }

    n = PQntuples(rows);
    r->tenants_len = 0;
    r->seqs_len = 0;

    for (row = 0; row < n; row++) {
        if (!relay_event(r, rows, row)) {
            break;
        }
    }

    PQclear(rows);

    return relay_done(r) && row == n && n == r->settings->relay_batch;
}


/* 0: not published; what comes after it has to wait. */
static int
relay_event(relay_t *r, const PGresult *rows, int row)
{
    const char  *tenant, *seq, *type, *channels, *body;

    tenant = worker_db_value(rows, row, "tenant_id");
    seq = worker_db_value(rows, row, "seq");
    type = worker_db_value(rows, row, "type");
    channels = worker_db_value(rows, row, "channels");
    body = worker_db_value(rows, row, "body");

    if (tenant == NULL || seq == NULL || type == NULL || channels == NULL
        || body == NULL)
    {
        worker_log(WORKER_LOG_ERROR, "relay: an event has no value");
        return 0;
    }

    snprintf(r->url, sizeof(r->url), "%s", RELAY_URL);

    if (!relay_post(r, channels, type, body)
        || !relay_flat(r, rows, row, seq))
    {
        return 0;
    }

    relay_list(r, tenant, seq);

    return 1;
}


/* What has no flat shape needs no telling. */
static int
relay_flat(relay_t *r, const PGresult *rows, int row, const char *seq)
{
    const char  *event, *channels, *body;

    event = worker_db_value(rows, row, "flat_event");
    channels = worker_db_value(rows, row, "flat_channels");
    body = worker_db_value(rows, row, "flat_body");

    if (event == NULL || channels == NULL || body == NULL) {
        return 1;
    }

    snprintf(r->url, sizeof(r->url), RELAY_FLAT_URL, seq, event);

    return relay_post(r, channels, event, body);
}


/* To the address in r->url, which lacks the channels; 0: given up. */
static int
relay_post(relay_t *r, const char *channels, const char *type,
    const char *body)
{
    size_t  len;

    worker_db_members(channels, url_channel, r);

    len = strlen(r->url);
    if (r->url[len - 1] == ',') {
        r->url[len - 1] = '\0';
    }

    while (!relay_publish(r, type, body)) {
        worker_child_sleep(r->backoff_ms);

        if (worker_stopping() || worker_db_socket(r->db) == -1) {
            return 0;
        }
    }

    return 1;
}


static int
relay_publish(relay_t *r, const char *type, const char *body)
{
    int                    done;
    char                   header[RELAY_TYPE_MAX];
    worker_http_reply_t    reply;
    worker_http_request_t  request;

    snprintf(header, sizeof(header), "X-EventSource-Event: %s", type);

    worker_http_request_init(&request, NULL);
    request.method = "POST";
    request.url = r->url;
    request.unix_socket = r->settings->publish_socket;
    request.headers[0] = header;
    request.headers[1] = "Content-Type: application/json";
    request.body = voice_span_str(body);
    request.timeout_ms = RELAY_TIMEOUT_MS;
    request.allow_private = 1;
    request.no_breaker = 1;

    worker_http_call(&request, &reply);
    done = publish_answer(r, &reply);
    worker_http_reply_clear(&reply);

    return done;
}


/* 0: to be tried again. */
static int
publish_answer(relay_t *r, const worker_http_reply_t *reply)
{
    if (reply->result == WORKER_HTTP_OK) {
        if (r->told) {
            worker_log(WORKER_LOG_INFO, "relay: publishing again");
            r->told = 0;
        }

        r->backoff_ms = 0;
        return 1;
    }

    /* nothing would change that: it stays readable in the list of events */
    if (reply->status == 400 || reply->status == 413) {
        worker_log(WORKER_LOG_ERROR, "relay: an event is refused with "
                   "status %d and skipped", reply->status);
        return 1;
    }

    if (!r->told) {
        worker_log(WORKER_LOG_WARN, "relay: %s; trying again", reply->error);
        r->told = 1;
    }

    r->backoff_ms = r->backoff_ms == 0 ? RELAY_BACKOFF_MIN
                                       : r->backoff_ms * 2;
    if (r->backoff_ms > RELAY_BACKOFF_MAX) {
        r->backoff_ms = RELAY_BACKOFF_MAX;
    }

    return 0;
}


/* Ids are of letters, digits, ".", "-", "_"; others are left out. */
static void
url_channel(void *data, const char *channel)
{
    size_t    len;
    relay_t  *r;

    r = data;
    len = strlen(r->url);

    if (channel[strspn(channel, "abcdefghijklmnopqrstuvwxyz0123456789._-"
                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0')
    {
        worker_log(WORKER_LOG_ERROR, "relay: a channel has a strange name");
        return;
    }

    snprintf(r->url + len, sizeof(r->url) - len, "%s,", channel);
}


static void
relay_list(relay_t *r, const char *tenant, const char *seq)
{
    char  mark;

    mark = r->tenants_len == 0 ? '{' : ',';

    if (r->tenants_len + 44 > sizeof(r->tenants)
        || r->seqs_len + 44 > sizeof(r->seqs))
    {
        return;                        /* it is published once more */
    }

    r->tenants_len += (size_t) snprintf(r->tenants + r->tenants_len, 42,
                                        "%c%.36s", mark, tenant);
    r->seqs_len += (size_t) snprintf(r->seqs + r->seqs_len, 42, "%c%.20s",
                                     mark, seq);
}


static int
relay_done(relay_t *r)
{
    PGresult  *result;

    const char *const  params[] = { r->tenants, r->seqs };

    if (r->tenants_len == 0) {
        return 1;
    }

    memcpy(r->tenants + r->tenants_len, "}", 2);
    memcpy(r->seqs + r->seqs_len, "}", 2);

    result = relay_query(r, worker_sql_relay_done, params, 2);
    if (result == NULL) {
        return 0;
    }

    PQclear(result);

    return 1;
}


/* Until NOTIFY, or for relay_ms. */
static void
relay_wait(relay_t *r)
{
    int64_t        end;
    struct pollfd  fd;

    end = worker_now_ms() + r->settings->relay_ms;

    while (!worker_stopping() && worker_now_ms() < end) {
        worker_child_alive();

        /* it may have come with the answer to a statement */
        if (worker_db_notified(r->db)) {
            return;
        }

        fd.fd = worker_db_socket(r->db);
        fd.events = POLLIN;

        poll(&fd, 1, RELAY_SLICE_MS);
    }
}


static PGresult *
relay_query(relay_t *r, const char *sql, const char *const *params,
    int nparams)
{
    PGresult     *result;
    worker_db_e   rc;

    rc = worker_db_run(r->db, sql, params, nparams, &result);

    if (rc == WORKER_DB_ERROR) {
        worker_log(WORKER_LOG_ERROR, "postgres: %s",
                   worker_db_problem(r->db));
        PQclear(result);
    }

    return rc == WORKER_DB_OK ? result : NULL;
}
