/*
 * Fuzz: templates, one a line, an empty line, then paths.  What the router
 * finds is what comparing each template with the path finds.
 */

#include <stdlib.h>

#include "voice_route.h"


#define LINES_MAX  32


/* The routes borrow also what they refuse: no text is written twice. */
typedef struct {
    char      text[LINES_MAX][256];
    unsigned  bits[LINES_MAX];         /* its method; 0: it was refused */
    unsigned  count;
} templates_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static voice_span_t line_next(voice_span_t *text);
static void add(voice_routes_t *routes, templates_t *templates,
    voice_span_t line);
static void find(const voice_routes_t *routes, const templates_t *templates,
    voice_span_t path);
static int fits(const char *template, voice_span_t path);
static voice_span_t segment_next(voice_span_t *path);
static void check_captures(const voice_route_t *route, voice_span_t path,
    const voice_span_t *captures);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    templates_t      templates;
    voice_span_t     text, line;
    voice_routes_t  *routes;

    templates.count = 0;
    routes = voice_routes_create();
    text = voice_span((const char *) data, size);

    for (line = line_next(&text); line.len > 0; line = line_next(&text)) {
        add(routes, &templates, line);
    }

    while (text.len > 0) {
        find(routes, &templates, line_next(&text));
    }

    voice_routes_destroy(routes);

    return 0;
}


static voice_span_t
line_next(voice_span_t *text)
{
    size_t        len;
    const char   *end;
    voice_span_t  line;

    end = text->len == 0 ? NULL : memchr(text->ptr, '\n', text->len);
    len = end == NULL ? text->len : (size_t) (end - text->ptr);
    line = voice_span(text->ptr, len);
    len += end != NULL;
    *text = voice_span(text->ptr + len, text->len - len);

    return line;
}


static void
add(voice_routes_t *routes, templates_t *templates, voice_span_t line)
{
    char                 *text;
    unsigned              n, method;
    voice_span_t          names[VOICE_ROUTE_CAPTURES];
    voice_route_fault_t   fault;

    n = templates->count;

    if (n == LINES_MAX || line.len >= sizeof(templates->text[0])
        || memchr(line.ptr, '\0', line.len) != NULL)
    {
        return;
    }

    method = n % VOICE_ROUTE_METHODS;
    text = templates->text[n];
    memcpy(text, line.ptr, line.len);
    text[line.len] = '\0';
    templates->count++;

    if (voice_routes_add(routes, text, method, text, &fault) != VOICE_OK) {
        templates->bits[n] = 0;

        if (fault.reason == NULL) {
            abort();
        }

        return;
    }

    templates->bits[n] = 1u << method;

    if (voice_route_names(text, names) > VOICE_ROUTE_CAPTURES) {
        abort();
    }
}


static void
find(const voice_routes_t *routes, const templates_t *templates,
    voice_span_t path)
{
    unsigned              i, method, methods, expected;
    voice_span_t          captures[VOICE_ROUTE_CAPTURES];
    const voice_route_t  *route;

    expected = 0;

    for (i = 0; i < templates->count; i++) {
        if (fits(templates->text[i], path)) {
            expected |= templates->bits[i];
        }
    }

    for (method = 0; method < VOICE_ROUTE_METHODS; method++) {
        methods = 0;
        route = voice_routes_find(routes, path, method, &methods, captures);

        if ((route != NULL) != ((expected >> method) & 1)
            || (route == NULL && methods != expected))
        {
            abort();
        }

        if (route != NULL) {
            check_captures(route, path, captures);
        }
    }
}


/* Segment by segment; a capture takes any that is not empty. */
static int
fits(const char *template, voice_span_t path)
{
    voice_span_t  rest, mine, segment;

    rest = voice_span_str(template);

    while (rest.len > 0 && path.len > 0) {
        mine = segment_next(&rest);
        segment = segment_next(&path);

        if (mine.len > 1 && mine.ptr[1] == '{') {
            if (segment.len <= 1 || segment.ptr[0] != '/') {
                return 0;
            }

        } else if (!voice_span_eq(mine, segment)) {
            return 0;
        }
    }

    return rest.len == 0 && path.len == 0;
}


/* Takes "/segment" off the front. */
static voice_span_t
segment_next(voice_span_t *path)
{
    size_t        n;
    voice_span_t  segment;

    for (n = 1; n < path->len && path->ptr[n] != '/'; n++) {
        /* void */
    }

    segment = voice_span(path->ptr, n);
    *path = voice_span(path->ptr + n, path->len - n);

    return segment;
}


/* They are parts of the path, in order, none with a slash. */
static void
check_captures(const voice_route_t *route, voice_span_t path,
    const voice_span_t *captures)
{
    unsigned     i;
    const char  *from;

    from = path.ptr;

    if (route->ncaptures > VOICE_ROUTE_CAPTURES
        || !fits(route->template, path))
    {
        abort();
    }

    for (i = 0; i < route->ncaptures; i++) {
        if (captures[i].ptr <= from || captures[i].len == 0
            || captures[i].ptr + captures[i].len > path.ptr + path.len
            || memchr(captures[i].ptr, '/', captures[i].len) != NULL)
        {
            abort();
        }

        from = captures[i].ptr + captures[i].len;
    }
}
