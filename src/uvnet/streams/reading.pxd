from uvnet.events.waiter cimport Reader
from uvnet.streams.readable cimport Readable

cdef class StreamReader(Reader):
    cdef Readable stream
    cdef bint begun

    # For subclasses: take what is wanted.
    cdef bint _take(self) except -1
    cdef bint _is_over(self) except -1
