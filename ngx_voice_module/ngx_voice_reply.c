
/*
 * What the SQL function answered: the envelope around its own bytes, its
 * headers, files by internal redirect.
 */

#include "ngx_voice.h"
#include "ngx_voice_send.h"


#define NGX_VOICE_OBJECTS         "/objects/"
#define NGX_VOICE_OBJECT_MAX      512      /* bytes of such a path */
#define NGX_VOICE_HEADER_MAX      4096     /* bytes of a header's value */


static ngx_int_t ngx_voice_answer_status(ngx_voice_ctx_t *ctx);
static ngx_int_t ngx_voice_answer_headers(ngx_voice_ctx_t *ctx,
    ngx_str_t *object);
static ngx_int_t ngx_voice_answer_header(ngx_voice_ctx_t *ctx,
    const char *name, const char *value, ngx_str_t *object);
static ngx_uint_t ngx_voice_header_clean(const char *name,
    const char *value);
static ngx_int_t ngx_voice_answer_object(ngx_voice_ctx_t *ctx,
    ngx_str_t *object);
static ngx_int_t ngx_voice_answer_body(ngx_voice_ctx_t *ctx,
    ngx_uint_t status, const ngx_str_t *data);
static ngx_int_t ngx_voice_answer_text(ngx_voice_ctx_t *ctx,
    ngx_voice_pieces_t *pieces);


/* Headers that are nginx's own business, whatever a function asks for. */
static const char *const  ngx_voice_reserved_headers[] = {
    "connection", "content-encoding", "content-length", "date", "keep-alive",
    "server", "trailer", "transfer-encoding", "upgrade", "x-request-id", NULL
};


ngx_int_t
ngx_voice_answer(ngx_voice_ctx_t *ctx)
{
    ngx_int_t  rc, status;
    ngx_str_t  data, wake, object;

    if (PQntuples(ctx->result) != 1
        || PQnfields(ctx->result) != NGX_VOICE_COLUMN_COUNT)
    {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "function \"api.%s\" gave no reply row",
                      ctx->operation->contract->function);
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    status = ngx_voice_answer_status(ctx);
    data = ngx_voice_column_str(ctx->result, NGX_VOICE_COLUMN_DATA);
    wake = ngx_voice_column_str(ctx->result, NGX_VOICE_COLUMN_WAKE);

    /* committed, whatever happens to the reply from here on */
    ngx_voice_after(ctx, &wake);

    if (ngx_voice_once_reply(ctx) != NGX_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (status == NGX_ERROR) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (status >= NGX_HTTP_BAD_REQUEST) {
        return ngx_voice_fail_reply(ctx, status, &data);
    }

    if (ctx->operation->contract->stream) {
        return ngx_voice_grant(ctx);
    }

    if (ctx->request->header_sent) {
        return ngx_voice_pages(ctx, status, &data);
    }

    ngx_str_null(&object);

    rc = ngx_voice_answer_headers(ctx, &object);

    if (rc == NGX_OK) {
        rc = ngx_voice_token(ctx, &data);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->operation->contract->shape == VOICE_SHAPE_PAGES) {
        return ngx_voice_pages(ctx, status, &data);
    }

    return object.len != 0 ? ngx_voice_answer_object(ctx, &object)
                           : ngx_voice_answer_body(ctx, status, &data);
}


/* NGX_ERROR: it is none. */
static ngx_int_t
ngx_voice_answer_status(ngx_voice_ctx_t *ctx)
{
    ngx_int_t     status;
    voice_span_t  span;

    span = ngx_voice_column(ctx->result, NGX_VOICE_COLUMN_STATUS);
    status = ngx_atoi((u_char *) span.ptr, span.len);

    if (status >= NGX_HTTP_OK && status <= 599) {
        return status;
    }

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "function \"api.%s\" gave the status %i",
                  ctx->operation->contract->function, status);

    return NGX_ERROR;
}


