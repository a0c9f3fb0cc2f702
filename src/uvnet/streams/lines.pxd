from uvnet.streams.readable cimport Readable
from uvnet.streams.separating cimport UntilReader

cdef class LineReader(UntilReader):
    cdef unsigned int life               # of the stream
    cdef bint keeps_ends

    cdef bint _stop(self) except -1

cdef class LineIterator:
    cdef Readable stream
    cdef unsigned int life               # of the stream
    cdef Py_ssize_t limit
    cdef bint keeps_ends
    cdef LineReader reader               # the last one, for another time

    cdef LineReader _new_reader(self)
