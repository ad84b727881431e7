
/*
 * voice_limit of a location, and what the limits need of the contract.
 */

#include "ngx_voice_limit.h"


#define NGX_VOICE_LIMIT_FAILURE  "failure" /* class of bad credentials */


static const voice_limit_class_t *ngx_voice_limit_class(
    ngx_voice_main_conf_t *mcf, const char *name);
static ngx_uint_t ngx_voice_limit_name_valid(const char *name);


char *
ngx_voice_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t             *value;
    ngx_voice_loc_conf_t  *lcf = conf;

    (void) cmd;

    if (lcf->limit.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        lcf->limit.data = value[1].data;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "class=", 6) != 0 || value[1].len == 6) {
        return "must be \"off\" or begin with \"class=\" and a name";
    }

    if (cf->args->nelts == 3) {
        if (ngx_strcmp(value[2].data, "dry_run") != 0) {
            return "takes \"dry_run\" after the class and nothing else";
        }

        lcf->limit_dry_run = 1;
    }

    lcf->limit.data = value[1].data + 6;
    lcf->limit.len = value[1].len - 6;

    return NGX_CONF_OK;
}


char *
ngx_voice_limit_merge(ngx_conf_t *cf, const ngx_voice_loc_conf_t *parent,
    ngx_voice_loc_conf_t *child)
{
    ngx_voice_main_conf_t  *mcf;

    if (child->limit.data == NULL) {
        child->limit = parent->limit;
        child->limit_dry_run = parent->limit_dry_run;
    }

    child->policy.limit = NULL;
    child->policy.dry_run = child->limit_dry_run;

    /* operations have the class of the contract */

    if (child->limit.len == 0 || child->api || child->stream
        || child->error)
    {
        return NGX_CONF_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_voice_module);

    if (mcf->contract == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"voice_limit\" needs \"voice_contract\"");
        return NGX_CONF_ERROR;
    }

    child->policy.limit = ngx_voice_limit_class(mcf,
                                                (char *) child->limit.data);

    if (child->policy.limit == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"voice_limit\": the contract has no class "
                           "\"%V\" in \"x-limits\"", &child->limit);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_voice_limit_configure(ngx_conf_t *cf, ngx_voice_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    const voice_limit_class_t  *class;

    if (mcf->limit_nodes < 1 || mcf->limit_nodes > VOICE_LEASE_NODES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"voice_limit_nodes\" must be 1 to %d",
                           VOICE_LEASE_NODES_MAX);
        return NGX_ERROR;
    }

    for (i = 0; /* void */ ; i++) {
        class = voice_contract_limit(mcf->contract, i);
        if (class == NULL) {
            break;
        }

        /* it stands in header fields and in names of buckets */

        if (!ngx_voice_limit_name_valid(class->name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "contract \"%V\": the class \"%s\" of "
                               "\"x-limits\" must be 1 to %d letters, digits, "
                               "\"_\", \"-\"", &mcf->directory, class->name,
                               NGX_VOICE_LIMIT_NAME_MAX);
            return NGX_ERROR;
        }
    }

    mcf->limit_failure = ngx_voice_limit_class(mcf, NGX_VOICE_LIMIT_FAILURE);

    return NGX_OK;
}


/* NULL: there is none. */
static const voice_limit_class_t *
ngx_voice_limit_class(ngx_voice_main_conf_t *mcf, const char *name)
{
    ngx_uint_t                  i;
    const voice_limit_class_t  *class;

    for (i = 0; /* void */ ; i++) {
        class = voice_contract_limit(mcf->contract, i);

        if (class == NULL || ngx_strcmp(class->name, name) == 0) {
            return class;
        }
    }
}


static ngx_uint_t
ngx_voice_limit_name_valid(const char *name)
{
    size_t  len;

    len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return len > 0 && len <= NGX_VOICE_LIMIT_NAME_MAX && name[len] == '\0';
}
