
/*
 * The watch: numbers of changes in shared memory, and the question for new
 * ones.  The answer to a question that began at a snapshot brings what the
 * one before did not see, in whatever order transactions committed.
 */

#include "ngx_voice_watch.h"
#include "voice_json.h"


#define NGX_VOICE_WATCH_PERIOD   200       /* ms between two questions */
#define NGX_VOICE_WATCH_TURN     50        /* ms between two looks whether
                                              it is time */
#define NGX_VOICE_WATCH_TIMEOUT  900       /* ms of a question */


/* One database's question. */
typedef struct {
    ngx_voice_watcher_t      *watcher;
    ngx_voice_watch_state_t  *state;
    ngx_atomic_uint_t         identity;    /* of the database */
    ngx_voice_pg_conf_t       conf;
    ngx_voice_pg_pool_t      *pool;
    ngx_voice_pg_query_t     *query;       /* under way, or NULL */
    ngx_atomic_uint_t         began;       /* ms */
    ngx_uint_t                anew;        /* it asks for no changes */
    ngx_uint_t                failing;     /* it has been logged */
    u_char                    since[NGX_VOICE_WATCH_MARK];
} ngx_voice_watch_one_t;


struct ngx_voice_watcher_s {
    ngx_voice_watch_t      *watch;
    ngx_atomic_t           *dropped;       /* counter */
    ngx_slab_pool_t        *slab;
    ngx_log_t              *log;
    ngx_event_t             timer;
    ngx_voice_watch_one_t  *ones;
    ngx_uint_t              nones;
};


static ngx_uint_t ngx_voice_watch_slot(ngx_voice_change_e kind,
    const u_char *id, size_t len);
static ngx_int_t ngx_voice_watch_open(ngx_voice_watch_one_t *one,
    const ngx_voice_database_t *database, ngx_cycle_t *cycle);
static ngx_atomic_uint_t ngx_voice_watch_identity(
    const ngx_voice_pg_conf_t *conf);
static void ngx_voice_watch_timer(ngx_event_t *ev);
static void ngx_voice_watch_ask(ngx_voice_watch_one_t *one);
static void ngx_voice_watch_since(ngx_voice_watch_one_t *one,
    ngx_str_t *since);
static void ngx_voice_watch_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result);
static ngx_int_t ngx_voice_watch_take(ngx_voice_watch_one_t *one,
    const PGresult *result);
static void ngx_voice_watch_changes(ngx_voice_watch_one_t *one,
    const json_t *changes);
static void ngx_voice_watch_keep(ngx_voice_watch_one_t *one,
    voice_span_t mark);


static const ngx_voice_pg_statement_t  ngx_voice_watch_statement = {
    ngx_string("edge_changes"),
    ngx_string("select api.edge_changes($1)"),
    1, NULL
};


/* By ngx_voice_change_e. */
static const struct {
    ngx_str_t   name;
    ngx_uint_t  whole;                     /* it has no id */
} ngx_voice_change_kinds[] = {
    { ngx_string("tenant"), 0 },
    { ngx_string("tenants"), 1 },
    { ngx_string("host"), 0 },
    { ngx_string("hosts"), 1 },
    { ngx_string("session"), 0 },
    { ngx_string("actor"), 0 },
    { ngx_string("all"), 1 }
};


void
ngx_voice_watch_init(ngx_voice_watch_t *watch)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_VOICE_DATABASES_MAX; i++) {
        watch->states[i].fresh = ngx_current_msec;
    }
}


ngx_atomic_uint_t
ngx_voice_watch_now(const ngx_voice_watch_t *watch)
{
    return watch->last;
}


ngx_uint_t
ngx_voice_watch_holds(const ngx_voice_watch_t *watch,
    ngx_voice_change_e kind, const u_char *id, size_t len,
    ngx_atomic_uint_t since)
{
    ngx_atomic_uint_t  whole;

    whole = kind == NGX_VOICE_CHANGE_TENANT
            ? watch->kinds[NGX_VOICE_CHANGE_TENANTS]
            : kind == NGX_VOICE_CHANGE_HOST
              ? watch->kinds[NGX_VOICE_CHANGE_HOSTS] : 0;

    return watch->kinds[NGX_VOICE_CHANGE_ALL] <= since && whole <= since
           && watch->stamps[ngx_voice_watch_slot(kind, id, len)] <= since;
}


void
ngx_voice_watch_drop(ngx_voice_watch_t *watch, ngx_voice_change_e kind,
    const u_char *id, size_t len)
{
    ngx_atomic_t       *at;
    ngx_atomic_uint_t   number, before;

    at = ngx_voice_change_kinds[kind].whole
         ? &watch->kinds[kind]
         : &watch->stamps[ngx_voice_watch_slot(kind, id, len)];

    number = ngx_atomic_fetch_add(&watch->last, 1) + 1;

    /* another process may be at it with a later number */

    do {
        before = *at;
    } while (before < number && !ngx_atomic_cmp_set(at, before, number));
}


