"""Awaiting the moment to go on writing.  Node: "Event: 'drain'"; rule 2.7.4."""

cimport cython

from uvnet.events.waiter cimport Awaitable
from uvnet.streams.duplex cimport Duplex

from uvnet.errors.codes import stream_destroyed


@cython.final
cdef class Drainer(Awaitable):
    """A coroutine in socket.drain()."""

    cdef Duplex stream

    cdef str _what_was_called(self):
        return "Socket.drain"

    cdef int _begin(self) except -1:
        self.record.check()
        self.stream._awaited = True
        return 0

    cdef bint _advance(self) except -1:
        cdef Duplex stream = self.stream
        self._begin()
        self._leave()
        if stream._errored is not None:
            # Where it is not destroyed yet, a write has failed and that follows.
            stream._error_heard = True
            raise stream._errored
        if stream._destroyed:
            if not stream._finished:
                raise stream_destroyed("drain")
            return True
        if not stream._need_drain or stream._ending:
            return True
        if stream._drainers is None:
            stream._drainers = []
        stream._drainers.append(self)
        return False

    cdef int _given_up(self) except -1:
        return self._leave()

    cdef int _leave(self) except -1:
        cdef list drainers = self.stream._drainers
        if drainers and self in drainers:
            drainers.remove(self)
        return 0


def drain(Duplex stream not None):
    """The body of socket.drain()."""
    cdef Drainer self
    stream.record.check()
    self = Drainer.__new__(Drainer)
    self.record = stream.record
    self.stream = stream
    return self
