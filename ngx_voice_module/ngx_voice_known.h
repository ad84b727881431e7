
/*
 * Credentials that were verified, by SHA-256: a hit needs neither a
 * signature nor the database.
 */

#ifndef NGX_VOICE_KNOWN_H
#define NGX_VOICE_KNOWN_H


#include "ngx_voice.h"
#include "ngx_voice_table.h"


typedef enum {
    NGX_VOICE_KIND_ANONYMOUS = 0,
    NGX_VOICE_KIND_USER,
    NGX_VOICE_KIND_API_KEY,
    NGX_VOICE_KIND_FEDERATED,
    NGX_VOICE_KIND_DROPIN                  /* nobody, where that suffices */
} ngx_voice_kind_e;


/* A plain copyable record: fixed size, no pointers. */
struct ngx_voice_known_s {
    u_char              tenant[VOICE_UUID_LEN];
    u_char              actor[VOICE_UUID_LEN];
    u_char              session[VOICE_UUID_LEN];    /* of a user */
    uint8_t             kind;              /* ngx_voice_kind_e */
    uint8_t             role;              /* voice_role_e */
    uint8_t             proved;            /* the database knows it, too */
    ngx_voice_scopes_t  scopes;
    ngx_voice_rate_t    rate;
    int64_t             expires;           /* unix seconds, 0: never */
    uint64_t            key;               /* id of a foreign issuer's key */
    uint64_t            generation;        /* of the configuration */
    ngx_atomic_uint_t   since;             /* change before the first question
                                              of those that made it */
};


/* Fills key with what a credential is known by. */
ngx_int_t ngx_voice_known_key(u_char key[NGX_VOICE_TABLE_KEY],
    voice_span_t credential);

/* A UUID of an object, in lower case; NGX_ERROR: it has none there. */
ngx_int_t ngx_voice_known_uuid(const json_t *object, const char *member,
    u_char uuid[VOICE_UUID_LEN]);

/* When a token is over that was verified with this leeway, in seconds. */
int64_t ngx_voice_known_expires(const json_t *claims, time_t leeway);

/* NGX_OK: record is a credential that is still good; NGX_DECLINED. */
ngx_int_t ngx_voice_known_get(ngx_voice_main_conf_t *mcf,
    const u_char key[NGX_VOICE_TABLE_KEY], ngx_voice_known_t *record);
/* The generation is set here. */
void ngx_voice_known_put(ngx_voice_main_conf_t *mcf,
    const u_char key[NGX_VOICE_TABLE_KEY], ngx_voice_known_t *record);

/* No list, or "*" in it: all scopes.  Unknown ones give nothing. */
void ngx_voice_scopes_read(ngx_voice_main_conf_t *mcf, const json_t *scopes,
    ngx_voice_scopes_t *held);

/* By its name; NGX_VOICE_KIND_ANONYMOUS: there is none. */
ngx_voice_kind_e ngx_voice_kind_parse(voice_span_t name);

/*
 * Where the request's next credential may be kept, zeroed, beside the one
 * that it has; NULL: out of memory.
 */
ngx_voice_known_t *ngx_voice_known_room(ngx_voice_ctx_t *ctx);
/* The request is of this credential; record lives as long. */
void ngx_voice_known_take(ngx_voice_ctx_t *ctx,
    const ngx_voice_known_t *record);
/*
 * For questions to one database after the other, by ctx->databases: record
 * is the answer, or rc says why there is none, see ngx_voice_question_t.
 * Goes on with the request; reason: why nobody is identified.
 */
void ngx_voice_known_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record, const char *reason);


#endif /* NGX_VOICE_KNOWN_H */
