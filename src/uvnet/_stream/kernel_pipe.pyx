"""Moving data from a socket to another one, or to a file, inside the kernel: splice(2) through a kernel pipe (Linux).

Owns the descriptors of kernel pipes and how many of them there are.  Elsewhere than on Linux there are none.
"""

from libc.errno cimport EACCES, EINTR, EINVAL, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM, errno
from libc.stdint cimport int64_t

cdef extern from *:
    """
    #ifdef __linux__
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <fcntl.h>
    #include <signal.h>
    #include <stdint.h>
    #include <unistd.h>
    #include <sys/syscall.h>

    #define UVNET_SPLICE_MOVE 1
    #define UVNET_SPLICE_NONBLOCK 2
    #define UVNET_SETPIPE_SZ 1031

    enum { UVNET_CAN_SPLICE = 1 };

    static long uvnet_splice(int from, int to, size_t length)
    {
        return syscall(SYS_splice, from, NULL, to, NULL, length, UVNET_SPLICE_MOVE | UVNET_SPLICE_NONBLOCK);
    }
    static long uvnet_splice_to_file(int from, int to, int64_t *place, size_t length)
    {
        return syscall(SYS_splice, from, NULL, to, place, length, UVNET_SPLICE_MOVE | UVNET_SPLICE_NONBLOCK);
    }
    static int uvnet_open_pipe(int *ends)
    {
        return (int)syscall(SYS_pipe2, ends, O_NONBLOCK | O_CLOEXEC);
    }
    /* The kernel's answer: the capacity it has now, or -1. */
    static int uvnet_resize_pipe(int descriptor, int capacity)
    {
        return fcntl(descriptor, UVNET_SETPIPE_SZ, capacity);
    }
    static int uvnet_broken_pipe_kills(void)
    {
        struct sigaction action;
        return sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
    }
    #else
    #include <errno.h>
    enum { UVNET_CAN_SPLICE = 0 };
    static long uvnet_splice(int from, int to, size_t length) { errno = ENOSYS; return -1; }
    static long uvnet_splice_to_file(int from, int to, int64_t *place, size_t length) { errno = ENOSYS; return -1; }
    static int uvnet_open_pipe(int *ends) { errno = ENOSYS; return -1; }
    static int uvnet_resize_pipe(int descriptor, int capacity) { return -1; }
    static int uvnet_broken_pipe_kills(void) { return 0; }
    #endif
    """
    enum:
        CAN_SPLICE "UVNET_CAN_SPLICE"
    long splice "uvnet_splice" (int source, int sink, size_t length) nogil
    long splice_to_file "uvnet_splice_to_file" (int source, int file, int64_t *place, size_t length) nogil
    int open_pipe "uvnet_open_pipe" (int *ends) nogil
    int resize_pipe "uvnet_resize_pipe" (int descriptor, int capacity) nogil
    int broken_pipe_kills "uvnet_broken_pipe_kills" () nogil

cdef extern from "<unistd.h>" nogil:
    int close(int descriptor)
    ssize_t read(int descriptor, void *buffer, size_t length)

cdef enum:
    WANTED_CAPACITY = 1048576     # bytes: the most the kernel allows everybody by default
    FIRST_CAPACITY = 65536        # what a pipe has where it cannot grow


cdef class KernelPipes:
    """The pool of one loop; its record keeps it."""

    def __dealloc__(self):
        close_idle_pipes(&self.pool)


cdef PipePool *pool_of(LoopRecord record) except NULL:
    """The pool of a loop, which lives as long as its record."""
    if record.kernel_pipes is None:
        record.kernel_pipes = KernelPipes.__new__(KernelPipes)
    return &(<KernelPipes>record.kernel_pipes).pool


cdef bint may_break_pipes() noexcept nogil:
    """Whether splice(2) and sendfile(2) may be used: unlike send(2) they cannot do without SIGPIPE.

    Python ignores that signal unless the program has taken it back.
    """
    return not broken_pipe_kills()


