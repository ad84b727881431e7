
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


static void ngx_voice_pg_option(ngx_voice_pg_options_t *options,
    const char *key, const char *value);
static char *ngx_voice_pg_string(ngx_pool_t *pool, const ngx_str_t *str);
static void ngx_voice_pg_ignore_notice(void *data, const PGresult *result);


ngx_int_t
ngx_voice_pg_connect(ngx_voice_pg_conn_t *conn)
{
    char                    *timeout, *host, *application;
    ngx_str_t                text;
    ngx_pool_t              *pool;
    ngx_voice_pg_conf_t     *conf;
    ngx_voice_pg_options_t   options;

    conf = conn->pool->conf;
    pool = conn->session;

    ngx_memzero(&options, sizeof(ngx_voice_pg_options_t));

    text.data = ngx_pnalloc(pool, 128);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    timeout = (char *) text.data;
    (void) ngx_snprintf(text.data, 128, "-c statement_timeout=%M%Z",
                        conf->query_timeout + NGX_VOICE_PG_SERVER_MARGIN);

    text.data = ngx_pnalloc(pool, 128);
    host = ngx_voice_pg_string(pool, &conf->host);

    if (text.data == NULL || host == NULL) {
        return NGX_ERROR;
    }

    application = (char *) text.data;
    (void) ngx_snprintf(text.data, 128, "voice %*s%Z",
                        ngx_min(conf->name.len, 40), conf->name.data);

    /* "hostaddr" is never looked up: no name server can block us */
    ngx_voice_pg_option(&options, host[0] == '/' ? "host" : "hostaddr", host);
    ngx_voice_pg_option(&options, "port",
                        ngx_voice_pg_string(pool, &conf->port));
    ngx_voice_pg_option(&options, "dbname",
                        ngx_voice_pg_string(pool, &conf->dbname));
    ngx_voice_pg_option(&options, "user",
                        ngx_voice_pg_string(pool, &conf->user));
    ngx_voice_pg_option(&options, "password",
                        ngx_voice_pg_string(pool, &conf->password));
    ngx_voice_pg_option(&options, "application_name", application);
    ngx_voice_pg_option(&options, "options", timeout);
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
