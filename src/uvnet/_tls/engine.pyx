"""TLSEngine: TLS without a socket, on CPython's ssl.SSLObject between two ssl.MemoryBIO.

It is what a SecureStream asks; another engine would answer the same questions.
RFC 8446; asyncio: "asyncio.sslproto".
"""

import ssl

from cpython.buffer cimport PyBUF_WRITE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.object cimport PyObject
from libc.string cimport memset

from uvnet._loop.record cimport LoopRecord
from uvnet._stream.stream cimport new_chunk
from uvnet._tls.lent_memory cimport RECORD, arguments_of, lend, memory_of
from uvnet._tls.records cimport ends_with_record, scan_records

cdef extern from "Python.h":
    # As they are in C: the object cannot be one of Cython's before it has its size.
    PyObject *allocate_bytes "PyBytes_FromStringAndSize" (const char *data, Py_ssize_t length) except NULL
    int resize_bytes "_PyBytes_Resize" (PyObject **chunk, Py_ssize_t length) except -1
    void Py_XDECREF(PyObject *chunk)
    object PyObject_CallNoArgs(object callable)
    object PyObject_CallOneArg(object callable, object argument)
    object PyObject_CallObject(object callable, object arguments)

cdef enum:
    UNKNOWN = -1
    ONE_RECORD = 16640       # bytes that one may have, encrypted
    MOST_UNREAD = 262144     # bytes received and not decrypted, before no more are to be received

cdef object _WantRead = ssl.SSLWantReadError
cdef object _End = ssl.SSLZeroReturnError
cdef object _TLSError = ssl.SSLError
cdef object _SSLObject = ssl.SSLObject


