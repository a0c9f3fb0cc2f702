cimport cython

from uvnet._loop.record cimport LoopRecord
from uvnet.transports.base_transport cimport BaseTransport
from uvnet.transports.transport_options cimport TransportOptions
from uvnet.transports.write_transport cimport WriteTransport

cdef extern from "Python.h":
    # Under another name: the object of a Py_buffer is one that Cython lets the collector clear, before the release.
    ctypedef struct BufferView "Py_buffer":
        void *buf
        Py_ssize_t len
        void *obj

cdef class Transport(WriteTransport):
    cdef BufferView _view            # of what get_buffer() gave, while a read goes there

    cdef int _secured(self, object error) except -1
    cdef int _received(self, bytes chunk, ssize_t nread) except -1
    cdef int _end(self) except -1
    cdef int _delivery_failed(self) except -1
    cdef int _deliver_in_place(self, Py_ssize_t length) except -1
    cdef object _wanted_buffer(self)
    cdef int _wanted(self, char **base, size_t *size) except -1
    cdef int _release_view(self) noexcept

    @cython.final
    cdef int _deliver(self, bytes chunk) except -1

cdef Transport new_transport(LoopRecord record, object protocol, object context, TransportOptions options)
