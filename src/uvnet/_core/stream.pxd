from libc.stdint cimport uint64_t

from uvnet._core.handle cimport Handle
from uvnet._core.record cimport LoopRecord
from uvnet._core.write_request cimport WriteRequest
from uvnet._uv.table cimport uv_connect_t, uv_stream_t

cdef class Stream

# What a stream tells its owner.  Called with the GIL between enter() and leave(); an exception is reported.
cdef struct StreamEvents:
    # nread > 0: so many bytes at base, valid during the call.  nread < 0: UV_EOF or an error.
    int (*on_read)(object owner, const char *base, ssize_t nread) except -1
    # What was gathered has been handed over; request.state says how far it got.
    int (*on_sent)(object owner, WriteRequest request) except -1
    # A request that had to wait is done.
    int (*on_written)(object owner, WriteRequest request) except -1
    int (*on_shutdown)(object owner, int status) except -1
    int (*on_connected)(object owner, Stream stream, int status) except -1

cdef class Stream(Handle):
    cdef const StreamEvents *events
    cdef bint reading
    cdef bint had_error              # what its owner's 'close' will say
    cdef uint64_t bytes_read
    cdef uint64_t bytes_written      # handed over: sent, or waiting in libuv
    cdef size_t queued_bytes         # waiting in libuv
    cdef object listener             # the Listener, on a stream that listens
    cdef WriteRequest gathered       # open for more writes until it is flushed
    cdef void *next_gathering        # Stream list of the loop; borrowed, gathered is not None while linked

    cdef inline uv_stream_t *uv_stream(self) noexcept:
        return <uv_stream_t *>self.uv_handle

    cdef int read_start(self) noexcept
    cdef void read_stop(self) noexcept
    cdef WriteRequest gather(self)
    cdef int flush(self) except -1
    cdef int send(self, WriteRequest request) except -1
    cdef int shutdown(self) except? 1
    cdef void drop_gathered(self) noexcept
    cdef void _unlink(self) noexcept
    cdef int _queue(self, WriteRequest request, size_t length) except -1
    cdef int _fail(self, WriteRequest request, int status) except -1

cdef void flush_streams(LoopRecord record) noexcept
cdef uv_connect_t *begin_connect(Stream stream) except NULL
cdef void abort_connect(uv_connect_t *request) noexcept
cdef void on_connect(uv_connect_t *request, int status) noexcept nogil
