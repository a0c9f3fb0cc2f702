from uvnet._accept.listener cimport AcceptFilter
from uvnet._loop.record cimport LoopRecord
from uvnet.addresses.blocklist cimport BlockList
from uvnet.addresses.sockaddr cimport sockaddr_storage
from uvnet.transports.transport cimport Transport

cdef class TransportServer:
    cdef LoopRecord record
    cdef AcceptFilter _filter
    cdef BlockList _block_list
    cdef object _context             # of the server's creation; every connection gets a copy
    cdef object _factory             # makes the protocol of a connection
    cdef list _listeners
    cdef object _out_of_descriptors  # counts drops for the log, or None
    cdef object _accept_failures
    cdef tuple _tls_options         # (SSLContext, seconds for the handshake, seconds for the shutdown), or None

    cdef bint _unix

    cdef int _accept(self, int descriptor, const sockaddr_storage *remote) except -1
    cdef Transport _new_transport(self, object context)
    cdef int _failed(self, object error, str message) except -1
    cdef int _trouble(self, int status) except -1
