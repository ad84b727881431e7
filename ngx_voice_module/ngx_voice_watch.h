
/*
 * Whether what the edge copied from the databases is still good.  Each change
 * there gets a number here; a copy remembers the number at which its making
 * began, and is dropped, at its next use, when a later change concerned it.
 * One process of the node asks for changes, several times a second.
 */

#ifndef NGX_VOICE_WATCH_H
#define NGX_VOICE_WATCH_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_database.h"


#define NGX_VOICE_WATCH_STAMPS    2048     /* changes share them by hash */
#define NGX_VOICE_WATCH_MARK      1024     /* bytes of core.edge_mark() */
#define NGX_VOICE_WATCH_FRESH     1000     /* ms: copies need no thought */


/* What a change concerns, as in core.edge_change. */
typedef enum {
    NGX_VOICE_CHANGE_TENANT = 0,
    NGX_VOICE_CHANGE_TENANTS,
    NGX_VOICE_CHANGE_HOST,
    NGX_VOICE_CHANGE_HOSTS,
    NGX_VOICE_CHANGE_SESSION,
    NGX_VOICE_CHANGE_ACTOR,
    NGX_VOICE_CHANGE_ALL,
    NGX_VOICE_CHANGE_COUNT
} ngx_voice_change_e;


/* Of one database, in shared memory; times are ngx_current_msec. */
typedef struct {
    ngx_atomic_t   due;                    /* of the next question */
    ngx_atomic_t   fresh;                  /* begin of the last good one */
    ngx_atomic_t   identity;               /* of the database: a hash */
    size_t         len;                    /* 0: to begin with */
    u_char         mark[NGX_VOICE_WATCH_MARK];
} ngx_voice_watch_state_t;


typedef struct {
    ngx_atomic_t             last;         /* number of the last change */
    ngx_atomic_t             kinds[NGX_VOICE_CHANGE_COUNT];
    ngx_atomic_t             stamps[NGX_VOICE_WATCH_STAMPS];
    ngx_voice_watch_state_t  states[NGX_VOICE_DATABASES_MAX];
} ngx_voice_watch_t;


typedef struct ngx_voice_watcher_s  ngx_voice_watcher_t;


/* In a new zone: everything is fresh, there being nothing. */
void ngx_voice_watch_init(ngx_voice_watch_t *watch);

/* The number to remember, before the question that makes a copy. */
ngx_atomic_uint_t ngx_voice_watch_now(const ngx_voice_watch_t *watch);

/* Has nothing changed since that concerns this id? */
ngx_uint_t ngx_voice_watch_holds(const ngx_voice_watch_t *watch,
    ngx_voice_change_e kind, const u_char *id, size_t len,
    ngx_atomic_uint_t since);

/* Drops the copies of an id, or of all, see the kinds. */
void ngx_voice_watch_drop(ngx_voice_watch_t *watch, ngx_voice_change_e kind,
    const u_char *id, size_t len);

/*
 * Milliseconds since a database, by its place among them, was asked
 * successfully.
 */
ngx_msec_t ngx_voice_watch_lag(const ngx_voice_watch_t *watch,
    ngx_uint_t database);

/* Of this process: takes its turn at asking.  NULL: out of memory. */
ngx_voice_watcher_t *ngx_voice_watch_create(ngx_voice_watch_t *watch,
    ngx_array_t *databases, ngx_atomic_t *dropped, ngx_slab_pool_t *slab,
    ngx_cycle_t *cycle);
void ngx_voice_watch_destroy(ngx_voice_watcher_t *watcher);


#endif /* NGX_VOICE_WATCH_H */
