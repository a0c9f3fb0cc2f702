from uvnet._loop.record cimport LoopRecord
from uvnet.events.loop_emitter cimport LoopEmitter

cdef class SocketParent(LoopEmitter):
    # What a socket tells the server that accepted it: it is destroyed.
    cdef int _connection_gone(self) except -1
    # It is secure, or (an exception) will not be.
    cdef int _connection_secured(self, object socket, object error) except -1
    # What who takes its sockets asks: is it open to connections, what loop is it on, by which
    # event it hands them out; and tells: there is room.
    cpdef bint _is_open(self)
    cdef LoopRecord _usable_record(self)
    cdef str _event_of_arrival(self)
    cdef int _go_on_accepting(self) except -1
