from uvnet._loop.record cimport LoopRecord
from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport uv_pipe_t

cdef class Pipe(Stream):
    cdef inline uv_pipe_t *uv_pipe(self) noexcept:
        return <uv_pipe_t *>self.uv_handle

    cdef int open(self, int descriptor) noexcept
    cdef int connect(self, bytes path) except? 1
    cdef tuple peer_credentials(self)

cdef Pipe open_pipe(LoopRecord record)
