
/*
 * Asynchronous HTTP(S) GET on libcurl's multi interface in nginx's event
 * loop.  Knows no request of ours: keys of foreign issuers use it.
 *
 * Bounded in bytes and time.  Redirects are not followed: where a document
 * comes from is what the operator wrote, not what a server answers.  No
 * proxy of the environment, no cookies, no kept connections; names are
 * resolved by libcurl in threads of its own.
 */

#ifndef NGX_VOICE_FETCH_H
#define NGX_VOICE_FETCH_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_voice_fetcher_s  ngx_voice_fetcher_t;   /* of a process */
typedef struct ngx_voice_fetch_s    ngx_voice_fetch_t;     /* one exchange */
/* Certificates: OpenSSL's X509_STORE. */
typedef struct x509_store_st        ngx_voice_trust_t;


typedef struct {
    ngx_str_t           url;               /* http or https, NUL after */
    const char         *accept;            /* NULL: any type */
    size_t              max;               /* bytes of the body */
    ngx_msec_t          connect_timeout;
    ngx_msec_t          timeout;           /* of the whole exchange */
    ngx_voice_trust_t  *trust;             /* NULL: http only */
} ngx_voice_fetch_conf_t;


typedef struct {
    const char  *error;                    /* NULL: a whole reply came */
    ngx_uint_t   status;
    ngx_str_t    body;
    ngx_int_t    max_age;                  /* seconds, by Cache-Control (0:
                                              no-cache); -1: it is silent */
} ngx_voice_fetch_reply_t;


/*
 * Called exactly once for a fetch that was not cancelled, never inside
 * ngx_voice_fetch().  reply and what it points to end with the return.  May
 * begin and cancel other fetches; must not destroy the fetcher.
 */
typedef void (*ngx_voice_fetch_done_pt)(void *data,
    const ngx_voice_fetch_reply_t *reply);


/* ngx_voice_fetch_conf.c */
/* "http://" or "https://" with a host, without user, password, fragment. */
ngx_uint_t ngx_voice_fetch_url_valid(const ngx_str_t *url);
/* Is it http, and to another machine?  Nobody vouches for such an answer. */
ngx_uint_t ngx_voice_fetch_url_open(const ngx_str_t *url);

/*
 * Reads PEM certificates of a file (full name, NUL after), of the system
 * where it is empty; lives as long as cf->pool.  NULL: logged.
 */
ngx_voice_trust_t *ngx_voice_trust_read(ngx_conf_t *cf,
    const ngx_str_t *file);

/* ngx_voice_fetch.c */
/* NULL: out of memory, or libcurl cannot start. */
ngx_voice_fetcher_t *ngx_voice_fetcher_create(ngx_pool_t *pool,
    ngx_log_t *log);
/* Fetches under way end without a call.  fetcher may be NULL. */
void ngx_voice_fetcher_destroy(ngx_voice_fetcher_t *fetcher);

/*
 * Begins; returns a handle, valid until done is called; NULL: out of memory
 * (done is not called).  conf is not needed afterwards, its trust is.
 */
ngx_voice_fetch_t *ngx_voice_fetch(ngx_voice_fetcher_t *fetcher,
    const ngx_voice_fetch_conf_t *conf, ngx_voice_fetch_done_pt done,
    void *data);
/* done will not be called; the connection is closed. */
void ngx_voice_fetch_cancel(ngx_voice_fetch_t *fetch);


#endif /* NGX_VOICE_FETCH_H */