cdef class TLSEngine:
    """One side of one TLS connection.  What is wrong with it raises ssl.SSLError."""

    cdef int receive(self, char *data, Py_ssize_t length) except -1:
        """Take encrypted bytes."""
        lend(self._lent_memory, data, length, True)
        PyObject_CallOneArg(self._incoming_write, self._lent_memory)
        scan_records(&self._records, <unsigned char *>data, length)
        self._is_one = self._unread == 0 and ends_with_record(&self._records, length)
        if self._unread != UNKNOWN:
            self._unread += length
        return 0

    cdef Py_ssize_t _pending(self) except -1:
        """Bytes that were received and OpenSSL has not taken; sometimes more, until the next read."""
        if self._unread == UNKNOWN:
            self._unread = self._incoming.pending
        return self._unread

    cdef bint _has_record(self) except -1:
        """Whether a record can be decrypted."""
        return self._pending() > (0 if self._records.foreign else self._records.partial)

    cdef bint holds(self) except -1:
        """Whether something can be decrypted, or was and is not given out, or nothing ever will."""
        if self._failure is not None or self._has_record():
            return True
        self._may_hold = self._may_hold and <bint>(<Py_ssize_t>PyObject_CallNoArgs(self._tls_pending) > 0)
        return self._may_hold

    cdef bint holds_much(self) except -1:
        """Whether that is so much that no more is to be received."""
        return self._pending() >= MOST_UNREAD

    cdef bint shake_hands(self) except -1:
        """Go on with the handshake; whether it is over."""
        self._unread = UNKNOWN
        try:
            self.tls.do_handshake()
        except _WantRead:
            return False
        return True

    cdef bytes decrypt(self, LoopRecord record):
        """What was received, as one piece; None where there is nothing, or nothing more will come."""
        cdef Py_ssize_t length
        if self.ended or not self.holds():
            return None
        # Only OpenSSL's own is known not to keep the memory.
        if self._pending() > ONE_RECORD and not self._foreign:
            return self._decrypt_together(min(self._unread, <Py_ssize_t>MOST_TOGETHER))
        # What was received there is in _incoming.
        length = self.decrypt_into(record.read_buffer, RECORD)
        return None if length < 0 else new_chunk(record, record.read_buffer, length)

    cdef int fail_later(self, object error) except -1:
        """The next decryption raises it: what was decrypted before is to be given out first."""
        self._failure = error
        return 0

    cdef bytes _decrypt_together(self, Py_ssize_t most):
        """What many records say."""
        cdef PyObject *data = allocate_bytes(NULL, most)
        cdef char *memory = PyBytes_AS_STRING(<object>data)
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t length
        try:
            while done < most and (done == 0 or self._has_record()):
                try:
                    length = self.decrypt_into(memory + done, most - done)
                except Exception as error:
                    if done == 0:
                        raise
                    self.fail_later(error)
                    length = NOTHING_NOW
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
        cdef bint had_answer = self.may_answer
        cdef object failure
        if self.ended:
            return NOTHING_NOW
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        self._unread = UNKNOWN
        self.may_answer = True
        try:
            length = self._read_into(base, size)
        except _WantRead:
            length = NOTHING_NOW
        except _End:
            pass
        if length == NOTHING_NOW:
            return NOTHING_NOW
        self._may_hold = length == size
        if length:
            if self._is_one:
                # It was data, so it was taken, and nothing is to be answered.
                self._is_one = False
                self._unread = 0
                self.may_answer = had_answer
            return length
        self.ended = True
        return NOTHING_NOW

    cdef object _read_into(self, char *base, Py_ssize_t size):
        cdef tuple arguments
        if self._foreign:
            view = PyMemoryView_FromMemory(base, size, PyBUF_WRITE)
            try:
                return self._tls_read(size, view)
            finally:
                view.release()
        arguments = self._record_arguments if size == RECORD else (size, self._lent_memory)
        lend(self._lent_memory, base, size, False)
        return PyObject_CallObject(self._tls_read, arguments)

    cdef Py_ssize_t encrypt(self, object data) except -1:
        """How many bytes of `data` were encrypted: fewer than all where something has to be received first."""
        cdef Py_ssize_t length = len(data)
        cdef Py_ssize_t done = 0
        try:
            done = PyObject_CallOneArg(self._tls_write, data)
            while done < length:
                done += self._tls_write(memoryview(data)[done:])
        except _WantRead:
            # The other side wants another handshake (TLS 1.2), and what it sends meanwhile is decrypted.
            self._may_hold = True
            self._unread = UNKNOWN
        return done

    cdef int say_end(self) except -1:
        """Say that nothing more will be sent (close_notify).  What was received must have been decrypted."""
        self._unread = UNKNOWN
        try:
            self.tls.unwrap()
        except _TLSError:
            # The end of the other side is not there yet; or it is over, and nothing can be said any more.
            pass
        return 0

    cdef bytes take_outgoing(self):
        """What is to be sent, or None."""
        cdef bytes data
        self.may_answer = False
        data = PyObject_CallNoArgs(self._outgoing_read)
        return data if PyBytes_GET_SIZE(data) else None


cdef TLSEngine new_engine(LoopRecord record, object context, bint server_side, object server_hostname):
    """The engine of a connection, by an ssl.SSLContext."""
    cdef TLSEngine self = TLSEngine.__new__(TLSEngine)
    self._lent_memory = memory_of(record)
    self._record_arguments = arguments_of(record)
    self._incoming = ssl.MemoryBIO()
    self._outgoing = ssl.MemoryBIO()
    self.tls = context.wrap_bio(
        self._incoming, self._outgoing, server_side=server_side,
        server_hostname=None if server_side else server_hostname or None,
    )
    # An SSLObject hands them on, each by a frame of Python; a class of the program's own may do more.
    calls = getattr(self.tls, "_sslobj", None) or self.tls if type(self.tls) is _SSLObject else self.tls
    self._foreign = calls is self.tls
    self._tls_read = calls.read
    self._tls_write = calls.write
    self._tls_pending = calls.pending
    self._incoming_write = self._incoming.write
    self._outgoing_read = self._outgoing.read
    memset(&self._records, 0, sizeof(self._records))
    return self
