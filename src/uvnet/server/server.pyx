"""Server: all the ways to listen, on TCP or a Unix socket.

What happens to connections is the business of Acceptor.  Node: "server.listen()"; rules 1.1 to 1.7 and 1.9.
"""

import os
import socket as _socket_module

from libc.errno cimport EADDRINUSE, EINVAL

from uvnet._accept.listener cimport Listener
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

from uvnet._accept.header_options import header_options
from uvnet._accept.limit_options import limits_of, with_preset
from uvnet._accept.sharing import Wanted, ask_for_all, give_back, listening_source
from uvnet._accept.socket_files import bound_inode, set_rights, unlink_if_same
from uvnet._accept.stale_files import Replacing, who_is_there
from uvnet._stream.socket_option import set_named_options
from uvnet.addresses.address import Address, bracketed
from uvnet.addresses.blocklist import check_block_list
from uvnet.addresses.ip import is_ipv4
from uvnet.arguments.checks import (
    check_high_water_mark,
    check_max_buffered,
    check_on_max_buffered,
    check_seconds,
    merge_options,
    parse_keep_alive,
    reject_unknown,
)
from uvnet.errors.codes import already_listening, initialised_before, invalid_callback, not_running
from uvnet.server.hosts import look_up_hosts
from uvnet.server.listening import SERVER_OPTIONS, parse_listen_options
from uvnet.server.scope import closed, enter_server, leave_server
from uvnet.server.shutdown import shut_down
from uvnet.socket.system_options import ACCEPTED_OPTIONS, for_unix_sockets, parse_system_options

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_UNIX

