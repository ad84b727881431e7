
/*
 * The live events of the caller's tenant.
 */

#include "ctl_api.h"
#include "ctl_feed.h"
#include "ctl_signal.h"


#define FEED_WAIT_FIRST  1000          /* ms before it comes back */
#define FEED_WAIT_MAX    30000
#define FEED_QUIET       60L           /* s; keep-alives of TCP go on */


struct ctl_feed_s {
    ctl_t              *ctl;
    char               *url;
    CURLM              *multi;
    CURL               *curl;
    struct curl_slist  *headers;
    ctl_stream_t        stream;
    int                 live;          /* 200 was seen, it goes on */
    int64_t             again;         /* when to connect; 0: connected */
    int64_t             wait;          /* ms, of the next time */
};


static char *feed_url(ctl_t *ctl, const char *types);
static int connect_feed(ctl_feed_t *feed);
static void add_headers(ctl_feed_t *feed);
static void take_end(ctl_feed_t *feed);
static void disconnect(ctl_feed_t *feed);
static size_t on_bytes(char *data, size_t size, size_t count, void *user);


ctl_feed_t *
ctl_feed_open(ctl_t *ctl, const char *types, ctl_stream_pt on_event,
    void *user)
{
    char        *url;
    ctl_feed_t  *feed;

    url = feed_url(ctl, types);
    if (url == NULL) {
        return NULL;
    }

    feed = ctl_alloc(sizeof(ctl_feed_t));
    feed->ctl = ctl;
    feed->url = url;
    feed->wait = FEED_WAIT_FIRST;
    feed->stream.on_event = on_event;
    feed->stream.user = user;
    feed->multi = curl_multi_init();

    if (feed->multi == NULL || !connect_feed(feed)) {
        ctl_feed_close(feed);
        return NULL;
    }

    return feed;
}


void
ctl_feed_close(ctl_feed_t *feed)
{
    if (feed != NULL) {
        disconnect(feed);
        curl_multi_cleanup(feed->multi);
        ctl_stream_release(&feed->stream);
        free(feed->url);
        free(feed);
    }
}


int
ctl_feed_wait(ctl_feed_t *feed, int ms)
{
    int  running;

    if (feed == NULL || feed->again != 0) {
        if (feed != NULL && ctl_now() >= feed->again) {
            connect_feed(feed);
        }

        return ctl_pause(ms);
    }

    curl_multi_perform(feed->multi, &running);

    if (running > 0) {
        curl_multi_poll(feed->multi, NULL, 0, ms, NULL);
        curl_multi_perform(feed->multi, &running);
    }

    if (running == 0) {
        take_end(feed);
    }

    return !ctl_interrupted();
}


int
ctl_feed_live(const ctl_feed_t *feed)
{
    long  status;

    if (feed == NULL || feed->curl == NULL) {
        return 0;
    }

    status = 0;
    curl_easy_getinfo(feed->curl, CURLINFO_RESPONSE_CODE, &status);

    return status == 200;
}


/* The stream is the tenant's, so who are we? */
static char *
feed_url(ctl_t *ctl, const char *types)
{
    char          *path, *url;
    json_t        *query;
    ctl_call_t     call = { .method = "GET", .path = "/api/v1/auth/me",
                            .calm = 1 };
    const char    *tenant;
    ctl_answer_t   answer;

    url = NULL;

    if (ctl_api_call(ctl, &call, &answer) == CTL_OK) {
        tenant = json_string_value(voice_json_at(answer.data, "/tenant/id"));

        if (tenant != NULL) {
            path = ctl_api_path("/events/stream/{}", &tenant);
            query = json_pack("{s:s}", "event_types", types);
            url = ctl_api_url(ctl, path, query);
            json_decref(query);
            free(path);
        }
    }

    ctl_api_release(&answer);

    return url;
}


/* 0: not now; it is tried again later. */
static int
connect_feed(ctl_feed_t *feed)
{
    ctl_http_request_t  request = { .method = "GET", .url = feed->url };

    disconnect(feed);
    ctl_stream_restart(&feed->stream);
    feed->again = ctl_now() + feed->wait;

    if (ctl_api_credential(feed->ctl, &feed->headers) != CTL_OK) {
        return 0;
    }

    add_headers(feed);
    request.headers = feed->headers;
    feed->curl = curl_easy_init();

    if (feed->curl == NULL
        || !ctl_http_prepare(feed->ctl->http, feed->curl, &request)
        || curl_easy_setopt(feed->curl, CURLOPT_WRITEFUNCTION, on_bytes)
        || curl_easy_setopt(feed->curl, CURLOPT_WRITEDATA, feed)
        || curl_easy_setopt(feed->curl, CURLOPT_TCP_KEEPALIVE, 1L)
        || curl_easy_setopt(feed->curl, CURLOPT_TCP_KEEPIDLE, FEED_QUIET)
        || curl_multi_add_handle(feed->multi, feed->curl) != CURLM_OK)
    {
        return 0;
    }

    feed->again = 0;

    return 1;
}


static void
add_headers(ctl_feed_t *feed)
{
    char  *line;

    feed->headers = curl_slist_append(feed->headers,
                                      "Accept: text/event-stream");

    if (feed->stream.id[0] != '\0') {
        line = ctl_format("Last-Event-ID: %s", feed->stream.id);
        feed->headers = curl_slist_append(feed->headers, line);
        free(line);
    }
}


/* It comes back, sooner if it had been live. */
static void
take_end(ctl_feed_t *feed)
{
    if (ctl_feed_live(feed)) {
        feed->wait = FEED_WAIT_FIRST;
    }

    disconnect(feed);
    feed->again = ctl_now() + feed->wait;
    feed->wait = feed->wait * 2 > FEED_WAIT_MAX ? FEED_WAIT_MAX
                                                : feed->wait * 2;
}


static void
disconnect(ctl_feed_t *feed)
{
    if (feed->curl != NULL) {
        curl_multi_remove_handle(feed->multi, feed->curl);
        curl_easy_cleanup(feed->curl);
        feed->curl = NULL;
    }

    curl_slist_free_all(feed->headers);
    feed->headers = NULL;
}


static size_t
on_bytes(char *data, size_t size, size_t count, void *user)
{
    ctl_feed_t  *feed;

    feed = user;
    size *= count;

    if (ctl_feed_live(feed)) {
        ctl_stream_feed(&feed->stream, voice_span(data, size));
    }

    return size;
}
