# cython: nonecheck=True
# What is here for plain Python may be called on a socket that is not there yet, or any more.
"""What can be set on a connection, before or while it is there: options, the idle timeout, ref().

Remembers what was set and gives it to the handle; how a connection comes about is the business of Socket.
Node: "Class: net.Socket"; rules 2.12 and 2.13.
"""

from libc.stdlib cimport calloc, free

from uvnet._loop.context cimport enter_context, exit_context
from uvnet._loop.idle cimport IdleEntry, idle_timers_of
from uvnet._stream.socket_option cimport get_option, set_option
from uvnet._stream.tcp cimport TCP
from uvnet._stream.write_request cimport as_chunk
from uvnet.errors.system cimport system_error
from uvnet.socket.relaying cimport Relaying

from uvnet._stream.socket_option import set_named_options
from uvnet.arguments.checks import (
    check_delay,
    check_keep_alive_count,
    check_keep_alive_interval,
    check_seconds,
)
from uvnet.errors.codes import invalid_callback, invalid_type, out_of_range, socket_closed
from uvnet.socket.system_options import for_unix_sockets
from uvnet.socket.tcp_info import read_tcp_info


cdef class Tunable(Relaying):
    """A connection with its settings; not made by users."""

    def __cinit__(self, *args, **kwargs):
        self._keep_alive_interval = 1
        self._keep_alive_count = 10

    def __dealloc__(self):
        # Never in the heap of idle entries here: that holds a reference.
        free(self._idle)

    # === Public API ===

    def set_no_delay(self, no_delay=True):
        """Switch Nagle's algorithm off (True) or on; returns the socket.  Remembered before connect().

        Without effect on Unix sockets.  Node: "socket.setNoDelay([noDelay])".
        """
        self.record.check()
        cdef bint wanted = bool(no_delay)
        cdef TCP handle
        if wanted != self._no_delay:
            self._no_delay = wanted
            handle = self._tcp()
            if handle is not None:
                handle.set_no_delay(wanted)
        return self

    def set_keep_alive(self, enable=False, initial_delay=0, interval=1, count=10):
        """Switch keep-alive probes on or off; returns the socket.  Remembered before connect().

        `initial_delay` is the idle time before the first probe (0 leaves the system's), `interval` that
        between probes, both in seconds, rounded down to whole ones; `count` probes may go unanswered.
        Without effect on Unix sockets.  Raises TypeError or ValueError for bad numbers.
        Node: "socket.setKeepAlive([enable][, initialDelay])".
        """
        self.record.check()
        delay = check_delay(initial_delay, "initial_delay")
        between = check_keep_alive_interval(interval, "interval")
        count = check_keep_alive_count(count, "count")
        self._keep_alive = bool(enable)
        self._keep_alive_delay = delay
        self._keep_alive_interval = between
        self._keep_alive_count = count
        if self._tcp() is not None and not self._connecting:
            self._set_keep_alive()
        return self

    def set_type_of_service(self, type_of_service):
        """Set IP_TOS or IPV6_TCLASS (0 to 255); returns the socket.  Remembered before connect().

        Without effect on Unix sockets.  Raises TypeError or ValueError for a bad value, OSError where the
        system refuses.  Node: "socket.setTypeOfService(tos)".
        """
        cdef TCP handle
        self.record.check()
        if isinstance(type_of_service, bool) or not isinstance(type_of_service, int):
            raise invalid_type("type_of_service", "of type int", type_of_service)
        if not 0 <= type_of_service <= 255:
            raise out_of_range("type_of_service", ">= 0 and <= 255", type_of_service)
        self._type_of_service = type_of_service
        self._type_of_service_set = True
        handle = self._tcp()
        if handle is not None and not self._connecting:
            status = handle.set_type_of_service(type_of_service)
            if status < 0:
                raise system_error(status, "setTypeOfService")
        return self

    def get_type_of_service(self):
        """What the system says, or before connect() what was set (default 0).

        Node: "socket.getTypeOfService()".
        """
        self.record.check()
        cdef int value = self._type_of_service
        cdef TCP handle = self._tcp()
        if handle is not None and not self._connecting:
            value = handle.get_type_of_service()
            if value < 0:
                raise system_error(value, "getTypeOfService")
        return value

    def fileno(self):
        """The descriptor of the connection (int), -1 where there is none (yet, or any more).

        It stays the socket's: to keep it, os.dup() it; what reads, writes or closes it is not expected here.
        This is not in Node.
        """
        self.record.check()
        return -1 if self._handle is None else self._handle.base().fileno()

    def get_option(self, level, name, size=None):
        """Ask the system for an option, as socket.getsockopt() does: an int, or with `size` at most so many bytes.

        `level` and `name` are numbers: socket.SOL_SOCKET, socket.SO_RCVBUF.  Raises TypeError or ValueError for bad
        arguments (`size` is 1 to 1024), RuntimeError (ERR_SOCKET_CLOSED) while there is no descriptor, OSError where
        the system refuses.  This is not in Node.
        """
        self.record.check()
        _check_number(level, "level")
        _check_number(name, "name")
        if size is not None:
            _check_number(size, "size")
            if not 1 <= size <= 1024:
                raise out_of_range("size", ">= 1 and <= 1024", size)
        return get_option(self._descriptor(), level, name, size)

    def set_option(self, level, name, value):
        """Set an option of the system's, as socket.setsockopt() does; returns the socket.

        `value` is an int or bytes-like.  It is not remembered: the next connect() begins with a new socket, and
        connect() has options by name that count from the start.  What set_no_delay() and its like set is theirs.
        Raises TypeError or ValueError for bad arguments, RuntimeError (ERR_SOCKET_CLOSED) while there is no
        descriptor, OSError where the system refuses.  This is not in Node.
        """
        self.record.check()
        _check_number(level, "level")
        _check_number(name, "name")
        if isinstance(value, int):
            _check_number(value, "value")
        else:
            chunk = as_chunk(value)
            if chunk is None:
                raise invalid_type("value", "of type int or a bytes-like object", value)
            value = chunk
        set_option(self._descriptor(), level, name, value)
        return self

    def tcp_info(self):
        """What the system knows of the connection at this moment: a TCPInfo, with round trip time and so on.

        None where it is no TCP connection, or none any more, and on systems other than Linux.  This is not in Node.
        """
        self.record.check()
        if self._handle is None or not isinstance(self._handle.base(), TCP) or self._handle.base().fileno() < 0:
            return None
        return read_tcp_info(self.get_option)

    def set_timeout(self, timeout, callback=None):
        """Emit 'timeout' after `timeout` seconds without activity; 0 switches it off.  Returns the socket.

        Nothing else happens to the socket.  What is read, written and sent counts as activity, so a write that
        gets on slowly does too; one that is stuck is noticed in the second period.
        `callback` is added as a listener for one 'timeout'; with 0 it is removed.  Raises TypeError or
        ValueError for a bad time, TypeError for a bad callback.
        Node: "socket.setTimeout(timeout[, callback])".
        """
        self.record.check()
        if self._destroyed:
            return self
        milliseconds = check_seconds(timeout, "timeout")
        if callback is not None and not callable(callback):
            raise invalid_callback(callback)
        self.timeout = timeout
        self._parked_timeout = 0
        if milliseconds == 0:
            if self._idle is not NULL:
                idle_timers_of(self.record).stop(self._idle)
            if callback is not None:
                self.off("timeout", callback)
            return self
        if self._idle is NULL:
            self._idle = <IdleEntry *>calloc(1, sizeof(IdleEntry))
            if self._idle is NULL:
                raise MemoryError
            if self._handle is not None:
                self._handle.set_activity(&self._idle.last)
        idle_timers_of(self.record).start(self._idle, self, milliseconds, _on_idle)
        if callback is not None:
            self.once("timeout", callback)
        return self

    def ref(self):
        """Let the open connection keep uvnet.run() going again (the default); returns the socket.

        Node: "socket.ref()".
        """
        return self._set_referenced(True)

    def unref(self):
        """Do not let the connection keep uvnet.run() going; returns the socket.  Node: "socket.unref()"."""
        return self._set_referenced(False)

    # === For Socket ===

    cdef int _resume_timeout(self) except -1:
        """Watch anew, on the way to a connection, what has fired without one."""
        if self._parked_timeout:
            idle_timers_of(self.record).start(self._idle, self, self._parked_timeout, _on_idle)
            self._parked_timeout = 0
        return 0

    cdef int _apply_options(self) except -1:
        cdef TCP handle = self._tcp()
        if handle is not None:
            if self._no_delay:
                handle.set_no_delay(True)
            if self._keep_alive:
                self._set_keep_alive()
            if self._type_of_service_set:
                handle.set_type_of_service(self._type_of_service)
        return 0

    cdef int _take_options(self, object options) except -1:
        """Remember TunableOptions."""
        if options.no_delay is not None:
            self._no_delay = options.no_delay
        if options.keep_alive is not None:
            self._keep_alive = options.keep_alive
            self._keep_alive_delay = options.keep_alive_delay
        if options.keep_alive_interval is not None:
            self._keep_alive_interval = options.keep_alive_interval
        if options.keep_alive_count is not None:
            self._keep_alive_count = options.keep_alive_count
        if options.system:
            self._system_options = {**(self._system_options or {}), **options.system}
        return 0

    cdef int _set_system_options(self) except -1:
        """Tell the system what was asked for by name; raises OSError where it refuses."""
        if self._system_options and self._handle is not None:
            options = self._system_options.values()
            if not isinstance(self._handle.base(), TCP):
                options = for_unix_sockets(options)
            set_named_options(self._descriptor(), options)
        return 0

    cdef int _descriptor(self) except -1:
        cdef int descriptor = -1 if self._handle is None else self._handle.base().fileno()
        if descriptor < 0:
            raise socket_closed()
        return descriptor

    def _set_keep_alive(self):
        self._tcp().set_keep_alive(
            self._keep_alive, self._keep_alive_delay, self._keep_alive_interval, self._keep_alive_count
        )

    def _set_referenced(self, bint referenced):
        self.record.check()
        self._unreferenced = not referenced
        if self._handle is not None:
            self._handle.set_referenced(referenced)
        return self


def _check_number(value, name):
    """One of C's int."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "of type int", value)
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise out_of_range(name, ">= -2147483648 and <= 2147483647", value)


cdef int _on_idle(object owner) except -1:
    cdef Tunable self = <Tunable>owner
    cdef unsigned int life = self._life
    if self._handle is not None and self._handle.block.queued_bytes:
        # A write that gets on counts as activity; one that is stuck is noticed the next time (rule 2.12.7).
        if self._handle.gets_on(&self._idle.sent):
            self._touch()
            return 1
    context = self._context
    enter_context(context)
    try:
        self.emit0("timeout")
    except BaseException as error:
        self._failed_in(life, error)
    finally:
        exit_context(context)
    # Without a handle nothing could arm the entry again.
    if self._handle is None and self._idle.period:
        self._parked_timeout = <unsigned int>self._idle.period
        return 0
    return 1
