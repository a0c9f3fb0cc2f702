"""The writing half of a stream: gathering, sending, waiting for room, and the end (shutdown).

Writing tries first and queues the rest (rule 0.4.1).  Small writes made in one dispatch are gathered in one
WriteRequest and go out in one system call when the dispatch ends, see tick.pyx.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EBADF, ENOMEM
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc

from uvnet._loop.adopted cimport changed
from uvnet._loop.context cimport enter_context, exit_context
from uvnet._loop.counters cimport counters
from uvnet._loop.handle cimport HANDLE_OPEN, Handle
from uvnet._loop.record cimport LoopRecord, stream_hooks
from uvnet._loop.threads cimport add_to
from uvnet._loop.tick cimport enter, leave, report
from uvnet._stream.transfer cimport send_now
from uvnet._stream.write_request cimport (
    WRITE_DONE,
    WRITE_FAILED,
    WRITE_WAITING,
    WriteRequest,
    chunk_buffer,
    chunk_length,
    length_of_writes,
)
from uvnet._uv.table cimport (
    UVNET_UV_SHUTDOWN,
    UVNET_UV_WRITE,
    uv,
    uv_buf_t,
    uv_shutdown_t,
    uv_write_t,
    uvnet_uv_write_queue_size,
)

cdef extern from *:
    """
    #include <sys/ioctl.h>
    #include <sys/socket.h>
    #ifdef __linux__
    #include <linux/sockios.h>
    #endif

    static int uvnet_not_acknowledged(int descriptor)
    {
        int bytes = 0;
    #if defined(SIOCOUTQ)
        if (ioctl(descriptor, SIOCOUTQ, &bytes) < 0)
            return 0;
    #elif defined(SO_NWRITE)
        socklen_t length = sizeof(bytes);
        if (getsockopt(descriptor, SOL_SOCKET, SO_NWRITE, &bytes, &length) < 0)
            return 0;
    #endif
        return bytes;
    }
    """
    int not_acknowledged "uvnet_not_acknowledged" (int descriptor) nogil


cdef class Writer(Handle):
    """What a Stream writes with."""

    cdef size_t unsent(self) noexcept:
        """Bytes that libuv has taken and the system has not."""
        return uvnet_uv_write_queue_size(self.uv_stream())

    cdef size_t queued(self) noexcept:
        """How many bytes take memory until they are sent, whoever has them: the owner, or the stream."""
        cdef size_t queued = self.block.queued_bytes
        if self.owner is not None and self.events is not NULL:
            queued = max(queued, self.events.queued(self.owner))
        return queued

    cdef bint gets_on(self, uint64_t *sent) noexcept:
        """Whether more has gone out than when this was asked last: libuv calls back when all of it has."""
        # The system has room again only when much of what it holds is gone, which takes a slow reader long.
        cdef uint64_t now = self.block.bytes_written - self.unsent() - not_acknowledged(self.fileno())
        cdef bint more = now != sent[0]
        sent[0] = now
        return more

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

    cdef int _flush_gathered(self) except -1:
        cdef WriteRequest request
        request = self.gathered
        self.gathered = None
        request = self._send_gathered(request)
        if request is not None and self.owner is not None:
            self.events.on_sent(self.owner, request)
        return 0

    cdef int _send_chunk(self) except -1:
        """Send the one chunk that was gathered; a request is made only where some of it is left."""
        cdef object chunk = self.gathered_chunk
        cdef WriteRequest request = None
        cdef ssize_t sent
        if chunk is None:
            return 0
        self.gathered_chunk = None
        sent = self._try_chunk(chunk)
        if sent == chunk_length(chunk):
            return 0
        try:
            request = self._rest_of_chunk(chunk, sent)
        except MemoryError as error:
            # What is lost is not lost in silence.
            if self.owner is not None:
                tell_failed(self, self.owner, error)
        if request is not None and self.owner is not None:
            self.events.on_sent(self.owner, request)
        return 0

    cdef WriteRequest send_chunk(self, object chunk):
        """send() of one chunk: None where all of it is out, else the request, failed or waiting."""
        cdef ssize_t sent = self._try_chunk(chunk)
        return None if sent == chunk_length(chunk) else self._rest_of_chunk(chunk, sent)

    cdef ssize_t _try_chunk(self, object chunk) noexcept:
        """What send_now() says of it; 0 where it is not to be asked."""
        cdef uv_buf_t buffer
        cdef ssize_t sent
        if self.state != HANDLE_OPEN or self.block.queued_bytes:
            return 0
        chunk_buffer(chunk, &buffer)
        sent = send_now(self.block, &buffer, 1)
        if sent == <ssize_t>buffer.len:
            self.block.bytes_written += sent
        return sent

    cdef WriteRequest _rest_of_chunk(self, object chunk, ssize_t sent):
        cdef WriteRequest request = WriteRequest.__new__(WriteRequest)
        request.add(chunk)
        self._sent(request, sent)
        return request

    cdef WriteRequest _send_gathered(self, WriteRequest request):
        """Send a gathered request, of which each write is complete as soon as its own bytes are with the system.

        Returns the request for the first write that is not: waiting, with the others as its `rest`; or
        the whole, failed; or None where everything is out.
        """
        cdef WriteRequest waiting
        cdef ssize_t sent = 0
        request.total = request.length
        if request.length == 0:
            request.state = WRITE_DONE
            return None
        if self.state != HANDLE_OPEN:
            sent = -EBADF
        elif self.block.queued_bytes == 0:
            sent = send_now(self.block, request.buffers, request.count)
            if sent == -EAGAIN:
                sent = 0
        if sent < 0:
            self._fail(request, <int>sent)
            return request
        if <size_t>sent == request.length:
            self.block.bytes_written += sent
            request.release()
            request.state = WRITE_DONE
            return None
        try:
            waiting = request.split(sent)
        except MemoryError:
            waiting = None
        if waiting is None:
            self._fail(request, -ENOMEM)
            return request
        self.block.bytes_written += request.length - waiting.total - length_of_writes(waiting.rest)
        request.release()
        request.state = WRITE_DONE
        self._queue(waiting)
        return waiting

    cdef void _unlink_behind(self) noexcept:
        cdef Writer other = <Writer>self.record.first_gathering
        while other.next_gathering is not <void *>self:
            other = <Writer>other.next_gathering
        other.next_gathering = self.next_gathering

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
            return self._fail(request, -ENOMEM)
        request.uv_write.data = <void *>request
        status = uv.write(request.uv_write, self.uv_stream(), request.buffers, request.count, _on_write)
        changed(self.block)
        if status < 0:
            return self._fail(request, status)
        request.stream = self
        request.state = WRITE_WAITING
        self.block.bytes_written += request.total
        self.block.queued_bytes += request.length
        add_to(counters.requests, 1)
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
        changed(self.block)
        if status < 0:
            free(request)
            return status
        add_to(counters.requests, 1)
        return 0


cdef void flush_streams(LoopRecord record) noexcept:
    """Send what every stream of the loop has gathered (the hook `stream_hooks.flush`)."""
    cdef Writer stream
    while record.first_gathering is not NULL:
        stream = <Writer>record.first_gathering
        try:
            stream.flush()
        except BaseException as error:
            if stream.owner is not None:
                tell_failed(stream, stream.owner, error)


cdef void drop_gathered(LoopRecord record) noexcept:
    """Forget what every stream of the loop has gathered: somebody else sends it."""
    cdef Writer stream
    while record.first_gathering is not NULL:
        stream = <Writer>record.first_gathering
        stream._unlink()
        stream.gathered = stream.gathered_chunk = None


cdef void tell_owner(Writer stream, stream_event event, void *what, ssize_t number) noexcept:
    """Call event(stream, owner, what, number) where there is still an owner to hear of it.  Needs the GIL."""
    cdef LoopRecord record = stream.record
    cdef object owner = stream.owner
    cdef object context = stream.context
    if owner is None or record.closed:
        return
    enter(record)
    enter_context(context)
    try:
        event(stream, owner, what, number)
    except BaseException as error:
        tell_failed(stream, owner, error)
    exit_context(context)
    leave(record)


cdef void tell_failed(Writer stream, object owner, object error) noexcept:
    """Tell the owner that one of its events raised; where it has given the stream away by then, report it."""
    if stream.events is not NULL and stream.owner is owner:
        stream.events.on_failed(owner, stream, error)
    else:
        report(stream.record, error, "exception in a uvnet stream callback", owner)


cdef void _on_write(uv_write_t *uv_write, int status) noexcept with gil:
    cdef WriteRequest request = <WriteRequest>uv_write.data
    cdef Writer self = <Writer>request.stream
    self.block.queued_bytes -= request.length
    changed(self.block)
    add_to(counters.requests, -1)
    request.stream = None
    request.release()
    request.state = WRITE_DONE if status == 0 else WRITE_FAILED
    request.status = status
    tell_owner(self, tell_written, <void *>request, 0)
    Py_DECREF(request)


cdef int tell_written(Writer self, object owner, void *request, ssize_t number) except -1:
    return self.events.on_written(owner, <WriteRequest>request)


cdef void _on_shutdown(uv_shutdown_t *uv_shutdown, int status) noexcept with gil:
    cdef Writer self = <Writer>uv_shutdown.data
    free(uv_shutdown)
    changed(self.block)
    add_to(counters.requests, -1)
    tell_owner(self, tell_shutdown, NULL, status)


cdef int tell_shutdown(Writer self, object owner, void *what, ssize_t status) except -1:
    return self.events.on_shutdown(owner, self, <int>status)


stream_hooks.flush = flush_streams
stream_hooks.drop_gathered = drop_gathered
