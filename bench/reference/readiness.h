/* Level-triggered readiness of many descriptors: epoll on Linux, kqueue elsewhere.
 *
 * One call may report an owner twice under kqueue (once per direction), so an owner must not be
 * freed inside a batch while it asks for both directions. */
#ifndef UVNET_BENCH_READINESS_H
#define UVNET_BENCH_READINESS_H

#include <errno.h>
#include <stddef.h>

#define READABLE 1u
#define WRITABLE 2u
#define READINESS_BATCH 256

struct readiness_event {
    void *owner;
    unsigned directions;
};

#if defined(__linux__)

#include <sys/epoll.h>

static inline int readiness_open(void) { return epoll_create1(EPOLL_CLOEXEC); }

/* `before` and `after` are the directions asked for until now and from now on; 0 means none. */
static inline int readiness_change(int queue, int descriptor, void *owner, unsigned before,
                                   unsigned after)
{
    struct epoll_event event = {0};
    int operation = before == 0 ? EPOLL_CTL_ADD : after == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    if (before == after)
        return 0;
    event.events = ((after & READABLE) ? EPOLLIN : 0u) | ((after & WRITABLE) ? EPOLLOUT : 0u);
    event.data.ptr = owner;
    return epoll_ctl(queue, operation, descriptor, &event);
}

/* A hang-up or an error counts as both directions: the read or write that follows names it. */
static inline int readiness_wait(int queue, struct readiness_event *ready, int timeout_milliseconds)
{
    struct epoll_event events[READINESS_BATCH];
    int count = epoll_wait(queue, events, READINESS_BATCH, timeout_milliseconds);
    for (int index = 0; index < count; index++) {
        unsigned bits = events[index].events;
        unsigned both = (bits & (EPOLLERR | EPOLLHUP)) ? READABLE | WRITABLE : 0;
        ready[index].owner = events[index].data.ptr;
        ready[index].directions =
            both | ((bits & EPOLLIN) ? READABLE : 0) | ((bits & EPOLLOUT) ? WRITABLE : 0);
    }
    return count < 0 && errno == EINTR ? 0 : count;
}

#else

#include <sys/event.h>
#include <sys/time.h>
#include <sys/types.h>

static inline int readiness_open(void) { return kqueue(); }

static inline int readiness_change(int queue, int descriptor, void *owner, unsigned before,
                                   unsigned after)
{
    struct kevent changes[2];
    int count = 0;
    if ((before ^ after) & READABLE) {
        EV_SET(&changes[count], descriptor, EVFILT_READ, (after & READABLE) ? EV_ADD : EV_DELETE, 0,
               0, owner);
        count++;
    }
    if ((before ^ after) & WRITABLE) {
        EV_SET(&changes[count], descriptor, EVFILT_WRITE, (after & WRITABLE) ? EV_ADD : EV_DELETE,
               0, 0, owner);
        count++;
    }
    return count == 0 ? 0 : kevent(queue, changes, count, NULL, 0, NULL);
}

static inline int readiness_wait(int queue, struct readiness_event *ready, int timeout_milliseconds)
{
    struct kevent events[READINESS_BATCH];
    struct timespec timeout = {timeout_milliseconds / 1000,
                               (long)(timeout_milliseconds % 1000) * 1000000L};
    int count = kevent(queue, NULL, 0, events, READINESS_BATCH,
                       timeout_milliseconds < 0 ? NULL : &timeout);
    for (int index = 0; index < count; index++) {
        ready[index].owner = (void *)events[index].udata;
        ready[index].directions = events[index].filter == EVFILT_READ ? READABLE : WRITABLE;
    }
    return count < 0 && errno == EINTR ? 0 : count;
}

#endif
#endif
