"""The stream engine: reading, writing, shutting down and connecting, for TCP and Unix sockets alike.

Writing tries first and queues the rest (rule 0.4.1).  Small writes made in one dispatch are gathered in one
WriteRequest and go out in one system call when the dispatch ends, see tick.pyx.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_Clear
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EBADF
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from uvnet._core.counters cimport counters
from uvnet._core.gil cimport hold_gil
from uvnet._core.handle cimport HANDLE_OPEN, Handle, HandleBlock, block_of
from uvnet._core.record cimport FIRST_READ_SIZE, READ_BUFFER_SIZE, LoopRecord
from uvnet._core.tick cimport enter, leave, report
from uvnet._core.transfer cimport receive_now, send_now
from uvnet._core.write_request cimport (
    WRITE_DONE,
    WRITE_FAILED,
    WRITE_WAITING,
    WriteRequest,
    chunk_buffer,
    chunk_length,
)
from uvnet._uv.table cimport (
    UVNET_UV_CONNECT,
    UVNET_UV_SHUTDOWN,
    UVNET_UV_WRITE,
    uv,
    uv_buf_t,
    uv_connect_t,
    uv_handle_t,
    uv_shutdown_t,
    uv_stream_t,
    uv_write_t,
)

cdef extern from *:
    """
    static void uvnet_forget_hash(PyObject *bytes)
    {
    #if defined(__GNUC__)
    #pragma GCC diagnostic push
    #pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    #endif
        ((PyBytesObject *)bytes)->ob_shash = -1;
    #if defined(__GNUC__)
    #pragma GCC diagnostic pop
    #endif
    }
    """
    void forget_hash "uvnet_forget_hash" (PyObject *chunk)
    # As they are in C: the object cannot be one of Cython's before it has its size.
    PyObject *allocate_bytes "PyBytes_FromStringAndSize" (const char *data, Py_ssize_t length)
    int resize_bytes "_PyBytes_Resize" (PyObject **chunk, Py_ssize_t length)
    void Py_XDECREF(PyObject *chunk)
    Py_ssize_t Py_REFCNT(PyObject *chunk)
    Py_ssize_t Py_SIZE(PyObject *chunk)

cdef enum:
    SMALLEST_SPARE = 480     # bytes; what obmalloc serves is no slower than the reuse


cdef class Stream(Handle):
    """A connected, connecting or listening stream; TCP and Pipe say which."""

    cdef void read_into(self, char *base, size_t size) noexcept:
        """Read into memory of the owner's from now on, which must stay while the handle reads."""
        if self.block is not NULL:
            self.block.own_buffer = True
            self.block.read_buffer = base
            self.block.read_size = size

    cdef int read_start(self) noexcept:
        """Start reading; 0 or a libuv error."""
        cdef int status
        if self.state != HANDLE_OPEN or self.block.reading or self.block.relay_from is not NULL:
            return 0
        self.read_less()
        status = uv.read_start(self.uv_stream(), _on_alloc, _on_read)
        self.block.reading = status == 0
        return status

    cdef void read_stop(self) noexcept:
        # libuv: read_stop clears the read callback, so it must never run inside an alloc callback; ours
        # calls nobody.
        if self.state == HANDLE_OPEN and self.block.reading:
            self.block.reading = False
            uv.read_stop(self.uv_stream())

    cdef void read_more(self) noexcept:
        """What a full read brought was taken at once: the next one may bring more."""
        if not self.block.own_buffer and self.block.read_size < READ_BUFFER_SIZE:
            self.block.read_size *= 2

    cdef void read_less(self) noexcept:
        """Nobody has shown, or shows any more, that larger reads than the first are taken at once."""
        if self.block is not NULL and not self.block.own_buffer:
            self.block.read_size = FIRST_READ_SIZE

    cdef int gather_chunk(self, object chunk) except -1:
        """Add a chunk to what goes out when the dispatch ends."""
        if not self.block.gathering:
            self._link()
            self.gathered_chunk = chunk
        elif self.gathered is None and self.gathered_chunk is None:
            self.gathered_chunk = chunk
        else:
            self.gather().add(chunk)
        return 0

    cdef WriteRequest gather(self):
        """The request for what goes out when the dispatch ends, with what has been gathered already."""
        cdef WriteRequest request = self.gathered
        if request is None:
            if not self.block.gathering:
                self._link()
            request = self.gathered = WriteRequest.__new__(WriteRequest)
            if self.gathered_chunk is not None:
                request.add(self.gathered_chunk)
                self.gathered_chunk = None
        return request

    cdef size_t gathered_length(self) noexcept:
        """Bytes gathered."""
        if self.gathered is not None:
            return self.gathered.length
        return 0 if self.gathered_chunk is None else chunk_length(self.gathered_chunk)

    cdef int flush(self) except -1:
        """Send what was gathered now and tell the owner, who may look at the request's state."""
        cdef WriteRequest request
        if self.block is NULL or not self.block.gathering:
            return 0
        self._unlink()
        if self.gathered is None:
            return self._send_chunk()
        request = self.gathered
        self.gathered = None
        self.send(request)
        if self.owner is not None:
            self.events.on_sent(self.owner, request)
        return 0

    cdef int _send_chunk(self) except -1:
        """Send the one chunk that was gathered; a request is made only where some of it is left."""
        cdef object chunk = self.gathered_chunk
        cdef uv_buf_t buffer
        cdef WriteRequest request
        cdef ssize_t sent = 0
        if chunk is None:
            return 0
        self.gathered_chunk = None
        if self.state == HANDLE_OPEN and self.block.queued_bytes == 0:
            chunk_buffer(chunk, &buffer)
            sent = send_now(self.block, &buffer, 1)
            if sent == <ssize_t>buffer.len:
                self.block.bytes_written += sent
                return 0
        request = WriteRequest.__new__(WriteRequest)
        request.add(chunk)
        self._sent(request, sent)
        if self.owner is not None:
            self.events.on_sent(self.owner, request)
        return 0

    cdef void _link(self) noexcept:
        cdef LoopRecord record = self.record
        self.block.gathering = True
        self.next_gathering = record.first_gathering
        record.first_gathering = <void *>self
        if record.depth == 0:
            record.wake(record)

    cdef void _unlink(self) noexcept:
        cdef Stream other
        self.block.gathering = False
        if self.record.first_gathering is <void *>self:
            self.record.first_gathering = self.next_gathering
        else:
            other = <Stream>self.record.first_gathering
            while other.next_gathering is not <void *>self:
                other = <Stream>other.next_gathering
            other.next_gathering = self.next_gathering
        self.next_gathering = NULL

    cdef int send(self, WriteRequest request) except -1:
        """Hand a request over: afterwards it is done, failed, or waiting for its on_written event."""
        cdef ssize_t sent = 0
        if self.state == HANDLE_OPEN and self.block.queued_bytes == 0 and request.length:
            sent = send_now(self.block, request.buffers, request.count)
        return self._sent(request, sent)

    cdef int _sent(self, WriteRequest request, ssize_t sent) except -1:
        """Go on after send_now() said `sent`."""
        request.total = request.length
        if self.state != HANDLE_OPEN:
            return self._fail(request, -EBADF)
        if sent < 0 and sent != -EAGAIN:
            return self._fail(request, <int>sent)
        if sent > 0:
            if <size_t>sent == request.length:
                self.block.bytes_written += sent
                request.release()
                request.state = WRITE_DONE
                return 0
            request.advance(sent)
        elif request.length == 0:
            request.release()
            request.state = WRITE_DONE
            return 0
        return self._queue(request)

    cdef int _queue(self, WriteRequest request) except -1:
        cdef int status
        request.uv_write = <uv_write_t *>malloc(uv.req_size(UVNET_UV_WRITE))
        if request.uv_write is NULL:
            raise MemoryError
        request.uv_write.data = <void *>request
        status = uv.write(request.uv_write, self.uv_stream(), request.buffers, request.count, _on_write)
        if status < 0:
            return self._fail(request, status)
        request.stream = self
        request.state = WRITE_WAITING
        self.block.bytes_written += request.total
        self.block.queued_bytes += request.length
        counters.requests += 1
        Py_INCREF(request)
        return 0

    cdef int _fail(self, WriteRequest request, int status) except -1:
        request.release()
        request.state = WRITE_FAILED
        request.status = status
        return 0

    cdef int shutdown(self) except? 1:
        """Send FIN once everything written is out; 0, or a libuv error.  on_shutdown follows on success."""
        cdef uv_shutdown_t *request
        cdef int status
        request = <uv_shutdown_t *>malloc(uv.req_size(UVNET_UV_SHUTDOWN))
        if request is NULL:
            raise MemoryError
        request.data = <void *>self
        status = uv.shutdown(request, self.uv_stream(), _on_shutdown)
        if status < 0:
            free(request)
            return status
        counters.requests += 1
        return 0


