
/*
 * What follows a commit: an entry in the stream of each queue that got jobs.
 * Nobody waits for it; what Redis does not take, the keeper sends again.
 */

#include "ngx_voice.h"


#define NGX_VOICE_QUEUE_MAX   64           /* bytes of a queue's name */
#define NGX_VOICE_QUEUES_MAX  16           /* in one reply */
#define NGX_VOICE_STREAM_LEN  "10000"      /* entries kept, about */


static void ngx_voice_wake(ngx_voice_ctx_t *ctx, const ngx_str_t *queue);
static void ngx_voice_woken(void *data, const redisReply *reply);
static ngx_uint_t ngx_voice_queue_valid(const ngx_str_t *queue);


void
ngx_voice_after(ngx_voice_ctx_t *ctx, const ngx_str_t *wake)
{
    u_char      *p, *last;
    ngx_str_t    queue;
    ngx_uint_t   n;

    if (wake->len <= 2) {
        return;
    }

    /* an array's text: {name,name} */

    p = wake->data + 1;
    last = wake->data + wake->len - 1;

    for (n = 0; p < last && n < NGX_VOICE_QUEUES_MAX; n++) {
        queue.data = p;

        while (p < last && *p != ',') {
            p++;
        }

        queue.len = p - queue.data;
        p++;

        if (ngx_voice_queue_valid(&queue)) {
            ngx_voice_wake(ctx, &queue);
            continue;
        }

        ngx_log_error(NGX_LOG_ALERT, ctx->request->connection->log, 0,
                      "function \"api.%s\" woke what is no queue",
                      ctx->operation->contract->function);
    }
}


/*
 * The process, not the request, waits: the command outlives the reply.  The
 * pool of a shard has streams of its own.
 */
static void
ngx_voice_wake(ngx_voice_ctx_t *ctx, const ngx_str_t *queue)
{
    u_char                 *p;
    ngx_voice_main_conf_t  *mcf;

    u_char  key[sizeof("voice:queue:@") + NGX_VOICE_QUEUE_MAX
                + NGX_VOICE_NAME_SIZE];

    ngx_str_t  argv[] = {
        ngx_string("XADD"),
        { 0, key },
        ngx_string("MAXLEN"),
        ngx_string("~"),
        ngx_string(NGX_VOICE_STREAM_LEN),
        ngx_string("*"),
        ngx_string("wake"),
        ngx_string("1")
    };

    mcf = ctx->conf;
    p = ngx_sprintf(key, "voice:queue:%V", queue);

    if (ctx->tenant != NULL && ctx->tenant->shard[0] != '\0'
        && ngx_strcmp(ctx->tenant->shard, NGX_VOICE_DATABASE_MAIN) != 0)
    {
        p = ngx_sprintf(p, "@%s", ctx->tenant->shard);
    }

    argv[1].len = p - key;

    if (ngx_voice_redis_send(mcf->redis, VOICE_ARRAY_SIZE(argv), argv,
                             ngx_voice_woken, mcf)
        == NULL)
    {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_wakes_failed, 1);
    }
}


static void
ngx_voice_woken(void *data, const redisReply *reply)
{
    ngx_voice_main_conf_t  *mcf = data;

    ngx_voice_count(mcf, reply == NULL || reply->type == REDIS_REPLY_ERROR
                         ? NGX_VOICE_COUNT_wakes_failed
                         : NGX_VOICE_COUNT_wakes_sent, 1);
}


static ngx_uint_t
ngx_voice_queue_valid(const ngx_str_t *queue)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < queue->len; i++) {
        c = queue->data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_'
            && c != '-')
        {
            return 0;
        }
    }

    return queue->len > 0 && queue->len <= NGX_VOICE_QUEUE_MAX;
}