voice_span_t
ngx_voice_column(const PGresult *result, int column)
{
    if (PQntuples(result) != 1 || column >= PQnfields(result)
        || PQgetisnull(result, 0, column))
    {
        return voice_span(NULL, 0);
    }

    return voice_span(PQgetvalue(result, 0, column),
                      PQgetlength(result, 0, column));
}


ngx_str_t
ngx_voice_column_str(const PGresult *result, int column)
{
    ngx_str_t     text;
    voice_span_t  span;

    span = ngx_voice_column(result, column);
    text.data = (u_char *) span.ptr;
    text.len = span.len;

    return text;
}


/* The column "headers"; *object is set for a file. */
static ngx_int_t
ngx_voice_answer_headers(ngx_voice_ctx_t *ctx, ngx_str_t *object)
{
    json_t              *headers, *value;
    ngx_int_t            rc;
    const char          *name;
    voice_span_t         span;
    voice_json_error_t   err;

    span = ngx_voice_column(ctx->result, NGX_VOICE_COLUMN_HEADERS);
    if (span.len == 0) {
        return NGX_OK;
    }

    headers = voice_json_parse(span, &err);
    if (headers == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    rc = NGX_OK;

    json_object_foreach(headers, name, value) {
        if (!json_is_string(value)) {
            continue;
        }

        rc = ngx_voice_answer_header(ctx, name, json_string_value(value),
                                     object);
        if (rc != NGX_OK) {
            rc = ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
            break;
        }
    }

    json_decref(headers);

    return rc;
}


static ngx_int_t
ngx_voice_answer_header(ngx_voice_ctx_t *ctx, const char *name,
    const char *value, ngx_str_t *object)
{
    ngx_str_t            key, text;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!ngx_voice_header_clean(name, value)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "function \"api.%s\" gave a header that is not ours to "
                      "send", ctx->operation->contract->function);
        return NGX_ERROR;
    }

    key.len = ngx_strlen(name);
    key.data = ngx_pnalloc(r->pool, key.len + 1);
    text.len = ngx_strlen(value);
    text.data = ngx_pnalloc(r->pool, text.len + 1);

    if (key.data == NULL || text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(key.data, name, key.len + 1);
    ngx_memcpy(text.data, value, text.len + 1);

    if (ngx_strcasecmp(key.data, (u_char *) "X-Accel-Redirect") == 0) {
        *object = text;
        return NGX_OK;
    }

    if (ngx_strcasecmp(key.data, (u_char *) "Content-Type") == 0) {
        r->headers_out.content_type = text;
        r->headers_out.content_type_len = text.len;
        return NGX_OK;
    }

    return ngx_voice_header(r, (char *) key.data, &text);
}


/* A token of RFC 9110 and a value without controls, not reserved. */
static ngx_uint_t
ngx_voice_header_clean(const char *name, const char *value)
{
    size_t       i;
    u_char       c;
    ngx_uint_t   n;

    for (i = 0; name[i] != '\0'; i++) {
        c = name[i] | 0x20;

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') {
            return 0;
        }
    }

    for (n = 0; ngx_voice_reserved_headers[n] != NULL; n++) {
        if (ngx_strcasecmp((u_char *) name,
                           (u_char *) ngx_voice_reserved_headers[n]) == 0)
        {
            return 0;
        }
    }

    if (i == 0) {
        return 0;
    }

    for (i = 0; value[i] != '\0'; i++) {
        c = value[i];

        if (c < 0x20 || c == 0x7f) {
            return 0;
        }
    }

    return i <= NGX_VOICE_HEADER_MAX;
}


