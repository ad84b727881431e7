
/*
 * The rows of issuers in shared memory: who fetches, when next, the text that
 * all processes make their keys of, and kids known to be unknown.
 */

#include "ngx_voice_jwks_private.h"
#include "ngx_voice_zone.h"


#define NGX_VOICE_JWKS_GRACE  1000         /* ms that a fetcher gets more */
#define NGX_VOICE_JWKS_HURRY  1000         /* ms, the first try without keys */


static ngx_uint_t ngx_voice_jwks_lock(ngx_voice_issuer_t *issuer);
static void ngx_voice_jwks_unlock(ngx_voice_issuer_t *issuer);
static const char *ngx_voice_jwks_store(ngx_voice_issuer_t *issuer,
    const char *text);
static void ngx_voice_jwks_good(ngx_voice_issuer_t *issuer,
    ngx_int_t max_age);
static ngx_msec_t ngx_voice_jwks_interval(const ngx_voice_issuer_t *issuer,
    ngx_int_t max_age);
static ngx_msec_t ngx_voice_jwks_backoff(const ngx_voice_issuer_t *issuer);
static const char *ngx_voice_jwks_file(ngx_voice_issuer_t *issuer,
    const ngx_file_info_t *fi, ngx_log_t *log);
static ngx_uint_t ngx_voice_jwks_slot(voice_span_t kid, uint64_t *hash);


ngx_int_t
ngx_voice_jwks_elect(ngx_voice_issuer_t *issuer, ngx_voice_jwks_why_e why)
{
    ngx_int_t              rc;
    ngx_msec_t             now;
    ngx_uint_t             due, rested;
    ngx_voice_jwks_row_t  *row;

    if (!ngx_voice_jwks_lock(issuer)) {
        return NGX_DECLINED;
    }

    row = issuer->row;
    now = ngx_current_msec;

    due = (ngx_msec_int_t) (now - row->next) >= 0;
    rested = !row->begun || now - row->started >= issuer->min_interval;

    if (row->fetcher != 0 && (ngx_msec_int_t) (row->deadline - now) > 0
        && ngx_voice_process_alive(row->fetcher))
    {
        rc = NGX_AGAIN;

    } else if (due || (why == NGX_VOICE_JWKS_ASKED && row->version != 0
                       && rested))
    {
        row->fetcher = ngx_pid;
        row->deadline = now + issuer->timeout + NGX_VOICE_JWKS_GRACE;
        row->begun = 1;
        row->started = now;
        row->fetches++;
        rc = NGX_OK;

    } else {
        rc = NGX_DECLINED;
    }

    ngx_voice_jwks_unlock(issuer);

    return rc;
}


ngx_int_t
ngx_voice_jwks_publish(ngx_voice_issuer_t *issuer, voice_span_t document,
    ngx_int_t max_age, ngx_log_t *log)
{
    char               *text;
    size_t              len;
    u_char             *old;
    const char         *reason;
    ngx_atomic_uint_t   version;

    len = 0;
    old = ngx_voice_jwks_copy(issuer, &len, &version);

    text = ngx_voice_jwks_merge(issuer, document,
                                voice_span((char *) old, len), log, &reason);

    if (text != NULL
        && (old == NULL || strlen(text) != len
            || ngx_memcmp(text, old, len) != 0))
    {
        reason = ngx_voice_jwks_store(issuer, text);

        if (reason == NULL) {
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "voice issuer \"%V\": new keys", &issuer->name);
        }

    } else if (text != NULL) {
        reason = NULL;
    }

    free(text);

    if (old != NULL) {
        ngx_free(old);
    }

    if (reason != NULL) {
        ngx_voice_jwks_fail(issuer, reason, log);
        return NGX_ERROR;
    }

    ngx_voice_jwks_good(issuer, max_age);

    return NGX_OK;
}


void
ngx_voice_jwks_fail(ngx_voice_issuer_t *issuer, const char *reason,
    ngx_log_t *log)
{
    ngx_uint_t             level, keys;
    ngx_msec_t             delay;
    ngx_voice_jwks_row_t  *row;

    if (!ngx_voice_jwks_lock(issuer)) {
        return;
    }

    row = issuer->row;
    row->streak++;
    row->failures++;
    row->fetcher = 0;
    (void) ngx_cpystrn(row->error, (u_char *) reason, sizeof(row->error));

    delay = ngx_voice_jwks_backoff(issuer);
    row->next = ngx_current_msec + delay;
    ngx_memory_barrier();
    row->finished++;

    level = row->streak == 1 ? NGX_LOG_ERR : NGX_LOG_INFO;
    keys = row->version != 0;

    ngx_voice_jwks_unlock(issuer);

    ngx_log_error(level, log, 0,
                  "voice issuer \"%V\": %s, next try in %M ms: %s",
                  &issuer->name, keys ? "its last keys stay" : "no keys",
                  delay, reason);
}


