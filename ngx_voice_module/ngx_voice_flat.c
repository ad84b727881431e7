
/*
 * Errors of operations with x-errors "flat": which requests are theirs, and
 * the member "detail".
 */

#include "ngx_voice.h"
#include "voice_detail.h"


#define NGX_VOICE_UNPROCESSABLE  422


static ngx_int_t ngx_voice_flat_list(ngx_voice_ctx_t *ctx,
    ngx_str_t *detail);
static ngx_int_t ngx_voice_flat_sentence(ngx_voice_ctx_t *ctx,
    ngx_str_t *detail);
static json_t *ngx_voice_flat_whole(ngx_voice_ctx_t *ctx);


/*
 * What has no operation (405, 404, what nginx refuses by itself) is dressed
 * as those whose path begins like it.
 */
ngx_uint_t
ngx_voice_flat(ngx_voice_ctx_t *ctx)
{
    const voice_operation_t  *contract;

    if (ctx->operation != NULL) {
        return ctx->operation->contract->flat_errors;
    }

    if (ctx->location) {
        return 0;
    }

    contract = voice_contract_nearest(ctx->conf->contract,
                                      ngx_voice_path(ctx->request));

    return contract != NULL && contract->flat_errors;
}


ngx_int_t
ngx_voice_flat_detail(ngx_voice_ctx_t *ctx, ngx_str_t *detail)
{
    return ctx->error.status == NGX_VOICE_UNPROCESSABLE
           ? ngx_voice_flat_list(ctx, detail)
           : ngx_voice_flat_sentence(ctx, detail);
}


static ngx_int_t
ngx_voice_flat_list(ngx_voice_ctx_t *ctx, ngx_str_t *detail)
{
    char                *text;
    json_t              *problems, *list;
    ngx_str_t            copy;
    voice_json_error_t   err;

    problems = voice_json_parse(voice_span((char *) ctx->error.problems.data,
                                           ctx->error.problems.len), &err);
    list = voice_detail_list(problems);

    if (json_array_size(list) == 0) {
        json_decref(list);
        list = ngx_voice_flat_whole(ctx);
    }

    text = list == NULL ? NULL : json_dumps(list, JSON_COMPACT);

    json_decref(problems);
    json_decref(list);

    if (text == NULL) {
        return NGX_ERROR;
    }

    copy.data = (u_char *) text;
    copy.len = ngx_strlen(text);
    detail->len = copy.len;
    detail->data = ngx_pstrdup(ctx->request->pool, &copy);
    free(text);

    return detail->data == NULL ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_voice_flat_sentence(ngx_voice_ctx_t *ctx, ngx_str_t *detail)
{
    u_char     *p;
    ngx_str_t  *text;

    text = &ctx->error.message;
    detail->len = text->len + ngx_escape_json(NULL, text->data, text->len)
                  + 2;

    p = ngx_pnalloc(ctx->request->pool, detail->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    detail->data = p;
    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, text->data, text->len);
    *p = '"';

    return NGX_OK;
}


/* An error that names no place: the database found it. */
static json_t *
ngx_voice_flat_whole(ngx_voice_ctx_t *ctx)
{
    return json_pack("[{s:s, s:[s], s:s%}]", "type", "value_error",
                     "loc", "body", "msg", ctx->error.message.data,
                     ctx->error.message.len);
}