/* Answers with a stored file: the internal location sends it. */
static ngx_int_t
ngx_voice_answer_object(ngx_voice_ctx_t *ctx, ngx_str_t *object)
{
    size_t               i;
    u_char               c;
    ngx_uint_t           bad;
    ngx_http_request_t  *r;

    static const size_t  root = sizeof(NGX_VOICE_OBJECTS) - 1;

    r = ctx->request;

    bad = object->len <= root || object->len > NGX_VOICE_OBJECT_MAX
          || ngx_strncmp(object->data, NGX_VOICE_OBJECTS, root) != 0;

    for (i = bad ? object->len : root; i < object->len; i++) {
        c = object->data[i];

        bad |= !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                 || (c >= '0' && c <= '9') || c == '_' || c == '-'
                 || c == '.' || c == '/')
               || ((c == '.' || c == '/') && object->data[i - 1] == c);
    }

    if (bad) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "function \"api.%s\" asked for a file outside of \"%s\"",
                      ctx->operation->contract->function, NGX_VOICE_OBJECTS);
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (ngx_voice_header_id(ctx) != NGX_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    ctx->state = NGX_VOICE_DONE;

    (void) ngx_http_internal_redirect(r, object, NULL);
    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


/* A client may keep what it asks about again; nobody else keeps anything. */
ngx_int_t
ngx_voice_answer_cache(ngx_voice_ctx_t *ctx)
{
    static const ngx_str_t  own = ngx_string("private, no-cache");
    static const ngx_str_t  none = ngx_string("no-store");

    return ngx_voice_header(ctx->request, "Cache-Control",
                            ctx->operation->contract->method
                            == VOICE_METHOD_GET ? &own : &none);
}


static ngx_int_t
ngx_voice_answer_body(ngx_voice_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *data)
{
    ngx_int_t            rc;
    ngx_chain_t         *chain;
    ngx_voice_pieces_t   pieces;

    chain = NULL;
    pieces.count = 0;

    if (ngx_voice_answer_cache(ctx) != NGX_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (status == NGX_HTTP_OK && ngx_voice_unchanged(ctx->request)) {
        status = NGX_HTTP_NOT_MODIFIED;
    }

    if (status != NGX_HTTP_NO_CONTENT && status != NGX_HTTP_NOT_MODIFIED) {

        if (ctx->operation->contract->shape == VOICE_SHAPE_FLAT) {
            ngx_voice_piece_str(&pieces, data);

        } else {
            ngx_voice_piece(&pieces, "{\"success\":true,\"data\":");

            if (data->len != 0) {
                ngx_voice_piece_str(&pieces, data);
            } else {
                ngx_voice_piece(&pieces, "null");
            }

            if (ngx_voice_answer_text(ctx, &pieces) != NGX_OK) {
                return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
            }
        }

        chain = ngx_voice_pieces_chain(ctx, &pieces);
        if (chain == NULL) {
            return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        }
    }

    rc = ngx_voice_send(ctx, status, chain == NULL ? NULL
                                                   : &ngx_voice_json_type,
                        chain);

    ctx->state = NGX_VOICE_DONE;
    ngx_http_finalize_request(ctx->request, rc);

    return NGX_DONE;
}


/* What follows the data. */
static ngx_int_t
ngx_voice_answer_text(ngx_voice_ctx_t *ctx, ngx_voice_pieces_t *pieces)
{
    ngx_str_t  message, pagination;

    message = ngx_voice_column_str(ctx->result, NGX_VOICE_COLUMN_MESSAGE);
    pagination = ngx_voice_column_str(ctx->result,
                                      NGX_VOICE_COLUMN_PAGINATION);

    if (message.len != 0) {
        ngx_voice_piece(pieces, ",\"message\":\"");

        if (ngx_voice_piece_json(ctx, pieces, &message) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_voice_piece(pieces, "\"");
    }

    if (pagination.len != 0) {
        ngx_voice_piece(pieces, ",\"pagination\":");
        ngx_voice_piece_str(pieces, &pagination);
    }

    ngx_voice_piece(pieces, ",\"request_id\":\"");
    ngx_voice_piece_str(pieces, &ctx->request_id);
    ngx_voice_piece(pieces, "\"}");

    return NGX_OK;
}
