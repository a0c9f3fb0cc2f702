"""Server: listens on TCP or a Unix socket and makes a Socket of every connection.

Node: "Class: net.Server"; rule 1.
"""

import os
import socket as _socket_module

from libc.errno cimport EINVAL

from uvnet._core.adopt cimport adopt
from uvnet._core.errors cimport system_error
from uvnet._core.handle cimport Handle, open_handles
from uvnet._core.listener cimport Listener, new_listener
from uvnet._core.loop cimport current_record
from uvnet._core.pipe cimport Pipe, open_pipe, path_error
from uvnet._core.record cimport LoopRecord
from uvnet._core.stream cimport Stream
from uvnet._core.tcp cimport TCP, open_tcp
from uvnet._core.tick cimport later, report
from uvnet._uv.table cimport UVNET_UV_NAMED_PIPE
from uvnet.arrivals cimport Arrivals
from uvnet.connection cimport Connection, SocketParent
from uvnet.readable cimport NOT_FLOWING
from uvnet.socket cimport Socket, new_accepted_socket

from uvnet._core.lookup import look_up
from uvnet._core.tick import next_tick_on
from uvnet.address import Address
from uvnet.deadline import shut_down
from uvnet.errors import already_listening, invalid_callback, not_running
from uvnet.ip import is_ip
from uvnet.listening import SERVER_OPTIONS, bound_inode, open_up, parse_listen_options, unlink_if_same
from uvnet.options import (
    check_delay,
    check_high_water_mark,
    check_max_buffered,
    check_on_max_buffered,
    merge_options,
    reject_unknown,
)
from uvnet.scopes import closed, enter_server, leave_server

cdef enum:
    STEP_LISTENING
    STEP_ERROR
    STEP_CLOSE
    STEP_ACCEPT
    STEP_LISTEN_ON_ADDRESS


cdef int _run_step(object target, object argument, int step) except -1:
    cdef Server self = <Server>target
    try:
        self._step(step, argument)
    except BaseException as error:
        self._report(error)
    return 0


