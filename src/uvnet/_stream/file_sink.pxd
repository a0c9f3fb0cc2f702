# A file that takes what a stream receives, by splice(2).

from libc.stdint cimport int64_t

from uvnet._loop.handle cimport HandleBlock
from uvnet._stream.kernel_pipe cimport KernelPipe, PipePool
from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport uv_loop_t

cdef struct FileFlow:
    HandleBlock *source      # NULL while nothing goes there
    uv_loop_t *uv_loop
    PipePool *pool
    KernelPipe pipe          # reader -1 outside of callbacks
    int file
    int64_t begin
    int64_t place            # so far it has got
    int64_t end
    int file_error           # an errno, or 0
    bint refused             # splice(2) is not for these two

cdef class FileSink:
    cdef FileFlow flow

    cdef bint is_attached(self) noexcept
    cdef void stop(self) noexcept

cdef bint start_sink(Stream source, FileSink sink) except -1
