from uvnet._loop.record cimport LoopRecord
from uvnet.transports.transport cimport Transport

cdef enum SecurePhase:
    HANDSHAKING
    SECURE
    SHUTTING_DOWN            # close_notify has been sent, that of the peer is waited for
    SHUT_DOWN                # what was sent last goes out, and no more is read

cdef class SecureTransport(Transport):
    cdef readonly object _tls        # the SSLObject
    cdef object _calls               # what does the SSLObject's reading and writing
    cdef object _incoming            # MemoryBIO: received and not decrypted yet
    cdef object _outgoing            # MemoryBIO: encrypted and not handed over yet
    cdef SecurePhase _phase
    cdef list _plain                 # chunks written and not encrypted yet
    cdef Py_ssize_t _plain_length
    cdef bint _encrypt_due           # on a tick
    cdef bint _may_hold              # a part of a record that is decrypted
    cdef bint _wants_read            # nothing can be encrypted before something was received
    cdef bint _end_told              # eof_received() was called
    cdef bint _tells_made            # connection_made() is to be called when the handshake is over
    cdef bint _made_was_told
    cdef bint _starts_reading        # as soon as the handshake is over
    cdef object _timer               # of the handshake or of the shutdown, or None
    cdef object _waiter              # a future for the end of the handshake, or None
    cdef double _handshake_timeout   # seconds
    cdef double _shutdown_timeout

    cdef int begin(self) except -1
    cdef int _advance(self) except -1
    cdef int _shake_hands(self) except -1
    cdef int _handshake_failed(self, object error) except -1
    cdef bint _holds(self) except -1
    cdef int _decrypt(self) except -1
    cdef object _read(self, object buffer, bint *ended)
    cdef int _decrypt_in_place(self) except -1
    cdef bint _is_cut_off(self) except -1
    cdef int _peer_has_closed(self) except -1
    cdef int _shut_down(self) except -1
    cdef int _encrypt(self) except -1
    cdef int _send_outgoing(self) except -1
    cdef int _set_timer(self, double seconds, object callback) except -1

cdef SecureTransport new_secure_transport(LoopRecord record, object protocol, object context, bint is_unix,
                                          tuple tls_options, bint server_side, object server_hostname)
