"""Acceptor: makes a Socket of every connection that its listener accepts, and counts those that are open.

How it comes to listen is the business of Server.  Node: "Class: net.Server"; rules 1.8 to 1.10.
"""

from uvnet._accept.counting cimport statistics_of
from uvnet._accept.intake cimport Intake, IntakeEvents, new_intake
from uvnet._accept.listener cimport DropReason, Listener
from uvnet._accept.server_socket cimport family_of_server
from uvnet._loop.context cimport PyContext_Enter, PyContext_Exit
from uvnet._loop.coroutine cimport running_coroutines
from uvnet._loop.handle cimport Handle, open_handles, user_of
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tick cimport report, report_unheard
from uvnet._stream.stream cimport Stream
from uvnet.addresses.sockaddr cimport copy_name, sockaddr_storage
from uvnet.errors.system cimport descriptor_lost
from uvnet.socket.connection cimport Connection
from uvnet.socket.socket cimport Socket, accepted
from uvnet.socket.socket_parent cimport SocketParent
from uvnet.streams.readable cimport NOT_FLOWING

from uvnet._accept.statistics import Connections
from uvnet._loop.alive import forget_unheard, keep_unheard
from uvnet._loop.tick import next_tick_on
from uvnet.errors.codes import invalid_callback, invalid_type, not_running, out_of_range, will_not_come
from uvnet.server.scope import LISTEN_FAILED

cdef enum:
    STEP_LISTENING
    STEP_ERROR
    STEP_CLOSE


