from uvnet._stream.stream cimport Stream
from uvnet.socket.socket_parent cimport SocketParent
from uvnet.socket.tunable cimport Tunable

cdef class Parcel

cdef class Adopting(Tunable):
    cdef Stream _give_away(self)
    cdef object _unread(self)
    cdef int _forget_unread(self) except -1
    cdef int _inherit(self, Adopting other) except -1

# A connection on its way to another process.
cdef class Parcel:
    cdef Stream _handle              # None once it is over
    cdef Adopting _socket            # which had it
    cdef SocketParent _server        # that still counts it, or None
    cdef readonly bytes unread       # received, and given to nobody
    cdef readonly bint writable