void
ngx_voice_jwks_resign(ngx_voice_issuer_t *issuer)
{
    if (!ngx_voice_jwks_lock(issuer)) {
        return;
    }

    if (issuer->row->fetcher == ngx_pid) {
        issuer->row->fetcher = 0;
        issuer->row->next = ngx_current_msec;
    }

    ngx_voice_jwks_unlock(issuer);
}


void
ngx_voice_jwks_reread(ngx_voice_issuer_t *issuer, ngx_log_t *log)
{
    const char            *reason;
    ngx_file_info_t        fi;
    ngx_voice_jwks_row_t  *row;

    row = issuer->row;

    if (ngx_file_info(issuer->file.data, &fi) == NGX_FILE_ERROR) {
        ngx_voice_jwks_fail(issuer, "the file cannot be seen", log);
        return;
    }

    if (row->mtime == ngx_file_mtime(&fi) && row->size == ngx_file_size(&fi))
    {
        ngx_voice_jwks_good(issuer, 0);
        return;
    }

    reason = ngx_voice_jwks_file(issuer, &fi, log);

    if (reason != NULL) {
        ngx_voice_jwks_fail(issuer, reason, log);
    }
}


u_char *
ngx_voice_jwks_copy(ngx_voice_issuer_t *issuer, size_t *len,
    ngx_atomic_uint_t *version)
{
    u_char                *copy;
    ngx_voice_jwks_row_t  *row;

    if (!ngx_voice_jwks_lock(issuer)) {
        return NULL;
    }

    row = issuer->row;
    copy = NULL;

    if (row->text != NULL) {
        copy = ngx_alloc(row->len, ngx_cycle->log);
    }

    if (copy != NULL) {
        ngx_memcpy(copy, row->text, row->len);
        *len = row->len;
        *version = row->version;
    }

    ngx_voice_jwks_unlock(issuer);

    return copy;
}


ngx_uint_t
ngx_voice_jwks_is_unknown(ngx_voice_issuer_t *issuer, voice_span_t kid)
{
    uint64_t                   hash;
    ngx_uint_t                 slot, unknown;
    ngx_voice_jwks_unknown_t  *row;

    slot = ngx_voice_jwks_slot(kid, &hash);

    if (!ngx_voice_jwks_lock(issuer)) {
        return 1;
    }

    row = &issuer->row->unknown[slot];
    unknown = row->hash == hash
              && (ngx_msec_int_t) (row->until - ngx_current_msec) > 0;

    ngx_voice_jwks_unlock(issuer);

    return unknown;
}


void
ngx_voice_jwks_set_unknown(ngx_voice_issuer_t *issuer, voice_span_t kid)
{
    uint64_t                   hash;
    ngx_uint_t                 slot;
    ngx_voice_jwks_unknown_t  *row;

    slot = ngx_voice_jwks_slot(kid, &hash);

    if (!ngx_voice_jwks_lock(issuer)) {
        return;
    }

    /* a fetch that failed says nothing of a kid */

    if (issuer->row->error[0] == '\0') {
        row = &issuer->row->unknown[slot];
        row->hash = hash;
        row->until = ngx_current_msec + issuer->min_interval;
    }

    ngx_voice_jwks_unlock(issuer);
}


void
ngx_voice_jwks_figures(ngx_voice_issuer_t *issuer,
    ngx_voice_jwks_figures_t *figures)
{
    ngx_msec_t             now;
    ngx_voice_jwks_row_t  *row;

    ngx_memzero(figures, sizeof(ngx_voice_jwks_figures_t));
    figures->source = issuer->url.len != 0 ? "url"
                      : issuer->file.len != 0 ? "file" : "key";
    figures->fetched = -1;
    figures->next = -1;
    figures->waiting = issuer->nwaiting;

    if (!ngx_voice_jwks_lock(issuer)) {
        return;
    }

    row = issuer->row;
    now = ngx_current_msec;

    figures->fetches = row->fetches;
    figures->failures = row->failures;
    figures->fetching = row->fetcher != 0;
    figures->next = (ngx_msec_int_t) (row->next - now);
    figures->next = ngx_max(figures->next, 0) / 1000;

    if (row->version != 0) {
        figures->fetched = (ngx_msec_int_t) (now - row->fetched) / 1000;
    }

    ngx_memcpy(figures->error, row->error, sizeof(figures->error));

    ngx_voice_jwks_unlock(issuer);
}


/* 0, and no lock: there is no row, or another issuer has it by now. */
static ngx_uint_t
ngx_voice_jwks_lock(ngx_voice_issuer_t *issuer)
{
    ngx_slab_pool_t  *slab;

    if (issuer->row == NULL) {
        return 0;
    }

    slab = (ngx_slab_pool_t *) issuer->zone->shm.addr;
    ngx_shmtx_lock(&slab->mutex);

    if (ngx_memcmp(issuer->row->source, issuer->source, VOICE_SHA256_LEN)
        != 0)
    {
        ngx_shmtx_unlock(&slab->mutex);
        return 0;
    }

    return 1;
}


