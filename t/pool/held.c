
/*
 * Places of held jobs that two processes share, in TAP: who gets a job, what
 * a reader sees while they change.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../workers/worker_held.h"


#define ROUNDS  200000


/* Shared with a second process. */
typedef struct {
    worker_held_t  held;
    atomic_long    begun;
    atomic_int     over;
} place_t;


static void check(int good, const char *name);
static place_t *place_create(void);
static void test_once(void);
static void test_returned(void);
static void test_old_copy(void);
static void test_cancel(void);
static void test_race(void);
static void race_child(place_t *place);


static int  tests;
static int  failed;


int
main(void)
{
    test_once();
    test_returned();
    test_old_copy();
    test_cancel();
    test_race();

    printf("1..%d\n", tests);

    return failed != 0;
}


static void
check(int good, const char *name)
{
    tests++;
    failed += !good;
    printf("%sok %d - %s\n", good ? "" : "not ", tests, name);
}


static place_t *
place_create(void)
{
    place_t  *place;

    place = mmap(NULL, sizeof(place_t), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) {
        abort();
    }

    return place;
}


static void
test_once(void)
{
    place_t             *place = place_create();
    worker_held_t       *held = &place->held;
    worker_held_copy_t   copy;

    check(worker_held_read(held, &copy) == WORKER_HELD_NONE,
          "a fresh place holds no job");

    worker_held_fill(held, "one", 7);
    check(worker_held_read(held, &copy) == WORKER_HELD_WAITS
          && strcmp(copy.job_id, "one") == 0 && copy.token == 7,
          "a job that was put there waits");

    check(worker_held_begin(held), "it can be begun");
    check(!worker_held_begin(held), "once");
    check(!worker_held_return(held, &copy) && !worker_held_withdraw(held),
          "and not be returned any more");

    worker_held_set(held, WORKER_HELD_ENDED);
    check(worker_held_read(held, &copy) == WORKER_HELD_ENDED,
          "one that has ended says so");

    worker_held_set(held, WORKER_HELD_NONE);
    check(worker_held_read(held, &copy) == WORKER_HELD_NONE,
          "one that was told of is gone");

    munmap(place, sizeof(place_t));
}


static void
test_returned(void)
{
    place_t             *place = place_create();
    worker_held_t       *held = &place->held;
    worker_held_copy_t   copy;

    worker_held_fill(held, "two", 1);
    (void) worker_held_read(held, &copy);

    check(worker_held_return(held, &copy), "a job that waits is returned");
    check(!worker_held_return(held, &copy), "once");
    check(!worker_held_begin(held), "and not begun any more");

    worker_held_fill(held, "three", 1);
    check(worker_held_withdraw(held) && !worker_held_begin(held),
          "its child may do so as well");

    munmap(place, sizeof(place_t));
}


static void
test_old_copy(void)
{
    place_t             *place = place_create();
    worker_held_t       *held = &place->held;
    worker_held_copy_t   copy;

    worker_held_fill(held, "old", 1);
    (void) worker_held_read(held, &copy);
    worker_held_begin(held);
    worker_held_set(held, WORKER_HELD_NONE);
    worker_held_fill(held, "new", 1);

    check(!worker_held_return(held, &copy),
          "what was read of one job does not return the next");
    worker_held_cancel(held, &copy);
    check(!worker_held_cancelled(held), "nor cancel it");
    check(worker_held_begin(held), "which can be begun");

    munmap(place, sizeof(place_t));
}


static void
test_cancel(void)
{
    place_t             *place = place_create();
    worker_held_t       *held = &place->held;
    worker_held_copy_t   copy;

    worker_held_fill(held, "one", 1);
    worker_held_begin(held);
    check(!worker_held_cancelled(held), "a job is not cancelled by itself");

    (void) worker_held_read(held, &copy);
    worker_held_cancel(held, &copy);
    check(worker_held_cancelled(held), "it hears of a cancel");

    worker_held_fill(held, "two", 1);
    check(!worker_held_cancelled(held), "the next one does not");

    worker_held_cancel_own(held);
    check(worker_held_cancelled(held), "it may also find out by itself");

    munmap(place, sizeof(place_t));
}


/* Each job is begun by one process or returned by the other. */
static void
test_race(void)
{
    int                  status, torn;
    long                 returned;
    pid_t                pid;
    place_t             *place;
    worker_held_copy_t   copy;

    place = place_create();
    returned = 0;
    torn = 0;

    pid = fork();
    if (pid == 0) {
        race_child(place);
        _exit(0);
    }

    while (!atomic_load(&place->over)) {
        if (worker_held_read(&place->held, &copy) != WORKER_HELD_WAITS) {
            continue;
        }

        torn += copy.token != strtol(copy.job_id, NULL, 10);
        returned += worker_held_return(&place->held, &copy);
    }

    waitpid(pid, &status, 0);

    check(status == 0, "the other process ends well");
    check(torn == 0, "a job and its token are read as they were written");
    check(returned + atomic_load(&place->begun) == ROUNDS,
          "each job is begun or returned, by one of them");

    munmap(place, sizeof(place_t));
}


static void
race_child(place_t *place)
{
    int   i;
    char  id[16];

    for (i = 1; i <= ROUNDS; i++) {
        snprintf(id, sizeof(id), "%d", i);
        worker_held_fill(&place->held, id, i);

        if (worker_held_begin(&place->held)) {
            atomic_fetch_add(&place->begun, 1);
        }
    }

    atomic_store(&place->over, 1);
}
