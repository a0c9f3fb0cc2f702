from uvnet._accept.intake cimport Intake
from uvnet._loop.record cimport LoopRecord
from uvnet._stream.stream cimport Stream
from uvnet.addresses.sockaddr cimport sockaddr_storage
from uvnet.transports.transport cimport Transport
from uvnet.transports.transport_options cimport TransportOptions

cdef class TransportServer:
    cdef LoopRecord record
    cdef Intake _intake
    cdef TransportOptions _options   # of its connections
    cdef object _context             # of the server's creation; every connection gets a copy
    cdef object _factory             # makes the protocol of a connection
    cdef object _on_drop             # called for each that was closed at once, or None
    cdef tuple _tls_options          # (SSLContext, seconds for the handshake, seconds for the shutdown), or None

    cdef int _accept(self, Stream handle, const sockaddr_storage *remote, const sockaddr_storage *local,
                     object header) except -1
    cdef Transport _new_transport(self, object context)
    cdef int _failed(self, object error, str message) except -1
