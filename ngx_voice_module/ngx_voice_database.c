
/*
 * The databases of voice_postgres, see ngx_voice_database.h.
 */

#include "ngx_voice.h"
#include "ngx_voice_field.h"


static ngx_voice_database_t *ngx_voice_database_add(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf);
static const char *ngx_voice_database_check(
    const ngx_voice_main_conf_t *mcf, const ngx_voice_database_t *database);
static ngx_int_t ngx_voice_database_names(ngx_conf_t *cf,
    ngx_voice_database_t *database);
static void ngx_voice_database_copy(ngx_voice_pg_conf_t *to,
    const ngx_voice_pg_conf_t *from);


#define NGX_VOICE_PG(member)  offsetof(ngx_voice_database_t, member)

static const ngx_voice_field_t  ngx_voice_pg_fields[] = {
    { ngx_string("name"), NGX_VOICE_FIELD_TEXT, NGX_VOICE_PG(name), 0, 0 },
    { ngx_string("host"), NGX_VOICE_FIELD_SERVERS,
      NGX_VOICE_PG(conf.servers), 0, 0 },
    { ngx_string("port"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(conf.port), 1, 65535 },
    { ngx_string("replica_host"), NGX_VOICE_FIELD_SERVERS,
      NGX_VOICE_PG(replica_conf.servers), 0, 0 },
    { ngx_string("replica_port"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(replica_conf.port), 1, 65535 },
    { ngx_string("dbname"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_PG(conf.dbname), 0, 0 },
    { ngx_string("user"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_PG(conf.user), 0, 0 },
    { ngx_string("password_file"), NGX_VOICE_FIELD_SECRET,
      NGX_VOICE_PG(conf.password), 0, 0 },
    { ngx_string("pool"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(conf.size), 1, 256 },
    { ngx_string("slow_pool"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(slow_conf.size), 1, 256 },
    { ngx_string("depth"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(conf.depth), 1, 1024 },
    { ngx_string("queue"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(conf.queue), 0, 1000000 },
    { ngx_string("connect_timeout"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_PG(conf.connect_timeout), 1, 600000 },
    { ngx_string("timeout"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_PG(conf.query_timeout), 1, 600000 },
    { ngx_string("slow_timeout"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_PG(slow_conf.query_timeout), 1, 600000 },
    { ngx_null_string, 0, 0, 0, 0 }
};

#undef NGX_VOICE_PG


char *
ngx_voice_conf_postgres(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    const char             *reason;
    ngx_voice_database_t   *database;
    ngx_voice_main_conf_t  *mcf = conf;

    (void) cmd;

    database = ngx_voice_database_add(cf, mcf);

    if (database == NULL
        || ngx_voice_conf_fields(cf, ngx_voice_pg_fields, database) != NGX_OK
        || ngx_voice_database_names(cf, database) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    reason = ngx_voice_database_check(mcf, database);
    if (reason != NULL) {
        return ngx_voice_conf_refuse(cf, reason);
    }

    voice_endpoints_port(&database->conf.servers,
                         (int) database->conf.port);
    ngx_voice_database_copy(&database->slow_conf, &database->conf);

    if (database->replica_conf.servers.n != 0) {
        database->replica_conf.any = 1;
        ngx_voice_database_copy(&database->replica_conf, &database->conf);
        database->replica_conf.size = database->slow_conf.size;
        database->replica_conf.query_timeout =
            database->slow_conf.query_timeout;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_voice_databases_create(ngx_array_t *databases, ngx_cycle_t *cycle)
{
    ngx_uint_t             i;
    ngx_voice_database_t  *database;

    database = databases->elts;

    for (i = 0; i < databases->nelts; i++, database++) {
        database->pg = ngx_voice_pg_create(&database->conf, cycle->pool,
                                           cycle->log);
        database->slow = ngx_voice_pg_create(&database->slow_conf,
                                             cycle->pool, cycle->log);

        if (database->pg == NULL || database->slow == NULL) {
            return NGX_ERROR;
        }

        if (database->replica_conf.servers.n != 0) {
            database->replica = ngx_voice_pg_create(&database->replica_conf,
                                                    cycle->pool, cycle->log);
            if (database->replica == NULL) {
                return NGX_ERROR;
            }
        }

        if (database->ingest_conf.size != 0) {
            database->ingest = ngx_voice_pg_create(&database->ingest_conf,
                                                   cycle->pool, cycle->log);
            if (database->ingest == NULL) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


void
ngx_voice_database_add_pool(ngx_voice_database_t *database,
    ngx_voice_pg_conf_t *conf, ngx_uint_t size)
{
    ngx_voice_database_copy(conf, &database->conf);

    conf->size = size;
    conf->query_timeout = database->conf.query_timeout;
}


void
ngx_voice_databases_destroy(ngx_array_t *databases)
{
    ngx_uint_t             i;
    ngx_voice_database_t  *database;

    database = databases->elts;

    for (i = 0; i < databases->nelts; i++, database++) {
        ngx_voice_pg_destroy(database->pg);
        ngx_voice_pg_destroy(database->slow);

        if (database->replica != NULL) {
            ngx_voice_pg_destroy(database->replica);
        }

        if (database->ingest != NULL) {
            ngx_voice_pg_destroy(database->ingest);
        }
    }
}


void
ngx_voice_databases_figures(const ngx_array_t *databases,
    ngx_voice_pg_figures_t *sum)
{
    ngx_uint_t                   i, n;
    ngx_voice_pg_figures_t       figures;
    const ngx_voice_database_t  *database;

    ngx_memzero(sum, sizeof(ngx_voice_pg_figures_t));
    database = databases->elts;

    for (i = 0; i < databases->nelts; i++, database++) {
        const ngx_voice_pg_pool_t  *pools[] = {
            database->pg, database->slow, database->replica,
            database->ingest
        };

        for (n = 0; n < VOICE_ARRAY_SIZE(pools); n++) {
            if (pools[n] == NULL) {
                continue;
            }

            ngx_voice_pg_figures(pools[n], &figures);

            sum->connections += figures.connections;
            sum->in_flight += figures.in_flight;
            sum->waiting += figures.waiting;
            sum->connects += figures.connects;
            sum->failures += figures.failures;
            sum->timeouts += figures.timeouts;
            sum->rejected += figures.rejected;
        }
    }
}


ngx_voice_database_t *
ngx_voice_database_find(const ngx_array_t *databases, const char *name)
{
    size_t                 len;
    ngx_uint_t             i;
    ngx_voice_database_t  *database;

    database = databases->elts;
    len = ngx_strlen(name);

    if (len == 0) {
        return database;
    }

    for (i = 0; i < databases->nelts; i++) {
        if (database[i].name.len == len
            && ngx_memcmp(database[i].name.data, name, len) == 0)
        {
            return &database[i];
        }
    }

    return NULL;
}


ngx_voice_pg_pool_t *
ngx_voice_database_pool(const ngx_voice_database_t *database,
    ngx_uint_t slow, ngx_uint_t again)
{
    ngx_voice_pg_figures_t  figures;

    if (!slow) {
        return database->pg;
    }

    if (database->replica == NULL || again) {
        return database->slow;
    }

    ngx_voice_pg_figures(database->replica, &figures);

    return figures.connections != 0 ? database->replica : database->slow;
}


/* One with the defaults. */
static ngx_voice_database_t *
ngx_voice_database_add(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf)
{
    ngx_voice_database_t  *database;

    if (mcf->databases == NULL) {
        mcf->databases = ngx_array_create(cf->pool, 2,
                                          sizeof(ngx_voice_database_t));
        if (mcf->databases == NULL) {
            return NULL;
        }
    }

    database = ngx_array_push(mcf->databases);
    if (database == NULL) {
        return NULL;
    }

    ngx_memzero(database, sizeof(ngx_voice_database_t));

    ngx_str_set(&database->name, NGX_VOICE_DATABASE_MAIN);
    database->conf.port = 5432;
    database->conf.size = 4;
    database->conf.depth = 8;
    database->conf.queue = 1024;
    database->conf.connect_timeout = 3000;
    database->conf.query_timeout = 5000;
    database->slow_conf.size = 1;
    database->slow_conf.query_timeout = 30000;

    return database;
}


/* NULL, or what is wrong. */
static const char *
ngx_voice_database_check(const ngx_voice_main_conf_t *mcf,
    const ngx_voice_database_t *database)
{
    ngx_uint_t             i;
    ngx_voice_database_t  *other;

    if (database->conf.servers.n == 0) {
        return "\"host\" is needed";
    }

    if (database->conf.dbname.len == 0 || database->conf.user.len == 0) {
        return "\"dbname\" and \"user\" are needed";
    }

    if (mcf->databases->nelts > NGX_VOICE_DATABASES_MAX) {
        return "there are too many of them";
    }

    other = mcf->databases->elts;

    if (other->name.len != sizeof(NGX_VOICE_DATABASE_MAIN) - 1
        || ngx_memcmp(other->name.data, NGX_VOICE_DATABASE_MAIN,
                      other->name.len)
           != 0)
    {
        return "the first one is the main one and has no other name";
    }

    for (i = 0; i + 1 < mcf->databases->nelts; i++) {
        if (other[i].name.len == database->name.len
            && ngx_memcmp(other[i].name.data, database->name.data,
                          database->name.len)
               == 0)
        {
            return "\"name\" is duplicate";
        }
    }

    return NULL;
}


/* Pools are told apart in logs: "main", "main slow", "main replica" ... */
static ngx_int_t
ngx_voice_database_names(ngx_conf_t *cf, ngx_voice_database_t *database)
{
    size_t      size;
    u_char     *p;
    ngx_str_t  *name;

    size = database->name.len + sizeof(" replica");
    p = ngx_pnalloc(cf->pool, size * 3);
    if (p == NULL) {
        return NGX_ERROR;
    }

    database->conf.name = database->name;

    name = &database->slow_conf.name;
    name->data = p;
    name->len = ngx_sprintf(p, "%V slow", &database->name) - p;

    p += size;

    name = &database->replica_conf.name;
    name->data = p;
    name->len = ngx_sprintf(p, "%V replica", &database->name) - p;

    p += size;

    name = &database->ingest_conf.name;
    name->data = p;
    name->len = ngx_sprintf(p, "%V ingest", &database->name) - p;

    return NGX_OK;
}


/* What the pools of a database share; a replica may have another address. */
static void
ngx_voice_database_copy(ngx_voice_pg_conf_t *to,
    const ngx_voice_pg_conf_t *from)
{
    if (to->port == 0) {
        to->port = from->port;
    }

    if (to->servers.n == 0) {
        to->servers = from->servers;
    }

    voice_endpoints_port(&to->servers, (int) to->port);

    to->dbname = from->dbname;
    to->user = from->user;
    to->password = from->password;
    to->depth = 1;
    to->queue = from->queue;
    to->connect_timeout = from->connect_timeout;
}
