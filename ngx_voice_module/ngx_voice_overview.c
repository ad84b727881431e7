
/*
 * What voice_status tells: of the node where shared memory has it, else of
 * the process that answers.
 */

#include "ngx_voice_page.h"


typedef json_t *(*ngx_voice_section_pt)(ngx_voice_main_conf_t *mcf);


static json_t *ngx_voice_overview_contract(ngx_voice_main_conf_t *mcf);
static json_t *ngx_voice_overview_configuration(ngx_voice_main_conf_t *mcf);
static json_t *ngx_voice_overview_processes(ngx_voice_main_conf_t *mcf);
static json_t *ngx_voice_overview_pools(ngx_voice_main_conf_t *mcf);
static void ngx_voice_overview_pool(json_t *rows,
    const ngx_voice_database_t *database, const ngx_voice_pg_conf_t *conf,
    const ngx_voice_pg_pool_t *pool);
static json_t *ngx_voice_overview_databases(ngx_voice_main_conf_t *mcf);
static json_t *ngx_voice_overview_tables(ngx_voice_main_conf_t *mcf);
static json_t *ngx_voice_overview_redis(ngx_voice_main_conf_t *mcf);
static json_t *ngx_voice_overview_issuers(ngx_voice_main_conf_t *mcf);
static json_t *ngx_voice_overview_issuer(ngx_voice_issuer_t *issuer);
static json_t *ngx_voice_overview_keys(ngx_voice_main_conf_t *mcf);
static void ngx_voice_overview_key_rows(json_t *rows,
    ngx_voice_issuer_t *issuer);
static json_t *ngx_voice_overview_counters(ngx_voice_main_conf_t *mcf);
static json_t *ngx_voice_overview_faults(ngx_voice_main_conf_t *mcf);
static json_t *ngx_voice_overview_time(time_t seconds);
static json_t *ngx_voice_overview_seconds(ngx_int_t seconds);
static json_t *ngx_voice_overview_str(const ngx_str_t *text);


static const struct {
    const char            *name;
    ngx_voice_section_pt   make;
} ngx_voice_sections[] = {
    { "contract", ngx_voice_overview_contract },
    { "configuration", ngx_voice_overview_configuration },
    { "processes", ngx_voice_overview_processes },
    { "postgres_pools", ngx_voice_overview_pools },
    { "databases", ngx_voice_overview_databases },
    { "redis", ngx_voice_overview_redis },
    { "memory", ngx_voice_overview_tables },
    { "issuers", ngx_voice_overview_issuers },
    { "keys", ngx_voice_overview_keys },
    { "counters", ngx_voice_overview_counters },
    { "errors", ngx_voice_overview_faults }
};


json_t *
ngx_voice_overview(ngx_voice_main_conf_t *mcf)
{
    json_t      *overview;
    ngx_uint_t   i;

    ngx_voice_figures_update(mcf);

    overview = json_pack("{s:s, s:o, s:i, s:I}", "version", NGX_VOICE_VERSION,
                         "time", ngx_voice_overview_time(ngx_time()),
                         "process", (int) ngx_pid,
                         "uptime_seconds",
                         (json_int_t) (ngx_time() - mcf->shared->born));

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_sections); i++) {
        if (json_object_set_new(overview, ngx_voice_sections[i].name,
                                ngx_voice_sections[i].make(mcf))
            != 0)
        {
            json_decref(overview);
            return NULL;
        }
    }

    return overview;
}


ngx_int_t
ngx_voice_overview_configure(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf)
{
    json_t              *document;
    ngx_str_t            version;
    voice_span_t         text;
    voice_json_error_t   err;

    text = voice_contract_text(mcf->contract);

    if (voice_sha256_hex(mcf->contract_digest, text) != VOICE_OK) {
        return NGX_ERROR;
    }

    document = voice_json_parse(text, &err);

    text = voice_json_text(json_object_get(document, "info"), "version");
    version.data = (u_char *) text.ptr;
    version.len = text.len;

    mcf->contract_version.len = version.len;
    mcf->contract_version.data = ngx_pstrdup(cf->pool, &version);

    json_decref(document);

    return mcf->contract_version.data == NULL ? NGX_ERROR : NGX_OK;
}


