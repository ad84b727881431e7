
/*
 * nchan 1.3 asks no Sentinel.  Given all servers it finds the master by INFO,
 * but two servers that tell it of each other while it connects make it abort
 * (an assertion in node_connect), and one that hangs makes it leak.  So it is
 * given one server, of an address that nobody has (RFC 5737, RFC 3849), and
 * its connections to that go to the master that the edge has found.  When the
 * master is another one they are cut, which it bears, and made anew.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <sys/mman.h>

#include "ngx_voice_nchan.h"


/* The master; len 0: not known yet, or being written. */
typedef struct {
    ngx_sockaddr_t  address;
    ngx_atomic_t    len;
} ngx_voice_nchan_master_t;


static ngx_uint_t ngx_voice_nchan_stands_for_it(
    const struct sockaddr *address);
static void ngx_voice_nchan_cut(struct sockaddr *address, socklen_t len);


/* All processes', also those of a new configuration: nchan connects first. */
static ngx_voice_nchan_master_t  *ngx_voice_nchan_master;

/* Where this process's connections of nchan went; len 0: nowhere. */
static ngx_sockaddr_t  ngx_voice_nchan_sent;
static socklen_t       ngx_voice_nchan_sent_len;


ngx_int_t
ngx_voice_nchan_share(void)
{
    void  *memory;

    if (ngx_voice_nchan_master != NULL) {
        return NGX_OK;
    }

    memory = mmap(NULL, sizeof(ngx_voice_nchan_master_t),
                  PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);
    if (memory == MAP_FAILED) {
        return NGX_ERROR;
    }

    ngx_voice_nchan_master = memory;

    return NGX_OK;
}


void
ngx_voice_nchan_moved(const voice_endpoint_t *now)
{
    ngx_addr_t   addr;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    if (ngx_parse_addr(pool, &addr, (u_char *) now->host,
                       ngx_strlen(now->host))
        == NGX_OK)
    {
        ngx_inet_set_port(addr.sockaddr, (in_port_t) now->port);

        ngx_voice_nchan_master->len = 0;
        ngx_memory_barrier();
        ngx_memcpy(&ngx_voice_nchan_master->address, addr.sockaddr,
                   addr.socklen);
        ngx_memory_barrier();
        ngx_voice_nchan_master->len = addr.socklen;

        ngx_voice_nchan_cut(addr.sockaddr, addr.socklen);
    }

    ngx_destroy_pool(pool);
}


/* What was sent elsewhere than to this server. */
static void
ngx_voice_nchan_cut(struct sockaddr *address, socklen_t len)
{
    ngx_uint_t         i;
    socklen_t          size;
    ngx_sockaddr_t     peer;
    ngx_connection_t  *c;

    if (ngx_voice_nchan_sent_len == 0
        || ngx_cmp_sockaddr(&ngx_voice_nchan_sent.sockaddr,
                            ngx_voice_nchan_sent_len, address, len, 1)
           == NGX_OK)
    {
        return;
    }

    for (i = 0; i < ngx_cycle->connection_n; i++) {
        c = &ngx_cycle->connections[i];
        size = sizeof(ngx_sockaddr_t);

        if (c->fd != (ngx_socket_t) -1 && !c->read->accept
            && getpeername(c->fd, &peer.sockaddr, &size) == 0
            && ngx_cmp_sockaddr(&peer.sockaddr, size,
                                &ngx_voice_nchan_sent.sockaddr,
                                ngx_voice_nchan_sent_len, 1)
               == NGX_OK)
        {
            (void) shutdown(c->fd, SHUT_RDWR);
        }
    }

    ngx_voice_nchan_sent_len = 0;
}


int
ngx_voice_nchan_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    ngx_sockaddr_t     master;
    ngx_atomic_uint_t  size;

    if (!ngx_voice_nchan_stands_for_it(address)) {
        return connect(fd, address, len);
    }

    size = ngx_voice_nchan_master->len;
    ngx_memory_barrier();
    master = ngx_voice_nchan_master->address;
    ngx_memory_barrier();

    if (size == 0 || size != ngx_voice_nchan_master->len) {
        ngx_set_errno(NGX_ECONNREFUSED);
        return -1;
    }

    ngx_voice_nchan_sent = master;
    ngx_voice_nchan_sent_len = (socklen_t) size;

    return connect(fd, &master.sockaddr, (socklen_t) size);
}


static ngx_uint_t
ngx_voice_nchan_stands_for_it(const struct sockaddr *address)
{
    const struct in6_addr  *in6;

    static const u_char  v4[] = { 192, 0, 2, 1 };
    static const u_char  v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

    if (address->sa_family == AF_INET) {
        return ngx_memcmp(&((const struct sockaddr_in *) address)->sin_addr,
                          v4, sizeof(v4))
               == 0;
    }

    in6 = &((const struct sockaddr_in6 *) address)->sin6_addr;

    return address->sa_family == AF_INET6
           && ngx_memcmp(in6, v6, sizeof(v6)) == 0;
}
