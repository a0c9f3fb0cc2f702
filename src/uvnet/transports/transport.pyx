"""Transport: an asyncio transport on a stream handle.

Joins an asyncio protocol above it to the handle below it, whose events come by way of transport_events.pyx; how a
connection comes about is the business of servers and connecting.  asyncio: "Transports and Protocols".
"""

import _socket
import asyncio
import logging

from cpython.buffer cimport PyBUF_WRITABLE
from cpython.bytes cimport PyBytes_CheckExact
from libc.string cimport memset

from uvnet._loop.context cimport PyContext_Enter, exit_context
from uvnet._loop.record cimport LoopRecord, no_record
from uvnet._loop.tick cimport later
from uvnet._stream.stream cimport Stream
from uvnet._stream.tcp cimport TCP
from uvnet._stream.write_request cimport WRITE_FAILED, WRITE_WAITING, WriteRequest, as_chunk, chunk_length
from uvnet._uv.table cimport UVNET_UV_EOF
from uvnet.addresses.sockaddr cimport copy_name, socket_name, sockaddr_storage
from uvnet.errors.system cimport system_error

from uvnet.transports.names import TransportSocket, unix_names

cdef extern from "Python.h":
    int get_buffer "PyObject_GetBuffer" (object exporter, BufferView *view, int flags) except -1
    void release_buffer "PyBuffer_Release" (BufferView *view)

cdef enum:
    HIGH_WATER = 65536           # bytes: asyncio's default
    GATHER_MOST = 65536          # bytes gathered before they are sent at once
    HELD_MOST = 1048576          # bytes that requests may hold, sent or not, until the loop comes to their callbacks
    WRITES_IN_SILENCE = 4        # after the connection is lost; asyncio's number

_log = logging.getLogger("asyncio")
cdef object _detach = _socket.socket.detach


