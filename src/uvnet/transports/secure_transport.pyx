"""SecureTransport: a Transport whose bytes go through TLS, on CPython's ssl.SSLObject and two ssl.MemoryBIO.

What is written in one turn of the loop is encrypted together, when the turn ends: so it is few records and one system
call.  What was received is decrypted as far as the protocol takes it; what it does not take stays encrypted, and no
more is read.  asyncio: "asyncio.sslproto".
"""

import asyncio
import logging
import ssl

from cpython.buffer cimport PyBUF_READ
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory

from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tick cimport later
from uvnet._stream.write_request cimport chunk_length
from uvnet._uv.table cimport UVNET_UV_EOF
from uvnet.errors.system cimport system_error
from uvnet.transports.transport cimport (
    TRANSPORT_CLOSING,
    TRANSPORT_MADE,
    TRANSPORT_NEW,
    Transport,
)
from uvnet.transports.tls_records cimport MOST_TOGETHER, RECORD, calls_of, read_records

cdef enum:
    ENCRYPT_AT = 65536       # bytes written that are encrypted without waiting for the end of the turn
    MOST_INCOMING = 262144   # bytes received that wait for the protocol, before no more are read

_log = logging.getLogger("asyncio")
cdef object _WantRead = ssl.SSLWantReadError
cdef object _TLSError = ssl.SSLError


class SSLTransport(asyncio.Transport):
    """What a SecureTransport says it is: programs look for this name."""


