from uvnet._loop.record cimport LoopRecord
from uvnet._stream.stream cimport Stream
from uvnet._tls.engine cimport TLSEngine
from uvnet._tls.secure_stream cimport SecureStream
from uvnet.transports.transport cimport Transport
from uvnet.transports.transport_options cimport TransportOptions

cdef enum TransportPhase:
    HANDSHAKING
    SECURE
    SHUTTING_DOWN            # close_notify has been sent, that of the peer is waited for
    SHUT_DOWN                # what was sent last goes out, and no more is read

cdef class SecureTransport(Transport):
    cdef TLSEngine _engine
    cdef SecureTransport _outer      # where this one lies inside of another TLS, or None
    cdef TransportPhase _phase
    cdef bint _end_told              # eof_received() was called
    cdef bint _tells_made            # connection_made() is to be called when the handshake is over
    cdef bint _made_was_told
    cdef bint _starts_reading        # as soon as the handshake is over
    cdef object _timer               # of the handshake or of the shutdown, or None
    cdef object _waiter              # a future for the end of the handshake, or None
    cdef double _handshake_timeout   # seconds
    cdef double _shutdown_timeout

    cdef int begin(self) except -1
    cdef int _handshake_failed(self, object error) except -1
    cdef bint _wake(self) except -1
    cdef int _tell_server(self, object error) except -1
    cdef int _close_outer(self) except -1
    cdef int _shut_down(self) except -1
    cdef int _set_timer(self, double seconds, object callback) except -1

cdef SecureTransport new_secure_transport(LoopRecord record, object protocol, object context,
                                          TransportOptions options, tuple tls_options, bint server_side,
                                          object server_hostname)
cdef int attach_secure(SecureTransport self, Stream under) except -1
