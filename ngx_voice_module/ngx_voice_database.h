
/*
 * The databases: the main one, which knows all tenants, and shards, each a
 * whole Voicegate database for some tenants; of each the pools of this
 * process.
 */

#ifndef NGX_VOICE_DATABASE_H
#define NGX_VOICE_DATABASE_H


#include "ngx_voice_pg.h"


#define NGX_VOICE_DATABASES_MAX  16
#define NGX_VOICE_DATABASE_MAIN  "main"


typedef struct {
    ngx_str_t             name;
    ngx_voice_pg_conf_t   conf;
    ngx_voice_pg_conf_t   slow_conf;
    ngx_voice_pg_conf_t   replica_conf;    /* servers.n 0: none */
    ngx_voice_pg_conf_t   ingest_conf;     /* size 0: none */

    /* of this process */
    ngx_voice_pg_pool_t  *pg;
    ngx_voice_pg_pool_t  *slow;
    ngx_voice_pg_pool_t  *replica;         /* NULL: none */
    ngx_voice_pg_pool_t  *ingest;          /* batches of packets; NULL:
                                              none */
} ngx_voice_database_t;


/* voice_postgres; fills mcf->databases, the first one being the main one. */
char *ngx_voice_conf_postgres(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* One more pool of a database, of so many connections. */
void ngx_voice_database_add_pool(ngx_voice_database_t *database,
    ngx_voice_pg_conf_t *conf, ngx_uint_t size);

/* Opens all pools; NGX_ERROR: out of memory. */
ngx_int_t ngx_voice_databases_create(ngx_array_t *databases,
    ngx_cycle_t *cycle);
void ngx_voice_databases_destroy(ngx_array_t *databases);

/* The sum over all pools. */
void ngx_voice_databases_figures(const ngx_array_t *databases,
    ngx_voice_pg_figures_t *sum);

/* By name, the main one for an empty name; NULL: there is none such. */
ngx_voice_database_t *ngx_voice_database_find(const ngx_array_t *databases,
    const char *name);

/*
 * The pool for a query: slow reads go to the replica while it answers,
 * unless they failed there before (again).
 */
ngx_voice_pg_pool_t *ngx_voice_database_pool(
    const ngx_voice_database_t *database, ngx_uint_t slow, ngx_uint_t again);


#endif /* NGX_VOICE_DATABASE_H */
