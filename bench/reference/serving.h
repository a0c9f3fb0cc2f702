/* What every C reference server shares: the listening socket, accepting, and the event loop. */
#ifndef UVNET_BENCH_SERVING_H
#define UVNET_BENCH_SERVING_H

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "readiness.h"

#define LISTEN_BACKLOG 1024

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline int would_block(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }

static inline void set_nonblocking(int descriptor)
{
    if (fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) < 0)
        die("fcntl");
}

/* Listens on the loopback address and announces the port on standard output. */
static inline int listen_and_announce(unsigned short port)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0)
        die("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0)
        die("bind");
    if (listen(listener, LISTEN_BACKLOG) < 0)
        die("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        die("getsockname");
    set_nonblocking(listener);
    printf("listening %u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

/* The next waiting connection, non-blocking and without Nagle's delay; -1 when none waits. */
static inline int accept_connection(int listener)
{
    int on = 1;
#if defined(__linux__)
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int descriptor = accept(listener, NULL, NULL);
#endif
    if (descriptor < 0) {
        if (would_block() || errno == ECONNABORTED || errno == EINTR)
            return -1;
        die("accept");
    }
#if !defined(__linux__)
    set_nonblocking(descriptor);
#endif
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return descriptor;
}

/* Runs until a signal ends the process. The listener's events carry no owner; `accepted` gets each
 * new descriptor and `ready` the owner that `accepted` registered. */
static inline void serve(unsigned short port, void (*accepted)(int queue, int descriptor),
                         void (*ready)(int queue, void *owner, unsigned directions))
{
    struct readiness_event events[READINESS_BATCH];
    signal(SIGPIPE, SIG_IGN);
    int queue = readiness_open();
    int listener = listen_and_announce(port);
    if (queue < 0 || readiness_change(queue, listener, NULL, 0, READABLE) < 0)
        die("readiness");
    for (;;) {
        int count = readiness_wait(queue, events, -1);
        if (count < 0)
            die("wait");
        for (int index = 0; index < count; index++) {
            int descriptor;
            if (events[index].owner != NULL) {
                ready(queue, events[index].owner, events[index].directions);
                continue;
            }
            while ((descriptor = accept_connection(listener)) >= 0)
                accepted(queue, descriptor);
        }
    }
}

#endif
