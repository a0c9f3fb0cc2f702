# cython: nonecheck=True
# What is here is called by plain Python, also on an object whose __init__ has not run.
"""DatagramHandle: a UDP socket that receives and sends in batches.

Whatever has come goes to one call of `on_datagrams` per event of the loop, at most about MOST_RECEIVED datagrams;
what is left waits for the next turn of the loop, so that others get theirs.  What is sent leaves at once, or waits in a
queue with an end where the socket takes no more; datagrams may get lost anywhere, so what is beyond it is dropped.
"""

from collections import deque

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAFNOSUPPORT, EAGAIN, EINVAL, EIO, EMSGSIZE, ENOBUFS, errno
from libc.string cimport memcmp, memset

from uvnet._loop.context cimport copy_context, enter_context, exit_context
from uvnet._loop.descriptors cimport close_descriptor, open_datagram_socket
from uvnet._loop.gil cimport hold_gil
from uvnet._loop.handle cimport HANDLE_OPEN, Handle, HandleBlock, Intermediary, block_of
from uvnet._loop.record cimport LoopRecord, no_record
from uvnet._loop.tick cimport enter, later, leave, report
from uvnet._stream.socket_option cimport set_option
from uvnet._udp.messages cimport (
    MOST_BYTES, MOST_MESSAGES, MOST_SEGMENTS, iovec, ip_name, map_to_ipv6, message, prepare_datagrams,
    receive_error, receive_messages, send_message, set_scope, use_offload
)
from uvnet._uv.table cimport UVNET_UV_POLL, UVNET_UV_READABLE, UVNET_UV_WRITABLE, sockaddr, uv, uv_poll_t
from uvnet.addresses.sockaddr cimport (
    copy_name, format_sockaddr, parse_sockaddr, sockaddr_storage, socket_name, socklen_t
)
from uvnet.errors.system cimport system_error

from uvnet._loop.loop import record_of
from uvnet._udp.options import (
    broadcast_options, loopback_options, membership_options, multicast_interface_options, multicast_ttl_options,
    ttl_options,
)
from uvnet.errors.codes import bad_port, initialised_before, invalid_callback, invalid_ip, invalid_type, socket_closed

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_INET
        AF_INET6
        SO_REUSEADDR
        SOL_SOCKET
    int bind(int descriptor, const sockaddr *name, socklen_t length)
    int getsockname(int descriptor, sockaddr *name, socklen_t *length)

cdef enum:
    MOST_RECEIVED = 256          # datagrams; with so many an event of the loop has had its share
    ERRORS_AT_ONCE = 16
    MOST_WAITING = 1024          # datagrams that the socket has not taken yet
    MOST_WAITING_BYTES = 2097152
    TRIES = 4
    RECEIVE_BUFFER = 2097152     # bytes in the kernel, which gives less where it is told to: bursts of a thousand


cdef class Waiting:
    """Datagrams that wait to be sent."""


cdef class DatagramSocket(Handle):
    """The socket of a DatagramHandle."""

    def __cinit__(self):
        self.descriptor = -1

    cdef void close(self, bint reset=False) noexcept:
        if self.state != HANDLE_OPEN:
            return
        Handle.close(self)
        # libuv: a poll handle that was closed does not look at its descriptor any more.
        close_descriptor(self.descriptor)
        self.descriptor = -1


