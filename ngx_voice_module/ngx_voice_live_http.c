
/*
 * Where the relay tells durable events: POST /live?id=17&event=name&channels=
 * a,b with the body of the event.  204 when Redis has taken it, otherwise 503
 * and the relay tries again.  For a socket that nobody else reaches.
 */

#include "ngx_voice_live.h"


typedef struct {
    ngx_http_request_t         *request;
    ngx_voice_redis_command_t  *command;   /* NULL: nothing is waited for */
} ngx_voice_publish_t;


static ngx_int_t ngx_voice_publish_handler(ngx_http_request_t *r);
static void ngx_voice_publish_body(ngx_http_request_t *r);
static ngx_int_t ngx_voice_publish_event(ngx_http_request_t *r,
    ngx_voice_live_event_t *event);
static ngx_uint_t ngx_voice_publish_channels(ngx_str_t *names,
    ngx_voice_live_event_t *event);
static void ngx_voice_publish_done(void *data, const redisReply *reply);
static void ngx_voice_publish_cancel(void *data);


char *
ngx_voice_conf_publish(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_voice_loc_conf_t      *lcf = conf;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK && lcf->publish) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
        clcf->handler = ngx_voice_publish_handler;
    }

    return rv;
}


static ngx_int_t
ngx_voice_publish_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r->method != NGX_HTTP_POST) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    r->request_body_in_single_buf = 1;
    rc = ngx_http_read_client_request_body(r, ngx_voice_publish_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
ngx_voice_publish_body(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_http_cleanup_t      *cln;
    ngx_voice_publish_t     *publish;
    ngx_voice_main_conf_t   *mcf;
    ngx_voice_live_event_t   event;

    mcf = ngx_http_get_module_main_conf(r, ngx_voice_module);
    rc = ngx_voice_publish_event(r, &event);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    cln = ngx_http_cleanup_add(r, sizeof(ngx_voice_publish_t));
    if (cln == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    publish = cln->data;
    publish->request = r;
    publish->command = NULL;
    cln->handler = ngx_voice_publish_cancel;

    publish->command = ngx_voice_live_tell(mcf->live, &event,
                                           ngx_voice_publish_done, publish);

    if (publish->command == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
}


/* What is told; a status: it cannot be. */
static ngx_int_t
ngx_voice_publish_event(ngx_http_request_t *r, ngx_voice_live_event_t *event)
{
    ngx_int_t   id;
    ngx_str_t   value;
    ngx_buf_t  *b;

    if (r->request_body == NULL || r->request_body->bufs == NULL
        || r->request_body->bufs->next != NULL
        || r->request_body->bufs->buf->in_file)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    b = r->request_body->bufs->buf;
    event->body.data = b->pos;
    event->body.len = b->last - b->pos;

    if (event->body.len > NGX_VOICE_LIVE_TEXT_MAX) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (ngx_http_arg(r, (u_char *) "id", 2, &value) != NGX_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    id = ngx_atoi(value.data, value.len);
    event->id = id;

    if (id <= 0
        || ngx_http_arg(r, (u_char *) "event", 5, &event->event) != NGX_OK
        || !ngx_voice_live_name_valid(
                voice_span((char *) event->event.data, event->event.len))
        || ngx_http_arg(r, (u_char *) "channels", 8, &value) != NGX_OK
        || !ngx_voice_publish_channels(&value, event))
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_voice_publish_channels(ngx_str_t *names, ngx_voice_live_event_t *event)
{
    u_char  *p, *last, *end;

    p = names->data;
    last = p + names->len;
    event->nchannels = 0;

    while (p < last) {
        end = ngx_strlchr(p, last, ',');
        end = end == NULL ? last : end;

        if (event->nchannels == NGX_VOICE_LIVE_NAMES_MAX
            || !ngx_voice_live_name_valid(voice_span((char *) p, end - p)))
        {
            return 0;
        }

        event->channels[event->nchannels].data = p;
        event->channels[event->nchannels++].len = end - p;
        p = end + 1;
    }

    return event->nchannels != 0;
}


static void
ngx_voice_publish_done(void *data, const redisReply *reply)
{
    ngx_int_t             rc;
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_voice_publish_t  *publish = data;

    publish->command = NULL;
    r = publish->request;
    c = r->connection;

    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        ngx_http_finalize_request(r, NGX_HTTP_SERVICE_UNAVAILABLE);
        ngx_http_run_posted_requests(c);
        return;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    rc = ngx_http_send_header(r);
    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
ngx_voice_publish_cancel(void *data)
{
    ngx_voice_publish_t  *publish = data;

    if (publish->command != NULL) {
        ngx_voice_redis_cancel(publish->command);
    }
}
