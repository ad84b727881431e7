
/*
 * What went wrong, as the API says it.  SQL errors are mapped here and
 * nowhere else.
 */

#include "ngx_voice.h"


#define NGX_VOICE_SQLSTATE_LEN  5


/* SQLSTATEs of PostgreSQL itself; V... of our rules carry their status. */
static const struct {
    const char         *sqlstate;          /* a prefix */
    ngx_voice_error_e   error;
} ngx_voice_sql_errors[] = {
    { "23505", NGX_VOICE_CONFLICT },             /* unique */
    { "23503", NGX_VOICE_CONFLICT },             /* foreign key */
    { "22P02", NGX_VOICE_VALIDATION_ERROR },     /* text of a type */
    { "22003", NGX_VOICE_VALIDATION_ERROR },     /* number's range */
    { "22007", NGX_VOICE_VALIDATION_ERROR },     /* form of a time */
    { "22008", NGX_VOICE_VALIDATION_ERROR },     /* range of a time */
    { "22P05", NGX_VOICE_VALIDATION_ERROR },     /* NUL in a text */
    { "22021", NGX_VOICE_VALIDATION_ERROR },     /* encoding */
    { "23502", NGX_VOICE_VALIDATION_ERROR },     /* not null */
    { "23514", NGX_VOICE_VALIDATION_ERROR },     /* check */
    { "42501", NGX_VOICE_AUTH_INSUFFICIENT_PERMISSIONS },
    { "40001", NGX_VOICE_SERVICE_UNAVAILABLE },  /* serialization */
    { "40P01", NGX_VOICE_SERVICE_UNAVAILABLE },  /* deadlock */
    { "55P03", NGX_VOICE_SERVICE_UNAVAILABLE },  /* lock timeout */
    { "57014", NGX_VOICE_TIMEOUT },              /* cancelled */
    { "57P", NGX_VOICE_SERVICE_UNAVAILABLE },    /* shutting down */
    { "53", NGX_VOICE_SERVICE_UNAVAILABLE }      /* out of resources */
};


/* What nginx answers by itself; 494 to 497 are its names for some 400s. */
static const struct {
    ngx_uint_t         status;
    ngx_voice_error_e  error;
} ngx_voice_status_errors[] = {
    { NGX_HTTP_BAD_REQUEST, NGX_VOICE_BAD_REQUEST },
    { NGX_HTTP_UNAUTHORIZED, NGX_VOICE_AUTH_INVALID_TOKEN },
    { NGX_HTTP_FORBIDDEN, NGX_VOICE_AUTH_INSUFFICIENT_PERMISSIONS },
    { NGX_HTTP_NOT_FOUND, NGX_VOICE_RESOURCE_NOT_FOUND },
    { NGX_HTTP_NOT_ALLOWED, NGX_VOICE_METHOD_NOT_ALLOWED },
    { 406, NGX_VOICE_NOT_ACCEPTABLE },
    { NGX_HTTP_CONFLICT, NGX_VOICE_CONFLICT },
    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, NGX_VOICE_PAYLOAD_TOO_LARGE },
    { NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, NGX_VOICE_UNSUPPORTED_MEDIA_TYPE },
    { NGX_HTTP_TOO_MANY_REQUESTS, NGX_VOICE_RATE_LIMIT_EXCEEDED },
    { NGX_HTTP_NOT_IMPLEMENTED, NGX_VOICE_NOT_IMPLEMENTED },
    { NGX_HTTP_SERVICE_UNAVAILABLE, NGX_VOICE_SERVICE_UNAVAILABLE },
    { NGX_HTTP_GATEWAY_TIME_OUT, NGX_VOICE_TIMEOUT },
    { NGX_HTTP_VERSION_NOT_SUPPORTED, NGX_VOICE_HTTP_VERSION_NOT_SUPPORTED },
    { NGX_HTTP_REQUEST_HEADER_TOO_LARGE, NGX_VOICE_BAD_REQUEST },
    { NGX_HTTPS_CERT_ERROR, NGX_VOICE_BAD_REQUEST },
    { NGX_HTTPS_NO_CERT, NGX_VOICE_BAD_REQUEST },
    { NGX_HTTP_TO_HTTPS, NGX_VOICE_BAD_REQUEST }
};


