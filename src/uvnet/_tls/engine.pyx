"""TLSEngine: TLS without a socket, on CPython's ssl.SSLObject between two ssl.MemoryBIO.

It is what a SecureStream asks; another engine would answer the same questions.
RFC 8446; asyncio: "asyncio.sslproto".
"""

import ssl

from cpython.buffer cimport PyBUF_READ, PyBUF_WRITE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.object cimport PyObject

cdef extern from "Python.h":
    # As they are in C: the object cannot be one of Cython's before it has its size.
    PyObject *allocate_bytes "PyBytes_FromStringAndSize" (const char *data, Py_ssize_t length) except NULL
    int resize_bytes "_PyBytes_Resize" (PyObject **chunk, Py_ssize_t length) except -1
    void Py_XDECREF(PyObject *chunk)

cdef enum:
    RECORD = 16384           # bytes; no record says more
    MOST_UNREAD = 262144     # bytes received and not decrypted, before no more are to be received

cdef object _WantRead = ssl.SSLWantReadError
cdef object _End = ssl.SSLZeroReturnError
cdef object _TLSError = ssl.SSLError
cdef object _SSLObject = ssl.SSLObject


cdef class TLSEngine:
    """One side of one TLS connection.  What is wrong with it raises ssl.SSLError."""

    cdef int receive(self, char *data, Py_ssize_t length) except -1:
        """Take encrypted bytes."""
        self._incoming.write(PyMemoryView_FromMemory(data, length, PyBUF_READ))
        return 0

    cdef bint holds(self) except -1:
        """Whether something was received that was not given out."""
        if self._incoming.pending:
            return True
        self._may_hold = self._may_hold and self._calls.pending() > 0
        return self._may_hold

    cdef bint holds_much(self) except -1:
        """Whether that is so much that no more is to be received."""
        return self._incoming.pending >= MOST_UNREAD

    cdef bint shake_hands(self) except -1:
        """Go on with the handshake; whether it is over."""
        try:
            self.tls.do_handshake()
        except _WantRead:
            return False
        return True

    cdef bytes decrypt(self):
        """What was received, as one piece; None where there is nothing, or nothing more will come."""
        cdef Py_ssize_t most
        cdef bytes data
        if self.ended or not self.holds():
            return None
        most = min(<Py_ssize_t>self._incoming.pending, MOST_TOGETHER)
        # Only OpenSSL's own is known not to keep the memory.
        if most > RECORD and not isinstance(self._calls, _SSLObject):
            return self._decrypt_together(most)
        try:
            data = self._calls.read(RECORD)
        except _WantRead:
            return None
        except _End:
            data = b""
        self._may_hold = PyBytes_GET_SIZE(data) >= RECORD
        if data:
            return data
        self.ended = True
        return None

    cdef bytes _decrypt_together(self, Py_ssize_t most):
        """What many records say."""
        cdef PyObject *data = allocate_bytes(NULL, most)
        cdef char *memory = PyBytes_AS_STRING(<object>data)
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t length
        try:
            while done < most and (done == 0 or self._incoming.pending):
                length = self.decrypt_into(memory + done, most - done)
                if length < 0:
                    break
                done += length
            if done == 0:
                return None
            resize_bytes(&data, done)
            return <bytes>data
        finally:
            Py_XDECREF(data)

    cdef Py_ssize_t decrypt_into(self, char *base, Py_ssize_t size) except? -1:
        """decrypt() into memory: how many bytes, or NOTHING_NOW."""
        cdef Py_ssize_t length = 0
        if self.ended:
            return NOTHING_NOW
        view = PyMemoryView_FromMemory(base, size, PyBUF_WRITE)
        try:
            length = self._calls.read(size, view)
        except _WantRead:
            length = NOTHING_NOW
        except _End:
            pass
        finally:
            view.release()
        if length == NOTHING_NOW:
            return NOTHING_NOW
        self._may_hold = length == size
        if length:
            return length
        self.ended = True
        return NOTHING_NOW

    cdef Py_ssize_t encrypt(self, object data) except -1:
        """How many bytes of `data` were encrypted: fewer than all where something has to be received first."""
        cdef Py_ssize_t length = len(data)
        cdef Py_ssize_t done = 0
        try:
            done = self._calls.write(data)
            while done < length:
                done += self._calls.write(memoryview(data)[done:])
        except _WantRead:
            # The other side wants another handshake (TLS 1.2), and what it sends meanwhile is decrypted.
            self._may_hold = True
        return done

    cdef int say_end(self) except -1:
        """Say that nothing more will be sent (close_notify).  What was received must have been decrypted."""
        try:
            self.tls.unwrap()
        except _TLSError:
            # The end of the other side is not there yet; or it is over, and nothing can be said any more.
            pass
        return 0

    cdef bytes take_outgoing(self):
        """What is to be sent, or None."""
        cdef bytes data
        if not self._outgoing.pending:
            return None
        data = self._outgoing.read()
        return data if PyBytes_GET_SIZE(data) else None


cdef TLSEngine new_engine(object context, bint server_side, object server_hostname):
    """The engine of a connection, by an ssl.SSLContext."""
    cdef TLSEngine self = TLSEngine.__new__(TLSEngine)
    self._incoming = ssl.MemoryBIO()
    self._outgoing = ssl.MemoryBIO()
    self.tls = context.wrap_bio(
        self._incoming, self._outgoing, server_side=server_side,
        server_hostname=None if server_side else server_hostname or None,
    )
    # An SSLObject hands them on, each by a frame of Python; a class of the program's own may do more.
    self._calls = getattr(self.tls, "_sslobj", None) or self.tls if type(self.tls) is _SSLObject else self.tls
    return self
