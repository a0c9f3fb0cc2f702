# cython: nonecheck=True
# What is here is called by plain Python, also on an object whose __init__ has not run.
"""DatagramBase: the life of a UDP socket, its options, and how its owner is called.

It knows nothing of how datagrams are sent and received.
"""

from libc.errno cimport EAFNOSUPPORT, errno

from uvnet._loop.context cimport copy_context, enter_context, exit_context
from uvnet._loop.descriptors cimport close_descriptor, open_datagram_socket
from uvnet._loop.handle cimport HANDLE_OPEN, Handle, Intermediary
from uvnet._loop.record cimport LoopRecord, no_record
from uvnet._loop.tick cimport later, report
from uvnet._stream.socket_option cimport set_option
from uvnet._udp.messages cimport prepare_datagrams, use_offload
from uvnet._uv.table cimport UVNET_UV_POLL, sockaddr, uv
from uvnet.addresses.sockaddr cimport parse_sockaddr, sockaddr_storage, socket_name, socklen_t
from uvnet.errors.system cimport system_error

from uvnet._loop.loop import record_of
from uvnet._udp.options import (
    broadcast_options, loopback_options, membership_options, multicast_interface_options, multicast_ttl_options,
    ttl_options,
)
from uvnet.errors.codes import bad_port, initialised_before, invalid_callback, invalid_ip, socket_closed

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_INET
        AF_INET6
        SO_REUSEADDR
        SOL_SOCKET
    int bind(int descriptor, const sockaddr *name, socklen_t length)
    int getsockname(int descriptor, sockaddr *name, socklen_t *length)

cdef enum:
    RECEIVE_BUFFER = 2097152     # bytes in the kernel, which gives less where it is told to: bursts of a thousand


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


cdef class DatagramBase(Intermediary):
    """What there is of a DatagramHandle without datagrams."""

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
        self.closing = []
        self.on_datagrams = on_datagrams
        self.on_error = on_error
        self.user = owner
        self.context = copy_context()
        self.referenced = True
        self.record = record

    cdef object on_behalf_of(self):
        return self.user

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

    # === What subclasses do, and what they ask for ===

    cdef int watch(self) noexcept:
        """Have libuv watch the socket for what is waited for; 0 or a libuv error."""
        return 0

    cdef int forget(self) except -1:
        """Nothing is told any more."""
        self.on_datagrams = self.on_error = self.user = None
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

    cdef int tell_error(self, int status, tuple remote) except -1:
        if self.on_error is None:
            return 0
        if remote is None:
            error = system_error(status, "sendmsg")
        else:
            error = system_error(status, "sendmsg", remote[0], remote[1])
        return self.call(self.on_error, (error, remote))


cdef int _run_closing(object target, object argument, int step) except -1:
    cdef DatagramBase self = <DatagramBase>target
    cdef list callbacks = self.closing
    self.closing = []
    for callback in callbacks:
        self.call(callback, ())
    return 0


cdef int _on_closed(object owner, Handle handle) except -1:
    cdef DatagramBase self = <DatagramBase>owner
    self.socket = None
    return _run_closing(self, None, 0)


cdef int _on_abandoned(object owner) except -1:
    cdef DatagramBase self = <DatagramBase>owner
    self.closed = True
    self.closing.clear()
    return self.forget()