cdef enum:
    PORTS_TRIED = 16     # for one that is free at each of several addresses


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
    them too, and `proxy_header` of a socket has all that it said.  Connections without one are closed.  Or a
    BlockList, or a sequence of networks ("10.0.0.0/8") and addresses: only these send a header, and are believed;
    direct_connections: what becomes of others: "refuse" (default), or "accept" without a header, whatever they send;
    proxy_header_timeout: seconds, more than 0, for it to come (10);
    max_proxy_header: bytes that it may have, 107 to 65,551 (4,112).

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
        and keywords: port, host, path, backlog (511), ipv6_only, reuse_port, mode, owner, group, readable_all,
        writable_all, replace_stale, exclusive, fd, and options of the system's socket: bind_to_device (str),
        defer_accept (seconds), fast_open (True, or how many such connections may wait to be accepted).

        host may be a sequence of hosts: the server listens on each, or on none where one cannot be; without a port on
        one that is free at all of them.  addresses() tells them.

        mode (int, such as 0o660), owner and group (a name or a number) are of the file of a Unix socket; readable_all
        and writable_all add to what the umask leaves.  replace_stale replaces a socket file on which nobody listens,
        and no other: of several processes that do so at once one gets the path.  What may not be set raises OSError.

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
        if self._listeners or self._lookup is not None:
            raise already_listening()
        options, callback = parse_listen_options(arguments, keywords)
        self._given_up = False
        if callback is not None:
            self.once("listening", callback)
        try:
            if options.handle is not None:
                self._listen_on_given(options)
            elif options.hosts:
                self._listen_on_hosts(options)
            elif options.shared:
                self._listen_with_others((None,), options)
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
            error = not_running() if not self._listeners and self._lookup is None else None
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
        return self._address_of(self._listeners[0]) if self._listeners else None

    def addresses(self):
        """What address() tells of each socket it listens on, in the order of the hosts; empty while it does not.

        Raises OSError where the system cannot tell.  This is not in Node; asyncio: "Server.sockets".
        """
        return list(map(self._address_of, self._listeners))

    @property
    def port(self):
        """The port it listens on (int); None on a Unix socket, and while it does not listen.

        Without a host it is known right after listen(), else from 'listening' on.
        Raises OSError where the system cannot tell.  Node: "server.address().port".
        """
        address = self.address()
        return address.port if isinstance(address, Address) else None

    def __repr__(self):
        if self.record.is_elsewhere():
            return f"<{type(self).__name__} of another thread>"
        if not self._listeners:
            return f"<{type(self).__name__} not listening>"
        try:
            addresses = self.addresses()
        except OSError:
            # The descriptor was taken over, and is somebody else's by now.
            addresses = [None]
        if addresses[0] is None:
            return f"<{type(self).__name__} listening>"
        return f"<{type(self).__name__} listening on {', '.join(map(_shown, addresses))}>"

    # === Private ===

    def _address_of(self, Listener listener not None):
        if listener.family == AF_UNIX:
            return self._path
        name = name_of(listener.descriptor)
        if name is None:
            raise system_error(-EINVAL, "address")
        return Address._make(name)

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
        self._intake.expect_headers(header_options(options, "options."))

    # === Listening ===

    cdef int _listen_on(self, list descriptors, options, list leases, int *at) except? 1:
        """Listen on sockets of ours; 0 or a libuv error of that `at` a place, and then they are closed."""
        cdef int status = -EINVAL
        try:
            status = self._set_up(descriptors, options, at)
            if status == 0:
                # Until it is known.
                status = -EINVAL
                status = self._start_accepting(descriptors, options.backlog, False, leases, at)
        finally:
            if status < 0:
                _close_all(descriptors)
        return status

    cdef int _set_up(self, list descriptors, options, int *at) except? 1:
        """Give the sockets the options that the system has for them; 0 or a libuv error of that `at` a place."""
        cdef int family
        cdef int number
        self._refused = None
        wanted = {**(self._system_options or {}), **options.system}.values()
        if not wanted:
            return 0
        for index, descriptor in enumerate(descriptors):
            at[0] = index
            family = family_of_server(descriptor)
            if family < 0:
                return family
            try:
                set_named_options(descriptor, for_unix_sockets(wanted) if family == AF_UNIX else wanted)
            except OSError as error:
                self._refused = error
            if self._refused is not None:
                number = self._refused.errno
                return -number
        return 0

    cdef object _listen_error(self, int status, object address=None, object port=None):
        """The error for a libuv error, or that of the option that was refused."""
        error, self._refused = self._refused, None
        return system_error(status, "listen", address, port, True) if error is None else error

    cdef int _listen_tcp(self, tuple addresses, options, int *at) except? 1:
        """On all of them or none; where the port is any, it is one for all."""
        cdef int status = -EADDRINUSE
        cdef int _attempt
        for _attempt in range(PORTS_TRIED if options.port == 0 and len(addresses) > 1 else 1):
            status = self._listen_at(addresses, options, at)
            if status != -EADDRINUSE:
                break
        return status

    cdef int _listen_at(self, tuple addresses, options, int *at) except? 1:
        cdef list descriptors = []
        cdef int status = 0
        cdef int port = options.port
        # What comes by IPv4 is for the sockets of that.
        cdef bint ipv6_only = options.ipv6_only or any(map(is_ipv4, addresses))
        at[0] = 0
        try:
            for index, address in enumerate(addresses):
                at[0] = index
                status = open_tcp_server(address, port, ipv6_only, options.reuse_port)
                if status < 0:
                    break
                _keep(descriptors, status)
                if port == 0 and len(addresses) > 1:
                    port = name_of(status)[2]
        except BaseException:
            _close_all(descriptors)
            raise
        if status < 0:
            _close_all(descriptors)
            return status
        return self._listen_on(descriptors, options, [], at)

    def _listen_on_any(self, options):
        """No host: both families at once, or IPv4 alone where there is no IPv6 (rule 1.4.9)."""
        cdef int at = 0
        address = "::"
        cdef int status = self._listen_tcp((address,), options, &at)
        if status < 0 and status != -EADDRINUSE and not options.ipv6_only:
            address = "0.0.0.0"
            status = self._listen_tcp((address,), options, &at)
        if status < 0:
            self._fail(self._listen_error(status, address, options.port))

    def _listen_on_hosts(self, options):
        self._lookup = token = object()
        self._close_emitted = False

        def answered(error, addresses):
            later(self.record, _run_answer, self, (token, error, addresses, options), 0)

        look_up_hosts(self.record, self, options.hosts, answered)

    def _answered(self, token, error, addresses, options):
        cdef int at = 0
        cdef int status
        if self._lookup is not token:
            return
        self._lookup = None
        PyContext_Enter(self._context)
        try:
            if error is not None:
                self._cannot_listen(error)
                return
            if options.shared:
                self._listen_with_others(addresses, options)
                return
            status = self._listen_tcp(addresses, options, &at)
            if status < 0:
                self._fail(self._listen_error(status, addresses[at], options.port))
        except BaseException as raised:
            self._failed(raised)
        finally:
            PyContext_Exit(self._context)

    def _listen_with_others(self, addresses, options):
        """On sockets that another process has, and perhaps others listen on."""
        self._lookup = token = object()
        self._close_emitted = False
        ipv6_only = options.ipv6_only or (len(addresses) > 1 and any(map(is_ipv4, addresses)))
        wanted = []
        for address in addresses:
            wanted.append(Wanted(address, options.port, options.path, options.backlog, ipv6_only, options.file))
        try:
            ask_for_all(
                listening_source(), wanted,
                lambda error, descriptors, leases: self._granted(token, error, descriptors, leases, options),
            )
        except BaseException:
            self._lookup = None
            raise

    def _granted(self, token, error, list descriptors, list leases, options):
        cdef int at = 0
        cdef int status
        if self._lookup is not token:
            give_back(descriptors, leases)
            return
        self._lookup = None
        PyContext_Enter(self._context)
        try:
            if error is not None:
                self._cannot_listen(error)
                return
            status = self._listen_on(descriptors, options, leases, &at)
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
        cdef int status
        self._refused = None
        replacing = Replacing(options.path, options.file.replace_stale)
        try:
            replacing.begin()
            status, why = replacing.status, replacing.detail
            if status == 0:
                status = self._listen_on_file(path, options)
        finally:
            replacing.end()
        if status < 0:
            if status == -EADDRINUSE and why is None:
                why = who_is_there(options.path)
            self._fail(path_error(status, "listen", path, options.path, why) if self._refused is None
                       else self._listen_error(status))

    cdef int _listen_on_file(self, bytes path, options) except? 1:
        cdef int at = 0
        cdef int status
        cdef int descriptor = open_unix_server(path)
        if descriptor < 0:
            return descriptor
        inode = None
        owned = True
        status = -EINVAL
        try:
            inode = bound_inode(options.path)
            set_rights(options.path, options.file)
            descriptors = [descriptor]
            # It closes the descriptor where it fails.
            owned = False
            status = self._listen_on(descriptors, options, [], &at)
        finally:
            if status < 0:
                unlink_if_same(options.path, inode, new=True)
                if owned:
                    close_descriptor(descriptor)
        if status == 0:
            self._path = options.path
            self._inode = inode
        return status

    def _listen_on_given(self, options):
        """A descriptor, or something that has one; what cannot be listened on stays the caller's."""
        cdef int at = 0
        cdef int status = -EINVAL
        cdef list descriptors
        given = options.handle
        path = inode = None
        taken = hasattr(given, "_take_listening_sockets")
        if taken:
            descriptors, path, inode = given._take_listening_sockets()
        else:
            descriptors = [given.fileno() if isinstance(given, _socket_module.socket) else given]
        try:
            if descriptors:
                status = self._set_up(descriptors, options, &at)
            if status == 0:
                status = -EINVAL
                status = self._start_accepting(descriptors, options.backlog, True, [], &at)
            if status < 0:
                self._fail(self._listen_error(status))
        finally:
            if status < 0 and taken:
                _close_all(descriptors)
        if status < 0:
            return
        if isinstance(given, _socket_module.socket):
            self._take_from(given)
        else:
            self._path = path if isinstance(path, str) else None
            self._inode = inode

    cdef int _take_from(self, object given) except -1:
        """The descriptor of a socket.socket is ours from now on."""
        cdef Listener listener = self._listeners[0]
        try:
            path = given.getsockname() if listener.family == AF_UNIX else None
            given.detach()
        except BaseException:
            if given.fileno() != -1:
                # It keeps it.
                self._listeners = ()
                self._intake.release(listener)
                raise
        self._path = path if isinstance(path, str) else None
        self._inode = None
        return 0

    def _listening_descriptors(self):
        """The descriptors that stay the server's."""
        descriptors = []
        for listener in self._listeners:
            descriptors.append((<Listener>listener).descriptor)
        return descriptors

    def _take_listening_sockets(self):
        """Give the sockets to another server, which owns them from then on."""
        self.record.check()
        descriptors = self._listening_descriptors()
        path, inode = self._path, self._inode
        listeners = self._listeners
        if listeners:
            self._listeners = ()
            self._release(listeners)
            self._path = self._inode = None
            self._stopped()
        return descriptors, path, inode

    def _stop_listening(self):
        self._lookup = None
        self._give_up()
        self._forget_path()
        self._stop_accepting()
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


def _shown(address):
    return f"{bracketed(address.address)}:{address.port}" if isinstance(address, Address) else address


cdef int _keep(list descriptors, int descriptor) except -1:
    """Add one, which is closed where there is no memory for that."""
    try:
        descriptors.append(descriptor)
    except BaseException:
        close_descriptor(descriptor)
        raise
    return 0


cdef int _close_all(list descriptors) except -1:
    for descriptor in descriptors:
        close_descriptor(descriptor)
    return 0


public_name(Server, "uvnet.Server")
