/* sendmsg(2) that fails on demand, to be loaded before the C library. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

int failing_sendmsg_errno = 0;
int failing_sendmsg_times = 0;      /* that are left; below zero: for ever */
int failing_sendmsg_cut_up = 0;     /* only what the kernel is to cut up fails */
int failing_sendmsg_calls = 0;

static int cuts_up(const struct msghdr *message)
{
    struct cmsghdr *control;
    for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR((struct msghdr *)message, control))
        if (control->cmsg_level == IPPROTO_UDP)
            return 1;
    return 0;
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    static ssize_t (*real)(int, const struct msghdr *, int);
    failing_sendmsg_calls++;
    if (failing_sendmsg_times != 0 && (!failing_sendmsg_cut_up || cuts_up(message))) {
        if (failing_sendmsg_times > 0)
            failing_sendmsg_times--;
        errno = failing_sendmsg_errno;
        return -1;
    }
    if (!real)
        real = (ssize_t (*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
    return real(descriptor, message, flags);
}