cdef class DatagramHandle(Intermediary):
    """A UDP socket, not bound yet.

    loop: a uvloop loop.  on_datagrams: called with a list of (data, remote, local): bytes, the sender as Python's
    sockets name it, and the address (a str) to which it was sent, or None where the system does not tell.  on_error:
    called with an OSError and the address (as above) it is about, or None: what ICMP says of a datagram that was
    sent, and why one cannot be sent.  owner: whom uvnet.active_handles() names.  In neither Node's nor asyncio's
    documentation.  Raises TypeError, and RuntimeError where the loop is closed or another thread's.
    """

    def __cinit__(self):
        self.record = no_record

    def __init__(self, loop, on_datagrams, on_error, *, owner=None):
        cdef LoopRecord record
        if self.record is not no_record:
            raise initialised_before("DatagramHandle")
        if not callable(on_datagrams):
            raise invalid_callback(on_datagrams, "on_datagrams")
        if not callable(on_error):
            raise invalid_callback(on_error, "on_error")
        record = record_of(loop)
        record.check()
        self.queue = deque()
        self.closing = []
        self.on_datagrams = on_datagrams
        self.on_error = on_error
        self.user = owner
        self.context = copy_context()
        self.referenced = True
        self.record = record

    cdef object on_behalf_of(self):
        return self.user

    # === Its life ===

    def bind(self, str address not None, int port, *, bint ipv6, bint ipv6_only=False, bint reuse_address=False,
             bint offload=True):
        """Bind it to an IP address, and receive from now on.  Raises OSError, as of bind(2), and may be called again.

        ipv6: an IPv6 socket, which takes part in IPv4 too unless `ipv6_only`.  offload: whether the system may
        receive and send many datagrams as one, where it can.  IP never cuts up what is sent.
        """
        cdef sockaddr_storage name
        cdef int family = AF_INET6 if ipv6 else AF_INET
        cdef int descriptor
        cdef int status
        cdef socklen_t length
        cdef DatagramSocket socket
        self.record.check()
        if self.closed or self.socket is not None:
            raise socket_closed() if self.closed else initialised_before("DatagramHandle")
        if port < 0 or port > 65535:
            raise bad_port("port", port)
        length = parse_sockaddr(address, port, &name)
        if length == 0:
            raise invalid_ip(address)
        if name.ss_family != family:
            raise system_error(-EAFNOSUPPORT, "bind", address, port, True)
        descriptor = open_datagram_socket(family)
        if descriptor < 0:
            raise system_error(-errno, "socket")
        try:
            status = prepare_datagrams(descriptor, family, ipv6_only, RECEIVE_BUFFER)
            if status < 0:
                raise system_error(status, "setsockopt")
            if reuse_address:
                set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
            if bind(descriptor, <sockaddr *>&name, length) < 0:
                raise system_error(-errno, "bind", address, port, True)
            socket = DatagramSocket.__new__(DatagramSocket)
            socket.allocate(self.record, UVNET_UV_POLL)
            status = uv.poll_init(self.record.uv_loop, socket.uv_poll(), descriptor)
            socket.opened(status, "uv_poll_init")
        except BaseException:
            close_descriptor(descriptor)
            raise
        # From here on the descriptor is the socket's.
        socket.descriptor = socket.block.descriptor = descriptor
        socket.block.referenced = self.referenced
        socket.owner = self
        socket.on_abandoned = _on_abandoned
        socket.on_closed = _on_closed
        self.socket = socket
        self.family = family
        self.segments = offload and use_offload(descriptor)
        status = self.watch()
        if status < 0:
            self.socket = socket.owner = None
            socket.close()
            raise system_error(status, "uv_poll_start")

    def close(self, callback=None):
        """Close it; what waits to be sent is dropped.  callback() is called once it is closed; nothing else is."""
        self.record.check()
        if callback is not None and not callable(callback):
            raise invalid_callback(callback)
        if self.socket is None and callback is not None:
            # Nothing will happen that could call it.
            later(self.record, _run_closing, self, None, 0)
        if callback is not None:
            self.closing.append(callback)
        self.closed = True
        self.forget()
        if self.socket is not None:
            self.socket.close()

    @property
    def is_open(self):
        """Whether it is bound and not closed."""
        return self.socket is not None and self.socket.state == HANDLE_OPEN

    def fileno(self):
        """The descriptor, or -1 where it is not open."""
        return self.socket.descriptor if self.socket is not None else -1

    def getsockname(self):
        """The address it is bound to, as Python's sockets name it.  Raises RuntimeError where it is not open."""
        cdef sockaddr_storage name
        cdef socklen_t length = sizeof(name)
        if getsockname(self.open_socket().descriptor, <sockaddr *>&name, &length) < 0:
            raise system_error(-errno, "getsockname")
        return socket_name(<sockaddr *>&name)

    def ref(self):
        """Keep uvnet.run() going while it is open; so it is from the beginning."""
        self.record.check()
        self.referenced = True
        if self.socket is not None:
            self.socket.block.referenced = True

    def unref(self):
        """The opposite of ref()."""
        self.record.check()
        self.referenced = False
        if self.socket is not None:
            self.socket.block.referenced = False

    cdef DatagramSocket open_socket(self):
        self.record.check()
        if self.socket is None or self.socket.state != HANDLE_OPEN:
            raise socket_closed()
        return self.socket

    cdef int forget(self) except -1:
        """Nothing is told any more, and nothing waits."""
        self.on_datagrams = self.on_error = self.user = None
        self.packets_dropped += self.packets_waiting
        self.packets_waiting = self.queued_bytes = 0
        if self.queue is not None:
            self.queue.clear()
        return 0

    # === Options ===

    def set_ttl(self, ttl):
        """How many routers a datagram may pass, 1 to 255.

        This and the following raise OSError, TypeError, ValueError, and RuntimeError where it is not open.
        """
        self._set(ttl_options(self.family == AF_INET6, ttl))

    def set_multicast_ttl(self, ttl):
        """The like for what is sent to a group, 0 to 255."""
        self._set(multicast_ttl_options(self.family == AF_INET6, ttl))

    def set_multicast_loopback(self, bint on):
        """Whether members on this machine get what is sent to a group."""
        self._set(loopback_options(self.family == AF_INET6, on))

    def set_broadcast(self, bint on):
        """Whether broadcast addresses may be sent to."""
        self._set(broadcast_options(on))

    def set_multicast_interface(self, str interface not None):
        """From which interface groups are sent to.

        It is named by an address of its own (IPv4) or as in "::%eth0" (IPv6); "0.0.0.0" and "::" stand for any.
        """
        self._set(multicast_interface_options(self.family == AF_INET6, interface))

    def add_membership(self, str group not None, str interface=None):
        """Join a group, on an interface named as above."""
        self._set(membership_options(self.family == AF_INET6, group, interface, True))

    def drop_membership(self, str group not None, str interface=None):
        """Leave a group."""
        self._set(membership_options(self.family == AF_INET6, group, interface, False))

    def _set(self, options):
        cdef int descriptor = self.open_socket().descriptor
        for name, level, number, value in options:
            set_option(descriptor, level, number, value, name)

    # === Sending ===

    def send(self, list payloads not None, remote, local=None):
        """Send datagrams to one address, in this order.

        payloads: of bytes.  remote: (address, port, ...) as Python's sockets name it.  local: the address (a str)
        from which they leave; None: any.  What cannot be sent is dropped: counted, and `on_error` is told later, once
        for a call.  Raises TypeError, ValueError, and RuntimeError where it is not open; then nothing has been sent.
        """
        cdef Py_ssize_t begun = 0
        cdef object payload
        self.open_socket()
        for payload in payloads:
            if type(payload) is not bytes:
                raise invalid_type("payloads", "a list of bytes", payload)
        if remote is not self.sent_remote or remote is None:
            self._keep_remote(remote)
        if local is not self.sent_local:
            self._keep_local(local)
        if not self.blocked:
            begun = self.send_from(payloads, 0, &self.sent_name, &self.sent_local_name)
        if begun < len(payloads):
            self.wait(payloads, begun, &self.sent_name, &self.sent_local_name)

    def _keep_remote(self, remote):
        cdef ip_name name
        if not isinstance(remote, tuple) or len(remote) not in (2, 4):
            raise invalid_type("remote", "a tuple (address, port), or one of four", remote)
        self.parse(remote[0], remote[1], &name)
        if len(remote) == 4 and remote[3] and name.any.sa_family == AF_INET6:
            set_scope(&name, remote[3])
        self.sent_name = name
        self.sent_remote = remote

    def _keep_local(self, local):
        cdef ip_name name
        if local is None:
            memset(&name, 0, sizeof(name))
        else:
            self.parse(local, 0, &name)
        self.sent_local_name = name
        self.sent_local = local

    cdef int parse(self, object address, object port, ip_name *name) except -1:
        cdef sockaddr_storage storage
        if not isinstance(address, str):
            raise invalid_type("address", "of type str", address)
        if not isinstance(port, int):
            raise invalid_type("port", "of type int", port)
        if not 0 <= port <= 65535:
            raise bad_port("port", port)
        if parse_sockaddr(address, port, &storage) == 0:
            raise invalid_ip(address)
        copy_name(&storage, name)
        if name.any.sa_family != self.family:
            if self.family != AF_INET6:
                raise invalid_ip(address)
            map_to_ipv6(name)
        return 0

    cdef Py_ssize_t send_from(self, list payloads, Py_ssize_t index, const ip_name *remote,
                              const ip_name *local) except -1:
        """Send from `index` on; the index of the first that has to wait.

        The GIL stays held: to get it back from a thread that computes takes longer than any of these calls.
        """
        cdef iovec[MOST_SEGMENTS] pieces
        cdef Py_ssize_t total = len(payloads)
        cdef Py_ssize_t alone = 0            # those before it go one by one
        cdef Py_ssize_t count, size, first
        cdef size_t length
        cdef int status, left
        cdef int failure = 0
        cdef bint refused
        cdef bytes payload
        while index < total:
            count = 0
            length = 0
            first = PyBytes_GET_SIZE(payloads[index])
            while index + count < total:
                payload = <bytes>payloads[index + count]
                size = PyBytes_GET_SIZE(payload)
                if count and (size > first or size == 0 or length + size > MOST_BYTES):
                    break
                pieces[count].iov_base = PyBytes_AS_STRING(payload)
                pieces[count].iov_len = size
                count += 1
                length += size
                if size < first or not self.segments or index < alone or count == MOST_SEGMENTS or first == 0:
                    break
            left = TRIES
            while True:
                status = send_message(self.socket.descriptor, pieces, count, first if count > 1 else 0, remote, local)
                left -= 1
                # What ICMP has told of another datagram is the result of the next call as well, whatever that sends.
                refused = count > 1 and (status == -EINVAL or status == -EMSGSIZE or status == -EIO)
                if status == 0 or status == -EAGAIN or status == -ENOBUFS or refused or left == 0:
                    break
            if status == 0:
                self.packets_sent += count
                self.bytes_sent += length
                index += count
            elif status == -EAGAIN:
                break
            elif refused:
                # Too long for the way there, or for an interface that computes no checksums.
                if status == -EIO:
                    self.segments = False
                alone = index + count
            else:
                self.packets_dropped += count
                index += count
                # That is how a full queue of the interface shows; a router would not say either.
                if status != -ENOBUFS and failure == 0:
                    failure = status
        if failure:
            later(self.record, _run_error, self, (failure, socket_name(&remote.any)), 0)
        return index

    cdef int wait(self, list payloads, Py_ssize_t index, const ip_name *remote, const ip_name *local) except -1:
        """Keep those from `index` on until the socket takes more, as far as there is room."""
        cdef Waiting waiting = Waiting.__new__(Waiting)
        cdef list kept = []
        cdef Py_ssize_t length = 0
        for payload in payloads[index:]:
            if (self.packets_waiting + len(kept) >= MOST_WAITING
                    or self.queued_bytes + length + len(payload) > MOST_WAITING_BYTES):
                break
            kept.append(payload)
            length += len(payload)
        self.packets_dropped += len(payloads) - index - len(kept)
        if kept:
            waiting.payloads = kept
            waiting.remote = remote[0]
            waiting.local = local[0]
            self.queue.append(waiting)
            self.packets_waiting += len(kept)
            self.queued_bytes += length
            self.socket.block.queued_bytes = self.queued_bytes
        if not self.blocked:
            self.blocked = True
            self.watch()
        return 0

    cdef int flush(self) except -1:
        """The socket takes more."""
        cdef Waiting waiting
        cdef Py_ssize_t begun, index
        while self.queue:
            waiting = self.queue[0]
            begun = self.send_from(waiting.payloads, waiting.begun, &waiting.remote, &waiting.local)
            for index in range(waiting.begun, begun):
                self.queued_bytes -= len(waiting.payloads[index])
            self.packets_waiting -= begun - waiting.begun
            self.socket.block.queued_bytes = self.queued_bytes
            waiting.begun = begun
            if begun < len(waiting.payloads):
                return 0
            self.queue.popleft()
        self.blocked = False
        self.watch()
        return 0

    # === Receiving ===

    cdef int watch(self) noexcept:
        return uv.poll_start(
            self.socket.uv_poll(), UVNET_UV_READABLE | (UVNET_UV_WRITABLE if self.blocked else 0), _on_poll
        )

    cdef int ready(self, int status, int events, message *messages, int count) except -1:
        """The event of the loop: `count` messages have been received already, or it is a libuv error."""
        cdef DatagramSocket socket = self.socket
        cdef list batch = []
        if status < 0:
            self.tell_errors()
            if socket.state != HANDLE_OPEN:
                return 0
            count = receive_messages(socket.descriptor, self.record.read_buffer, messages)
        while count > 0:
            self.take(batch, messages, count)
            if count < MOST_MESSAGES or len(batch) >= MOST_RECEIVED:
                break
            count = receive_messages(socket.descriptor, self.record.read_buffer, messages)
        if batch:
            self.call(self.on_datagrams, (batch,))
        if events & UVNET_UV_WRITABLE and socket.state == HANDLE_OPEN:
            self.flush()
        return 0

    cdef int take(self, list batch, const message *messages, int count) except -1:
        """Make the datagrams of the messages."""
        cdef const message *each
        cdef size_t position, size
        cdef int index
        for index in range(count):
            each = &messages[index]
            if self.received_remote is None or memcmp(&each.remote, &self.received_name, sizeof(ip_name)) != 0:
                self.received_remote = socket_name(&each.remote.any)
                self.received_name = each.remote
            if memcmp(&each.local, &self.received_local_name, sizeof(ip_name)) != 0:
                self.received_local = None if each.local.any.sa_family == 0 else format_sockaddr(&each.local.any)[0]
                self.received_local_name = each.local
            self.bytes_received += each.length
            position = 0
            while True:
                size = min(each.segment, each.length - position)
                batch.append((
                    PyBytes_FromStringAndSize(each.data + position, size), self.received_remote, self.received_local
                ))
                self.packets_received += 1
                position += size
                if position >= each.length:
                    break
        return 0

    cdef int tell_errors(self) except -1:
        """Tell what ICMP has said of datagrams that were sent."""
        cdef ip_name remote
        cdef int status = 0
        cdef int _turn
        cdef DatagramSocket socket = self.socket
        for _turn in range(ERRORS_AT_ONCE):
            if socket.state != HANDLE_OPEN or not receive_error(socket.descriptor, &remote, &status):
                break
            if status < 0:
                _tell_error(self, status, socket_name(&remote.any))
        return 0

    cdef int call(self, object callback, tuple arguments) except -1:
        """Call one of the owner's, in its context; what it raises is reported."""
        if callback is None or self.record.closed:
            return 0
        try:
            enter_context(self.context)
            try:
                callback(*arguments)
            finally:
                exit_context(self.context)
        except BaseException as error:
            report(self.record, error, "exception in a uvnet datagram callback", self.user)
        return 0


