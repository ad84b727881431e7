
/*
 * The built-in voice agent alone: listens on a free port of the loopback
 * address, prints the port, runs until it is told to stop.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../workers/worker_child.h"


/* The recogniser's library never frees a grammar's rules. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libsphinxbase\n";
}


static int
listen_anywhere(unsigned *port)
{
    int                 fd;
    socklen_t           len = sizeof(struct sockaddr_in);
    struct sockaddr_in  address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd == -1
        || bind(fd, (struct sockaddr *) &address, sizeof(address)) == -1
        || listen(fd, 64) == -1
        || getsockname(fd, (struct sockaddr *) &address, &len) == -1)
    {
        return -1;
    }

    *port = ntohs(address.sin_port);

    return fd;
}


int
main(int argc, char **argv)
{
    char                problem[WORKER_PROBLEM_MAX] = "";
    unsigned            port = 0;
    worker_slot_t       slot;
    worker_child_t      child;
    worker_settings_t  *settings;

    settings = argc == 2 ? worker_settings_read(argv[1], problem) : NULL;
    if (settings == NULL) {
        fprintf(stderr, "usage: agent SETTINGS\n%s\n", problem);
        return 1;
    }

    memset(&slot, 0, sizeof(worker_slot_t));
    memset(&child, 0, sizeof(worker_child_t));
    child.settings = settings;
    child.name = "agent";
    child.main = agent_main;
    child.slot = &slot;
    child.parent = getppid();
    child.listen_fd = listen_anywhere(&port);

    if (child.listen_fd == -1) {
        perror("listen");
        return 1;
    }

    printf("%u\n", port);
    fflush(stdout);

    worker_child_run(&child);
}
