from uvnet._stream.stream cimport Stream

cdef class TransportOptions:
    cdef Py_ssize_t max_buffered         # bytes that may wait to be sent; 0: no limit
    cdef unsigned int idle               # milliseconds without traffic that a connection may last; 0: no limit
    cdef unsigned int close              # milliseconds without a byte going out that closing may last; 0: no limit
    cdef unsigned int keep_alive_delay   # seconds; 0: the system's
    cdef bint raise_when_full
    cdef bint no_delay
    cdef bint keep_alive

    cdef int apply(self, Stream stream) noexcept