ngx_msec_t
ngx_voice_watch_lag(const ngx_voice_watch_t *watch, ngx_uint_t database)
{
    ngx_msec_int_t  lag;

    /* the clock of who wrote it may be ahead of ours */
    lag = (ngx_msec_int_t) (ngx_current_msec
                            - watch->states[database].fresh);

    return ngx_max(lag, 0);
}


ngx_voice_watcher_t *
ngx_voice_watch_create(ngx_voice_watch_t *watch, ngx_array_t *databases,
    ngx_atomic_t *dropped, ngx_slab_pool_t *slab, ngx_cycle_t *cycle)
{
    ngx_uint_t             i;
    ngx_voice_watcher_t   *watcher;
    ngx_voice_database_t  *database;

    watcher = ngx_pcalloc(cycle->pool, sizeof(ngx_voice_watcher_t));
    if (watcher == NULL) {
        return NULL;
    }

    watcher->watch = watch;
    watcher->dropped = dropped;
    watcher->slab = slab;
    watcher->log = cycle->log;
    watcher->nones = databases->nelts;
    watcher->ones = ngx_pcalloc(cycle->pool, databases->nelts
                                             * sizeof(ngx_voice_watch_one_t));
    if (watcher->ones == NULL) {
        return NULL;
    }

    database = databases->elts;

    for (i = 0; i < databases->nelts; i++) {
        watcher->ones[i].watcher = watcher;
        watcher->ones[i].state = &watch->states[i];

        if (ngx_voice_watch_open(&watcher->ones[i], &database[i], cycle)
            != NGX_OK)
        {
            return NULL;
        }
    }

    watcher->timer.handler = ngx_voice_watch_timer;
    watcher->timer.data = watcher;
    watcher->timer.log = cycle->log;
    watcher->timer.cancelable = 1;

    ngx_add_timer(&watcher->timer, NGX_VOICE_WATCH_TURN);

    return watcher;
}


void
ngx_voice_watch_destroy(ngx_voice_watcher_t *watcher)
{
    ngx_uint_t  i;

    if (watcher->timer.timer_set) {
        ngx_del_timer(&watcher->timer);
    }

    for (i = 0; i < watcher->nones; i++) {
        if (watcher->ones[i].query != NULL) {
            ngx_voice_pg_cancel(watcher->ones[i].query);
        }

        ngx_voice_pg_destroy(watcher->ones[i].pool);
    }
}


/* FNV-1a: ids are our own, nobody chooses them to collide. */
static ngx_uint_t
ngx_voice_watch_slot(ngx_voice_change_e kind, const u_char *id, size_t len)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325u + kind;

    for (i = 0; i < len; i++) {
        hash = (hash ^ id[i]) * 0x100000001b3u;
    }

    return (hash ^ hash >> 32) % NGX_VOICE_WATCH_STAMPS;
}


/* Another database in this place is one to begin anew with. */
static ngx_int_t
ngx_voice_watch_open(ngx_voice_watch_one_t *one,
    const ngx_voice_database_t *database, ngx_cycle_t *cycle)
{
    ngx_voice_watch_state_t  *state;

    state = one->state;
    one->identity = ngx_voice_watch_identity(&database->conf);

    ngx_shmtx_lock(&one->watcher->slab->mutex);

    if (state->identity != one->identity) {
        state->identity = one->identity;
        state->len = 0;
    }

    ngx_shmtx_unlock(&one->watcher->slab->mutex);

    one->conf = database->conf;
    ngx_str_set(&one->conf.name, "watch");
    one->conf.size = 1;
    one->conf.depth = 1;
    one->conf.queue = 1;
    one->conf.query_timeout = NGX_VOICE_WATCH_TIMEOUT;
    one->pool = ngx_voice_pg_create(&one->conf, cycle->pool, cycle->log);

    return one->pool == NULL ? NGX_ERROR : NGX_OK;
}


static ngx_atomic_uint_t
ngx_voice_watch_identity(const ngx_voice_pg_conf_t *conf)
{
    uint32_t  crc;

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, (u_char *) conf->servers.at,
                     conf->servers.n * sizeof(voice_endpoint_t));
    ngx_crc32_update(&crc, conf->dbname.data, conf->dbname.len);
    ngx_crc32_final(crc);

    return (ngx_atomic_uint_t) crc + 1;
}


/* Who finds a question due claims it; if he dies, the next one is. */
static void
ngx_voice_watch_timer(ngx_event_t *ev)
{
    ngx_uint_t                i;
    ngx_atomic_uint_t         due;
    ngx_voice_watcher_t      *watcher = ev->data;
    ngx_voice_watch_one_t    *one;

    if (ngx_exiting) {
        return;
    }

    for (i = 0; i < watcher->nones; i++) {
        one = &watcher->ones[i];
        due = one->state->due;

        if (one->query == NULL
            && (ngx_msec_int_t) (ngx_current_msec - due) >= 0
            && ngx_atomic_cmp_set(&one->state->due, due,
                                  ngx_current_msec + NGX_VOICE_WATCH_PERIOD))
        {
            ngx_voice_watch_ask(one);
        }
    }

    ngx_add_timer(ev, NGX_VOICE_WATCH_TURN);
}


