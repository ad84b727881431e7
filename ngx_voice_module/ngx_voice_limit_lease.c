
/*
 * Tokens from Redis: every command carries the node's registration, and a
 * timer renews it while nobody asks.
 */

#include "ngx_voice_limit.h"

#include <ngx_sha1.h>


#define NGX_VOICE_LIMIT_TICK    100        /* ms: is a registration due? */
#define NGX_VOICE_LIMIT_QUIET   10000000   /* us between two complaints */
#define NGX_VOICE_LIMIT_ARGS    16
#define NGX_VOICE_LIMIT_ANSWER  7          /* members of voice_answer_t */


/* Words of a command that are made anew. */
typedef struct {
    u_char  nodes[NGX_INT64_LEN];
    u_char  deadline[NGX_INT64_LEN];
    u_char  interval[32];
    u_char  capacity[32];
    u_char  want[NGX_INT64_LEN];
    u_char  least[NGX_INT64_LEN];
    u_char  batch[NGX_INT64_LEN];
} ngx_voice_limit_words_t;


static void ngx_voice_limit_tick(ngx_event_t *ev);
static ngx_voice_limit_ask_t *ngx_voice_limit_ask_new(
    ngx_voice_main_conf_t *mcf);
static ngx_int_t ngx_voice_limit_send(ngx_voice_limit_ask_t *ask);
static void ngx_voice_limit_script(const ngx_voice_limit_ask_t *ask,
    ngx_str_t *argv);
static void ngx_voice_limit_arguments(ngx_voice_limit_ask_t *ask,
    ngx_str_t *argv, ngx_voice_limit_words_t *words);
static int64_t ngx_voice_limit_claim(ngx_voice_main_conf_t *mcf);
static void ngx_voice_limit_answered(void *data, const redisReply *reply);
static ngx_int_t ngx_voice_limit_again(ngx_voice_limit_ask_t *ask,
    const redisReply *reply);
static ngx_int_t ngx_voice_limit_read(ngx_voice_limit_ask_t *ask,
    const redisReply *reply, voice_answer_t *answer);
static void ngx_voice_limit_complain(ngx_voice_main_conf_t *mcf,
    const redisReply *reply);
static void ngx_voice_limit_heard(ngx_voice_limit_ask_t *ask,
    const voice_answer_t *answer, int64_t now);
static void ngx_voice_limit_lost(ngx_voice_limit_ask_t *ask);
static void ngx_voice_limit_take(ngx_voice_limit_ask_t *ask,
    const voice_answer_t *answer, int64_t now);
static ngx_str_t ngx_voice_limit_number(u_char *buf, int64_t n);
static ngx_str_t ngx_voice_limit_real(u_char *buf, double x);


ngx_voice_limiter_t *
ngx_voice_limiter_create(ngx_voice_main_conf_t *mcf, ngx_cycle_t *cycle)
{
    u_char                digest[20];
    ngx_sha1_t            sha;
    ngx_voice_limiter_t  *limiter;

    limiter = ngx_pcalloc(cycle->pool, sizeof(ngx_voice_limiter_t));
    if (limiter == NULL) {
        return NULL;
    }

    ngx_sha1_init(&sha);
    ngx_sha1_update(&sha, voice_lease_script,
                    ngx_strlen(voice_lease_script));
    ngx_sha1_final(digest, &sha);
    ngx_hex_dump(limiter->sha, digest, sizeof(digest));

    limiter->conf = mcf;
    limiter->timer.handler = ngx_voice_limit_tick;
    limiter->timer.data = limiter;
    limiter->timer.log = cycle->log;
    limiter->timer.cancelable = 1;

    ngx_add_timer(&limiter->timer, 1);

    return limiter;
}


void
ngx_voice_limiter_destroy(ngx_voice_limiter_t *limiter)
{
    if (limiter->timer.timer_set) {
        ngx_del_timer(&limiter->timer);
    }
}


int64_t
ngx_voice_limit_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


ngx_uint_t
ngx_voice_limit_connecting(ngx_voice_main_conf_t *mcf)
{
    ngx_voice_redis_figures_t  figures;

    ngx_voice_redis_figures(mcf->redis, &figures);

    return figures.connects == 0 && figures.failures == 0;
}


