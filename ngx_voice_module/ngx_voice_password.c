
/*
 * bcrypt in nginx's thread pool.
 *
 * Only conf->threads tasks are in the pool at once: more would take the
 * processors from the event loop.  The rest waits here, in order.
 */

#include "ngx_voice_password.h"

#include <ngx_event.h>
#include <ngx_thread_pool.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <sched.h>
#include <sys/syscall.h>


#define NGX_VOICE_PASSWORD_HASH_LEN  60        /* "$2b$12$" + 22 + 31 */
#define NGX_VOICE_PASSWORD_NICE      5         /* a third of the usual share */
#define NGX_VOICE_PASSWORD_SLICE     100000    /* ns */


typedef enum {
    NGX_VOICE_PASSWORD_WAITING = 0,    /* in hasher->waiting */
    NGX_VOICE_PASSWORD_RUNNING         /* a thread has it */
} ngx_voice_password_state_e;


struct ngx_voice_password_s {
    ngx_voice_password_conf_t  *conf;
    ngx_log_t                  *log;
    ngx_thread_pool_t          *threads;
    ngx_queue_t                 waiting;
    ngx_uint_t                  outstanding;
    ngx_uint_t                  running;
    char                        nobody[NGX_VOICE_PASSWORD_HASH_LEN + 1];
};


/*
 * While it runs, the thread owns password, hash, outcome and failed; the rest
 * belongs to the event loop.
 */
struct ngx_voice_password_task_s {
    ngx_queue_t                 queue;
    ngx_thread_task_t           task;
    ngx_event_t                 timer;
    ngx_voice_password_t       *hasher;
    ngx_voice_password_state_e  state;
    ngx_voice_password_done_pt  done;
    void                       *data;
    ngx_uint_t                  cost;
    ngx_voice_password_e        outcome;
    char                        password[NGX_VOICE_PASSWORD_MAX + 1];
    char                        hash[NGX_VOICE_PASSWORD_HASH_LEN + 1];
    unsigned                    verify:1;
    unsigned                    hopeless:1;    /* it never matches */
};


/* struct sched_attr of sched_setattr(2), which libc does not declare. */
typedef struct {
    uint32_t  size;
    uint32_t  policy;
    uint64_t  flags;
    int32_t   nice;
    uint32_t  priority;
    uint64_t  runtime;
    uint64_t  deadline;
    uint64_t  period;
} ngx_voice_password_sched_t;


static ngx_voice_password_task_t *ngx_voice_password_task(
    ngx_voice_password_t *hasher, ngx_voice_password_done_pt done,
    void *data);
static ngx_int_t ngx_voice_password_usable(const ngx_str_t *password);
static void ngx_voice_password_submit(ngx_voice_password_task_t *task);
static void ngx_voice_password_start(ngx_voice_password_t *hasher);
static void ngx_voice_password_thread(void *data, ngx_log_t *log);
static void ngx_voice_password_step_back(void);
static void ngx_voice_password_make(ngx_voice_password_task_t *task);
static void ngx_voice_password_compare(ngx_voice_password_task_t *task);
static void ngx_voice_password_finished_handler(ngx_event_t *ev);
static void ngx_voice_password_timeout_handler(ngx_event_t *ev);
static void ngx_voice_password_free(ngx_voice_password_task_t *task);


static ngx_str_t  ngx_voice_password_pool = ngx_string("default");


ngx_int_t
ngx_voice_password_configure(ngx_conf_t *cf)
{
    return ngx_thread_pool_add(cf, &ngx_voice_password_pool) == NULL
           ? NGX_ERROR : NGX_OK;
}


ngx_voice_password_t *
ngx_voice_password_create(ngx_voice_password_conf_t *conf, ngx_pool_t *pool,
    ngx_log_t *log)
{
    ngx_voice_password_t  *hasher;

    hasher = ngx_pcalloc(pool, sizeof(ngx_voice_password_t));
    if (hasher == NULL) {
        return NULL;
    }

    hasher->threads = ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle,
                                          &ngx_voice_password_pool);
    if (hasher->threads == NULL) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "voice password: thread pool \"default\" is missing");
        return NULL;
    }

    hasher->conf = conf;
    hasher->log = log;

    ngx_queue_init(&hasher->waiting);

    /* well formed, and of no password: the salt is what costs */
    (void) ngx_snprintf((u_char *) hasher->nobody, sizeof(hasher->nobody),
                        "$2b$%02ui$abcdefghijklmnopqrstuu"
                        "0123456789012345678901234567890%Z", conf->cost);

    return hasher;
}


