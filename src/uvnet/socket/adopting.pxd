from uvnet._stream.stream cimport Stream
from uvnet.socket.tunable cimport Tunable

cdef class Adopting(Tunable):
    cdef Stream _give_away(self)
    cdef int _inherit(self, Adopting other) except -1
