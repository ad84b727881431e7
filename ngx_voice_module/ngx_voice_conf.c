
/*
 * Directives of the form "name key=value ...": one table a directive says
 * which keys there are, where they go and within what bounds.
 */

#include "ngx_voice.h"


#define NGX_VOICE_SECRET_MAX  4096         /* bytes of a secret's file */
#define NGX_VOICE_DOCS_MAX    (16 * 1024 * 1024)


typedef enum {
    NGX_VOICE_FIELD_TEXT = 0,
    NGX_VOICE_FIELD_SECRET,                /* content of the named file */
    NGX_VOICE_FIELD_NUMBER,
    NGX_VOICE_FIELD_MSEC,
    NGX_VOICE_FIELD_PORT
} ngx_voice_field_e;


typedef struct {
    ngx_str_t          key;
    ngx_voice_field_e  type;
    size_t             offset;
    ngx_int_t          min;
    ngx_int_t          max;
} ngx_voice_field_t;


typedef struct {
    ngx_str_t   kid;
    ngx_str_t   alg;
    ngx_str_t   secret;
} ngx_voice_jwt_key_conf_t;


static ngx_int_t ngx_voice_conf_fields(ngx_conf_t *cf,
    const ngx_voice_field_t *fields, void *conf);
static ngx_int_t ngx_voice_conf_field(ngx_conf_t *cf,
    const ngx_voice_field_t *field, ngx_str_t *value, void *conf);
static ngx_int_t ngx_voice_conf_number(ngx_conf_t *cf,
    const ngx_voice_field_t *field, ngx_str_t *value, ngx_int_t *number);
static ngx_int_t ngx_voice_conf_secret(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret);
static ngx_uint_t ngx_voice_conf_address(const ngx_str_t *host);
static char *ngx_voice_conf_refuse(ngx_conf_t *cf, const char *reason);
static ngx_int_t ngx_voice_conf_keys(ngx_conf_t *cf,
    ngx_voice_main_conf_t *mcf);
static void ngx_voice_conf_keys_free(void *data);


#define NGX_VOICE_PG(member)  offsetof(ngx_voice_main_conf_t, member)

