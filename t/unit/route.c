/*
 * The router: literals before captures, the way back, refusals.
 */

#include "tap.h"
#include "voice_route.h"


static void finding(void);
static void methods(void);
static void refusals(void);
static void names(void);
static void nearest(void);
static void add(voice_routes_t *routes, const char *template);


int
main(void)
{
    finding();
    methods();
    refusals();
    names();
    nearest();

    return done_testing();
}


static void
finding(void)
{
    size_t                i;
    unsigned              methods;
    voice_span_t          captures[VOICE_ROUTE_CAPTURES];
    voice_routes_t       *routes;
    const voice_route_t  *route;

    static const struct {
        const char  *path;
        const char  *template;
        const char  *capture;          /* the first one */
    } rows[] = {
        { "/a/b", "/a/b", NULL },
        { "/a/c", "/a/{x}", "c" },
        { "/a/b/c", "/a/b/c", NULL },
        { "/a/b/d", "/a/{x}/d", "b" },
        { "/a/b/e", "/{x}/b/{y}", "a" },
        { "/z/b/e", "/{x}/b/{y}", "z" },
        { "/a/x/e", NULL, NULL },
        { "/a/%2F", "/a/{x}", "%2F" },
        { "/a/", NULL, NULL },
        { "/a", NULL, NULL },
        { "/a/b/", NULL, NULL },
        { "/A/b", NULL, NULL },
        { "/", NULL, NULL },
        { "", NULL, NULL },
        { "//", NULL, NULL },
    };

    routes = voice_routes_create();
    add(routes, "/a/b");
    add(routes, "/a/{x}");
    add(routes, "/a/b/c");
    add(routes, "/a/{x}/d");
    add(routes, "/{x}/b/{y}");

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        route = voice_routes_find(routes, voice_span_str(rows[i].path),
                                  0, &methods, captures);
        is(route == NULL ? NULL : route->template, rows[i].template,
           rows[i].template == NULL ? "the path has no route"
                                    : "the path has its route");

        if (rows[i].capture != NULL) {
            ok(voice_span_eq(captures[0], voice_span_str(rows[i].capture)),
               "\"%s\" is captured", rows[i].capture);
        }
    }

    voice_routes_destroy(routes);
}


/* The literal beats the capture only where it has the method. */
static void
methods(void)
{
    unsigned              methods;
    voice_span_t          captures[VOICE_ROUTE_CAPTURES];
    voice_routes_t       *routes;
    voice_route_fault_t   fault;
    const voice_route_t  *route;

    routes = voice_routes_create();
    add(routes, "/a/me");
    add(routes, "/a/{x}");
    ok(voice_routes_add(routes, "/a/{x}", 2, routes, &fault) == VOICE_OK,
       "the capture has a method more");

    route = voice_routes_find(routes, VOICE_SPAN("/a/me"), 0, &methods,
                              captures);
    is(route->template, "/a/me", "the literal has its method");

    route = voice_routes_find(routes, VOICE_SPAN("/a/me"), 2, &methods,
                              captures);
    is(route->template, "/a/{x}", "the capture has the other");
    ok(voice_span_eq(captures[0], VOICE_SPAN("me")),
       "what the literal stands for is captured");

    route = voice_routes_find(routes, VOICE_SPAN("/a/me"), 1, &methods,
                              captures);
    ok(route == NULL && methods == (1u << 0 | 1u << 2),
       "what both take is told where neither has the method");
    route = voice_routes_find(routes, VOICE_SPAN("/b"), 0, &methods,
                              captures);
    ok(route == NULL && methods == 0, "no path takes no method");

    voice_routes_destroy(routes);
}


static void
nearest(void)
{
    size_t           i;
    voice_routes_t  *routes;

    static const struct {
        const char  *path;
        const char  *template;
    } rows[] = {
        { "/a/b/7", "/a/b/{x}" },
        { "/a/b", "/a/b/{x}" },
        { "/a/b/", "/a/b/{x}" },
        { "/a/b/7/8", "/a/b/{x}" },
        { "/a/nothing", "/a/b/{x}" },
        { "/c/7/d", "/c/{x}/d" },
        { "/c/7", "/c/{x}/d" },
        { "/c/7/e", "/c/{x}/d" },
        { "/", "/" },
        { "/nothing", NULL },
        { "//", "/" },
        { "", NULL },
        { "a", NULL },
    };

    static const char *const  templates[] = { "/a/b/{x}", "/c/{x}/d", "/" };

    routes = voice_routes_create();

    for (i = 0; i < VOICE_ARRAY_SIZE(templates); i++) {
        voice_route_fault_t  fault;

        ok(voice_routes_add(routes, templates[i], i, templates[i], &fault)
           == VOICE_OK, "a template is added");
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        is(voice_routes_nearest(routes, voice_span_str(rows[i].path)),
           rows[i].template, "the nearest of a path is found");
    }

    voice_routes_destroy(routes);
}


static void
refusals(void)
{
    size_t                i;
    voice_routes_t       *routes;
    voice_route_fault_t   fault;

    static const struct {
        const char  *template;
        const char  *reason;
        const char  *other;
    } rows[] = {
        { "", "must begin with \"/\"", NULL },
        { "a", "must begin with \"/\"", NULL },
        { "/{a}b", "has a capture that is no whole segment", NULL },
        { "/{}", "has a capture that is no whole segment", NULL },
        { "/a?b", "has a character that a template must not have", NULL },
        { "/a b", "has a character that a template must not have", NULL },
        { "/{a}/{b}/{c}/{d}/{e}", "has too many captures", NULL },
        { "/t/{b}", "cannot be told apart from", "/t/{a}" },
        { "/t/{a}", "cannot be told apart from", "/t/{a}" },
    };

    routes = voice_routes_create();
    add(routes, "/t/{a}");

    for (i = 0; i < VOICE_ARRAY_SIZE(rows); i++) {
        ok(voice_routes_add(routes, rows[i].template, 0, routes, &fault)
           == VOICE_INVALID, "\"%s\" is refused", rows[i].template);
        is(fault.reason, rows[i].reason, "with the reason");
        is(fault.other, rows[i].other, "and what it clashes with");
    }

    ok(voice_routes_add(routes, "/t/{a}", 1, routes, &fault) == VOICE_OK,
       "another method of the same template is fine");
    ok(voice_routes_add(routes, "/t", VOICE_ROUTE_METHODS, routes, &fault)
       == VOICE_INVALID, "a method out of range is refused");

    voice_routes_destroy(routes);
}


static void
names(void)
{
    voice_span_t  found[VOICE_ROUTE_CAPTURES];

    ok(voice_route_names("/a/{b}/c/{de}", found) == 2
       && voice_span_eq(found[0], VOICE_SPAN("b"))
       && voice_span_eq(found[1], VOICE_SPAN("de")),
       "the captures' names are read");
    ok(voice_route_names("/{a}/{b}/{c}/{d}/{e}/{f}", found) == 6,
       "too many are counted");
    ok(voice_route_names("/", found) == 0, "none are none");
}


static void
add(voice_routes_t *routes, const char *template)
{
    voice_route_fault_t  fault;

    ok(voice_routes_add(routes, template, 0, routes, &fault) == VOICE_OK,
       "\"%s\" is added", template);
}
