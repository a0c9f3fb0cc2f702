from uvnet._stream.write_request cimport WriteRequest
from uvnet.transports.base_transport cimport BaseTransport

cdef class WriteTransport(BaseTransport):
    cdef int _put(self, object chunk) except -1
    cdef bint _is_full(self, Py_ssize_t length) except -1
    cdef int _pause_maybe(self) except -1
    cdef bint _holds_much(self) noexcept
    cdef int _resume_maybe(self) except -1
    cdef int _call_paused(self, str name) except -1
    cdef int _write_lost(self) except -1
    cdef int _sent(self, WriteRequest request) except -1