static json_t *
ngx_voice_overview_contract(ngx_voice_main_conf_t *mcf)
{
    return json_pack("{s:o, s:s, s:I}",
                     "version", ngx_voice_overview_str(&mcf->contract_version),
                     "sha256", mcf->contract_digest,
                     "operations", (json_int_t) mcf->noperations);
}


static json_t *
ngx_voice_overview_configuration(ngx_voice_main_conf_t *mcf)
{
    return json_pack("{s:I, s:o, s:I}", "loads", (json_int_t) mcf->loads,
                     "loaded", ngx_voice_overview_time(mcf->loaded),
                     "age_seconds", (json_int_t) (ngx_time() - mcf->loaded));
}


/* Old processes that still end their requests are among them. */
static json_t *
ngx_voice_overview_processes(ngx_voice_main_conf_t *mcf)
{
    json_t               *rows, *row;
    ngx_uint_t            i, k;
    ngx_voice_process_t  *process;

    static const char *const  names[] = {
#define NGX_VOICE_ROW(id, name, help)  #id,
        NGX_VOICE_GAUGES(NGX_VOICE_ROW)
#undef NGX_VOICE_ROW
    };

    rows = json_array();

    for (i = 0; i < NGX_VOICE_PROCESSES; i++) {
        process = &mcf->shared->processes[i];

        if (process->pid == 0 || !ngx_voice_process_alive(process->pid)) {
            continue;
        }

        row = json_pack("{s:I}", "pid", (json_int_t) process->pid);

        for (k = 0; k < NGX_VOICE_GAUGE_COUNT; k++) {
            (void) json_object_set_new(row, names[k],
                                       json_integer(process->gauges[k]));
        }

        (void) json_array_append_new(rows, row);
    }

    return rows;
}


static json_t *
ngx_voice_overview_pools(ngx_voice_main_conf_t *mcf)
{
    json_t                *rows;
    ngx_uint_t             i;
    ngx_voice_database_t  *database;

    rows = json_array();
    database = mcf->databases->elts;

    for (i = 0; i < mcf->databases->nelts; i++) {
        ngx_voice_overview_pool(rows, &database[i], &database[i].conf,
                                database[i].pg);
        ngx_voice_overview_pool(rows, &database[i], &database[i].slow_conf,
                                database[i].slow);
        ngx_voice_overview_pool(rows, &database[i], &database[i].replica_conf,
                                database[i].replica);
        ngx_voice_overview_pool(rows, &database[i], &database[i].ingest_conf,
                                database[i].ingest);
    }

    return rows;
}


static void
ngx_voice_overview_pool(json_t *rows, const ngx_voice_database_t *database,
    const ngx_voice_pg_conf_t *conf, const ngx_voice_pg_pool_t *pool)
{
    json_t                  *row;
    ngx_voice_pg_figures_t   figures;

    if (pool == NULL) {
        return;
    }

    ngx_voice_pg_figures(pool, &figures);

    row = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                    "database", ngx_voice_overview_str(&database->name),
                    "pool", ngx_voice_overview_str(&conf->name),
                    "size", (json_int_t) conf->size,
                    "connections", (json_int_t) figures.connections,
                    "in_flight", (json_int_t) figures.in_flight,
                    "waiting", (json_int_t) figures.waiting,
                    "connects", (json_int_t) figures.connects,
                    "failures", (json_int_t) figures.failures,
                    "timeouts", (json_int_t) figures.timeouts,
                    "rejected", (json_int_t) figures.rejected);

    (void) json_array_append_new(rows, row);
}


/* How far behind the copies in memory may be: "voice_stale" bounds it. */
static json_t *
ngx_voice_overview_databases(ngx_voice_main_conf_t *mcf)
{
    json_t                *rows;
    ngx_uint_t             i;
    ngx_voice_database_t  *database;

    rows = json_array();
    database = mcf->databases->elts;

    for (i = 0; i < mcf->databases->nelts; i++) {
        (void) json_array_append_new(rows,
                   json_pack("{s:o, s:I}", "database",
                             ngx_voice_overview_str(&database[i].name),
                             "watch_lag_ms",
                             (json_int_t) ngx_voice_watch_lag(
                                              &mcf->shared->watch, i)));
    }

    return rows;
}


