
/*
 * Locations that are no operations of the API: voice_auth in front of
 * whatever nginx serves there, another server or files.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_ROLES_RANKED  (VOICE_ROLE_PLATFORM_ADMIN + 1)


static ngx_int_t ngx_voice_auth_parameter(ngx_conf_t *cf,
    const ngx_str_t *parameter, ngx_voice_policy_t *policy);
static ngx_int_t ngx_voice_auth_roles(ngx_conf_t *cf, ngx_str_t *names,
    uint32_t *roles);
static ngx_int_t ngx_voice_auth_scope(ngx_conf_t *cf, const ngx_str_t *name,
    ngx_uint_t *number);
static uint32_t ngx_voice_role_bits(voice_role_e role);
static ngx_uint_t ngx_voice_error_left(ngx_http_request_t *r,
    ngx_uint_t status);


static const struct {
    ngx_str_t         name;
    ngx_voice_auth_e  auth;
} ngx_voice_auth_modes[] = {
    { ngx_string("off"), NGX_VOICE_AUTH_OFF },
    { ngx_string("on"), NGX_VOICE_AUTH_ON },
    { ngx_string("optional"), NGX_VOICE_AUTH_OPTIONAL }
};


char *
ngx_voice_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t             *value;
    ngx_uint_t             i;
    ngx_voice_loc_conf_t  *lcf = conf;

    (void) cmd;

    if (lcf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_auth_modes); i++) {
        if (value[1].len == ngx_voice_auth_modes[i].name.len
            && ngx_strcmp(value[1].data, ngx_voice_auth_modes[i].name.data)
               == 0)
        {
            lcf->auth = ngx_voice_auth_modes[i].auth;
        }
    }

    if (lcf->auth == NGX_CONF_UNSET_UINT) {
        return "must be \"off\", \"on\" or \"optional\"";
    }

    lcf->policy.roles = UINT32_MAX;
    lcf->policy.scope = NGX_VOICE_NO_SCOPE;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_voice_auth_parameter(cf, &value[i], &lcf->policy) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_voice_location_merge(ngx_conf_t *cf, const ngx_voice_loc_conf_t *parent,
    ngx_voice_loc_conf_t *child)
{
    ngx_voice_main_conf_t  *mcf;

    if (child->auth == NGX_CONF_UNSET_UINT) {
        child->auth = parent->auth == NGX_CONF_UNSET_UINT
                      ? NGX_VOICE_AUTH_OFF : parent->auth;
        child->policy = parent->policy;
    }

    child->policy.public = child->auth == NGX_VOICE_AUTH_OFF;
    child->policy.optional = child->auth == NGX_VOICE_AUTH_OPTIONAL;

    if (ngx_voice_limit_merge(cf, parent, child) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_voice_module);

    if (ngx_voice_location_judged(child) && mcf->contract == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"voice_auth\" needs \"voice_contract\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_voice_location_judged(const ngx_voice_loc_conf_t *lcf)
{
    /* these judge by the contract, or not at all; what is nested in them
     * inherits nevertheless */

    if (lcf->api || lcf->stream || lcf->error) {
        return 0;
    }

    return lcf->auth != NGX_VOICE_AUTH_OFF || lcf->policy.limit != NULL;
}


/*
 * After an internal redirect the request is who it was, and is judged by the
 * policy of its new place; the limit is not spent twice.
 */
ngx_int_t
ngx_voice_location_begin(ngx_http_request_t *r, ngx_voice_loc_conf_t *lcf)
{
    ngx_voice_ctx_t    *ctx;
    ngx_voice_state_e   state;

    ctx = ngx_voice_ctx(r);
    state = NGX_VOICE_HOST;

    if (ctx == NULL) {
        ctx = ngx_voice_ctx_create(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (ctx->known != NULL) {
        state = NGX_VOICE_TENANT;
    }

    ngx_http_set_ctx(r, ctx, ngx_voice_module);

    ctx->location = 1;
    ctx->admitted = 0;
    ctx->policy = &lcf->policy;
    ngx_memzero(&ctx->error, sizeof(ngx_voice_error_t));

    return ngx_voice_enter(ctx, state);
}


ngx_int_t
ngx_voice_location_refuse(ngx_voice_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->location && ngx_voice_error_left(ctx->request,
                                              ctx->error.status))
    {
        ctx->state = NGX_VOICE_DONE;
        ctx->request->read_event_handler = ngx_http_block_reading;
        return NGX_ABORT;
    }

    rc = ngx_voice_send_error(ctx);
    ctx->state = NGX_VOICE_DONE;
    ngx_http_finalize_request(ctx->request, rc);

    return NGX_DONE;
}


static ngx_int_t
ngx_voice_auth_parameter(ngx_conf_t *cf, const ngx_str_t *parameter,
    ngx_voice_policy_t *policy)
{
    ngx_str_t  text;

    if (ngx_strncmp(parameter->data, "role=", 5) == 0) {
        text.data = parameter->data + 5;
        text.len = parameter->len - 5;
        return ngx_voice_auth_roles(cf, &text, &policy->roles);
    }

    if (ngx_strncmp(parameter->data, "scope=", 6) == 0
        && parameter->len > 6)
    {
        text.data = parameter->data + 6;
        text.len = parameter->len - 6;
        return ngx_voice_auth_scope(cf, &text, &policy->scope);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"voice_auth\": invalid parameter \"%V\"",
                       parameter);
    return NGX_ERROR;
}


/* "a,b": the roles, and those above the ranked ones. */
static ngx_int_t
ngx_voice_auth_roles(ngx_conf_t *cf, ngx_str_t *names, uint32_t *roles)
{
    u_char        *p, *last, *comma;
    voice_role_e   role;

    *roles = 0;
    last = names->data + names->len;

    for (p = names->data; p <= last; p = comma + 1) {
        comma = ngx_strlchr(p, last, ',');
        if (comma == NULL) {
            comma = last;
        }

        role = voice_role_parse(voice_span((char *) p, comma - p));

        if (role == VOICE_ROLE_COUNT) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"voice_auth\": unknown role \"%*s\"",
                               (size_t) (comma - p), p);
            return NGX_ERROR;
        }

        *roles |= ngx_voice_role_bits(role);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_auth_scope(ngx_conf_t *cf, const ngx_str_t *name,
    ngx_uint_t *number)
{
    ngx_voice_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_voice_module);
    *number = ngx_voice_scope_number(cf, mcf, (char *) name->data);

    if (*number == NGX_VOICE_NO_SCOPE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"voice_auth\": more than %d scopes",
                           NGX_VOICE_SCOPES_MAX);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static uint32_t
ngx_voice_role_bits(voice_role_e role)
{
    uint32_t    bits;
    ngx_uint_t  i;

    bits = 1u << role;

    for (i = role; i < NGX_VOICE_ROLES_RANKED; i++) {
        bits |= 1u << i;
    }

    return bits;
}


/*
 * "satisfy any" asks the next module; an error_page is the operator's own
 * way to answer.
 */
static ngx_uint_t
ngx_voice_error_left(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY
        && (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN))
    {
        return 1;
    }

    /* nginx shows one page a request */

    if (clcf->error_pages == NULL
        || (r->error_page && !clcf->recursive_error_pages))
    {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}