ngx_int_t
ngx_voice_limit_ask(ngx_voice_main_conf_t *mcf, ngx_voice_ctx_t *ctx,
    const ngx_voice_limit_bucket_t *bucket)
{
    ngx_voice_limit_ask_t  *ask;

    ask = ngx_voice_limit_ask_new(mcf);
    if (ask == NULL) {
        return NGX_DECLINED;
    }

    ask->ask = bucket->ask;
    ask->limit = bucket->limit;
    ask->len = bucket->len;
    ngx_memcpy(ask->key, bucket->key, bucket->len);

    if (ngx_voice_limit_send(ask) != NGX_OK) {
        ngx_free(ask);
        return NGX_DECLINED;
    }

    if (ask->ask.lease != 0) {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_limit_leases, 1);
    }

    ask->ctx = ctx;

    if (ctx != NULL) {
        ctx->limit->ask = ask;
    }

    return NGX_OK;
}


void
ngx_voice_limit_cancel(ngx_voice_limit_t *limit)
{
    if (limit->ask != NULL) {
        limit->ask->ctx = NULL;
        limit->ask->ask.own = 0;
        limit->ask = NULL;
    }
}


/* One process of the node registers for all. */
static void
ngx_voice_limit_tick(ngx_event_t *ev)
{
    int64_t                 now;
    ngx_uint_t              due;
    ngx_voice_limiter_t    *limiter = ev->data;
    ngx_voice_limits_t     *limits;
    ngx_voice_limit_ask_t  *ask;
    ngx_voice_main_conf_t  *mcf;

    mcf = limiter->conf;
    limits = mcf->shared->limits;
    now = ngx_voice_limit_now();

    ngx_add_timer(ev, NGX_VOICE_LIMIT_TICK);

    ngx_shmtx_lock(&mcf->slab->mutex);

    due = now - limits->refreshed >= VOICE_LEASE_REFRESH;

    if (due) {
        limits->refreshed = now;
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);

    if (!due) {
        return;
    }

    ask = ngx_voice_limit_ask_new(mcf);

    if (ask == NULL || ngx_voice_limit_send(ask) != NGX_OK) {
        limits->refreshed = 0;
        ngx_free(ask);
    }
}


static ngx_voice_limit_ask_t *
ngx_voice_limit_ask_new(ngx_voice_main_conf_t *mcf)
{
    ngx_voice_limit_ask_t  *ask;

    ask = ngx_calloc(sizeof(ngx_voice_limit_ask_t), ngx_cycle->log);
    if (ask != NULL) {
        ask->conf = mcf;
    }

    return ask;
}


static ngx_int_t
ngx_voice_limit_send(ngx_voice_limit_ask_t *ask)
{
    ngx_str_t                  argv[NGX_VOICE_LIMIT_ARGS];
    ngx_voice_limiter_t       *limiter;
    ngx_voice_limit_words_t    words;
    ngx_voice_redis_figures_t  figures;

    limiter = ask->conf->limiter;

    ngx_voice_redis_figures(ask->conf->redis, &figures);

    if (!figures.connected) {
        return NGX_DECLINED;
    }

    ask->whole = ask->whole || limiter->connects != figures.connects;

    ngx_voice_limit_script(ask, argv);
    ngx_voice_limit_arguments(ask, argv, &words);

    if (ngx_voice_redis_send(ask->conf->redis, NGX_VOICE_LIMIT_ARGS, argv,
                             ngx_voice_limit_answered, ask)
        == NULL)
    {
        return NGX_DECLINED;
    }

    limiter->connects = figures.connects;

    return NGX_OK;
}


/*
 * The first command on a connection is the whole script, and looks whether
 * this is still the Redis that it was; so does every registration by itself.
 */
static void
ngx_voice_limit_script(const ngx_voice_limit_ask_t *ask, ngx_str_t *argv)
{
    ngx_str_set(&argv[0], "EVALSHA");
    argv[1].data = ask->conf->limiter->sha;
    argv[1].len = VOICE_LEASE_SHA1_LEN;

    if (ask->whole) {
        ngx_str_set(&argv[0], "EVAL");
        argv[1].data = (u_char *) voice_lease_script;
        argv[1].len = ngx_strlen(voice_lease_script);
    }

    ngx_str_set(&argv[2], "3");
    ngx_str_set(&argv[3], "voice:limit:clock");
    ngx_str_set(&argv[4], "voice:limit:buckets");
    ngx_str_set(&argv[5], "voice:limit:nodes");
    ngx_str_set(&argv[6], "0");

    if (ask->whole || ask->len == 0) {
        ngx_str_set(&argv[6], "1");
    }
}


