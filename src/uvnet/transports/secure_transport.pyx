# cython: nonecheck=True
# What is here for plain Python may be called on a transport that is not there yet, or any more.
"""SecureTransport: a Transport on a SecureStream: what asyncio says of a connection's handshake and of its end.

asyncio: "asyncio.sslproto".
"""

import asyncio
import logging
import ssl

from uvnet._loop.record cimport LoopRecord
from uvnet._stream.stream cimport Stream
from uvnet._tls.engine cimport new_engine
from uvnet._tls.secure_stream cimport SecureStream
from uvnet._tls.secure_stream_events cimport open_secure
from uvnet._uv.table cimport UVNET_UV_EOF
from uvnet.errors.system cimport system_error
from uvnet.transports.base_transport cimport TRANSPORT_CLOSING, TRANSPORT_LOST, TRANSPORT_MADE, TRANSPORT_NEW
from uvnet.transports.transport cimport Transport
from uvnet.transports.transport_events cimport attach
from uvnet.transports.transport_options cimport TransportOptions

_log = logging.getLogger("asyncio")


class SSLTransport(asyncio.Transport):
    """What a SecureTransport says it is: programs look for this name."""


class _Below:
    """The protocol of a transport whose TLS had another one inside that is over."""

    def __init__(self, inner):
        self.inner = inner

    def eof_received(self):
        return False

    def connection_lost(self, error):
        self.inner._outer_lost(error)


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
            return self._engine.tls
        if name == "sslcontext":
            return self._engine.tls.context
        if name in ("peercert", "cipher", "compression"):
            if self._phase == HANDSHAKING:
                return default
            found = (self._engine.tls.getpeercert if name == "peercert" else getattr(self._engine.tls, name))()
            return default if found is None else found
        return Transport.get_extra_info(self, name, default)

    def close(self):
        """Stop reading, send what was written and a close_notify, wait for the peer's, close.

        That takes the shutdown's time at most.  asyncio: "BaseTransport.close()".
        """
        self.record.check()
        if self._successor is not None and self._state == TRANSPORT_LOST:
            self._successor.close()
        if self._state >= TRANSPORT_CLOSING:
            return
        if self._phase == HANDSHAKING:
            self._lose(None)
            return
        self._state = TRANSPORT_CLOSING
        try:
            self._hand_over()
        except MemoryError as error:
            self._fail(error, "Fatal error on closing an SSL transport")
        if self._handle is None:
            return
        self._phase = SHUTTING_DOWN
        try:
            self._set_timer(self._shutdown_timeout, self._shutdown_too_long)
            self._handle.shutdown()
            if self._unsent():
                self._watch(self._options.close)
            if self._end_received:
                self._shut_down()
            else:
                self._update_reading()
        except Exception as error:
            # There is no memory, and nobody can close it once more.
            self._fail(error, "Fatal error on closing an SSL transport")

    def resume_reading(self):
        """Undo pause_reading(); harmless twice.  asyncio: "ReadTransport.resume_reading()"."""
        self.record.check()
        if not self._reading:
            # What was received before may be given out at once; what the program has asked for before comes first.
            self._loop.call_soon(self._go_on)
            self._reading = True

    def _go_on(self):
        self._update_reading()

    def can_write_eof(self):
        """False, as of asyncio's.  asyncio: "WriteTransport.can_write_eof()"."""
        return False

    def write_eof(self):
        """Raises NotImplementedError.  asyncio: "WriteTransport.write_eof()"."""
        raise NotImplementedError

    @property
    def _tls(self):
        return self._engine.tls

    # === Life ===

    cdef int begin(self) except -1:
        """Begin the handshake; the handle is attached."""
        try:
            self._set_timer(self._handshake_timeout, self._handshake_too_long)
            (<SecureStream>self._handle).begin()
        except MemoryError as error:
            self._handshake_failed(error)
        return 0

    cdef bint _asks(self) noexcept:
        return self._buffered and self._phase == SECURE

    cdef int _update_reading(self) noexcept:
        if self._phase != SHUTTING_DOWN:
            return Transport._update_reading(self)
        # What comes before the peer's close_notify is nobody's any more.
        if self._handle is not None:
            self._handle.ask_where(False)
            self._handle.read_start()
        return 0

    cdef int _lose(self, object error) except -1:
        cdef object waiter
        if self._handle is None:
            return 0
        waiter = self._waiter
        self._set_timer(-1, None)
        self._waiter = None
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
        if self._phase != SHUT_DOWN:
            return 0
        if self._outer is not None and self._handle is not None and self._unsent() == 0:
            return self._close_outer()
        return Transport._finish_maybe(self)

    cdef int _close_outer(self) except -1:
        """TLS inside of TLS: the transport below gets its stream back and closes as it would have; we wait."""
        cdef SecureTransport outer = self._outer
        cdef Stream stream = (<SecureStream>self._handle).under
        self._outer = None
        self._stop_watching()
        # It may be on the stack, and must not touch what is not its own any more.
        (<SecureStream>self._handle).leave_under()
        self._handle = None
        outer._given, self._given = self._given, None
        outer._protocol = _Below(self)
        outer._buffered = False
        outer._data_received = None
        outer._successor = None
        outer._phase = SECURE
        outer._state = TRANSPORT_MADE
        self._successor = outer
        attach(outer, stream)
        outer.close()
        return 0

    def _outer_lost(self, error):
        self._successor = None
        self._state = TRANSPORT_LOST
        self._call_connection_lost(error)

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
        error = TimeoutError("SSL shutdown timed out")
        self._tell_server(error)
        self._fail(error, "SSL shutdown timed out")

    cdef int _tell_server(self, object error) except -1:
        """Have it counted among what the server has dropped."""
        # Who goes without a word only looks whether somebody listens.
        if self._server is not None and self._handle is not None and not (
            isinstance(error, ConnectionResetError) and self._handle.base().block.bytes_read == 0
        ):
            self._server._tls_failed(self, error)
        return 0

    # === TLS ===

    cdef int _secured(self, object error) except -1:
        """The handshake is over, or TLS cannot go on."""
        if error is not None:
            if self._phase == HANDSHAKING:
                return self._handshake_failed(error)
            self._tell_server(error)
            return self._fail(error, "SSL error in data received")
        self._set_timer(-1, None)
        self._phase = SECURE
        if self._tells_made:
            self._made_was_told = True
            try:
                self.made()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self._fail(error, "Fatal error: protocol.connection_made() call failed.")
            if self._handle is None:
                # start_tls() may have put another one in its place: nobody else wakes who waits.
                self._wake()
                return 0
        elif self._state == TRANSPORT_NEW:
            self._state = TRANSPORT_MADE
        if self._starts_reading:
            self._may_read = True
        self._update_reading()
        if self._wake() and not self._starts_reading:
            # After whoever awaits it.
            self._loop.call_soon(self._loop.call_soon, self._start_reading)
        return 0

    cdef bint _wake(self) except -1:
        """Tell who waits for the handshake; whether there was somebody."""
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return False
        waiter.set_result(None)
        return True

    cdef int _handshake_failed(self, object error) except -1:
        if self._handle is None:
            return 0
        self._tell_server(error)
        if isinstance(error, ssl.CertificateError):
            return self._fail(error, "SSL handshake failed on verifying the certificate")
        return self._fail(error, "SSL handshake failed")

    # === Reading ===

    cdef int _received(self, bytes chunk, ssize_t nread) except -1:
        if self._phase != SHUTTING_DOWN:
            return Transport._received(self, chunk, nread)
        self._release_view()
        if nread == UVNET_UV_EOF:
            self._end_received = True
            return self._shut_down()
        if nread < 0:
            return self._fail(system_error(<int>nread, "read"), "Fatal read error on socket transport")
        return 0

    cdef int _end(self) except -1:
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

    cdef int _shut_down(self) except -1:
        """Both sides have said their end: what is left is to be sent, which has a limit of its own."""
        self._phase = SHUT_DOWN
        self._set_timer(-1, None)
        self._update_reading()
        self._tell_end()
        self._finish_maybe()
        return self._watch(self._options.close)

    # === Writing ===

    cdef int _put(self, object chunk) except -1:
        return self._write_lost() if self._phase >= SHUTTING_DOWN else Transport._put(self, chunk)

    cdef Py_ssize_t _unsent(self) noexcept:
        # What TLS has to say by itself counts too.
        return 0 if self._handle is None else self._handle.gathered_length() + self._handle.unsent()


cdef SecureTransport new_secure_transport(LoopRecord record, object protocol, object context,
                                          TransportOptions options, tuple tls_options, bint server_side,
                                          object server_hostname):
    """A transport that has no handle yet; attach_secure() and begin() follow.  See tls_options_of()."""
    cdef SecureTransport self = SecureTransport.__new__(SecureTransport)
    tls_context, self._handshake_timeout, self._shutdown_timeout = tls_options
    self._engine = new_engine(record, tls_context, server_side, server_hostname)
    self._tells_made = True
    self.set_up(record, protocol, context, options)
    return self


cdef int attach_secure(SecureTransport self, Stream under) except -1:
    """Give it the stream that encrypted bytes go through, which is its alone from then on."""
    return attach(self, open_secure(under, self._engine))