cdef void flush_streams(LoopRecord record) noexcept:
    """Send what every stream of the loop has gathered (the hook `record.flush`)."""
    cdef Stream stream
    while record.first_gathering is not NULL:
        stream = <Stream>record.first_gathering
        try:
            stream.flush()
        except BaseException as error:
            report(record, error, "exception while sending gathered writes", stream.owner)


# libuv: given an empty buffer it reads nothing and calls the read callback with UV_ENOBUFS.

cdef void _on_alloc(uv_handle_t *uv_handle, size_t suggested, uv_buf_t *buffer) noexcept nogil:
    cdef HandleBlock *block = block_of(uv_handle)
    # One buffer per loop is enough: it is filled and taken before anybody else is asked.
    buffer.base = block.read_buffer
    buffer.len = block.read_size if block.no_socket else 0


cdef void _on_read(uv_stream_t *uv_stream, ssize_t nread, const uv_buf_t *buffer) noexcept nogil:
    cdef HandleBlock *block = block_of(uv_stream)
    cdef int reads = 0
    if block.read_size > FIRST_READ_SIZE and not block.own_buffer and not block.no_socket:
        hold_gil(block.hold)
        (<read_function>_read_large)(uv_stream)
        return
    if not block.no_socket:
        nread = receive_now(block, block.read_buffer, block.read_size)
    elif nread > 0:
        block.bytes_read += nread
    elif nread == 0:
        # libuv: EAGAIN, not the end.
        return
    while nread != -EAGAIN:
        if nread < 0:
            block.reading = False
            uv.read_stop(uv_stream)
        hold_gil(block.hold)
        (<deliver_function>_deliver)(uv_stream, nread)
        reads += 1
        # libuv: the memory of a handle that was closed stays until its close callback, so for this turn.
        if (nread < <ssize_t>block.read_size or not block.reading or reads == READS_AT_ONCE
                or block.no_socket or block.relay_from is not NULL):
            return
        nread = receive_now(block, block.read_buffer, block.read_size)


