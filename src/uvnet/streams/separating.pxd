from uvnet.streams.reading cimport StreamReader

cdef class UntilReader(StreamReader):
    cdef object given            # the separator as it was given, bytes or str; or a list of several, shortest first
    cdef object separator        # as what the stream delivers; None where there are several
    cdef list separators         # these; None where there is one
    cdef Py_ssize_t length       # of the one that was found
    cdef Py_ssize_t longest
    cdef Py_ssize_t limit
    cdef Py_ssize_t searched     # bytes (characters) from the start of the buffer
    cdef Py_ssize_t end          # where the separator ends; 0 until it has come
    cdef object tail             # the last that was searched, shorter than the longest separator

    # For subclasses: no more will come, and there is no separator in what is left.
    cdef bint _end_came(self) except -1

    cdef int _prepare(self) except -1
    cdef object _as_delivered(self, object separator)
    cdef Py_ssize_t _find_end(self, object chunk, Py_ssize_t start) except -2
    cdef Py_ssize_t _find_first_end(self, object chunk, Py_ssize_t start) except -2
    cdef bint _search(self, object chunk, Py_ssize_t start) except -1
    cdef bint _search_all(self) except -1
    cdef bint _is_too_long(self) noexcept
    cdef object _take_quietly(self, bytes separator, bint cut_line_end)
