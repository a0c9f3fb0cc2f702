"""What a stream handle tells the Connection that owns it: the functions behind StreamEvents.

The handle may be of an earlier life of the Connection.
"""

from uvnet._loop.handle cimport HANDLE_CLOSING, Handle, open_handles
from uvnet._stream.stream cimport Stream
from uvnet._stream.stream_events cimport StreamEvents, nothing_told
from uvnet._stream.write_request cimport WriteRequest
from uvnet.errors.system cimport descriptor_lost
from uvnet.socket.connection cimport Connection
from uvnet.streams.readable cimport RELAY_FROM, RELAY_TO


cdef int _on_read(object owner, bytes chunk, ssize_t nread) except -1:
    cdef Connection self = <Connection>owner
    if self._handle is not None:
        self._received(chunk, nread)
    return 0


cdef int _on_sent(object owner, WriteRequest request) except -1:
    return (<Connection>owner)._gathered_sent(request)


cdef int _on_written(object owner, WriteRequest request) except -1:
    cdef Connection self = <Connection>owner
    if request is self._in_flight:
        self._touch()
    return self._written(request, False)


cdef int _on_secured(object owner, object error) except -1:
    return (<Connection>owner)._secured(error)


cdef int _on_ticket(object owner) except -1:
    return (<Connection>owner)._ticket_came()


cdef int _on_shutdown(object owner, Handle stream, int status) except -1:
    cdef Connection self = <Connection>owner
    return self._shutdown_done(status) if stream is self._handle else 0


cdef int _on_connected(object owner, Handle stream, int status) except -1:
    return (<Connection>owner)._connect_done(<Stream>stream, status)


cdef int _on_relay_ended(object owner, ssize_t nread) except -1:
    return (<Connection>owner)._relay_ended(nread)


cdef int _on_relay_lost(object owner) except -1:
    return (<Connection>owner)._leave_relays(RELAY_TO)


cdef int _on_lost(object owner, Handle stream) except -1:
    cdef Connection self = <Connection>owner
    if stream is self._handle:
        self._lost(descriptor_lost("read"))
    return 0


cdef size_t _queued(object owner) noexcept:
    return <size_t>(<Connection>owner)._writable_length


cdef int _on_failed(object owner, Handle stream, object error) except -1:
    return (<Connection>owner)._failed_in((<Stream>stream).life, error)


cdef int _on_closed(object owner, Handle handle) except -1:
    cdef Connection self = <Connection>owner
    cdef Stream stream = <Stream>handle
    self._closing -= 1
    tell_closed(self, stream.life)
    return self._emit_close(stream.had_error, stream.life)


cdef int tell_closed(Connection self, unsigned int life) except -1:
    """Tell of lives before that one, in their order, where their 'close' is still to come.

    libuv closes the last handle first, and may have connected the next one by then.
    """
    cdef Stream stream
    cdef Stream first = None
    while self._closing:
        first = None
        for handle in open_handles(self.record):
            # What lies on a handle closes with it.
            while isinstance((<Handle>handle).owner, Stream):
                handle = (<Handle>handle).owner
            if ((<Handle>handle).owner is self and (<Handle>handle).state == HANDLE_CLOSING
                    and (<Handle>handle).on_closed is not NULL):
                stream = <Stream>handle
                if stream.life < (life if first is None else first.life):
                    first = stream
        if first is None:
            return 0
        # Its requests have yet to call back.
        first.on_closed = NULL
        self._closing -= 1
        try:
            self._emit_close(first.had_error, first.life)
        except BaseException as error:
            self._failed_in(first.life, error)
    return 0


cdef int _on_abandoned(object owner) except -1:
    # The loop is gone: no event will come, and nothing may be used any more.
    cdef Connection self = <Connection>owner
    if self._relaying:
        self._leave_relays(RELAY_FROM | RELAY_TO)
    self._destroyed = True
    self._connecting = False
    if self._handle is not None:
        self._let_go()
    self._stop_connecting()
    self._buffered = None
    self._buffer = None
    self._finish_callbacks = None
    self._in_flight = None
    self._server = None
    return 0


cdef StreamEvents _events = nothing_told
_events.on_read = _on_read
_events.on_sent = _on_sent
_events.on_written = _on_written
_events.on_secured = _on_secured
_events.on_ticket = _on_ticket
_events.on_shutdown = _on_shutdown
_events.on_connected = _on_connected
_events.on_relay_ended = _on_relay_ended
_events.on_relay_lost = _on_relay_lost
_events.on_lost = _on_lost
_events.queued = _queued
_events.on_failed = _on_failed


cdef int attach(Connection self, Stream handle) except -1:
    """Give a Connection the handle that it is on from now on."""
    handle.owner = self
    handle.life = self._life
    handle.context = self._context
    handle.events = &_events
    handle.on_closed = _on_closed
    handle.on_abandoned = _on_abandoned
    handle.set_referenced(not self._unreferenced)
    handle.set_activity(&self._idle.last if self._idle is not NULL else NULL)
    self._handle = handle
    if self._reader is not None:
        handle.read_into(<char *>self._reader.view.buf, self._reader.view.len)
    return 0
