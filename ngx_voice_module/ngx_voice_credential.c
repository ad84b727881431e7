
/*
 * The credential of a request: where it stands, and where it must not stay.
 */

#include "ngx_voice.h"


static ngx_int_t ngx_voice_credential_query(ngx_voice_ctx_t *ctx);
static void ngx_voice_hide(ngx_http_request_t *r, const char *name);
static void ngx_voice_hide_value(u_char *p, u_char *last, const char *name);


ngx_int_t
ngx_voice_credential(ngx_voice_ctx_t *ctx)
{
    voice_span_t          header;
    ngx_http_request_t   *r;
    ngx_voice_secret_t   *credential;

    r = ctx->request;
    credential = &ctx->credential;

    if (r->headers_in.authorization != NULL) {
        header = voice_span(
                     (char *) r->headers_in.authorization->value.data,
                     r->headers_in.authorization->value.len);

        if (header.len <= 7
            || ngx_strncasecmp((u_char *) header.ptr, (u_char *) "Bearer ", 7)
               != 0)
        {
            return ngx_voice_unauthorized(ctx, "The header Authorization "
                                          "must be \"Bearer\" and a token.");
        }

        credential->text = voice_span(header.ptr + 7, header.len - 7);
        credential->token = 1;
        return NGX_OK;
    }

    credential->text = ngx_voice_request_header(r, "x-api-key");
    if (credential->text.len != 0) {
        return NGX_OK;
    }

    if (!ctx->location && ctx->operation->contract->stream) {
        return ngx_voice_credential_query(ctx);
    }

    return NGX_DECLINED;
}


voice_span_t
ngx_voice_request_header(void *data, const char *name)
{
    ngx_table_elt_t  *h;

    h = ngx_voice_header_find(data, name);

    return h == NULL ? voice_span(NULL, 0)
                     : voice_span((char *) h->value.data, h->value.len);
}


ngx_table_elt_t *
ngx_voice_header_find(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_memcmp(h[i].lowcase_key, name, len) == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


/*
 * A browser's EventSource and WebSocket cannot set headers: streams take
 * "access_token", a token or an API key, or "ticket" in the query.
 */
static ngx_int_t
ngx_voice_credential_query(ngx_voice_ctx_t *ctx)
{
    char                *buf;
    size_t               len;
    ngx_uint_t           i;
    voice_span_t         query;
    ngx_http_request_t  *r;

    static const char *const  names[] = { "access_token", "ticket" };

    r = ctx->request;
    query = voice_span((char *) r->args.data, r->args.len);

    buf = ngx_pnalloc(r->pool, VOICE_JWT_MAX);
    if (buf == NULL) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(names); i++) {

        if (voice_query_find(query, names[i], buf, VOICE_JWT_MAX, &len)
            != VOICE_OK
            || len == 0)
        {
            continue;
        }

        ctx->credential.text = voice_span(buf, len);
        ctx->credential.ticket = (i == 1);
        ctx->credential.token = i == 0 && memchr(buf, '.', len) != NULL;
        break;
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(names); i++) {
        ngx_voice_hide(r, names[i]);
    }

    return ctx->credential.text.len != 0 ? NGX_OK : NGX_DECLINED;
}


/*
 * Overwrites the token where nginx keeps the request line: whatever writes
 * it to a log later finds no secret.  The query and the URIs share these
 * bytes, but in HTTP/2.
 */
static void
ngx_voice_hide(ngx_http_request_t *r, const char *name)
{
    u_char     *p, *end, *last;
    ngx_uint_t  i;

    ngx_str_t  *all[] = { &r->request_line, &r->unparsed_uri, &r->args };

    for (i = 0; i < VOICE_ARRAY_SIZE(all); i++) {
        p = all[i]->data;
        last = p + all[i]->len;

        if (all[i] != &r->args) {
            p = ngx_strlchr(p, last, '?');
            p = p == NULL ? last : p + 1;
        }

        for ( /* void */ ; p < last; p = end + 1) {
            for (end = p; end < last && *end != '&' && *end != ' '; end++) {
                /* void */
            }

            ngx_voice_hide_value(p, end, name);
        }
    }
}


/* Of "name=value", whose name may be percent-encoded. */
static void
ngx_voice_hide_value(u_char *p, u_char *last, const char *name)
{
    char    none;
    size_t  len;

    if (voice_query_find(voice_span((char *) p, last - p), name, &none, 0,
                         &len)
        == VOICE_NOTFOUND)
    {
        return;
    }

    p = ngx_strlchr(p, last, '=');

    if (p != NULL) {
        ngx_memset(p + 1, 'x', last - p - 1);
    }
}
