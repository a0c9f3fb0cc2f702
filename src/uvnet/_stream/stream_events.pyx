"""The events of a stream whose owner is told nothing: what an owner begins with, and puts its own functions in."""

from uvnet._loop.handle cimport Handle
from uvnet._stream.write_request cimport WriteRequest


cdef int _on_read(object owner, bytes chunk, ssize_t nread) except -1:
    return 0


cdef int _on_wanted(object owner, char **base, size_t *size) except -1:
    return 0


cdef int _on_request(object owner, WriteRequest request) except -1:
    return 0


cdef int _on_secured(object owner, object error) except -1:
    return 0


cdef int _on_status(object owner, Handle stream, int status) except -1:
    return 0


cdef int _on_relay_ended(object owner, ssize_t nread) except -1:
    return 0


cdef int _on_ticket(object owner) except -1:
    return 0


cdef int _on_relay_lost(object owner) except -1:
    return 0


cdef int _on_lost(object owner, Handle stream) except -1:
    return 0


cdef size_t _queued(object owner) noexcept:
    return 0


cdef int _on_failed(object owner, Handle stream, object error) except -1:
    return 0


cdef StreamEvents nothing_told
nothing_told.on_read = _on_read
nothing_told.on_wanted = _on_wanted
nothing_told.on_sent = _on_request
nothing_told.on_written = _on_request
nothing_told.on_secured = _on_secured
nothing_told.on_ticket = _on_ticket
nothing_told.on_shutdown = _on_status
nothing_told.on_connected = _on_status
nothing_told.on_relay_ended = _on_relay_ended
nothing_told.on_relay_lost = _on_relay_lost
nothing_told.on_lost = _on_lost
nothing_told.queued = _queued
nothing_told.on_failed = _on_failed
