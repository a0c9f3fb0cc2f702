from uvnet.readable cimport Readable

cdef class ChunkIterator:
    cdef Readable stream
    cdef bint finished
