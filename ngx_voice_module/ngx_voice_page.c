
/*
 * voice_status: the overview as JSON, or as a page of HTML without scripts
 * for who asks for one.
 */

#include "ngx_voice_page.h"


#define NGX_VOICE_PAGE_BLOCK  4096         /* bytes */
#define NGX_VOICE_PAGE_ERROR  "error"      /* a member that is shown in red */


/* A page that grows; failed once memory is out. */
typedef struct {
    ngx_pool_t  *pool;
    u_char      *data;
    size_t       len;
    size_t       size;
    ngx_uint_t   failed;
} ngx_voice_page_t;


static ngx_int_t ngx_voice_page_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_voice_page_wanted(ngx_http_request_t *r);
static ngx_int_t ngx_voice_page_send(ngx_http_request_t *r,
    const ngx_str_t *text, ngx_uint_t html);
static void ngx_voice_page_draw(ngx_voice_page_t *page, json_t *overview);
static void ngx_voice_page_list(ngx_voice_page_t *page, json_t *object);
static void ngx_voice_page_table(ngx_voice_page_t *page, json_t *rows);
static void ngx_voice_page_value(ngx_voice_page_t *page, const char *name,
    const json_t *value);
static void ngx_voice_page_name(ngx_voice_page_t *page, const char *name);
static void ngx_voice_page_text(ngx_voice_page_t *page, const char *text);
static void ngx_voice_page_add(ngx_voice_page_t *page, const char *text,
    size_t len);
static void ngx_voice_page_raw(ngx_voice_page_t *page, const char *text);