cdef class Acceptor(SocketParent):
    """The accepting half of a Server; not made by users."""

    def __cinit__(self, *args, **kwargs):
        self._intake = new_intake(self.record, &_events)
        self._listeners = ()

    # === Public API ===

    def get_connections(self, callback):
        """Call callback(error, count) on a tick with the number of open connections; returns the server.

        Raises TypeError for a callback that cannot be called.
        Node: "server.getConnections(callback)".
        """
        self.record.check()
        if not callable(callback):
            raise invalid_callback(callback)
        next_tick_on(self.record, callback, None, self._intake.filter.connections)
        return self

    def ref(self):
        """Let the listening server keep uvnet.run() going again (the default); returns the server.

        Node: "server.ref()".
        """
        return self._set_referenced(True)

    def unref(self):
        """Do not let the server keep uvnet.run() going; returns the server.  Node: "server.unref()"."""
        return self._set_referenced(False)

    @property
    def listening(self):
        """True while the server listens.  Node: "server.listening"."""
        return bool(self._listeners)

    @property
    def dropped(self):
        """How many connections were closed for a limit, by the reason: a new dict.

        The reasons are those of 'drop'.  This is not in Node.
        """
        return self._intake.dropped()

    @property
    def connections(self):
        """A Connections view of the sockets that are open: their number, and themselves to iterate over.

        This is not in Node, whose "server.connections" was a number.
        """
        return Connections(self)

    def statistics(self):
        """A ServerStatistics: what the server has had to do with until now.  May be called in any thread, with a GIL.

        This is not in Node.
        """
        return statistics_of(self._intake)

    @property
    def max_connections(self):
        """How many connections may be open (int >= 0), or None for no limit.

        Those beyond it are closed at once, each with a 'drop'.  May be set at any time.
        Setting it raises TypeError or ValueError.  Node: "server.maxConnections".
        """
        return None if self._intake.filter.most < 0 else self._intake.filter.most

    @max_connections.setter
    def max_connections(self, value):
        if value is None:
            self._intake.filter.most = -1
        elif isinstance(value, bool) or not isinstance(value, int):
            raise invalid_type("max_connections", "of type int or None", value)
        elif not 0 <= value <= 0x7FFFFFFF:
            raise out_of_range("max_connections", ">= 0 and <= 2147483647", value)
        else:
            self._intake.filter.most = value

    # === For Server ===

    cdef int _start_accepting(self, list descriptors, int backlog, bint given, list leases, int *at) except? 1:
        """Listen on bound sockets, `given` by somebody who may still close them; 0 or a libuv error.

        leases: the right to each, where they are another process's, else empty; at: which of them the error is of.

        All or none: they are the server's on success, and the caller's where there is an error or an exception.
        """
        cdef Listener listener
        # Their places are there before them.
        cdef list listeners = [None] * len(descriptors)
        cdef int status = 0
        cdef int family
        at[0] = 0
        self._intake.record = self.record
        try:
            for index, descriptor in enumerate(descriptors):
                at[0] = index
                family = family_of_server(descriptor)
                if family < 0:
                    status = family
                    break
                listener = self._intake.listen(
                    self, descriptor, family, backlog, given, &status, leases[index] if leases else None
                )
                if listener is None:
                    break
                listener.block.referenced = not self._unreferenced
                listeners[index] = listener
            if status == 0:
                started = tuple(listeners)
                self._later(STEP_LISTENING, started)
        except BaseException:
            self._release(listeners)
            raise
        if status < 0:
            self._release(listeners)
            return status
        self._listeners = started
        forget_unheard(self.record, self)
        self._close_emitted = False
        return 0

    cdef int _stop_accepting(self) except -1:
        cdef Listener listener
        cdef tuple listeners = self._listeners
        self._listeners = ()
        for listener in listeners:
            self._intake.close(listener)
        return 0

    cdef int _release(self, object listeners) except -1:
        """Listen no more, and leave the descriptors to the caller."""
        cdef Listener listener
        for listener in listeners:
            if listener is not None:
                self._intake.release(listener)
        return 0

    cdef int _fail(self, object error) except -1:
        return self._later(STEP_ERROR, error)

    cdef int _cannot_listen(self, object error) except -1:
        """'error'; where nobody listens for it, run() ends for want of this server."""
        try:
            if self._given_up or self._unreferenced or self.has_listeners("error"):
                self._emit_error(error)
            else:
                keep_unheard(self.record, error, self)
        finally:
            self.emit_all(LISTEN_FAILED, ())
        return 0

    cdef int _give_up(self) except -1:
        self._given_up = True
        forget_unheard(self.record, self)
        return 0

    cdef int _emit_close_if_drained(self) except -1:
        if not self._is_open() and self._intake.filter.connections == 0:
            self._later(STEP_CLOSE, None)
            self._closes_due += 1
        return 0

    cpdef bint _is_open(self):
        return bool(self._listeners)

    def _is_over(self):
        return not self._is_open() and self._intake.filter.connections == 0 and self._closes_due == 0

    cdef int _stopped(self) except -1:
        """It does not listen any more."""
        return 0 if self._arrivals is None else self._arrivals.stopped()

    cdef int _listener_lost(self) except -1:
        """Somebody else has closed the descriptor: it is as after close()."""
        return 0

    cdef int _abandon(self) except -1:
        """The loop is gone: no event will come."""
        self._listeners = ()
        return 0

    # === Accepting ===

    cdef int _accept(self, Stream stream, const sockaddr_storage *remote, const sockaddr_storage *local,
                     object header) except -1:
        cdef Socket socket = self._make_socket(stream, remote)
        if local is not NULL:
            copy_name(local, &socket._local_name)
        socket._proxy_header = header
        context = socket._context
        socket._counted = True
        PyContext_Enter(context)
        try:
            self._start(socket)
            self._arrived(socket)
        except BaseException as error:
            self._failed_for(error, socket)
            if socket._server is self:
                socket._destroy_stream(None)
        finally:
            PyContext_Exit(context)
        return self._hold_if_full()

    cdef Socket _make_socket(self, Stream stream, const sockaddr_storage *remote):
        cdef Socket socket = Socket.__new__(Socket)
        accepted(socket, stream, self, remote)
        return socket

    cdef int _arrived(self, Socket socket) except -1:
        """A connection is there, and nobody has heard of it."""
        return self._hand_out(socket)

    cdef int _hand_out(self, Socket socket) except -1:
        """Give a socket to whom they are for."""
        if self.has_listeners(self._event_of_arrival()):
            self.emit1(self._event_of_arrival(), socket)
        else:
            self._arrivals_wanted().keep(socket)
        return 0

    cdef int _hold_if_full(self) except -1:
        cdef Listener listener
        if self._listeners and self._arrivals is not None and self._arrivals.is_full():
            for listener in self._listeners:
                listener.hold()
        return 0

    cdef Arrivals _arrivals_wanted(self):
        if self._arrivals is None:
            self._arrivals = Arrivals(self)
        return self._arrivals

    cdef int _go_on_accepting(self) except -1:
        cdef Listener listener
        for listener in self._listeners:
            listener.go_on()
        return 0

    cdef int _go_on_if_there_is_room(self) except -1:
        if self._arrivals is not None and not self._arrivals.is_full():
            self._go_on_accepting()
        return 0

    cdef int _start(self, Socket socket) except -1:
        socket.allow_half_open = self.allow_half_open
        if self._high_water_mark >= 0:
            socket._readable_high_water_mark = self._high_water_mark
            socket._writable_high_water_mark = self._high_water_mark
        socket._max_buffered = self._max_buffered
        socket._raise_when_full = self._raise_when_full
        socket._no_delay = self._no_delay
        socket._keep_alive = self._keep_alive
        socket._keep_alive_delay = self._keep_alive_delay
        socket._keep_alive_interval = self._keep_alive_interval
        socket._keep_alive_count = self._keep_alive_count
        if self._no_delay or self._keep_alive:
            socket._apply_options()
        if self.pause_on_connect:
            socket._flowing = NOT_FLOWING
        else:
            socket._read(0, False)
        return 0

    cdef int _connection_gone(self) except -1:
        self._intake.gone()
        return _on_gone(self)

    def _connection_ended(self):
        """One that another process has got is over."""
        if not self.record.closed:
            self._connection_gone()

    def _cut(self):
        """Destroy every connection; returns how many."""
        cdef Connection connection
        cdef Py_ssize_t count = 0
        for connection in self._unclosed():
            if connection._counted:
                count += 1
                connection._destroy_stream(None)
        count += len(self._intake.stages)
        self._intake.cut_stages()
        return count

    def _why_never(self, event):
        """None where `event` may come before the next listen(), else the exception for who waits for it."""
        if self._close_emitted and (
            event in ("listening", "connection", "drop", "error", "close") or event == self._event_of_arrival()
        ):
            return not_running()
        if event == "listening" and self._listeners:
            return will_not_come(event)
        return None

    def _listener_tasks(self):
        """The set of tasks that run async listeners of the connections, open or not."""
        return {task for task, owner in running_coroutines() if self._accepted(owner)}

    def _unclosed(self):
        """The connections that have not emitted 'close', counted or not."""
        cdef Handle handle
        cdef list unclosed = []
        for handle in open_handles(self.record):
            owner = user_of(handle)
            if self._accepted(owner):
                unclosed.append(owner)
        return unclosed

    def _connection_count(self):
        return self._intake.filter.connections

    def _open_connections(self):
        cdef Connection connection
        return [connection for connection in self._unclosed() if connection._counted]

    def _what_is_left(self):
        """How many connections are open, and how many async listeners of connections run."""
        return self._intake.filter.connections, len(self._listener_tasks())

    # === Private ===

    cdef bint _accepted(self, object owner) noexcept:
        return isinstance(owner, Connection) and (<Connection>owner)._server is self

    cdef object _on_whose_behalf(self, object argument):
        return argument if self._accepted(argument) else self

    @property
    def _record(self):
        return self.record

    def _next_tick(self, callback, *arguments):
        # For policy in plain Python.
        next_tick_on(self.record, callback, *arguments)

    cdef LoopRecord _usable_record(self):
        self.record.check()
        return self.record

    def _set_referenced(self, bint referenced):
        self.record.check()
        self._unreferenced = not referenced
        if not referenced:
            forget_unheard(self.record, self)
        for listener in self._listeners:
            (<Listener>listener).block.referenced = referenced
        return self

    cdef int _step(self, int step, object argument) except -1:
        if step == STEP_LISTENING:
            if self._listeners is argument:
                self.emit0("listening")
        elif step == STEP_ERROR:
            self._cannot_listen(argument)
        elif step == STEP_CLOSE:
            self._closes_due -= 1
            self._close_emitted = not self._is_open()
            self.emit0("close")
        return 0

    cdef int _emit_error(self, object error) except -1:
        if self.has_listeners("error"):
            self.emit_all("error", (error,))
        else:
            report_unheard(self.record, error, self)
        return 0

    cdef int _listener_added(self, object event) except -1:
        if event == "drop":
            self._intake.filter.tells_drops = True
        elif event == self._event_of_arrival():
            self._go_on_if_there_is_room()
        return 0

    cdef int _listener_removed(self, object event) except -1:
        if event == "drop":
            self._intake.filter.tells_drops = self.has_listeners("drop")
        return 0

    cdef int _listener_failed(self, object event, object argument, object error) except -1:
        if self.record.closed:
            return 0
        self._failed_for(error, argument if isinstance(argument, Socket) else None)
        # One that has connected somewhere else since is the server's no longer.
        if (event in ("connection", self._event_of_arrival()) and isinstance(argument, Socket)
                and (<Socket>argument)._server is self):
            (<Socket>argument)._destroy_stream(None)
        return 0

    cdef int _failed_for(self, object error, Socket connection) except -1:
        report(self.record, error, f"exception in a listener of {type(self).__name__}", self, connection)
        return 0


