from uvnet.events.waiter cimport Reader
from uvnet.streams.readable cimport Readable

cdef enum:
    LARGEST_READ = 0x40000000     # bytes; the limit of read(size)

cdef class StreamReader(Reader):
    cdef Readable stream
    cdef bint begun

    # For subclasses: take what is wanted.
    cdef bint _take(self) except -1
    cdef bint _is_over(self) except -1
    cdef bint _is_dropped(self) noexcept
    cdef int _make_room(self) except -1

cdef object taken(Readable stream, Py_ssize_t count)
cdef object incomplete(Readable stream, object expected, str wanted)
cdef Py_ssize_t check_count(object value, str name, Py_ssize_t least) except -1