static ngx_int_t ngx_voice_fail_sql(ngx_voice_ctx_t *ctx,
    const PGresult *result);
static ngx_int_t ngx_voice_fail_rule(ngx_voice_ctx_t *ctx,
    const char *sqlstate, const PGresult *result);
static ngx_uint_t ngx_voice_sql_error(const char *sqlstate);
static ngx_int_t ngx_voice_error_copy(ngx_voice_ctx_t *ctx, ngx_str_t *to,
    const char *text);
static void ngx_voice_error_log(ngx_voice_ctx_t *ctx, const char *sqlstate,
    const char *text);


ngx_int_t
ngx_voice_fail(ngx_voice_ctx_t *ctx, ngx_voice_error_e error,
    const char *message)
{
    ngx_voice_error_row_t  *row;

    row = &ctx->conf->errors[error];

    ngx_memzero(&ctx->error, sizeof(ngx_voice_error_t));
    ctx->error.status = row->status;
    ctx->error.code = row->code;
    ctx->error.message = row->message;
    ngx_str_set(&ctx->error.service, "edge");

    if (message != NULL) {
        ctx->error.message.data = (u_char *) message;
        ctx->error.message.len = ngx_strlen(message);
    }

    if (row->status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        ctx->error.retry_after = 1;
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_voice_fail_status(ngx_voice_ctx_t *ctx, ngx_uint_t status)
{
    ngx_uint_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_status_errors); i++) {
        if (ngx_voice_status_errors[i].status == status) {
            return ngx_voice_fail(ctx, ngx_voice_status_errors[i].error,
                                  NULL);
        }
    }

    /* no code of its own: the family's code, the status as it is */

    (void) ngx_voice_fail(ctx, status < NGX_HTTP_INTERNAL_SERVER_ERROR
                               ? NGX_VOICE_BAD_REQUEST
                               : NGX_VOICE_INTERNAL_ERROR, NULL);
    ctx->error.status = status;

    return NGX_ERROR;
}