# Events of the intake.

cdef int _on_connection(object owner, Stream stream, const sockaddr_storage *remote,
                        const sockaddr_storage *local, object header) except -1:
    return (<Acceptor>owner)._accept(stream, remote, local, header)


cdef int _on_gone(object owner) except -1:
    cdef Acceptor self = <Acceptor>owner
    self._go_on_if_there_is_room()
    return self._emit_close_if_drained()


cdef int _on_drop(object owner, dict drop) except -1:
    return _tell(<Acceptor>owner, "drop", drop)


cdef int _on_cut(Intake intake, Stream stream, DropReason reason) except -1:
    cdef Connection connection
    cdef object user = user_of(stream)
    if not isinstance(user, Connection):
        return 0
    connection = <Connection>user
    connection._capture_names()
    intake.cut(
        connection._server, reason, stream.base().fileno(), &connection._remote_name.any,
        &connection._local_name.any,
    )
    # A listener may have closed it, or given it another connection.
    if stream.owner is not None and user_of(stream) is connection:
        connection._destroy_stream(None)
    return 0


cdef int _on_trouble(object owner, object error) except -1:
    return _tell(<Acceptor>owner, "error", error)


cdef int _tell(Acceptor self, str event, object argument) except -1:
    PyContext_Enter(self._context)
    try:
        if event == "error":
            self._emit_error(argument)
        else:
            self.emit1(event, argument)
    except BaseException as error:
        self._failed(error)
    finally:
        PyContext_Exit(self._context)
    return 0


cdef int _on_lost(object owner, Listener listener) except -1:
    cdef Acceptor self = <Acceptor>owner
    if listener in self._listeners:
        self._later(STEP_ERROR, descriptor_lost("accept"))
        self._listener_lost()
    return 0


cdef int _on_abandoned(object owner) except -1:
    return (<Acceptor>owner)._abandon()


cdef IntakeEvents _events
_events.on_connection = _on_connection
_events.on_gone = _on_gone
_events.on_drop = _on_drop
_events.on_cut = _on_cut
_events.on_trouble = _on_trouble
_events.on_lost = _on_lost
_events.on_abandoned = _on_abandoned
