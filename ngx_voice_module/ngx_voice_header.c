
/*
 * Headers of a request that may come more than once, or be conditions.
 */

#include "ngx_voice.h"


static voice_span_t ngx_voice_header_etag(ngx_http_request_t *r);

ngx_uint_t
ngx_voice_header_count(ngx_http_request_t *r, const char *name,
    voice_span_t *value)
{
    size_t            len;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    len = ngx_strlen(name);
    *value = voice_span(NULL, 0);

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len != len
                || ngx_memcmp(h[i].lowcase_key, name, len) != 0)
            {
                continue;
            }

            if (n++ == 0) {
                *value = voice_span((char *) h[i].value.data,
                                    h[i].value.len);
            }
        }
    }

    return n;
}


ngx_uint_t
ngx_voice_unchanged(ngx_http_request_t *r)
{
    ngx_uint_t        i, same;
    voice_span_t      tag, list;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static const ngx_str_t  name = ngx_string("if-none-match");

    tag = ngx_voice_header_etag(r);

    if (tag.len == 0 || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return 0;
    }

    same = 0;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len != name.len
                || ngx_memcmp(h[i].lowcase_key, name.data, name.len) != 0)
            {
                continue;
            }

            list = voice_span((char *) h[i].value.data, h[i].value.len);
            same |= voice_header_tags(list, tag) == VOICE_OK;
        }
    }

    return same;
}


/* That the reply will have. */
static voice_span_t
ngx_voice_header_etag(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0 && h[i].key.len == 4
                && ngx_strncasecmp(h[i].key.data, (u_char *) "etag", 4) == 0)
            {
                return voice_span((char *) h[i].value.data, h[i].value.len);
            }
        }
    }

    return voice_span(NULL, 0);
}
