/*
 * The router, see voice_route.h.
 */

#include <stdlib.h>

#include "voice_route.h"


typedef struct route_node_s  route_node_t;


/* A segment; what a path holds at its place, or a capture. */
struct route_node_s {
    voice_span_t    segment;           /* the template's */
    route_node_t   *literals;
    route_node_t   *capture;
    route_node_t   *next;              /* of the parent's literals */
    voice_route_t  *route;             /* of the template that ends here */
};


struct voice_routes_s {
    route_node_t  root;
};


/* What is looked for, and what was seen on the way. */
typedef struct {
    unsigned       method;
    unsigned       methods;
    voice_span_t  *captures;
} route_search_t;


static void node_clear(route_node_t *node);
static void node_destroy(route_node_t *node);
static int segment_next(voice_span_t *path, voice_span_t *segment);
static int is_capture(voice_span_t segment);
static const char *segment_fault(voice_span_t segment);
static route_node_t *node_child(route_node_t *node, voice_span_t segment);
static route_node_t *node_literal(const route_node_t *node,
    voice_span_t segment);
static const voice_route_t *node_find(const route_node_t *node,
    voice_span_t path, route_search_t *search, unsigned n);
static const voice_route_t *node_take(const route_node_t *node,
    route_search_t *search);
static const void *node_target(const route_node_t *node);


voice_routes_t *
voice_routes_create(void)
{
    return calloc(1, sizeof(voice_routes_t));
}


void
voice_routes_destroy(voice_routes_t *routes)
{
    if (routes != NULL) {
        node_clear(&routes->root);
        free(routes);
    }
}


voice_rc_t
voice_routes_add(voice_routes_t *routes, const char *template,
    unsigned method, const void *target, voice_route_fault_t *fault)
{
    unsigned       ncaptures;
    voice_span_t   path, segment;
    route_node_t  *node;

    fault->reason = "must begin with \"/\"";
    fault->other = NULL;

    if (template[0] != '/' || method >= VOICE_ROUTE_METHODS) {
        return VOICE_INVALID;
    }

    ncaptures = 0;
    node = &routes->root;
    path = voice_span_str(template);

    while (segment_next(&path, &segment)) {
        fault->reason = segment_fault(segment);
        ncaptures += (unsigned) is_capture(segment);

        if (ncaptures > VOICE_ROUTE_CAPTURES) {
            fault->reason = "has too many captures";
        }

        if (fault->reason != NULL) {
            return VOICE_INVALID;
        }

        node = node_child(node, segment);

        if (node == NULL) {
            return VOICE_NOMEM;
        }
    }

    if (node->route == NULL) {
        node->route = calloc(1, sizeof(voice_route_t));

        if (node->route == NULL) {
            return VOICE_NOMEM;
        }

        node->route->template = template;
        node->route->ncaptures = ncaptures;
    }

    if (node->route->targets[method] != NULL
        || strcmp(node->route->template, template) != 0)
    {
        fault->reason = "cannot be told apart from";
        fault->other = node->route->template;
        return VOICE_INVALID;
    }

    node->route->targets[method] = target;

    return VOICE_OK;
}


const voice_route_t *
voice_routes_find(const voice_routes_t *routes, voice_span_t path,
    unsigned method, unsigned *methods,
    voice_span_t captures[VOICE_ROUTE_CAPTURES])
{
    route_search_t        search;
    const voice_route_t  *route;

    search.method = method;
    search.methods = 0;
    search.captures = captures;
    route = NULL;

    if (path.len != 0 && path.ptr[0] == '/') {
        route = node_find(&routes->root, path, &search, 0);
    }

    *methods = search.methods;

    return route;
}


const void *
voice_routes_nearest(const voice_routes_t *routes, voice_span_t path)
{
    voice_span_t         segment;
    const route_node_t  *node, *child;

    if (path.len == 0 || path.ptr[0] != '/') {
        return NULL;
    }

    node = &routes->root;

    while (segment_next(&path, &segment)) {
        child = node_literal(node, segment);

        if (child == NULL && segment.len != 0) {
            child = node->capture;
        }

        if (child == NULL) {
            break;
        }

        node = child;
    }

    return node == &routes->root ? NULL : node_target(node);
}


unsigned
voice_route_names(const char *template,
    voice_span_t names[VOICE_ROUTE_CAPTURES])
{
    unsigned      n;
    voice_span_t  path, segment;

    n = 0;
    path = voice_span_str(template);

    while (segment_next(&path, &segment)) {
        if (!is_capture(segment)) {
            continue;
        }

        if (n < VOICE_ROUTE_CAPTURES) {
            names[n] = voice_span(segment.ptr + 1, segment.len - 2);
        }

        n++;
    }

    return n;
}


