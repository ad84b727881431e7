
/*
 * A process that exits closes its idle connections at once, also those on
 * which a request is already under way: its client learns nothing but that
 * the connection broke.  Here they get a moment more, and who goes on is
 * answered with "Connection: close" (RFC 9112 section 9.6).
 *
 * nginx asks no module before it closes, but it goes through the connections
 * in their order: one of ours, taken before there are clients, comes first.
 */

#include "ngx_voice.h"

#include <sys/eventfd.h>


#define NGX_VOICE_LEAVE_TIME  2000         /* ms */


static void ngx_voice_leave_handler(ngx_event_t *ev);


ngx_int_t
ngx_voice_leave_prepare(ngx_cycle_t *cycle)
{
    ngx_socket_t       fd;
    ngx_connection_t  *c;

    fd = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);
    if (fd == -1) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    c->idle = 1;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_voice_leave_handler;

    return NGX_OK;
}


void
ngx_voice_leave_request(ngx_http_request_t *r)
{
    if (ngx_exiting) {
        r->keepalive = 0;
    }
}


/* Called once, when the process begins to exit. */
static void
ngx_voice_leave_handler(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = ev->data;

    (void) close(c->fd);
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    for (i = 0; i < ngx_cycle->connection_n; i++) {
        c = &ngx_cycle->connections[i];

        /* of a client: libpq's have no listening socket, and the relay's
         * unix socket leads to nchan, which takes nothing while it exits */
        if (c->fd == (ngx_socket_t) -1 || !c->idle || c->listening == NULL
            || c->listening->sockaddr->sa_family == AF_UNIX)
        {
            continue;
        }

        c->idle = 0;
        ngx_add_timer(c->read, NGX_VOICE_LEAVE_TIME);
    }
}