static void
ngx_voice_limit_arguments(ngx_voice_limit_ask_t *ask, ngx_str_t *argv,
    ngx_voice_limit_words_t *words)
{
    argv[7] = ngx_voice_limit_number(words->nodes, ask->conf->limit_nodes);
    argv[8].data = ask->conf->shared->limits->id;
    argv[8].len = NGX_VOICE_LIMIT_ID_LEN;
    argv[9] = ngx_voice_limit_number(words->deadline,
                                     ngx_voice_limit_claim(ask->conf));
    argv[10].data = ask->key;
    argv[10].len = ask->len;
    argv[11] = ngx_voice_limit_real(words->interval, ask->limit.interval);
    argv[12] = ngx_voice_limit_real(words->capacity, ask->limit.capacity);
    argv[13] = ngx_voice_limit_number(words->want, ask->ask.want);
    argv[14] = ngx_voice_limit_number(words->least, ask->ask.least);
    argv[15] = ngx_voice_limit_number(words->batch, ask->ask.batch);
}


/* What is claimed before it is sent ends what the node earns by itself. */
static int64_t
ngx_voice_limit_claim(ngx_voice_main_conf_t *mcf)
{
    int64_t        deadline;
    voice_node_t  *node;

    node = &mcf->shared->limits->node;

    ngx_shmtx_lock(&mcf->slab->mutex);

    deadline = voice_node_deadline(node, ngx_voice_limit_now());
    voice_node_claim(node, deadline);

    ngx_shmtx_unlock(&mcf->slab->mutex);

    return deadline;
}


static void
ngx_voice_limit_answered(void *data, const redisReply *reply)
{
    int64_t                 now;
    voice_answer_t          answer;
    ngx_voice_limit_ask_t  *ask = data;

    if (ngx_voice_limit_again(ask, reply) == NGX_OK) {
        return;
    }

    if (ngx_voice_limit_read(ask, reply, &answer) != NGX_OK) {
        ngx_voice_limit_lost(ask);
        return;
    }

    now = ngx_voice_limit_now();

    ngx_voice_limit_heard(ask, &answer, now);
    ngx_voice_limit_take(ask, &answer, now);
}


/* A Redis that does not know the script gets it. */
static ngx_int_t
ngx_voice_limit_again(ngx_voice_limit_ask_t *ask, const redisReply *reply)
{
    if (reply == NULL || ask->whole || reply->type != REDIS_REPLY_ERROR
        || ngx_strncmp(reply->str, "NOSCRIPT", 8) != 0)
    {
        return NGX_DECLINED;
    }

    ask->whole = 1;

    return ngx_voice_limit_send(ask);
}


static ngx_int_t
ngx_voice_limit_read(ngx_voice_limit_ask_t *ask, const redisReply *reply,
    voice_answer_t *answer)
{
    size_t   i;
    int64_t  n[NGX_VOICE_LIMIT_ANSWER];

    if (reply == NULL) {
        return NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != NGX_VOICE_LIMIT_ANSWER)
    {
        ngx_voice_limit_complain(ask->conf, reply);
        return NGX_DECLINED;
    }

    for (i = 0; i < NGX_VOICE_LIMIT_ANSWER; i++) {
        n[i] = reply->element[i]->integer;
    }

    answer->status = n[0];
    answer->redis = n[1];
    answer->granted = n[2];
    answer->wait = n[3];
    answer->rest = n[4];
    answer->pace = n[5];
    answer->born = n[6];

    return NGX_OK;
}


/* Each command gets such an answer: one is told of. */
static void
ngx_voice_limit_complain(ngx_voice_main_conf_t *mcf, const redisReply *reply)
{
    int64_t              now;
    ngx_uint_t           warn;
    ngx_voice_limits_t  *limits;

    limits = mcf->shared->limits;
    now = ngx_voice_limit_now();

    ngx_shmtx_lock(&mcf->slab->mutex);

    warn = now - limits->complained > NGX_VOICE_LIMIT_QUIET;

    if (warn) {
        limits->complained = now;
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);

    if (warn) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "limits: Redis refused the script: %s",
                      reply->type == REDIS_REPLY_ERROR ? reply->str
                                                       : "not its answer");
    }
}


