
/*
 * What a connection is opened with.
 */

#include "ngx_voice_pg_conn.h"


/* The server's own limit is a second line: the deadline comes first. */
#define NGX_VOICE_PG_SERVER_MARGIN  500      /* ms */

#define NGX_VOICE_PG_KEYS           16


typedef struct {
    const char  *keys[NGX_VOICE_PG_KEYS];
    const char  *values[NGX_VOICE_PG_KEYS];
    ngx_uint_t   n;
} ngx_voice_pg_options_t;


static ngx_int_t ngx_voice_pg_server(ngx_voice_pg_conn_t *conn,
    ngx_voice_pg_options_t *options);
static ngx_int_t ngx_voice_pg_session(ngx_voice_pg_conn_t *conn,
    ngx_voice_pg_options_t *options);
static void ngx_voice_pg_option(ngx_voice_pg_options_t *options,
    const char *key, const char *value);
static char *ngx_voice_pg_string(ngx_pool_t *pool, const ngx_str_t *str);
static void ngx_voice_pg_ignore_notice(void *data, const PGresult *result);


ngx_int_t
ngx_voice_pg_connect(ngx_voice_pg_conn_t *conn)
{
    ngx_pool_t              *pool;
    ngx_voice_pg_conf_t     *conf;
    ngx_voice_pg_options_t   options;

    conf = conn->pool->conf;
    pool = conn->session;

    ngx_memzero(&options, sizeof(ngx_voice_pg_options_t));

    if (ngx_voice_pg_server(conn, &options) != NGX_OK
        || ngx_voice_pg_session(conn, &options) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_voice_pg_option(&options, "dbname",
                        ngx_voice_pg_string(pool, &conf->dbname));
    ngx_voice_pg_option(&options, "user",
                        ngx_voice_pg_string(pool, &conf->user));
    ngx_voice_pg_option(&options, "password",
                        ngx_voice_pg_string(pool, &conf->password));
    ngx_voice_pg_option(&options, "client_encoding", "UTF8");
    ngx_voice_pg_option(&options, "gssencmode", "disable");

    /* a peer that vanished while idle is noticed in 45 s; in use, at once */
    ngx_voice_pg_option(&options, "keepalives_idle", "30");
    ngx_voice_pg_option(&options, "keepalives_interval", "5");
    ngx_voice_pg_option(&options, "keepalives_count", "3");

    conn->pg = PQconnectStartParams(options.keys, options.values, 0);

    if (conn->pg == NULL) {
        return NGX_ERROR;
    }

    PQsetNoticeReceiver(conn->pg, ngx_voice_pg_ignore_notice, NULL);

    return NGX_OK;
}


/* The next one of the round, which begins with the last good one. */
static ngx_int_t
ngx_voice_pg_server(ngx_voice_pg_conn_t *conn,
    ngx_voice_pg_options_t *options)
{
    u_char               *port;
    ngx_voice_pg_conf_t  *conf;
    voice_endpoint_t     *server;

    conf = conn->pool->conf;
    conn->server = (conn->pool->good + conn->tried) % conf->servers.n;
    server = &conf->servers.at[conn->server];

    port = ngx_pnalloc(conn->session, NGX_INT_T_LEN + 1);
    if (port == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(port, "%d%Z", server->port);

    /* "hostaddr" is never looked up: no name server can block us */
    ngx_voice_pg_option(options, voice_endpoint_local(server)
                                 ? "host" : "hostaddr", server->host);
    ngx_voice_pg_option(options, "port", (char *) port);
    ngx_voice_pg_option(options, "target_session_attrs",
                        conf->any ? "any" : "read-write");

    return NGX_OK;
}


static ngx_int_t
ngx_voice_pg_session(ngx_voice_pg_conn_t *conn,
    ngx_voice_pg_options_t *options)
{
    u_char               *timeout, *application;
    ngx_voice_pg_conf_t  *conf;

    conf = conn->pool->conf;
    timeout = ngx_pnalloc(conn->session, 128);
    application = ngx_pnalloc(conn->session, 128);

    if (timeout == NULL || application == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_snprintf(timeout, 128, "-c statement_timeout=%M%Z",
                        conf->query_timeout + NGX_VOICE_PG_SERVER_MARGIN);
    (void) ngx_snprintf(application, 128, "voice %*s%Z",
                        ngx_min(conf->name.len, 40), conf->name.data);

    ngx_voice_pg_option(options, "application_name", (char *) application);
    ngx_voice_pg_option(options, "options", (char *) timeout);

    return NGX_OK;
}


/* An empty value is libpq's default. */
static void
ngx_voice_pg_option(ngx_voice_pg_options_t *options, const char *key,
    const char *value)
{
    if (value == NULL || value[0] == '\0') {
        return;
    }

    options->keys[options->n] = key;
    options->values[options->n] = value;
    options->n++;
}


static char *
ngx_voice_pg_string(ngx_pool_t *pool, const ngx_str_t *str)
{
    char  *p;

    p = ngx_pnalloc(pool, str->len + 1);
    if (p == NULL) {
        return NULL;
    }

    (void) ngx_cpystrn((u_char *) p, str->len ? str->data : (u_char *) "",
                       str->len + 1);

    return p;
}


/* A notice may quote data of tenants: it has no place in a log. */
static void
ngx_voice_pg_ignore_notice(void *data, const PGresult *result)
{
}
