
/*
 * libcurl in nginx's loop: its sockets are level-triggered connections, its
 * one timer is an event.
 *
 * The descriptors are libcurl's; an ngx_connection_t only stands for one, and
 * may be gone after any call into libcurl.  Results are collected when such a
 * call has returned, so that a receiver may begin and cancel fetches.
 */

#include "ngx_voice_fetch.h"

#include <curl/curl.h>
#include <openssl/ssl.h>


#define NGX_VOICE_FETCH_AGENT    "voicegate"
#define NGX_VOICE_FETCH_HEADERS  65536     /* bytes of a reply's header */
#define NGX_VOICE_FETCH_FIRST    4096      /* bytes of the first body buffer */


struct ngx_voice_fetcher_s {
    CURLM        *multi;
    ngx_log_t    *log;
    ngx_event_t   timer;
    ngx_queue_t   fetches;                 /* ngx_voice_fetch_t */
};


struct ngx_voice_fetch_s {
    ngx_queue_t               queue;
    ngx_voice_fetcher_t      *fetcher;
    CURL                     *easy;
    struct curl_slist        *headers;
    ngx_voice_trust_t        *trust;
    ngx_voice_fetch_done_pt   done;
    void                     *data;
    u_char                   *body;
    size_t                    len;
    size_t                    size;        /* of the buffer */
    size_t                    max;
    size_t                    header;      /* bytes so far */
    ngx_int_t                 max_age;
    unsigned                  too_large:1;
};


static ngx_int_t ngx_voice_fetch_setup(ngx_voice_fetch_t *fetch,
    const ngx_voice_fetch_conf_t *conf);
static void ngx_voice_fetch_secure(ngx_voice_fetch_t *fetch);
static void ngx_voice_fetch_free(ngx_voice_fetch_t *fetch);
static CURLcode ngx_voice_fetch_trust(CURL *easy, void *context, void *data);
static size_t ngx_voice_fetch_header(char *text, size_t size, size_t n,
    void *data);
static size_t ngx_voice_fetch_body(char *text, size_t size, size_t n,
    void *data);
static ngx_int_t ngx_voice_fetch_max_age(const char *text, size_t len);
static int ngx_voice_fetch_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *connection);
static ngx_connection_t *ngx_voice_fetch_attach(ngx_voice_fetcher_t *fetcher,
    curl_socket_t fd);
static void ngx_voice_fetch_detach(ngx_connection_t *c);
static void ngx_voice_fetch_watch(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted);
static int ngx_voice_fetch_timer(CURLM *multi, long ms, void *data);
static void ngx_voice_fetch_read_handler(ngx_event_t *ev);
static void ngx_voice_fetch_write_handler(ngx_event_t *ev);
static void ngx_voice_fetch_timer_handler(ngx_event_t *ev);
static void ngx_voice_fetch_act(ngx_voice_fetcher_t *fetcher,
    curl_socket_t fd, int what);
static void ngx_voice_fetch_finish(ngx_voice_fetch_t *fetch, CURLcode code);


ngx_voice_fetcher_t *
ngx_voice_fetcher_create(ngx_pool_t *pool, ngx_log_t *log)
{
    ngx_voice_fetcher_t  *fetcher;

    fetcher = ngx_pcalloc(pool, sizeof(ngx_voice_fetcher_t));

    if (fetcher == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NULL;
    }

    fetcher->log = log;
    fetcher->timer.handler = ngx_voice_fetch_timer_handler;
    fetcher->timer.data = fetcher;
    fetcher->timer.log = log;
    fetcher->timer.cancelable = 1;
    ngx_queue_init(&fetcher->fetches);

    fetcher->multi = curl_multi_init();

    if (fetcher->multi == NULL
        || curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION,
                             ngx_voice_fetch_socket) != CURLM_OK
        || curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher)
           != CURLM_OK
        || curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION,
                             ngx_voice_fetch_timer) != CURLM_OK
        || curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher)
           != CURLM_OK)
    {
        return NULL;
    }

    return fetcher;
}