static void
ngx_voice_watch_ask(ngx_voice_watch_one_t *one)
{
    ngx_str_t  since;

    ngx_voice_watch_since(one, &since);

    one->began = ngx_current_msec;
    one->query = ngx_voice_pg_send(one->pool, &ngx_voice_watch_statement,
                                   &since, ngx_voice_watch_answered, one);
}


/* From where to ask; NULL: to begin with. */
static void
ngx_voice_watch_since(ngx_voice_watch_one_t *one, ngx_str_t *since)
{
    ngx_voice_watcher_t      *watcher;
    ngx_voice_watch_state_t  *state;

    state = one->state;
    watcher = one->watcher;

    ngx_shmtx_lock(&watcher->slab->mutex);

    since->len = state->len;
    since->data = since->len == 0 ? NULL : one->since;
    ngx_memcpy(one->since, state->mark, since->len);

    ngx_shmtx_unlock(&watcher->slab->mutex);

    one->anew = since->len == 0;
}


static void
ngx_voice_watch_answered(void *data, ngx_voice_pg_e outcome,
    PGresult **result)
{
    const char             *reason;
    ngx_voice_watch_one_t  *one = data;

    one->query = NULL;

    if (outcome == NGX_VOICE_PG_RESULT
        && ngx_voice_watch_take(one, *result) == NGX_OK)
    {
        one->failing = 0;
        return;
    }

    if (one->failing) {
        return;
    }

    one->failing = 1;
    reason = outcome == NGX_VOICE_PG_ERROR
             ? PQresultErrorField(*result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    ngx_log_error(NGX_LOG_WARN, one->watcher->log, 0,
                  "changes of the database cannot be watched: %s",
                  reason != NULL ? reason
                  : outcome == NGX_VOICE_PG_TIMEOUT ? "no answer in time"
                                                    : "no connection");
}


static ngx_int_t
ngx_voice_watch_take(ngx_voice_watch_one_t *one, const PGresult *result)
{
    json_t               *answer, *changes;
    voice_span_t          mark;
    voice_json_error_t    err;
    ngx_voice_watcher_t  *watcher;

    if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0)) {
        return NGX_ERROR;
    }

    answer = voice_json_parse(voice_span(PQgetvalue(result, 0, 0),
                                         PQgetlength(result, 0, 0)), &err);
    mark = voice_json_text(answer, "mark");

    if (mark.len == 0 || mark.len > NGX_VOICE_WATCH_MARK) {
        json_decref(answer);
        return NGX_ERROR;
    }

    watcher = one->watcher;
    changes = json_object_get(answer, "changes");

    if (one->anew || !json_is_true(json_object_get(answer, "complete"))) {
        ngx_voice_watch_drop(watcher->watch, NGX_VOICE_CHANGE_ALL, NULL, 0);
        (void) ngx_atomic_fetch_add(watcher->dropped, 1);

    } else {
        ngx_voice_watch_changes(one, changes);
    }

    /* only now: who dies before leaves the changes to the next one */
    ngx_voice_watch_keep(one, mark);
    json_decref(answer);

    return NGX_OK;
}


/* Changes of kinds that a later release writes drop everything. */
static void
ngx_voice_watch_changes(ngx_voice_watch_one_t *one, const json_t *changes)
{
    size_t               i;
    ngx_str_t            kind, id;
    ngx_uint_t           n;
    json_t              *change;
    ngx_voice_watcher_t *watcher;

    watcher = one->watcher;

    json_array_foreach(changes, i, change) {
        kind.data = (u_char *) json_string_value(json_array_get(change, 0));
        kind.len = json_string_length(json_array_get(change, 0));
        id.data = (u_char *) json_string_value(json_array_get(change, 1));
        id.len = json_string_length(json_array_get(change, 1));

        for (n = 0; n < NGX_VOICE_CHANGE_ALL; n++) {
            if (kind.len == ngx_voice_change_kinds[n].name.len
                && ngx_memcmp(kind.data, ngx_voice_change_kinds[n].name.data,
                              kind.len) == 0)
            {
                break;
            }
        }

        ngx_voice_watch_drop(watcher->watch, n, id.data, id.len);
        (void) ngx_atomic_fetch_add(watcher->dropped, 1);
    }
}


/* A process of an older configuration may watch another database here. */
static void
ngx_voice_watch_keep(ngx_voice_watch_one_t *one, voice_span_t mark)
{
    ngx_voice_watch_state_t  *state;

    state = one->state;

    ngx_shmtx_lock(&one->watcher->slab->mutex);

    if (state->identity != one->identity) {
        ngx_shmtx_unlock(&one->watcher->slab->mutex);
        return;
    }

    ngx_memcpy(state->mark, mark.ptr, mark.len);
    state->len = mark.len;

    if ((ngx_msec_int_t) (one->began - state->fresh) > 0) {
        state->fresh = one->began;
    }

    ngx_shmtx_unlock(&one->watcher->slab->mutex);
}