/* Tables of copies; a record that was dropped keeps its place until used. */
static json_t *
ngx_voice_overview_tables(ngx_voice_main_conf_t *mcf)
{
    json_t              *rows;
    ngx_uint_t           i;
    ngx_atomic_t        *counters;
    ngx_voice_shared_t  *shared;

    shared = mcf->shared;
    counters = shared->counters;
    rows = json_array();

    const struct {
        const char               *name;
        const ngx_voice_table_t  *table;
        ngx_atomic_uint_t         hits;
        ngx_atomic_uint_t         misses;
    } tables[] = {
        { "credentials", shared->known,
          counters[NGX_VOICE_COUNT_known_hits],
          counters[NGX_VOICE_COUNT_known_misses] },
        { "tenants", shared->tenants,
          counters[NGX_VOICE_COUNT_tenant_hits],
          counters[NGX_VOICE_COUNT_tenant_misses] },
        { "hosts", shared->hosts,
          counters[NGX_VOICE_COUNT_host_hits],
          counters[NGX_VOICE_COUNT_host_misses] }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(tables); i++) {
        (void) json_array_append_new(rows,
                   json_pack("{s:s, s:I, s:I, s:I, s:I}",
                             "table", tables[i].name, "room",
                             (json_int_t) ngx_voice_table_room(
                                              tables[i].table),
                             "used",
                             (json_int_t) ngx_voice_table_used(
                                              tables[i].table),
                             "hits", (json_int_t) tables[i].hits,
                             "misses", (json_int_t) tables[i].misses));
    }

    return rows;
}


static json_t *
ngx_voice_overview_redis(ngx_voice_main_conf_t *mcf)
{
    ngx_voice_redis_figures_t  figures;

    ngx_voice_redis_figures(mcf->redis, &figures);

    return json_pack("{s:b, s:s, s:s?, s:I, s:I, s:I, s:I, s:I}",
                     "connected", (int) figures.connected,
                     "server", figures.server,
                     "memory", figures.memory,
                     "in_flight", (json_int_t) figures.in_flight,
                     "connects", (json_int_t) figures.connects,
                     "failures", (json_int_t) figures.failures,
                     "timeouts", (json_int_t) figures.timeouts,
                     "rejected", (json_int_t) figures.rejected);
}


static json_t *
ngx_voice_overview_issuers(ngx_voice_main_conf_t *mcf)
{
    json_t              *rows;
    ngx_uint_t           i;
    ngx_voice_issuer_t  *issuer;

    rows = json_array();

    if (mcf->issuers == NULL) {
        return rows;
    }

    issuer = mcf->issuers->elts;

    for (i = 0; i < mcf->issuers->nelts; i++) {
        (void) json_array_append_new(rows,
                                     ngx_voice_overview_issuer(&issuer[i]));
    }

    return rows;
}


static json_t *
ngx_voice_overview_issuer(ngx_voice_issuer_t *issuer)
{
    ngx_voice_jwks_key_t      keys[VOICE_JWK_KEYS_MAX];
    ngx_voice_jwks_figures_t  figures;

    ngx_voice_jwks_figures(issuer, &figures);

    return json_pack("{s:o, s:s, s:I, s:o, s:o, s:b, s:I, s:I, s:I, s:s?}",
                     "issuer", ngx_voice_overview_str(&issuer->name),
                     "source", figures.source,
                     "keys", (json_int_t) ngx_voice_jwks_keys(issuer, keys,
                                              VOICE_JWK_KEYS_MAX),
                     "fetched_seconds_ago",
                     ngx_voice_overview_seconds(figures.fetched),
                     "next_in_seconds",
                     ngx_voice_overview_seconds(figures.next),
                     "fetching", (int) figures.fetching,
                     "fetches", (json_int_t) figures.fetches,
                     "failures", (json_int_t) figures.failures,
                     "waiting", (json_int_t) figures.waiting,
                     "error", figures.error[0] == '\0'
                              ? NULL : (char *) figures.error);
}


