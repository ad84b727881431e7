
/*
 * Tickets for streams: the database alone knows them, by their SHA-256, and
 * deletes one with the answer, so that no process or node takes it twice.
 */

#include "ngx_voice_ask.h"
#include "ngx_voice_known.h"


#define NGX_VOICE_TICKET_MAX  64           /* bytes */


static ngx_int_t ngx_voice_ticket_take(ngx_voice_main_conf_t *mcf,
    const ngx_voice_ask_t *ask, const PGresult *result, void *record);
static ngx_int_t ngx_voice_ticket_read(ngx_voice_main_conf_t *mcf,
    const json_t *data, ngx_voice_known_t *known);
static void ngx_voice_ticket_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record);


static const ngx_voice_question_t  ngx_voice_ticket_question = {
    { ngx_string("redeem_ticket"),
      ngx_string("select status, data, message, pagination, claims, wake, "
                 "headers from api.redeem_ticket($1,$2)"),
      2, NULL },
    sizeof(ngx_voice_known_t), ngx_voice_ticket_take,
    ngx_voice_ticket_answered
};


/* In whose database it is nobody knows yet: one after the other is asked. */
ngx_int_t
ngx_voice_ticket(ngx_voice_ctx_t *ctx)
{
    char                   hex[VOICE_HEX_LEN(VOICE_SHA256_LEN)];
    u_char                 key[NGX_VOICE_TABLE_KEY];
    ngx_str_t              params[2];
    ngx_voice_database_t  *database;

    /* two who bring the same one must not share an answer */

    if (ngx_voice_random(key, sizeof(key)) != NGX_OK) {
        return ngx_voice_fail(ctx, NGX_VOICE_INTERNAL_ERROR, NULL);
    }

    if (ctx->credential.text.len > NGX_VOICE_TICKET_MAX) {
        return ngx_voice_unauthorized(ctx, "The ticket is not valid.");
    }

    database = ctx->conf->databases->elts;
    database += ctx->databases;

    params[0].data = (u_char *) hex;
    params[0].len = voice_hex_encode(hex,
                        voice_span((char *) ctx->credential.key,
                                   VOICE_SHA256_LEN));
    params[1].data = (u_char *) ctx->operation->contract->function;
    params[1].len = ngx_strlen(params[1].data);

    return ngx_voice_ask(ctx, database->pg, &ngx_voice_ticket_question, key,
                         params);
}


static ngx_int_t
ngx_voice_ticket_take(ngx_voice_main_conf_t *mcf, const ngx_voice_ask_t *ask,
    const PGresult *result, void *record)
{
    json_t              *data;
    ngx_int_t            rc;
    ngx_voice_known_t   *known = record;
    voice_json_error_t   err;

    if (!voice_span_eq(ngx_voice_column(result, NGX_VOICE_COLUMN_STATUS),
                       VOICE_SPAN("200")))
    {
        return NGX_DECLINED;
    }

    data = voice_json_parse(ngx_voice_column(result, NGX_VOICE_COLUMN_DATA),
                            &err);
    rc = ngx_voice_ticket_read(mcf, data, known);
    known->since = ask->since;
    json_decref(data);

    return rc;
}


static ngx_int_t
ngx_voice_ticket_read(ngx_voice_main_conf_t *mcf, const json_t *data,
    ngx_voice_known_t *known)
{
    known->kind = ngx_voice_kind_parse(voice_json_text(data, "kind"));
    known->role = voice_role_parse(voice_json_text(data, "role"));
    known->expires = json_integer_value(json_object_get(data, "expires"));

    ngx_voice_scopes_read(mcf, json_object_get(data, "scopes"),
                          &known->scopes);

    return known->kind != NGX_VOICE_KIND_ANONYMOUS
           && ngx_voice_known_uuid(data, "actor_id", known->actor) == NGX_OK
           && ngx_voice_known_uuid(data, "tenant_id", known->tenant)
              == NGX_OK
           && (known->kind != NGX_VOICE_KIND_USER
               || ngx_voice_known_uuid(data, "session_id", known->session)
                  == NGX_OK)
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_voice_ticket_answered(ngx_voice_ctx_t *ctx, ngx_int_t rc,
    const void *record)
{
    ngx_voice_known_answered(ctx, rc, record, "The ticket is not valid.");
}
