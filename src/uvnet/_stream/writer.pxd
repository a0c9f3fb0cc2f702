from libc.stdint cimport uint64_t

from uvnet._loop.handle cimport Handle
from uvnet._stream.stream_events cimport StreamEvents
from uvnet._stream.write_request cimport WriteRequest
from uvnet._uv.table cimport uv_stream_t

cdef class Writer

# What tell_owner() calls; an exception goes to the owner's on_failed.
ctypedef int (*stream_event)(Writer stream, object owner, void *what, ssize_t number) except -1

cdef class Writer(Handle):
    cdef const StreamEvents *events
    # What writes of this dispatch have gathered: one chunk, and only if there is more, a request.
    cdef object gathered_chunk
    cdef WriteRequest gathered
    cdef void *next_gathering        # that list; borrowed

    cdef inline uv_stream_t *uv_stream(self) noexcept:
        return <uv_stream_t *>self.uv_handle

    cdef size_t unsent(self) noexcept
    cdef bint gets_on(self, uint64_t *sent) noexcept
    cdef int gather_chunk(self, object chunk) except -1
    cdef WriteRequest gather(self)
    cdef size_t gathered_length(self) noexcept
    cdef void _link(self) noexcept
    cdef int _send_chunk(self) except -1
    cdef WriteRequest _send_gathered(self, WriteRequest request)
    cdef int flush(self) except -1
    cdef int send(self, WriteRequest request) except -1
    cdef int shutdown(self) except? 1
    cdef void _unlink(self) noexcept
    cdef int _queue(self, WriteRequest request) except -1
    cdef int _sent(self, WriteRequest request, ssize_t sent) except -1
    cdef int _fail(self, WriteRequest request, int status) except -1

# For tell_owner().
cdef int tell_written(Writer self, object owner, void *request, ssize_t number) except -1
cdef int tell_shutdown(Writer self, object owner, void *what, ssize_t status) except -1

cdef void tell_failed(Writer stream, object owner, object error) noexcept
cdef void tell_owner(Writer stream, stream_event event, void *what, ssize_t number) noexcept
