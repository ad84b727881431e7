
/*
 * The parent process: signals, heartbeat, children.  One loop with short
 * waits; nothing in it blocks.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker_breaker.h"
#include "worker_children.h"
#include "worker_clock.h"
#include "worker_log.h"


#define SUPERVISOR_TICK_MS   100
#define SUPERVISOR_FLUSH_MS  2000      /* at the end: jobs to give back */
#define SUPERVISOR_BACKLOG   128


typedef struct {
    worker_settings_t  *settings;
    worker_children_t  *children;
    worker_beat_t      *beat;
    int                 signal_fd;
    int                 listen_fd;     /* of the built-in agent; -1 */
    int                 stopping;      /* signals that asked for it */
} supervisor_t;


static int supervisor_open(supervisor_t *s);
static int supervisor_signals(supervisor_t *s);
static int supervisor_listen(const worker_settings_t *settings, int *fd);
static int listen_at(const worker_settings_t *settings);
static void supervisor_wait(supervisor_t *s, int ms);
static void supervisor_signal(supervisor_t *s, int number);
static void supervisor_stop(supervisor_t *s);
static void supervisor_reload(supervisor_t *s);
static int same_listen(const worker_settings_t *a,
    const worker_settings_t *b);
static void supervisor_flush(supervisor_t *s);
static void supervisor_forked(void *data);


int
worker_supervise(worker_settings_t *settings)
{
    int           rc;
    supervisor_t  s;

    memset(&s, 0, sizeof(supervisor_t));
    s.settings = settings;
    s.signal_fd = -1;
    s.listen_fd = -1;

    rc = supervisor_open(&s);

    if (rc == 0) {
        worker_log(WORKER_LOG_INFO, "the pool starts");
        worker_children_settings(s.children, s.settings, s.listen_fd);

        while (s.stopping == 0 || worker_children_count(s.children) > 0) {
            worker_children_reap(s.children, s.beat);
            worker_children_watch(s.children, s.beat);
            worker_children_measure(s.children);
            worker_beat_step(s.beat);
            supervisor_wait(&s, SUPERVISOR_TICK_MS);
        }

        supervisor_flush(&s);
        worker_log(WORKER_LOG_INFO, "the pool has stopped");
    }

    worker_beat_destroy(s.beat);
    worker_children_destroy(s.children);
    worker_settings_destroy(s.settings);

    return rc;
}


static int
supervisor_open(supervisor_t *s)
{
    if (worker_breaker_share() != VOICE_OK) {
        worker_log(WORKER_LOG_ERROR, "no memory for circuit breakers");
        return 1;
    }

    s->children = worker_children_create(supervisor_forked, s);
    if (s->children == NULL) {
        worker_log(WORKER_LOG_ERROR, "no memory for children");
        return 1;
    }

    s->beat = worker_beat_create(s->settings, worker_children_collect,
                                 worker_children_told, s->children);
    if (s->beat == NULL) {
        worker_log(WORKER_LOG_ERROR, "no memory for the heartbeat");
        return 1;
    }

    if (!supervisor_signals(s)
        || !supervisor_listen(s->settings, &s->listen_fd))
    {
        return 1;
    }

    return 0;
}


static int
supervisor_signals(supervisor_t *s)
{
    sigset_t  set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);

    signal(SIGPIPE, SIG_IGN);

    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0) {
        s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    }

    if (s->signal_fd == -1) {
        worker_log(WORKER_LOG_ERROR, "signalfd: %s", strerror(errno));
        return 0;
    }

    return 1;
}


/* The listening socket that the settings ask for, or -1 for none. */
static int
supervisor_listen(const worker_settings_t *settings, int *fd)
{
    *fd = -1;

    if (settings->agent_port == 0) {
        return 1;
    }

    *fd = listen_at(settings);

    if (*fd == -1) {
        worker_log(WORKER_LOG_ERROR, "agent_listen %s:%d: %s",
                   settings->agent_listen, settings->agent_port,
                   strerror(errno));
    }

    return *fd != -1;
}


