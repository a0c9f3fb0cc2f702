/* accept4(2) that fails on demand, to be loaded before the C library. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

int failing_accept_errno = 0;
int failing_accept_times = 0;      /* that are left; below zero: for ever */
int failing_accept_calls = 0;

int accept4(int descriptor, struct sockaddr *name, socklen_t *length, int flags)
{
    static int (*real)(int, struct sockaddr *, socklen_t *, int);
    failing_accept_calls++;
    if (failing_accept_times != 0) {
        if (failing_accept_times > 0)
            failing_accept_times--;
        errno = failing_accept_errno;
        return -1;
    }
    if (!real)
        real = (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
    return real(descriptor, name, length, flags);
}
