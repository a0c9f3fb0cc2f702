"""BaseTransport: what every asyncio transport here is: a protocol above, a stream handle below, and a life.

asyncio: "BaseTransport".
"""

import _socket
import asyncio
import logging

from cpython.object cimport PyObject
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from uvnet._loop.idle cimport IdleEntry, idle_timers_of
from uvnet._loop.record cimport LoopRecord, no_record
from uvnet._loop.threads cimport get_generic, guard_attributes, set_generic
from uvnet._loop.tick cimport later
from uvnet._stream.stream cimport Stream
from uvnet._stream.tcp cimport TCP
from uvnet.addresses.sockaddr cimport copy_name, socket_name, sockaddr_storage
from uvnet.transports.transport_options cimport TransportOptions

from uvnet.errors.codes import timed_out
from uvnet.transports.names import TransportSocket, unix_names

cdef extern from "Python.h":
    bint PyMethod_Check(object callable)
    PyObject *PyMethod_GET_SELF(object method)
    PyObject *PyMethod_GET_FUNCTION(object method)

_log = logging.getLogger("asyncio")
cdef object _detach = _socket.socket.detach


cdef class BaseTransport:
    """A transport's names, protocol and life; not made by users.  asyncio: "asyncio.BaseTransport"."""

    def __cinit__(self, *args, **kwargs):
        self.record = no_record
        self._high = HIGH_WATER
        self._low = HIGH_WATER // 4
        self._reading = True
        self._paths = (None, None)
        memset(&self._local_name, 0, sizeof(self._local_name))
        memset(&self._remote_name, 0, sizeof(self._remote_name))

    def __dealloc__(self):
        free(self._limit)

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
        """'socket', 'sockname', 'peername', or 'proxy_header', which is uvnet's; `default` for what is not there.

        asyncio: "BaseTransport.get_extra_info()".
        """
        found = None
        if name == "peername":
            found = self._peername()
        elif name == "sockname":
            found = self._sockname()
        elif name == "proxy_header":
            found = self._proxy_header
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
            self._watch(self._options.close)
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

    # === For TransportSocket ===

    def _fileno(self):
        return -1 if self._handle is None else self._handle.fileno()

    def _peername(self):
        if self._unix and self._remote_name.any.sa_family == 0:
            return self._unix_names()[1]
        self._capture_names()
        return socket_name(&self._remote_name.any)

    def _sockname(self):
        if self._unix and self._local_name.any.sa_family == 0:
            return self._unix_names()[0]
        self._capture_names()
        return socket_name(&self._local_name.any)

    def _unix_names(self):
        return self._paths if self._handle is None else unix_names(self._handle.fileno())

    # === Life ===

    cdef int set_up(self, LoopRecord record, object protocol, object context, TransportOptions options) except -1:
        """What __init__ would do; transports are not made by users."""
        self.record = record
        self._loop = record.loop
        self._context = context
        self._options = options
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

    cdef int remember_names(self, const sockaddr_storage *remote, const sockaddr_storage *local) noexcept:
        """What accepting has found; `local` is NULL where a PROXY header has not told it."""
        copy_name(remote, &self._remote_name)
        if local is not NULL:
            copy_name(local, &self._local_name)
        return 0

    cdef int attached(self) except -1:
        """The handle is there."""
        self._unix = not isinstance(self._handle.base(), TCP)
        self._options.apply(self._handle)
        return self._watch(self._options.idle)

    cdef int _take_protocol(self, object protocol) except -1:
        self._protocol = protocol
        # uvloop: a protocol that is neither is what it looks like.
        self._buffered = isinstance(protocol, asyncio.BufferedProtocol) or (
            hasattr(protocol, "get_buffer") and not isinstance(protocol, asyncio.Protocol)
        )
        received = None if self._buffered else getattr(protocol, "data_received", None)
        self._is_method = PyMethod_Check(received) and PyMethod_GET_SELF(received) == <PyObject *>protocol
        self._data_received = <object>PyMethod_GET_FUNCTION(received) if self._is_method else received
        if self._handle is not None:
            self._handle.ask_where(self._asks())
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
        self._stop_watching()
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
        if self._handle is not None and isinstance(self._handle.base(), TCP):
            handle = <TCP>self._handle.base()
            if self._local_name.any.sa_family == 0:
                handle.local_name(&self._local_name)
            if self._remote_name.any.sa_family == 0:
                handle.remote_name(&self._remote_name)
        return 0

    # === Limits of time ===

    cdef int _watch(self, unsigned int milliseconds) except -1:
        """Have the connection lost after so long without traffic; 0: no more."""
        if milliseconds == 0 or self._handle is None:
            return self._stop_watching()
        if self._limit is NULL:
            self._limit = <IdleEntry *>calloc(1, sizeof(IdleEntry))
            if self._limit is NULL:
                raise MemoryError
        # What TLS receives is traffic before it is data.
        self._handle.set_activity(&self._limit.last)
        idle_timers_of(self.record).start(self._limit, self, milliseconds, _on_idle)
        return 0

    cdef int _stop_watching(self) noexcept:
        if self._limit is not NULL and self._limit.index:
            idle_timers_of(self.record).stop(self._limit)
        return 0

    cdef int _time_over(self) except -1:
        if self._state == TRANSPORT_CLOSING:
            return self._lose(timed_out("the other end has not taken what was written before close()"))
        return self._lose(timed_out("the connection was idle for too long"))

    # === Of what is built on it ===

    cdef bint _asks(self) noexcept:
        return False

    cdef int _update_reading(self) noexcept:
        return 0

    cdef int _hand_over(self) except -1:
        return 0

    cdef Py_ssize_t _unsent(self) noexcept:
        return 0

    cdef int _wake_if_empty(self) except -1:
        return 0


cdef int _run_connection_lost(object target, object error, int step) except -1:
    """Where there was no memory for a callback of the loop."""
    cdef BaseTransport self = <BaseTransport>target
    self._context.run(self._call_connection_lost, error)
    return 0


cdef int _on_idle(object owner) except -1:
    cdef BaseTransport self = <BaseTransport>owner
    if self._handle is None:
        return 0
    if self._handle.block.queued_bytes and self._handle.gets_on(&self._limit.sent):
        self._touch()
        return 1
    self._time_over()
    return 0


def transports_of(loop):
    """The open transports of a loop by their descriptors."""
    try:
        return loop._uvnet_transports
    except AttributeError:
        loop._uvnet_transports = {}
    return loop._uvnet_transports


cdef object _get_attribute(object self, object name):
    (<BaseTransport>self).record.check_attribute(name)
    return get_generic(self, name)


cdef int _set_attribute(object self, object name, PyObject *value) except -1:
    (<BaseTransport>self).record.check_attribute(name)
    return set_generic(self, name, value)


guard_attributes(BaseTransport, _get_attribute, _set_attribute)