# The GIL is held already; taking it once more would cost as much as the listener.
ctypedef void (*deliver_function)(uv_stream_t *, ssize_t) noexcept nogil
ctypedef void (*read_function)(uv_stream_t *) noexcept nogil


cdef void _deliver(uv_stream_t *uv_stream, ssize_t nread) noexcept:
    cdef HandleBlock *block = block_of(uv_stream)
    cdef Stream self = <Stream>block.owner
    cdef bytes chunk = None
    try:
        if nread > 0 and not block.own_buffer:
            chunk = new_chunk(self.record, block.read_buffer, nread)
    except MemoryError as error:
        _tell_failed(self, error)
        return
    _tell_read(self, chunk, nread)


cdef void _read_large(uv_stream_t *uv_stream) noexcept:
    """Read straight into the object that is delivered: so much at once is not worth copying."""
    cdef HandleBlock *block = block_of(uv_stream)
    cdef Stream self = <Stream>block.owner
    cdef PyObject *chunk = allocate_bytes(NULL, block.read_size)
    cdef ssize_t nread
    if chunk is NULL:
        PyErr_Clear()
        _tell_failed(self, MemoryError())
        return
    nread = receive_now(block, PyBytes_AS_STRING(<object>chunk), block.read_size)
    if nread > 0 and resize_bytes(&chunk, nread) == 0:
        _tell_read(self, <bytes>chunk, nread)
    elif nread > 0:
        PyErr_Clear()
        _tell_failed(self, MemoryError())
    elif nread != -EAGAIN:
        block.reading = False
        uv.read_stop(uv_stream)
        _tell_read(self, None, nread)
    Py_XDECREF(chunk)


