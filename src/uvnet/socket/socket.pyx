# cython: nonecheck=True
# What is here for plain Python may be called on a socket that is not there yet, or any more.
"""Socket: how a TCP connection or a Unix-socket connection comes about.

The top of the stack of classes that a connection is made of; what it does once it is there is theirs.
Node: "new net.Socket()", "socket.connect()"; rules 2.1 to 2.4 and 2.14.
"""

import os

from libc.errno cimport EADDRINUSE, EALREADY, EINVAL, EISCONN

from uvnet._loop.context cimport copy_context, copy_of_context
from uvnet._loop.loop cimport current_record
from uvnet._loop.record cimport no_record
from uvnet._stream.pipe cimport Pipe, open_pipe
from uvnet._stream.stream cimport Stream
from uvnet._stream.tcp cimport TCP, open_tcp
from uvnet._uv.public_name cimport public_name
from uvnet.addresses.sockaddr cimport copy_name, format_sockaddr, ip_name, sockaddr_storage
from uvnet.addresses.unix_path cimport path_error
from uvnet.errors.system cimport system_error
from uvnet.socket.adopting cimport Adopting
from uvnet.socket.connection_events cimport attach, tell_closed
from uvnet.socket.onread cimport BufferReader

from uvnet.addresses.address import bracketed
from uvnet.addresses.blocklist import blocked_address, check_block_list
from uvnet.addresses.endpoint import normalize
from uvnet.addresses.ip import is_ip
from uvnet.arguments.checks import (
    check_high_water_mark,
    check_max_buffered,
    check_on_max_buffered,
    check_seconds,
    merge_options,
    reject_unknown,
)
from uvnet.errors.codes import initialised_before
from uvnet.socket.connecting import Connector, defaults
from uvnet.socket.options import CONNECT_OPTIONS, SOCKET_OPTIONS, parse_connect_options, parse_tunable_options
from uvnet.socket.securing import start_tls