static const char  ngx_voice_page_head[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Voicegate</title>\n"
    "<style>\n"
    ":root { color-scheme: light dark; }\n"
    "body { font: 15px/1.45 system-ui, sans-serif; max-width: 90em;\n"
    "       margin: 2em auto; padding: 0 1em; }\n"
    "h1 { font-size: 1.5em; margin: 0 0 .6em; }\n"
    "h2 { font-size: 1.1em; margin: 1.8em 0 .5em; }\n"
    "div { overflow-x: auto; }\n"
    "table { border-collapse: collapse; }\n"
    "th, td { text-align: left; padding: .25em 1.2em .25em 0;\n"
    "         border-bottom: 1px solid #8884; white-space: nowrap; }\n"
    "th { font-weight: 600; opacity: .75; }\n"
    ".n { text-align: right; font-variant-numeric: tabular-nums; }\n"
    "th + td.n { text-align: left; }\n"
    ".e { color: #c33; }\n"
    "p { opacity: .75; }\n"
    "</style>\n"
    "<h1>Voicegate</h1>\n";


char *
ngx_voice_conf_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_voice_loc_conf_t      *lcf = conf;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || !lcf->status) {
        return rv;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_voice_page_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_voice_page_handler(ngx_http_request_t *r)
{
    char                   *dump;
    json_t                 *overview;
    ngx_int_t               rc;
    ngx_str_t               text;
    ngx_uint_t              html;
    ngx_voice_page_t        page;
    ngx_voice_main_conf_t  *mcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_voice_module);
    html = ngx_voice_page_wanted(r);

    overview = ngx_voice_overview(mcf);
    if (overview == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&page, sizeof(ngx_voice_page_t));
    page.pool = r->pool;

    if (html) {
        ngx_voice_page_draw(&page, overview);

    } else {
        dump = json_dumps(overview, JSON_INDENT(2));
        ngx_voice_page_raw(&page, dump == NULL ? "" : dump);
        ngx_voice_page_raw(&page, "\n");
        page.failed |= dump == NULL;
        free(dump);
    }

    json_decref(overview);

    if (page.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = page.data;
    text.len = page.len;

    return ngx_voice_page_send(r, &text, html);
}


/* A browser names text/html; tools want JSON unless they do, too. */
static ngx_uint_t
ngx_voice_page_wanted(ngx_http_request_t *r)
{
    ngx_table_elt_t  *accept;

    accept = ngx_voice_header_find(r, "accept");

    return accept != NULL
           && ngx_strlcasestrn(accept->value.data,
                               accept->value.data + accept->value.len,
                               (u_char *) "text/html", 9 - 1)
              != NULL;
}


static ngx_int_t
ngx_voice_page_send(ngx_http_request_t *r, const ngx_str_t *text,
    ngx_uint_t html)
{
    ngx_int_t         rc;
    ngx_buf_t        *b;
    ngx_chain_t       out;
    ngx_table_elt_t  *h;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text->len;

    if (html) {
        ngx_str_set(&r->headers_out.content_type, "text/html; charset=utf-8");
    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;

    h = ngx_list_push(&r->headers_out.headers);
    b = ngx_calloc_buf(r->pool);

    if (h == NULL || b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* Scalars of the root first, then a section a member. */
static void
ngx_voice_page_draw(ngx_voice_page_t *page, json_t *overview)
{
    json_t      *value;
    const char  *name;

    ngx_voice_page_raw(page, ngx_voice_page_head);
    ngx_voice_page_list(page, overview);

    json_object_foreach(overview, name, value) {
        if (!json_is_object(value) && !json_is_array(value)) {
            continue;
        }

        ngx_voice_page_raw(page, "<h2>");
        ngx_voice_page_name(page, name);
        ngx_voice_page_raw(page, "</h2>\n");

        if (json_is_array(value)) {
            ngx_voice_page_table(page, value);
        } else {
            ngx_voice_page_list(page, value);
        }
    }

    ngx_voice_page_raw(page, "</html>\n");
}


/* The scalars of an object, one a row. */
static void
ngx_voice_page_list(ngx_voice_page_t *page, json_t *object)
{
    json_t      *value;
    const char  *name;

    ngx_voice_page_raw(page, "<div><table>\n");

    json_object_foreach(object, name, value) {
        if (json_is_object(value) || json_is_array(value)) {
            continue;
        }

        ngx_voice_page_raw(page, "<tr><th>");
        ngx_voice_page_name(page, name);
        ngx_voice_page_raw(page, "</th>");
        ngx_voice_page_value(page, name, value);
        ngx_voice_page_raw(page, "</tr>\n");
    }

    ngx_voice_page_raw(page, "</table></div>\n");
}


/* Objects of the same members, one a row. */
static void
ngx_voice_page_table(ngx_voice_page_t *page, json_t *rows)
{
    size_t       i;
    json_t      *row, *value;
    const char  *name;

    if (json_array_size(rows) == 0) {
        ngx_voice_page_raw(page, "<p>None.</p>\n");
        return;
    }

    ngx_voice_page_raw(page, "<div><table>\n<tr>");

    json_object_foreach(json_array_get(rows, 0), name, value) {
        ngx_voice_page_raw(page, json_is_number(value) ? "<th class=\"n\">"
                                                       : "<th>");
        ngx_voice_page_name(page, name);
        ngx_voice_page_raw(page, "</th>");
    }

    ngx_voice_page_raw(page, "</tr>\n");

    json_array_foreach(rows, i, row) {
        ngx_voice_page_raw(page, "<tr>");

        json_object_foreach(row, name, value) {
            ngx_voice_page_value(page, name, value);
        }

        ngx_voice_page_raw(page, "</tr>\n");
    }

    ngx_voice_page_raw(page, "</table></div>\n");
}


static void
ngx_voice_page_value(ngx_voice_page_t *page, const char *name,
    const json_t *value)
{
    u_char  number[NGX_INT64_LEN + 1];

    if (json_is_integer(value)) {
        *ngx_snprintf(number, sizeof(number) - 1, "%L",
                      (int64_t) json_integer_value(value)) = '\0';
        ngx_voice_page_raw(page, "<td class=\"n\">");
        ngx_voice_page_raw(page, (char *) number);

    } else if (json_is_string(value)) {
        ngx_voice_page_raw(page, ngx_strcmp(name, NGX_VOICE_PAGE_ERROR) == 0
                                 ? "<td class=\"e\">" : "<td>");
        ngx_voice_page_text(page, json_string_value(value));

    } else {
        ngx_voice_page_raw(page, json_is_true(value) ? "<td>yes"
                                 : json_is_false(value) ? "<td>no"
                                 : "<td>&ndash;");
    }

    ngx_voice_page_raw(page, "</td>");
}


/* "postgres_pools" as "postgres pools": names are ours. */
static void
ngx_voice_page_name(ngx_voice_page_t *page, const char *name)
{
    for ( /* void */ ; *name != '\0'; name++) {
        ngx_voice_page_add(page, *name == '_' ? " " : name, 1);
    }
}


/* Names of issuers and keys are somebody else's. */
static void
ngx_voice_page_text(ngx_voice_page_t *page, const char *text)
{
    size_t       len;
    ngx_uint_t   i;

    static const struct {
        char         c;
        const char  *shown;
    } escapes[] = {
        { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" },
        { '"', "&quot;" }
    };

    for ( /* void */ ; *text != '\0'; text += len) {

        len = strcspn(text, "&<>\"");

        if (len != 0) {
            ngx_voice_page_add(page, text, len);
            continue;
        }

        len = 1;

        for (i = 0; i < VOICE_ARRAY_SIZE(escapes); i++) {
            if (*text == escapes[i].c) {
                ngx_voice_page_raw(page, escapes[i].shown);
            }
        }
    }
}


static void
ngx_voice_page_add(ngx_voice_page_t *page, const char *text, size_t len)
{
    size_t   size;
    u_char  *data;

    if (page->failed) {
        return;
    }

    if (len > page->size - page->len) {
        size = ngx_max(page->size * 2, page->len + len);
        size = ngx_max(size, NGX_VOICE_PAGE_BLOCK);

        data = ngx_pnalloc(page->pool, size);
        if (data == NULL) {
            page->failed = 1;
            return;
        }

        if (page->len != 0) {
            ngx_memcpy(data, page->data, page->len);
        }

        page->data = data;
        page->size = size;
    }

    ngx_memcpy(page->data + page->len, text, len);
    page->len += len;
}


static void
ngx_voice_page_raw(ngx_voice_page_t *page, const char *text)
{
    ngx_voice_page_add(page, text, ngx_strlen(text));
}
