cdef class BufferReader:
    cdef object callback
    cdef object next_buffer              # a function that gives the buffer for the next read, or None
    cdef object buffer
    cdef Py_buffer view
    cdef bint pinned

    cdef int take_buffer(self) except -1
    cdef void release(self) noexcept