static void
ngx_voice_jwks_unlock(ngx_voice_issuer_t *issuer)
{
    ngx_slab_pool_t  *slab;

    slab = (ngx_slab_pool_t *) issuer->zone->shm.addr;
    ngx_shmtx_unlock(&slab->mutex);
}


/* NULL, or why it cannot be stored. */
static const char *
ngx_voice_jwks_store(ngx_voice_issuer_t *issuer, const char *text)
{
    size_t                 len;
    u_char                *copy, *old;
    ngx_slab_pool_t       *slab;
    ngx_voice_jwks_row_t  *row;

    len = strlen(text);
    slab = (ngx_slab_pool_t *) issuer->zone->shm.addr;

    if (!ngx_voice_jwks_lock(issuer)) {
        return "the issuer is no longer configured";
    }

    copy = ngx_slab_alloc_locked(slab, len);

    if (copy != NULL) {
        row = issuer->row;
        old = row->text;

        ngx_memcpy(copy, text, len);
        row->text = copy;
        row->len = len;
        row->fetched = ngx_current_msec;
        ngx_memory_barrier();
        row->version++;

        if (old != NULL) {
            ngx_slab_free_locked(slab, old);
        }
    }

    ngx_voice_jwks_unlock(issuer);

    return copy == NULL ? "no room in shared memory" : NULL;
}


static void
ngx_voice_jwks_good(ngx_voice_issuer_t *issuer, ngx_int_t max_age)
{
    ngx_voice_jwks_row_t  *row;

    if (!ngx_voice_jwks_lock(issuer)) {
        return;
    }

    row = issuer->row;
    row->streak = 0;
    row->fetcher = 0;
    row->error[0] = '\0';
    row->fetched = ngx_current_msec;
    row->next = ngx_current_msec + ngx_voice_jwks_interval(issuer, max_age);
    ngx_memory_barrier();
    row->finished++;

    ngx_voice_jwks_unlock(issuer);
}


static ngx_msec_t
ngx_voice_jwks_interval(const ngx_voice_issuer_t *issuer, ngx_int_t max_age)
{
    ngx_msec_t  interval, jitter;

    if (issuer->file.len != 0) {
        return issuer->min_interval;
    }

    interval = issuer->refresh;

    if (max_age >= 0 && (ngx_msec_t) max_age < interval / 1000) {
        interval = (ngx_msec_t) max_age * 1000;
    }

    jitter = (ngx_msec_t) ngx_random() % (interval / 10 + 1);

    return ngx_max(interval - jitter, issuer->min_interval);
}


/* Without keys requests fail meanwhile; with some there is time. */
static ngx_msec_t
ngx_voice_jwks_backoff(const ngx_voice_issuer_t *issuer)
{
    ngx_uint_t  shift;
    ngx_msec_t  first, most, delay;

    if (issuer->row->version == 0) {
        first = NGX_VOICE_JWKS_HURRY;
        most = issuer->min_interval;

    } else {
        first = issuer->min_interval;
        most = issuer->refresh;
    }

    shift = ngx_min(issuer->row->streak - 1, 16);
    delay = ngx_min(first << shift, ngx_max(first, most));

    return delay - (ngx_msec_t) ngx_random() % (delay / 4 + 1);
}


/* NULL, or why the file is not taken. */
static const char *
ngx_voice_jwks_file(ngx_voice_issuer_t *issuer, const ngx_file_info_t *fi,
    ngx_log_t *log)
{
    off_t      size;
    u_char    *text;
    ssize_t    n;
    ngx_fd_t   fd;

    size = ngx_file_size(fi);

    if (size > VOICE_JWK_SET_MAX) {
        return "the file is too large";
    }

    fd = ngx_open_file(issuer->file.data, NGX_FILE_RDONLY|O_NONBLOCK,
                       NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return "the file cannot be opened";
    }

    text = ngx_alloc(VOICE_JWK_SET_MAX, log);
    n = text == NULL ? NGX_ERROR : ngx_read_fd(fd, text, VOICE_JWK_SET_MAX);

    (void) ngx_close_file(fd);

    /* told as a failure by itself; read again when it has changed again */

    if (n >= 0) {
        issuer->row->mtime = ngx_file_mtime(fi);
        issuer->row->size = size;
        (void) ngx_voice_jwks_publish(issuer,
                                      voice_span((char *) text, n), 0, log);
    }

    if (text != NULL) {
        ngx_free(text);
    }

    return n < 0 ? "the file cannot be read" : NULL;
}


static ngx_uint_t
ngx_voice_jwks_slot(voice_span_t kid, uint64_t *hash)
{
    unsigned char  digest[VOICE_SHA256_LEN];

    /* of a kid that somebody chose: no hash that he can make collide */

    ngx_memzero(digest, sizeof(digest));
    (void) !voice_sha256(digest, kid);
    ngx_memcpy(hash, digest, sizeof(uint64_t));

    return digest[sizeof(uint64_t)] % NGX_VOICE_JWKS_UNKNOWN;
}