void
ngx_voice_fetcher_destroy(ngx_voice_fetcher_t *fetcher)
{
    ngx_queue_t  *q;

    if (fetcher == NULL) {
        return;
    }

    while (!ngx_queue_empty(&fetcher->fetches)) {
        q = ngx_queue_head(&fetcher->fetches);
        ngx_voice_fetch_free(ngx_queue_data(q, ngx_voice_fetch_t, queue));
    }

    (void) curl_multi_cleanup(fetcher->multi);

    if (fetcher->timer.timer_set) {
        ngx_del_timer(&fetcher->timer);
    }
}


ngx_voice_fetch_t *
ngx_voice_fetch(ngx_voice_fetcher_t *fetcher,
    const ngx_voice_fetch_conf_t *conf, ngx_voice_fetch_done_pt done,
    void *data)
{
    ngx_voice_fetch_t  *fetch;

    fetch = ngx_calloc(sizeof(ngx_voice_fetch_t), fetcher->log);
    if (fetch == NULL) {
        return NULL;
    }

    fetch->fetcher = fetcher;
    fetch->done = done;
    fetch->data = data;
    fetch->max = conf->max;
    fetch->max_age = -1;
    ngx_queue_insert_tail(&fetcher->fetches, &fetch->queue);

    fetch->easy = curl_easy_init();

    if (fetch->easy == NULL
        || ngx_voice_fetch_setup(fetch, conf) != NGX_OK
        || curl_multi_add_handle(fetcher->multi, fetch->easy) != CURLM_OK)
    {
        ngx_voice_fetch_free(fetch);
        return NULL;
    }

    return fetch;
}


void
ngx_voice_fetch_cancel(ngx_voice_fetch_t *fetch)
{
    ngx_voice_fetch_free(fetch);
}


/* Options that cannot fail but for want of memory are not looked at. */
static ngx_int_t
ngx_voice_fetch_setup(ngx_voice_fetch_t *fetch,
    const ngx_voice_fetch_conf_t *conf)
{
    u_char   accept[128];
    CURL    *easy;

    easy = fetch->easy;

    if (conf->accept != NULL) {
        *ngx_snprintf(accept, sizeof(accept) - 1, "Accept: %s", conf->accept)
            = '\0';
        fetch->headers = curl_slist_append(NULL, (char *) accept);

        if (fetch->headers == NULL) {
            return NGX_ERROR;
        }
    }

    fetch->trust = conf->trust;

    if (curl_easy_setopt(easy, CURLOPT_URL, conf->url.data) != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                            fetch->trust == NULL ? "http" : "http,https")
           != CURLE_OK)
    {
        return NGX_ERROR;
    }

    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, NGX_VOICE_FETCH_AGENT);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);

    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long) conf->connect_timeout);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) conf->timeout);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t) conf->max);

    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, ngx_voice_fetch_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ngx_voice_fetch_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);

    /* a resolver that hangs is left behind, never waited for */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);

    ngx_voice_fetch_secure(fetch);

    return NGX_OK;
}


static void
ngx_voice_fetch_secure(ngx_voice_fetch_t *fetch)
{
    CURL  *easy;

    easy = fetch->easy;

    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);

    /*
     * No file is read here: the store is ours.  Nothing is kept for another
     * exchange, whose store may differ: a resumed session is not verified.
     */
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, ngx_voice_fetch_trust);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, fetch);
}


/* Also of one that is half made. */
static void
ngx_voice_fetch_free(ngx_voice_fetch_t *fetch)
{
    ngx_queue_remove(&fetch->queue);

    if (fetch->easy != NULL) {
        (void) curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
        curl_easy_cleanup(fetch->easy);
    }

    curl_slist_free_all(fetch->headers);

    if (fetch->body != NULL) {
        ngx_free(fetch->body);
    }

    ngx_free(fetch);
}