cdef class Socket(Adopting):
    """A connection.  Options, as one mapping or as keywords:

    fd or handle: an open descriptor (int), a socket.socket or another Socket, taken over;
    allow_half_open: True to keep the writable side open after the other end's FIN (default False);
    readable, writable: False to do without one side of an fd;
    high_water_mark, readable_high_water_mark, writable_high_water_mark: bytes (default 65,536);
    no_delay, keep_alive (bool), keep_alive_initial_delay, keep_alive_interval (seconds), keep_alive_count: as
    set_no_delay(), set_keep_alive();
    user_timeout (seconds), not_sent_low_water (bytes), congestion (str), of TCP, and receive_buffer, send_buffer
    (bytes): options of the system's socket, set before it connects;
    type_of_service: as set_type_of_service(); encoding: as set_encoding();
    block_list: a BlockList; connect() to one of its addresses fails with ERR_IP_BLOCKED;
    max_buffered: bytes that may wait to be sent at all, None for no limit (default); on_max_buffered: what a
    write beyond it does: "destroy" (default) the socket with ERR_SOCKET_BUFFER_FULL, or "raise" that;
    onread: {"buffer": writable bytes-like or a function that returns such, "callback": function}: data is
    read into the buffer and callback(nread, buffer) called instead of 'data'; returning False pauses.

    Events: 'lookup', 'connectionAttempt', 'connect', 'ready', 'data', 'readable', 'end', 'drain', 'finish',
    'timeout', 'pause', 'resume', 'error', 'close'.
    Raises TypeError or ValueError for bad options.  Node: "new net.Socket([options])".
    """

    def __init__(self, options=None, **keywords):
        if self.record is not no_record:
            raise initialised_before("Socket")
        if isinstance(options, int) and not isinstance(options, bool):
            options = {"fd": options}
        options = merge_options(options, keywords)
        reject_unknown(options, SOCKET_OPTIONS, "Socket()")
        self.record = current_record()
        try:
            self._initialise(options)
        except BaseException:
            # It has no handle, or one that closes: another try may begin.
            self.record = no_record
            raise

    # === Public API ===

    def connect(self, *arguments, **keywords):
        """Connect; returns the socket.  Forms: connect(port[, host][, listener]), connect(path[, listener]),
        connect(mapping[, listener]), connect(address[, listener]), connect(port=..., host=..., ...).

        Options: port, host ("localhost"), path, local_address, local_port, family (0, 4, 6), hints (of
        socket.AI_ADDRCONFIG, AI_V4MAPPED, AI_ALL), lookup, auto_select_family (True),
        auto_select_family_attempt_timeout (seconds, 0.25), timeout (seconds), fast_open (bool), bind_to_device (str);
        and no_delay, keep_alive and all that is of the system's socket, as Socket() has them.  `host` and
        `local_address` are str, IPv4Address or IPv6Address.  Without a host, `address` is one: so what the address()
        of a server returns, or a mapping of it, is taken too.
        The attempt timeout is how long an address may be silent before the next one of a name is tried beside it.
        The listener is called once at 'connect'.  A path that looks like an address is refused: "./127.0.0.1" means
        a file of that name.
        Raises TypeError or ValueError for bad arguments, OSError (EALREADY, EISCONN) while connecting or
        connected; then nothing has changed.  Every other failure is an 'error' event.
        Node: "socket.connect()".
        """
        self.record.check_running()
        options, listener = normalize("connect", arguments, keywords, ("host",))
        reject_unknown(options, CONNECT_OPTIONS, "connect()")
        parsed = parse_connect_options(options, defaults.auto_select_family, defaults.attempt_timeout)
        timeout = options.get("timeout")
        if timeout is not None:
            check_seconds(timeout, "options.timeout")
        tunable = parse_tunable_options(options)
        check_block_list(options.get("block_list"))
        self._refuse_second_connect()
        if self._ending and not self._destroyed:
            self._renew_writable()
        if self._destroyed:
            self._begin_life()
        # A callback that was owed may have connected already.
        self._refuse_second_connect()
        if timeout is not None:
            self.set_timeout(timeout)
        self._take_options(tunable)
        if options.get("block_list") is not None:
            self._block_list = check_block_list(options["block_list"])
        if listener is not None:
            self.once("connect", listener)
        self._context = copy_context()
        try:
            self._begin_connect(parsed)
        except BaseException:
            # Not even begun: no event follows.
            self._take_back_connect()
            if listener is not None:
                self.off("connect", listener)
            raise
        return self

    def start_tls(self, context=None, *, server_side=False, server_hostname=None, **options):
        """Go on with TLS: await a tls.TLSSocket on this connection, whose handshake is over.

        What was written is sent first; what was received and not read, a handshake that came early, is not lost.
        The socket itself is left without a connection and says nothing more.  `context`: an ssl.SSLContext;
        `server_side`: True for the side that the other has connected to; `server_hostname`: whom its certificate must
        name; `options`: the others of tls.TLSSocket that are about TLS.
        Raises what tls.TLSSocket() raises, and the error of a handshake that fails; cancelled, it closes the
        connection.
        Node: "new tls.TLSSocket(socket[, options])"; asyncio: "StreamWriter.start_tls()".
        """
        self.record.check()
        return start_tls(self, context, server_side, server_hostname, options)

    @property
    def connecting(self):
        """True from connect() until 'connect' or failure.  Node: "socket.connecting"."""
        return bool(self._connecting)

    @property
    def pending(self):
        """True while there is no connection (yet).  Node: "socket.pending"."""
        return self._handle is None or bool(self._connecting)

    @property
    def ready_state(self):
        """"opening", "open", "readOnly", "writeOnly" or "closed".  Node: "socket.readyState"."""
        if self._connecting:
            return "opening"
        if self.readable:
            return "open" if self.writable else "readOnly"
        return "writeOnly" if self.writable else "closed"

    def __repr__(self):
        name = type(self).__name__
        if self.record.is_elsewhere():
            return f"<{name} of another thread>"
        if self._connecting:
            return f"<{name} connecting to {self._where_to()}>"
        if self.remote_address is not None:
            return f"<{name} {self.ready_state} {bracketed(self.local_address)}:{self.local_port} - " \
                   f"{bracketed(self.remote_address)}:{self.remote_port}>"
        if self._handle is None and not self._destroyed:
            # One that was never connected may be written to already, which ready_state calls open.
            return f"<{name} not connected>"
        return f"<{name} {self.ready_state}>"

    # === For uvnet.connecting and uvnet.scope ===

    def _awaited_first(self):
        # The event that `async with` and its like wait for, or None.
        return "connect" if self._connecting else None

    @property
    def _record(self):
        return self.record

    def _emit_safely(self, event, *arguments):
        # An exception of a listener is dealt with as if libuv had called.
        cdef unsigned int life = self._life
        try:
            self._in_context(self.emit, event, *arguments)
        except BaseException as error:
            self._failed_in(life, error)

    def _blocked(self, address, local_address):
        return None if self._block_list is None else blocked_address(self._block_list, address, local_address)

    def _blocked_peer(self, TCP handle not None):
        cdef ip_name name
        if self._block_list is None or not handle.remote_name(&name):
            return None
        return blocked_address(self._block_list, format_sockaddr(&name.any)[0])

    def _touch_idle(self):
        self._touch()

    def _current_handle(self):
        return self._handle

    def _renew_handle(self):
        # Every attempt has a handle of its own (rule 8.1.3).
        return self._use_handle(open_tcp(self.record))

    def _use_handle(self, TCP handle not None):
        # The one before keeps its owner, which is told what becomes of it, and loses all else that attach() gives.
        self._handle.set_referenced(False)
        self._handle.set_activity(NULL)
        attach(self, handle)
        if not self._no_delay:
            handle.set_no_delay(False)
        return handle

    def _close_handle(self, Stream handle not None):
        handle.owner = None
        handle.close()

    def _prepare_socket(self, int family):
        # Before bind(): some options count only then.  The error of the one that the system refuses, or None.
        cdef TCP handle = <TCP>self._handle
        cdef int status
        if not self._system_options:
            return None
        status = handle.make_socket(family)
        if status < 0:
            return system_error(status, "socket")
        refused = None
        try:
            self._set_system_options()
        except OSError as error:
            refused = error
        return refused

    def _bind_local(self, str address, int port, int family):
        cdef TCP handle = <TCP>self._handle
        cdef int status
        cdef ip_name name
        if is_ip(address) != family:
            return -EINVAL
        status = handle.bind(address, port)
        if status == 0 and port:
            # libuv reports EADDRINUSE late; a bind that has not come about shows in the port.
            if not handle.local_name(&name) or format_sockaddr(&name.any)[2] != port:
                status = -EADDRINUSE
        return status

    def _start_connect(self, str address, int port):
        return (<TCP>self._handle).connect(address, port)

    def _connection_failed(self, error):
        self._connecting = False
        self._destroy_stream(error)

    def _connection_made(self):
        cdef unsigned int life = self._life
        tell_closed(self, life)
        if self._life != life or self._destroyed:
            return
        self._connector = None
        self._connecting = False
        self._capture_names()
        self._touch()
        self._apply_options()
        try:
            if not isinstance(self._handle.base(), TCP):
                # On the way to a TCP connection they have been set.
                self._set_system_options()
            self._connected()
            self.emit0("connect")
            if self._life == life:
                self.emit0("ready")
            if self._life == life:
                self._read_first()
        except BaseException as error:
            self._failed_in(life, error)

    # === For TLSSocket ===

    cdef int _connected(self) except -1:
        """There is a connection, of which nobody has been told."""
        return 0

    # === Private ===

    cdef int _read_first(self) except -1:
        """Read where that was asked for, by whatever came before there was a connection."""
        cdef bint wanted = self._read_wanted or self._readable_listening
        self._read_wanted = False
        if wanted and not self._destroyed:
            self._start_reading()
        if not self._destroyed and not self.is_paused():
            self._read(0, False)
        return 0

    def _initialise(self, options):
        self.allow_half_open = bool(options.get("allow_half_open", False))
        mark = options.get("high_water_mark")
        if mark is not None:
            self._readable_high_water_mark = check_high_water_mark(mark, "options.high_water_mark")
            self._writable_high_water_mark = self._readable_high_water_mark
        mark = options.get("readable_high_water_mark")
        if mark is not None:
            self._readable_high_water_mark = check_high_water_mark(mark, "options.readable_high_water_mark")
        mark = options.get("writable_high_water_mark")
        if mark is not None:
            self._writable_high_water_mark = check_high_water_mark(mark, "options.writable_high_water_mark")
        self._max_buffered = check_max_buffered(options.get("max_buffered"), "options.max_buffered")
        self._raise_when_full = check_on_max_buffered(
            options.get("on_max_buffered", "destroy"), "options.on_max_buffered"
        )
        self._take_options(parse_tunable_options(options))
        if options.get("encoding") is not None:
            self.set_encoding(options["encoding"])
        if options.get("type_of_service") is not None:
            self.set_type_of_service(options["type_of_service"])
        self._block_list = check_block_list(options.get("block_list"))
        if options.get("onread") is not None:
            self._reader = BufferReader(options["onread"])
        given = options.get("handle", options.get("fd"))
        if "fd" in options or given is not None:
            self._context = copy_context()
            self._adopt(given, options)

    cdef int _refuse_second_connect(self) except -1:
        if self._connecting:
            raise system_error(-EALREADY, "connect")
        if self._handle is not None:
            raise system_error(-EISCONN, "connect")
        return 0

    cdef int _begin_life(self) except -1:
        """Rule 2.14.1: everything but listeners, encoding and flowing state is as new."""
        cdef unsigned int life = self._life
        self._settle()
        if self._life != life:
            # Somebody who was called has begun it already.
            return 0
        self._next_life()
        self._finish_early = False
        self._reset_writable()
        self._reset_readable()
        self._local_name.any.sa_family = self._remote_name.any.sa_family = 0
        self._proxy_header = None
        self._old_bytes_read = self._old_bytes_written = 0
        self.auto_select_family_attempted_addresses = None
        self._server = None
        self._read_wanted = False
        return 0

    def _where_to(self):
        options = self._connector.options if isinstance(self._connector, Connector) else self._connector
        return f"{bracketed(options.host)}:{options.port}" if options.path is None else options.path

    cdef int _begin_connect(self, object options) except -1:
        cdef bytes path
        cdef int status
        self._connecting = True
        self._resume_timeout()
        if options.path is None:
            attach(self, open_tcp(self.record))
            self._touch()
            self._connector = Connector(self, options)
            self._connector.start()
            return 0
        attach(self, open_pipe(self.record))
        self._touch()
        self._connector = options
        path = os.fsencode(options.path)
        status = (<Pipe>self._handle).connect(path)
        if status < 0:
            self._connection_failed(path_error(status, "connect", path, options.path))
        return 0

    cdef int _take_back_connect(self) except -1:
        cdef Stream handle = self._handle
        self._connecting = False
        self._stop_connecting()
        if handle is not None:
            self._handle = None
            handle.renew()
            handle.close()
        return 0

    cdef int _connect_done(self, Stream handle, int status) except -1:
        if not self._connecting:
            return 0
        if isinstance(self._connector, Connector):
            self._connector.attempt_done(handle, status)
        elif handle is not self._handle:
            return 0
        elif status == 0:
            self._connection_made()
        else:
            path, self._connector = self._connector.path, None
            self._connection_failed(system_error(status, "connect", path))
        return 0

    cdef int _stop_connecting(self) except -1:
        if isinstance(self._connector, Connector):
            self._connector.cancel()
        self._connector = None
        return 0


cdef extern from *:
    """
    /* The dict for attributes of the program's own is made anew when the first one is set. */
    static void uvnet_forget_dict(PyObject *object)
    {
        PyObject **dict = _PyObject_GetDictPtr(object);
        if (dict != NULL)
            Py_CLEAR(*dict);
    }
    """
    void forget_dict "uvnet_forget_dict" (object socket)


cdef int accepted(Socket self, Stream handle, SocketParent server, const sockaddr_storage *remote) except -1:
    """Give a new Socket a connection accepted from `remote`; the server sets its options and starts it."""
    forget_dict(self)
    self.record = server.record
    self._context = copy_of_context(server._context)
    self._server = server
    attach(self, handle)
    copy_name(remote, &self._remote_name)
    return 0


public_name(Socket, "uvnet.Socket")
