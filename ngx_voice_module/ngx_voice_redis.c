
/*
 * hiredis in nginx's loop: one connection, a timer for each command.
 *
 * The descriptor is hiredis's; an ngx_connection_t only stands for it.  After
 * a call into hiredis the context may be gone: nothing here touches it again
 * but through redis->context, which the cleanup hook clears.
 */

#include "ngx_voice_redis_private.h"


#define NGX_VOICE_REDIS_ARGS_MAX     32
#define NGX_VOICE_REDIS_BACKOFF_MIN  100       /* ms */
#define NGX_VOICE_REDIS_BACKOFF_MAX  5000
#define NGX_VOICE_REDIS_FIRM         1000      /* up so long: no backoff */
#define NGX_VOICE_REDIS_NEXT         5         /* before the next of a round */
#define NGX_VOICE_REDIS_JUDGE        30000     /* between two looks */


struct ngx_voice_redis_command_s {
    ngx_voice_redis_t        *redis;
    ngx_event_t               timer;
    ngx_voice_redis_done_pt   done;
    void                     *data;
};


static void ngx_voice_redis_open(ngx_voice_redis_t *redis);
static redisAsyncContext *ngx_voice_redis_connect(
    const voice_endpoint_t *target);
static ngx_msec_t ngx_voice_redis_backoff(ngx_voice_redis_t *redis,
    const char *reason);
static void ngx_voice_redis_timer_handler(ngx_event_t *ev);
static void ngx_voice_redis_connected(const redisAsyncContext *context,
    int status);
static void ngx_voice_redis_follow(ngx_voice_redis_t *redis);
static ngx_voice_redis_command_t *ngx_voice_redis_issue(
    ngx_voice_redis_t *redis, ngx_uint_t argc, const ngx_str_t *argv);
static void ngx_voice_redis_reply(redisAsyncContext *context, void *reply,
    void *data);
static void ngx_voice_redis_deadline_handler(ngx_event_t *ev);