static void
node_clear(route_node_t *node)
{
    route_node_t  *child, *next;

    for (child = node->literals; child != NULL; child = next) {
        next = child->next;
        node_destroy(child);
    }

    if (node->capture != NULL) {
        node_destroy(node->capture);
    }

    free(node->route);
}


/* As deep as the longest template has segments. */
static void
node_destroy(route_node_t *node)
{
    node_clear(node);
    free(node);
}


/* Takes "/segment" off the path's front; 0 at the end. */
static int
segment_next(voice_span_t *path, voice_span_t *segment)
{
    size_t       len;
    const char  *end;

    if (path->len == 0) {
        return 0;
    }

    len = path->len - 1;
    end = len == 0 ? NULL : memchr(path->ptr + 1, '/', len);

    if (end != NULL) {
        len = (size_t) (end - path->ptr - 1);
    }

    *segment = voice_span(path->ptr + 1, len);
    *path = voice_span(path->ptr + 1 + len, path->len - 1 - len);

    return 1;
}


static int
is_capture(voice_span_t segment)
{
    return segment.len > 2 && segment.ptr[0] == '{'
           && segment.ptr[segment.len - 1] == '}';
}


/* NULL: the segment of a template is good. */
static const char *
segment_fault(voice_span_t segment)
{
    size_t  i, from, to;

    from = is_capture(segment) ? 1 : 0;
    to = segment.len - from;

    for (i = from; i < to; i++) {
        if (segment.ptr[i] == '{' || segment.ptr[i] == '}') {
            return "has a capture that is no whole segment";
        }

        if (segment.ptr[i] <= ' ' || strchr("?#%", segment.ptr[i]) != NULL) {
            return "has a character that a template must not have";
        }
    }

    return NULL;
}


/* The child for a template's segment, made if there is none. */
static route_node_t *
node_child(route_node_t *node, voice_span_t segment)
{
    route_node_t  *child;

    child = is_capture(segment) ? node->capture
                                : node_literal(node, segment);

    if (child != NULL) {
        return child;
    }

    child = calloc(1, sizeof(route_node_t));

    if (child == NULL) {
        return NULL;
    }

    child->segment = segment;

    if (is_capture(segment)) {
        node->capture = child;
        return child;
    }

    child->next = node->literals;
    node->literals = child;

    return child;
}


static route_node_t *
node_literal(const route_node_t *node, voice_span_t segment)
{
    route_node_t  *child;

    for (child = node->literals; child != NULL; child = child->next) {
        if (voice_span_eq(child->segment, segment)) {
            return child;
        }
    }

    return NULL;
}


/* Visits each node once at most, and goes as deep as a template. */
static const voice_route_t *
node_find(const route_node_t *node, voice_span_t path,
    route_search_t *search, unsigned n)
{
    voice_span_t          segment;
    const route_node_t   *child;
    const voice_route_t  *route;

    if (!segment_next(&path, &segment)) {
        return node_take(node, search);
    }

    child = node_literal(node, segment);

    if (child != NULL) {
        route = node_find(child, path, search, n);

        if (route != NULL) {
            return route;
        }
    }

    if (node->capture == NULL || segment.len == 0) {
        return NULL;
    }

    search->captures[n] = segment;

    return node_find(node->capture, path, search, n + 1);
}


/* The template that ends here, if it has the method. */
static const voice_route_t *
node_take(const route_node_t *node, route_search_t *search)
{
    unsigned  i;

    if (node->route == NULL) {
        return NULL;
    }

    for (i = 0; i < VOICE_ROUTE_METHODS; i++) {
        if (node->route->targets[i] != NULL) {
            search->methods |= 1u << i;
        }
    }

    return search->method < VOICE_ROUTE_METHODS
           && node->route->targets[search->method] != NULL
           ? node->route : NULL;
}


/* Of the template that ends here, else of one that goes on. */
static const void *
node_target(const route_node_t *node)
{
    unsigned             i;
    const route_node_t  *below;

    while (node->route == NULL) {
        below = node->literals != NULL ? node->literals : node->capture;

        if (below == NULL) {
            return NULL;
        }

        node = below;
    }

    for (i = 0; i < VOICE_ROUTE_METHODS; i++) {
        if (node->route->targets[i] != NULL) {
            return node->route->targets[i];
        }
    }

    return NULL;
}