static int
listen_at(const worker_settings_t *settings)
{
    int                  fd, saved, on;
    socklen_t            len;
    struct sockaddr_in   v4;
    struct sockaddr_in6  v6;
    struct sockaddr     *address;

    memset(&v4, 0, sizeof(v4));
    memset(&v6, 0, sizeof(v6));
    v4.sin_family = AF_INET;
    v4.sin_port = htons((uint16_t) settings->agent_port);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = v4.sin_port;

    if (inet_pton(AF_INET, settings->agent_listen, &v4.sin_addr) == 1) {
        address = (struct sockaddr *) &v4;
        len = sizeof(v4);

    } else {
        inet_pton(AF_INET6, settings->agent_listen, &v6.sin6_addr);
        address = (struct sockaddr *) &v6;
        len = sizeof(v6);
    }

    fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return -1;
    }

    on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1
        || bind(fd, address, len) == -1
        || listen(fd, SUPERVISOR_BACKLOG) == -1
        || fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
    {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }

    return fd;
}


/* Waits for a signal, the heartbeat's socket, or the time. */
static void
supervisor_wait(supervisor_t *s, int ms)
{
    struct pollfd            fds[2];
    struct signalfd_siginfo  info;

    fds[0].fd = s->signal_fd;
    fds[0].events = POLLIN;
    fds[1].fd = worker_beat_socket(s->beat, &fds[1].events);

    if (poll(fds, 2, ms) <= 0) {
        return;
    }

    while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        supervisor_signal(s, (int) info.ssi_signo);
    }
}


static void
supervisor_signal(supervisor_t *s, int number)
{
    switch (number) {

    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
        supervisor_stop(s);
        break;

    case SIGHUP:
        if (s->stopping == 0) {
            supervisor_reload(s);
        }
        break;

    case SIGUSR1:
        worker_log_reopen();
        worker_children_signal(s->children, SIGUSR1);
        break;

    default:                           /* SIGCHLD: the loop reaps */
        break;
    }
}


/* The first signal asks for a graceful end, the second for one at once. */
static void
supervisor_stop(supervisor_t *s)
{
    int64_t  now;

    now = worker_now_ms();
    s->stopping++;

    worker_log(WORKER_LOG_INFO, s->stopping == 1 ? "the pool stops"
                                                 : "the pool stops at once");
    worker_children_stop(s->children, s->stopping == 1
                         ? now + s->settings->grace_seconds * 1000 : now);
    worker_beat_soon(s->beat);
}


/* Takes a changed file; one that is wrong changes nothing. */
static void
supervisor_reload(supervisor_t *s)
{
    int                 fd;
    char                problem[WORKER_PROBLEM_MAX];
    worker_settings_t  *settings, *old;

    settings = worker_settings_read(s->settings->file, problem);

    if (settings == NULL) {
        worker_log(WORKER_LOG_ERROR, "reload is refused, nothing changed: %s",
                   problem);
        return;
    }

    fd = s->listen_fd;

    if (!same_listen(s->settings, settings)
        && !supervisor_listen(settings, &fd))
    {
        worker_log(WORKER_LOG_ERROR, "reload is refused, nothing changed");
        worker_settings_destroy(settings);
        return;
    }

    if (worker_log_open(settings->log_file, settings->log_level) != VOICE_OK)
    {
        worker_log(WORKER_LOG_ERROR, "log \"%s\": %s; the old one is used",
                   settings->log_file, strerror(errno));
    }

    if (fd != s->listen_fd && s->listen_fd != -1) {
        close(s->listen_fd);           /* the old agent has it until it ends */
    }

    old = s->settings;
    s->settings = settings;
    s->listen_fd = fd;

    worker_log_process(settings->worker_name, "supervisor");
    worker_children_settings(s->children, settings, fd);
    worker_beat_settings(s->beat, settings);
    worker_settings_destroy(old);
    worker_log(WORKER_LOG_INFO, "reloaded");
}


static int
same_listen(const worker_settings_t *a, const worker_settings_t *b)
{
    return a->agent_port == b->agent_port
           && strcmp(a->agent_listen, b->agent_listen) == 0;
}


/* Jobs of killed children go back before the pool is gone, and says so. */
static void
supervisor_flush(supervisor_t *s)
{
    int64_t  end;

    end = worker_now_ms() + SUPERVISOR_FLUSH_MS;
    worker_beat_stop(s->beat);

    while (worker_beat_pending(s->beat) && worker_now_ms() < end) {
        worker_beat_step(s->beat);
        supervisor_wait(s, SUPERVISOR_TICK_MS / 10);
    }
}


/* In a forked child: what belongs to the supervisor alone. */
static void
supervisor_forked(void *data)
{
    supervisor_t  *s;

    s = data;
    close(s->signal_fd);
    worker_beat_leave(s->beat);
}