cdef bint has_splice() noexcept nogil:
    """Whether splice(2) is there: to files it may be used always."""
    return CAN_SPLICE


cdef bint can_splice() noexcept nogil:
    """Whether splice(2) is there and may be used between sockets."""
    return CAN_SPLICE and may_break_pipes()


cdef bint cannot_splice(ssize_t status) noexcept nogil:
    """Whether a negated errno of splice(2) speaks of the call, and not of the connection.

    Sandboxes refuse system calls with EPERM, EACCES or ENOSYS.
    """
    return status in (-EACCES, -EINVAL, -ENOMEM, -ENOSYS, -EOPNOTSUPP, -EPERM)


cdef bint take_pipe(PipePool *pool, KernelPipe *pipe) noexcept nogil:
    """Fill `pipe` with an empty kernel pipe; False where there is none to be had."""
    cdef int ends[2]
    cdef int capacity
    if pool.idle_count:
        pool.idle_count -= 1
        pipe[0] = pool.idle[pool.idle_count]
        return True
    if pool.open_count >= MOST_PIPES or open_pipe(ends) < 0:
        return False
    pool.open_count += 1
    capacity = resize_pipe(ends[1], WANTED_CAPACITY)
    pipe.reader = ends[0]
    pipe.writer = ends[1]
    pipe.capacity = capacity if capacity > 0 else FIRST_CAPACITY
    pipe.level = 0
    return True


cdef void give_pipe(PipePool *pool, KernelPipe *pipe) noexcept nogil:
    """Take `pipe` back; one that still has data in it is closed."""
    if pipe.reader < 0:
        return
    if pipe.level == 0 and pool.idle_count < IDLE_PIPES:
        pool.idle[pool.idle_count] = pipe[0]
        pool.idle_count += 1
    else:
        close(pipe.reader)
        close(pipe.writer)
        pool.open_count -= 1
    pipe.reader = pipe.writer = -1
    pipe.level = 0


cdef void close_idle_pipes(PipePool *pool) noexcept nogil:
    while pool.idle_count:
        pool.idle_count -= 1
        close(pool.idle[pool.idle_count].reader)
        close(pool.idle[pool.idle_count].writer)
        pool.open_count -= 1


cdef ssize_t move_in(int source, KernelPipe *pipe, size_t most) noexcept nogil:
    """Bytes that came from the socket `source`, 0 for EOF, or a negated errno; there is room for so many."""
    cdef long moved
    while True:
        moved = splice(source, pipe.writer, most)
        if moved >= 0:
            pipe.level += moved
            return moved
        if errno != EINTR:
            return -errno


cdef ssize_t move_out(KernelPipe *pipe, int sink) noexcept nogil:
    """Bytes that went to the socket `sink`, or a negated errno."""
    cdef long moved
    while True:
        moved = splice(pipe.reader, sink, pipe.level)
        if moved >= 0:
            pipe.level -= moved
            return moved
        if errno != EINTR:
            return -errno


cdef ssize_t move_to_file(KernelPipe *pipe, int file, int64_t *place) noexcept nogil:
    """Bytes that went into a file at `place`, which moves on, or a negated errno."""
    cdef long moved
    while True:
        moved = splice_to_file(pipe.reader, file, place, pipe.level)
        if moved >= 0:
            pipe.level -= moved
            return moved
        if errno != EINTR:
            return -errno


cdef ssize_t copy_out(KernelPipe *pipe, char *buffer, size_t size) noexcept nogil:
    """Bytes copied out of the pipe, or a negated errno."""
    cdef ssize_t copied
    if size > pipe.level:
        size = pipe.level
    while True:
        copied = read(pipe.reader, buffer, size)
        if copied >= 0:
            pipe.level -= copied
            return copied
        if errno != EINTR:
            return -errno
