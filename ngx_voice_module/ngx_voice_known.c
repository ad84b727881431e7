
/*
 * The table of known credentials, and what makes a record of it worthless.
 */

#include "ngx_voice_known.h"
#include "ngx_voice_recent.h"


#define NGX_VOICE_EXPIRES_MAX  1e15        /* unix seconds */


static const ngx_str_t  ngx_voice_kinds[] = {
    ngx_string("anonymous"),
    ngx_string("user"),
    ngx_string("api_key"),
    ngx_string("federated"),
    ngx_string("dropin")
};


ngx_int_t
ngx_voice_known_key(u_char key[NGX_VOICE_TABLE_KEY], voice_span_t credential)
{
    return ngx_voice_recent_key(key, credential);
}


ngx_int_t
ngx_voice_known_uuid(const json_t *object, const char *member,
    u_char uuid[VOICE_UUID_LEN])
{
    voice_span_t  text;

    text = voice_json_text(object, member);

    if (!voice_uuid_valid(text)) {
        return NGX_ERROR;
    }

    ngx_strlow(uuid, (u_char *) text.ptr, VOICE_UUID_LEN);

    return NGX_OK;
}


/* At least 1: 0 stands for never.  A verified "exp" may have a fraction. */
int64_t
ngx_voice_known_expires(const json_t *claims, time_t leeway)
{
    double  expires;

    expires = json_number_value(json_object_get(claims, "exp"));
    expires = ngx_max(expires, 1.0);

    return (int64_t) ngx_min(expires, NGX_VOICE_EXPIRES_MAX) + leeway;
}


ngx_int_t
ngx_voice_known_get(ngx_voice_main_conf_t *mcf,
    const u_char key[NGX_VOICE_TABLE_KEY], ngx_voice_known_t *record)
{
    ngx_uint_t                good;
    const ngx_voice_watch_t  *watch;

    if (ngx_voice_table_get(mcf->shared->known, key, record) != NGX_OK) {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_known_misses, 1);
        return NGX_DECLINED;
    }

    watch = &mcf->shared->watch;

    good = record->generation == mcf->generation
           && (record->expires == 0 || record->expires > ngx_time())
           && (record->key == 0
               || ngx_voice_issuers_trust(mcf->issuers, record->key))
           && ngx_voice_watch_holds(watch, NGX_VOICE_CHANGE_ACTOR,
                                    record->actor, VOICE_UUID_LEN,
                                    record->since)
           && (record->kind != NGX_VOICE_KIND_USER
               || ngx_voice_watch_holds(watch, NGX_VOICE_CHANGE_SESSION,
                                        record->session, VOICE_UUID_LEN,
                                        record->since))
           && (record->kind != NGX_VOICE_KIND_FEDERATED
               || ngx_voice_watch_holds(watch, NGX_VOICE_CHANGE_TENANT,
                                        record->tenant, VOICE_UUID_LEN,
                                        record->since));

    ngx_voice_count(mcf, good ? NGX_VOICE_COUNT_known_hits
                              : NGX_VOICE_COUNT_known_misses, 1);

    return good ? NGX_OK : NGX_DECLINED;
}


void
ngx_voice_known_put(ngx_voice_main_conf_t *mcf,
    const u_char key[NGX_VOICE_TABLE_KEY], ngx_voice_known_t *record)
{
    record->generation = mcf->generation;

    ngx_voice_table_put(mcf->shared->known, mcf->slab, key, record);
}


ngx_voice_kind_e
ngx_voice_kind_parse(voice_span_t name)
{
    ngx_uint_t  i;

    for (i = 1; i < VOICE_ARRAY_SIZE(ngx_voice_kinds); i++) {
        if (voice_span_eq(name, voice_span((char *) ngx_voice_kinds[i].data,
                                           ngx_voice_kinds[i].len)))
        {
            return i;
        }
    }

    return NGX_VOICE_KIND_ANONYMOUS;
}


ngx_voice_known_t *
ngx_voice_known_room(ngx_voice_ctx_t *ctx)
{
    ngx_voice_known_t  **room;

    room = &ctx->rooms[ctx->known != NULL && ctx->known == ctx->rooms[0]];

    if (*room == NULL) {
        *room = ngx_palloc(ctx->request->pool, sizeof(ngx_voice_known_t));
        if (*room == NULL) {
            return NULL;
        }
    }

    ngx_memzero(*room, sizeof(ngx_voice_known_t));

    return *room;
}


void
ngx_voice_known_take(ngx_voice_ctx_t *ctx, const ngx_voice_known_t *record)
{
    const char            *role;
    ngx_voice_identity_t  *identity;

    identity = &ctx->identity;
    ctx->known = record;
    role = record->role < VOICE_ROLE_COUNT ? voice_role_name(record->role)
                                           : "";

    identity->kind = ngx_voice_kinds[record->kind];
    identity->tenant.data = (u_char *) record->tenant;
    identity->tenant.len = VOICE_UUID_LEN;
    identity->role.data = (u_char *) role;
    identity->role.len = ngx_strlen(role);
    identity->scopes = record->scopes;
    identity->rate = record->rate;

    if (record->kind != NGX_VOICE_KIND_DROPIN) {
        identity->actor.data = (u_char *) record->actor;
        identity->actor.len = VOICE_UUID_LEN;
    }

    if (record->kind == NGX_VOICE_KIND_USER) {
        identity->session.data = (u_char *) record->session;
        identity->session.len = VOICE_UUID_LEN;
    }
}


void
ngx_voice_known_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record, const char *reason)
{
    ngx_voice_known_t  *known;

    if (rc == NGX_DECLINED
        && ctx->databases + 1u < ctx->conf->databases->nelts)
    {
        ctx->databases++;
        ngx_voice_resume(ctx, NGX_VOICE_IDENTIFY);
        return;
    }

    if (rc == NGX_DECLINED) {
        rc = ngx_voice_unauthorized(ctx, reason);
    }

    if (rc != NGX_OK) {
        ngx_voice_refuse(ctx);
        return;
    }

    known = ngx_voice_known_room(ctx);

    if (known == NULL) {
        (void) ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
        ngx_voice_refuse(ctx);
        return;
    }

    ngx_memcpy(known, record, sizeof(ngx_voice_known_t));
    ngx_voice_known_take(ctx, known);
    ngx_voice_resume(ctx, NGX_VOICE_TENANT);
}


ngx_int_t
ngx_voice_known_args(ngx_voice_ctx_t *ctx)
{
    const char  *name;

    name = ctx->operation->contract->expires;

    if (ctx->known == NULL || ctx->known->expires == 0) {
        return NGX_OK;
    }

    return json_object_set_new(ctx->args, name,
                               json_integer(ctx->known->expires)) == 0
           ? NGX_OK : NGX_ERROR;
}
