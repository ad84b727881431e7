
/*
 * What the files ngx_voice_jwks*.c share: the row of an issuer in shared
 * memory, and the key set that a process makes of it.
 *
 * The text of a row is a JSON array of {"id", "kid", "alg", "seen", "gone",
 * "jwk"}: the usable keys of the last good document, and those that have
 * vanished from it since ("gone" is when, -1: they have not).  Times are
 * ngx_current_msec, which all processes of a machine share.
 */

#ifndef NGX_VOICE_JWKS_PRIVATE_H
#define NGX_VOICE_JWKS_PRIVATE_H


#include "voice_code.h"
#include "ngx_voice_jwks.h"


extern ngx_module_t  ngx_voice_module;


#define NGX_VOICE_JWKS_TEXT_MAX  131072    /* bytes of a row's text */
#define NGX_VOICE_JWKS_UNKNOWN   64        /* kids remembered as unknown */


typedef struct {
    uint64_t    hash;
    ngx_msec_t  until;
} ngx_voice_jwks_unknown_t;


/* By the zone's mutex, but version and finished, which are read without. */
struct ngx_voice_jwks_row_s {
    u_char                     source[VOICE_SHA256_LEN];   /* whose it is */
    ngx_uint_t                 used;
    ngx_atomic_t               version;    /* of the text; 0: there is none */
    ngx_atomic_t               finished;   /* fetches that ended */
    ngx_pid_t                  fetcher;    /* 0: nobody */
    ngx_msec_t                 deadline;   /* of the fetcher */
    ngx_uint_t                 begun;      /* started is valid */
    ngx_msec_t                 started;
    ngx_msec_t                 fetched;    /* last good; if version != 0 */
    ngx_msec_t                 next;
    ngx_uint_t                 streak;     /* failures since */
    ngx_uint_t                 fetches;
    ngx_uint_t                 failures;
    time_t                     mtime;      /* of a file that was read */
    off_t                      size;
    u_char                    *text;
    size_t                     len;
    u_char                     error[NGX_VOICE_JWKS_ERROR];
    ngx_voice_jwks_unknown_t   unknown[NGX_VOICE_JWKS_UNKNOWN];
};


/* What we know of a key in the table. */
typedef struct {
    uint64_t    id;
    ngx_msec_t  seen;
    ngx_msec_t  until;                     /* it is good, if it has vanished */
    unsigned    vanished:1;
    char        alg[8];
    size_t      kid_len;
    char        kid[VOICE_JWK_KID_MAX];
} ngx_voice_jwks_note_t;


/* A key set of this process. */
struct ngx_voice_jwks_set_s {
    voice_jwt_keys_t       *keys;
    ngx_voice_jwks_note_t   notes[VOICE_JWK_KEYS_MAX];
    ngx_uint_t              nnotes;
    uint64_t                whole;         /* id of all together */
    ngx_atomic_uint_t       version;
    ngx_msec_t              until;         /* the first key's overlap ends */
    unsigned                ends:1;        /* until is valid */
};


struct ngx_voice_jwks_wait_s {
    ngx_queue_t              queue;
    ngx_voice_issuer_t      *issuer;
    ngx_atomic_uint_t        finished;     /* of the row, at the beginning */
    ngx_msec_t               deadline;
    ngx_voice_jwks_done_pt   done;
    void                    *data;
    ngx_int_t                rc;           /* to tell */
    size_t                   kid_len;
    u_char                   kid[VOICE_JWK_KID_MAX];
};


struct ngx_voice_jwks_s {
    ngx_array_t          *issuers;
    ngx_voice_fetcher_t  *fetcher;
    ngx_log_t            *log;
    ngx_event_t           tick;
};


/* Why a process would like to fetch. */
typedef enum {
    NGX_VOICE_JWKS_DUE = 0,                /* its time has come */
    NGX_VOICE_JWKS_ASKED                   /* a token's kid is unknown */
} ngx_voice_jwks_why_e;


/* ngx_voice_jwks_row.c */
/*
 * NGX_OK: this process is to fetch, and tells the end by publish() or
 * fail(); NGX_AGAIN: another does; NGX_DECLINED: it is too early.
 */
ngx_int_t ngx_voice_jwks_elect(ngx_voice_issuer_t *issuer,
    ngx_voice_jwks_why_e why);
/*
 * Ends a fetch with a document, which is merged with the keys that are there;
 * max_age as of a fetch's reply.  NGX_ERROR: it was none that can be used.
 */
ngx_int_t ngx_voice_jwks_publish(ngx_voice_issuer_t *issuer,
    voice_span_t document, ngx_int_t max_age, ngx_log_t *log);
/* Ends a fetch that failed. */
void ngx_voice_jwks_fail(ngx_voice_issuer_t *issuer, const char *reason,
    ngx_log_t *log);
/* Ends a fetch that another process shall begin anew. */
void ngx_voice_jwks_resign(ngx_voice_issuer_t *issuer);
/* Reads the file if it has changed; ends the "fetch". */
void ngx_voice_jwks_reread(ngx_voice_issuer_t *issuer, ngx_log_t *log);
/* A copy of the text (ngx_free) and its version; NULL: there is none. */
u_char *ngx_voice_jwks_copy(ngx_voice_issuer_t *issuer, size_t *len,
    ngx_atomic_uint_t *version);
/* Kids that a good fetch did not bring, for min_interval. */
ngx_uint_t ngx_voice_jwks_is_unknown(ngx_voice_issuer_t *issuer,
    voice_span_t kid);
void ngx_voice_jwks_set_unknown(ngx_voice_issuer_t *issuer,
    voice_span_t kid);

/* ngx_voice_jwks_document.c */
/*
 * The text of a row: the keys of a document, and of the old text (may be
 * empty) those that are within their overlap.  The caller frees it (free).
 * NULL: *reason says why.
 */
char *ngx_voice_jwks_merge(const ngx_voice_issuer_t *issuer,
    voice_span_t document, voice_span_t old, ngx_log_t *log,
    const char **reason);
/* The id of a key; 0: no digest can be made. */
uint64_t ngx_voice_jwks_id(const ngx_voice_issuer_t *issuer,
    const voice_jwt_key_info_t *info, voice_span_t material);

/* ngx_voice_jwks_set.c */
/* NULL: out of memory. */
ngx_voice_jwks_set_t *ngx_voice_jwks_set_create(
    const ngx_voice_issuer_t *issuer, voice_span_t text);
/* The note of a key by kid; NULL: there is none. */
const ngx_voice_jwks_note_t *ngx_voice_jwks_note(
    const ngx_voice_jwks_set_t *set, voice_span_t kid);
/* Of one key in PEM; NULL: *reason says why. */
ngx_voice_jwks_set_t *ngx_voice_jwks_set_pem(
    const ngx_voice_issuer_t *issuer, voice_span_t pem, const char **reason);
void ngx_voice_jwks_set_destroy(ngx_voice_jwks_set_t *set);
/* Brings issuer->set up to date. */
void ngx_voice_jwks_set_refresh(ngx_voice_issuer_t *issuer);

/* ngx_voice_jwks_wait.c */
/* Tells those whose fetch has ended or whose time is over. */
void ngx_voice_jwks_wake(ngx_voice_issuer_t *issuer);
/* Tells all of them NGX_ERROR. */
void ngx_voice_jwks_wake_all(ngx_voice_issuer_t *issuer);

/* ngx_voice_jwks.c */
void ngx_voice_jwks_begin(ngx_voice_issuer_t *issuer);


#endif /* NGX_VOICE_JWKS_PRIVATE_H */
