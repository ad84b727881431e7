
/*
 * Arguments of the form key=value, see ngx_voice_field.h.
 */

#include "ngx_voice.h"
#include "ngx_voice_field.h"


#define NGX_VOICE_SECRET_MAX  4096         /* bytes of a secret's file */


static ngx_int_t ngx_voice_conf_field(ngx_conf_t *cf,
    const ngx_voice_field_t *field, ngx_str_t *value, void *conf);
static ngx_int_t ngx_voice_conf_servers(ngx_conf_t *cf,
    const ngx_voice_field_t *field, const ngx_str_t *value,
    voice_endpoints_t *servers);
static ngx_int_t ngx_voice_conf_number(ngx_conf_t *cf,
    const ngx_voice_field_t *field, ngx_str_t *value, ngx_int_t *number);
static ngx_int_t ngx_voice_conf_secret(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret);


ngx_int_t
ngx_voice_conf_fields(ngx_conf_t *cf, const ngx_voice_field_t *fields,
    void *conf)
{
    return ngx_voice_conf_fields_from(cf, 1, fields, conf);
}


ngx_int_t
ngx_voice_conf_fields_from(ngx_conf_t *cf, ngx_uint_t first,
    const ngx_voice_field_t *fields, void *conf)
{
    ngx_str_t                *args, value;
    ngx_uint_t                i;
    const ngx_voice_field_t  *field;

    args = cf->args->elts;

    for (i = first; i < cf->args->nelts; i++) {

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


char *
ngx_voice_conf_refuse(ngx_conf_t *cf, const char *reason)
{
    ngx_str_t  *args;

    args = cf->args->elts;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &args[0], reason);

    return NGX_CONF_ERROR;
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

    if (field->type == NGX_VOICE_FIELD_LIST) {
        text = ngx_array_push(at);
        if (text == NULL) {
            return NGX_ERROR;
        }

        *text = *value;
        return NGX_OK;
    }

    if (field->type == NGX_VOICE_FIELD_SECRET) {
        return ngx_voice_conf_secret(cf, value, at);
    }

    if (field->type == NGX_VOICE_FIELD_SERVERS) {
        return ngx_voice_conf_servers(cf, field, value, at);
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
ngx_voice_conf_servers(ngx_conf_t *cf, const ngx_voice_field_t *field,
    const ngx_str_t *value, voice_endpoints_t *servers)
{
    if (voice_endpoints_parse(voice_span((char *) value->data, value->len),
                              servers)
        != VOICE_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must be an IP address or the path of a "
                           "socket, or up to %i of them, split by commas",
                           &field->key, (ngx_int_t) VOICE_ENDPOINTS_MAX);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_conf_number(ngx_conf_t *cf, const ngx_voice_field_t *field,
    ngx_str_t *value, ngx_int_t *number)
{
    *number = field->type == NGX_VOICE_FIELD_MSEC
              ? ngx_parse_time(value, 0)
              : field->type == NGX_VOICE_FIELD_SIZE
              ? ngx_parse_size(value)
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
