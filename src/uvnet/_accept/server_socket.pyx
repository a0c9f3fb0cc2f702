"""Sockets to listen on: made, given their options and bound, before there is a Listener for them.

Results are a descriptor, which the caller owns, or a negative libuv error.
"""

import os

from libc.errno cimport EADDRINUSE, EINVAL, EOPNOTSUPP, errno
from libc.string cimport memcpy, memset

from uvnet._loop.descriptors cimport close_descriptor, open_socket
from uvnet._uv.table cimport sockaddr
from uvnet.addresses.sockaddr cimport format_sockaddr, parse_sockaddr, sockaddr_storage, socklen_t
from uvnet.addresses.unix_path cimport check_path, path_error
from uvnet.errors.system cimport system_error

cdef extern from "<sys/socket.h>" nogil:
    """
    #include <stddef.h>
    #include <sys/un.h>
    #include <netinet/in.h>

    enum { UVNET_SERVER_PATH_OFFSET = offsetof(struct sockaddr_un, sun_path) };

    /* Where the kernel spreads connections over the sockets that share a port. */
    #if defined(__linux__) && defined(SO_REUSEPORT)
    enum { UVNET_REUSE_PORT = SO_REUSEPORT };
    #elif defined(SO_REUSEPORT_LB)
    enum { UVNET_REUSE_PORT = SO_REUSEPORT_LB };
    #else
    enum { UVNET_REUSE_PORT = -1 };
    #endif
    """
    enum:
        AF_INET
        AF_INET6
        AF_UNIX
        IPPROTO_IPV6
        IPV6_V6ONLY
        REUSE_PORT "UVNET_REUSE_PORT"
        SO_REUSEADDR
        SO_TYPE
        SOCK_STREAM
        SOL_SOCKET
        PATH_OFFSET "UVNET_SERVER_PATH_OFFSET"
    struct sockaddr_un:
        unsigned short sun_family
        char sun_path[108]
    int bind(int descriptor, const sockaddr *name, socklen_t length)
    int getsockname(int descriptor, sockaddr *name, socklen_t *length)
    int getsockopt(int descriptor, int level, int option, void *value, socklen_t *length)
    int setsockopt(int descriptor, int level, int option, const void *value, socklen_t length)


cdef int _bind(int descriptor, const sockaddr *name, socklen_t length) noexcept nogil:
    cdef int status
    if bind(descriptor, name, length) == 0:
        return descriptor
    status = -errno
    close_descriptor(descriptor)
    return status


cdef int _set(int descriptor, int level, int option, int value) noexcept nogil:
    """Set an option; on failure the descriptor is closed."""
    cdef int status
    if setsockopt(descriptor, level, option, &value, sizeof(value)) == 0:
        return 0
    status = -errno
    close_descriptor(descriptor)
    return status


cdef int open_tcp_server(str address, int port, bint ipv6_only, bint reuse_port) except? 1:
    """A socket bound with SO_REUSEADDR; an IPv6 one is dual-stack unless `ipv6_only`.

    `reuse_port` sets SO_REUSEPORT; UV_EOPNOTSUPP where the kernel would not spread connections.
    """
    cdef sockaddr_storage name
    cdef int length = parse_sockaddr(address, port, &name)
    cdef int descriptor
    cdef int status
    if length == 0:
        return -EINVAL
    if reuse_port and REUSE_PORT < 0:
        return -EOPNOTSUPP
    descriptor = open_socket(name.ss_family)
    if descriptor < 0:
        return -errno
    status = _set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
    if status == 0 and reuse_port:
        status = _set(descriptor, SOL_SOCKET, REUSE_PORT, 1)
    if status == 0 and name.ss_family == AF_INET6:
        status = _set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, ipv6_only)
    return status if status < 0 else _bind(descriptor, <sockaddr *>&name, length)


cdef int open_unix_server(bytes path) noexcept:
    """A Unix socket bound to a path, or to an abstract name of exactly the length given."""
    cdef sockaddr_un name
    cdef int descriptor
    cdef int status = check_path(path)
    if status < 0:
        return status
    memset(&name, 0, sizeof(name))
    name.sun_family = AF_UNIX
    memcpy(name.sun_path, <char *>path, len(path))
    descriptor = open_socket(AF_UNIX)
    if descriptor < 0:
        return -errno
    # A path ends with NUL, an abstract name does not.
    return _bind(descriptor, <sockaddr *>&name, PATH_OFFSET + len(path) + (path[0] != 0))


def open_listening_socket(address, int port, path, bint ipv6_only):
    """The descriptor of a socket bound to a path or an IP address (None for any), as Server.listen() binds it.

    Raises OSError as of bind(2).
    """
    cdef int status
    if path is not None:
        name = os.fsencode(path)
        status = open_unix_server(name)
        if status < 0:
            raise path_error(status, "bind", name, path)
        return status
    status = open_tcp_server(address or "::", port, ipv6_only, False)
    # Both families at once, or IPv4 alone where there is no IPv6.
    if address is None and status < 0 and status != -EADDRINUSE and not ipv6_only:
        status = open_tcp_server("0.0.0.0", port, False, False)
    if status < 0:
        raise system_error(status, "bind", address, port, True)
    return status


cdef int family_of_server(int descriptor) noexcept:
    """AF_INET, AF_INET6 or AF_UNIX of a socket that may listen; UV_EINVAL for anything else."""
    cdef sockaddr_storage name
    cdef socklen_t length = sizeof(name)
    cdef int type = 0
    cdef socklen_t type_length = sizeof(type)
    name.ss_family = 0
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &type_length) < 0 or type != SOCK_STREAM
            or getsockname(descriptor, <sockaddr *>&name, &length) < 0):
        return -EINVAL
    if name.ss_family == AF_INET or name.ss_family == AF_INET6 or name.ss_family == AF_UNIX:
        return name.ss_family
    return -EINVAL


cdef tuple name_of(int descriptor):
    """(address, family, port) of a socket, or None."""
    cdef sockaddr_storage name
    cdef socklen_t length = sizeof(name)
    if getsockname(descriptor, <sockaddr *>&name, &length) < 0:
        return None
    return format_sockaddr(<sockaddr *>&name)
