"""Server: all the ways to listen, on TCP or a Unix socket.

What happens to connections is the business of Acceptor.  Node: "server.listen()"; rules 1.1 to 1.7 and 1.9.
"""

import os
import socket as _socket_module

from libc.errno cimport EADDRINUSE, EINVAL

from uvnet._accept.listener cimport Lease, Listener
from uvnet._accept.server_socket cimport family_of_server, name_of, open_tcp_server, open_unix_server
from uvnet._loop.context cimport PyContext_Enter, PyContext_Exit, copy_context
from uvnet._loop.descriptors cimport close_descriptor
from uvnet._loop.loop cimport current_record
from uvnet._loop.record cimport no_record
from uvnet._loop.tick cimport later
from uvnet._uv.public_name cimport public_name
from uvnet.addresses.unix_path cimport path_error
from uvnet.errors.system cimport system_error
from uvnet.server.acceptor cimport Acceptor

from uvnet._accept.limit_options import limits_of, with_preset
from uvnet._accept.sharing import Wanted, listening_source
from uvnet._stream.socket_option import set_named_options
from uvnet.addresses.address import Address, bracketed
from uvnet.addresses.blocklist import check_block_list
from uvnet.addresses.ip import is_ip
from uvnet.addresses.lookup import look_up
from uvnet.arguments.checks import (
    check_header_timeout,
    check_high_water_mark,
    check_max_buffered,
    check_on_max_buffered,
    check_seconds,
    merge_options,
    parse_keep_alive,
    reject_unknown,
)
from uvnet.errors.codes import already_listening, initialised_before, invalid_callback, not_running
from uvnet.server.listening import SERVER_OPTIONS, bound_inode, open_up, parse_listen_options, unlink_if_same
from uvnet.server.scope import closed, enter_server, leave_server
from uvnet.server.shutdown import shut_down
from uvnet.socket.system_options import ACCEPTED_OPTIONS, for_unix_sockets, parse_system_options

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_UNIX


cdef int _run_answer(object target, object argument, int step) except -1:
    (<Server>target)._answered(*<tuple>argument)
    return 0


