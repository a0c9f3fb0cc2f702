"""What a stream handle tells the Transport that owns it: the functions behind StreamEvents."""

from uvnet._loop.handle cimport Handle
from uvnet._loop.tick cimport report
from uvnet._stream.stream cimport Stream
from uvnet._stream.stream_events cimport StreamEvents, nothing_told
from uvnet._stream.write_request cimport WRITE_FAILED, WriteRequest
from uvnet.errors.system cimport descriptor_lost, system_error
from uvnet.transports.base_transport cimport TRANSPORT_LOST
from uvnet.transports.transport cimport Transport

from uvnet.transports.base_transport import transports_of


cdef int _on_read(object owner, bytes chunk, ssize_t nread) except -1:
    cdef Transport self = <Transport>owner
    if self._handle is None:
        return self._release_view()
    self._touch()
    return self._received(chunk, nread)


cdef int _on_wanted(object owner, char **base, size_t *size) except -1:
    return (<Transport>owner)._wanted(base, size)


cdef int _on_sent(object owner, WriteRequest request) except -1:
    cdef Transport self = <Transport>owner
    return 0 if self._handle is None else self._sent(request)


cdef int _on_written(object owner, WriteRequest request) except -1:
    cdef Transport self = <Transport>owner
    if self._handle is None:
        return 0
    if request.state == WRITE_FAILED:
        return self._fail(system_error(request.status, "write"), "Fatal write error on socket transport")
    self._touch()
    self._wake_if_empty()
    self._resume_maybe()
    return self._finish_maybe()


cdef int _on_secured(object owner, object error) except -1:
    cdef Transport self = <Transport>owner
    return 0 if self._handle is None else self._secured(error)


cdef int _on_shutdown(object owner, Handle stream, int status) except -1:
    cdef Transport self = <Transport>owner
    return 0 if self._handle is None else self._finish_maybe()


cdef int _on_lost(object owner, Handle stream) except -1:
    cdef Transport self = <Transport>owner
    return 0 if self._handle is None else self._fail(descriptor_lost("read"), "Fatal read error on socket transport")


cdef int _on_failed(object owner, Handle stream, object error) except -1:
    cdef Transport self = <Transport>owner
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        # Out of the loop's run, as from any asyncio callback.
        report(self.record, error, "exception in a protocol callback", None)
        return 0
    return self._fail(error, "Fatal error in a protocol callback")


cdef int _on_abandoned(object owner) except -1:
    """The loop is gone: no event will come."""
    cdef Transport self = <Transport>owner
    self._state = TRANSPORT_LOST
    self._handle = None
    self._give_up()
    return self._release_view()


# It neither connects nor relays.
cdef StreamEvents _events = nothing_told
_events.on_read = _on_read
_events.on_wanted = _on_wanted
_events.on_sent = _on_sent
_events.on_written = _on_written
_events.on_secured = _on_secured
_events.on_shutdown = _on_shutdown
_events.on_lost = _on_lost
_events.on_failed = _on_failed


cdef int attach(Transport self, Stream handle) except -1:
    """Give a Transport the handle that it is on from now on, which is connected."""
    self._transports = transports_of(self._loop)
    self._descriptor = handle.fileno()
    self._transports[self._descriptor] = self
    handle.owner = self
    handle.context = self._context
    handle.events = &_events
    handle.on_abandoned = _on_abandoned
    handle.set_referenced(True)
    self._handle = handle
    try:
        return self.attached()
    except BaseException:
        self._transports.pop(self._descriptor, None)
        self._handle = None
        handle.owner = None
        raise