cdef class SecureTransport(Transport):
    """What protocol.connection_made() is given where there is TLS; not made by users."""

    @property
    def __class__(self):
        return SSLTransport

    # === asyncio ===

    def get_extra_info(self, name, default=None):
        """As of a plain transport; and 'sslcontext', 'ssl_object', 'peercert', 'cipher', 'compression'.

        asyncio: "BaseTransport.get_extra_info()".
        """
        if name == "ssl_object":
            return self._tls
        if name == "sslcontext":
            return self._tls.context
        if name in ("peercert", "cipher", "compression"):
            if self._phase == HANDSHAKING:
                return default
            found = (self._tls.getpeercert if name == "peercert" else getattr(self._tls, name))()
            return default if found is None else found
        return Transport.get_extra_info(self, name, default)

    def close(self):
        """Stop reading, send what was written and a close_notify, wait for the peer's, close.

        That takes the shutdown's time at most.  asyncio: "BaseTransport.close()".
        """
        self.record.check()
        if self._state >= TRANSPORT_CLOSING:
            return
        if self._phase == HANDSHAKING:
            self._lose(None)
            return
        self._state = TRANSPORT_CLOSING
        self._encrypt()
        if self._handle is None:
            return
        self._phase = SHUTTING_DOWN
        try:
            self._set_timer(self._shutdown_timeout, self._shutdown_too_long)
            self._shut_down()
        except Exception as error:
            # There is no memory, and nobody can close it once more.
            self._fail(error, "Fatal error on closing an SSL transport")

    def can_write_eof(self):
        """False: TLS would have to close both ways.  asyncio: "WriteTransport.can_write_eof()"."""
        return False

    def write_eof(self):
        """Raises NotImplementedError.  asyncio: "WriteTransport.write_eof()"."""
        raise NotImplementedError

    def resume_reading(self):
        """Undo pause_reading(); harmless twice.  asyncio: "ReadTransport.resume_reading()"."""
        self.record.check()
        if not self._reading and self._phase == SECURE and self._handle is not None:
            # What was received before waits here, and nothing else may come.
            self._loop.call_soon(self._go_on, context=self._context)
        Transport.resume_reading(self)

    def _go_on(self):
        if self._handle is not None and self._phase == SECURE:
            try:
                self._decrypt()
            except MemoryError as error:
                self._fail(error, "SSL error in data received")
            self._update_reading()

    # === Life ===

    cdef int begin(self) except -1:
        """Begin the handshake; the handle is attached."""
        try:
            self._set_timer(self._handshake_timeout, self._handshake_too_long)
            self._handle.read_into(self.record.read_buffer, MOST_TOGETHER)
            self._update_reading()
            self._shake_hands()
        except MemoryError as error:
            self._handshake_failed(error)
        return 0

    cdef int start_reading(self) except -1:
        Transport.start_reading(self)
        if self._phase == SECURE:
            self._decrypt()
            self._update_reading()
        return 0

    cdef bint _asks(self) noexcept:
        # What is received is encrypted.
        return False

    cdef int _update_reading(self) noexcept:
        if self._handle is None:
            return 0
        if self._phase == SHUT_DOWN or self._end_received or (
            self._phase == SECURE and self._incoming.pending >= MOST_INCOMING
        ):
            self._handle.read_stop()
        else:
            self._handle.ask_where(False)
            self._handle.read_start()
        return 0

    cdef int _lose(self, object error) except -1:
        cdef object waiter
        if error is None and self._phase == SECURE:
            # asyncio's would have been sent by write().
            self._encrypt()
        if self._handle is None:
            return 0
        waiter = self._waiter
        self._set_timer(-1, None)
        self._waiter = None
        self._plain = []
        self._plain_length = 0
        Transport._lose(self, error)
        if waiter is not None and not waiter.done():
            if error is None and self._phase != HANDSHAKING:
                # connection_made() has closed it, and knows.
                waiter.set_result(None)
            else:
                waiter.set_exception(error or ConnectionAbortedError("closed during the TLS handshake"))
        return 0

    def _call_connection_lost(self, error):
        if not self._made_was_told:
            self._protocol = None
        Transport._call_connection_lost(self, error)

    cdef int _finish_maybe(self) except -1:
        return Transport._finish_maybe(self) if self._phase == SHUT_DOWN else 0

    cdef int _set_timer(self, double seconds, object callback) except -1:
        """Have callback() called in so many seconds, in place of what was to be called before; None: nothing."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if callback is not None:
            self._timer = self._loop.call_later(seconds, callback)
        return 0

    def _handshake_too_long(self):
        self._handshake_failed(ConnectionAbortedError(
            f"SSL handshake is taking longer than {self._handshake_timeout} seconds: aborting the connection"
        ))

    def _shutdown_too_long(self):
        self._fail(TimeoutError("SSL shutdown timed out"), "SSL shutdown timed out")

    # === Reading ===

    cdef int _received(self, bytes chunk, ssize_t nread) except -1:
        if nread > 0:
            # It stays in the loop's own buffer for so long.
            self._incoming.write(PyMemoryView_FromMemory(self.record.read_buffer, nread, PyBUF_READ))
            return self._advance()
        if nread == 0:
            return 0
        if nread != UVNET_UV_EOF:
            return self._fail(system_error(<int>nread, "read"), "Fatal read error on socket transport")
        self._end_received = True
        if self._phase == HANDSHAKING:
            return self._handshake_failed(ConnectionResetError("the peer has closed during the TLS handshake"))
        if self._phase == SECURE:
            return self._decrypt() if self._holds() else self._peer_has_closed()
        # It will send no close_notify any more.
        self._phase = SHUT_DOWN
        self._tell_end()
        return self._finish_maybe()

    cdef int _advance(self) except -1:
        """Something was received."""
        if self._phase == HANDSHAKING:
            self._shake_hands()
        if self._handle is None:
            return 0
        if self._phase == SECURE:
            self._decrypt()
            if self._wants_read and self._handle is not None:
                self._wants_read = False
                self._encrypt()
            return self._update_reading()
        if self._phase == SHUTTING_DOWN:
            return self._shut_down()
        return 0

    cdef int _shake_hands(self) except -1:
        cdef bint waits = False
        cdef object failure = None
        try:
            self._tls.do_handshake()
        except _WantRead:
            waits = True
        except Exception as error:
            failure = error
        if not waits and failure is None:
            self._set_timer(-1, None)
            self._phase = SECURE
        # Where it has failed, an alert that says why.
        self._send_outgoing()
        if failure is not None:
            return self._handshake_failed(failure)
        if waits or self._handle is None:
            return 0
        if self._tells_made:
            self._made_was_told = True
            try:
                self.made()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self._fail(error, "Fatal error: protocol.connection_made() call failed.")
            if self._handle is None:
                return 0
        elif self._state == TRANSPORT_NEW:
            self._state = TRANSPORT_MADE
        if self._starts_reading:
            self._may_read = True
        self._update_reading()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
            if not self._starts_reading:
                # After whoever awaits it.
                self._loop.call_soon(self._loop.call_soon, self._start_reading)
        return 0

    cdef int _handshake_failed(self, object error) except -1:
        if self._handle is None:
            return 0
        if isinstance(error, ssl.CertificateError):
            return self._fail(error, "SSL handshake failed on verifying the certificate")
        return self._fail(error, "SSL handshake failed")

    cdef object _read(self, object buffer, bint *ended):
        """What is decrypted, or how much of it into `buffer`; None where more must come, or where it fails."""
        cdef object found = None
        cdef object failure = None
        try:
            if buffer is None:
                found = read_records(self._calls, self._incoming, ended)
            else:
                found = self._calls.read(self._view.len, buffer)
        except _WantRead:
            pass
        except Exception as error:
            failure = error
        if found is None:
            self._release_view()
        if failure is not None:
            self._send_outgoing()
            self._fail(failure, "SSL error in data received")
        return found

    cdef int _decrypt(self) except -1:
        """Give the protocol what was received, as long as it wants it."""
        cdef list pieces = None
        cdef bytes piece
        cdef bytes data = b""
        cdef bint ended = False
        if self._buffered:
            return self._decrypt_in_place()
        if not self._may_read or not self._reading or self._state != TRANSPORT_MADE:
            return 0
        while self._holds():
            piece = self._read(None, &ended)
            if piece is None:
                break
            self._may_hold = PyBytes_GET_SIZE(piece) >= RECORD
            if not data:
                data = piece
            elif pieces is None:
                pieces = [data, piece]
            else:
                pieces.append(piece)
            if ended:
                break
        if data and self._handle is not None:
            self._deliver(data if pieces is None else b"".join(pieces))
        # Afterwards: it may call pause_writing(), where the protocol can become one that says where data goes.
        if self._outgoing.pending:
            self._send_outgoing()
        if self._handle is not None and self._phase == SECURE and (ended or self._is_cut_off()):
            self._peer_has_closed()
        return 0

    cdef bint _holds(self) except -1:
        """Whether something that was received is not with the protocol."""
        if self._incoming.pending:
            return True
        self._may_hold = self._may_hold and self._calls.pending() > 0
        return self._may_hold

    cdef bint _is_cut_off(self) except -1:
        """Whether the end came without a close_notify, and the protocol has had what came before it."""
        return self._end_received and self._reading and self._may_read and self._tls.pending() == 0

    cdef int _decrypt_in_place(self) except -1:
        """_decrypt() into the buffers that the protocol names."""
        cdef Py_ssize_t length
        while (self._may_read and self._reading and self._state == TRANSPORT_MADE and self._buffered
                and self._holds()):
            buffer = self._wanted_buffer()
            if buffer is None or self._state != TRANSPORT_MADE or not self._reading:
                return self._release_view()
            found = self._read(buffer, NULL)
            if found is None:
                break
            length = found
            if length == 0:
                self._release_view()
                return self._peer_has_closed()
            self._may_hold = length == self._view.len
            self._deliver_in_place(length)
        if self._outgoing.pending and self._handle is not None:
            self._send_outgoing()
        if not self._buffered and self._handle is not None:
            return self._decrypt()
        if self._handle is not None and self._phase == SECURE and self._is_cut_off():
            self._peer_has_closed()
        return 0

    cdef int _peer_has_closed(self) except -1:
        """A close_notify, or the end without one: tell the protocol, and answer."""
        self._end_received = True
        if self._tell_end():
            _log.warning("returning true from eof_received() has no effect when using ssl")
        self.close()
        return 0

    def _tell_end(self):
        """Tell the protocol that nothing more will come, once; whether it wants to stay open."""
        if self._end_told or self._protocol is None:
            return False
        self._end_told = True
        keep_open = False
        try:
            keep_open = self._protocol.eof_received()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._fail(error, "Fatal error: protocol.eof_received() call failed.")
        return keep_open

    # === Writing ===

    cdef int _put(self, object chunk, Py_ssize_t length) except -1:
        if self._handle is None or self._phase >= SHUTTING_DOWN:
            return self._write_lost()
        self._plain.append(chunk)
        self._plain_length += length
        if self._phase == SECURE:
            if self._plain_length >= ENCRYPT_AT:
                self._encrypt()
            elif not self._encrypt_due:
                self._encrypt_due = True
                later(self.record, _run_encrypt, self, None, 0)
        return self._pause_maybe()

    cdef Py_ssize_t _unsent(self) noexcept:
        return self._plain_length + Transport._unsent(self)

    cdef int _hand_over(self) except -1:
        if self._phase == SECURE:
            self._encrypt()
        return Transport._hand_over(self)

    cdef int _encrypt(self) except -1:
        """Turn what was written into records, and hand them over."""
        cdef Py_ssize_t written
        cdef Py_ssize_t done = 0
        cdef list plain = self._plain
        cdef object failure = None
        if self._plain_length == 0 or self._handle is None or self._wants_read:
            return 0
        try:
            data = plain[0] if len(plain) == 1 else b"".join(plain)
            self._plain = []
            self._plain_length = 0
            written = self._calls.write(data)
            while written + done < chunk_length(data):
                done += written
                written = self._calls.write(memoryview(data)[done:])
        except _WantRead:
            # The peer wants another handshake (TLS 1.2), and what it sends meanwhile is decrypted.
            self._may_hold = True
            self._plain = [memoryview(data)[done:], *self._plain]
            self._plain_length += chunk_length(data) - done
            self._wants_read = True
        except Exception as error:
            failure = error
        self._send_outgoing()
        return 0 if failure is None else self._fail(failure, "SSL error in data to send")

    cdef int _send_outgoing(self) except -1:
        cdef bytes data
        if self._handle is None:
            return 0
        try:
            if self._outgoing.pending:
                data = self._outgoing.read()
                Transport._put(self, data, PyBytes_GET_SIZE(data))
        except MemoryError as error:
            # The peer can make nothing of records behind one that is missing.
            self._fail(error, "Fatal write error on SSL transport")
        return 0

    cdef int _shut_down(self) except -1:
        """Send close_notify, and wait for that of the peer; what comes before it is nobody's any more."""
        cdef bint over
        cdef bint ended = False
        try:
            while not ended:
                read_records(self._calls, self._incoming, &ended)
            self._end_received = True
        except _TLSError:
            pass
        try:
            self._tls.unwrap()
            over = True
        except _WantRead:
            over = self._end_received
        except _TLSError:
            # The peer has sent more behind its end, or nothing more can be said.
            over = True
        self._send_outgoing()
        if over:
            self._phase = SHUT_DOWN
            self._tell_end()
        self._update_reading()
        self._hand_over()
        return self._finish_maybe()


cdef int _run_encrypt(object target, object argument, int step) except -1:
    cdef SecureTransport self = <SecureTransport>target
    self._encrypt_due = False
    return self._encrypt()


cdef SecureTransport new_secure_transport(LoopRecord record, object protocol, object context, bint is_unix,
                                          tuple tls_options, bint server_side, object server_hostname):
    """A transport that has no handle yet; attach() and begin() follow.  See tls_options_of()."""
    cdef SecureTransport self = SecureTransport.__new__(SecureTransport)
    tls_context, self._handshake_timeout, self._shutdown_timeout = tls_options
    self._incoming = ssl.MemoryBIO()
    self._outgoing = ssl.MemoryBIO()
    self._tls = tls_context.wrap_bio(
        self._incoming, self._outgoing, server_side=server_side,
        server_hostname=None if server_side else server_hostname or None,
    )
    self._calls = calls_of(self._tls)
    self._plain = []
    self._tells_made = True
    self.set_up(record, protocol, context, is_unix)
    return self
