"""Listening and accepting."""

from uvnet._core.gil cimport hold_gil
from uvnet._core.handle cimport HANDLE_OPEN, block_of, handle_of
from uvnet._core.record cimport LoopRecord
from uvnet._core.stream cimport Stream
from uvnet._core.tick cimport enter, leave, report
from uvnet._uv.table cimport uv, uv_stream_t


cdef class Listener:
    """What turns a bound stream into one that accepts connections."""

    cdef int listen(self, int backlog) noexcept:
        """Start to listen; 0 or a libuv error."""
        self.backlog = backlog
        return uv.listen(self.stream.uv_stream(), backlog, _on_connection)

    cdef int accept(self, Stream client) noexcept:
        """Give the waiting connection to `client`, a stream without a socket; 0 or a libuv error."""
        cdef int status = uv.accept(self.stream.uv_stream(), client.uv_stream())
        if status < 0 and self.stream.state == HANDLE_OPEN:
            # libuv 1.52.1 stops accepting for ever after a failed uv_accept; listening anew starts it again.
            uv.listen(self.stream.uv_stream(), self.backlog, _on_connection)
        return status


cdef Listener new_listener(Stream stream, connection_event on_connection):
    cdef Listener self = Listener.__new__(Listener)
    self.stream = stream
    self.on_connection = on_connection
    stream.listener = self
    return self


cdef void _on_connection(uv_stream_t *uv_stream, int status) noexcept nogil:
    hold_gil(block_of(uv_stream).hold)
    _connection(uv_stream, status)


cdef void _connection(uv_stream_t *uv_stream, int status) noexcept with gil:
    cdef Stream stream = <Stream>handle_of(uv_stream)
    cdef LoopRecord record = stream.record
    cdef object owner = stream.owner
    if record.closed or owner is None:
        return
    enter(record)
    try:
        (<Listener>stream.listener).on_connection(owner, status)
    except BaseException as error:
        report(record, error, "exception in a uvnet connection callback", owner)
    leave(record)