cdef void _tell_failed(Stream self, object error) noexcept:
    cdef LoopRecord record = self.record
    if record.closed or self.owner is None:
        return
    enter(record)
    self.events.on_failed(self.owner, error)
    leave(record)


cdef void _tell_read(Stream self, bytes chunk, ssize_t nread) noexcept:
    cdef LoopRecord record = self.record
    cdef object owner = self.owner
    if record.closed or owner is None:
        return
    record.depth += 1
    try:
        self.events.on_read(owner, chunk, nread)
        if record.first_gathering is <void *>self and record.depth == 1 and self.next_gathering is NULL:
            # An answer to what was read: the way through the loop's list would find just this.
            self.flush()
    except BaseException as error:
        self.events.on_failed(owner, error)
    leave(record)


cdef bytes new_chunk(LoopRecord record, const char *base, ssize_t length):
    """The bytes that were read, as an object.

    The last one is kept by the record.  Where nobody else holds it by the time that as many bytes come again,
    it is written anew instead of being freed and allocated: nobody is left to see it change.
    """
    cdef PyObject *spare = record.spare_chunk
    cdef bytes chunk
    if spare is not NULL and Py_REFCNT(spare) == 1 and Py_SIZE(spare) == length:
        memcpy(PyBytes_AS_STRING(<object>spare), base, length)
        forget_hash(spare)
        return <bytes>spare
    chunk = PyBytes_FromStringAndSize(base, length)
    # Objects that the small-object allocator serves are as cheap to make anew, and one byte is shared.
    if length >= SMALLEST_SPARE:
        Py_INCREF(chunk)
        record.spare_chunk = <PyObject *>chunk
        if spare is not NULL:
            Py_DECREF(<object>spare)
    return chunk


cdef void _on_write(uv_write_t *uv_write, int status) noexcept with gil:
    cdef WriteRequest request = <WriteRequest>uv_write.data
    cdef Stream self = <Stream>request.stream
    cdef LoopRecord record = self.record
    cdef object owner = self.owner
    self.block.queued_bytes -= request.length
    counters.requests -= 1
    request.stream = None
    request.release()
    request.state = WRITE_DONE if status == 0 else WRITE_FAILED
    request.status = status
    if owner is not None and not record.closed:
        enter(record)
        try:
            self.events.on_written(owner, request)
        except BaseException as error:
            self.events.on_failed(owner, error)
        leave(record)
    Py_DECREF(request)


cdef void _on_shutdown(uv_shutdown_t *uv_shutdown, int status) noexcept with gil:
    cdef Stream self = <Stream>uv_shutdown.data
    cdef LoopRecord record = self.record
    cdef object owner = self.owner
    free(uv_shutdown)
    counters.requests -= 1
    if owner is None or record.closed:
        return
    enter(record)
    try:
        self.events.on_shutdown(owner, status)
    except BaseException as error:
        self.events.on_failed(owner, error)
    leave(record)


cdef uv_connect_t *begin_connect(Stream stream) except NULL:
    """A connect request for the stream; give it to uv_*_connect with on_connect, or to abort_connect()."""
    cdef uv_connect_t *request = <uv_connect_t *>malloc(uv.req_size(UVNET_UV_CONNECT))
    if request is NULL:
        raise MemoryError
    request.data = <void *>stream
    counters.requests += 1
    return request


cdef void abort_connect(uv_connect_t *request) noexcept:
    """Take back a request that libuv refused."""
    counters.requests -= 1
    free(request)


cdef void on_connect(uv_connect_t *request, int status) noexcept nogil:
    """The callback for the requests of begin_connect()."""
    _connected(request, status)


cdef void _connected(uv_connect_t *request, int status) noexcept with gil:
    cdef Stream self = <Stream>request.data
    cdef LoopRecord record = self.record
    cdef object owner = self.owner
    abort_connect(request)
    if owner is None or record.closed:
        return
    enter(record)
    try:
        self.events.on_connected(owner, self, status)
    except BaseException as error:
        self.events.on_failed(owner, error)
    leave(record)