static CURLcode
ngx_voice_fetch_trust(CURL *easy, void *context, void *data)
{
    ngx_voice_fetch_t  *fetch = data;

    (void) easy;

    if (fetch->trust == NULL) {
        return CURLE_SSL_CACERT_BADFILE;
    }

    SSL_CTX_set1_cert_store(context, fetch->trust);

    return CURLE_OK;
}


/* A line of the header; another count than came ends the exchange. */
static size_t
ngx_voice_fetch_header(char *text, size_t size, size_t n, void *data)
{
    size_t              len;
    ngx_voice_fetch_t  *fetch = data;

    static const char  name[] = "cache-control:";

    len = size * n;
    fetch->header += len;

    if (fetch->header > NGX_VOICE_FETCH_HEADERS) {
        fetch->too_large = 1;
        return 0;
    }

    if (len >= sizeof(name) - 1
        && ngx_strncasecmp((u_char *) text, (u_char *) name, sizeof(name) - 1)
           == 0)
    {
        fetch->max_age = ngx_voice_fetch_max_age(text + sizeof(name) - 1,
                                                 len - sizeof(name) + 1);
    }

    return len;
}


static size_t
ngx_voice_fetch_body(char *text, size_t size, size_t n, void *data)
{
    size_t              len, room;
    u_char             *body;
    ngx_voice_fetch_t  *fetch = data;

    len = size * n;

    if (len > fetch->max - fetch->len) {
        fetch->too_large = 1;
        return 0;
    }

    if (len > fetch->size - fetch->len) {
        room = ngx_max(fetch->size * 2, NGX_VOICE_FETCH_FIRST);
        room = ngx_min(ngx_max(room, fetch->len + len), fetch->max);

        body = realloc(fetch->body, room);
        if (body == NULL) {
            return 0;
        }

        fetch->body = body;
        fetch->size = room;
    }

    ngx_memcpy(fetch->body + fetch->len, text, len);
    fetch->len += len;

    return len;
}


/* RFC 9111 section 5.2.2; -1: nothing in it that we know. */
static ngx_int_t
ngx_voice_fetch_max_age(const char *text, size_t len)
{
    u_char     *p, *last, *item, *end;
    ngx_int_t   age, value;

    age = -1;
    p = (u_char *) text;
    last = p + len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        item = p;

        while (p < last && *p != ',' && *p != '\r' && *p != '\n') {
            p++;
        }

        end = p;

        while (end > item && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if (end - item == 8
            && (ngx_strncasecmp(item, (u_char *) "no-cache", 8) == 0
                || ngx_strncasecmp(item, (u_char *) "no-store", 8) == 0))
        {
            return 0;
        }

        if (end - item > 8
            && ngx_strncasecmp(item, (u_char *) "max-age=", 8) == 0)
        {
            value = ngx_atoi(item + 8, end - item - 8);
            age = value == NGX_ERROR ? age : value;
        }

        p += (p < last);
    }

    return age;
}


static int
ngx_voice_fetch_socket(CURL *easy, curl_socket_t fd, int what, void *data,
    void *connection)
{
    ngx_connection_t     *c = connection;
    ngx_voice_fetcher_t  *fetcher = data;

    (void) easy;

    if (what == CURL_POLL_REMOVE) {
        if (c != NULL) {
            ngx_voice_fetch_detach(c);
        }
        return 0;
    }

    c = c == NULL ? ngx_voice_fetch_attach(fetcher, fd) : c;

    /* without a slot the exchange meets its deadline */
    if (c == NULL) {
        return 0;
    }

    ngx_voice_fetch_watch(c->read, NGX_READ_EVENT, what & CURL_POLL_IN);
    ngx_voice_fetch_watch(c->write, NGX_WRITE_EVENT, what & CURL_POLL_OUT);

    return 0;
}


