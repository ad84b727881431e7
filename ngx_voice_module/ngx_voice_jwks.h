
/*
 * Foreign issuers of tokens (voice_jwt_issuer) and their key sets: fetched
 * from a URL or read from a file, kept in shared memory for all processes of
 * the node, as a voice_jwt_keys_t in each of them.
 *
 * A key set belongs to one issuer: a token is verified by the set of the
 * issuer that its "iss" names, which the rules then demand.
 */

#ifndef NGX_VOICE_JWKS_H
#define NGX_VOICE_JWKS_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "voice_code.h"
#include "voice_contract.h"
#include "voice_jwt.h"
#include "ngx_voice_fetch.h"


#define NGX_VOICE_ISSUERS_MAX   32
#define NGX_VOICE_JWKS_WAITING  256        /* requests of a process that wait
                                              for the keys of one issuer */
#define NGX_VOICE_JWKS_ERROR    96         /* bytes of a reason, with NUL */


typedef struct ngx_voice_issuer_s     ngx_voice_issuer_t;
typedef struct ngx_voice_jwks_set_s   ngx_voice_jwks_set_t;
typedef struct ngx_voice_jwks_row_s   ngx_voice_jwks_row_t;
typedef struct ngx_voice_jwks_wait_s  ngx_voice_jwks_wait_t;
typedef struct ngx_voice_jwks_s       ngx_voice_jwks_t;


/* role=theirs:ours; theirs "*": whatever the claim holds. */
typedef struct {
    ngx_str_t     theirs;
    voice_role_e  ours;
} ngx_voice_issuer_role_t;


/* A foreign issuer; strings end with a NUL. */
struct ngx_voice_issuer_s {
    ngx_str_t                 name;        /* demanded "iss" */
    ngx_str_t                 audience;    /* demanded in "aud" */
    const char *const        *types;       /* for voice_jwt_rules_t.types */
    ngx_str_t                 tenant;      /* UUID; empty: tenant_claim */
    ngx_str_t                 tenant_claim;    /* RFC 6901, "/org/id" */
    ngx_str_t                 role_claim;      /* a string or an array */
    ngx_array_t               roles;       /* ngx_voice_issuer_role_t, the
                                              first that fits wins */
    time_t                    leeway;      /* seconds */

    /* where the keys are from: one of the three */
    ngx_str_t                 url;
    ngx_str_t                 file;        /* a key set */
    ngx_str_t                 key_file;    /* one public key, PEM */
    ngx_str_t                 kid;         /* of that key, or empty */
    voice_jwt_alg_e           alg;         /* of RSA keys that name none */
    ngx_msec_t                refresh;
    ngx_msec_t                min_interval;
    ngx_msec_t                overlap;
    ngx_msec_t                timeout;     /* of a fetch, and of waiting */
    ngx_str_t                 ca;          /* file; empty: the system's */
    ngx_voice_trust_t        *trust;       /* NULL: no https */
    ngx_str_t                 text;        /* of file, as it was read */
    time_t                    mtime;
    off_t                     size;
    ngx_shm_zone_t           *zone;
    u_char                    source[VOICE_SHA256_LEN];    /* digest of name
                                              and URL or file */

    /* of this process */
    ngx_voice_jwks_row_t     *row;         /* in shared memory */
    ngx_voice_jwks_set_t     *set;         /* NULL: no keys yet */
    ngx_voice_jwks_t         *jwks;
    ngx_voice_fetch_t        *fetch;       /* under way, or NULL */
    ngx_event_t               poll;        /* timer, while requests wait */
    ngx_queue_t               waiting;     /* ngx_voice_jwks_wait_t */
    ngx_uint_t                nwaiting;
};


/*
 * Told once to who waits: NGX_OK: the key is there now; NGX_DECLINED: it is
 * unknown, 401; NGX_ERROR: there are no keys at all, 503.
 */
typedef void (*ngx_voice_jwks_done_pt)(void *data, ngx_int_t rc);