static void
ngx_voice_limit_heard(ngx_voice_limit_ask_t *ask,
    const voice_answer_t *answer, int64_t now)
{
    ngx_uint_t              warn;
    ngx_voice_limits_t     *limits;
    ngx_voice_main_conf_t  *mcf;

    mcf = ask->conf;
    limits = mcf->shared->limits;

    ngx_shmtx_lock(&mcf->slab->mutex);

    voice_node_heard(&limits->node, answer->redis, now);

    if (answer->status != VOICE_ANSWER_CROWDED) {
        limits->crowded = 0;

    } else if (limits->crowded == 0) {
        limits->crowded = now;
    }

    /* the registrations of nodes that were stopped run out first */

    warn = limits->crowded != 0
           && now - limits->crowded > 2 * VOICE_LEASE_TERM
           && now - limits->warned > NGX_VOICE_LIMIT_QUIET;

    if (warn) {
        limits->warned = now;
    }

    if (answer->status == VOICE_ANSWER_UNKNOWN && ask->len == 0) {
        limits->refreshed = 0;
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);

    if (answer->born) {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_limit_epochs, 1);
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "limits: Redis is new or has lost data, all buckets "
                      "begin empty");
    }

    if (answer->status == VOICE_ANSWER_CROWDED) {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_limit_crowded, 1);
    }

    if (warn) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "limits: more nodes run than \"voice_limit_nodes\" "
                      "says, %ui: this one gets no tokens",
                      mcf->limit_nodes);
    }
}


/* No answer, or one that we do not understand. */
static void
ngx_voice_limit_lost(ngx_voice_limit_ask_t *ask)
{
    ngx_voice_ctx_t        *ctx;
    ngx_voice_limit_row_t  *row;
    ngx_voice_main_conf_t  *mcf;

    mcf = ask->conf;
    ctx = ask->ctx;

    if (ask->len != 0) {
        ngx_shmtx_lock(&mcf->slab->mutex);

        row = ngx_voice_limit_row_find(mcf->shared->limits, ask->key,
                                       ask->len);
        if (row != NULL) {
            voice_bucket_unsent(&row->bucket, &ask->ask);
        }

        ngx_shmtx_unlock(&mcf->slab->mutex);
    }

    ngx_free(ask);

    if (ctx != NULL) {
        ctx->limit->ask = NULL;
        ngx_voice_limit_untold(ctx);
    }
}


static void
ngx_voice_limit_take(ngx_voice_limit_ask_t *ask,
    const voice_answer_t *answer, int64_t now)
{
    int                     rc;
    int64_t                 wait;
    ngx_voice_ctx_t        *ctx;
    ngx_voice_limit_row_t  *row;
    ngx_voice_main_conf_t  *mcf;

    mcf = ask->conf;
    ctx = ask->ctx;

    if (answer->status == VOICE_ANSWER_CROWDED) {
        ngx_voice_limit_lost(ask);
        return;
    }

    rc = -1;
    wait = 0;

    ngx_shmtx_lock(&mcf->slab->mutex);

    row = ask->len == 0 ? NULL
          : ngx_voice_limit_row_find(mcf->shared->limits, ask->key, ask->len);

    if (row != NULL && answer->status != VOICE_ANSWER_OK) {
        voice_bucket_unsent(&row->bucket, &ask->ask);

    } else if (row != NULL) {
        rc = voice_bucket_answered(&row->bucket, &ask->ask, answer, now);
        wait = row->bucket.quiet - now;

        if (ctx != NULL) {
            ngx_voice_limit_report(ctx->limit, &row->bucket, now);
        }
    }

    ngx_shmtx_unlock(&mcf->slab->mutex);

    if (rc == -1 && answer->status == VOICE_ANSWER_OK && answer->granted > 0)
    {
        ngx_voice_count(mcf, NGX_VOICE_COUNT_limit_late, 1);
    }

    ngx_free(ask);

    if (ctx != NULL) {
        ctx->limit->ask = NULL;
        ngx_voice_limit_told(ctx, rc, wait);
    }
}


static ngx_str_t
ngx_voice_limit_number(u_char *buf, int64_t n)
{
    ngx_str_t  word;

    word.data = buf;
    word.len = ngx_sprintf(buf, "%L", n) - buf;

    return word;
}


/* ngx_sprintf() writes no double exactly. */
static ngx_str_t
ngx_voice_limit_real(u_char *buf, double x)
{
    ngx_str_t  word;

    word.data = buf;
    word.len = snprintf((char *) buf, 32, "%.17g", x);

    return word;
}