cdef int _tell_error(DatagramHandle self, int status, tuple remote) except -1:
    if self.on_error is None:
        return 0
    if remote is None:
        error = system_error(status, "sendmsg")
    else:
        error = system_error(status, "sendmsg", remote[0], remote[1])
    return self.call(self.on_error, (error, remote))


cdef int _run_error(object target, object argument, int step) except -1:
    status, remote = <tuple>argument
    return _tell_error(<DatagramHandle>target, status, remote)


cdef int _run_closing(object target, object argument, int step) except -1:
    cdef DatagramHandle self = <DatagramHandle>target
    cdef list callbacks = self.closing
    self.closing = []
    for callback in callbacks:
        self.call(callback, ())
    return 0


cdef int _on_closed(object owner, Handle handle) except -1:
    cdef DatagramHandle self = <DatagramHandle>owner
    self.socket = None
    return _run_closing(self, None, 0)


cdef int _on_abandoned(object owner) except -1:
    cdef DatagramHandle self = <DatagramHandle>owner
    self.closed = True
    self.closing.clear()
    return self.forget()


cdef void _on_poll(uv_poll_t *uv_poll, int status, int events) noexcept nogil:
    cdef HandleBlock *block = block_of(uv_poll)
    cdef message[MOST_MESSAGES] messages
    cdef int count = 0
    if status == 0 and events & UVNET_UV_READABLE:
        # The loop's buffer is nobody's else between two callbacks; the GIL is not needed yet.
        count = receive_messages(block.descriptor, block.read_buffer, messages)
    hold_gil(block.hold)
    (<ready_function>_on_ready)(uv_poll, status, events, messages, count)


# The GIL is held already.
ctypedef void (*ready_function)(uv_poll_t *, int, int, message *, int) noexcept nogil


cdef void _on_ready(uv_poll_t *uv_poll, int status, int events, message *messages, int count) noexcept:
    cdef DatagramSocket socket = <DatagramSocket>block_of(uv_poll).owner
    cdef LoopRecord record = socket.record
    cdef DatagramHandle self
    if socket.state != HANDLE_OPEN or socket.owner is None or record.closed:
        return
    self = <DatagramHandle>socket.owner
    if status < 0:
        # libuv: a poll handle is stopped where the socket has an error: something could not be delivered.
        self.watch()
    enter(record)
    try:
        self.ready(status, events, messages, count)
    except BaseException as error:
        report(record, error, "exception in a uvnet datagram callback", self.user)
    leave(record)