ngx_voice_password_task_t *
ngx_voice_password_hash(ngx_voice_password_t *hasher,
    const ngx_str_t *password, ngx_voice_password_done_pt done, void *data)
{
    ngx_voice_password_task_t  *task;

    if (!ngx_voice_password_usable(password)) {
        return NULL;
    }

    task = ngx_voice_password_task(hasher, done, data);
    if (task == NULL) {
        return NULL;
    }

    ngx_memcpy(task->password, password->data, password->len);

    ngx_voice_password_submit(task);

    return task;
}


ngx_voice_password_task_t *
ngx_voice_password_verify(ngx_voice_password_t *hasher,
    const ngx_str_t *password, const ngx_str_t *hash,
    ngx_voice_password_done_pt done, void *data)
{
    ngx_voice_password_task_t  *task;

    task = ngx_voice_password_task(hasher, done, data);
    if (task == NULL) {
        return NULL;
    }

    task->verify = 1;

    if (ngx_voice_password_usable(password)) {
        ngx_memcpy(task->password, password->data, password->len);

    } else {
        task->hopeless = 1;
    }

    if (hash != NULL && hash->len == NGX_VOICE_PASSWORD_HASH_LEN) {
        ngx_memcpy(task->hash, hash->data, hash->len);

    } else {
        ngx_memcpy(task->hash, hasher->nobody, sizeof(task->hash));
        task->hopeless = 1;
    }

    ngx_voice_password_submit(task);

    return task;
}


void
ngx_voice_password_cancel(ngx_voice_password_task_t *task)
{
    task->done = NULL;

    if (task->timer.timer_set) {
        ngx_del_timer(&task->timer);
    }

    if (task->state == NGX_VOICE_PASSWORD_WAITING) {
        ngx_queue_remove(&task->queue);
        ngx_voice_password_free(task);
    }
}


ngx_uint_t
ngx_voice_password_outstanding(const ngx_voice_password_t *hasher)
{
    return hasher->outstanding;
}


/* NULL: too many, or out of memory. */
static ngx_voice_password_task_t *
ngx_voice_password_task(ngx_voice_password_t *hasher,
    ngx_voice_password_done_pt done, void *data)
{
    ngx_voice_password_task_t  *task;

    if (hasher->outstanding >= hasher->conf->limit) {
        return NULL;
    }

    /* a request may end before its task: not of any pool */
    task = ngx_calloc(sizeof(ngx_voice_password_task_t), hasher->log);
    if (task == NULL) {
        return NULL;
    }

    task->hasher = hasher;
    task->done = done;
    task->data = data;
    task->cost = hasher->conf->cost;
    task->outcome = NGX_VOICE_PASSWORD_FAILED;

    task->task.ctx = task;
    task->task.handler = ngx_voice_password_thread;
    task->task.event.handler = ngx_voice_password_finished_handler;
    task->task.event.data = task;
    task->task.event.log = hasher->log;

    task->timer.handler = ngx_voice_password_timeout_handler;
    task->timer.data = task;
    task->timer.log = hasher->log;

    return task;
}


static ngx_int_t
ngx_voice_password_usable(const ngx_str_t *password)
{
    return password->len != 0
           && password->len <= NGX_VOICE_PASSWORD_MAX
           && memchr(password->data, '\0', password->len) == NULL;
}


static void
ngx_voice_password_submit(ngx_voice_password_task_t *task)
{
    ngx_voice_password_t  *hasher;

    hasher = task->hasher;
    hasher->outstanding++;

    ngx_queue_insert_tail(&hasher->waiting, &task->queue);

    /* not cancelable: a process that exits finishes what it was asked */
    ngx_add_timer(&task->timer, hasher->conf->timeout);

    ngx_voice_password_start(hasher);
}


static void
ngx_voice_password_start(ngx_voice_password_t *hasher)
{
    ngx_queue_t                *q;
    ngx_voice_password_task_t  *task;

    while (hasher->running < hasher->conf->threads
           && !ngx_queue_empty(&hasher->waiting))
    {
        q = ngx_queue_head(&hasher->waiting);
        task = ngx_queue_data(q, ngx_voice_password_task_t, queue);

        /* full: the timers of those who wait end it */
        if (ngx_thread_task_post(hasher->threads, &task->task) != NGX_OK) {
            return;
        }

        ngx_queue_remove(q);
        task->state = NGX_VOICE_PASSWORD_RUNNING;
        hasher->running++;
    }
}


