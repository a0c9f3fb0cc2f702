"""What the stream below tells the SecureStream that owns it: the functions behind StreamEvents."""

from collections import deque

from libc.stdlib cimport calloc

from uvnet._loop.handle cimport HANDLE_CLOSED, HANDLE_OPEN, Handle, HandleBlock
from uvnet._stream.stream cimport Stream, tell_lost
from uvnet._stream.stream_events cimport StreamEvents, nothing_told
from uvnet._stream.write_request cimport WriteRequest
from uvnet._stream.writer cimport Writer, tell_failed, tell_owner
from uvnet._tls.engine cimport MOST_TOGETHER, TLSEngine
from uvnet._tls.secure_stream cimport SECURE_FAILED, SecureStream

cdef extern from "<errno.h>" nogil:
    enum:
        ECANCELED


cdef int _on_read(object owner, bytes chunk, ssize_t nread) except -1:
    cdef SecureStream self = <SecureStream>owner
    return self._receive(nread) if self.state == HANDLE_OPEN else 0


cdef int _on_written(object owner, WriteRequest request) except -1:
    return (<SecureStream>owner)._sent_under(request)


cdef int _on_secured(object owner, object error) except -1:
    """The other TLS below this one has failed."""
    cdef SecureStream self = <SecureStream>owner
    return 0 if error is None or self.phase == SECURE_FAILED else self._fail_with(error)


cdef int _on_lost(object owner, Handle stream) except -1:
    cdef SecureStream self = <SecureStream>owner
    tell_owner(self, tell_lost, NULL, 0)
    return 0


cdef size_t _queued(object owner) noexcept:
    return (<SecureStream>owner).queued()


cdef int _on_failed(object owner, Handle stream, object error) except -1:
    cdef SecureStream self = <SecureStream>owner
    tell_failed(self, self.owner, error)
    return 0


cdef int _tell_closed(Writer self, object owner, void *what, ssize_t number) except -1:
    return self.on_closed(owner, self)


cdef int _on_closed(object owner, Handle handle) except -1:
    cdef SecureStream self = <SecureStream>owner
    self.state = HANDLE_CLOSED
    # libuv does so with its requests before.
    self.fail_waiting(-ECANCELED)
    if self.on_closed is not NULL:
        tell_owner(self, _tell_closed, NULL, 0)
    self.owner = None
    return 0


cdef int _on_abandoned(object owner) except -1:
    """The loop is gone: no event will come."""
    cdef SecureStream self = <SecureStream>owner
    self.state = HANDLE_CLOSED
    if self.owner is not None and self.on_abandoned is not NULL:
        self.on_abandoned(self.owner)
    self.owner = None
    return 0


# It sends by requests of its own, is asked nothing, and neither connects nor relays.
cdef StreamEvents _events = nothing_told
_events.on_read = _on_read
_events.on_written = _on_written
_events.on_lost = _on_lost
_events.queued = _queued
_events.on_failed = _on_failed
_events.on_secured = _on_secured


cdef SecureStream open_secure(Stream under, TLSEngine engine):
    """A stream on an open one, which is nobody else's from then on; begin() follows."""
    cdef SecureStream self = SecureStream.__new__(SecureStream)
    self.block = <HandleBlock *>calloc(1, sizeof(HandleBlock))
    if self.block is NULL:
        raise MemoryError
    self.engine = engine
    self._waiting = deque()
    self._sending = deque()
    self.record = under.record
    self.block.owner = <void *>self
    self.block.hold = &self.record.hold
    self.block.descriptor = -1
    self.under = under
    under.renew()
    under.owner = self
    under.events = &_events
    under.read_into(self.record.read_buffer, MOST_TOGETHER)
    under.on_closed = _on_closed
    under.on_abandoned = _on_abandoned
    self.state = HANDLE_OPEN
    return self