static ngx_connection_t *
ngx_voice_fetch_attach(ngx_voice_fetcher_t *fetcher, curl_socket_t fd)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(fd, fetcher->log);
    if (c == NULL) {
        return NULL;
    }

    c->data = fetcher;
    c->log = fetcher->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->read->handler = ngx_voice_fetch_read_handler;
    c->write->handler = ngx_voice_fetch_write_handler;

    (void) curl_multi_assign(fetcher->multi, fd, c);

    return c;
}


/* libcurl closes the descriptor. */
static void
ngx_voice_fetch_detach(ngx_connection_t *c)
{
    ngx_voice_fetch_watch(c->read, NGX_READ_EVENT, 0);
    ngx_voice_fetch_watch(c->write, NGX_WRITE_EVENT, 0);

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


static void
ngx_voice_fetch_watch(ngx_event_t *ev, ngx_int_t event, ngx_uint_t wanted)
{
    ngx_connection_t  *c = ev->data;

    if (wanted && !ev->active) {
        (void) ngx_add_event(ev, event, NGX_LEVEL_EVENT);

    } else if (!wanted && ev->active) {
        /* it happens that libcurl closes it first, and then says so */
        (void) ngx_del_event(ev, event, fcntl(c->fd, F_GETFD) == -1
                                        ? NGX_CLOSE_EVENT : 0);
    }
}


static int
ngx_voice_fetch_timer(CURLM *multi, long ms, void *data)
{
    ngx_voice_fetcher_t  *fetcher = data;

    (void) multi;

    if (fetcher->timer.timer_set) {
        ngx_del_timer(&fetcher->timer);
    }

    if (ms >= 0) {
        ngx_add_timer(&fetcher->timer, (ngx_msec_t) ms);
    }

    return 0;
}


static void
ngx_voice_fetch_read_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c = ev->data;

    ngx_voice_fetch_act(c->data, c->fd, CURL_CSELECT_IN);
}


static void
ngx_voice_fetch_write_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c = ev->data;

    ngx_voice_fetch_act(c->data, c->fd, CURL_CSELECT_OUT);
}


static void
ngx_voice_fetch_timer_handler(ngx_event_t *ev)
{
    ngx_voice_fetch_act(ev->data, CURL_SOCKET_TIMEOUT, 0);
}


static void
ngx_voice_fetch_act(ngx_voice_fetcher_t *fetcher, curl_socket_t fd, int what)
{
    int       running, left;
    char     *fetch;
    CURLMsg  *message;

    (void) curl_multi_socket_action(fetcher->multi, fd, what, &running);

    for ( ;; ) {
        message = curl_multi_info_read(fetcher->multi, &left);
        if (message == NULL) {
            break;
        }

        if (message->msg == CURLMSG_DONE
            && curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
                                 &fetch)
               == CURLE_OK)
        {
            ngx_voice_fetch_finish((ngx_voice_fetch_t *) fetch,
                                   message->data.result);
        }
    }
}


static void
ngx_voice_fetch_finish(ngx_voice_fetch_t *fetch, CURLcode code)
{
    long                      status;
    ngx_voice_fetch_reply_t   reply;

    ngx_memzero(&reply, sizeof(ngx_voice_fetch_reply_t));
    status = 0;

    if (fetch->too_large || code == CURLE_FILESIZE_EXCEEDED) {
        reply.error = "the reply is too large";

    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        reply.error = "timed out";

    } else if (code != CURLE_OK) {
        reply.error = curl_easy_strerror(code);
    }

    (void) curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);

    reply.status = status;
    reply.body.data = fetch->body;
    reply.body.len = fetch->len;
    reply.max_age = fetch->max_age;

    /* done may cancel others, and this one is over: out of their reach */
    (void) curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);

    fetch->done(fetch->data, &reply);

    ngx_voice_fetch_free(fetch);
}
