from uvnet._core.stream cimport Stream
from uvnet.tunable cimport Tunable

cdef class Adopting(Tunable):
    cdef Stream _give_away(self)
    cdef int _inherit(self, Adopting other) except -1