/* Ours first: they have no document that they were seen in. */
static json_t *
ngx_voice_overview_keys(ngx_voice_main_conf_t *mcf)
{
    size_t                 i;
    json_t                *rows;
    ngx_voice_issuer_t    *issuer;
    voice_jwt_key_info_t   info;

    rows = json_array();

    for (i = 0; mcf->keys != NULL; i++) {
        if (voice_jwt_keys_at(mcf->keys, i, &info) != VOICE_OK) {
            break;
        }

        (void) json_array_append_new(rows,
                   json_pack("{s:o, s:s%, s:s, s:s, s:I, s:n}",
                             "issuer", ngx_voice_overview_str(&mcf->issuer),
                             "kid", info.kid.ptr, info.kid.len,
                             "alg", info.alg, "origin", "configuration",
                             "age_seconds",
                             (json_int_t) (ngx_time() - mcf->loaded),
                             "left_seconds"));
    }

    for (i = 0; mcf->issuers != NULL && i < mcf->issuers->nelts; i++) {
        issuer = mcf->issuers->elts;
        ngx_voice_overview_key_rows(rows, &issuer[i]);
    }

    return rows;
}


static void
ngx_voice_overview_key_rows(json_t *rows, ngx_voice_issuer_t *issuer)
{
    ngx_uint_t                i, n;
    ngx_voice_jwks_key_t      keys[VOICE_JWK_KEYS_MAX];
    ngx_voice_jwks_figures_t  figures;

    ngx_voice_jwks_figures(issuer, &figures);
    n = ngx_voice_jwks_keys(issuer, keys, VOICE_JWK_KEYS_MAX);

    for (i = 0; i < n; i++) {
        (void) json_array_append_new(rows,
                   json_pack("{s:o, s:s, s:s, s:s, s:I, s:o}",
                             "issuer", ngx_voice_overview_str(&issuer->name),
                             "kid", keys[i].kid, "alg", keys[i].alg,
                             "origin", figures.source,
                             "age_seconds", (json_int_t) keys[i].age,
                             "left_seconds",
                             ngx_voice_overview_seconds(keys[i].left)));
    }
}


static json_t *
ngx_voice_overview_counters(ngx_voice_main_conf_t *mcf)
{
    json_t      *counters;
    ngx_uint_t   i;

    static const char *const  names[] = {
#define NGX_VOICE_ROW(id, name, help)  #id,
        NGX_VOICE_COUNTERS(NGX_VOICE_ROW)
#undef NGX_VOICE_ROW
    };

    counters = json_object();

    for (i = 0; i < NGX_VOICE_COUNTER_COUNT; i++) {
        (void) json_object_set_new(counters, names[i],
                                   json_integer(mcf->shared->counters[i]));
    }

    return counters;
}


static json_t *
ngx_voice_overview_faults(ngx_voice_main_conf_t *mcf)
{
    json_t             *rows;
    ngx_uint_t          i;
    ngx_voice_fault_t  *fault;

    rows = json_array();

    for (i = 0; i < mcf->shared->nfaults; i++) {
        fault = &mcf->shared->faults[i];

        (void) json_array_append_new(rows,
                   json_pack("{s:s, s:s, s:I}", "type", fault->type,
                             "service", fault->service,
                             "count", (json_int_t) fault->count));
    }

    return rows;
}


static json_t *
ngx_voice_overview_time(time_t seconds)
{
    u_char    text[sizeof("2000-01-01T00:00:00Z")];
    ngx_tm_t  tm;

    ngx_gmtime(seconds, &tm);

    *ngx_snprintf(text, sizeof(text) - 1, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                  tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                  tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec) = '\0';

    return json_string((char *) text);
}


/* -1: never, null. */
static json_t *
ngx_voice_overview_seconds(ngx_int_t seconds)
{
    return seconds < 0 ? json_null() : json_integer(seconds);
}


/* What is no UTF-8 is left out: names come from the configuration. */
static json_t *
ngx_voice_overview_str(const ngx_str_t *text)
{
    json_t  *string;

    string = json_stringn((char *) text->data, text->len);

    return string == NULL ? json_null() : string;
}