/* What voice_status tells of an issuer; times in seconds, -1: never. */
typedef struct {
    const char  *source;                   /* url, file, key */
    ngx_uint_t   fetches;                  /* counters since the zone began */
    ngx_uint_t   failures;
    ngx_int_t    fetched;                  /* seconds ago: last good fetch */
    ngx_int_t    next;                     /* seconds to the next one */
    ngx_uint_t   fetching;                 /* one is under way */
    ngx_uint_t   waiting;                  /* requests of this process */
    u_char       error[NGX_VOICE_JWKS_ERROR];  /* last one; "": none since
                                              the last good fetch */
} ngx_voice_jwks_figures_t;


/* ... and of a key. */
typedef struct {
    u_char       kid[VOICE_JWK_KID_MAX + 1];
    u_char       alg[8];
    uint64_t     id;
    ngx_int_t    age;                      /* seconds since first seen */
    ngx_int_t    left;                     /* seconds that a key which has
                                              vanished is still good; -1: it
                                              has not vanished */
} ngx_voice_jwks_key_t;


/* voice_jwt_issuer; ngx_voice_jwks_conf.c */
char *ngx_voice_conf_jwt_issuer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Adds the shared zone and attaches the issuers to it; issuers is an array
 * of ngx_voice_issuer_t, NULL: none are declared, which is fine everywhere.
 * own is our own "iss", which no foreign one may have.
 */
ngx_int_t ngx_voice_jwks_configure(ngx_conf_t *cf, ngx_array_t *issuers,
    const ngx_str_t *own);

/* The clients of this process: fetches begin.  NULL: out of memory. */
ngx_voice_jwks_t *ngx_voice_jwks_create(ngx_array_t *issuers,
    ngx_cycle_t *cycle);
/* Who waits is told NGX_ERROR.  jwks may be NULL. */
void ngx_voice_jwks_destroy(ngx_voice_jwks_t *jwks);

/* The issuer that an unverified "iss" names; NULL: none of ours. */
ngx_voice_issuer_t *ngx_voice_issuer_find(ngx_array_t *issuers,
    voice_span_t iss);

/*
 * The present keys of an issuer, good until this is called again or control
 * returns to the event loop; NULL: there are none yet, wait for them.
 */
const voice_jwt_keys_t *ngx_voice_issuer_keys(ngx_voice_issuer_t *issuer);

/*
 * The stable id of the key that verifies a token of this kid, in the keys
 * that were got last; 0: there is none.  It depends on issuer, kid, algorithm
 * and key, so a changed key has another one.  Without a kid: of the whole
 * set, which any change of it ends.
 */
uint64_t ngx_voice_issuer_key_id(ngx_voice_issuer_t *issuer,
    voice_span_t kid);

/*
 * Is a key still good?  Cheap: asked for each hit of the table of known
 * credentials.  Keys go when their set changes or their overlap is over.
 */
ngx_uint_t ngx_voice_issuers_trust(ngx_array_t *issuers, uint64_t id);

/*
 * For a token whose key is unknown, or whose issuer has no keys.  NGX_AGAIN:
 * done will be called, at the latest after the issuer's timeout, and *wait is
 * a handle until then.  Else, at once: NGX_DECLINED: unknown key, 401;
 * NGX_ERROR: no keys at all, 503.  done never runs inside this call.
 */
ngx_int_t ngx_voice_jwks_wait(ngx_voice_issuer_t *issuer, voice_span_t kid,
    ngx_voice_jwks_done_pt done, void *data, ngx_voice_jwks_wait_t **wait);

/* done will not be called any more. */
void ngx_voice_jwks_cancel(ngx_voice_jwks_wait_t *wait);

void ngx_voice_jwks_figures(ngx_voice_issuer_t *issuer,
    ngx_voice_jwks_figures_t *figures);
/* Fills at most max rows; returns how many. */
ngx_uint_t ngx_voice_jwks_keys(ngx_voice_issuer_t *issuer,
    ngx_voice_jwks_key_t *keys, ngx_uint_t max);


#endif /* NGX_VOICE_JWKS_H */
