
/*
 * The directive voice_redis.
 */

#include "ngx_voice.h"
#include "ngx_voice_field.h"


#define NGX_VOICE_REDIS_PORT           6379
#define NGX_VOICE_REDIS_SENTINEL_PORT  26379


static const char *ngx_voice_redis_check(const ngx_voice_redis_conf_t *redis);


#define NGX_VOICE_REDIS(member)  offsetof(ngx_voice_redis_conf_t, member)

static const ngx_voice_field_t  ngx_voice_redis_fields[] = {
    { ngx_string("host"), NGX_VOICE_FIELD_SERVERS,
      NGX_VOICE_REDIS(servers), 0, 0 },
    { ngx_string("port"), NGX_VOICE_FIELD_PORT,
      NGX_VOICE_REDIS(port), 1, 65535 },
    { ngx_string("password_file"), NGX_VOICE_FIELD_SECRET,
      NGX_VOICE_REDIS(password), 0, 0 },
    { ngx_string("sentinel"), NGX_VOICE_FIELD_SERVERS,
      NGX_VOICE_REDIS(sentinels), 0, 0 },
    { ngx_string("master"), NGX_VOICE_FIELD_TEXT,
      NGX_VOICE_REDIS(master), 0, 0 },
    { ngx_string("sentinel_password_file"), NGX_VOICE_FIELD_SECRET,
      NGX_VOICE_REDIS(sentinel_password), 0, 0 },
    { ngx_string("queue"), NGX_VOICE_FIELD_NUMBER,
      NGX_VOICE_REDIS(queue), 1, 1000000 },
    { ngx_string("connect_timeout"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_REDIS(connect_timeout), 1, 600000 },
    { ngx_string("timeout"), NGX_VOICE_FIELD_MSEC,
      NGX_VOICE_REDIS(command_timeout), 1, 600000 },
    { ngx_null_string, 0, 0, 0, 0 }
};

#undef NGX_VOICE_REDIS


char *
ngx_voice_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    const char              *reason;
    ngx_voice_redis_conf_t  *redis;
    ngx_voice_main_conf_t   *mcf = conf;

    (void) cmd;

    redis = &mcf->redis_conf;

    if (redis->port != 0) {
        return "is duplicate";
    }

    redis->port = NGX_VOICE_REDIS_PORT;
    redis->queue = 1024;
    redis->connect_timeout = 2000;
    redis->command_timeout = 1000;

    if (ngx_voice_conf_fields(cf, ngx_voice_redis_fields, redis) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    reason = ngx_voice_redis_check(redis);
    if (reason != NULL) {
        return ngx_voice_conf_refuse(cf, reason);
    }

    voice_endpoints_port(&redis->servers, redis->port);
    voice_endpoints_port(&redis->sentinels, NGX_VOICE_REDIS_SENTINEL_PORT);

    return NGX_CONF_OK;
}


/* NULL, or what is wrong. */
static const char *
ngx_voice_redis_check(const ngx_voice_redis_conf_t *redis)
{
    if ((redis->servers.n != 0) == (redis->sentinels.n != 0)) {
        return "either \"host\" or \"sentinel\" is needed";
    }

    if ((redis->sentinels.n != 0) != (redis->master.len != 0)) {
        return "\"sentinel\" and \"master\" need each other";
    }

    return NULL;
}
