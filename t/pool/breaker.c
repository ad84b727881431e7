
/*
 * Circuit breakers that processes share, in TAP: who may call, who tries,
 * what a process that is killed leaves behind.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../workers/worker_breaker.h"
#include "../../workers/worker_clock.h"


#define OPEN_MS     300
#define SHUT_MS     600000             /* longer than the test */
#define LONGEST_MS  200
#define WAIT_MS     30000


typedef int (*act_pt)(const char *origin);


static void check(int good, const char *name);
static int in_child(act_pt act, const char *origin);
static int act_fail(const char *origin);
static int act_shut(const char *origin);
static int act_admits(const char *origin);
static int act_die(const char *origin);
static int wait_admits(const char *origin);
static void test_opening(void);
static void test_one_probe(void);
static void test_probe_result(void);
static void test_late_result(void);
static void test_dead_probe(void);
static void test_killed_holders(void);
static void test_other_hosts(void);
static pid_t hammer(void);


static int  tests;
static int  failed;


int
main(void)
{
    check(worker_breaker_share() == VOICE_OK, "processes share breakers");

    test_opening();
    test_one_probe();
    test_probe_result();
    test_late_result();
    test_dead_probe();
    test_killed_holders();
    test_other_hosts();

    printf("1..%d\n", tests);

    return failed != 0;
}


static void
check(int good, const char *name)
{
    tests++;
    failed += !good;
    printf("%s %d - %s\n", good ? "ok" : "not ok", tests, name);
    fflush(stdout);
}


static int
in_child(act_pt act, const char *origin)
{
    int    status;
    pid_t  pid;

    pid = fork();

    if (pid == 0) {
        _exit(act(origin));
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid) {
        return -1;
    }

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}


static int
act_fail(const char *origin)
{
    if (!worker_breaker_admits(origin, LONGEST_MS)) {
        return 1;
    }

    worker_breaker_result(origin, 0, OPEN_MS);

    return 0;
}


static int
act_shut(const char *origin)
{
    if (!worker_breaker_admits(origin, LONGEST_MS)) {
        return 1;
    }

    worker_breaker_result(origin, 0, SHUT_MS);

    return 0;
}


static int
act_admits(const char *origin)
{
    return worker_breaker_admits(origin, LONGEST_MS);
}


static int
act_die(const char *origin)
{
    if (worker_breaker_admits(origin, LONGEST_MS)) {
        kill(getpid(), SIGKILL);
    }

    return 0;
}


/* Waits until somebody may call; 0: that never came. */
static int
wait_admits(const char *origin)
{
    int64_t  end;

    for (end = worker_now_ms() + WAIT_MS; worker_now_ms() < end; ) {
        if (worker_breaker_admits(origin, LONGEST_MS)) {
            return 1;
        }

        poll(NULL, 0, 5);
    }

    return 0;
}


static void
test_opening(void)
{
    int  i, admitted;

    for (i = 0, admitted = 0; i < WORKER_BREAKER_FAILURES; i++) {
        admitted += in_child(act_shut, "http://shut") == 0;
        (void) in_child(act_fail, "http://open");
    }

    check(admitted == WORKER_BREAKER_FAILURES,
          "calls of five processes are made and fail");
    check(in_child(act_admits, "http://shut") == 0, "a sixth is not made");
    check(worker_breaker_left_ms("http://shut") > SHUT_MS / 2
          && worker_breaker_left_ms("http://shut") <= SHUT_MS,
          "for the time that was asked");

    worker_breaker_result("http://five", 0, OPEN_MS);
    worker_breaker_result("http://five", 0, OPEN_MS);
    worker_breaker_result("http://five", 1, OPEN_MS);

    for (i = 0; i < WORKER_BREAKER_FAILURES - 1; i++) {
        (void) in_child(act_fail, "http://five");
    }

    check(worker_breaker_admits("http://five", LONGEST_MS),
          "a good call in between begins the count anew");
}


static void
test_one_probe(void)
{
    check(wait_admits("http://open"), "then one call tries");
    check(in_child(act_admits, "http://open") == 0,
          "no other process tries meanwhile");
    check(worker_breaker_left_ms("http://open") > 0,
          "and is told to come later");
}


static void
test_probe_result(void)
{
    worker_breaker_result("http://open", 0, OPEN_MS);
    check(worker_breaker_left_ms("http://open") > 0,
          "its failure opens the circuit once more");

    check(wait_admits("http://open"), "until the next one tries");
    worker_breaker_result("http://open", 1, OPEN_MS);
    check(in_child(act_admits, "http://open") == 1
          && in_child(act_admits, "http://open") == 1,
          "whose good result lets all call");
}


/* This process's call began before the circuit opened. */
static void
test_late_result(void)
{
    int  i;

    check(worker_breaker_admits("http://late", LONGEST_MS),
          "a call is under way");

    for (i = 0; i < WORKER_BREAKER_FAILURES; i++) {
        (void) in_child(act_shut, "http://late");
    }

    worker_breaker_result("http://late", 1, OPEN_MS);
    check(in_child(act_admits, "http://late") == 0,
          "its good result does not close what opened meanwhile");
}


static void
test_dead_probe(void)
{
    int      i;
    int64_t  end;

    for (i = 0; i < WORKER_BREAKER_FAILURES; i++) {
        (void) in_child(act_fail, "http://dead");
    }

    end = worker_now_ms() + WAIT_MS;

    while (in_child(act_die, "http://dead") == 0 && worker_now_ms() < end) {
        poll(NULL, 0, 5);
    }

    check(worker_now_ms() < end, "the process that tries is killed");
    check(wait_admits("http://dead"),
          "another one tries when the call would be over");
}


/* Killed at any time, also while they hold the lock. */
static void
test_killed_holders(void)
{
    int    i, status, good;
    pid_t  pids[4];

    for (i = 0; i < 4; i++) {
        pids[i] = hammer();
    }

    for (i = 0, good = 1; i < 400; i++) {
        kill(pids[i % 4], SIGKILL);
        good &= waitpid(pids[i % 4], &status, 0) == pids[i % 4];
        pids[i % 4] = hammer();
        poll(NULL, 0, 1);
    }

    for (i = 0; i < 4; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], &status, 0);
    }

    check(good, "processes are killed while they use the table");

    alarm(30);
    worker_breaker_result("http://killed", 1, OPEN_MS);
    check(wait_admits("http://killed"), "it serves the others all the same");
    alarm(0);
}


static pid_t
hammer(void)
{
    pid_t  pid;

    pid = fork();

    while (pid == 0) {
        (void) worker_breaker_admits("http://killed", 1);
        worker_breaker_result("http://killed", 0, 1);
        (void) worker_breaker_left_ms("http://killed");
    }

    return pid;
}


static void
test_other_hosts(void)
{
    int   i, all;
    char  origin[32];

    for (i = 0, all = 1; i < 200; i++) {
        snprintf(origin, sizeof(origin), "http://host-%d", i);
        all &= worker_breaker_admits(origin, LONGEST_MS);
    }

    check(all, "more hosts than there is room for may be called");
}
