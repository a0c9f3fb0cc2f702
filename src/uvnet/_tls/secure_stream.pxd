from uvnet._stream.stream cimport Stream
from uvnet._stream.write_request cimport WriteRequest
from uvnet._tls.engine cimport TLSEngine

cdef enum SecurePhase:
    SECURE_NEW               # begin() is still to come
    SECURE_HANDSHAKING
    SECURE_OPEN
    SECURE_FAILED            # nothing more will be received or sent

cdef class SecureStream(Stream):
    cdef Stream under                # what encrypted bytes go through; another SecureStream at times
    cdef readonly TLSEngine engine
    cdef SecurePhase phase
    cdef bint _end_due               # shutdown() was called, and close_notify is not sent yet
    cdef bint _end_sent
    cdef bint _end_sent_told         # on_shutdown
    cdef bint _raw_end               # the other side has sent FIN
    cdef bint _end_told
    cdef bint tells_tickets          # on_ticket
    cdef bint _wants_read            # nothing can be encrypted before something was received
    cdef bint _delivery_due          # on a tick
    cdef list _decrypted             # what had to be decrypted before somebody read it
    cdef object _waiting             # deque of requests that are not encrypted, or not whole
    cdef object _sending             # deque of (encrypted request, [(request, its bytes)] or None: that was no write)

    cdef int begin(self) except -1
    cdef void _send_last(self) noexcept
    cdef int fail_waiting(self, int status) except -1
    cdef void leave_under(self) noexcept
    cdef int _fail_with(self, object error) except -1
    cdef int _shake_hands(self) except -1
    cdef int _receive(self, ssize_t nread) except -1
    cdef int _deliver(self) except -1
    cdef bytes _decrypt_some(self)
    cdef Py_ssize_t _decrypt_where_asked(self) except? -1
    cdef Py_ssize_t _decrypt_in_place(self, char *base, size_t size) except? -1
    cdef int _tell_read_now(self, bytes chunk, ssize_t nread) except -1
    cdef int _deliver_later(self) noexcept
    cdef void _update_under(self) noexcept
    cdef int _accept(self, WriteRequest request) except -1
    cdef int _push(self, WriteRequest current) except -1
    cdef int _encrypted_in_part(self, WriteRequest request, Py_ssize_t done) except -1
    cdef WriteRequest _carry(self, bytes data)
    cdef int _carried(self, list batch, WriteRequest current, WriteRequest carrier) except -1
    cdef int _send(self, list batch, WriteRequest current) except -1
    cdef int _complete(self, list batch, WriteRequest current, WriteRequest carrier) except -1
    cdef int _say_end_maybe(self) except -1
    cdef int _tell_end_sent_maybe(self) except -1
    cdef int _sent_under(self, WriteRequest carrier) except -1
    cdef bint _is_open(self) noexcept
