
/*
 * Replies from pieces: strings that outlive the request and are sent as they
 * stand.
 */

#ifndef NGX_VOICE_SEND_H
#define NGX_VOICE_SEND_H


#include "ngx_voice.h"


#define NGX_VOICE_PIECES_MAX  12


typedef struct {
    ngx_str_t   items[NGX_VOICE_PIECES_MAX];
    ngx_uint_t  count;
} ngx_voice_pieces_t;


extern const ngx_str_t  ngx_voice_json_type;


/* Each adds one piece: a literal, a string, the inside of a JSON string. */
void ngx_voice_piece(ngx_voice_pieces_t *pieces, const char *text);
void ngx_voice_piece_str(ngx_voice_pieces_t *pieces, const ngx_str_t *text);
ngx_int_t ngx_voice_piece_json(ngx_voice_ctx_t *ctx,
    ngx_voice_pieces_t *pieces, const ngx_str_t *text);

/* The whole body; NULL: out of memory. */
ngx_chain_t *ngx_voice_pieces_chain(ngx_voice_ctx_t *ctx,
    const ngx_voice_pieces_t *pieces);

/* Adds a header to the reply; both strings outlive the request. */
ngx_int_t ngx_voice_header(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value);
/* Adds what every reply has, once: X-Request-Id, traceparent, Sunset. */
ngx_int_t ngx_voice_header_id(ngx_voice_ctx_t *ctx);

/* Sends a whole reply; chain NULL: no body.  Result for finalize. */
ngx_int_t ngx_voice_send(ngx_voice_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *type, ngx_chain_t *chain);
/* The same with one string, which outlives the request. */
ngx_int_t ngx_voice_send_text(ngx_voice_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *type, const ngx_str_t *text);
/* Sends ctx->error.  Result for finalize. */
ngx_int_t ngx_voice_send_error(ngx_voice_ctx_t *ctx);
/* Content handler of "voice_error on": the body of nginx's own errors. */
ngx_int_t ngx_voice_error_handler(ngx_http_request_t *r);


#endif /* NGX_VOICE_SEND_H */
