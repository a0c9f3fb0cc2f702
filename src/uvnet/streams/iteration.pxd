from uvnet.streams.readable cimport Readable
from uvnet.streams.reading cimport StreamReader

cdef class ChunkIterator:
    cdef Readable stream
    cdef unsigned int life               # of the stream
    cdef bint finished

cdef class ChunkReader(StreamReader):
    cdef ChunkIterator iterator
