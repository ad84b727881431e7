
/*
 * Headers of a request that may come more than once.
 */

#include "ngx_voice.h"


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
