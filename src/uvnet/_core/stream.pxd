from uvnet._core.handle cimport Handle
from uvnet._core.record cimport LoopRecord
from uvnet._core.write_request cimport WriteRequest
from uvnet._uv.table cimport uv_connect_t, uv_stream_t

cdef class Stream

cdef enum:
    READS_AT_ONCE = 16       # of a stream that fills its buffer, before others get their turn

# What a stream tells its owner.  Called with the GIL between enter() and leave(); an exception is reported.
cdef struct StreamEvents:
    # nread > 0: so many bytes, in `chunk` (None with own_buffer).  nread < 0: UV_EOF or an error.
    int (*on_read)(object owner, bytes chunk, ssize_t nread) except -1
    # What was gathered has been handed over; request.state says how far it got.
    int (*on_sent)(object owner, WriteRequest request) except -1
    # A request that had to wait is done.
    int (*on_written)(object owner, WriteRequest request) except -1
    int (*on_shutdown)(object owner, int status) except -1
    int (*on_connected)(object owner, Stream stream, int status) except -1
    # A relay from here is over: UV_EOF or an error came.  A relay to here is over: it cannot be written to.
    int (*on_relay_ended)(object owner, ssize_t nread) except -1
    int (*on_relay_lost)(object owner) except -1
    # One of the above raised: user code did.
    int (*on_failed)(object owner, object error) except -1

cdef class Stream(Handle):
    cdef const StreamEvents *events
    cdef bint had_error              # what its owner's 'close' will say
    # What writes of this dispatch have gathered: one chunk, and only if there is more, a request.
    cdef object gathered_chunk
    cdef WriteRequest gathered
    cdef void *next_gathering        # that list; borrowed

    cdef inline uv_stream_t *uv_stream(self) noexcept:
        return <uv_stream_t *>self.uv_handle

    cdef void read_into(self, char *base, size_t size) noexcept
    cdef int read_start(self) noexcept
    cdef void read_stop(self) noexcept
    cdef void read_more(self) noexcept
    cdef void read_less(self) noexcept
    cdef int gather_chunk(self, object chunk) except -1
    cdef WriteRequest gather(self)
    cdef size_t gathered_length(self) noexcept
    cdef void _link(self) noexcept
    cdef int _send_chunk(self) except -1
    cdef int flush(self) except -1
    cdef int send(self, WriteRequest request) except -1
    cdef int shutdown(self) except? 1
    cdef void _unlink(self) noexcept
    cdef int _queue(self, WriteRequest request) except -1
    cdef int _sent(self, WriteRequest request, ssize_t sent) except -1
    cdef int _fail(self, WriteRequest request, int status) except -1

cdef void flush_streams(LoopRecord record) noexcept
cdef uv_connect_t *begin_connect(Stream stream) except NULL
cdef void abort_connect(uv_connect_t *request) noexcept
cdef void on_connect(uv_connect_t *request, int status) noexcept nogil
