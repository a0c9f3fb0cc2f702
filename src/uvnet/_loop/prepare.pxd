from uvnet._core.handle cimport Handle
from uvnet._core.record cimport LoopRecord

cdef class Prepare(Handle):
    cdef bint running

cdef Prepare open_prepare(LoopRecord record)