/* In a thread: touches nothing but its part of the task. */
static void
ngx_voice_password_thread(void *data, ngx_log_t *log)
{
    ngx_voice_password_task_t  *task;

    task = data;

    ngx_voice_password_step_back();

    if (task->verify) {
        ngx_voice_password_compare(task);

    } else {
        ngx_voice_password_make(task);
    }

    explicit_bzero(task->password, sizeof(task->password));
}


/*
 * A hash keeps a processor busy for a quarter of a second, and event loops
 * and PostgreSQL want it for a moment and at once.  A smaller share gives
 * way, without starving logins; a short slice (Linux 6.12) lets whoever wakes
 * up wait for its end only.  It lasts: only root could take it back.
 */
static void
ngx_voice_password_step_back(void)
{
    static __thread ngx_uint_t  done;

    ngx_voice_password_sched_t  attr;

    if (done) {
        return;
    }

    ngx_memzero(&attr, sizeof(ngx_voice_password_sched_t));
    attr.size = sizeof(ngx_voice_password_sched_t);
    attr.policy = SCHED_OTHER;
    attr.nice = NGX_VOICE_PASSWORD_NICE;
    attr.runtime = NGX_VOICE_PASSWORD_SLICE;

    (void) syscall(SYS_sched_setattr, 0, &attr, 0);
    done = 1;
}


static void
ngx_voice_password_make(ngx_voice_password_task_t *task)
{
    char               salt[CRYPT_GENSALT_OUTPUT_SIZE], *hash;
    struct crypt_data  work;

    if (crypt_gensalt_rn("$2b$", task->cost, NULL, 0, salt, sizeof(salt))
        == NULL)
    {
        return;
    }

    ngx_memzero(&work, sizeof(struct crypt_data));

    hash = crypt_r(task->password, salt, &work);

    if (hash != NULL && ngx_strlen(hash) == NGX_VOICE_PASSWORD_HASH_LEN) {
        ngx_memcpy(task->hash, hash, NGX_VOICE_PASSWORD_HASH_LEN);
        task->outcome = NGX_VOICE_PASSWORD_OK;
    }

    explicit_bzero(&work, sizeof(struct crypt_data));
}


static void
ngx_voice_password_compare(ngx_voice_password_task_t *task)
{
    char               *hash;
    struct crypt_data   work;

    ngx_memzero(&work, sizeof(struct crypt_data));

    hash = crypt_r(task->password, task->hash, &work);

    if (hash != NULL && ngx_strlen(hash) == NGX_VOICE_PASSWORD_HASH_LEN) {
        task->outcome = NGX_VOICE_PASSWORD_WRONG;

        if (CRYPTO_memcmp(hash, task->hash, NGX_VOICE_PASSWORD_HASH_LEN) == 0
            && !task->hopeless)
        {
            task->outcome = NGX_VOICE_PASSWORD_OK;
        }
    }

    explicit_bzero(&work, sizeof(struct crypt_data));
}


static void
ngx_voice_password_finished_handler(ngx_event_t *ev)
{
    ngx_str_t                   hash;
    ngx_voice_password_t       *hasher;
    ngx_voice_password_task_t  *task;

    task = ev->data;
    hasher = task->hasher;
    hasher->running--;

    if (task->timer.timer_set) {
        ngx_del_timer(&task->timer);
    }

    if (task->outcome == NGX_VOICE_PASSWORD_FAILED) {
        ngx_log_error(NGX_LOG_ALERT, hasher->log, 0,
                      "voice password: libcrypt refused");
    }

    if (task->done != NULL) {
        hash.data = (u_char *) task->hash;
        hash.len = NGX_VOICE_PASSWORD_HASH_LEN;

        task->done(task->data, task->outcome,
                   (!task->verify && task->outcome == NGX_VOICE_PASSWORD_OK)
                   ? &hash : NULL);
    }

    ngx_voice_password_free(task);
    ngx_voice_password_start(hasher);
}


static void
ngx_voice_password_timeout_handler(ngx_event_t *ev)
{
    void                       *data;
    ngx_voice_password_task_t  *task;
    ngx_voice_password_done_pt  done;

    task = ev->data;
    done = task->done;
    data = task->data;

    ngx_voice_password_cancel(task);

    done(data, NGX_VOICE_PASSWORD_FAILED, NULL);
}


static void
ngx_voice_password_free(ngx_voice_password_task_t *task)
{
    task->hasher->outstanding--;

    explicit_bzero(task->password, sizeof(task->password));
    explicit_bzero(task->hash, sizeof(task->hash));

    ngx_free(task);
}
