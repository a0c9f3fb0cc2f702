"""The bound on how long a process of a cluster goes on without its primary, whatever it is doing.

A thread without Python's lock waits for the end of the primary, so neither a loop that hangs matters, nor a call that
keeps the lock.  Until then it takes no time, and 12 KiB.  PR_SET_PDEATHSIG of prctl(2) would not do: it tells of the
end of the *thread* that has forked, it is forgotten when a process changes its user, and a signal leaves no time.
"""

import os

cdef extern from *:
    """
    #include <errno.h>
    #include <poll.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdint.h>
    #include <stdlib.h>
    #include <sys/socket.h>
    #include <unistd.h>

    enum { UVNET_LAST_SECONDS_STACK = 262144 };    /* bytes of address space; a page or two are touched */

    typedef struct {
        int descriptor;
        int milliseconds;
    } uvnet_last_seconds;

    static void *uvnet_wait_for_the_end(void *given)
    {
        uvnet_last_seconds last = *(uvnet_last_seconds *)given;
        struct pollfd watched = {last.descriptor, POLLIN, 0};
        int ready = 1;
        free(given);
        while (last.descriptor >= 0 && (ready = poll(&watched, 1, -1)) < 0 && errno == EINTR)
            ;
        if (ready != 1 || (watched.revents & POLLNVAL))
            return NULL;    /* somebody has closed the descriptor */
        poll(NULL, 0, last.milliseconds);
        _exit(0);
    }

    /* 0, or an errno. */
    static int uvnet_start_last_seconds(int descriptor, int milliseconds)
    {
        uvnet_last_seconds *given = malloc(sizeof(*given));
        pthread_attr_t attributes;
        pthread_t thread;
        sigset_t all, before;
        int failed;
        if (given == NULL)
            return ENOMEM;
        given->descriptor = descriptor;
        given->milliseconds = milliseconds;
        failed = pthread_attr_init(&attributes);
        if (failed != 0) {
            free(given);
            return failed;
        }
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attributes, UVNET_LAST_SECONDS_STACK);
        /* Signals are for the threads of the program. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        failed = pthread_create(&thread, &attributes, uvnet_wait_for_the_end, given);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        if (failed != 0)
            free(given);
        return failed;
    }

    /* The process that has made the pair of sockets; 0 or -1 where it cannot be told. */
    static int uvnet_maker_of(int descriptor)
    {
    #ifdef SO_PEERCRED
        struct { int32_t pid; uint32_t user, group; } maker = {-1, 0, 0};
        socklen_t length = sizeof(maker);
        return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &maker, &length) < 0 ? -1 : maker.pid;
    #else
        return -1;
    #endif
    }
    """
    int start_last_seconds "uvnet_start_last_seconds" (int descriptor, int milliseconds) noexcept nogil
    int maker_of "uvnet_maker_of" (int descriptor) noexcept nogil


cpdef bint end_after(double seconds) noexcept:
    """End this process with the exit code 0, whatever it does then; False where there is no thread to spare."""
    return start_last_seconds(-1, <int>(seconds * 1000)) == 0


def end_with_maker_of(int channel, double seconds):
    """End this process so long after the one that has made the channel.

    Where the system has no descriptors of processes (Linux before 5.3, macOS) there is no such bound: False.
    """
    cdef int descriptor = -1
    cdef bint is_gone = False
    try:
        descriptor = os.pidfd_open(maker_of(channel))
    except ProcessLookupError:
        is_gone = True
    except (AttributeError, OSError):
        pass
    if descriptor < 0:
        return is_gone and end_after(seconds)
    if start_last_seconds(descriptor, <int>(seconds * 1000)):
        os.close(descriptor)
        return False
    return True