/* The message names the first problem, the details all of them. */
ngx_int_t
ngx_voice_fail_problems(ngx_voice_ctx_t *ctx,
    const voice_problems_t *problems)
{
    char       *text;
    json_t     *array;
    u_char     *p;
    size_t      len;
    ngx_int_t   rc;

    array = voice_problems_json(problems);
    text = array == NULL ? NULL : json_dumps(array, JSON_COMPACT);
    json_decref(array);

    if (text == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    (void) ngx_voice_fail(ctx, NGX_VOICE_VALIDATION_ERROR, NULL);
    rc = ngx_voice_error_copy(ctx, &ctx->error.problems, text);
    free(text);

    len = sizeof(problems->items[0].path) + sizeof(problems->items[0].reason);
    p = ngx_pnalloc(ctx->request->pool, len + 8);

    if (rc != NGX_OK || p == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    ctx->error.message.data = p;
    ctx->error.message.len = ngx_slprintf(p, p + len + 8, "%s: %s",
                                          problems->items[0].path,
                                          problems->items[0].reason) - p;

    return NGX_ERROR;
}


ngx_int_t
ngx_voice_fail_pg(ngx_voice_ctx_t *ctx, ngx_voice_pg_e outcome,
    const PGresult *result)
{
    switch (outcome) {

    case NGX_VOICE_PG_ERROR:
        return ngx_voice_fail_sql(ctx, result);

    case NGX_VOICE_PG_TIMEOUT:
        ngx_voice_error_log(ctx, "deadline", "the query took too long");
        return ngx_voice_fail(ctx, NGX_VOICE_TIMEOUT, NULL);

    case NGX_VOICE_PG_FULL:
    case NGX_VOICE_PG_DOWN:
        ngx_voice_error_log(ctx, outcome == NGX_VOICE_PG_FULL ? "queue full"
                                                              : "down",
                            "the database takes no queries now");
        return ngx_voice_fail(ctx, NGX_VOICE_SERVICE_UNAVAILABLE, NULL);

    default:
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }
}


ngx_int_t
ngx_voice_fail_reply(ngx_voice_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *data)
{
    json_t              *json;
    const char          *code, *message;
    json_int_t           wait;
    voice_json_error_t   err;

    json = voice_json_parse(voice_span((char *) data->data, data->len), &err);
    code = json_string_value(json_object_get(json, "code"));
    message = json_string_value(json_object_get(json, "message"));

    wait = json_integer_value(json_object_get(json, "retry_after"));

    (void) ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    ctx->error.status = status;
    ctx->error.retry_after = wait > 0 ? (ngx_uint_t) wait : 0;
    ngx_str_set(&ctx->error.service, "database");

    if (code == NULL
        || ngx_voice_error_copy(ctx, &ctx->error.code, code) != NGX_OK
        || ngx_voice_error_copy(ctx, &ctx->error.message,
                                message == NULL ? code : message)
           != NGX_OK)
    {
        ctx->error.status = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json_decref(json);

    return NGX_ERROR;
}


static ngx_int_t
ngx_voice_fail_sql(ngx_voice_ctx_t *ctx, const PGresult *result)
{
    ngx_uint_t   i;
    const char  *sqlstate, *text;

    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (sqlstate == NULL) {
        sqlstate = "";
    }

    if (sqlstate[0] == 'V') {
        return ngx_voice_fail_rule(ctx, sqlstate, result);
    }

    i = ngx_voice_sql_error(sqlstate);

    if (i == VOICE_ARRAY_SIZE(ngx_voice_sql_errors)) {
        ngx_voice_error_log(ctx, sqlstate, text);
        (void) ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);

    } else {
        (void) ngx_voice_fail(ctx, ngx_voice_sql_errors[i].error, NULL);

        if (ctx->error.status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
            ngx_voice_error_log(ctx, sqlstate, text);
        }
    }

    ngx_str_set(&ctx->error.service, "database");

    return NGX_ERROR;
}


/* A rule's error: V, a digit for the domain, the status. */
static ngx_int_t
ngx_voice_fail_rule(ngx_voice_ctx_t *ctx, const char *sqlstate,
    const PGresult *result)
{
    ngx_int_t    status;
    const char  *code, *detail, *hint;

    code = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

    status = ngx_strlen(sqlstate) == NGX_VOICE_SQLSTATE_LEN
             ? ngx_atoi((u_char *) sqlstate + 2, 3) : NGX_ERROR;

    (void) ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    ngx_str_set(&ctx->error.service, "database");

    if (status < NGX_HTTP_BAD_REQUEST || status > 599 || code == NULL) {
        ngx_voice_error_log(ctx, sqlstate, code);
        return NGX_ERROR;
    }

    if (ngx_voice_error_copy(ctx, &ctx->error.code, code) != NGX_OK
        || ngx_voice_error_copy(ctx, &ctx->error.message,
                                detail == NULL ? code : detail)
           != NGX_OK)
    {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    ctx->error.status = status;

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        || status == NGX_HTTP_TOO_MANY_REQUESTS
        || ngx_strcmp(code, ctx->conf->errors[
               NGX_VOICE_IDEMPOTENCY_IN_PROGRESS].code.data) == 0)
    {
        ctx->error.retry_after = 1;
    }

    if (hint != NULL && hint[0] == '['
        && ngx_voice_error_copy(ctx, &ctx->error.problems, hint) != NGX_OK)
    {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    return NGX_ERROR;
}


static ngx_uint_t
ngx_voice_sql_error(const char *sqlstate)
{
    ngx_uint_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(ngx_voice_sql_errors); i++) {
        if (ngx_strncmp(sqlstate, ngx_voice_sql_errors[i].sqlstate,
                        ngx_strlen(ngx_voice_sql_errors[i].sqlstate))
            == 0)
        {
            break;
        }
    }

    return i;
}


static ngx_int_t
ngx_voice_error_copy(ngx_voice_ctx_t *ctx, ngx_str_t *to, const char *text)
{
    ngx_str_t  copy;

    copy.data = (u_char *) text;
    copy.len = ngx_strlen(text);

    to->data = ngx_pstrdup(ctx->request->pool, &copy);
    to->len = copy.len;

    return to->data == NULL ? NGX_ERROR : NGX_OK;
}


/* Our fault, or the database's: the operator must learn of it. */
static void
ngx_voice_error_log(ngx_voice_ctx_t *ctx, const char *sqlstate,
    const char *text)
{
    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "operation \"%s\" failed: %s: %s",
                  ctx->operation == NULL ? "-"
                                         : ctx->operation->contract->function,
                  sqlstate, text == NULL ? "no message" : text);
}