ngx_voice_redis_t *
ngx_voice_redis_create(ngx_voice_redis_conf_t *conf, ngx_pool_t *pool,
    ngx_log_t *log)
{
    ngx_voice_redis_t  *redis;

    redis = ngx_pcalloc(pool, sizeof(ngx_voice_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    redis->conf = conf;
    redis->log = log;

    if (conf->judge == NULL) {
        conf->judge = redis;
    }

    redis->timer.handler = ngx_voice_redis_timer_handler;
    redis->timer.data = redis;
    redis->timer.log = log;
    redis->timer.cancelable = 1;

    ngx_voice_redis_open(redis);

    return redis;
}


void
ngx_voice_redis_destroy(ngx_voice_redis_t *redis)
{
    redis->destroyed = 1;

    if (redis->conf->judge == redis) {
        redis->conf->judge = NULL;
    }

    ngx_voice_redis_close(redis, "destroyed");

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }
}


ngx_voice_redis_command_t *
ngx_voice_redis_send(ngx_voice_redis_t *redis, ngx_uint_t argc,
    const ngx_str_t *argv, ngx_voice_redis_done_pt done, void *data)
{
    ngx_voice_redis_command_t  *command;

    if (redis->state != NGX_VOICE_REDIS_READY
        || redis->figures.in_flight >= redis->conf->queue)
    {
        redis->figures.rejected++;
        return NULL;
    }

    command = ngx_voice_redis_issue(redis, argc, argv);
    if (command == NULL) {
        return NULL;
    }

    command->done = done;
    command->data = data;

    return command;
}


ngx_voice_redis_command_t *
ngx_voice_redis_ask(ngx_voice_redis_t *redis, ngx_uint_t argc,
    const ngx_str_t *argv, ngx_voice_redis_done_pt done)
{
    ngx_voice_redis_command_t  *command;

    command = ngx_voice_redis_issue(redis, argc, argv);

    if (command != NULL) {
        command->done = done;
        command->data = redis;
    }

    return command;
}


void
ngx_voice_redis_cancel(ngx_voice_redis_command_t *command)
{
    command->done = NULL;
}


void
ngx_voice_redis_figures(const ngx_voice_redis_t *redis,
    ngx_voice_redis_figures_t *figures)
{
    static const char *const  memory[] = { "keeps", "evicts", "untold" };

    *figures = redis->figures;
    figures->connected = (redis->state == NGX_VOICE_REDIS_READY);
    figures->server = redis->at;
    figures->memory = redis->conf->judged ? memory[redis->conf->verdict]
                                          : NULL;
    figures->evicts = redis->conf->judged
                      && redis->conf->verdict == VOICE_REDIS_EVICTS;
}


static void
ngx_voice_redis_open(ngx_voice_redis_t *redis)
{
    redisAsyncContext  *context;

    redis->state = NGX_VOICE_REDIS_CONNECTING;
    redis->reason = NULL;

    ngx_voice_redis_aim(redis);

    context = ngx_voice_redis_connect(&redis->target);

    if (context == NULL) {
        ngx_voice_redis_retry(redis, "out of memory");
        return;
    }

    /* refused at once: no hook is set yet */
    if (context->err) {
        ngx_voice_redis_retry(redis, context->errstr);
        redisAsyncFree(context);
        return;
    }

    redis->context = context;

    if (ngx_voice_redis_attach(redis) != NGX_OK) {
        redis->context = NULL;
        redisAsyncFree(context);
        ngx_voice_redis_retry(redis, "no connection slot");
        return;
    }

    ngx_add_timer(&redis->timer, redis->conf->connect_timeout);

    /* asks for the write event that tells of the connection */
    (void) redisAsyncSetConnectCallback(context, ngx_voice_redis_connected);
}


/* NULL: out of memory. */
static redisAsyncContext *
ngx_voice_redis_connect(const voice_endpoint_t *target)
{
    return voice_endpoint_local(target)
           ? redisAsyncConnectUnix(target->host)
           : redisAsyncConnect(target->host, target->port);
}


void
ngx_voice_redis_close(ngx_voice_redis_t *redis, const char *reason)
{
    redis->state = NGX_VOICE_REDIS_CLOSING;

    if (redis->context != NULL) {
        redis->reason = reason;
        redisAsyncFree(redis->context);
    }
}


void
ngx_voice_redis_retry(ngx_voice_redis_t *redis, const char *reason)
{
    ngx_uint_t  lost;
    ngx_msec_t  delay;

    if (redis->destroyed) {
        return;
    }

    lost = redis->opened != 0;

    if (lost && ngx_current_msec - redis->opened >= NGX_VOICE_REDIS_FIRM) {
        redis->attempts = 0;
    }

    redis->opened = 0;
    redis->state = NGX_VOICE_REDIS_BACKOFF;

    if (redis->found) {
        delay = NGX_VOICE_REDIS_NEXT;

    } else if (!lost && ngx_voice_redis_miss(redis) == NGX_AGAIN) {
        delay = NGX_VOICE_REDIS_NEXT;
        ngx_log_error(NGX_LOG_INFO, redis->log, 0,
                      "voice redis \"%s\": left for the next: %s",
                      redis->at, reason);

    } else {
        delay = ngx_voice_redis_backoff(redis, reason);
    }

    ngx_add_timer(&redis->timer, delay);
}


static ngx_msec_t
ngx_voice_redis_backoff(ngx_voice_redis_t *redis, const char *reason)
{
    ngx_uint_t  level;
    ngx_msec_t  delay;

    redis->figures.failures++;

    level = (redis->attempts == 0) ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, redis->log, 0,
                  "voice redis \"%s\": connection lost or refused: %s",
                  redis->at, reason);

    if (redis->elsewhere) {
        redis->elsewhere = 0;
        redis->next++;
    }

    delay = ngx_min(NGX_VOICE_REDIS_BACKOFF_MIN << ngx_min(redis->attempts, 6),
                    NGX_VOICE_REDIS_BACKOFF_MAX);
    redis->attempts++;
    redis->tried = 0;

    return delay / 2 + (ngx_msec_t) ngx_random() % (delay / 2 + 1);
}


static void
ngx_voice_redis_timer_handler(ngx_event_t *ev)
{
    ngx_voice_redis_t  *redis;

    redis = ev->data;

    switch (redis->state) {

    case NGX_VOICE_REDIS_BACKOFF:
        ngx_voice_redis_open(redis);
        break;

    case NGX_VOICE_REDIS_READY:
        ngx_add_timer(&redis->timer, NGX_VOICE_REDIS_JUDGE);
        ngx_voice_redis_judge(redis);
        break;

    default:
        ngx_voice_redis_close(redis, "connecting timed out");
        break;
    }
}