cdef class Server(SocketParent):
    """A server.  Server([options][, connection_listener]), options as one mapping or as keywords:

    allow_half_open: of accepted sockets, see Socket (default False);
    pause_on_connect: accepted sockets do not read before resume() (default False);
    no_delay, keep_alive (bool), keep_alive_initial_delay (seconds): of accepted sockets;
    high_water_mark: of accepted sockets, both ways, in bytes (default 65,536);
    max_buffered, on_max_buffered: of accepted sockets, see Socket (default None, "destroy").

    Events: 'listening', 'connection' (socket), 'drop' (addresses), 'error', 'close'.
    Raises TypeError or ValueError for bad arguments.
    Node: "net.createServer([options][, connectionListener])".
    """

    def __init__(self, options=None, connection_listener=None, **keywords):
        if options is not None and callable(options) and connection_listener is None:
            options, connection_listener = None, options
        options = merge_options(options, keywords)
        reject_unknown(options, SERVER_OPTIONS, "Server()")
        if connection_listener is not None and not callable(connection_listener):
            raise invalid_callback(connection_listener, "connection_listener")
        mark = options.get("high_water_mark")
        self._high_water_mark = -1 if mark is None else check_high_water_mark(mark, "options.high_water_mark")
        self._max_buffered = check_max_buffered(options.get("max_buffered"), "options.max_buffered")
        self._raise_when_full = check_on_max_buffered(
            options.get("on_max_buffered", "destroy"), "options.on_max_buffered"
        )
        self._keep_alive_delay = check_delay(
            options.get("keep_alive_initial_delay", 0), "options.keep_alive_initial_delay"
        )
        self.allow_half_open = bool(options.get("allow_half_open", False))
        self.pause_on_connect = bool(options.get("pause_on_connect", False))
        self._no_delay = bool(options.get("no_delay", False))
        self._keep_alive = bool(options.get("keep_alive", False))
        self.record = current_record()
        if connection_listener is not None:
            self.on("connection", connection_listener)

    # === Public API ===

    def listen(self, *arguments, **keywords):
        """Start to listen; returns the server.  Forms: listen([port[, host[, backlog]]][, callback]),
        listen(path[, backlog][, callback]), listen(handle[, backlog][, callback]), listen(mapping[, callback])
        and keywords: port, host, path, backlog (511), ipv6_only, readable_all, writable_all, exclusive, fd.

        'listening' follows, or 'error' (an OSError).  Without a host the address is known at once; a host is
        looked up first.  `callback` is called once at 'listening'.  `handle` is a Server, a Socket, a
        socket.socket or an object with an `fd`, bound or listening already; it is taken over.
        Raises TypeError or ValueError for bad arguments and RuntimeError (ERR_SERVER_ALREADY_LISTEN) while
        listening; then nothing has changed.  Node: "server.listen()".
        """
        self.record.check()
        if self._handle is not None or self._lookup is not None:
            raise already_listening()
        options, callback = parse_listen_options(arguments, keywords)
        if callback is not None:
            self.once("listening", callback)
        if options.handle is not None:
            self._listen_on_given(options)
        elif options.path is not None:
            self._listen_on_path(options)
        elif options.host is not None:
            self._listen_on_host(options)
        else:
            self._listen_on_any(options)
        return self

    def close(self, callback=None):
        """Stop accepting; returns the server.  'close' follows once every connection has ended.

        callback(error) is called once at 'close', with ERR_SERVER_NOT_RUNNING where the server was not
        open.  Raises TypeError for a callback that cannot be called.  Node: "server.close([callback])".
        """
        self.record.check()
        if callback is not None:
            if not callable(callback):
                raise invalid_callback(callback)
            error = not_running() if self._handle is None and self._lookup is None else None
            self.once("close", lambda: callback(error))
        self._stop_listening()
        self._emit_close_if_drained()
        return self

    def shutdown(self, timeout=None):
        """Stop accepting and let the connections finish; returns a future that is complete at 'close'.

        It begins at once, awaited or not, and goes on when the waiting is cancelled.  After `timeout`
        seconds (None: no limit) the connections that are left are destroyed.  The future's result is how many
        that were.  On a server that is closed it is complete at once.
        Raises TypeError or ValueError for a bad time.
        """
        self.record.check()
        return shut_down(self, timeout)

    def closed(self):
        """Await 'close': the server does not listen and every connection has ended.

        Where that is so already it goes on at once.  asyncio: "Server.wait_closed()".
        """
        self.record.check()
        return closed(self)

    def __aiter__(self):
        """The connections, until the server does not listen any more; see arrivals.

        Raises the argument of an 'error'.  Up to 16 connections are accepted ahead; then the server stops
        accepting until one is taken.  close() destroys those that nobody has taken.
        Node: "server[Symbol.asyncIterator]()".
        """
        self.record.check()
        if self._arrivals is None:
            self._arrivals = Arrivals(self)
        self._arrivals.begin()
        return self._arrivals

    def __aenter__(self):
        """Wait until a listen() under way is over; raises its error.

        Without a 'connection' listener, what is accepted waits for an `async for` from now on.
        """
        self.record.check()
        if self._arrivals is None and not self.has_listeners("connection"):
            self._arrivals = Arrivals(self)
        return enter_server(self)

    def __aexit__(self, kind, error, traceback):
        """close(), and wait for 'close'; with an exception the connections are destroyed.

        Node: "server[Symbol.asyncDispose]()".
        """
        self.record.check()
        return leave_server(self, kind is not None)

    def address(self):
        """The Address (address, family, port) it is bound to, a Unix socket's path, or None.

        Raises OSError where the system cannot tell.  Node: "server.address()".
        """
        if self._handle is None:
            return None
        if isinstance(self._handle, Pipe):
            return self._path
        name = (<TCP>self._handle).local_name()
        if name is None:
            raise system_error(-EINVAL, "address")
        return Address._make(name)

    def get_connections(self, callback):
        """Call callback(error, count) on a tick with the number of open connections; returns the server.

        Node: "server.getConnections(callback)".
        """
        self.record.check()
        if not callable(callback):
            raise invalid_callback(callback)
        later(self.record, _run_callback, callback, (None, self._connections), 0)
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
        return self._handle is not None

    def __repr__(self):
        if self._handle is None:
            return f"<{type(self).__name__} not listening>"
        address = self.address()
        where = address if isinstance(address, str) or address is None else f"{address.address}:{address.port}"
        return f"<{type(self).__name__} listening on {where}>"

    # === Listening ===

    cdef int _listen_on(self, Stream handle, int backlog) except? 1:
        cdef int status
        cdef Listener listener = new_listener(handle, _on_connection)
        handle.owner = self
        status = listener.listen(backlog)
        if status < 0:
            handle.owner = None
            handle.close()
            return status
        handle.on_abandoned = _on_abandoned
        handle.referenced = not self._unreferenced
        self._handle = handle
        self._listener = listener
        self._later(STEP_LISTENING, handle)
        return 0

    cdef int _listen_tcp(self, str address, options) except? 1:
        cdef TCP handle = open_tcp(self.record)
        cdef int status = handle.bind(address, options.port, options.ipv6_only)
        if status < 0:
            handle.close()
            return status
        return self._listen_on(handle, options.backlog)

    def _listen_on_any(self, options):
        """No host: both families at once, or IPv4 alone where there is no IPv6 (rule 1.4.9)."""
        cdef TCP handle = open_tcp(self.record)
        cdef int status = handle.bind("::", options.port, options.ipv6_only)
        address = "::"
        if status == 0:
            status = self._listen_on(handle, options.backlog)
        else:
            handle.close()
            if not options.ipv6_only:
                address = "0.0.0.0"
                status = self._listen_tcp(address, options)
        if status < 0:
            self._later(STEP_ERROR, system_error(status, "listen", address, options.port, True))

    def _listen_on_host(self, options):
        self._lookup = token = object()
        family = is_ip(options.host)
        if family:
            self._later(STEP_LISTEN_ON_ADDRESS, (token, None, [(options.host, family)], options))
            return

        def answered(error, addresses):
            self._step(STEP_LISTEN_ON_ADDRESS, (token, error, addresses, options))

        try:
            look_up(self.record, options.host, 0, 0, answered)
        except OSError as error:
            self._later(STEP_LISTEN_ON_ADDRESS, (token, error, None, options))

    def _listen_on_address(self, token, error, addresses, options):
        cdef int status
        if self._lookup is not token:
            return
        self._lookup = None
        if error is not None:
            self.emit_all("error", (error,))
            return
        # A link-local address is of no use without its interface.
        usable = [address for address, _ in addresses if not address.lower().startswith("fe80")]
        address = usable[0] if usable else addresses[0][0]
        status = self._listen_tcp(address, options)
        if status < 0:
            self._later(STEP_ERROR, system_error(status, "listen", address, options.port, True))

    def _listen_on_path(self, options):
        cdef Pipe handle = open_pipe(self.record)
        cdef bytes path = os.fsencode(options.path)
        cdef int status = handle.bind(path)
        inode = None
        if status == 0:
            try:
                inode = bound_inode(options.path)
                open_up(options.path, options.readable_all, options.writable_all)
            except OSError:
                handle.close()
                unlink_if_same(options.path, inode)
                raise
            status = self._listen_on(handle, options.backlog)
            if status < 0:
                unlink_if_same(options.path, inode)
        else:
            handle.close()
        if status < 0:
            self._later(STEP_ERROR, path_error(status, "listen", path, options.path))
            return
        self._path = options.path
        self._inode = inode

    def _listen_on_given(self, options):
        """A descriptor, or something that has one."""
        cdef int descriptor
        cdef int status
        cdef int kind
        cdef Stream handle
        given = options.handle
        path = None
        if hasattr(given, "_take_listening_handle"):
            handle, path, inode = given._take_listening_handle()
            if handle is None:
                self._later(STEP_ERROR, system_error(-EINVAL, "listen"))
                return
            status = self._listen_on(handle, options.backlog)
            self._inode = inode
        else:
            descriptor = given.fileno() if isinstance(given, _socket_module.socket) else given
            handle = adopt(self.record, descriptor, &kind, &status)
            if handle is not None:
                if isinstance(given, _socket_module.socket):
                    path = given.getsockname() if kind == UVNET_UV_NAMED_PIPE else None
                    given.detach()
                status = self._listen_on(handle, options.backlog)
        if status < 0:
            self._later(STEP_ERROR, system_error(status, "listen", None, None, True))
        elif isinstance(path, str):
            self._path = path

    def _take_listening_handle(self):
        """Give the handle to another server, which owns it from then on."""
        cdef Stream handle = self._handle
        if handle is None:
            return None, None, None
        path, inode = self._path, self._inode
        self._handle = None
        self._listener = None
        self._path = self._inode = None
        self._stopped()
        return handle, path, inode

    def _stop_listening(self):
        self._lookup = None
        if self._handle is None:
            self._stopped()
            return
        self._handle.owner = None
        self._handle.close()
        self._handle = None
        self._listener = None
        if self._path is not None:
            unlink_if_same(self._path, self._inode)
            self._path = self._inode = None
        self._stopped()

    cdef int _stopped(self) except -1:
        self._accept_owed = False
        return 0 if self._arrivals is None else self._arrivals.stopped()

    cpdef bint _is_open(self):
        return self._handle is not None or self._lookup is not None

    def _is_over(self):
        return not self._is_open() and self._connections == 0

    def _set_referenced(self, bint referenced):
        self.record.check()
        self._unreferenced = not referenced
        if self._handle is not None:
            self._handle.referenced = referenced
        return self

    # === Accepting ===

    cdef int _accept(self, int status) except -1:
        """A connection waits."""
        cdef Stream client
        cdef Socket socket
        if status < 0:
            self.emit_all("error", (system_error(status, "accept"),))
            return 0
        if self._arrivals is not None and self._arrivals.is_full():
            # libuv: it accepts no more before uv_accept() has been called.
            self._accept_owed = True
            return 0
        client = open_tcp(self.record) if isinstance(self._handle, TCP) else open_pipe(self.record)
        status = self._listener.accept(client)
        if status < 0:
            client.close()
            self.emit_all("error", (system_error(status, "accept"),))
            return 0
        if self.max_connections is not None and self._connections >= self.max_connections:
            return self._drop(client)
        socket = new_accepted_socket(self.record, client, self)
        self._connections += 1
        socket._counted = True
        try:
            self._start(socket)
            self.emit1("connection", socket)
        except BaseException as error:
            self._report(error)
            socket._destroy_stream(None)
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
        if self._no_delay or self._keep_alive:
            socket._apply_options()
        if self.pause_on_connect:
            socket._flowing = NOT_FLOWING
        else:
            socket._read(0, False)
        return 0

    cdef int _drop(self, Stream client) except -1:
        """One connection too many: closed at once; 'drop' says whose it was."""
        cdef tuple local = None
        cdef tuple remote = None
        if isinstance(client, TCP):
            local = (<TCP>client).local_name()
            remote = (<TCP>client).remote_name()
        client.close()
        if local is None or remote is None:
            self.emit1("drop", None)
        else:
            self.emit1("drop", {
                "local_address": local[0], "local_family": local[1], "local_port": local[2],
                "remote_address": remote[0], "remote_family": remote[1], "remote_port": remote[2],
            })
        return 0

    cdef int _go_on_accepting(self) except -1:
        if self._accept_owed:
            self._accept_owed = False
            self._later(STEP_ACCEPT, self._handle)
        return 0

    def _cut(self):
        """Destroy every connection; returns how many."""
        cdef Handle handle
        cdef Connection connection
        cdef Py_ssize_t count = 0
        for handle in open_handles(self.record):
            if isinstance(handle.owner, Connection):
                connection = <Connection>handle.owner
                if connection._counted and connection._server is self:
                    count += 1
                    connection._destroy_stream(None)
        return count

    cdef int _connection_gone(self, Connection connection) except -1:
        self._connections -= 1
        return self._emit_close_if_drained()

    cdef int _emit_close_if_drained(self) except -1:
        if self._handle is None and self._connections == 0 and self._lookup is None:
            self._later(STEP_CLOSE, None)
        return 0

    # === Private ===

    cdef int _later(self, int step, object argument) except -1:
        return later(self.record, _run_step, self, argument, step)

    cdef int _step(self, int step, object argument) except -1:
        if step == STEP_LISTENING:
            if self._handle is not None and self._handle is argument:
                self.emit0("listening")
        elif step == STEP_ERROR:
            self.emit_all("error", (argument,))
        elif step == STEP_CLOSE:
            self.emit0("close")
        elif step == STEP_ACCEPT:
            if self._handle is not None and self._handle is argument:
                self._accept(0)
        else:
            self._listen_on_address(*argument)
        return 0

    cdef int _report(self, object error) except -1:
        report(self.record, error, f"exception in a listener of {type(self).__name__}", self)
        return 0

    cdef int _listener_failed(self, object event, object argument, object error) except -1:
        if self.record.closed:
            return 0
        self._report(error)
        if event == "connection" and isinstance(argument, Socket):
            (<Socket>argument)._destroy_stream(None)
        return 0

    cdef object _loop(self):
        return self.record.loop

    cdef LoopRecord _usable_record(self):
        self.record.check()
        return self.record

    # For policy in plain Python.

    @property
    def _record(self):
        return self.record

    def _next_tick(self, callback, *arguments):
        next_tick_on(self.record, callback, *arguments)


cdef int _run_callback(object callback, object arguments, int step) except -1:
    callback(*<tuple>arguments)
    return 0


cdef int _on_connection(object owner, int status) except -1:
    cdef Server self = <Server>owner
    if self._handle is None:
        return 0
    try:
        self._accept(status)
    except BaseException as error:
        self._report(error)
    return 0


cdef int _on_abandoned(object owner) except -1:
    # The loop is gone: no event will come.
    cdef Server self = <Server>owner
    path, inode = self._path, self._inode
    self._handle = None
    self._listener = None
    self._path = self._inode = None
    if path is not None:
        unlink_if_same(path, inode)
    return 0
