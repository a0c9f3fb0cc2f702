from uvnet._loop.handle cimport Handle
from uvnet._loop.record cimport LoopRecord

cdef class Prepare(Handle):
    cdef bint running

cdef Prepare open_prepare(LoopRecord record)