static const ngx_voice_field_t  ngx_voice_pg_fields[] = {
    { ngx_string("host"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_PG(pg_conf.host), 0, 0 },
    { ngx_string("port"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_PG(pg_conf.port), 0, 0 },
    { ngx_string("dbname"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_PG(pg_conf.dbname), 0, 0 },
    { ngx_string("user"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_PG(pg_conf.user), 0, 0 },
    { ngx_string("password_file"), NGX_VOICE_FIELD_SECRET,
      NGX_VOICE_PG(pg_conf.password), 0, 0 },
    { ngx_string("pool"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(pg_conf.size), 1, 256 },
    { ngx_string("slow_pool"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(slow_conf.size), 1, 256 },
    { ngx_string("depth"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(pg_conf.depth), 1, 1024 },
    { ngx_string("queue"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_PG(pg_conf.queue), 0, 1000000 },
    { ngx_string("connect_timeout"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_PG(pg_conf.connect_timeout), 1, 600000 },
    { ngx_string("timeout"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_PG(pg_conf.query_timeout), 1, 600000 },
    { ngx_string("slow_timeout"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_PG(slow_conf.query_timeout), 1, 600000 },
    { ngx_null_string, 0, 0, 0, 0 }
};

#undef NGX_VOICE_PG


static const ngx_voice_field_t  ngx_voice_redis_fields[] = {
    { ngx_string("host"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_redis_conf_t, host), 0, 0 },
    { ngx_string("port"), NGX_VOICE_FIELD_PORT,
      offsetof(ngx_voice_redis_conf_t, port), 1, 65535 },
    { ngx_string("password_file"), NGX_VOICE_FIELD_SECRET,
      offsetof(ngx_voice_redis_conf_t, password), 0, 0 },
    { ngx_string("queue"), NGX_VOICE_FIELD_NUMBER,
      offsetof(ngx_voice_redis_conf_t, queue), 1, 1000000 },
    { ngx_string("connect_timeout"), NGX_VOICE_FIELD_MSEC,
      offsetof(ngx_voice_redis_conf_t, connect_timeout), 1, 600000 },
    { ngx_string("timeout"), NGX_VOICE_FIELD_MSEC,
      offsetof(ngx_voice_redis_conf_t, command_timeout), 1, 600000 },
    { ngx_null_string, 0, 0, 0, 0 }
};


static const ngx_voice_field_t  ngx_voice_jwt_key_fields[] = {
    { ngx_string("kid"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_jwt_key_conf_t, kid), 0, 0 },
    { ngx_string("alg"), NGX_VOICE_FIELD_TEXT,
      offsetof(ngx_voice_jwt_key_conf_t, alg), 0, 0 },
    { ngx_string("file"), NGX_VOICE_FIELD_SECRET,
      offsetof(ngx_voice_jwt_key_conf_t, secret), 0, 0 },
    { ngx_null_string, 0, 0, 0, 0 }
};


static const struct {
    ngx_str_t        name;
    voice_jwt_alg_e  alg;
} ngx_voice_jwt_algs[] = {
    { ngx_string("HS256"), VOICE_JWT_HS256 },
    { ngx_string("HS384"), VOICE_JWT_HS384 },
    { ngx_string("HS512"), VOICE_JWT_HS512 }
};


char *
ngx_voice_conf_postgres(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_voice_pg_conf_t    *pg, *slow;
    ngx_voice_main_conf_t  *mcf = conf;

    (void) cmd;

    pg = &mcf->pg_conf;
    slow = &mcf->slow_conf;

    if (pg->host.len != 0) {
        return "is duplicate";
    }

    ngx_str_set(&pg->name, "main");
    ngx_str_set(&pg->port, "5432");
    pg->size = 4;
    pg->depth = 8;
    pg->queue = 1024;
    pg->connect_timeout = 3000;
    pg->query_timeout = 5000;
    slow->size = 1;
    slow->query_timeout = 30000;

    if (ngx_voice_conf_fields(cf, ngx_voice_pg_fields, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (!ngx_voice_conf_address(&pg->host)) {
        return ngx_voice_conf_refuse(cf, "\"host\" must be the directory of "
                                     "a socket or an IP address");
    }

    if (pg->dbname.len == 0 || pg->user.len == 0) {
        return ngx_voice_conf_refuse(cf, "\"dbname\" and \"user\" are needed");
    }

    ngx_str_set(&slow->name, "slow");
    slow->host = pg->host;
    slow->port = pg->port;
    slow->dbname = pg->dbname;
    slow->user = pg->user;
    slow->password = pg->password;
    slow->depth = 1;
    slow->queue = pg->queue;
    slow->connect_timeout = pg->connect_timeout;

    return NGX_CONF_OK;
}


char *
ngx_voice_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_voice_redis_conf_t  *redis;
    ngx_voice_main_conf_t   *mcf = conf;

    (void) cmd;

    redis = &mcf->redis_conf;

    if (redis->host.len != 0) {
        return "is duplicate";
    }

    redis->port = 6379;
    redis->queue = 1024;
    redis->connect_timeout = 2000;
    redis->command_timeout = 1000;

    if (ngx_voice_conf_fields(cf, ngx_voice_redis_fields, redis) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (!ngx_voice_conf_address(&redis->host)) {
        return ngx_voice_conf_refuse(cf, "\"host\" must be an IP address or "
                                     "the path of a socket");
    }

    if (redis->host.data[0] == '/') {
        redis->port = 0;
    }

    return NGX_CONF_OK;
}


char *
ngx_voice_conf_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_uint_t                 i;
    voice_span_t               kid, secret;
    ngx_voice_jwt_key_conf_t   key;
    ngx_voice_main_conf_t     *mcf = conf;

    (void) cmd;

    ngx_memzero(&key, sizeof(ngx_voice_jwt_key_conf_t));

    if (ngx_voice_conf_fields(cf, ngx_voice_jwt_key_fields, &key) != NGX_OK
        || ngx_voice_conf_keys(cf, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_jwt_algs); i++) {
        if (key.alg.len == ngx_voice_jwt_algs[i].name.len
            && ngx_memcmp(key.alg.data, ngx_voice_jwt_algs[i].name.data,
                          key.alg.len) == 0)
        {
            break;
        }
    }

    if (i == VOICE_ARRAY_SIZE(ngx_voice_jwt_algs)) {
        return ngx_voice_conf_refuse(cf, "\"alg\" must be HS256, HS384 or "
                                     "HS512");
    }

    kid = voice_span((char *) key.kid.data, key.kid.len);
    secret = voice_span((char *) key.secret.data, key.secret.len);

    if (voice_jwt_keys_add_secret(mcf->keys, ngx_voice_jwt_algs[i].alg, kid,
                                  secret)
        != VOICE_OK)
    {
        return ngx_voice_conf_refuse(cf, "\"kid\" must be new, 1 to 64 bytes "
                                     "long, and the secret as long as the "
                                     "hash");
    }

    if (mcf->signing_kid.len == 0) {
        mcf->signing_kid = key.kid;
    }

    return NGX_CONF_OK;
}


char *
ngx_voice_conf_docs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t             *value;
    ngx_file_info_t        fi;
    ngx_voice_loc_conf_t  *lcf = conf;

    (void) cmd;

    if (lcf->docs.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_file_info(value[1].data, &fi) == NGX_FILE_ERROR) {
        return NGX_CONF_OK;
    }

    if (ngx_voice_conf_read(cf, &value[1], NGX_VOICE_DOCS_MAX, &lcf->docs)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_voice_conf_read(ngx_conf_t *cf, const ngx_str_t *path, size_t max,
    ngx_str_t *text)
{
    off_t            size;
    ssize_t          n;
    ngx_fd_t         fd;
    const char      *reason;
    ngx_file_info_t  fi;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    reason = "is not readable";
    n = NGX_ERROR;
    size = -1;

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR) {
        size = ngx_file_size(&fi);
    }

    if (size > (off_t) max) {
        reason = "is too large";
        size = -1;
    }

    if (size >= 0) {
        text->data = ngx_pnalloc(cf->pool, size + 1);
        n = text->data == NULL ? NGX_ERROR
                               : ngx_read_fd(fd, text->data, size);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR || n != size || n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s", path, reason);
        return NGX_ERROR;
    }

    text->data[n] = '\0';
    text->len = n;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_conf_fields(ngx_conf_t *cf, const ngx_voice_field_t *fields,
    void *conf)
{
    ngx_str_t                *args, value;
    ngx_uint_t                i;
    const ngx_voice_field_t  *field;

    args = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (field = fields; field->key.len != 0; field++) {
            if (args[i].len > field->key.len
                && args[i].data[field->key.len] == '='
                && ngx_memcmp(args[i].data, field->key.data, field->key.len)
                   == 0)
            {
                break;
            }
        }

        if (field->key.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &args[i]);
            return NGX_ERROR;
        }

        value.data = args[i].data + field->key.len + 1;
        value.len = args[i].len - field->key.len - 1;

        if (ngx_voice_conf_field(cf, field, &value, conf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_conf_field(ngx_conf_t *cf, const ngx_voice_field_t *field,
    ngx_str_t *value, void *conf)
{
    ngx_int_t   number;
    ngx_str_t  *text;
    void       *at;

    at = (u_char *) conf + field->offset;

    if (field->type == NGX_VOICE_FIELD_TEXT) {
        text = at;
        *text = *value;
        return NGX_OK;
    }

    if (field->type == NGX_VOICE_FIELD_SECRET) {
        return ngx_voice_conf_secret(cf, value, at);
    }

    if (ngx_voice_conf_number(cf, field, value, &number) != NGX_OK) {
        return NGX_ERROR;
    }

    switch (field->type) {

    case NGX_VOICE_FIELD_MSEC:
        *(ngx_msec_t *) at = number;
        break;

    case NGX_VOICE_FIELD_PORT:
        *(in_port_t *) at = number;
        break;

    default:
        *(ngx_uint_t *) at = number;
        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_conf_number(ngx_conf_t *cf, const ngx_voice_field_t *field,
    ngx_str_t *value, ngx_int_t *number)
{
    *number = field->type == NGX_VOICE_FIELD_MSEC
              ? ngx_parse_time(value, 0)
              : ngx_atoi(value->data, value->len);

    if (*number == NGX_ERROR || *number < field->min
        || *number > field->max)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must be between %i and %i", &field->key,
                           field->min, field->max);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The content of a file without newlines at its end. */
static ngx_int_t
ngx_voice_conf_secret(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *secret)
{
    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK
        || ngx_voice_conf_read(cf, path, NGX_VOICE_SECRET_MAX, secret)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    while (secret->len > 0 && (secret->data[secret->len - 1] == '\n'
                               || secret->data[secret->len - 1] == '\r'))
    {
        secret->len--;
        secret->data[secret->len] = '\0';
    }

    return NGX_OK;
}


/* A name would have to be resolved, which blocks. */
static ngx_uint_t
ngx_voice_conf_address(const ngx_str_t *host)
{
    u_char  inet6[16];

    if (host->len == 0) {
        return 0;
    }

    return host->data[0] == '/'
           || ngx_inet_addr(host->data, host->len) != INADDR_NONE
           || ngx_inet6_addr(host->data, host->len, inet6) == NGX_OK;
}


static char *
ngx_voice_conf_refuse(ngx_conf_t *cf, const char *reason)
{
    ngx_str_t  *args;

    args = cf->args->elts;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &args[0], reason);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_voice_conf_keys(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf)
{
    ngx_pool_cleanup_t  *cln;

    if (mcf->keys != NULL) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    mcf->keys = voice_jwt_keys_create();
    if (mcf->keys == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_voice_conf_keys_free;
    cln->data = mcf->keys;

    return NGX_OK;
}


static void
ngx_voice_conf_keys_free(void *data)
{
    voice_jwt_keys_destroy(data);
}
