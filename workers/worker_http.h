
/*
 * Outbound HTTP(S) on libcurl: deadlines, size caps, retries and a circuit
 * breaker per host.  TLS certificates are verified, redirects are not
 * followed, proxies of the environment are not used.  One call at a time per
 * process; connections are kept between calls.
 */

#ifndef WORKER_HTTP_H
#define WORKER_HTTP_H


#include "worker_settings.h"


#define WORKER_HTTP_HEADERS_MAX   32
#define WORKER_HTTP_RESPONSE_MAX  (64 << 20)
#define WORKER_HTTP_RETRIES_MAX   10


typedef enum {
    WORKER_HTTP_OK = 0,                /* status is 200 .. 299 */
    WORKER_HTTP_STATUS,                /* any other status */
    WORKER_HTTP_CONNECT,               /* refused, unreachable, no name */
    WORKER_HTTP_TLS,                   /* handshake or certificate */
    WORKER_HTTP_TIMEOUT,               /* connect, attempt or deadline */
    WORKER_HTTP_BROKEN,                /* reply cut short or no HTTP */
    WORKER_HTTP_TOO_LARGE,             /* over max_response */
    WORKER_HTTP_REFUSED,               /* private address, bad URL */
    WORKER_HTTP_OPEN,                  /* the host's circuit is open */
    WORKER_HTTP_ABORTED,               /* a callback ended the call */
    WORKER_HTTP_GARBAGE,               /* a 2xx that accept() refused */
    WORKER_HTTP_INTERNAL               /* out of memory, libcurl */
} worker_http_e;


typedef struct worker_http_request_s  worker_http_request_t;
typedef struct worker_http_reply_s    worker_http_reply_t;


/*
 * Produces the next bytes of a body that is sent as it comes (chunked).
 * Returns 1 .. size, 0 at the end, -1 to end the call (WORKER_HTTP_ABORTED).
 * May sleep for pacing, yet not past the deadline.
 */
typedef long (*worker_http_read_pt)(void *data, char *buf, size_t size);

/*
 * Sees each piece of a 2xx reply's body as it comes, at_ms after the start
 * of the attempt; the pieces are kept in the reply, too.  0 goes on, other
 * values end the call (WORKER_HTTP_ABORTED).
 */
typedef int (*worker_http_piece_pt)(void *data, voice_span_t piece,
    int64_t at_ms);

/*
 * Called before each attempt (from 1): may set headers, body, read_data, so
 * that a signature is fresh and a stream starts again.  0 goes on.
 */
typedef int (*worker_http_prepare_pt)(void *data,
    worker_http_request_t *request, int attempt);


/*
 * Judges a 2xx reply: 0 makes it a failed attempt, WORKER_HTTP_GARBAGE, for
 * the circuit breaker too; then reply->error may have been written.
 */
typedef int (*worker_http_accept_pt)(void *data, worker_http_reply_t *reply);


struct worker_http_request_s {
    const char            *method;     /* "GET", "POST", ... */
    const char            *url;
    const char            *unix_socket;        /* NULL: TCP */
    const char            *headers[WORKER_HTTP_HEADERS_MAX + 1];
                                       /* "Name: value"; NULL ends; a line
                                          with CR or LF is refused */
    voice_span_t           body;
    worker_http_read_pt    read;       /* instead of body; NULL */
    void                  *read_data;
    worker_http_piece_pt   piece;      /* NULL: nobody looks */
    void                  *piece_data;
    worker_http_prepare_pt prepare;    /* NULL; needed for read to be
                                          tried again */
    void                  *prepare_data;
    worker_http_accept_pt  accept;     /* NULL: any 2xx is good */
    void                  *accept_data;
    int                    connect_ms; /* 0: 5000 */
    int                    timeout_ms; /* of one attempt; 0: 30000 */
    int64_t                deadline_ms;        /* worker_now_ms(), of all
                                          attempts; 0: none.  Pass the
                                          job's */
    size_t                 max_response;       /* 0: 1 MiB */
    int                    retries;    /* after the first attempt; waits of
                                          2, 4, 8, 10, 10 .. seconds */
    int                    open_ms;    /* how long the host is left alone
                                          after failures; 0: 30000 */
    unsigned               allow_private:1;    /* 0: loopback, private and
                                          link-local addresses refused */
    unsigned               no_breaker:1;       /* the caller has its own
                                          way of waiting */
};


struct worker_http_reply_s {
    worker_http_e  result;
    int            status;             /* 0: no reply */
    char          *body;               /* NUL terminated for convenience;
                                          NULL: none */
    size_t         len;
    char           content_type[128];  /* "" if absent */
    char          *headers;            /* private: worker_http_header() */
    int            attempts;
    int            retryable;          /* bool: passing fault */
    int            retry_after;        /* seconds that the host, or its open
                                          circuit, asks for; 0 none */
    /* of the last attempt, from its start; -1: did not get that far */
    int64_t        connected_ms;       /* incl. TLS; 0 on a kept connection */
    int64_t        sent_ms;            /* last byte of the request */
    int64_t        first_byte_ms;      /* first byte of the reply */
    int64_t        total_ms;           /* last byte of the reply */
    char           error[160];         /* a sentence without any secret:
                                          host and reason, no query */
};


/*
 * Fills a request from a profile: limits, retries, allow_private; the rest
 * is zero.
 */
void worker_http_request_init(worker_http_request_t *request,
    const worker_profile_t *profile);

/*
 * Makes the call, with all its attempts.  Blocks until done, at most until
 * the deadline.  Always fills *reply, which worker_http_reply_clear()
 * releases.  Returns reply->result.
 */
worker_http_e worker_http_call(worker_http_request_t *request,
    worker_http_reply_t *reply);
void worker_http_reply_clear(worker_http_reply_t *reply);

/* A header of the reply by name in any case; an empty span if absent. */
voice_span_t worker_http_header(const worker_http_reply_t *reply,
    const char *name);

/* A result as a word for logs and stored errors: "timeout". */
const char *worker_http_reason(worker_http_e result);

/* Closes kept connections, forgets breakers that only this process has. */
void worker_http_cleanup(void);


#endif /* WORKER_HTTP_H */