cdef class Transport:
    """What protocol.connection_made() is given; not made by users.  asyncio: "asyncio.Transport"."""

    def __cinit__(self, *args, **kwargs):
        self.record = no_record
        self._high = HIGH_WATER
        self._low = HIGH_WATER // 4
        self._reading = True
        self._paths = (None, None)
        memset(&self._local_name, 0, sizeof(self._local_name))
        memset(&self._remote_name, 0, sizeof(self._remote_name))

    def __dealloc__(self):
        self._release_view()

    @property
    def __class__(self):
        # Programs and asyncio itself ask isinstance(); the layout of asyncio's class and ours exclude each other.
        return asyncio.Transport

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __repr__(self):
        cdef str state = ("new", "open", "closing", "closed")[self._state]
        return f"<uvnet.Transport {state} at {<size_t><void *>self:#x}>"

    # === asyncio.BaseTransport ===

    def get_extra_info(self, name, default=None):
        """'socket', 'sockname' or 'peername'; `default` for what is not there.

        asyncio: "BaseTransport.get_extra_info()".
        """
        found = None
        if name == "peername":
            found = self._peername()
        elif name == "sockname":
            found = self._sockname()
        # uvloop: of an aborted transport there is none; asyncio's would be closed.
        elif name == "socket" and self._handle is not None:
            if self._socket is None:
                self._socket = TransportSocket(self)
            found = self._socket
        return default if found is None else found

    def is_closing(self):
        """Whether it closes, was aborted or was lost.  asyncio: "BaseTransport.is_closing()"."""
        return self._state >= TRANSPORT_CLOSING

    def close(self):
        """Stop reading, send what was written, close; connection_lost(None) follows.

        asyncio: "BaseTransport.close()".
        """
        self.record.check()
        if self._successor is not None:
            self._successor.close()
        if self._state >= TRANSPORT_CLOSING:
            return
        self._state = TRANSPORT_CLOSING
        self._update_reading()
        try:
            self._hand_over()
            self._finish_maybe()
        except MemoryError as error:
            # Nobody can close it once more.
            self._fail(error, "Fatal error on closing a transport")

    def set_protocol(self, protocol):
        """Tell another protocol from now on.  asyncio: "BaseTransport.set_protocol()"."""
        self.record.check()
        self._take_protocol(protocol)

    def get_protocol(self):
        """The protocol.  asyncio: "BaseTransport.get_protocol()"."""
        return self._protocol

    # === asyncio.ReadTransport ===

    def is_reading(self):
        """Whether the protocol gets data.  asyncio: "ReadTransport.is_reading()"."""
        return self._state < TRANSPORT_CLOSING and self._reading and not self._end_received

    def pause_reading(self):
        """Give the protocol no data until resume_reading().  asyncio: "ReadTransport.pause_reading()"."""
        self.record.check()
        self._reading = False
        self._update_reading()

    def resume_reading(self):
        """Undo pause_reading(); harmless twice.  asyncio: "ReadTransport.resume_reading()"."""
        self.record.check()
        self._reading = True
        self._update_reading()

    # === asyncio.WriteTransport ===

    def set_write_buffer_limits(self, high=None, low=None):
        """Bytes that wait to be sent above which pause_writing() is called, and below which resume_writing().

        Raises ValueError unless high >= low >= 0.  asyncio: "WriteTransport.set_write_buffer_limits()".
        """
        self.record.check()
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high = high
        self._low = low
        self._pause_maybe()

    def get_write_buffer_limits(self):
        """(low, high) in bytes.  asyncio: "WriteTransport.get_write_buffer_limits()"."""
        return self._low, self._high

    def get_write_buffer_size(self):
        """Bytes that wait to be sent.  asyncio: "WriteTransport.get_write_buffer_size()"."""
        return self._unsent()

    def write(self, data):
        """Send bytes-like `data` after what was written before; never blocks, never waits.

        Small writes of one turn of the loop go out together.  Raises TypeError for what is not bytes-like and
        RuntimeError after write_eof().  asyncio: "WriteTransport.write()".
        """
        self.record.check()
        if not PyBytes_CheckExact(data):
            data = self._chunk(data)
        if self._ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._sends:
            raise RuntimeError("unable to write; sendfile is in progress")
        cdef Py_ssize_t length = chunk_length(data)
        if length:
            self._put(data, length)

    def writelines(self, list_of_data):
        """write() each of several, which go out together.  asyncio: "WriteTransport.writelines()"."""
        self.record.check()
        # Cython's comprehension gives an item back twice where there is no memory to append it.
        chunks = list(map(self._chunk, list_of_data))
        if self._ended:
            raise RuntimeError("Cannot call writelines() after write_eof()")
        if self._sends:
            raise RuntimeError("unable to write; sendfile is in progress")
        # pause_writing() may write: not between them.
        self._has_more = True
        try:
            for chunk in chunks:
                if chunk_length(chunk):
                    self._put(chunk, chunk_length(chunk))
        finally:
            self._has_more = False
        self._pause_maybe()

    def write_eof(self):
        """Send the end (FIN) after what was written; reading goes on.  asyncio: "WriteTransport.write_eof()"."""
        self.record.check()
        if self._ended or self._state >= TRANSPORT_CLOSING:
            return
        self._ended = True
        self._hand_over()
        if self._handle is not None:
            self._handle.shutdown()

    def can_write_eof(self):
        """True.  asyncio: "WriteTransport.can_write_eof()"."""
        return True

    def abort(self):
        """Close at once.  What waits is not sent; on TCP the peer learns of that by a reset.

        asyncio: "WriteTransport.abort()".
        """
        self.record.check()
        if self._successor is not None:
            self._successor.abort()
        self._lose(None)

    def _force_close(self, error):
        # asyncio's own code calls it.
        self._lose(error)

    # What asyncio's own transports and uvloop's have, and programs have found.

    @property
    def _paused(self):
        return not self._reading

    @property
    def _closing(self):
        return self._state >= TRANSPORT_CLOSING

    # === For sendfile ===

    def _sends_file(self, bint sends):
        self._sends = sends
        self._pause_maybe()

    def _write_piece(self, bytes data):
        if len(data):
            self._put(data, len(data))

    async def _until_empty(self):
        """Wait until the system has taken all; raises ConnectionError where the connection is lost."""
        while True:
            if self._state >= TRANSPORT_CLOSING:
                raise self._lost_with or ConnectionError("Connection closed by peer")
            self._hand_over()
            if self._unsent() == 0:
                return
            if self._empty is None:
                self._empty = self._loop.create_future()
            await self._empty

    cdef int _wake_if_empty(self) except -1:
        if self._empty is not None and (self._handle is None or self._unsent() == 0):
            empty, self._empty = self._empty, None
            if not empty.done():
                empty.set_result(None)
        return 0

    # === For TransportSocket ===

    def _fileno(self):
        return -1 if self._handle is None else self._handle.fileno()

    def _peername(self):
        if self._unix:
            return self._unix_names()[1]
        self._capture_names()
        return socket_name(&self._remote_name.any)

    def _sockname(self):
        if self._unix:
            return self._unix_names()[0]
        self._capture_names()
        return socket_name(&self._local_name.any)

    def _unix_names(self):
        return self._paths if self._handle is None else unix_names(self._handle.fileno())

    # === Life ===

    cdef int set_up(self, LoopRecord record, object protocol, object context, bint is_unix) except -1:
        """What __init__ would do; transports are not made by users."""
        self.record = record
        self._loop = record.loop
        self._context = context
        self._unix = is_unix
        return self._take_protocol(protocol)

    cdef int made(self) except -1:
        """The connection is there: tell the protocol.  Needs its context."""
        self._state = TRANSPORT_MADE
        self._protocol.connection_made(self)
        return 0

    cdef int start_reading(self) except -1:
        self._may_read = True
        return self._update_reading()

    def _made(self):
        if self._state == TRANSPORT_NEW:
            self.made()

    def _start_reading(self):
        self.start_reading()

    cdef int remember_remote(self, const sockaddr_storage *name) noexcept:
        copy_name(name, &self._remote_name)
        return 0

    cdef int _take_protocol(self, object protocol) except -1:
        self._protocol = protocol
        # uvloop: a protocol that is neither is what it looks like.
        self._buffered = isinstance(protocol, asyncio.BufferedProtocol) or (
            hasattr(protocol, "get_buffer") and not isinstance(protocol, asyncio.Protocol)
        )
        self._data_received = None if self._buffered else getattr(protocol, "data_received", None)
        if self._handle is not None:
            self._handle.ask_where(self._asks())
        return 0

    cdef bint _asks(self) noexcept:
        """Whether the handle reads into what the protocol names."""
        return self._buffered

    cdef int _update_reading(self) noexcept:
        if self._handle is None:
            return 0
        if self._may_read and self._reading and not self._end_received and self._state == TRANSPORT_MADE:
            self._handle.ask_where(self._asks())
            self._handle.read_start()
        else:
            self._handle.read_stop()
        return 0

    cdef int _lose(self, object error) except -1:
        """Close the handle now; connection_lost(error) follows by call_soon(), as asyncio's does."""
        cdef Stream handle = self._handle
        if handle is None:
            return 0
        self._lost_with = error
        try:
            if self._unix:
                self._paths = self._unix_names()
            else:
                self._capture_names()
        except MemoryError:
            # Nobody will know them.
            pass
        self._state = TRANSPORT_LOST
        self._handle = None
        self._transports.pop(self._descriptor, None)
        handle.read_stop()
        # asyncio's would have been sent by write(); what the system has not taken then is lost, and the peer has to
        # learn of that.
        try:
            handle.flush()
        except MemoryError:
            # It is lost too.
            pass
        finally:
            # Requests whose callbacks are still to come may all be with the system.
            handle.close(reset=not self._unix and handle.block.queued_bytes > 0 and handle.unsent() > 0)
            self._give_up()
        try:
            self._wake_if_empty()
        finally:
            self._call_soon_lost(error)
        return 0

    cdef int _call_soon_lost(self, object error) except -1:
        try:
            self._loop.call_soon(self._call_connection_lost, error, context=self._context)
        except MemoryError:
            later(self.record, _run_connection_lost, self, error, 0)
        return 0

    cdef int _give_up(self) except -1:
        """The descriptor is closed: the socket that the program gave must not close its number once more."""
        given, self._given = self._given, None
        if given is not None:
            try:
                given.detach()
            except MemoryError:
                # This needs none.
                _detach(given)
        return 0

    def _call_connection_lost(self, error):
        try:
            if self._protocol is not None:
                self._protocol.connection_lost(error)
        finally:
            self._protocol = self._data_received = None
            server, self._server = self._server, None
            self._socket = None
            if server is not None:
                server._transport_gone()

    cdef int _finish_maybe(self) except -1:
        """Close once everything is out, where close() was called."""
        if self._state == TRANSPORT_CLOSING:
            # resume_writing() may have written, and where the system takes that at once nobody comes back here.
            self._hand_over()
            if self._handle is not None and self._unsent() == 0:
                self._lose(None)
        return 0

    cdef int _fail(self, object error, str message) except -1:
        """Something is wrong with the connection: it is lost, and where it is no matter of the network, reported."""
        if not isinstance(error, OSError):
            self._report(error, message)
        elif self._loop.get_debug():
            _log.debug("%r: %s", self, message, exc_info=error)
        return self._lose(error)

    def _report(self, error, message):
        self._loop.call_exception_handler(
            {"message": message, "exception": error, "transport": self, "protocol": self._protocol}
        )

    cdef int _capture_names(self) noexcept:
        """Learn both addresses while the handle can tell."""
        cdef TCP handle
        if self._handle is not None and isinstance(self._handle, TCP):
            handle = <TCP>self._handle
            if self._local_name.any.sa_family == 0:
                handle.local_name(&self._local_name)
            if self._remote_name.any.sa_family == 0:
                handle.remote_name(&self._remote_name)
        return 0

    # === Reading ===

    cdef int _received(self, bytes chunk, ssize_t nread) except -1:
        if nread > 0:
            return self._deliver_in_place(nread) if chunk is None else self._deliver(chunk)
        self._release_view()
        if nread == 0:
            return 0
        if nread == UVNET_UV_EOF:
            return self._end()
        return self._fail(system_error(<int>nread, "read"), "Fatal read error on socket transport")

    cdef int _deliver(self, bytes chunk) except -1:
        """Give the protocol data."""
        try:
            self._data_received(chunk)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._fail(error, "Fatal error: protocol.data_received() call failed.")
        return 0

    cdef int _deliver_in_place(self, Py_ssize_t length) except -1:
        """Tell the protocol that so much is in the buffer it has named."""
        self._release_view()
        try:
            self._protocol.buffer_updated(length)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._fail(error, "Fatal error: protocol.buffer_updated() call failed.")
        return 0

    cdef int _end(self) except -1:
        cdef object keep_open = True
        self._end_received = True
        try:
            keep_open = self._protocol.eof_received()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._fail(error, "Fatal error: protocol.eof_received() call failed.")
        if not keep_open:
            self.close()
        return 0

    cdef int _wanted(self, char **base, size_t *size) except -1:
        """Ask the protocol where the next read goes."""
        base[0] = NULL
        size[0] = 0
        if self._wanted_buffer() is not None:
            base[0] = <char *>self._view.buf
            size[0] = self._view.len
        return 0

    cdef object _wanted_buffer(self):
        """What get_buffer() gives, in `_view` until it is released; None where that is an error."""
        cdef object buffer = None
        try:
            buffer = self._protocol.get_buffer(-1)
            get_buffer(buffer, &self._view, PyBUF_WRITABLE)
            if self._view.len == 0:
                self._release_view()
                raise RuntimeError("get_buffer() returned an empty buffer")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # uvloop's error for it.
            failure = RuntimeError("unhandled error during calling user's get_buffer() method")
            failure.__cause__ = error
            self._fail(failure, "Fatal error: protocol.get_buffer() call failed.")
            buffer = None
        return buffer

    cdef int _release_view(self) noexcept:
        if self._view.obj is not NULL:
            release_buffer(&self._view)
        return 0

    # === Writing ===

    def _chunk(self, data):
        chunk = as_chunk(data) if isinstance(data, (bytes, bytearray, memoryview)) else None
        if chunk is None:
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        return chunk

    cdef int _put(self, object chunk, Py_ssize_t length) except -1:
        cdef Stream handle = self._handle
        cdef WriteRequest request
        if handle is None:
            return self._write_lost()
        if handle.block.queued_bytes:
            request = WriteRequest.__new__(WriteRequest)
            request.add(chunk)
            handle.send(request)
            if request.state == WRITE_FAILED:
                return self._sent(request)
        else:
            handle.gather_chunk(chunk)
            if length >= GATHER_MOST or handle.gathered_length() >= GATHER_MOST:
                handle.flush()
        return self._pause_maybe()

    cdef int _write_lost(self) except -1:
        """A write that comes too late; asyncio's words."""
        self._lost_writes += 1
        if self._lost_writes > WRITES_IN_SILENCE:
            _log.warning("socket.send() raised exception.")
        return 0

    cdef int _hand_over(self) except -1:
        """Give the system what was gathered."""
        if self._handle is not None:
            self._handle.flush()
        return 0

    cdef Py_ssize_t _unsent(self) noexcept:
        if self._handle is None:
            return 0
        return self._handle.gathered_length() + (self._handle.unsent() if self._handle.block.queued_bytes else 0)

    cdef int _sent(self, WriteRequest request) except -1:
        """What was gathered has been handed over, and not all of it is out."""
        cdef WriteRequest behind
        if request.state == WRITE_FAILED:
            return self._fail(system_error(request.status, "write"), "Fatal write error on socket transport")
        if request.state == WRITE_WAITING and request.rest:
            behind = WriteRequest.__new__(WriteRequest)
            for chunk, _ in request.rest:
                behind.add(chunk)
            request.rest = None
            self._handle.send(behind)
            if behind.state == WRITE_FAILED:
                return self._sent(behind)
        return self._pause_maybe()

    cdef int _pause_maybe(self) except -1:
        # The protocol is not the one that writes a file.
        if self._protocol_paused or self._sends or self._has_more:
            return 0
        if self._unsent() > self._high:
            # What the system takes does not wait.
            self._hand_over()
        if (self._unsent() > self._high or self._holds_much()) and not self._protocol_paused:
            self._protocol_paused = True
            self._call_paused("pause_writing")
        return 0

    cdef bint _holds_much(self) noexcept:
        """Whether much is held that the system may have long since: a peer that keeps pace must not make it grow."""
        return self._handle is not None and self._handle.block.queued_bytes > max(<size_t>self._high, HELD_MOST)

    cdef int _resume_maybe(self) except -1:
        if self._protocol_paused and self._unsent() <= self._low and not self._holds_much():
            self._protocol_paused = False
            self._call_paused("resume_writing")
        return 0

    cdef int _call_paused(self, str name) except -1:
        cdef object context = self._context
        try:
            # A write() may come from anywhere: from a callback in that context too.
            PyContext_Enter(context)
        except RuntimeError:
            context = None
        try:
            getattr(self._protocol, name)()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._report(error, f"protocol.{name}() failed")
        finally:
            exit_context(context)
        return 0


cdef int _run_connection_lost(object target, object error, int step) except -1:
    """Where there was no memory for a callback of the loop."""
    cdef Transport self = <Transport>target
    self._context.run(self._call_connection_lost, error)
    return 0


def transports_of(loop):
    """The open transports of a loop by their descriptors."""
    try:
        return loop._uvnet_transports
    except AttributeError:
        loop._uvnet_transports = {}
    return loop._uvnet_transports


cdef Transport new_transport(LoopRecord record, object protocol, object context, bint is_unix):
    """A transport that has no handle yet."""
    cdef Transport self = Transport.__new__(Transport)
    self.set_up(record, protocol, context, is_unix)
    return self
