
/*
 * bcrypt ("$2b$") in nginx's thread pool "default": the event loop never
 * hashes.  Knows no HTTP.
 */

#ifndef NGX_VOICE_PASSWORD_H
#define NGX_VOICE_PASSWORD_H


#include <ngx_config.h>
#include <ngx_core.h>


/* bcrypt reads no further; a longer password is refused, not cut. */
#define NGX_VOICE_PASSWORD_MAX  72       /* bytes */


typedef struct ngx_voice_password_s       ngx_voice_password_t;
typedef struct ngx_voice_password_task_s  ngx_voice_password_task_t;


typedef struct {
    ngx_uint_t  cost;                  /* log2 of the rounds: 4 .. 31 */
    ngx_uint_t  limit;                 /* tasks outstanding, at most: 64 */
    ngx_uint_t  threads;               /* of them hashing at once: 2 */
    ngx_msec_t  timeout;               /* from submission to outcome */
} ngx_voice_password_conf_t;


typedef enum {
    NGX_VOICE_PASSWORD_OK = 0,         /* hashed, or it matches */
    NGX_VOICE_PASSWORD_WRONG,          /* it does not match */
    NGX_VOICE_PASSWORD_FAILED          /* no outcome within the timeout, or
                                          libcrypt refused (logged) */
} ngx_voice_password_e;


/*
 * Called exactly once for a task that was not cancelled; hash is set only
 * for a hash task that went well, has a NUL after it and ends with the
 * return.  May submit or cancel tasks; the task handle is gone.
 */
typedef void (*ngx_voice_password_done_pt)(void *data,
    ngx_voice_password_e outcome, const ngx_str_t *hash);


/*
 * At configuration time: makes nginx start the thread pool.  NGX_ERROR: out
 * of memory.
 */
ngx_int_t ngx_voice_password_configure(ngx_conf_t *cf);

/*
 * The hasher of this process; conf lives as long.  NULL: out of memory or no
 * thread pool (logged).
 */
ngx_voice_password_t *ngx_voice_password_create(
    ngx_voice_password_conf_t *conf, ngx_pool_t *pool, ngx_log_t *log);

/*
 * Hashes with a fresh salt.  The password is copied, and the copy wiped
 * afterwards.  NULL: too many outstanding, out of memory, or the password is
 * empty, longer than NGX_VOICE_PASSWORD_MAX or holds NUL (done is not
 * called).  The callback never runs inside this call.
 */
ngx_voice_password_task_t *ngx_voice_password_hash(
    ngx_voice_password_t *hasher, const ngx_str_t *password,
    ngx_voice_password_done_pt done, void *data);

/*
 * Compares with a stored hash; hash NULL is a user who does not exist: it
 * takes as long (at the configured cost) and never matches.  The same holds
 * for a password that could not have been hashed.  NULL: too many
 * outstanding or out of memory.
 */
ngx_voice_password_task_t *ngx_voice_password_verify(
    ngx_voice_password_t *hasher, const ngx_str_t *password,
    const ngx_str_t *hash, ngx_voice_password_done_pt done, void *data);

/* The caller does not want the outcome any more: done will not be called. */
void ngx_voice_password_cancel(ngx_voice_password_task_t *task);

/* Tasks waiting or hashing. */
ngx_uint_t ngx_voice_password_outstanding(const ngx_voice_password_t *hasher);


#endif /* NGX_VOICE_PASSWORD_H */
