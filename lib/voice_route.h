/*
 * The router: templates of paths in a trie of segments.  A literal segment
 * beats a capture, yet a template that lacks the method gives way to one
 * that has it; templates of one shape must be one text.
 */

#ifndef VOICE_ROUTE_H
#define VOICE_ROUTE_H


#include "voice_base.h"


#define VOICE_ROUTE_METHODS   5
#define VOICE_ROUTE_CAPTURES  4        /* of one template */


typedef struct voice_routes_s  voice_routes_t;


/* What a template leads to. */
typedef struct {
    const char  *template;             /* the caller's */
    unsigned     ncaptures;
    const void  *targets[VOICE_ROUTE_METHODS];  /* NULL: no such method */
} voice_route_t;


/* Why a template was refused. */
typedef struct {
    const char  *reason;
    const char  *other;                /* it clashes with that, or NULL */
} voice_route_fault_t;


/* NULL: out of memory. */
voice_routes_t *voice_routes_create(void);
void voice_routes_destroy(voice_routes_t *routes);

/*
 * Adds a target, which the routes only borrow, like the template ("/a/{b}").
 * VOICE_INVALID: *fault says what is wrong.
 */
voice_rc_t voice_routes_add(voice_routes_t *routes, const char *template,
    unsigned method, const void *target, voice_route_fault_t *fault)
    VOICE_MUST_CHECK;

/*
 * The route of a path that has a target for the method; captures point into
 * path.  NULL: there is none, and *methods holds a bit for each method that
 * some template of the path takes, 0 where no template fits.
 */
const voice_route_t *voice_routes_find(const voice_routes_t *routes,
    voice_span_t path, unsigned method, unsigned *methods,
    voice_span_t captures[VOICE_ROUTE_CAPTURES]);

/*
 * Any target of a template that begins as the path does, of those that go
 * along with it for most segments; NULL: none has even the first one.
 */
const void *voice_routes_nearest(const voice_routes_t *routes,
    voice_span_t path);

/*
 * The captures' names in a template, in order; 0 for none.  At most
 * VOICE_ROUTE_CAPTURES are written, the true number is returned.
 */
unsigned voice_route_names(const char *template,
    voice_span_t names[VOICE_ROUTE_CAPTURES]);


#endif /* VOICE_ROUTE_H */
