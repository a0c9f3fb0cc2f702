"""The stream engine: reading, writing, shutting down and connecting, for TCP and Unix sockets alike.

Writing tries first and queues the rest (rule 0.4.1).  Small writes made in one dispatch are gathered in one
WriteRequest and go out in one system call when the dispatch ends, see tick.pyx.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EBADF
from libc.stdlib cimport free, malloc

from uvnet._core.counters cimport counters
from uvnet._core.handle cimport HANDLE_OPEN, Handle, block_of, handle_of
from uvnet._core.record cimport LoopRecord
from uvnet._core.tick cimport enter, leave, report
from uvnet._core.write_request cimport WRITE_DONE, WRITE_FAILED, WRITE_WAITING, WriteRequest
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


cdef class Stream(Handle):
    """A connected, connecting or listening stream; TCP and Pipe say which."""

    cdef int read_start(self) noexcept:
        """Start reading; 0 or a libuv error."""
        cdef int status
        if self.reading or self.state != HANDLE_OPEN:
            return 0
        status = uv.read_start(self.uv_stream(), _on_alloc, _on_read)
        self.reading = status == 0
        return status

    cdef void read_stop(self) noexcept:
        # libuv: read_stop clears the read callback, so it must never run inside an alloc callback; ours
        # calls nobody.
        if self.reading and self.state == HANDLE_OPEN:
            uv.read_stop(self.uv_stream())
        self.reading = False

    cdef WriteRequest gather(self):
        """The request that writes of this dispatch go into; flushed when the dispatch ends."""
        cdef LoopRecord record
        if self.gathered is None:
            record = self.record
            self.gathered = WriteRequest.__new__(WriteRequest)
            self.next_gathering = record.first_gathering
            record.first_gathering = <void *>self
            if record.depth == 0:
                record.wake(record)
        return self.gathered

    cdef int flush(self) except -1:
        """Send what was gathered now and tell the owner, who may look at the request's state."""
        cdef WriteRequest request = self.gathered
        if request is None:
            return 0
        self._unlink()
        self.gathered = None
        self.send(request)
        if self.owner is not None:
            self.events.on_sent(self.owner, request)
        return 0

    cdef void _unlink(self) noexcept:
        cdef Stream other
        if self.record.first_gathering is <void *>self:
            self.record.first_gathering = self.next_gathering
        else:
            other = <Stream>self.record.first_gathering
            while other.next_gathering is not <void *>self:
                other = <Stream>other.next_gathering
            other.next_gathering = self.next_gathering
        self.next_gathering = NULL

    cdef void drop_gathered(self) noexcept:
        """Forget what was gathered: the loop is gone."""
        if self.gathered is not None:
            self._unlink()
            self.gathered.release()
            self.gathered = None

    cdef int send(self, WriteRequest request) except -1:
        """Hand a request over: afterwards it is done, failed, or waiting for its on_written event."""
        cdef size_t length = request.length
        cdef int sent = 0
        request.total = length
        if self.state != HANDLE_OPEN:
            return self._fail(request, -EBADF)
        if self.queued_bytes == 0:
            # libuv: UV_EAGAIN when nothing can be written at once.
            sent = uv.try_write(self.uv_stream(), request.buffers, request.count)
            if sent == -EAGAIN:
                sent = 0
            elif sent < 0:
                return self._fail(request, sent)
            if <size_t>sent == length:
                self.bytes_written += length
                request.release()
                request.state = WRITE_DONE
                return 0
            request.advance(sent)
        return self._queue(request, length)

    cdef int _queue(self, WriteRequest request, size_t length) except -1:
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
        self.bytes_written += length
        self.queued_bytes += request.length
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


cdef void _on_alloc(uv_handle_t *uv_handle, size_t suggested, uv_buf_t *buffer) noexcept nogil:
    # One buffer per loop is enough: libuv fills it and calls _on_read before it asks again.
    buffer.base = block_of(uv_handle).read_buffer
    buffer.len = block_of(uv_handle).read_size


cdef void _on_read(uv_stream_t *uv_stream, ssize_t nread, const uv_buf_t *buffer) noexcept nogil:
    # libuv: nread 0 is EAGAIN, not the end.
    if nread != 0:
        _deliver(uv_stream, nread, buffer.base)


cdef void _deliver(uv_stream_t *uv_stream, ssize_t nread, const char *base) noexcept with gil:
    cdef Stream self = <Stream>handle_of(uv_stream)
    cdef LoopRecord record = self.record
    cdef object owner = self.owner
    if record.closed or owner is None:
        return
    if nread > 0:
        self.bytes_read += nread
    enter(record)
    try:
        self.events.on_read(owner, base, nread)
    except BaseException as error:
        report(record, error, "exception in a uvnet read callback", owner)
    leave(record)


cdef void _on_write(uv_write_t *uv_write, int status) noexcept with gil:
    cdef WriteRequest request = <WriteRequest>uv_write.data
    cdef Stream self = <Stream>request.stream
    cdef LoopRecord record = self.record
    cdef object owner = self.owner
    self.queued_bytes -= request.length
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
            report(record, error, "exception in a uvnet write callback", owner)
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
        report(record, error, "exception in a uvnet shutdown callback", owner)
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
        report(record, error, "exception in a uvnet connect callback", owner)
    leave(record)