cdef class Server(Acceptor):
    """A server.  Server([options][, connection_listener]), options as one mapping or as keywords:

    allow_half_open: of accepted sockets, see Socket (default False);
    pause_on_connect: accepted sockets do not read before resume() (default False);
    no_delay, keep_alive (bool), keep_alive_initial_delay, keep_alive_interval (seconds), keep_alive_count,
    user_timeout (seconds), not_sent_low_water, receive_buffer, send_buffer (bytes), congestion (str): of accepted
    sockets, see Socket; the system hands those from user_timeout on over from the socket that listens;
    high_water_mark: of accepted sockets, both ways, in bytes (default 65,536);
    max_buffered, on_max_buffered: of accepted sockets, see Socket (default None, "destroy");
    block_list: a BlockList; connections from its addresses are closed at once, each with a 'drop';
    shutdown_timeout: seconds that leaving `async with server` may take, as of shutdown(); None (default): no limit;
    accept_proxy_protocol: True where every connection begins with a PROXY protocol header, version 1 or 2 (behind
    HAProxy or nginx): remote_address and local_address are then those of the header, and block_list is asked about
    them too.  Connections without one are closed; proxy_header_timeout: seconds, more than 0, for it to come (10).

    Who may connect, and for how long; each that is refused or cut gives a 'drop':
    allow_list: a BlockList of the addresses that may connect, and no others;
    max_connections_per_host (int); accept_rate, accept_rate_per_host: connections a second, or (so many a second, so
    many at once); host_prefixes: how many bits of an IPv4 and an IPv6 address tell one host from another ((32, 64));
    idle_timeout, first_data_timeout, max_lifetime: seconds without traffic, until something has come, and in all;
    min_receive_rate: bytes a second that one has to send, over 5 s in which it sends something and is not answered;
    max_total_buffered: bytes that may wait to be sent in all; the connections for which most waits go first.
    preset: "internet" for what a server should have that anybody may reach: see the guide for the numbers.
    They are looked at a few times in the shortest of these times, and ten times a second for what waits.

    Events: 'listening', 'connection' (socket), 'drop' (mapping), 'error', 'close'.  The mapping has `reason`, one of
    "connection limit", "block list", "allow list", "accept rate", "host limit", "host rate", "file descriptors" and
    "proxy header" (then with the `error`), or of one that was accepted "idle", "no data", "lifetime", "receive rate"
    and "buffered"; and on TCP `local_address`, `local_family`, `local_port`, `remote_address`, `remote_family`,
    `remote_port`.
    Raises TypeError or ValueError for bad arguments.
    Node: "net.createServer([options][, connectionListener])".
    """

    def __init__(self, options=None, connection_listener=None, **keywords):
        if self.record is not no_record:
            raise initialised_before("Server")
        if options is not None and callable(options) and connection_listener is None:
            options, connection_listener = None, options
        options = merge_options(options, keywords)
        reject_unknown(options, SERVER_OPTIONS, "Server()")
        if connection_listener is not None and not callable(connection_listener):
            raise invalid_callback(connection_listener, "connection_listener")
        self.record = current_record()
        self._context = copy_context()
        try:
            self._initialise(options)
            if connection_listener is not None:
                self.on(self._event_of_arrival(), connection_listener)
        except BaseException:
            self.record = no_record
            raise

    # === Public API ===

    def listen(self, *arguments, **keywords):
        """Start to listen; returns the server.  Forms: listen([port[, host[, backlog]]][, callback]),
        listen(path[, backlog][, callback]), listen(handle[, backlog][, callback]), listen(mapping[, callback])
        and keywords: port, host, path, backlog (511), ipv6_only, reuse_port, readable_all, writable_all,
        exclusive, fd, and options of the system's socket: bind_to_device (str), defer_accept (seconds), fast_open
        (True, or how many such connections may wait to be accepted).

        reuse_port sets SO_REUSEPORT: the system spreads connections over all sockets that share the port so, of
        several processes too.  In a worker of uvnet.cluster those that listen on the same port or path share one
        socket, which the primary has; `exclusive` (and reuse_port) make one of its own.

        'listening' follows, or 'error' (an OSError).  Without a host the address is known at once; a host is
        looked up first.  A path that looks like an address is refused: "./127.0.0.1" means a file of that name.
        `callback` is called once at 'listening'.  `handle` is a Server, a Socket, a
        socket.socket or an object with an `fd`, bound or listening already; it is taken over.
        Raises TypeError or ValueError for bad arguments and RuntimeError (ERR_SERVER_ALREADY_LISTEN) while
        listening; then nothing has changed.  Node: "server.listen()".
        """
        self.record.check_running()
        if self._listener is not None or self._lookup is not None:
            raise already_listening()
        options, callback = parse_listen_options(arguments, keywords)
        self._given_up = False
        if callback is not None:
            self.once("listening", callback)
        try:
            if options.handle is not None:
                self._listen_on_given(options)
            elif options.host is not None:
                self._listen_on_host(options)
            elif options.shared:
                self._listen_with_others(None, options)
            elif options.path is not None:
                self._listen_on_path(options)
            else:
                self._listen_on_any(options)
        except BaseException:
            # A call that raises leaves no callback behind (decision 6).
            if callback is not None:
                self.off("listening", callback)
            raise
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
            error = not_running() if self._listener is None and self._lookup is None else None
            self._observe("close", lambda: callback(error), True)
        self._stop_listening()
        self._emit_close_if_drained()
        return self

    def shutdown(self, timeout=None):
        """Stop accepting and let the connections finish; returns a future for the end of that.

        "Finish" means that each has emitted 'close', and that what was an `async def` among their listeners and
        callbacks (of 'connection' too) has ended; a coroutine that calls this does not wait for itself.
        It begins at once, awaited or not, and goes on when the waiting is cancelled.  After `timeout` seconds
        (None: no limit) the connections that are left are destroyed and the coroutines cancelled; those that do not
        end by that, and async listeners of a last 'close', have one second more.
        The future's result is a Cut, an int: how many connections were destroyed and coroutines cancelled.
        Raises TypeError or ValueError for a bad time.  This is not in Node.
        """
        self.record.check()
        future = shut_down(self, timeout)
        self._give_up()
        return future

    def _close_and_tell(self, over):
        # close(), for uvnet itself.
        self._observe("close", over, True)
        self.close()

    def closed(self):
        """Await 'close': the server does not listen and every connection has ended.

        Where that is so already it goes on at once, and so it does where a listen() under way fails.
        asyncio: "Server.wait_closed()".
        """
        self.record.check()
        return closed(self)

    def __aiter__(self):
        """The connections, until the server does not listen any more.

        Those come first that were accepted before, while there was no 'connection' listener.
        Raises the argument of an 'error'.  Up to 16 connections are accepted ahead; then the server stops
        accepting until one is taken.  close() destroys those that nobody has taken.
        Node: "server[Symbol.asyncIterator]()".
        """
        self.record.check()
        self._arrivals_wanted().begin()
        return self._arrivals

    def __aenter__(self):
        """Wait until a listen() under way is over; raises its error.  Cancelled, it closes the server.

        Without a 'connection' listener, what is accepted waits for an `async for` from now on.
        This is not in Node.
        """
        self.record.check()
        if not self.has_listeners(self._event_of_arrival()):
            self._arrivals_wanted().expect()
        return enter_server(self)

    def __aexit__(self, kind, error, traceback):
        """shutdown() within the option shutdown_timeout; with an exception shutdown(0).

        Without that option it waits as long as a connection is open; after five seconds the logger `uvnet` says for
        how many.  Node: "server[Symbol.asyncDispose]()".
        """
        self.record.check()
        return leave_server(self, 0 if kind is not None else self._shutdown_timeout)

    def address(self):
        """The Address (address, family, port) it is bound to, a Unix socket's path, or None.

        Raises OSError where the system cannot tell.  Node: "server.address()".
        """
        if self._listener is None:
            return None
        if self._listener.family == AF_UNIX:
            return self._path
        name = name_of(self._listener.descriptor)
        if name is None:
            raise system_error(-EINVAL, "address")
        return Address._make(name)

    @property
    def port(self):
        """The port it listens on (int); None on a Unix socket, and while it does not listen.

        Without a host it is known right after listen(), else from 'listening' on.
        Raises OSError where the system cannot tell.  Node: "server.address().port".
        """
        address = self.address()
        return address.port if isinstance(address, Address) else None

    def __repr__(self):
        if self._listener is None:
            return f"<{type(self).__name__} not listening>"
        try:
            address = self.address()
        except OSError:
            # The descriptor was taken over, and is somebody else's by now.
            address = None
        if address is None:
            return f"<{type(self).__name__} listening>"
        where = f"{bracketed(address.address)}:{address.port}" if isinstance(address, Address) else address
        return f"<{type(self).__name__} listening on {where}>"

    # === Private ===

    def _initialise(self, given):
        options = with_preset(given, "options.preset")
        mark = options.get("high_water_mark")
        self._high_water_mark = -1 if mark is None else check_high_water_mark(mark, "options.high_water_mark")
        self._max_buffered = check_max_buffered(options.get("max_buffered"), "options.max_buffered")
        self._raise_when_full = check_on_max_buffered(
            options.get("on_max_buffered", "destroy"), "options.on_max_buffered"
        )
        no_delay, keep_alive, self._keep_alive_delay, interval, count = parse_keep_alive(options)
        self._no_delay = bool(no_delay)
        self._keep_alive = bool(keep_alive)
        self._keep_alive_interval = interval or 1
        self._keep_alive_count = count or 10
        self._system_options = parse_system_options(options, ACCEPTED_OPTIONS)
        timeout = options.get("shutdown_timeout")
        if timeout is not None:
            check_seconds(timeout, "options.shutdown_timeout")
        self._shutdown_timeout = timeout
        self.allow_half_open = bool(options.get("allow_half_open", False))
        self.pause_on_connect = bool(options.get("pause_on_connect", False))
        block_list = check_block_list(options.get("block_list"))
        if block_list is not None:
            self._intake.refuse_from(block_list)
        self._intake.limit_by(limits_of(options, "options.", options.get("idle_timeout")))
        header_timeout = check_header_timeout(options, "options.proxy_header_timeout")
        if options.get("accept_proxy_protocol", False):
            self._intake.header_timeout = header_timeout

    # === Listening ===

    cdef int _listen_on(self, int descriptor, int family, options, Lease lease=None) except? 1:
        """Listen on a socket of ours; 0 or a libuv error, and then it is closed."""
        cdef int status = -EINVAL
        try:
            status = self._set_up(descriptor, family, options)
            if status == 0:
                status = self._start_accepting(descriptor, family, options.backlog, False, lease)
        finally:
            if status < 0:
                close_descriptor(descriptor)
        return status

    cdef int _set_up(self, int descriptor, int family, options) except? 1:
        """Give the socket the options that the system has for it; 0 or a libuv error."""
        cdef int number
        self._refused = None
        wanted = {**(self._system_options or {}), **options.system}.values()
        if not wanted:
            return 0
        try:
            set_named_options(descriptor, for_unix_sockets(wanted) if family == AF_UNIX else wanted)
        except OSError as error:
            self._refused = error
        if self._refused is None:
            return 0
        number = self._refused.errno
        return -number

    cdef object _listen_error(self, int status, object address=None, object port=None):
        """The error for a libuv error, or that of the option that was refused."""
        error, self._refused = self._refused, None
        return system_error(status, "listen", address, port, True) if error is None else error

    cdef int _listen_tcp(self, str address, options) except? 1:
        cdef int descriptor = open_tcp_server(address, options.port, options.ipv6_only, options.reuse_port)
        if descriptor < 0:
            return descriptor
        return self._listen_on(descriptor, family_of_server(descriptor), options)

    def _listen_on_any(self, options):
        """No host: both families at once, or IPv4 alone where there is no IPv6 (rule 1.4.9)."""
        address = "::"
        cdef int status = self._listen_tcp(address, options)
        if status < 0 and status != -EADDRINUSE and not options.ipv6_only:
            address = "0.0.0.0"
            status = self._listen_tcp(address, options)
        if status < 0:
            self._fail(self._listen_error(status, address, options.port))

    def _listen_on_host(self, options):
        self._lookup = token = object()
        self._close_emitted = False
        family = is_ip(options.host)
        if family:
            later(self.record, _run_answer, self, (token, None, [(options.host, family)], options), 0)
            return

        def answered(error, addresses):
            self._answered(token, error, addresses, options)

        try:
            look_up(self.record, self, options.host, 0, 0, answered)
        except OSError as error:
            later(self.record, _run_answer, self, (token, error, None, options), 0)

    def _answered(self, token, error, addresses, options):
        cdef int status
        if self._lookup is not token:
            return
        self._lookup = None
        PyContext_Enter(self._context)
        try:
            if error is not None:
                self._cannot_listen(error)
                return
            # A link-local address is of no use without its interface.
            usable = [address for address, _ in addresses if not address.lower().startswith("fe80")]
            address = usable[0] if usable else addresses[0][0]
            if options.shared:
                self._listen_with_others(address, options)
                return
            status = self._listen_tcp(address, options)
            if status < 0:
                self._fail(self._listen_error(status, address, options.port))
        except BaseException as raised:
            self._failed(raised)
        finally:
            PyContext_Exit(self._context)

    def _listen_with_others(self, address, options):
        """On a socket that another process has, and perhaps others listen on."""
        self._lookup = token = object()
        self._close_emitted = False
        wanted = Wanted(
            address, options.port, options.path, options.backlog, options.ipv6_only,
            options.readable_all, options.writable_all,
        )
        try:
            listening_source().request(
                wanted, lambda error, descriptor, lease: self._granted(token, error, descriptor, lease, options)
            )
        except BaseException:
            self._lookup = None
            raise

    def _granted(self, token, error, int descriptor, Lease lease, options):
        cdef int status
        if self._lookup is not token:
            if error is None:
                lease.give_up()
                close_descriptor(descriptor)
            return
        self._lookup = None
        PyContext_Enter(self._context)
        try:
            if error is not None:
                self._cannot_listen(error)
                return
            status = self._listen_on(descriptor, family_of_server(descriptor), options, lease)
            if status < 0:
                self._fail(self._listen_error(status))
            else:
                # The file is that process's.
                self._path, self._inode = options.path, None
        except BaseException as raised:
            self._failed(raised)
        finally:
            PyContext_Exit(self._context)

    def _listen_on_path(self, options):
        cdef bytes path = os.fsencode(options.path)
        cdef int descriptor = open_unix_server(path)
        cdef int status = descriptor
        cdef bint owned = descriptor >= 0
        inode = None
        try:
            if descriptor >= 0:
                inode = bound_inode(options.path)
                open_up(options.path, options.readable_all, options.writable_all)
                # It closes the descriptor where it fails.
                owned = False
                status = self._listen_on(descriptor, AF_UNIX, options)
        except BaseException:
            if owned:
                close_descriptor(descriptor)
            if descriptor >= 0:
                unlink_if_same(options.path, inode, new=True)
            raise
        if status < 0:
            if descriptor >= 0:
                unlink_if_same(options.path, inode)
            self._fail(path_error(status, "listen", path, options.path) if self._refused is None
                       else self._listen_error(status))
            return
        self._path = options.path
        self._inode = inode

    def _listen_on_given(self, options):
        """A descriptor, or something that has one; what cannot be listened on stays the caller's."""
        cdef int descriptor
        cdef int family
        cdef int status = -EINVAL
        given = options.handle
        path = inode = None
        taken = hasattr(given, "_take_listening_socket")
        if taken:
            descriptor, path, inode = given._take_listening_socket()
        else:
            descriptor = given.fileno() if isinstance(given, _socket_module.socket) else given
        try:
            family = family_of_server(descriptor)
            status = family if family < 0 else self._set_up(descriptor, family, options)
            if status == 0:
                status = self._start_accepting(descriptor, family, options.backlog, True)
            if status < 0:
                self._fail(self._listen_error(status))
        finally:
            if status < 0 and taken and descriptor >= 0:
                close_descriptor(descriptor)
        if status < 0:
            return
        if isinstance(given, _socket_module.socket):
            self._take_from(given, family)
        else:
            self._path = path if isinstance(path, str) else None
            self._inode = inode

    def _take_from(self, given, int family):
        """The descriptor of a socket.socket is ours from now on."""
        cdef Listener listener = self._listener
        try:
            path = given.getsockname() if family == AF_UNIX else None
            given.detach()
        except BaseException:
            if given.fileno() != -1:
                # It keeps it.
                self._listener = None
                self._intake.release(listener)
                raise
        self._path = path if isinstance(path, str) else None
        self._inode = None

    def _listening_descriptor(self):
        """The descriptor that stays the server's; -1 where it does not listen."""
        return -1 if self._listener is None else self._listener.descriptor

    def _take_listening_socket(self):
        """Give the socket to another server, which owns it from then on."""
        self.record.check()
        cdef Listener listener = self._listener
        cdef int descriptor = -1
        path, inode = self._path, self._inode
        if listener is not None:
            descriptor = listener.descriptor
            self._listener = None
            self._intake.release(listener)
            self._path = self._inode = None
            self._stopped()
        return descriptor, path, inode

    def _stop_listening(self):
        self._lookup = None
        self._give_up()
        self._stop_accepting()
        self._forget_path()
        self._stopped()

    cdef int _listener_lost(self) except -1:
        self._stop_listening()
        return self._emit_close_if_drained()

    def _forget_path(self):
        path, inode = self._path, self._inode
        self._path = self._inode = None
        if path is not None:
            unlink_if_same(path, inode)

    cpdef bint _is_open(self):
        return self._lookup is not None or Acceptor._is_open(self)

    cdef int _abandon(self) except -1:
        Acceptor._abandon(self)
        self._forget_path()
        return 0


public_name(Server, "uvnet.Server")
