# Kernel pipes that splice(2) moves data through, and a bounded pool of them for one loop.

from libc.stdint cimport int64_t

from uvnet._loop.record cimport LoopRecord

cdef enum:
    IDLE_PIPES = 8          # kept open for the next relay
    MOST_PIPES = 64         # open at once on a loop; beyond that data is copied

cdef struct KernelPipe:
    int reader              # -1: none
    int writer
    size_t capacity         # bytes
    size_t level            # bytes in it

cdef struct PipePool:
    KernelPipe idle[IDLE_PIPES]
    int idle_count
    int open_count

cdef class KernelPipes:
    cdef PipePool pool

cdef PipePool *pool_of(LoopRecord record) except NULL
cdef bint may_break_pipes() noexcept nogil
cdef bint has_splice() noexcept nogil
cdef bint can_splice() noexcept nogil
cdef bint cannot_splice(ssize_t status) noexcept nogil
cdef bint take_pipe(PipePool *pool, KernelPipe *pipe) noexcept nogil
cdef void give_pipe(PipePool *pool, KernelPipe *pipe) noexcept nogil
cdef void close_idle_pipes(PipePool *pool) noexcept nogil
cdef ssize_t move_in(int source, KernelPipe *pipe, size_t most) noexcept nogil
cdef ssize_t move_out(KernelPipe *pipe, int sink) noexcept nogil
cdef ssize_t move_to_file(KernelPipe *pipe, int file, int64_t *place) noexcept nogil
cdef ssize_t copy_out(KernelPipe *pipe, char *buffer, size_t size) noexcept nogil
