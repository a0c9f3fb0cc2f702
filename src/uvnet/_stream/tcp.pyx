"""TCP handles."""

from libc.errno cimport EBADF, EINVAL, errno

from uvnet._loop.descriptors cimport close_descriptor, open_socket
from uvnet._loop.handle cimport HANDLE_OPEN
from uvnet._loop.record cimport LoopRecord
from uvnet._stream.connect_request cimport abort_connect, begin_connect, on_connect
from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport UVNET_UV_TCP, sockaddr, uv, uv_connect_t
from uvnet.addresses.sockaddr cimport copy_name, ip_name, parse_sockaddr, sockaddr_storage

cdef extern from "<netinet/in.h>" nogil:
    enum:
        AF_INET
        AF_INET6
        IPPROTO_IP
        IPPROTO_IPV6
        IPPROTO_TCP
        IPV6_TCLASS

cdef extern from "<netinet/ip.h>" nogil:
    enum:
        IP_TOS

cdef extern from "<netinet/tcp.h>" nogil:
    """
    #ifndef TCP_KEEPIDLE
    #define TCP_KEEPIDLE TCP_KEEPALIVE
    #endif
    """
    enum:
        TCP_KEEPCNT
        TCP_KEEPIDLE
        TCP_KEEPINTVL

cdef extern from "<sys/socket.h>" nogil:
    enum:
        SO_KEEPALIVE
        SOL_SOCKET
    int getsockopt(int descriptor, int level, int option, void *value, unsigned int *length)
    int setsockopt(int descriptor, int level, int option, const void *value, unsigned int length)


cdef class TCP(Stream):
    """A TCP socket.  Results are 0 or a negative libuv error."""

    cdef int open(self, int descriptor) noexcept:
        """Take over a socket; the handle owns the descriptor on success only."""
        return uv.tcp_open(self.uv_tcp(), descriptor)

    cdef int make_socket(self, int family) noexcept:
        """Make the socket now, for 4 or 6, which libuv would make when it binds or connects."""
        cdef int descriptor = open_socket(AF_INET6 if family == 6 else AF_INET)
        cdef int status
        if descriptor < 0:
            return -errno
        status = self.open(descriptor)
        if status < 0:
            close_descriptor(descriptor)
        return status

    cdef int bind(self, str address, int port) except? 1:
        """Bind with SO_REUSEADDR.  libuv reports EADDRINUSE only when the handle connects."""
        cdef sockaddr_storage name
        if parse_sockaddr(address, port, &name) == 0:
            return -EINVAL
        return uv.tcp_bind(self.uv_tcp(), <sockaddr *>&name, 0)

    cdef int connect(self, str address, int port) except? 1:
        """Begin to connect; on_connected follows where the result is 0."""
        cdef sockaddr_storage name
        cdef uv_connect_t *request
        cdef int status
        if parse_sockaddr(address, port, &name) == 0:
            return -EINVAL
        request = begin_connect(self)
        status = uv.tcp_connect(request, self.uv_tcp(), <sockaddr *>&name, on_connect)
        if status < 0:
            abort_connect(request)
        return status

    cdef int set_no_delay(self, bint enable) noexcept:
        """Set TCP_NODELAY."""
        if self.state != HANDLE_OPEN:
            return 0
        return uv.tcp_nodelay(self.uv_tcp(), enable)

    cdef int set_keep_alive(self, bint enable, unsigned int delay, unsigned int interval,
                            unsigned int count) noexcept:
        """Set SO_KEEPALIVE; `delay` and `interval` in seconds, a `delay` of 0 leaves the system's."""
        cdef int descriptor = self.fileno()
        cdef int value = enable
        if descriptor < 0:
            # libuv keeps the wish (not its interval and count) for the socket that it will make.
            return 0 if self.state != HANDLE_OPEN else uv.tcp_keepalive(self.uv_tcp(), enable, delay or 1)
        if enable and delay > 0 and uv.tcp_keepalive_ex is not NULL:
            return uv.tcp_keepalive_ex(self.uv_tcp(), enable, delay, interval, count)
        if setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)) < 0:
            return -errno
        if not enable:
            return 0
        if delay > 0 and setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &delay, sizeof(delay)) < 0:
            return -errno
        if setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval)) < 0:
            return -errno
        if setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count)) < 0:
            return -errno
        return 0

    cdef int set_type_of_service(self, int value) noexcept:
        """Set IP_TOS, or IPV6_TCLASS on an IPv6 socket."""
        cdef int level = 0
        cdef int option = self._service_option(&level)
        if option < 0:
            return option
        return -errno if setsockopt(self.fileno(), level, option, &value, sizeof(value)) < 0 else 0

    cdef int get_type_of_service(self) noexcept:
        """Its value, or a libuv error."""
        cdef int value = 0
        cdef unsigned int length = sizeof(value)
        cdef int level = 0
        cdef int option = self._service_option(&level)
        if option < 0:
            return option
        return -errno if getsockopt(self.fileno(), level, option, &value, &length) < 0 else value

    cdef int _service_option(self, int *level) noexcept:
        cdef sockaddr_storage name
        cdef int length = sizeof(name)
        cdef int status
        if self.state != HANDLE_OPEN:
            return -EBADF
        status = uv.tcp_getsockname(self.uv_tcp(), <sockaddr *>&name, &length)
        if status < 0:
            return status
        level[0] = IPPROTO_IPV6 if name.ss_family == AF_INET6 else IPPROTO_IP
        return IPV6_TCLASS if name.ss_family == AF_INET6 else IP_TOS

    cdef bint local_name(self, ip_name *result) noexcept:
        """The name of this end; False where there is none."""
        cdef sockaddr_storage name
        cdef int length = sizeof(name)
        return (self.state == HANDLE_OPEN and uv.tcp_getsockname(self.uv_tcp(), <sockaddr *>&name, &length) == 0
                and copy_name(&name, result))

    cdef bint remote_name(self, ip_name *result) noexcept:
        """The name of the other end; False where there is none."""
        cdef sockaddr_storage name
        cdef int length = sizeof(name)
        return (self.state == HANDLE_OPEN and uv.tcp_getpeername(self.uv_tcp(), <sockaddr *>&name, &length) == 0
                and copy_name(&name, result))


cdef TCP open_tcp(LoopRecord record):
    """A TCP handle without a socket; libuv makes the socket when it binds or connects."""
    cdef TCP self = TCP.__new__(TCP)
    self.allocate(record, UVNET_UV_TCP)
    self.opened(uv.tcp_init(record.uv_loop, self.uv_tcp()), "uv_tcp_init")
    self.block.referenced = True
    return self
