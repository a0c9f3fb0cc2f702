"""SocketParent: what a socket knows of the server that accepted it."""

from uvnet._loop.record cimport LoopRecord
from uvnet.events.loop_emitter cimport LoopEmitter


cdef class SocketParent(LoopEmitter):
    """What accepts sockets; not made by users."""

    cdef int _connection_gone(self) except -1:
        return 0

    cdef int _connection_secured(self, object socket, object error) except -1:
        return 0

    cpdef bint _is_open(self):
        return False

    cdef LoopRecord _usable_record(self):
        return None

    cdef str _event_of_arrival(self):
        return "connection"

    cdef int _go_on_accepting(self) except -1:
        return 0
