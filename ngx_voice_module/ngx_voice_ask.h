
/*
 * Questions to the database that several requests of the process wait for
 * together: who asks what is being asked already gets the same answer.
 */

#ifndef NGX_VOICE_ASK_H
#define NGX_VOICE_ASK_H


#include "ngx_voice.h"


typedef struct ngx_voice_ask_s  ngx_voice_ask_t;


/*
 * A kind of question.  take makes a record of the answer, once for all who
 * wait, and stores it where it belongs: NGX_OK, NGX_DECLINED: there is no
 * such thing, NGX_ERROR: the answer makes no sense.
 *
 * done is told to each who waits.  NGX_OK: record is the answer, good until
 * the return; NGX_DECLINED: there is none; NGX_ERROR: ctx->error is set.  It
 * goes on with the request by ngx_voice_resume() or ngx_voice_refuse().
 */
typedef struct {
    ngx_voice_pg_statement_t  statement;
    size_t                    size;        /* bytes of a record */
    ngx_int_t               (*take)(ngx_voice_main_conf_t *mcf,
        const ngx_voice_ask_t *ask, const PGresult *result, void *record);
    void                    (*done)(ngx_voice_ctx_t *ctx, ngx_int_t rc,
        const void *record);
} ngx_voice_question_t;


struct ngx_voice_ask_s {
    ngx_queue_t                  queue;    /* of all that are under way */
    const ngx_voice_question_t  *question;
    ngx_voice_pg_pool_t         *pool;
    u_char                       key[NGX_VOICE_TABLE_KEY];
    ngx_atomic_uint_t            since;    /* change when it began */
    ngx_voice_main_conf_t       *conf;
    ngx_queue_t                  waiting;  /* ngx_voice_ctx_t.waiter */
    ngx_event_t                  event;    /* tells the rest of them */
    ngx_uint_t                   answered;

    ngx_int_t                    rc;
    ngx_voice_pg_e               outcome;
    PGresult                    *result;   /* of an error, owned */
    void                        *record;
};


/*
 * Asks pool; what is asked is the same where question, pool and key are.
 * Params are those of the statement.  NGX_AGAIN, or NGX_ERROR with the error
 * set.  done never runs inside this call.
 */
ngx_int_t ngx_voice_ask(ngx_voice_ctx_t *ctx, ngx_voice_pg_pool_t *pool,
    const ngx_voice_question_t *question,
    const u_char key[NGX_VOICE_TABLE_KEY], const ngx_str_t *params);

/* The request waits no more. */
void ngx_voice_ask_cancel(ngx_voice_ctx_t *ctx);


#endif /* NGX_VOICE_ASK_H */