static void
ngx_voice_redis_connected(const redisAsyncContext *context, int status)
{
    ngx_voice_redis_t  *redis;

    /* otherwise hiredis frees the context now */
    if (status == REDIS_OK) {
        redis = context->data;
        ngx_voice_redis_greet(redis);
    }
}


void
ngx_voice_redis_ready(ngx_voice_redis_t *redis)
{
    ngx_add_timer(&redis->timer, NGX_VOICE_REDIS_JUDGE);

    redis->tried = 0;
    redis->state = NGX_VOICE_REDIS_READY;
    redis->opened = ngx_current_msec;
    redis->figures.connects++;

    ngx_log_error(NGX_LOG_INFO, redis->log, 0,
                  "voice redis \"%s\": connected", redis->at);

    ngx_voice_redis_judge(redis);
    ngx_voice_redis_follow(redis);

    if (redis->listener != NULL) {
        redis->listener->ready(redis->listener_data);
    }
}


/* One client in a process tells it for all. */
static void
ngx_voice_redis_follow(ngx_voice_redis_t *redis)
{
    ngx_voice_redis_conf_t  *conf;

    conf = redis->conf;

    if (conf->judge != redis
        || ngx_memcmp(&conf->last, &redis->target, sizeof(voice_endpoint_t))
           == 0)
    {
        return;
    }

    if (conf->last.host[0] != '\0') {
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "voice redis \"%s\": it is the master now", redis->at);
    }

    conf->last = redis->target;

    if (conf->moved != NULL) {
        conf->moved(&conf->last);
    }
}


static ngx_voice_redis_command_t *
ngx_voice_redis_issue(ngx_voice_redis_t *redis, ngx_uint_t argc,
    const ngx_str_t *argv)
{
    size_t                      lens[NGX_VOICE_REDIS_ARGS_MAX];
    ngx_uint_t                  i;
    const char                 *args[NGX_VOICE_REDIS_ARGS_MAX];
    ngx_voice_redis_command_t  *command;

    if (argc == 0 || argc > NGX_VOICE_REDIS_ARGS_MAX) {
        return NULL;
    }

    for (i = 0; i < argc; i++) {
        args[i] = (const char *) argv[i].data;
        lens[i] = argv[i].len;
    }

    /* a request may end before its command: not of any pool */
    command = ngx_calloc(sizeof(ngx_voice_redis_command_t), redis->log);
    if (command == NULL) {
        return NULL;
    }

    command->redis = redis;
    command->timer.handler = ngx_voice_redis_deadline_handler;
    command->timer.data = command;
    command->timer.log = redis->log;

    if (redisAsyncCommandArgv(redis->context, ngx_voice_redis_reply, command,
                              (int) argc, args, lens)
        != REDIS_OK)
    {
        ngx_free(command);
        return NULL;
    }

    redis->figures.in_flight++;

    /* not cancelable: a process that exits finishes what it was asked */
    ngx_add_timer(&command->timer, redis->conf->command_timeout);

    return command;
}


static void
ngx_voice_redis_reply(redisAsyncContext *context, void *reply, void *data)
{
    void                       *receiver;
    const redisReply           *r;
    ngx_voice_redis_t          *redis;
    ngx_voice_redis_done_pt     done;
    ngx_voice_redis_command_t  *command;

    command = data;
    redis = command->redis;
    done = command->done;
    receiver = command->data;

    r = reply;

    if (r != NULL && r->type == REDIS_REPLY_ERROR
        && voice_redis_elsewhere(voice_span(r->str, r->len)))
    {
        redis->elsewhere = 1;
        ngx_voice_redis_close(redis, "it takes no commands as a master");
        r = NULL;
    }

    /* the context is going: nothing can be sent from the callback */
    if (r == NULL) {
        redis->state = NGX_VOICE_REDIS_CLOSING;
    }

    if (command->timer.timer_set) {
        ngx_del_timer(&command->timer);
    }

    redis->figures.in_flight--;

    ngx_free(command);

    if (done != NULL) {
        done(receiver, r);
    }
}


static void
ngx_voice_redis_deadline_handler(ngx_event_t *ev)
{
    ngx_voice_redis_command_t  *command;

    command = ev->data;

    command->redis->figures.timeouts++;

    ngx_voice_redis_close(command->redis, "a command timed out");
}
